"""Where k-means starts: centres of our own, the same on every device."""

import numpy as np

from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["spread_centres"]

_SAME = 1e-12  # squared standard deviations, below which two customers are alike


def spread_centres(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """k-means++ (Arthur, Vassilvitskii 2007): centres drawn with odds of their distance squared.

    Of a few draws each time the one that leaves least is taken. Fewer than `count` centres where
    there are not as many different points.
    """
    draws = 2 + int(np.log(count))
    columns = np.ascontiguousarray(points.T)
    centres = [points[rng.integers(len(points))]]
    nearest = _squares(columns, centres[0])
    while len(centres) < count and nearest.any():
        total = nearest.cumsum()
        drawn = points[total.searchsorted(rng.random(draws) * total[-1], side="right")]
        left = [np.minimum(nearest, _squares(columns, centre)) for centre in drawn]
        best = min(range(draws), key=lambda i: left[i].sum())
        centres.append(drawn[best])
        nearest = left[best]
    return np.array(centres)


def _squares(columns: Floats, centre: Floats) -> Floats:
    """Squared distances of (features, points) to the centre; 0 where they mean nothing."""
    squares: Floats = ((columns - centre[:, None]) ** 2).sum(axis=0)
    return np.where(squares > _SAME, squares, 0.0)
