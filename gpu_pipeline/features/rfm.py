"""RFM: how recently, how often and for how much customers buy, as scores from 1; most is best.

Who buys as much as another has the same score, at any order of rows and in any partitioning: a
measure is cut at values, and those are found among the values of all customers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast, overload

import numpy as np
import numpy.typing as npt
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import run_starts

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["MEASURES", "SCORES", "ScoreCuts", "ValueCounts", "rfm_scores"]

# Less is better of the first alone.
MEASURES = ("days_since_last_order", "orders", "revenue")
SCORES = tuple(f"{measure}_score" for measure in MEASURES)
_MOST_CLASSES = 9  # a digit each in the code
_USUAL_CLASSES = 5

Cuts: TypeAlias = int | Mapping[str, int | Sequence[float]]
Values: TypeAlias = npt.NDArray[Any]


@overload
def rfm_scores(features: "dd.DataFrame", *, cuts: Cuts = ...) -> "dd.DataFrame": ...
@overload
def rfm_scores(features: Frame, *, cuts: Cuts = ...) -> Frame: ...
def rfm_scores(
    features: "Frame | dd.DataFrame", *, cuts: Cuts = _USUAL_CLASSES
) -> "Frame | dd.DataFrame":
    """customer_key, the `SCORES` and `rfm`, a digit each, for every customer, in their order.

    `features` is a pandas, cuDF or Dask frame with customer_key and the `MEASURES`. `cuts` is how
    many classes of equally many customers there are, or says for each measure that it names how
    many, or at which values they end: `{"orders": (1, 3)}` gives 1 for one order, 2 for two or
    three, 3 for more. What it doesn't name is cut into five. Equal values never part: a class
    ends with the value that its last customer has, and may be larger than another, or empty.

    Of a Dask frame the measures are read at once, to find the cuts, and again for the scores.

    Raises:
        PipelineError: a cut makes no sense, or a customer lacks a measure.

    >>> import pandas as pd
    >>> features = pd.DataFrame({"customer_key": [7, 8, 9], "days_since_last_order": [2.5, 40, 3],
    ...     "orders": [9, 1, 1], "revenue": [90000, 1000, 2000]})
    >>> rfm_scores(features, cuts=3)["rfm"].tolist()
    [333, 111, 212]
    """
    if hasattr(features, "map_partitions"):
        return _of_dask(cast("dd.DataFrame", features), cuts)
    whole = cast("Frame", features)
    return ScoreCuts.of([ValueCounts.of(whole)], cuts).scores(whole)


def _of_dask(features: "dd.DataFrame", cuts: Cuts) -> "dd.DataFrame":
    measured = features[["customer_key", *MEASURES]]
    counts = compute(*(delayed(ValueCounts.of)(part) for part in measured.to_delayed()))
    found = ScoreCuts.of(counts, cuts)
    scored: dd.DataFrame = measured.map_partitions(found.scores, meta=found.scores(measured._meta))
    return scored


@dataclass(frozen=True)
class ValueCounts:
    """The different values of each measure, ascending, and how many customers have each."""

    values: Mapping[str, Values]
    counts: Mapping[str, Values]

    @classmethod
    def of(cls, features: Frame) -> Self:
        """Those of some customers, on the host.

        Raises:
            PipelineError: a customer lacks a measure.
        """
        backend = Backend.of(features)
        found = {measure: _counted(features, measure, backend) for measure in MEASURES}
        values, counts = ({name: pair[i] for name, pair in found.items()} for i in (0, 1))
        return cls(values, counts)


@dataclass(frozen=True)
class ScoreCuts:
    """The values at which each measure is cut, ascending; a class ends with its value."""

    points: Mapping[str, Values]

    @classmethod
    def of(cls, counts: Sequence[ValueCounts], cuts: Cuts = _USUAL_CLASSES) -> Self:
        """The cuts of all customers whose values these are, part by part; see `rfm_scores`."""
        asked = _asked(cuts)
        points = {}
        for measure in MEASURES:
            wanted = asked[measure]
            if isinstance(wanted, int):
                values = np.concatenate([part.values[measure] for part in counts])
                how_often = np.concatenate([part.counts[measure] for part in counts])
                points[measure] = _quantiles(values, how_often, wanted)
            else:
                points[measure] = np.asarray(wanted)
        return cls(points)

    def scores(self, features: Frame) -> Frame:
        """customer_key, the `SCORES` and `rfm` of some of the customers."""
        backend = Backend.of(features)
        xp = backend.xp
        found, code = {}, xp.zeros(len(features), dtype="int64")
        for measure, name in zip(MEASURES, SCORES, strict=True):
            points = xp.asarray(self.points[measure])
            below = xp.searchsorted(points, _values(features, measure, backend), side="left")
            is_best_low = measure == MEASURES[0]
            found[name] = len(points) + 1 - below if is_best_low else below + 1
            code = 10 * code + found[name]
        table = features[["customer_key"]]
        return table.assign(**found, rfm=code)


def _counted(features: Frame, measure: str, backend: Backend) -> tuple[Values, Values]:
    xp = backend.xp
    ordered = xp.sort(_values(features, measure, backend))
    starts = run_starts([ordered], xp)
    counts = xp.diff(xp.concatenate([starts, xp.asarray([len(ordered)])]))
    return backend.to_host(ordered[starts]), backend.to_host(counts)


def _values(features: Frame, measure: str, backend: Backend) -> Array:
    lacking = int(features[measure].isna().sum())
    if lacking:
        message = (
            f"{lacking} of {len(features)} customers lack {measure}: scores are for customers who "
            "have bought. Leave out the others."
        )
        raise PipelineError(message)
    return backend.xp.asarray(features[measure].values)


def _quantiles(values: Values, counts: Values, classes: int) -> Values:
    """The values with which all classes but the last end.

    The least value such that at least k of `classes` parts of all are not above it (the inverse
    of the distribution function: Hyndman, Fan 1996, type 1), in whole numbers.
    """
    if not len(values):
        return values
    order = np.argsort(values, kind="stable")
    so_far = np.cumsum(counts[order]) * classes
    total = int(counts.sum())
    places = np.searchsorted(so_far, [k * total for k in range(1, classes)], side="left")
    points: Values = values[order][places]
    return points


def _asked(cuts: Cuts) -> dict[str, int | tuple[float, ...]]:
    """What is asked of each measure."""
    if isinstance(cuts, int):
        cuts = dict.fromkeys(MEASURES, cuts)
    unknown = sorted(set(cuts) - set(MEASURES))
    if unknown:
        message = f"There is no measure {unknown[0]!r} to cut: there are {', '.join(MEASURES)}."
        raise PipelineError(message)
    asked = {measure: cuts.get(measure, _USUAL_CLASSES) for measure in MEASURES}
    return {measure: _checked(measure, wanted) for measure, wanted in asked.items()}


def _checked(measure: str, wanted: int | Sequence[float]) -> int | tuple[float, ...]:
    if isinstance(wanted, int):
        if not 2 <= wanted <= _MOST_CLASSES:
            message = f"{measure} can be cut into 2 to {_MOST_CLASSES} classes, not {wanted}."
            raise PipelineError(message)
        return wanted
    points = tuple(wanted)
    rising = all(a < b for a, b in pairwise(points))
    if not 1 <= len(points) < _MOST_CLASSES or not rising or not np.isfinite(points).all():
        message = (
            f"{measure} can't be cut at {', '.join(map(str, points)) or 'no value'}: give 1 to "
            f"{_MOST_CLASSES - 1} numbers, each above the one before."
        )
        raise PipelineError(message)
    return points
