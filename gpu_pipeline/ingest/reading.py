"""Landing files as blocks of raw rows: CSV, JSON lines and Parquet, plain or compressed.

A block is an Arrow table of what the file says, with the record number of each row: texts, and
from Parquet also numbers, truth values and times without a zone. Rows that have no structure
(too many fields, a cut line) come beside it; nothing is skipped in silence.
"""

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from gpu_pipeline.errors import IngestError

__all__ = ["Block", "BrokenRow", "CsvDialect", "column_names", "read_blocks"]

BLOCK_BYTES = 32 * 2**20
BLOCK_ROWS = 250_000
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file separates and encodes."""

    delimiter: str = ","
    encoding: str = "utf-8"


@dataclass(frozen=True)
class BrokenRow:
    """A record without the structure of its file; `text` is what stands there."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file. `lines` are record numbers from 1, the header not counted."""

    table: pa.Table
    lines: npt.NDArray[np.int64]
    broken: list[BrokenRow] = field(default_factory=list)


def read_blocks(path: Path, dialect: CsvDialect) -> Iterator[Block]:
    """The rows of a file in order, a bounded number at a time.

    Raises:
        IngestError: the file can't be read (to its end), is empty, or is of no known kind.
    """
    with _readable(path):
        yield from _READERS[_kind(path)](path, dialect)


def column_names(path: Path, dialect: CsvDialect) -> list[str]:
    """The columns of a file: of its schema, its header, or its first rows.

    Raises:
        IngestError: as in `read_blocks`.
    """
    with _readable(path):
        names = _NAMES[_kind(path)](path, dialect)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{path} names columns twice: {', '.join(repeated)}."
        raise IngestError(message)
    return names


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, pa.ArrowException, UnicodeError, csv.Error) as error:
        message = f"{path} can't be read: {str(error).splitlines()[0].rstrip('.')}."
        raise IngestError(message) from error


def _kind(path: Path) -> str:
    whole = Path(path.name.lower())
    kind = KINDS.get(Path(whole.stem).suffix if whole.suffix in COMPRESSIONS else whole.suffix)
    if kind is None:
        message = f"{path} is none of .csv, .jsonl, .parquet (optionally .gz or .zst)."
        raise IngestError(message)
    return kind


def _open(path: Path) -> pa.NativeFile:
    """The content, decompressed."""
    if path.stat().st_size == 0:
        message = f"{path} is empty: not even a header."
        raise IngestError(message)
    return pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower()))


def _open_text(path: Path, encoding: str) -> pa.NativeFile:
    """The content as UTF-8; UTF-8 itself is checked: Arrow's row handler is silent about faults."""
    source = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return pa.transcoding_input_stream(_open(path), source, "utf-8")


def _csv_blocks(path: Path, dialect: CsvDialect) -> Iterator[Block]:
    broken: list[BrokenRow] = []

    def note(row: Any) -> str:  # noqa: ANN401
        reason = f"{row.actual_columns} fields, not {row.expected_columns}"
        broken.append(BrokenRow(line=row.number - 1, reason=reason, text=row.text))
        return "skip"

    names, is_all = _csv_header(path, dialect)
    if is_all:
        yield Block(_no_rows(names), np.empty(0, dtype=np.int64))
        return
    reader = pc.open_csv(
        _open_text(path, dialect.encoding),
        read_options=pc.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        parse_options=pc.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=note
        ),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    line, seen = 1, 0
    for batch in reader:
        # The parser runs a block ahead: its later faults belong to later blocks.
        lines, line, seen = _numbered(len(batch), line, broken, seen)
        yield Block(pa.Table.from_batches([batch]), lines)
    if broken or line == 1:
        yield Block(_no_rows(names), np.empty(0, dtype=np.int64), broken)


