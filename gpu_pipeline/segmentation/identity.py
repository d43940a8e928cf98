"""Who a segment was last time: ids that stay, and whether a refit may take the old one's place."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from gpu_pipeline.segmentation.assignment import OUTLIER, Ints
from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["LastTime", "Refit", "ids_by_worth"]

_LEAST_COMMON = 0.25
_LEAST_AGREEMENT = 0.95
_LEAST_STABILITY = 0.6
_WORSE = 0.05  # silhouettes


@dataclass(frozen=True)
class Refit:
    """How a model that was fitted again compares with the one before, on the same customers.

    `agreement` is the share of customers whom both put into the segment of the same id: what one
    who did not move sees. `stability` is the new model's, both silhouettes are of its points.

    >>> Refit(0.99, 0.9, 0.41, 0.40).is_good
    True
    >>> print(*Refit(0.62, 0.9, 0.41, 0.40).reasons)
    62.0 % of the customers keep their segment, of at least 95 %
    """

    agreement: float
    stability: float
    silhouette: float
    silhouette_before: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it must not be published; none where it may."""
        told = (
            (
                self.agreement < _LEAST_AGREEMENT,
                f"{100 * self.agreement:.1f} % of the customers keep their segment, of at least "
                f"{100 * _LEAST_AGREEMENT:.0f} %",
            ),
            (
                self.stability < _LEAST_STABILITY,
                f"fits on half of the customers agree to {self.stability:.2f}, of at least "
                f"{_LEAST_STABILITY:.2f}",
            ),
            (
                self.silhouette < self.silhouette_before - _WORSE,
                f"the silhouette is {self.silhouette:.2f}, the last model's "
                f"{self.silhouette_before:.2f}: worse by more than {_WORSE:.2f}",
            ),
        )
        return tuple(reason for holds, reason in told if holds)

    @property
    def is_good(self) -> bool:
        """Whether it may be published."""
        return not self.reasons


@dataclass(frozen=True)
class LastTime:
    """What the model before says of today's customers.

    `places` (segments, features) are where its segments were, in today's deviations, `segments`
    (customers,) its labels, `ids` its segments, and `next_id` is one that nobody had.
    """

    places: Floats
    segments: Ints
    ids: Ints
    next_id: int

    @classmethod
    def of_members(cls, points: Floats, segments: Ints, ids: Ints, next_id: int) -> Self:
        """The segments that have members among the points, in their middle.

        For a model of other features, whose centres are nowhere among these points.
        """
        present = ids[np.isin(ids, segments)]
        places = [points[segments == one].mean(axis=0) for one in present]
        return cls(np.array(places).reshape(-1, points.shape[1]), segments, present, next_id)

    def centres(self, points: Floats) -> Floats | None:
        """Where its segments' customers are now; None where a segment has nobody left."""
        if not np.isin(self.ids, self.segments).all():
            return None
        return np.array([points[self.segments == one].mean(axis=0) for one in self.ids])

    def kept_ids(self, centres: Floats, labels: Ints) -> tuple[Ints, int]:
        """(an id for each centre, the next one that nobody had).

        Old and new centres are matched so that the sum of squared distances is least; the matched
        keep the id, if of all their customers a fourth are in both. What is left over is new, and
        gets an id that was never used. `labels` (customers,) are the new ones.
        """
        found = np.full(len(centres), OUTLIER)
        squares = cdist(centres, self.places, "sqeuclidean")
        for new, old in zip(*linear_sum_assignment(squares), strict=True):
            here, there = labels == new, self.segments == self.ids[old]
            if (here & there).sum() >= _LEAST_COMMON * (here | there).sum():
                found[new] = self.ids[old]
        fresh = found == OUTLIER
        found[fresh] = self.next_id + np.arange(fresh.sum())
        return found, self.next_id + int(fresh.sum())


def ids_by_worth(labels: Ints, worth: Floats, count: int) -> Ints:
    """An id for each of `count` groups, 0 that of the greatest sum of its members' `worth`."""
    inside = labels != OUTLIER
    sums = np.bincount(labels[inside], worth[inside], minlength=count)
    return np.argsort(np.argsort(-sums, kind="stable"))
