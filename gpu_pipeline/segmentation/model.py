"""SegmentModel: customers grouped by how they buy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.segmentation.assignment import nearest
from gpu_pipeline.segmentation.choosing import silhouette
from gpu_pipeline.segmentation.preparation import Floats, Preparation
from gpu_pipeline.segmentation.starting import spread_centres

__all__ = ["FEATURES", "SegmentModel"]

FEATURES = ("days_since_last_order", "tenure_days", "orders", "revenue")
CANDIDATES = range(3, 9)
STARTS = 10
SAMPLE_ROWS = 20_000
SILHOUETTE_ROWS = 3000
_ITERATIONS = 300


class SegmentModel:
    """k-means on customer features, the same labels for the same seed on any row order.

    >>> import pandas as pd
    >>> features = pd.DataFrame({
    ...     "customer_key": range(40), "days_since_last_order": [1.0, 300.0] * 20,
    ...     "tenure_days": [400.0, 310.0] * 20, "orders": [9, 1] * 20, "revenue": [900, 20] * 20})
    >>> model = SegmentModel(n_segments=2, backend=Backend.choose("cpu")).fit(features)
    >>> model.assign(features)["segment"].nunique()
    2
    """

    def __init__(self, *, n_segments: int = 0, seed: int = 0, backend: Backend) -> None:
        """`n_segments` 0 chooses from 3 to 8 by silhouette."""
        self.n_segments = n_segments
        self.seed = seed
        self.backend = backend

    def fit(self, features: Frame) -> Self:
        """Learns preparation and centres from a frame with `FEATURES` and customer_key.

        Segments are numbered by revenue, most first.

        Raises:
            PipelineError: fewer different customers than segments.
        """
        ordered = features.sort_values("customer_key").reset_index(drop=True)
        matrix = _matrix(ordered, self.backend)
        raw = self.backend.to_host(matrix)
        if not len(raw):
            raise self._too_few(raw, different=0)
        preparation = Preparation.learnt(raw)
        points = preparation.points(matrix, self.backend)
        # More threads add the same numbers in another order, and other labels can follow.
        with threadpool_limits(1):
            self.centres_, self.inertia_, self.silhouettes_ = self._chosen(points)
        self.preparation_ = preparation
        self._number_by_revenue(raw, points)
        return self

    def assign(self, features: Frame) -> Frame:
        """customer_key, segment, distance (standard deviations) for each row, in its order.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        points = self.preparation_.points(_matrix(features, self.backend), self.backend)
        labels, distances = nearest(points, self.centres_, self.backend)
        return features[["customer_key"]].assign(segment=labels, distance=distances)

    def save(self, folder: Path, *, card: Mapping[str, object]) -> None:
        """Writes model.json: every learnt number, and the card.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        preparation = {name: value.tolist() for name, value in vars(self.preparation_).items()}
        document = {
            "features": FEATURES,
            "preparation": preparation,
            "centres": self.centres_.tolist(),
            "inertia": self.inertia_,
            "silhouettes": self.silhouettes_,
            "seed": self.seed,
            "card": dict(card),
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(json.dumps(document, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, *, backend: Backend) -> Self:
        """A saved model, on this device whichever it was fitted on.

        Raises:
            PipelineError: it was fitted on other features than this version makes.
        """
        document: dict[str, Any] = json.loads((folder / "model.json").read_text())
        if document["features"] != list(FEATURES):
            message = (
                f"The model in {folder} was fitted on {', '.join(document['features'])}; this "
                f"version takes {', '.join(FEATURES)}. Fit it again."
            )
            raise PipelineError(message)
        model = cls(n_segments=len(document["centres"]), seed=document["seed"], backend=backend)
        model.preparation_ = Preparation(
            **{name: np.asarray(value) for name, value in document["preparation"].items()}
        )
        model.centres_ = np.asarray(document["centres"])
        model.inertia_ = document["inertia"]
        model.silhouettes_ = {int(k): value for k, value in document["silhouettes"].items()}
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "centres_"):
            message = "SegmentModel has no centres yet: call fit, or load a saved model."
            raise NotFitted(message)

    def _chosen(self, points: Array) -> tuple[Floats, float, dict[int, float]]:
        """(centres, inertia, silhouettes) for the count that was asked for or tells best.

        Starts and counts are tried on a sample; all points then move the centres that it chose.
        """
        rng = np.random.default_rng(self.seed)
        sample = self._some(points, SAMPLE_ROWS, rng)
        host = self.backend.to_host(sample)
        wanted = [self.n_segments] if self.n_segments else list(CANDIDATES)
        different = len(spread_centres(host, max(wanted), rng))
        if different < min(wanted):
            raise self._too_few(points, different=different)
        fits = {count: self._best_start(sample, count) for count in wanted if count <= different}
        tell = {}
        if not self.n_segments:
            shown = self.backend.to_host(self._some(sample, SILHOUETTE_ROWS, rng))
            tell = {count: silhouette(shown, centres) for count, (centres, _) in fits.items()}
        centres, inertia = fits[max(tell or fits, key=lambda count: tell.get(count, 0.0))]
        if len(sample) < len(points):
            centres, inertia = self._fitted(points, centres)
        return centres, inertia, tell

    def _some(self, points: Array, most: int, rng: np.random.Generator) -> Array:
        """At most that many of the points, in their order."""
        chosen = np.sort(rng.permutation(len(points))[:most])
        some: Array = points[self.backend.xp.asarray(chosen)]
        return some

    def _too_few(self, rows: Array, *, different: int) -> PipelineError:
        message = (
            f"{len(rows)} customers, {different} of them different, are too few to tell "
            f"{self.n_segments or min(CANDIDATES)} segments apart: load more customers, or set "
            f"segments to {max(1, different)} or fewer."
        )
        return PipelineError(message)

    def _best_start(self, points: Array, count: int) -> tuple[Floats, float]:
        host = self.backend.to_host(points)
        fits = []
        for start in range(STARTS):
            rng = np.random.default_rng([self.seed, count, start])
            fits.append(self._fitted(points, spread_centres(host, count, rng)))
        return min(fits, key=lambda fit: fit[1])

    def _fitted(self, points: Array, centres: Floats) -> tuple[Floats, float]:
        estimator = self.backend.estimator(
            "KMeans",
            n_clusters=len(centres),
            init=self.backend.xp.asarray(centres),
            max_iter=_ITERATIONS,
            tol=1e-6,
        )
        estimator.fit(points)
        return self.backend.to_host(estimator.cluster_centers_), float(estimator.inertia_)

    def _number_by_revenue(self, raw: Floats, points: Array) -> None:
        labels, _ = nearest(points, self.centres_, self.backend)
        host = self.backend.to_host(labels)
        revenue = np.bincount(
            host, weights=raw[:, FEATURES.index("revenue")], minlength=len(self.centres_)
        )
        self.centres_ = self.centres_[np.argsort(-revenue, kind="stable")]


def _matrix(features: Frame, backend: Backend) -> Array:
    """(customers, features) float64 on the device."""
    columns = [backend.xp.asarray(features[name].astype("float64").values) for name in FEATURES]
    return backend.xp.stack(columns, axis=1)
