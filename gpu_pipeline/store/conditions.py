"""Conditions on rows: which rows fulfil them, and which buckets and moments could."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from gpu_pipeline.backend import Frame, Series
from gpu_pipeline.contracts import Contract
from gpu_pipeline.errors import LakeError

__all__ = [
    "Condition",
    "Span",
    "as_moment",
    "checked",
    "matching",
    "possible_buckets",
    "possible_span",
    "row_group_filters",
]

Condition = tuple[str, str, Any]
Span = tuple[np.datetime64 | None, np.datetime64 | None]

_COMPARE: Mapping[str, Callable[[Series, Any], Series]] = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: (column != value) | column.isna(),
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, value: column.isin(value),
}
# Which values a Parquet reader may compare with a column; others are left to the frame.
_COMPARABLE: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int, np.integer),
    "float64": (int, float, np.integer, np.floating),
    "timestamp": (np.datetime64,),
    "bool": (),
}


def checked(where: Iterable[Condition], found: Contract) -> list[Condition]:
    """The conditions with times as columns hold them: UTC, microseconds, no zone.

    Raises:
        LakeError: an operator is unknown, or a value is no time where the column is one.
        ContractError: a column is not the table's.
    """
    made = []
    for column, operator, value in where:
        if operator not in _COMPARE:
            message = f"{column} {operator}: there are only {', '.join(_COMPARE)}."
            raise LakeError(message)
        is_time = found[column].type == "timestamp"
        values = list(value) if operator == "in" else [value]
        plain = [_time_of(one, column) for one in values] if is_time else values
        made.append((column, operator, plain if operator == "in" else plain[0]))
    return made


def as_moment(moment: datetime) -> np.datetime64:
    """The moment as columns hold it; without a zone it is UTC."""
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(utc, "us")


def matching(frame: Frame, conditions: Sequence[Condition]) -> Frame:
    """The rows that fulfil all conditions. A null is equal to nothing and differs from all."""
    for column, operator, value in conditions:
        frame = frame[_COMPARE[operator](frame[column], value)]
    return frame


def possible_buckets(conditions: Sequence[Condition], buckets: int) -> set[int] | None:
    """The buckets that can hold a row that fits; None is all of them."""
    possible: set[int] | None = None
    for column, operator, value in conditions:
        if column == "customer_key" and operator in ("==", "in"):
            keys = [value] if operator == "==" else value
            found = {int(key) & (buckets - 1) for key in keys}
            possible = found if possible is None else possible & found
    return possible


def possible_span(conditions: Sequence[Condition], column: str | None) -> Span:
    """The first and last moment that a row that fits can have in `column`; None is no bound."""
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    for name, operator, value in conditions:
        if name != column or operator == "!=":
            continue
        values = value if operator == "in" else [value]
        if not values:  # in an empty list is nothing at all
            return np.datetime64("NaT", "us"), np.datetime64("NaT", "us")
        if operator not in ("<", "<="):
            first = min(values) if first is None else max(first, min(values))
        if operator not in (">", ">="):
            last = max(values) if last is None else min(last, max(values))
    return first, last


def row_group_filters(
    conditions: Sequence[Condition], found: Contract, columns: Iterable[str]
) -> list[Condition] | None:
    """Those conditions by which a Parquet reader may leave out rows before they are decoded.

    Both pandas and cuDF take them. Left out are columns that a file lacks, values of another
    type than the column's, and `!=`, of which readers think otherwise where there are nulls.
    """
    there = set(columns)
    fit = [
        (column, operator, value)
        for column, operator, value in conditions
        if column in there and operator != "!=" and _is_comparable(value, found[column].type)
    ]
    return fit or None


def _is_comparable(value: Any, kind: str) -> bool:  # noqa: ANN401
    values = value if isinstance(value, list) else [value]
    allowed = _COMPARABLE[kind]
    return bool(values) and all(
        isinstance(one, allowed) and not isinstance(one, bool) and one == one for one in values
    )


def _time_of(value: Any, column: str) -> np.datetime64:  # noqa: ANN401
    """A condition's value as a moment: a time, a date (its midnight) or ISO 8601 text."""
    try:
        if isinstance(value, str):
            return as_moment(datetime.fromisoformat(value))
        if isinstance(value, datetime):
            return as_moment(value)
        if isinstance(value, date):
            return as_moment(datetime.combine(value, time()))
        return np.datetime64(value, "us")
    except (TypeError, ValueError) as error:
        message = f"{column} is a time, {value!r} is none: give a datetime or ISO 8601 text."
        raise LakeError(message) from error
