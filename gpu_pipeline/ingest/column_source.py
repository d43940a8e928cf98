"""Column sources: where a landing column's values come from and how they are changed.

The order of the changes is fixed: replace, split, decimal and thousands, apply, values, then
format or unix.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pac
from pydantic import Field, field_validator, model_validator

from gpu_pipeline.ingest import transforms
from gpu_pipeline.ingest.conditions import Case
from gpu_pipeline.ingest.strict import Scalar, Strict, as_text
from gpu_pipeline.ingest.transforms import ARITHMETIC, TEXT_CHANGES, Column, Unit, texts_of
from gpu_pipeline.privacy import first_key

__all__ = ["ColumnSource"]

Operands = tuple[str | int | float, str | int | float]
_SOURCES = ("from_", "first_of", "concat", *ARITHMETIC, "constant", "digest_of", "cases")
_CHANGES = ("replace", "split", "decimal", "thousands", "apply", "values", "format", "unix")
_FIXED = ("constant", "digest_of", "cases")
# An option, and those of which one must be there for it to change anything.
_NEEDS = {
    "separator": ("concat",),
    "round": tuple(ARITHMETIC),
    "part": ("split",),
    "otherwise": ("cases", "values"),
}
_DIGEST_KIND = "row"


class ColumnSource(Strict):
    """Where values come from (exactly one of the first ten) and what changes them on the way."""

    from_: Annotated[str | None, Field(alias="from")] = None
    first_of: tuple[str, ...] = ()
    concat: tuple[str, ...] = ()
    add: Operands | None = None
    subtract: Operands | None = None
    multiply: Operands | None = None
    divide: Operands | None = None
    constant: Scalar | None = None
    digest_of: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()

    separator: str | None = None
    round: Annotated[int | None, Field(ge=0, le=9)] = None
    otherwise: Scalar | None = None
    split: Annotated[str | None, Field(min_length=1)] = None
    part: int | None = None
    replace: Mapping[str, str] = Field(default_factory=dict)
    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", "'", " ", "_"] | None = None
    apply: tuple[Literal["strip", "upper", "lower", "negate"], ...] = ()
    values: Mapping[Scalar, Scalar | None] = Field(default_factory=dict)
    format: tuple[str, ...] = ()
    unix: Unit | None = None

    @field_validator("apply", "format", mode="before")
    @classmethod
    def _one_or_several(cls, said: object) -> object:
        return (said,) if isinstance(said, str) else said

    @field_validator("values")
    @classmethod
    def _keys_are_what_was_written(
        cls, values: Mapping[Scalar, Scalar | None]
    ) -> Mapping[Scalar, Scalar | None]:
        if any(isinstance(key, bool) for key in values):
            message = "YAML takes yes, no, on, off, true and false for truth values: quote them"
            raise ValueError(message)
        return values

    @field_validator("format")
    @classmethod
    def _formats_say_a_day(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for said in formats:
            try:
                pd.to_datetime(pd.Series(["-"], dtype="str"), format=said, errors="coerce")
            except ValueError as error:
                message = f"{said!r} is no format of strptime: {error}"
                raise ValueError(message) from error
            if "%y" not in said.lower():
                message = f"{said!r} says no year (%Y or %y)"
                raise ValueError(message)
        return formats

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if len(self._given(_SOURCES)) != 1:
            names = ", ".join(_SOURCES).replace("from_", "from")
            message = f"needs exactly one of {names}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _every_option_changes_something(self) -> Self:
        changes = self._given(_CHANGES)
        lost = [
            f"{name} needs {' or '.join(others)}"
            for name, others in _NEEDS.items()
            if self._given([name]) and not self._given(others)
        ]
        if self.split is not None and not self.part:
            lost.append("split needs part: 1 for the first, -1 for the last")
        if changes and self._given(_FIXED):
            lost.append(f"{self._given(_FIXED)[0]} can't be changed by {', '.join(changes)}")
        if self._given(tuple(ARITHMETIC)) and not self.needs:
            lost.append("needs a column of the file")
        if self.format and self.unix is not None:
            lost.append("format and unix exclude each other")
        if self.thousands == (self.decimal or "."):
            lost.append("decimal and thousands must differ (decimal is . if not given)")
        if lost:
            raise ValueError("; ".join(lost))
        return self

    def _given(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if getattr(self, name) not in (None, (), {})]

    @property
    def needs(self) -> list[str]:
        """The columns of the file, and paths into them, that it reads."""
        if self.from_ is not None:
            return [self.from_]
        if self.cases:
            return list(dict.fromkeys(case.when for case in self.cases))
        operands = [self.add, self.subtract, self.multiply, self.divide]
        numbered = [name for pair in operands for name in pair or () if isinstance(name, str)]
        return [*self.first_of, *self.concat, *numbered, *self.digest_of]

    @property
    def told(self) -> str:
        """In words, for people: ``Price, decimal ,``."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        (source,) = self._given(_SOURCES)
        said = getattr(self, source)
        if source in ARITHMETIC:
            yield f" {ARITHMETIC[source][1]} ".join(map(str, said))
        elif source == "cases":
            yield f"by cases of {', '.join(self.needs)}"
        elif source == "from_":
            yield said
        else:
            listed = ", ".join(said) if isinstance(said, tuple) else as_text(said)
            yield f"{source.replace('_', ' ')} {listed}"
        for name in self._given(("round", *_CHANGES)):
            value = getattr(self, name)
            if name == "split":
                yield f"part {self.part} between {value!r}"
            elif isinstance(value, tuple):
                yield f"{name} {' '.join(value)}" if name == "apply" else f"as {' or '.join(value)}"
            elif isinstance(value, Mapping):
                yield f"{name} of {len(value)}"
            else:
                yield f"{name} {value!r}"

    def made_from(self, table: pa.Table, *, key: str) -> Column:
        """The column for the rows of a block; a column that the block lacks is null.

        A digest is keyed: nobody can guess what it was made of.
        """
        return self._changed(self._taken(table, key))

    def _taken(self, table: pa.Table, key: str) -> Column:
        columns = [_column(table, name) for name in self.needs]
        if self.constant is not None:
            return pa.repeat(as_text(self.constant), len(table))
        if self.digest_of:
            return _digests([texts_of(column) for column in columns], key)
        if self.cases:
            return self._chosen(table)
        if self.first_of:
            return transforms.first_of(columns)
        if self.concat:
            return transforms.joined(columns, self.separator or "")
        for how in self._given(tuple(ARITHMETIC)):
            left, right = (self._operand(table, said) for said in getattr(self, how))
            return transforms.computed(left, right, how=how, digits=self.round)
        return columns[0]

    def _operand(self, table: pa.Table, said: str | float) -> Column | str:
        return self._numbers(_column(table, said)) if isinstance(said, str) else str(said)

    def _chosen(self, table: pa.Table) -> pa.Array:
        chosen = pa.nulls(len(table), pa.string())
        if self.otherwise is not None:
            chosen = pa.repeat(as_text(self.otherwise), len(table))
        for case in reversed(self.cases):
            held = case.holds(_column(table, case.when))
            chosen = pac.if_else(held, as_text(case.then), chosen)
        return chosen

    def _changed(self, column: Column) -> Column:
        if self.replace:
            column = transforms.replaced(column, self.replace)
        if self.split is not None and self.part is not None:
            column = transforms.part_of(column, self.split, self.part)
        if not self._given(tuple(ARITHMETIC)):
            column = self._numbers(column)
        for name in self.apply:
            column = TEXT_CHANGES[name](column)
        if self.values:
            column = transforms.exchanged(
                column,
                {
                    as_text(old): None if new is None else as_text(new)
                    for old, new in self.values.items()
                },
                otherwise=None if self.otherwise is None else as_text(self.otherwise),
            )
        if self.format:
            column = transforms.times_of(column, self.format)
        if self.unix is not None:
            column = transforms.moments_of(column, self.unix)
        return column

    def _numbers(self, column: Column) -> Column:
        if self.decimal is None and self.thousands is None:
            return column
        return transforms.numbers_of(
            column, decimal=self.decimal or ".", thousands=self.thousands or ""
        )


def _column(table: pa.Table, name: str) -> Column:
    """The column; JSON lines may have none of that name for a while."""
    if name in table.column_names:
        return table[name].combine_chunks()
    return pa.nulls(len(table), pa.string())


def _digests(columns: list[pa.StringArray], key: str) -> pa.StringArray:
    """16 hexadecimal digits a row; rows that say the same share them."""
    start = hashlib.sha256(f"{first_key(key)}{_DIGEST_KIND}:".encode())
    digests = []
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        digest = start.copy()
        digest.update(json.dumps([value or "" for value in row]).encode())
        digests.append(digest.hexdigest()[:16])
    return pa.array(digests, pa.string())
