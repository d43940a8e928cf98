"""k-means: several starts of our own, on the device's estimator; the best one counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.assignment import Anchors, Ints
from gpu_pipeline.segmentation.choosing import (
    CANDIDATES,
    Candidate,
    Groups,
    chosen,
    silhouette,
    stability,
)
from gpu_pipeline.segmentation.preparation import Floats
from gpu_pipeline.segmentation.starting import spread_centres

__all__ = ["Fit", "KMeans", "round_groups"]

# Starts and numbers are tried on the first so many; all then move the centres.
TRIAL_ROWS = 10_000
STARTS, _STARTS_OF_A_HALF = 10, 4
_ITERATIONS = 300
_ENOUGH = 1e-6  # of the variance: centres that move less stand still
# What another start must leave less by, to be worth that customers change their segment.
_WORTH_MOVING = 0.15


def round_groups(
    points: Floats, *, n_segments: int, carried: Floats | None, seed: int, backend: Backend
) -> Groups:
    """k-means of points (customers, features) in any fair order; `n_segments` 0 chooses.

    `carried` are the centres of last time's segments: where they do well, they stay.

    Raises:
        PipelineError: there are fewer different customers than segments.
    """
    kmeans, trial = KMeans(seed, backend), points[:TRIAL_ROWS]
    wanted = [n_segments] if n_segments else list(CANDIDATES)
    different = _different(trial, max(wanted))
    if different < min(wanted):
        message = (
            f"{len(points)} customers, {different} of them different, are too few to tell "
            f"{min(wanted)} segments apart: bring more customers"
            + (f", or ask for {different} segments or fewer." if different > 1 else ".")
        )
        raise PipelineError(message)
    counts = [count for count in wanted if count <= different]
    fits = {count: kmeans.best(trial, count, starts=STARTS) for count in counts}
    if carried is not None and len(carried) in fits:
        fits[len(carried)] = _followed(carried, fits[len(carried)], trial)
    choice = _told(kmeans, trial, [fits[count].centres for count in counts])
    fit = fits[chosen(choice, before=None if carried is None else len(carried))]
    if fit.centres is not carried and len(trial) < len(points):
        fit = kmeans.moved(points, fit.centres)
    inertia = _inertia(points, fit.centres)
    return Groups(fit.centres, Anchors.of_centres(fit.centres), inertia, choice)


@dataclass(frozen=True)
class Fit:
    """`centres` (segments, features) and the sum of the squared distances to them."""

    centres: Floats
    inertia: float


@dataclass(frozen=True)
class KMeans:
    """k-means of host points (customers, features); the same for a seed, on any device."""

    seed: int
    backend: Backend

    def best(self, points: Floats, count: int, *, starts: int, run: int = 0) -> Fit:
        """The tightest of `starts` fits; another `run` starts elsewhere.

        Fewer segments than `count` where there are not as many different points.
        """
        streams = (np.random.default_rng([self.seed, run, count, start]) for start in range(starts))
        fits = (self.moved(points, spread_centres(points, count, rng)) for rng in streams)
        return min(fits, key=lambda fit: fit.inertia)

    def moved(self, points: Floats, centres: Floats) -> Fit:
        """Where the centres come to rest."""
        xp = self.backend.xp
        estimator = self.backend.estimator(
            "KMeans",
            n_clusters=len(centres),
            init=xp.asarray(centres),
            max_iter=_ITERATIONS,
            tol=_ENOUGH,
        )
        estimator.fit(xp.asarray(points))
        return Fit(self.backend.to_host(estimator.cluster_centers_), float(estimator.inertia_))


def _followed(carried: Floats, best: Fit, points: Floats) -> Fit:
    """The carried centres, unless the best ones are clearly tighter.

    Where last time's customers are now is one step of k-means already: over the refits they go
    where it would take them at once, and nearly nobody changes the segment for nothing.
    """
    kept = _inertia(points, carried)
    return best if best.inertia < (1 - _WORTH_MOVING) * kept else Fit(carried, kept)


def _inertia(points: Floats, centres: Floats) -> float:
    labels = Anchors.of_centres(centres).host_labels(points)
    return float(((points - centres[labels]) ** 2).sum())


def _different(points: Floats, most: int) -> int:
    """How many of the points differ, counted as far as `most`."""
    return len(spread_centres(points, most, np.random.default_rng(0))) if len(points) else 0


def _told(kmeans: KMeans, points: Floats, found: Sequence[Floats]) -> list[Candidate]:
    """What tells for each of these centres."""
    told = []
    for centres in found:
        labels = Anchors.of_centres(centres).host_labels(points)
        refit = partial(_relabelled, kmeans=kmeans, points=points, count=len(centres))
        told.append(
            Candidate(
                len(centres),
                silhouette(points, labels),
                stability(points, labels, refit, seed=kmeans.seed),
            )
        )
    return told


def _relabelled(half: Floats, number: int, kmeans: KMeans, points: Floats, count: int) -> Ints:
    fit = kmeans.best(half, count, starts=_STARTS_OF_A_HALF, run=1 + number)
    return Anchors.of_centres(fit.centres).host_labels(points)
