"""Assignment: which centre is nearest, the same for a whole shop and for one customer."""

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["nearest"]


def nearest(points: Array, centres: Floats, backend: Backend) -> tuple[Array, Array]:
    """(number of the nearest centre, distance to it); the first of equals."""
    xp = backend.xp
    squares = xp.stack([((points - xp.asarray(c)) ** 2).sum(axis=1) for c in centres], axis=1)
    labels = squares.argmin(axis=1)
    return labels, xp.sqrt(squares.min(axis=1))
