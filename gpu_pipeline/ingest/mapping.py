"""Mapping: which files feed which contract, and from which of their columns.

A mapping is YAML with a list of feeds. Each names files by a glob, a contract, and for the
contract's landing columns where their values come from::

    feeds:
      - files: "sales_*.csv"
        contract: orders
        time_zone: Europe/London
        columns:
          quantity: Quantity                               # a column of the file
          product_id: {from: StockCode, apply: upper}      # changed on the way
          currency: {constant: GBP}                        # the same for every row
          order_id: {digest_of: [Till, Printed]}           # an id for rows without one
          line_type:                                       # the first case that holds
            cases:
              - {when: InvoiceNo, starts_with: C, then: return}
              - {when: StockCode, in: [POST, DOT], then: fee}
              - {when: Quantity, below: 0, then: adjustment}
            otherwise: sale
"""

import codecs
import hashlib
import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pac
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gpu_pipeline.contracts import Contract, contract, sources
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import CsvDialect

__all__ = ["Feed", "FileMapping"]

Scalar = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Case(_Strict):
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
        given = [name for name in _CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
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


class ColumnSource(_Strict):
    """Where values come from: a column, a constant, a digest, or the first case that holds."""

    from_: Annotated[str | None, Field(alias="from")] = None
    apply: Literal["strip", "upper", "lower", "negate"] | None = None
    constant: Scalar | None = None
    digest_of: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    otherwise: Scalar | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        named = (self.from_ is not None, self.constant is not None)
        if sum((*named, bool(self.digest_of), bool(self.cases))) != 1:
            message = "needs exactly one of from, constant, digest_of, cases"
            raise ValueError(message)
        return self

    @property
    def needs(self) -> list[str]:
        """The columns of the file that it reads."""
        if self.from_ is not None:
            return [self.from_]
        return [*self.digest_of, *(case.when for case in self.cases)]

    def values(self, table: pa.Table, *, key: str) -> pa.Array | pa.ChunkedArray:
        """The column for the rows of a block; a column that the block lacks is null.

        A digest is keyed: nobody can guess what it was made of.
        """
        if self.constant is not None:
            return pa.repeat(_as_text(self.constant), len(table))
        if self.from_ is not None:
            column = _column(table, self.from_)
            return column if self.apply is None else _APPLY[self.apply](column)
        if self.digest_of:
            return _digests([_string(_column(table, name)) for name in self.digest_of], key)
        chosen = pa.nulls(len(table), pa.string())
        if self.otherwise is not None:
            chosen = pa.repeat(_as_text(self.otherwise), len(table))
        for case in reversed(self.cases):
            chosen = pac.if_else(_holds(case, table), _as_text(case.then), chosen)
        return chosen


class Feed(_Strict):
    """Files of one kind and how their columns become those of a contract."""

    files: str
    contract: str
    columns: dict[str, ColumnSource] = Field(default_factory=dict)
    time_zone: str = "UTC"
    delimiter: str = ","
    encoding: str = "utf-8"

    @field_validator("contract")
    @classmethod
    def _is_a_source(cls, name: str) -> str:
        if name not in sources():
            message = f"{name!r} is no source; there are {', '.join(sources())}"
            raise ValueError(message)
        return name

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"{name!r} is no time zone of the IANA database"
            raise ValueError(message) from error
        return name

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, columns: object) -> object:
        if not isinstance(columns, Mapping):
            return columns
        return {n: {"from": c} if isinstance(c, str) else c for n, c in columns.items()}

    @field_validator("delimiter")
    @classmethod
    def _is_one_character(cls, delimiter: str) -> str:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            message = f"{delimiter!r} is not one ASCII character, such as ; or a tab"
            raise ValueError(message)
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError as error:
            message = f"{name!r} is no encoding that Python knows"
            raise ValueError(message) from error
        return name

    @model_validator(mode="after")
    def _columns_are_landing_columns(self) -> Self:
        allowed = contract(self.contract).landing_columns
        unknown = sorted(set(self.columns) - set(allowed))
        if unknown:
            message = f"contract {self.contract} has no {unknown}; it has {', '.join(allowed)}"
            raise ValueError(message)
        return self

    @property
    def found(self) -> Contract:
        """The contract that the files feed."""
        return contract(self.contract)

    @property
    def dialect(self) -> CsvDialect:
        """How the files separate and encode."""
        return CsvDialect(delimiter=self.delimiter, encoding=self.encoding)

    @property
    def digest(self) -> str:
        """Equal for feeds that read a file alike, whatever its name."""
        text = self.model_dump_json(exclude={"files"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check(self, path: Path, names: list[str]) -> None:
        """Refuses a file that lacks a column which the feed names or the contract requires.

        Raises:
            IngestError: with every missing column and what the file has.
        """
        named = sorted({need for source in self.columns.values() for need in source.needs})
        absent = [name for name in named if name not in names]
        if absent:
            message = (
                f"{path.name}: the mapping names {', '.join(absent)}, which the file has not. "
                f"It has {', '.join(names)}."
            )
            raise IngestError(message)
        given = {*self.columns, *names}
        missing = [
            column.name
            for column in self.found.columns
            if column.name in self.found.landing_columns
            and column.required
            and column.default is None
            and not column.row_number
            and column.name not in given
        ]
        missing += [
            " or ".join(way.of for way in column.pseudonyms)
            for column in self.found.columns
            if column.pseudonyms and not given.intersection(way.of for way in column.pseudonyms)
        ]
        if missing:
            message = (
                f"{path.name}: contract {self.contract} needs {', '.join(missing)}. The file has "
                f"{', '.join(names)}; a mapping file can rename them (--mapping)."
            )
            raise IngestError(message)

    def landed(self, table: pa.Table, *, key: str) -> pa.Table:
        """The block with the contract's landing columns, those that the file can give.

        A column is text, or has numbers, times or truth values where the contract has them.
        """
        columns = {}
        for name in self.found.landing_columns:
            if name in self.columns:
                column = self.columns[name].values(table, key=key)
            elif name in table.column_names:
                column = table[name]
            else:
                continue
            kind = self.found[name].type if name in self.found.names else "string"
            columns[name] = column if _IS_OF_KIND[kind](column.type) else _string(column)
        # An Arrow table counts its rows by its columns.
        return pa.table(
            columns or {self.found.landing_columns[0]: pa.nulls(len(table), pa.string())}
        )


class FileMapping(_Strict):
    """The feeds of a mapping file, or, without one, a feed for each contract's own name."""

    feeds: tuple[Feed, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """The mapping in a YAML file.

        Raises:
            IngestError: it can't be read or says something that is not known; every fault.
        """
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, yaml.YAMLError) as error:
            message = f"The mapping {path} can't be read: {' '.join(str(error).split())}"
            raise IngestError(message) from error
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            message = f"The mapping {path}: {_faults(error)}."
            raise IngestError(message) from error

    @classmethod
    def by_name(cls) -> Self:
        """Files named for their contract, columns too: ``orders-2026-06.csv.gz``."""
        return cls(feeds=tuple(Feed(files=f"{n}[!a-z]*", contract=n) for n in sources()))

    def feeds_of(self, path: Path) -> list[Feed]:
        """The feeds that take this file; a file may feed several contracts."""
        return [feed for feed in self.feeds if fnmatch(path.name, feed.files)]


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: "
        + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors()
    )


def _as_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column; JSON lines may have none of that name for a while."""
    if name in table.column_names:
        return table[name]
    return pa.chunked_array([pa.nulls(len(table), pa.string())])


def _string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _digests(columns: list[pa.ChunkedArray], key: str) -> pa.Array:
    """16 hexadecimal digits a row; rows that say the same share them."""
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    texts = (f"{key}{_DIGEST_KIND}:{json.dumps([value or '' for value in row])}" for row in rows)
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
    return pa.array(digests, pa.string())


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as floats; what is no number becomes null."""
    if not pa.types.is_string(column.type):
        return _float(column)
    trimmed = pac.utf8_trim_whitespace(column)
    return pac.if_else(pac.match_substring_regex(trimmed, _NUMBER), trimmed, None).cast(
        pa.float64()
    )


def _float(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.float64(), safe=False)
    return pa.chunked_array([pa.nulls(len(column), pa.float64())])


def _equal(column: pa.ChunkedArray, value: Scalar) -> pa.ChunkedArray:
    if isinstance(value, bool):
        return pac.equal(pac.utf8_lower(_string(column)), _as_text(value))
    if isinstance(value, int | float):
        return pac.equal(_number(column), float(value))
    return pac.equal(_string(column), value)


def _negated(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers with the other sign, digit by digit; what is no number stays for the contract."""
    text = pac.utf8_trim_whitespace(_string(column))
    unsigned = pac.utf8_ltrim(text, characters="+-")
    turned = pac.if_else(
        pac.starts_with(text, "-"), unsigned, pac.binary_join_element_wise("-", unsigned, "")
    )
    return pac.if_else(pac.match_substring_regex(text, _NUMBER), turned, text)


_DIGEST_KIND = "row"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_CONDITIONS: dict[str, Callable[[pa.ChunkedArray, Any], pa.ChunkedArray]] = {
    "in_": lambda c, value: pac.is_in(_string(c), pa.array([_as_text(v) for v in value])),
    "starts_with": lambda c, value: pac.starts_with(_string(c), value),
    "matches": lambda c, value: pac.match_substring_regex(_string(c), f"^(?:{value})$"),
    "equals": _equal,
    "below": lambda c, value: pac.less(_number(c), value),
    "above": lambda c, value: pac.greater(_number(c), value),
}
_APPLY: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
    "strip": lambda c: pac.utf8_trim_whitespace(_string(c)),
    "upper": lambda c: pac.utf8_upper(pac.utf8_trim_whitespace(_string(c))),
    "lower": lambda c: pac.utf8_lower(pac.utf8_trim_whitespace(_string(c))),
    "negate": _negated,
}
_IS_OF_KIND: dict[str, Callable[[pa.DataType], bool]] = {
    "string": pa.types.is_string,
    "int64": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "float64": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "timestamp": pa.types.is_timestamp,
    "bool": pa.types.is_boolean,
}


def _holds(case: Case, table: pa.Table) -> pa.ChunkedArray:
    (name,) = (name for name in _CONDITIONS if getattr(case, name) is not None)
    held = _CONDITIONS[name](_column(table, case.when), getattr(case, name))
    return pac.fill_null(held, fill_value=False)
