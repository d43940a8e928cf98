"""Conditions: the cases of a mapping, each a column, what must hold of it, and a value."""

from collections.abc import Callable
from typing import Annotated, Any, Self

import pyarrow as pa
import pyarrow.compute as pac
from pydantic import Field, field_validator, model_validator

from gpu_pipeline.ingest.strict import Scalar, Strict, as_text
from gpu_pipeline.ingest.transforms import Column, floats_of, texts_of

__all__ = ["Case"]


class Case(Strict):
    """One line of `cases`: a column, one condition on it, and the value where it holds."""

    when: str
    then: Scalar
    in_: Annotated[tuple[Scalar, ...] | None, Field(alias="in")] = None
    starts_with: str | None = None
    matches: str | None = None
    equals: Scalar | None = None
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        if len(self._given) != 1:
            message = f"needs exactly one of {', '.join(_CONDITIONS).replace('in_', 'in')}"
            raise ValueError(message)
        return self

    @field_validator("matches")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            pac.match_substring_regex("", pattern or "")
        except pa.ArrowInvalid as error:
            message = f"{pattern!r} is no regular expression of RE2"
            raise ValueError(message) from error
        return pattern

    @property
    def _given(self) -> list[str]:
        return [name for name in _CONDITIONS if getattr(self, name) is not None]

    def holds(self, column: Column) -> pa.BooleanArray:
        """For which values of its column the condition holds; for a missing one it does not."""
        (name,) = self._given
        held = _CONDITIONS[name](column, getattr(self, name))
        return pac.fill_null(held, fill_value=False)


def _equal(column: Column, value: Scalar) -> pa.BooleanArray:
    if isinstance(value, bool):
        return pac.equal(pac.utf8_lower(texts_of(column)), as_text(value))
    if isinstance(value, int | float):
        return pac.equal(floats_of(column), float(value))
    return pac.equal(texts_of(column), value)


_CONDITIONS: dict[str, Callable[[Column, Any], pa.BooleanArray]] = {
    "in_": lambda c, value: pac.is_in(texts_of(c), pa.array([as_text(v) for v in value])),
    "starts_with": lambda c, value: pac.starts_with(texts_of(c), value),
    "matches": lambda c, value: pac.match_substring_regex(texts_of(c), f"^(?:{value})$"),
    "equals": _equal,
    "below": lambda c, value: pac.less(floats_of(c), value),
    "above": lambda c, value: pac.greater(floats_of(c), value),
}
