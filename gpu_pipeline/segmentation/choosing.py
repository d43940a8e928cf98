"""How many segments there are: what tells for each number of them, and which is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from gpu_pipeline.segmentation.assignment import OUTLIER, Anchors, Ints
from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["CANDIDATES", "Candidate", "Groups", "chosen", "silhouette", "stability"]

CANDIDATES = range(3, 13)
_REFITS = 10
_SILHOUETTE_ROWS = 2000
_ALIKE = 0.02  # silhouettes that differ by less tell nothing
_WORTH_CHANGING = 0.05  # what a silhouette must be better by to leave last time's number

# The labels of all points by a model that is fitted on some; the number tells one from the next.
Refit = Callable[[Floats, int], Ints]


class Candidate(NamedTuple):
    """A number of segments, and what tells for it: both figures are at most 1, and more is better.

    >>> chosen([Candidate(3, 0.40, 0.99), Candidate(4, 0.41, 0.80), Candidate(5, 0.30, 1.00)])
    3
    """

    n_segments: int
    silhouette: float
    stability: float


@dataclass(frozen=True)
class Groups:
    """What was found: `centres` (segments, features), who belongs to them, and why so many."""

    centres: Floats
    anchors: Anchors
    inertia: float
    choice: list[Candidate]

    @property
    def figures(self) -> Candidate:
        """Those of the number that was taken."""
        return next(one for one in self.choice if one.n_segments == len(self.centres))


def chosen(candidates: Sequence[Candidate], *, before: int | None = None) -> int:
    """The most stable number of those whose silhouette is within 0.02 of the best.

    `before` is the number of last time: it stays unless the other silhouette is 0.05 better.
    """
    best = max(one.silhouette for one in candidates)
    alike = [one for one in candidates if one.silhouette >= best - _ALIKE]
    taken = max(alike, key=lambda one: (one.stability, one.silhouette))
    for one in candidates:
        if one.n_segments == before and taken.silhouette < one.silhouette + _WORTH_CHANGING:
            return one.n_segments
    return taken.n_segments


def silhouette(points: Floats, labels: Ints) -> float:
    """Mean silhouette (Rousseeuw 1987) of the first 2,000 points that are no outliers.

    -1 where there are not two groups.
    """
    from sklearn.metrics import silhouette_score

    inside = np.flatnonzero(labels != OUTLIER)[:_SILHOUETTE_ROWS]
    if not 2 <= len(np.unique(labels[inside])) < len(inside):
        return -1.0
    distances = cdist(points[inside], points[inside])
    return float(silhouette_score(distances, labels[inside], metric="precomputed"))


def stability(points: Floats, labels: Ints, refit: Refit, *, seed: int) -> float:
    """How alike ten fits on half of the points label them all: mean adjusted Rand index.

    1 where each half finds the groups that the whole did, 0 where it is chance (Hubert, Arabie
    1985; resampling as in Ben-Hur, Elisseeff, Guyon 2002).
    """
    from sklearn.metrics import adjusted_rand_score

    indices = []
    for number in range(_REFITS):
        rng = np.random.default_rng([seed, number])
        half = np.sort(rng.permutation(len(points))[: -(-len(points) // 2)])
        indices.append(adjusted_rand_score(labels, refit(points[half], number)))
    return float(np.mean(indices))
