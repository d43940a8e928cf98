"""How good predictions of customers were: over a period that the models had not seen.

Pure functions of host arrays, one entry a customer. None depends on the order of customers, whose
predictions may be the same: such customers share what happened to them.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "AmountQuality",
    "RiskQuality",
    "area_under_curve",
    "calibration_error",
    "central_share",
    "covered_share",
    "decile_table",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True, kw_only=True)
class RiskQuality:
    """How good probabilities were that something happens.

    `predicted` and `happened` are their mean and the share of `customers` it happened to; `brier`
    is the mean squared difference (Brier 1950). `area_under_curve` is None where it happened to
    all or to none.
    """

    customers: int
    predicted: float
    happened: float
    calibration_error: float
    area_under_curve: float | None
    brier: float

    @classmethod
    def of(cls, probability: Floats, happened: Flags) -> "RiskQuality":
        """Measured on at least one customer."""
        return cls(
            customers=len(happened),
            predicted=float(probability.mean()),
            happened=float(happened.mean()),
            calibration_error=calibration_error(probability, happened),
            area_under_curve=area_under_curve(probability, happened),
            brier=float(((probability - happened) ** 2).mean()),
        )


@dataclass(frozen=True, kw_only=True)
class AmountQuality:
    """How good predicted amounts (purchases, or value in minor units) were.

    `mean_absolute_error` and `root_mean_squared_error` are those of a customer; `bias` is what was
    predicted too much for one of what came, and `top_decile_share` what the tenth of customers
    with the highest prediction had of it: None where the sum of all is not above 0.
    """

    mean_absolute_error: float
    root_mean_squared_error: float
    bias: float | None
    top_decile_share: float | None

    @classmethod
    def of(cls, predicted: Floats, actual: Floats) -> "AmountQuality":
        """Measured on at least one customer."""
        error, total = predicted - actual, float(actual.sum())
        best = decile_table(predicted, actual).iloc[0]
        return cls(
            mean_absolute_error=float(np.abs(error).mean()),
            root_mean_squared_error=float((error**2).mean() ** 0.5),
            bias=float(error.sum()) / total if total > 0 else None,
            top_decile_share=float(best["actual"]) / total if total > 0 else None,
        )


def calibration_error(probability: Floats, happened: Flags, *, bins: int = BINS) -> float:
    """The expected calibration error: how far probabilities are from how often it happened.

    Customers in order of their probability are dealt into `bins` of as many customers each, or
    one more; of each bin, the mean probability less the share of those it happened to, absolute;
    the mean of these over customers (Naeini, Cooper & Hauskrecht 2015, with bins of equal mass).
    """
    order = np.argsort(probability, kind="stable")
    gaps = probability[order] - _shared(probability, happened.astype(np.float64))[order]
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))


def area_under_curve(score: Floats, happened: Flags) -> float | None:
    """The odds that one it happened to has a higher score than one it did not; ties are halves.

    That is the area under the ROC curve (Hanley & McNeil 1982); None where one side is empty.
    """
    positives = int(happened.sum())
    negatives = len(happened) - positives
    if not positives or not negatives:
        return None
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    above = float(rank[happened].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def decile_table(predicted: Floats, actual: Floats) -> pd.DataFrame:
    """What was predicted for each tenth of the customers, best first, and what came.

    Columns: decile from 1 on, customers, predicted and actual (sums over these customers), share
    (of all that came; NaN where that is not above 0). Tenths differ by one customer at most; fewer
    than ten customers are a row each.
    """
    order = np.argsort(-predicted, kind="stable")
    came = _shared(predicted, actual)[order]
    parts = np.array_split(np.arange(len(order)), min(BINS, len(order)))
    sums = np.array([came[part].sum() for part in parts])
    total = float(actual.sum())
    return pd.DataFrame(
        {
            "decile": np.arange(1, len(parts) + 1),
            "customers": [len(part) for part in parts],
            "predicted": [predicted[order][part].sum() for part in parts],
            "actual": sums,
            "share": sums / total if total > 0 else np.nan,
        }
    )


def covered_share(low: Floats, high: Floats, actual: Floats) -> float:
    """The share of customers whose actual amount lies in their interval, ends included."""
    return float(((low <= actual) & (actual <= high)).mean())


def central_share(nothing: Floats, at_most: Floats, *, level: float) -> float:
    """The share of outcomes within the middle `level` of their predicted distributions.

    `nothing` is the predicted probability of 0, `at_most` that of no more than what came; where
    nothing came they are equal, and the outcome lies evenly between 0 and `nothing`. So this is
    `level` where distributions are right, however many customers buy nothing (the probability
    integral transform of Czado, Gneiting & Held 2009, in the mean over its draws).
    """
    low, high = (1 - level) / 2, (1 + level) / 2
    came = at_most > nothing
    inside = np.clip(np.minimum(nothing, high) - low, 0, None) / np.maximum(nothing, low)
    return float(np.where(came, (low <= at_most) & (at_most <= high), inside).mean())


def _shared(predicted: Floats, actual: Floats) -> Floats:
    """What came, each customer having the mean of those with the same prediction."""
    _, group, sizes = np.unique(predicted, return_inverse=True, return_counts=True)
    means: Floats = (np.bincount(group, weights=actual) / sizes)[group]
    return means
