"""What models of customer value are given: checked once, then float64 arrays of the device."""

import math
from collections.abc import Mapping, Sequence
from types import ModuleType

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.errors import HistoryError

__all__ = [
    "check_histories",
    "check_horizon",
    "check_level",
    "check_spend",
    "check_weights",
    "columns_of",
]


def columns_of(given: Mapping[str, Array | Series], backend: Backend) -> list[Array]:
    """The named columns as float64 arrays of the device.

    Raises:
        HistoryError: they differ in length, have several dimensions, or hold what is no finite
            number.
    """
    xp = backend.xp
    arrays = [xp.asarray(getattr(one, "values", one), dtype=xp.float64) for one in given.values()]
    shapes = {name: array.shape for name, array in zip(given, arrays, strict=True)}
    if len({*shapes.values()}) > 1 or arrays[0].ndim != 1:
        said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        message = f"Give columns of one length, a row a customer; found the shapes {said}."
        raise HistoryError(message)
    faults = [
        _fault(~xp.isfinite(array), f"{name} is no finite number", [(name, array)], xp)
        for name, array in zip(given, arrays, strict=True)
    ]
    _raise(faults)
    return arrays


def check_histories(frequency: Array, recency: Array, age: Array, xp: ModuleType) -> None:
    """Raises HistoryError for histories that nobody can have, with all their faults."""
    shown = [("frequency", frequency), ("recency", recency), ("age", age)]
    has_repeats = frequency > 0
    _raise(
        [
            _fault(
                (frequency < 0) | (frequency != xp.floor(frequency)),
                "frequency, how often somebody came back, is no whole number from 0",
                shown,
                xp,
            ),
            _fault(recency < 0, "recency, the age at the last purchase, is negative", shown, xp),
            _fault(recency > age, "the last purchase lies after today (recency > age)", shown, xp),
            _fault(
                has_repeats & (recency == 0),
                "somebody came back at the very moment of the first purchase (recency 0); count "
                "purchases of one day as one",
                shown,
                xp,
            ),
            _fault(
                ~has_repeats & (recency > 0),
                "somebody never came back, and yet has a recency",
                shown,
                xp,
            ),
        ]
    )


def check_spend(frequency: Array, average: Array, *, least: float, xp: ModuleType) -> None:
    """Raises HistoryError unless frequency >= `least` and the averages of purchases are amounts.

    To learn, `least` is a purchase and each average is more than 0; else it may be 0.
    """
    shown = [("frequency", frequency), ("average", average)]
    is_nothing = average <= 0 if least > 0 else average < 0
    wanted = "more than 0" if least > 0 else "0 or more"
    _raise(
        [
            _fault(
                (frequency < least) | (frequency != xp.floor(frequency)),
                f"frequency, the purchases of the average, is no whole number from {least:.0f}",
                shown,
                xp,
            ),
            _fault(is_nothing & (frequency > 0), f"the average must be {wanted}", shown, xp),
        ]
    )


def check_weights(weights: Array, xp: ModuleType) -> float:
    """The sum of the weights.

    Raises:
        HistoryError: one of them is negative.
    """
    _raise([_fault(weights < 0, "a weight is negative", [("weights", weights)], xp)])
    return float(weights.sum())


def check_horizon(horizon: float) -> float:
    """The horizon, where it is a length of time.

    Raises:
        HistoryError: it is not more than 0, or endless.
    """
    if not (math.isfinite(horizon) and horizon > 0):
        message = f"The horizon is {horizon}; it must be more than 0, in the unit of the ages."
        raise HistoryError(message)
    return float(horizon)


def check_level(level: float) -> float:
    """The level, where it is a probability between 0 and 1.

    Raises:
        HistoryError: it is none.
    """
    if not 0 < level < 1:
        message = f"The level is {level}; it must lie between 0 and 1, such as 0.8."
        raise HistoryError(message)
    return float(level)


def _fault(
    is_wrong: Array, what: str, shown: Sequence[tuple[str, Array]], xp: ModuleType
) -> str | None:
    if not bool(is_wrong.any()):
        return None
    rows = xp.flatnonzero(is_wrong)
    first = int(rows[0])
    values = ", ".join(f"{name} {float(column[first]):g}" for name, column in shown)
    return f"{what}: {len(rows)} rows, the first is row {first} ({values})"


def _raise(faults: Sequence[str | None]) -> None:
    found = [fault for fault in faults if fault]
    if found:
        message = (
            f"These can't be histories of customers: {'; '.join(found)}. Mend such rows, or leave "
            "them out."
        )
        raise HistoryError(message)
