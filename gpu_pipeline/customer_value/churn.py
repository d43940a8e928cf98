"""ChurnModel: how likely a customer buys nothing in the next days, from what was known before."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.features.buying import measures, rhythm, spending
from gpu_pipeline.features.moves import Moves

__all__ = ["CHURN_FEATURES", "FEWEST_OF_A_KIND", "TRAITS", "ChurnModel", "buying_traits"]

# Features of contract customer_features, of which those of the model are made.
TRAITS = (
    "days_since_last_order",
    "tenure_days",
    "orders",
    "revenue",
    "products",
    "return_rate",
    "discount_share",
    "orders_last_90_days",
    "revenue_last_90_days",
    "mean_days_between_orders",
    "sd_days_between_orders",
)
CHURN_FEATURES = (
    "no_purchase_odds",
    "days_since_last_order",
    "tenure_days",
    "orders",
    "revenue",
    "products",
    "orders_last_90_days",
    "revenue_last_90_days",
    "mean_days_between_orders",
    "sd_days_between_orders",
    "gaps_since_last_order",
    "spreads_overdue",
    "is_overdue",
    "is_single",
    "single_days_since_last_order",
    "return_rate",
    "discount_share",
    "single_discount_share",
)
FEWEST_OF_A_KIND = 50
_FOLDS = 5
_KNOTS = 20
_EDGE_SHARE = 0.005  # beyond these of the customers on either side, a feature counts as the edge
_CLASSES = np.array([False, True])  # who buys again, who does not
_SURE = 1e-6  # no probability is taken for more certain


def buying_traits(moves: Moves) -> Frame:
    """customer_key and `TRAITS` of every customer of the moves, as of their moment."""
    found = {**measures(moves), **spending(moves), **rhythm(moves)}
    columns = {"customer_key": moves.customers, **{name: found[name] for name in TRAITS}}
    return moves.backend.frames.DataFrame(columns)


def churn_features(traits: Frame, no_purchase: Array, backend: Backend) -> Frame:
    """`CHURN_FEATURES` from `TRAITS` and what BG/NBD says, a probability for each row.

    Amounts, counts and days are logarithms of one more. What needs two orders is 0 with one,
    which `is_single` tells; overdue is who has waited longer than twice their mean gap.
    """
    xp = backend.xp

    def values(name: str) -> Array:
        return xp.asarray(traits[name].astype("float64").fillna(0).values)

    gap, since = values("mean_days_between_orders"), values("days_since_last_order")
    spread = values("sd_days_between_orders")
    single = (values("orders") == 1).astype("float64")
    gaps = xp.where(single > 0, 0, since / xp.maximum(gap, 0.5))
    spreads = (since - gap) / xp.maximum(xp.where(spread > 0, spread, gap), 1)
    sure = xp.clip(no_purchase, _SURE, 1 - _SURE)
    logarithms = {
        name: xp.log1p(xp.maximum(values(name), 0))
        for name in TRAITS
        if name not in ("return_rate", "discount_share")
    }
    found = {
        **logarithms,
        "no_purchase_odds": xp.log(sure / (1 - sure)),
        "gaps_since_last_order": xp.log1p(gaps),
        "spreads_overdue": xp.where(single > 0, 0, xp.clip(spreads, -5, 20)),
        "is_overdue": (gaps > 2).astype("float64"),
        "is_single": single,
        "single_days_since_last_order": single * logarithms["days_since_last_order"],
        "return_rate": xp.clip(values("return_rate"), 0, 1),
        "discount_share": values("discount_share"),
        "single_discount_share": single * values("discount_share"),
    }
    return backend.frames.DataFrame({name: found[name] for name in CHURN_FEATURES})


class ChurnModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression on features of customers, its probabilities set right by isotonic steps.

    The steps are learnt from customers that the regression had not seen, in five folds, so that
    of those with a risk of 30 %, three in ten left. In the manner of scikit-learn; what it learnt
    is a few numbers, and the device it was fitted on is not the one it must predict on.

    >>> import numpy as np
    >>> import pandas as pd
    >>> days = np.tile([5.0, 400.0], 200)
    >>> features = pd.DataFrame({"days_since_last_order": np.log1p(days)})
    >>> model = ChurnModel(features=("days_since_last_order",)).fit(features, days > 100)
    >>> model.predict(features[:2]).tolist()
    [False, True]
    """

    def __init__(
        self, *, features: Sequence[str] = CHURN_FEATURES, backend: Backend | None = None
    ) -> None:
        """Takes these columns; without a `backend`, the device that frames lie on."""
        self.features = features
        self.backend = backend

    def fit(self, features: Frame, churned: Array) -> Self:
        """Learns from who bought nothing in the days that followed: `churned`, a truth value a row.

        Folds go by place: rows in the order of their keys give the same model again.

        Raises:
            PipelineError: there are fewer than 50 customers who left, or who stayed.
        """
        backend = self._backend(features)
        outcome = backend.to_host(churned).astype(bool)
        self._check_enough(outcome)
        matrix = self._matrix(features, backend)
        self.low_, self.high_ = (
            backend.to_host(backend.xp.quantile(matrix, share, axis=0))
            for share in (_EDGE_SHARE, 1 - _EDGE_SHARE)
        )
        usual = self._within(matrix, backend)
        spread = usual.std(axis=0)
        self.centre_ = backend.to_host(usual.mean(axis=0))
        self.spread_ = backend.to_host(backend.xp.where(spread > 0, spread, 1.0))
        points = self._points(matrix, backend)
        # More threads add the same numbers in another order.
        with threadpool_limits(1):
            self.knots_ = _knots(*self._out_of_fold(points, outcome, backend))
            self.weights_, self.intercept_ = _regression(points, outcome, backend)
        self.classes_ = _CLASSES
        self.n_features_in_ = len(self.features)
        return self

    def predict_proba(self, features: Frame) -> Array:
        """(customers, 2): the probabilities that they buy again within the days, and that not.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        backend = self._backend(features)
        xp = backend.xp
        odds = self._points(self._matrix(features, backend), backend) @ xp.asarray(self.weights_)
        raw = _logistic(odds + self.intercept_, backend)
        at, risk = (xp.asarray(values) for values in self.knots_)
        churned = xp.interp(raw, at, risk)
        return xp.stack([1 - churned, churned], axis=1)

    def predict(self, features: Frame) -> Array:
        """Who is more likely to buy nothing than to buy, a truth value each.

        Raises:
            NotFitted: before `fit`.
        """
        probabilities = self.predict_proba(features)
        return probabilities[:, 1] > probabilities[:, 0]

    def document(self) -> dict[str, Any]:
        """Every learnt number, for JSON.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        return {
            "features": list(self.features),
            "low": self.low_.tolist(),
            "high": self.high_.tolist(),
            "centre": self.centre_.tolist(),
            "spread": self.spread_.tolist(),
            "weights": self.weights_.tolist(),
            "intercept": self.intercept_,
            "knots": [values.tolist() for values in self.knots_],
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], *, backend: Backend | None = None) -> Self:
        """The model that has this document."""
        model = cls(features=tuple(document["features"]), backend=backend)
        for name in ("low", "high", "centre", "spread", "weights"):
            setattr(model, f"{name}_", np.asarray(document[name], dtype=np.float64))
        model.intercept_ = float(document["intercept"])
        at, risk = (np.asarray(values, dtype=np.float64) for values in document["knots"])
        model.knots_ = (at, risk)
        model.classes_ = _CLASSES
        model.n_features_in_ = len(model.features)
        return model

    def _backend(self, features: Frame) -> Backend:
        return Backend.of(features) if self.backend is None else self.backend

    def _check_fitted(self) -> None:
        if not hasattr(self, "weights_"):
            message = "ChurnModel has no weights yet: call fit, or make it of a saved document."
            raise NotFitted(message)

    def _check_enough(self, churned: npt.NDArray[np.bool_]) -> None:
        left = int(churned.sum())
        stayed = len(churned) - left
        if min(left, stayed) < FEWEST_OF_A_KIND:
            message = (
                f"Of {len(churned)} customers {left} left and {stayed} stayed: ChurnModel needs "
                f"{FEWEST_OF_A_KIND} of each to tell them apart. Load more customers, or take "
                "another horizon."
            )
            raise PipelineError(message)

    def _matrix(self, features: Frame, backend: Backend) -> Array:
        """(customers, features) float64 on the device."""
        columns = [backend.xp.asarray(features[n].astype("float64").values) for n in self.features]
        return backend.xp.stack(columns, axis=1)

    def _within(self, matrix: Array, backend: Backend) -> Array:
        """The features, none beyond what was usual when the model was fitted."""
        xp = backend.xp
        return xp.clip(matrix, xp.asarray(self.low_), xp.asarray(self.high_))

    def _points(self, matrix: Array, backend: Backend) -> Array:
        """The features in standard deviations."""
        xp = backend.xp
        return (self._within(matrix, backend) - xp.asarray(self.centre_)) / xp.asarray(self.spread_)

    def _out_of_fold(
        self, points: Array, churned: npt.NDArray[np.bool_], backend: Backend
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Each customer's probability by a regression that had not seen them, with the outcome."""
        xp = backend.xp
        fold = np.arange(len(churned)) % _FOLDS
        found = np.empty(len(churned))
        for number in range(_FOLDS):
            rest, ours = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            weights, intercept = _regression(points[xp.asarray(rest)], churned[rest], backend)
            odds = points[xp.asarray(ours)] @ xp.asarray(weights) + intercept
            found[ours] = backend.to_host(_logistic(odds, backend))
        return found, churned


def _regression(
    points: Array, churned: npt.NDArray[np.bool_], backend: Backend
) -> tuple[npt.NDArray[np.float64], float]:
    """(weights, intercept) of a logistic regression, weights held small as of one customer each."""
    estimator = backend.estimator("LogisticRegression", C=1.0, max_iter=500, tol=1e-6)
    estimator.fit(points, backend.xp.asarray(churned.astype("float64")))
    weights = np.asarray(backend.to_host(estimator.coef_), dtype=np.float64).ravel()
    intercept = backend.to_host(estimator.intercept_).ravel()
    return weights, float(intercept[0])


def _logistic(odds: Array, backend: Backend) -> Array:
    # Half a hyperbolic tangent: no exponential of a large number.
    return 0.5 + 0.5 * backend.xp.tanh(0.5 * odds)


def _knots(
    probability: npt.NDArray[np.float64], churned: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(probability, risk): where the isotonic line has its corners, at most 20, ascending.

    Customers in order of probability are dealt into groups of the same size; half a customer who
    left and half a one who stayed are added to each, so that nothing is certain.
    """
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, _KNOTS)
    at = np.array([probability[group].mean() for group in groups])
    share = np.array([(churned[group].sum() + 0.5) / (len(group) + 1) for group in groups])
    sizes = [len(group) for group in groups]
    line = IsotonicRegression().fit(at, share, sample_weight=sizes)
    corners = np.unique(at)
    return corners, np.asarray(line.predict(corners), dtype=np.float64)