def _numbered(
    rows: int, line: int, broken: list[BrokenRow], seen: int
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Record numbers of the next good rows: those between are the broken ones'."""
    lines = np.arange(line, line + rows, dtype=np.int64)
    while seen < len(broken) and rows and broken[seen].line <= lines[-1]:
        lines[lines >= broken[seen].line] += 1
        seen += 1
    return lines, (int(lines[-1]) + 1 if rows else line), seen


def _csv_header(path: Path, dialect: CsvDialect) -> tuple[list[str], bool]:
    """The names in the first record that is not blank, and whether the file ends there."""
    with _open_text(path, dialect.encoding) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        names = next((row for row in csv.reader(text, delimiter=dialect.delimiter) if row), [])
        is_all = not text.read(1)
    if not names:
        message = f"{path} is empty: not even a header."
        raise IngestError(message)
    return names, is_all


def _jsonl_blocks(path: Path, _: CsvDialect) -> Iterator[Block]:
    with _open(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="\n")
        records = enumerate((line for line in map(str.strip, text) if line), start=1)
        while chunk := list(islice(records, BLOCK_ROWS)):
            yield _jsonl_block(chunk)


def _jsonl_names(path: Path, dialect: CsvDialect) -> list[str]:
    """The names in the first block."""
    for block in _jsonl_blocks(path, dialect):
        return list(block.table.column_names)
    message = f"{path} is empty: not one record."
    raise IngestError(message)


def _jsonl_block(chunk: list[tuple[int, str]]) -> Block:
    rows: list[dict[str, object]] = []
    numbers, broken = [], []
    for number, text in chunk:
        row, fault = _json_object(text)
        if fault:
            broken.append(BrokenRow(number, fault, text))
        else:
            rows.append(row)
            numbers.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {n: pa.array([_text(row.get(n)) for row in rows], pa.string()) for n in names}
    return Block(pa.table(columns), np.array(numbers, dtype=np.int64), broken)


def _json_object(text: str) -> tuple[dict[str, object], str]:
    """The record and "", or nothing and why it is none. Numbers stay as they are written."""
    try:
        row = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return {}, "not JSON"
    if not isinstance(row, dict):
        return {}, "no JSON object"
    return row, "" if row else "an empty JSON object"


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parquet_blocks(path: Path, _: CsvDialect) -> Iterator[Block]:
    line = 1
    with pq.ParquetFile(_parquet_source(path)) as file:
        names = _plain_names(file.schema_arrow)
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=names):
            columns = {name: _plain(batch[name]) for name in names}
            yield Block(pa.table(columns), np.arange(line, line + len(batch), dtype=np.int64))
            line += len(batch)
    if line == 1:
        yield Block(_no_rows(names), np.empty(0, dtype=np.int64))


def _parquet_names(path: Path, _: CsvDialect) -> list[str]:
    return _plain_names(pq.read_schema(_parquet_source(path)))


def _parquet_source(path: Path) -> pa.NativeFile | Path:
    """The file; of a compressed one the whole content, because Parquet is read from its end."""
    if path.suffix.lower() not in COMPRESSIONS:
        return path
    with _open(path) as stream:
        return pa.BufferReader(stream.read())


def _plain_names(schema: pa.Schema) -> list[str]:
    """The columns that a table can have: lists, structures and bytes are left out."""
    return [
        column.name
        for column in schema
        if not (pa.types.is_nested(column.type) or _is_bytes(column.type))
    ]


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(test(kind) for test in (*tests, pa.types.is_fixed_size_binary))


def _plain(column: pa.Array) -> pa.Array:
    """The column as text, whole numbers, floats, truth values or times without a zone.

    A time with a zone becomes text that says its offset. A short float becomes the shortest
    text that stands for it: 19.99 would else be 19.989999771.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.string())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"))
    if kind in _AS_THEY_ARE or pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return column
    return column.cast(pa.string())


def _no_rows(names: list[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in names})


_AS_THEY_ARE = (pa.string(), pa.float64(), pa.bool_())
_READERS: dict[str, Callable[[Path, CsvDialect], Iterator[Block]]] = {
    "csv": _csv_blocks,
    "jsonl": _jsonl_blocks,
    "parquet": _parquet_blocks,
}
_NAMES: dict[str, Callable[[Path, CsvDialect], list[str]]] = {
    "csv": lambda path, dialect: _csv_header(path, dialect)[0],
    "jsonl": _jsonl_names,
    "parquet": _parquet_names,
}
