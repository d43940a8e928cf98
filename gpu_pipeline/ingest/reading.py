"""Landing files as blocks of raw rows: CSV, JSON lines and Parquet, plain or compressed.

A block is an Arrow table of what the file says, with the record number of each row. Rows that
have no structure (too many fields, a cut line) come beside it; nothing is skipped in silence.
"""

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
    kind = _kind(path)
    with _readable(path):
        if kind == "parquet":
            return list(pq.read_schema(path).names)
        if kind == "csv":
            return _csv_header(path, dialect)
        return list(next(_jsonl_blocks(path, dialect)).table.column_names)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, pa.ArrowException, UnicodeError) as error:
        message = f"{path} can't be read: {str(error).splitlines()[0].rstrip('.')}."
        raise IngestError(message) from error


def _kind(path: Path) -> str:
    name = path.name.lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    kinds = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    kind = {**kinds, ".parquet": "parquet"}.get(Path(name).suffix)
    if kind is None:
        message = f"{path} is none of .csv, .jsonl, .parquet (optionally .gz or .zst)."
        raise IngestError(message)
    return kind


def _open(path: Path, encoding: str = "utf-8") -> Any:  # noqa: ANN401
    if path.stat().st_size == 0:
        message = f"{path} is empty: not even a header."
        raise IngestError(message)
    compression = COMPRESSIONS.get(path.suffix.lower())
    stream = pa.input_stream(str(path), compression=compression)
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        stream = pa.transcoding_input_stream(stream, encoding, "utf-8")
    return stream


def _csv_blocks(path: Path, dialect: CsvDialect) -> Iterator[Block]:
    broken: list[BrokenRow] = []

    def note(row: Any) -> str:  # noqa: ANN401
        reason = f"{row.actual_columns} fields, not {row.expected_columns}"
        broken.append(BrokenRow(line=row.number - 1, reason=reason, text=row.text))
        return "skip"

    names = _csv_header(path, dialect)
    reader = pc.open_csv(
        _open(path, dialect.encoding),
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


def _csv_header(path: Path, dialect: CsvDialect) -> list[str]:
    with _open(path, dialect.encoding) as stream:
        first = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="").readline()
    names = next(csv.reader([first], delimiter=dialect.delimiter), [])
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{path} names columns twice: {', '.join(repeated)}."
        raise IngestError(message)
    return names


def _jsonl_blocks(path: Path, _: CsvDialect) -> Iterator[Block]:
    with _open(path) as stream:
        lines = enumerate(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="\n"), start=1)
        while chunk := list(islice(lines, BLOCK_ROWS)):
            yield _jsonl_block(chunk)


def _jsonl_block(chunk: list[tuple[int, str]]) -> Block:
    rows, numbers, broken = [], [], []
    for number, line in chunk:
        text = line.strip()
        if not text:
            continue
        try:
            row = json.loads(text)
        except ValueError:
            broken.append(BrokenRow(number, "not JSON", text))
            continue
        if not isinstance(row, dict):
            broken.append(BrokenRow(number, "no JSON object", text))
            continue
        rows.append(row)
        numbers.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {n: pa.array([_text(row.get(n)) for row in rows], pa.string()) for n in names}
    return Block(pa.table(columns), np.array(numbers, dtype=np.int64), broken)


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parquet_blocks(path: Path, _: CsvDialect) -> Iterator[Block]:
    line = 1
    file = pq.ParquetFile(path)
    for batch in file.iter_batches(batch_size=BLOCK_ROWS):
        yield Block(
            pa.Table.from_batches([batch]), np.arange(line, line + len(batch), dtype=np.int64)
        )
        line += len(batch)
    if line == 1:
        yield Block(_no_rows(file.schema_arrow.names), np.empty(0, dtype=np.int64))


def _no_rows(names: list[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in names})


_READERS: dict[str, Callable[[Path, CsvDialect], Iterator[Block]]] = {
    "csv": _csv_blocks,
    "jsonl": _jsonl_blocks,
    "parquet": _parquet_blocks,
}
