"""How many segments there are: what tells for each number of them."""

import numpy as np

from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["silhouette"]


def silhouette(points: Floats, centres: Floats) -> float:
    """Mean silhouette (Rousseeuw 1987) of points given to their nearest centre; -1 without two.

    `points` (customers, features) and `centres` (segments, features) in standard deviations.
    """
    from sklearn.metrics import silhouette_score

    labels = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    if not 2 <= len(np.unique(labels)) < len(points):
        return -1.0
    return float(silhouette_score(points, labels))
