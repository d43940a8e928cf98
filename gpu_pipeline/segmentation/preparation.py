"""How features become comparable: learnt as a few numbers, the same wherever they are applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError

__all__ = ["Floats", "Preparation", "feature_columns"]

Floats = npt.NDArray[np.float64]

_QUANTILES = (0.01, 0.99)
_MOST_MISSING = 0.5  # of the customers, of a feature that can be used
# Time until something that never happened: as long as any. Of the others a gap is the median.
_NEVER = ("mean_days_between_orders", "days_since_last_session", "days_since_last_case")
_NUMBERS = ("fill", "low", "high", "mean", "spread")


@dataclass(frozen=True)
class Preparation:
    """Gaps filled, cut at the quantiles, log, centred, scaled: five numbers a feature.

    Each array is (features,). Where a `fill` stands for nothing, all customers lack the feature.
    """

    features: tuple[str, ...]
    fill: Floats
    low: Floats
    high: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def learnt(cls, values: Floats, features: Sequence[str]) -> Self:
        """From a matrix (customers, features), NaN where a value is missing.

        Raises:
            PipelineError: a feature is missing for over half of the customers.
        """
        _check_known(values, features)
        learnt = [_numbers(values[:, i], name) for i, name in enumerate(features)]
        return cls(tuple(features), *np.array(learnt).reshape(-1, len(_NUMBERS)).T)

    def columns(self, values: Sequence[Array], backend: Backend) -> list[Array]:
        """Each feature in standard deviations; NaN is filled.

        A number depends on its own value alone, bit for bit: on no other row, no layout and no
        number of rows.
        """
        return [self._column(column, i, backend) for i, column in enumerate(values)]

    def points(self, values: Array, backend: Backend) -> Array:
        """The matrix (customers, features) in standard deviations, on the device."""
        columns = [values[:, i] for i in range(len(self.features))]
        points: Array = backend.xp.stack(self.columns(columns, backend), axis=1)
        return points

    def undone(self, points: Floats) -> Floats:
        """Points (rows, features) in the units of the features."""
        return np.expm1(points * self.spread + self.mean) + self.low

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        numbers = {name: getattr(self, name).tolist() for name in _NUMBERS}
        return {"features": list(self.features), **numbers}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """What `document` gave."""
        numbers = (np.asarray(document[name], dtype="float64") for name in _NUMBERS)
        return cls(tuple(document["features"]), *numbers)

    def _column(self, values: Array, i: int, backend: Backend) -> Array:
        xp = backend.xp
        fill, low, high, mean, spread = (float(getattr(self, name)[i]) for name in _NUMBERS)
        # Rows next to each other take the same instructions, however the frame laid them.
        column = xp.ascontiguousarray(values)
        filled = xp.where(xp.isnan(column), fill, column)
        prepared: Array = (xp.log1p(xp.clip(filled, low, high) - low) - mean) / spread
        return prepared


def feature_columns(frame: Frame, features: Sequence[str], backend: Backend) -> list[Array]:
    """The features as float64 arrays of the device, NaN where a value is missing.

    Raises:
        PipelineError: a column is not there, no number, or infinite somewhere; all are named. Or
            it is no frame.
    """
    if not hasattr(frame, "columns"):
        message = (
            "Features are no frame: give one with a row a customer and the columns "
            f"{', '.join(features)}."
        )
        raise PipelineError(message)
    absent = [name for name in features if name not in frame.columns]
    present = [name for name in features if name in frame.columns]
    texts = [name for name in present if not _is_number(frame[name])]
    faults = [f"{name} is not there" for name in absent] + [
        f"{name} is no number" for name in texts
    ]
    columns = [_float64(frame[name], backend) for name in present if name not in texts]
    if not faults:
        infinite = [int(backend.xp.isinf(column).sum()) for column in columns]
        counted = zip(features, infinite, strict=True)
        faults = [f"{name} is infinite in {n:,} of {len(frame):,} rows" for name, n in counted if n]
    if faults:
        message = (
            f"Segments can't be made of these features: {'; '.join(faults)}. Mend the columns, or "
            "name others as features."
        )
        raise PipelineError(message)
    return columns


def _is_number(values: Series) -> bool:
    """Of nothing but gaps too, which have any type."""
    return values.dtype.kind in "iufb" or bool(values.isna().all())


def _float64(values: Series, backend: Backend) -> Array:
    floats = values.astype("float64")
    known = floats.fillna(np.nan) if bool(floats.isna().any()) else floats
    return backend.xp.asarray(known.values)


def _check_known(values: Floats, features: Sequence[str]) -> None:
    shares = np.isnan(values).mean(axis=0) if len(values) else np.zeros(len(features))
    scarce = [
        f"{name} ({share:.0%})"
        for name, share in zip(features, shares, strict=True)
        if share > _MOST_MISSING and name not in _NEVER
    ]
    if scarce:
        message = (
            f"Too many customers lack {', '.join(scarce)}: at most {_MOST_MISSING:.0%} may. Leave "
            "these out of the features, or load what they are made of."
        )
        raise PipelineError(message)


def _numbers(values: Floats, name: str) -> tuple[float, ...]:
    """fill, low, high, mean, spread of one feature."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 0.0, 0.0, 0.0, 1.0
    low, high = np.quantile(known, _QUANTILES)
    fill = high if name in _NEVER else np.median(known)
    logged = np.log1p(np.clip(np.where(np.isnan(values), fill, values), low, high) - low)
    spread = logged.std()
    return float(fill), float(low), float(high), float(logged.mean()), float(spread or 1.0)
