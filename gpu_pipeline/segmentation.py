"""SegmentModel: customers grouped by how they buy, with names a merchant would use."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import NotFitted, PipelineError

__all__ = ["SegmentModel", "segment_profiles"]

FEATURES = ("days_since_last_order", "tenure_days", "orders", "revenue")
CANDIDATES = range(3, 9)
STARTS = 10
SAMPLE_ROWS = 20_000
SILHOUETTE_ROWS = 3000
_QUANTILES = (0.01, 0.99)
_ITERATIONS = 300
_SAME = 1e-12  # squared standard deviations, below which two customers are alike

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Preparation:
    """How a feature becomes comparable: cut at the quantiles, log, centre, scale. A few numbers."""

    low: Floats
    high: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def learnt(cls, values: Floats) -> Self:
        """From a matrix (customers, features)."""
        low, high = np.quantile(values, _QUANTILES, axis=0)
        logged = np.log1p(np.clip(values, low, high) - low)
        spread = logged.std(axis=0)
        return cls(low, high, logged.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def points(self, values: Array, backend: Backend) -> Array:
        """The matrix in standard deviations, on the device."""
        xp = backend.xp
        low, high, mean, spread = (
            xp.asarray(a) for a in (self.low, self.high, self.mean, self.spread)
        )
        return (xp.log1p(xp.clip(values, low, high) - low) - mean) / spread


class SegmentModel:
    """k-means on customer features, the same labels for the same seed on any row order.

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
        labels, distances = _nearest(points, self.centres_, self.backend)
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
        different = len(_spread_centres(host, max(wanted), rng))
        if different < min(wanted):
            raise self._too_few(points, different=different)
        fits = {count: self._best_start(sample, count) for count in wanted if count <= different}
        tell = {}
        if not self.n_segments:
            shown = self.backend.to_host(self._some(sample, SILHOUETTE_ROWS, rng))
            tell = {count: _silhouette(shown, centres) for count, (centres, _) in fits.items()}
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
            fits.append(self._fitted(points, _spread_centres(host, count, rng)))
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
        labels, _ = _nearest(points, self.centres_, self.backend)
        host = self.backend.to_host(labels)
        revenue = np.bincount(
            host, weights=raw[:, FEATURES.index("revenue")], minlength=len(self.centres_)
        )
        self.centres_ = self.centres_[np.argsort(-revenue, kind="stable")]


def segment_profiles(features: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """The columns of contract `segment_profiles`, one row a segment, in its order.

    `features` as in contract `customer_features`; `segments` has customer_key and segment.
    """
    joined = features.merge(segments[["customer_key", "segment"]], on="customer_key")
    groups = joined.groupby("segment")
    table = groups.agg(
        as_of=("as_of", "first"),
        customers=("customer_key", "size"),
        days_since_last_order=("days_since_last_order", "median"),
        tenure_days=("tenure_days", "median"),
        orders=("orders", "mean"),
        average_order=("average_order", "mean"),
        revenue=("revenue", "mean"),
        return_rate=("return_rate", "mean"),
        currency=("currency", "first"),
    ).reset_index()
    table["customer_share"] = table["customers"] / len(joined)
    total = joined["revenue"].sum()
    # Where returns ate up all sales there is nothing to share.
    table["revenue_share"] = groups["revenue"].sum().to_numpy() / total if total else 0.0
    table["name"] = _names(table, joined)
    return table[list(contract("segment_profiles").names)]


@dataclass(frozen=True)
class Shop:
    """What is usual in the shop: medians and means over all customers."""

    days_since_last_order: float
    tenure_days: float
    orders: float


Rule = Callable[[Any, Shop], bool]

# The first rule that holds names the segment.
_NAMES: tuple[tuple[str, Rule], ...] = (
    ("bought and sent back", lambda s, _: s.return_rate >= 0.25),
    (
        "champions",
        lambda s, shop: (
            s.orders >= 2 * shop.orders and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    (
        "new",
        lambda s, shop: (
            s.tenure_days <= 0.5 * shop.tenure_days
            and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    (
        "loyal",
        lambda s, shop: (
            s.orders >= shop.orders and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    ("one-off buyers", lambda s, _: s.orders < 1.5),
    ("slipping away", lambda s, shop: s.days_since_last_order > 1.5 * shop.days_since_last_order),
    ("occasional", lambda _, __: True),
)


def _names(table: pd.DataFrame, joined: pd.DataFrame) -> list[str]:
    shop = Shop(
        float(joined["days_since_last_order"].median()),
        float(joined["tenure_days"].median()),
        float(joined["orders"].mean()),
    )
    rows = list(table.itertuples())
    names = [next(name for name, rule in _NAMES if rule(row, shop)) for row in rows]
    return [_told_apart(i, names, rows) for i in range(len(rows))]


def _told_apart(i: int, names: list[str], rows: list[Any]) -> str:
    """Two segments of one name differ by what an order of theirs is worth."""
    same = [j for j, name in enumerate(names) if name == names[i]]
    if len(same) == 1:
        return names[i]
    by_value = sorted(same, key=lambda j: -rows[j].average_order)
    if len(same) == 2:
        return f"{names[i]}, {'larger' if i == by_value[0] else 'smaller'} orders"
    return f"{names[i]}, order value rank {by_value.index(i) + 1}"


def _matrix(features: Frame, backend: Backend) -> Array:
    """(customers, features) float64 on the device."""
    columns = [backend.xp.asarray(features[name].astype("float64").values) for name in FEATURES]
    return backend.xp.stack(columns, axis=1)


def _nearest(points: Array, centres: Floats, backend: Backend) -> tuple[Array, Array]:
    """(number of the nearest centre, distance to it); the first of equals."""
    xp = backend.xp
    squares = xp.stack([((points - xp.asarray(c)) ** 2).sum(axis=1) for c in centres], axis=1)
    labels = squares.argmin(axis=1)
    return labels, xp.sqrt(squares.min(axis=1))


def _spread_centres(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """k-means++ (Arthur, Vassilvitskii 2007): centres drawn with odds of their distance squared.

    Of a few draws each time the one that leaves least is taken. Fewer than `count` centres where
    there are not as many different points.
    """
    draws = 2 + int(np.log(count))
    centres = [points[rng.integers(len(points))]]
    nearest = _squares(points, centres[0])
    while len(centres) < count and nearest.any():
        total = nearest.cumsum()
        drawn = points[total.searchsorted(rng.random(draws) * total[-1], side="right")]
        left = [np.minimum(nearest, _squares(points, centre)) for centre in drawn]
        best = min(range(draws), key=lambda i: left[i].sum())
        centres.append(drawn[best])
        nearest = left[best]
    return np.array(centres)


def _squares(points: Floats, centre: Floats) -> Floats:
    """Squared distances to the centre; 0 where they are too small to mean anything."""
    squares: Floats = ((points - centre) ** 2).sum(axis=1)
    return np.where(squares > _SAME, squares, 0.0)


def _silhouette(points: Floats, centres: Floats) -> float:
    from sklearn.metrics import silhouette_score

    labels = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    if not 2 <= len(np.unique(labels)) < len(points):
        return -1.0
    return float(silhouette_score(points, labels))
