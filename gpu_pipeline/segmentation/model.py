"""SegmentModel: customers grouped by how they buy."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.segmentation.assignment import OUTLIER, Anchors, Ints
from gpu_pipeline.segmentation.choosing import Candidate, Groups, silhouette
from gpu_pipeline.segmentation.describing import Picture, described, pictured
from gpu_pipeline.segmentation.finding import Method, check_parameters, groups_of
from gpu_pipeline.segmentation.identity import LastTime, Refit, ids_by_worth
from gpu_pipeline.segmentation.preparation import Floats, Preparation, feature_columns
from gpu_pipeline.segmentation.sampling import fair_order

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["FEATURES", "SegmentModel"]

# What tells planted segments apart best (benchmarks/segments.py). Tenure adds nothing to the last
# order, the number of orders and their rhythm, which make it up.
FEATURES = (
    "days_since_last_order",
    "orders",
    "revenue",
    "discount_share",
    "mean_days_between_orders",
    "orders_last_90_days",
)
_COMPARED_ROWS = 2000
_FORMAT = 1
_FILE = "model.json"


class SegmentModel(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Customers in segments: the same labels for the same seed on any row order and any cores.

    Fitted on about 200,000 customers at most, taken by their keys: mostly the same ones next week.
    Learnt: `preparation_`, `centres_` (segments, features) in standard deviations, `segments_`
    (their ids), `inertia_` (squared distances of the sample), `silhouette_`, `stability_`,
    `choice_` (these two for every number that was tried).

    >>> import pandas as pd
    >>> features = pd.DataFrame({
    ...     "customer_key": range(40), "orders": [9, 1] * 20, "revenue": [900, 20] * 20})
    >>> model = SegmentModel(n_segments=2, features=("orders", "revenue")).fit(features)
    >>> model.predict(features.head(3)).tolist()
    [0, 1, 0]
    """

    def __init__(
        self,
        *,
        n_segments: int = 0,
        features: Sequence[str] = FEATURES,
        method: Method = "kmeans",
        seed: int = 0,
        backend: Backend | None = None,
    ) -> None:
        """`n_segments` 0 chooses from 3 to 12, by silhouette and stability.

        `features` are columns of the frame. `method` hdbscan finds dense groups of any shape, as
        many as there are, and outliers, whose segment is -1. `backend` None is the device that a
        frame lies on.
        """
        self.n_segments = n_segments
        self.features = features
        self.method = method
        self.seed = seed
        self.backend = backend

    def fit(
        self,
        features: Frame,
        y: None = None,  # noqa: ARG002 - scikit-learn hands one to every estimator
        *,
        previous: "SegmentModel | None" = None,
        anew: bool = False,
    ) -> Self:
        """Learns segments from a frame with customer_key and the `features`.

        They are numbered by revenue, most first (by customers, where the frame has no revenue).
        With a `previous` model those that are there again keep its ids, new ones get ids that
        nobody had; its number and centres are followed unless others are clearly better, or
        segments are to be found `anew`.

        Raises:
            PipelineError: a feature or parameter can't be used, or there are fewer different
                customers than segments.
        """
        check_parameters(self.method, self.n_segments, self.features)
        backend = self.backend or Backend.of(features)
        columns = feature_columns(features, self.features, backend)
        order = fair_order(features, backend)
        sample = features.iloc[order]
        matrix = backend.xp.stack([column[order] for column in columns], axis=1)
        raw = backend.to_host(matrix)
        preparation = Preparation.learnt(raw, self.features)
        points = backend.to_host(preparation.points(matrix, backend))
        last = None if previous is None else _last_time(previous, preparation, sample, points)
        groups = groups_of(
            points,
            method=self.method,
            n_segments=self.n_segments,
            carried=None if last is None or anew else last.centres(points),
            seed=self.seed,
            backend=backend,
        )
        labels = groups.anchors.host_labels(points)
        if last is None:
            ids = ids_by_worth(labels, _worth(sample, backend), len(groups.centres))
            next_id = len(ids)
        else:
            ids, next_id = last.kept_ids(groups.centres, labels)
        self._keep(preparation, groups, ids, next_id)
        return self

    def fit_predict(self, features: Frame, y: None = None) -> Ints:  # noqa: ARG002
        """The segment of each row of the frame that the model is fitted on."""
        return self.fit(features).predict(features)

    def assign(self, features: Frame) -> Frame:
        """customer_key, segment, distance (standard deviations) for each row, in its order.

        The distance is that to the segment's centre; for hdbscan to the nearest of the members
        that trace the segments. A customer's row is the same alone, and among any others.

        Raises:
            NotFitted: before `fit`.
            PipelineError: a feature is not there or infinite.
        """
        segments, distances = self._assigned(features)
        return features[["customer_key"]].assign(segment=segments, distance=distances)

    def predict(self, features: Frame) -> Ints:
        """The segment of each row as host int64 (customers,); raises as `assign`."""
        segments, _ = self._assigned(features)
        backend = self.backend or Backend.of(features)
        host: Ints = backend.to_host(segments)
        return host

    def points(self, features: Frame) -> Array:
        """(customers, features) in standard deviations, on the device; raises as `assign`."""
        self._check_fitted()
        backend = self.backend or Backend.of(features)
        columns = feature_columns(features, self.preparation_.features, backend)
        points: Array = backend.xp.stack(self.preparation_.columns(columns, backend), axis=1)
        return points

    def typical(self) -> pd.DataFrame:
        """One row a segment: its id, and its centre in the units of the features.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        centres = self.preparation_.undone(self.centres_)
        table = pd.DataFrame(centres, columns=list(self.preparation_.features))
        table.insert(0, "segment", self.segments_)
        return table

    def describe(self, features: Frame, *, previous: pd.DataFrame | None = None) -> pd.DataFrame:
        """What these customers' segments are called and like, on the host; see `described`.

        Raises:
            NotFitted: before `fit`.
        """
        return described(self, features, previous=previous)

    def plot(self, kind: Picture, features: Frame | None = None) -> "go.Figure":
        """A plotly picture: "map", "heat map" (both of `features`) or "choice"; see `pictured`.

        Raises:
            NotFitted: before `fit`.
            PipelineError: there is no such picture, or it needs features.
        """
        self._check_fitted()
        return pictured(self, kind, features)

    def refit_of(self, previous: "SegmentModel", features: Frame) -> Refit:
        """How this model, fitted after `previous`, compares with it on the same customers.

        Raises:
            NotFitted: one of them has not been fitted.
        """
        backend = self.backend or Backend.of(features)
        some = features.iloc[fair_order(features, backend)[:_COMPARED_ROWS]]
        points = backend.to_host(self.points(some))
        return Refit(
            agreement=float((self.predict(features) == previous.predict(features)).mean()),
            stability=self.stability_,
            silhouette=silhouette(points, self.predict(some)),
            silhouette_before=silhouette(points, previous.predict(some)),
        )

    def document(self) -> dict[str, Any]:
        """Every learnt number, as JSON has them.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        return {
            "format": _FORMAT,
            "method": self.method,
            "n_segments": self.n_segments,
            "seed": self.seed,
            "preparation": self.preparation_.document(),
            "centres": self.centres_.tolist(),
            "segments": self.segments_.tolist(),
            "next_id": self.next_id_,
            "anchors": self.anchors_.document() if self.method == "hdbscan" else None,
            "inertia": self.inertia_,
            "silhouette": self.silhouette_,
            "stability": self.stability_,
            "choice": [one._asdict() for one in self.choice_],
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], *, backend: Backend | None = None) -> Self:
        """The model that gave the document, on this device whichever it was fitted on.

        Raises:
            PipelineError: another version wrote it.
        """
        if document.get("format") != _FORMAT:
            message = (
                f"The model's document has format {document.get('format')}; this version reads "
                f"{_FORMAT}. Fit it again."
            )
            raise PipelineError(message)
        preparation = Preparation.of_document(document["preparation"])
        model = cls(
            n_segments=document["n_segments"],
            features=preparation.features,
            method=document["method"],
            seed=document["seed"],
            backend=backend,
        )
        centres = np.asarray(document["centres"], dtype="float64")
        traced = document["anchors"]
        anchors = Anchors.of_document(traced) if traced else Anchors.of_centres(centres)
        choice = [Candidate(**one) for one in document["choice"]]
        groups = Groups(centres, anchors, document["inertia"], choice)
        model._keep(preparation, groups, np.asarray(document["segments"]), document["next_id"])
        return model

    def save(self, folder: str | Path) -> None:
        """Writes the document as model.json; raises as `document`."""
        text = json.dumps(self.document(), indent=2, allow_nan=False)
        path = Path(folder) / _FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    @classmethod
    def load(cls, folder: str | Path, *, backend: Backend | None = None) -> Self:
        """A saved model; raises as `of_document`, and PipelineError where there is none."""
        path = Path(folder) / _FILE
        if not path.is_file():
            message = f"There is no {path}: save a fitted {cls.__name__} there first."
            raise PipelineError(message)
        return cls.of_document(json.loads(path.read_text()), backend=backend)

    def _keep(self, preparation: Preparation, groups: Groups, ids: Ints, next_id: int) -> None:
        """In order of their ids; nothing is kept of a fit that fails."""
        order = np.argsort(ids)
        self.preparation_ = preparation
        self.centres_ = groups.centres[order]
        self.segments_ = ids[order]
        self.next_id_ = next_id
        self.anchors_ = groups.anchors.renumbered(np.argsort(order))
        self.inertia_ = groups.inertia
        self.silhouette_ = groups.figures.silhouette
        self.stability_ = groups.figures.stability
        self.choice_ = groups.choice

    def _assigned(self, features: Frame) -> tuple[Array, Array]:
        """(segment, distance) of each row, on the device."""
        self._check_fitted()
        backend = self.backend or Backend.of(features)
        columns = feature_columns(features, self.preparation_.features, backend)
        rows, distances = self.anchors_.assigned(columns, self.preparation_, backend)
        return backend.xp.asarray(self._ids())[rows], distances

    def _ids(self) -> Ints:
        """By number; number -1, none of them, takes the last."""
        return np.append(self.segments_, OUTLIER)

    def _check_fitted(self) -> None:
        if not hasattr(self, "centres_"):
            message = "SegmentModel has no centres yet: call fit, or load a saved model."
            raise NotFitted(message)


def _last_time(
    previous: SegmentModel, preparation: Preparation, sample: Frame, points: Floats
) -> LastTime:
    """What the model before says of the sample."""
    said = previous.predict(sample), previous.segments_, previous.next_id_
    if previous.preparation_.features != preparation.features:
        return LastTime.of_members(points, *said)
    middles = previous.preparation_.undone(previous.centres_)
    return LastTime(preparation.points(middles, Backend.choose("cpu")), *said)


def _worth(sample: Frame, backend: Backend) -> Floats:
    """What each customer's segment is numbered by: revenue, or else one for each."""
    known = "revenue" in sample.columns
    worth = sample["revenue"].astype("float64") if known else backend.xp.ones(len(sample))
    host: Floats = backend.to_host(worth)
    return host
