"""Landing files as blocks of raw rows: CSV, JSON lines and Parquet, plain or compressed.

A block is an Arrow table of what the file says, with the record number of each row: texts, and
from Parquet also numbers, truth values and times without a zone. Rows that have no structure
(too many fields, a cut line) come beside it; nothing is skipped in silence.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import csv_file, json_lines, parquet_file
from gpu_pipeline.ingest.reading.blocks import Block, BrokenRow, gathered
from gpu_pipeline.ingest.reading.dialect import Dialect
from gpu_pipeline.ingest.reading.streams import COMPRESSIONS

__all__ = ["COMPRESSIONS", "Block", "BrokenRow", "Dialect", "column_names", "file_kind"]
__all__ += ["plain_names", "read_blocks", "readable", "whole_rows"]

KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def read_blocks(path: Path, dialect: Dialect, *, share: float = 1.0) -> Iterator[Block]:
    """The rows of a file in order, a bounded number of rows and bytes at a time.

    While a block is worked on, at most two more of its size are held. `share` makes blocks
    smaller than their full size.

    Raises:
        IngestError: the file can't be read (to its end), is empty, or is of no known kind.
    """
    with readable(path):
        yield from gathered(_PIECES[file_kind(path)](path, dialect), share=share)


def whole_rows(path: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """The rows of a file that must all be sound, in tables of a bounded number of rows.

    Raises:
        IngestError: as `read_blocks`, or a row is broken.
    """
    for block in read_blocks(path, dialect):
        if block.broken:
            first = block.broken[0]
            message = f"{path}, record {first.line}: {first.reason}. Mend it first."
            raise IngestError(message)
        yield block.table


def column_names(path: Path, dialect: Dialect) -> list[str]:
    """The columns of a file: of its schema, its header, or its first rows.

    Fields of the dialect that lie inside of such a column come last.

    Raises:
        IngestError: as in `read_blocks`.
    """
    with readable(path):
        names = _NAMES[file_kind(path)](path, dialect)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{path} names columns twice: {', '.join(repeated)}."
        raise IngestError(message)
    return names


def plain_names(path: Path) -> list[str]:
    """The columns of a file that no mapping describes: in CSV, commas lie between them.

    Raises:
        IngestError: as `column_names`, or the only column of a CSV looks like several.
    """
    names = column_names(path, Dialect())
    marks = [mark for mark in ";\t|" if len(names) == 1 and mark in names[0]]
    if marks and file_kind(path) == "csv":
        message = (
            f"{path} seems to have {marks[0]!r} between its columns: {names[0]}. Save it with "
            "commas between them and a point in its numbers (1234.50), or as Parquet."
        )
        raise IngestError(message)
    return names


def file_kind(path: Path) -> str:
    """`csv`, `jsonl` or `parquet`, by the last endings of the file's name.

    Raises:
        IngestError: it is none of them.
    """
    whole = Path(path.name.lower())
    kind = KINDS.get(Path(whole.stem).suffix if whole.suffix in COMPRESSIONS else whole.suffix)
    if kind is None:
        message = f"{path} is none of .csv, .jsonl, .parquet (optionally .gz or .zst)."
        raise IngestError(message)
    return kind


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What goes wrong with the file while the context lasts is an IngestError that names it."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException, UnicodeError, csv.Error) as error:
        message = f"{path} can't be read: {str(error).splitlines()[0].rstrip('.')}."
        raise IngestError(message) from error


_PIECES: dict[str, Callable[[Path, Dialect], Iterator[Block]]] = {
    "csv": csv_file.pieces,
    "jsonl": json_lines.pieces,
    "parquet": parquet_file.pieces,
}
_NAMES: dict[str, Callable[[Path, Dialect], list[str]]] = {
    "csv": csv_file.names,
    "jsonl": json_lines.names,
    "parquet": parquet_file.names,
}
