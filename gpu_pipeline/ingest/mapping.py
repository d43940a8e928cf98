"""Mapping: which files feed which contract, and from which of their columns.

A mapping is YAML with a list of feeds. Each names files by a glob, a contract, and for the
contract's landing columns where their values come from::

    feeds:
      - files: "sales_*.csv"
        contract: orders
        time_zone: Europe/London
        columns:
          order_id: InvoiceNo                              # a column of the file
          product_id: {from: StockCode, apply: upper}      # changed on the way
          currency: {constant: GBP}                        # the same for every row
          line_type:                                       # the first case that holds
            cases:
              - {when: InvoiceNo, starts_with: C, then: return}
              - {when: StockCode, in: [POST, DOT], then: fee}
              - {when: Quantity, below: 0, then: adjustment}
            otherwise: sale
"""

import hashlib
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
from gpu_pipeline.errors import ContractError, IngestError
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


class ColumnSource(_Strict):
    """Where the values of a column come from: a column, a constant, or the first case."""

    from_: Annotated[str | None, Field(alias="from")] = None
    apply: Literal["strip", "upper", "lower", "negate"] | None = None
    constant: Scalar | None = None
    cases: tuple[Case, ...] = ()
    otherwise: Scalar | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if sum((self.from_ is not None, self.constant is not None, bool(self.cases))) != 1:
            message = "needs exactly one of from, constant, cases"
            raise ValueError(message)
        return self

    @property
    def needs(self) -> list[str]:
        """The columns of the file that it reads."""
        return [self.from_] if self.from_ is not None else [case.when for case in self.cases]

    def values(self, table: pa.Table) -> pa.Array | pa.ChunkedArray:
        """The column for the rows of a block."""
        if self.constant is not None:
            return pa.repeat(_as_text(self.constant), len(table))
        if self.from_ is not None:
            column = table[self.from_]
            return column if self.apply is None else _APPLY[self.apply](column)
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

    def landed(self, table: pa.Table) -> pa.Table:
        """The block with the contract's landing columns, those that the file can give."""
        columns = {}
        for name in self.found.landing_columns:
            if name in self.columns:
                columns[name] = self.columns[name].values(table)
            elif name in table.column_names:
                columns[name] = table[name]
            else:
                continue
            if name not in self.found.names or self.found[name].type == "string":
                columns[name] = _string(columns[name])
        return pa.table(columns)


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
            return cls(**(yaml.safe_load(path.read_text(encoding="utf-8")) or {}))
        except (OSError, UnicodeError, yaml.YAMLError, TypeError) as error:
            message = f"The mapping {path} can't be read: {error}"
            raise IngestError(message) from error
        except (ValidationError, ContractError) as error:
            raise IngestError(f"The mapping {path}: {_faults(error)}.") from error  # noqa: EM102

    @classmethod
    def by_name(cls) -> Self:
        """Files named for their contract, columns too: ``orders-2026-06.csv.gz``."""
        return cls(feeds=tuple(Feed(files=f"{n}[!a-z]*", contract=n) for n in sources()))

    def feeds_of(self, path: Path) -> list[Feed]:
        """The feeds that take this file; a file may feed several contracts."""
        return [feed for feed in self.feeds if fnmatch(path.name, feed.files)]


def _faults(error: ValidationError | ContractError) -> str:
    if isinstance(error, ContractError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )


def _as_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as floats; what is no number becomes null."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.float64())
    numeric = pac.match_substring_regex(column, r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
    text = pac.if_else(numeric, pac.utf8_trim_whitespace(column), None)
    return text.cast(pa.float64())


_CONDITIONS: dict[str, Callable[[pa.ChunkedArray, Any], pa.ChunkedArray]] = {
    "in_": lambda c, value: pac.is_in(_string(c), pa.array([_as_text(v) for v in value])),
    "starts_with": lambda c, value: pac.starts_with(_string(c), value),
    "matches": lambda c, value: pac.match_substring_regex(_string(c), f"^(?:{value})$"),
    "equals": lambda c, value: (
        pac.equal(_number(c), value)
        if isinstance(value, int | float)
        else pac.equal(_string(c), _as_text(value))
    ),
    "below": lambda c, value: pac.less(_number(c), value),
    "above": lambda c, value: pac.greater(_number(c), value),
}
_APPLY: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
    "strip": lambda c: pac.utf8_trim_whitespace(_string(c)),
    "upper": lambda c: pac.utf8_upper(pac.utf8_trim_whitespace(_string(c))),
    "lower": lambda c: pac.utf8_lower(pac.utf8_trim_whitespace(_string(c))),
    "negate": lambda c: pac.negate(_number(c)),
}


def _holds(case: Case, table: pa.Table) -> pa.ChunkedArray:
    (name,) = (name for name in _CONDITIONS if getattr(case, name) is not None)
    return pac.fill_null(_CONDITIONS[name](table[case.when], getattr(case, name)), fill_value=False)
