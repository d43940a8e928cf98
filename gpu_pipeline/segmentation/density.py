"""Dense groups of any shape, and the outliers between them (HDBSCAN)."""

import numpy as np

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.assignment import OUTLIER, Anchors, Ints
from gpu_pipeline.segmentation.choosing import Candidate, Groups, silhouette, stability
from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["dense_groups"]

# A fit compares each point with each other.
FITTED_ROWS = 10_000
_FEWEST, _SMALLEST_SHARE = 5, 0.02  # customers of a group
_PLACES, _PLACES_OF_A_GROUP = 256, 8  # what assignment compares with: in all, of a group at least


def dense_groups(points: Floats, *, seed: int, backend: Backend) -> Groups:
    """The groups by HDBSCAN (Campello, Moulavi, Sander 2013) of points (customers, features).

    Found among the first `FITTED_ROWS`. Whoever lies near enough to one of a few hundred members
    that were picked to trace the groups' shapes belongs to that one's group: so nobody's answer
    depends on who else is asked about.

    Raises:
        PipelineError: the points have no two dense groups.
    """
    fitted = points[:FITTED_ROWS]
    anchors = _anchors(fitted, backend)
    if anchors is None:
        message = (
            f"HDBSCAN found no two dense groups in {len(fitted):,} customers: use method kmeans, "
            "or other features."
        )
        raise PipelineError(message)
    labels = anchors.host_labels(fitted)
    inside = labels != OUTLIER
    groups = range(int(labels.max()) + 1)
    centres = np.array([fitted[labels == group].mean(axis=0) for group in groups])
    tells = Candidate(
        len(centres),
        silhouette(fitted, labels),
        stability(fitted, labels, lambda half, _: _labelled(half, fitted, backend), seed=seed),
    )
    inertia = float(((fitted[inside] - centres[labels[inside]]) ** 2).sum())
    return Groups(centres, anchors, inertia, [tells])


def _labelled(half: Floats, points: Floats, backend: Backend) -> Ints:
    anchors = _anchors(half, backend)
    return np.full(len(points), OUTLIER) if anchors is None else anchors.host_labels(points)


def _anchors(points: Floats, backend: Backend) -> Anchors | None:
    """Where the groups of these points lie; None without two."""
    fewest = max(_FEWEST, round(_SMALLEST_SHARE * len(points)))
    if len(points) <= fewest:
        return None
    estimator = backend.estimator("HDBSCAN", min_cluster_size=fewest)
    estimator.fit(backend.xp.asarray(points))
    labels = backend.to_host(estimator.labels_)
    members = [points[labels == group] for group in range(int(labels.max()) + 1)]
    if len(members) < 2:
        return None
    total = sum(len(some) for some in members)
    counts = [max(_PLACES_OF_A_GROUP, _PLACES * len(some) // total) for some in members]
    places, reach = zip(*map(_traced, members, counts), strict=True)
    rows = np.repeat(np.arange(len(members)), [len(some) for some in places])
    return Anchors(np.concatenate(places), rows, np.concatenate(reach))


def _traced(members: Floats, count: int) -> tuple[Floats, Floats]:
    """(at most `count` members that leave none far from all of them, how far the farthest is).

    The next is always the one farthest from those that there are (Gonzalez 1985), from the one
    nearest to the middle on.
    """
    picked = [int(_squares(members, members.mean(axis=0)).argmin())]
    least = _squares(members, members[picked[0]])
    while len(picked) < count and least.any():
        picked.append(int(least.argmax()))
        least = np.minimum(least, _squares(members, members[picked[-1]]))
    return members[picked], np.full(len(picked), np.sqrt(least.max()))


def _squares(points: Floats, place: Floats) -> Floats:
    squares: Floats = ((points - place) ** 2).sum(axis=1)
    return squares
