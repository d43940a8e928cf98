"""Mapping: which files feed which contract, and from which of their columns.

A mapping is YAML with a list of feeds. Each names files by a glob, a contract, and for the
contract's landing columns where their values come from (docs/MAPPINGS.md has all of it)::

    feeds:
      - files: "sales_*.csv"
        contract: orders
        time_zone: Europe/London
        delimiter: ";"
        columns:
          quantity: Quantity                               # a column of the file
          product_id: {from: StockCode, apply: upper}      # changed on the way
          unit_price: {from: Price, decimal: ",", thousands: "."}
          ordered_at: {concat: [Day, Time], separator: " ", format: "%d/%m/%Y %H:%M"}
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
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from gpu_pipeline.contracts import Contract, contract, sources
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.column_source import ColumnSource
from gpu_pipeline.ingest.reading import Dialect
from gpu_pipeline.ingest.strict import Strict
from gpu_pipeline.ingest.transforms import Column, texts_of

__all__ = ["Feed", "FileMapping"]


class Feed(Strict):
    """Files of one kind and how their columns become those of a contract."""

    files: str
    contract: str
    columns: dict[str, ColumnSource] = Field(default_factory=dict)
    time_zone: str = "UTC"
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()

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
    def _separates(cls, delimiter: str) -> str:
        if not _is_mark(delimiter) or delimiter == '"':
            message = f"{delimiter!r} is not one ASCII character, such as ; or a tab"
            raise ValueError(message)
        return delimiter

    @field_validator("quote", "escape")
    @classmethod
    def _is_a_mark_or_none(cls, mark: str) -> str:
        if mark and not _is_mark(mark):
            message = f"{mark!r} is not one ASCII character, or none"
            raise ValueError(message)
        return mark

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
            "".encode(name)  # some codecs turn no text into bytes
        except LookupError as error:
            message = f"{name!r} is no encoding that Python knows"
            raise ValueError(message) from error
        return name

    @field_validator("header")
    @classmethod
    def _names_are_different(cls, header: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(header)) < len(header):
            message = "names columns twice"
            raise ValueError(message)
        return header

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark]
        if len(set(marks)) < len(marks):
            message = "delimiter, quote and escape must differ"
            raise ValueError(message)
        return self

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
    def dialect(self) -> Dialect:
        """How the files are written, and what is read of them."""
        plain = [name for name in self.found.landing_columns if name not in self.columns]
        return Dialect(
            delimiter=self.delimiter,
            encoding=self.encoding,
            quote=self.quote,
            escape=self.escape,
            header=self.header,
            fields=(*self.needs, *plain),
        )

    @property
    def needs(self) -> list[str]:
        """The columns of the files, and paths into them, that the mapping names."""
        return sorted({need for source in self.columns.values() for need in source.needs})

    def needs_of(self, column: str) -> list[str]:
        """The columns of the files that a landing column is made of."""
        return self.columns[column].needs if column in self.columns else [column]

    @property
    def digest(self) -> str:
        """Equal for feeds that read a file alike, whatever its name."""
        text = self.model_dump_json(exclude={"files"}, exclude_defaults=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check(self, path: Path, names: list[str]) -> None:
        """Refuses a file that lacks a column which the feed names or the contract requires.

        Raises:
            IngestError: with every missing column and what the file has.
        """
        absent = [name for name in self.needs if name not in names]
        if absent:
            message = (
                f"{path.name}: the mapping names {', '.join(absent)}, which the file has not. "
                f"It has {', '.join(names)}.{_hint(names)}"
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
                f"{', '.join(names)}; a mapping file can rename them (--mapping).{_hint(names)}"
            )
            raise IngestError(message)

    def landed(self, table: pa.Table, *, key: str) -> pa.Table:
        """The block with the contract's landing columns, those that the file can give.

        A column is text, or has numbers, times or truth values where the contract has them.
        """
        columns = {}
        for name in self.found.landing_columns:
            if name in self.columns:
                column = self.columns[name].made_from(table, key=key)
            elif name in table.column_names:
                column = table[name]
            else:
                continue
            kind = self.found[name].type if name in self.found.names else "string"
            columns[name] = self._as_landed(column, kind)
        # An Arrow table counts its rows by its columns.
        return pa.table(
            columns or {self.found.landing_columns[0]: pa.nulls(len(table), pa.string())}
        )

    def _as_landed(self, column: Column, kind: str) -> Column:
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            # Moments in UTC: a column without zone would be read as the feed's local time.
            column = column.cast(pa.timestamp("us") if self.time_zone == "UTC" else pa.string())
        return column if _IS_OF_KIND[kind](column.type) else texts_of(column)


class FileMapping(Strict):
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


def _is_mark(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text not in "\r\n"


def _hint(names: list[str]) -> str:
    """A likely cause, where the only column looks like several."""
    marks = [mark for mark in ";\t|," if len(names) == 1 and mark in names[0]]
    return f" Does the mapping lack delimiter: {marks[0]!r}?" if marks else ""


_IS_OF_KIND: dict[str, Callable[[pa.DataType], bool]] = {
    "string": pa.types.is_string,
    "int64": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "float64": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "timestamp": pa.types.is_timestamp,
    "bool": pa.types.is_boolean,
}
