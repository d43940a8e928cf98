"""A file of events in parts that several threads can read: Parquet by its row groups."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pipeline.ingest.reading import Dialect, file_kind, readable, whole_rows
from gpu_pipeline.ingest.reading.streams import COMPRESSIONS
from gpu_pipeline.sessions import Columns

__all__ = ["EventFile", "Part", "event_file"]

# Columns of so many rows are large enough for the system to give memory by large pages.
_PART_ROWS = 1 << 20
_SAMPLES, _SAMPLE_ROWS = 8, 1 << 14
# What a row of a text file has about, to guess how many rows there are.
_ROW_BYTES = 64


class Part(NamedTuple):
    """Rows of a file, from record `first` on; `read` gives them as a table."""

    first: int
    read: Callable[[], pa.Table]


class EventFile(Protocol):
    """What is asked of a file, whatever its kind."""

    def rows(self) -> int:
        """About how many rows there are."""

    def sample(self) -> pa.ChunkedArray:
        """Customers of rows here and there."""

    def parts(self) -> Iterator[Part]:
        """All rows, in order."""


def event_file(path: Path, columns: Columns) -> EventFile:
    """The file, of whose rows these columns are read.

    Raises:
        IngestError: it can't be read (to its end), is of no known kind, or has broken rows.
    """
    is_whole = path.suffix.lower() not in COMPRESSIONS
    if file_kind(path) == "parquet" and is_whole:
        with readable(path):
            schema, metadata = pq.read_schema(path), pq.read_metadata(path)
        kinds = [schema.field(name).type for name in columns.names]
        if all(_is_plain(kind) for kind in kinds):
            return _RowGroups(path, columns, metadata, schema)
    return _Blocks(path, columns)


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a column can be taken as it is; others are first made what a table can hold."""
    tests = (pa.types.is_integer, pa.types.is_float64, pa.types.is_timestamp)
    return _is_text(kind) or any(test(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class _RowGroups:
    """A Parquet file: row groups together until they are a part, each read by itself."""

    def __init__(
        self, path: Path, columns: Columns, metadata: pq.FileMetaData, schema: pa.Schema
    ) -> None:
        self.path = path
        self.columns = columns
        self.metadata = metadata
        self.texts = [name for name in columns.names if _is_text(schema.field(name).type)]

    def rows(self) -> int:
        return int(self.metadata.num_rows)

    def sample(self) -> pa.ChunkedArray:
        count = self.metadata.num_row_groups
        groups = sorted({number * count // _SAMPLES for number in range(_SAMPLES)}) if count else []
        customer = [self.columns.customer]
        with readable(self.path):
            tables = [self._opened().read_row_groups([], columns=customer)]
            for group in groups:
                some = self._opened().iter_batches(
                    _SAMPLE_ROWS, row_groups=[group], columns=customer, use_threads=False
                )
                tables += [pa.Table.from_batches([batch]) for batch in (next(some, None),) if batch]
        return pa.concat_tables(tables)[self.columns.customer]

    def parts(self) -> Iterator[Part]:
        first = 1
        for groups in self._spans():
            rows = sum(self.metadata.row_group(group).num_rows for group in groups)
            if rows <= 2 * _PART_ROWS:
                yield Part(first, partial(self._read, groups))
                first += rows
                continue
            with readable(self.path):
                batches = self._opened().iter_batches(
                    _PART_ROWS, row_groups=groups, columns=self.columns.names
                )
                for batch in batches:
                    yield Part(first, partial(pa.Table.from_batches, [batch]))
                    first += len(batch)

    def _spans(self) -> Iterator[list[int]]:
        """Row groups that follow each other and have no more than a part's rows; or one."""
        span, rows = list[int](), 0
        for group in range(self.metadata.num_row_groups):
            mine = self.metadata.row_group(group).num_rows
            if span and rows + mine > _PART_ROWS:
                yield span
                span, rows = [], 0
            span.append(group)
            rows += mine
        yield span

    def _read(self, groups: list[int]) -> pa.Table:
        with readable(self.path):
            # Parts are read side by side already.
            return self._opened().read_row_groups(
                groups, columns=self.columns.names, use_threads=False
            )

    def _opened(self) -> Any:  # noqa: ANN401
        """A reader of one's own: one can't be shared by threads."""
        return pq.ParquetFile(self.path, metadata=self.metadata, read_dictionary=self.texts)


class _Blocks:
    """Any other file, block by block."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.path = path
        self.columns = columns
        tables = whole_rows(path, Dialect(fields=tuple(columns.names)))
        self.first = next(tables)
        self.rest = tables

    def rows(self) -> int:
        return max(len(self.first), self.path.stat().st_size // _ROW_BYTES)

    def sample(self) -> pa.ChunkedArray:
        return self.first[self.columns.customer]

    def parts(self) -> Iterator[Part]:
        first = 1
        for table in chain([self.first], self.rest):
            yield Part(first, partial(table.select, self.columns.names))
            first += len(table)
