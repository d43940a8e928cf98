"""CSV files: Arrow parses, and says of each row that it can't take where and what it is."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import blocks
from gpu_pipeline.ingest.reading.blocks import Block, BrokenRow, no_rows
from gpu_pipeline.ingest.reading.dialect import Dialect
from gpu_pipeline.ingest.reading.nested import paths_into, steps, with_paths
from gpu_pipeline.ingest.reading.streams import opened_text

__all__ = ["names", "pieces"]


def names(path: Path, dialect: Dialect) -> list[str]:
    """The columns of the header, and the paths into them."""
    columns = _header(path, dialect)[0]
    return [*columns, *paths_into(columns, dialect.fields)]


def pieces(path: Path, dialect: Dialect) -> Iterator[Block]:
    """The rows, about PIECE_BYTES of the file at a time."""
    columns, is_all = _header(path, dialect)
    paths = paths_into(columns, dialect.fields)
    shown = [*dialect.of(columns), *paths]
    read = list(dict.fromkeys(str(steps(name)[0]) if name in paths else name for name in shown))
    if is_all:
        yield no_rows(shown)
        return
    broken: list[BrokenRow] = []
    line = 1
    with _whole_records(path):
        for batch in _batches(path, dialect, read, broken):
            # The parser runs a piece ahead: its later faults belong to later pieces.
            lines, passed = _numbered(len(batch), line, broken)
            line = int(lines[-1]) + 1 if len(lines) else line
            table = with_paths(pa.Table.from_batches([batch]), paths).select(shown)
            yield Block(table, lines, broken[:passed])
            del broken[:passed]
    if broken or line == 1:
        yield no_rows(shown, broken)


def _batches(
    path: Path, dialect: Dialect, read: list[str], broken: list[BrokenRow]
) -> pc.CSVStreamingReader:
    first = 1 if dialect.header else 0

    def note(row: Any) -> str:  # noqa: ANN401
        reason = f"{row.actual_columns} fields, not {row.expected_columns}"
        broken.append(BrokenRow(line=row.number - 1 + first, reason=reason, text=row.text))
        return "skip"

    return pc.open_csv(
        opened_text(path, dialect.encoding),
        read_options=pc.ReadOptions(
            use_threads=False, block_size=blocks.PIECE_BYTES, column_names=list(dialect.header)
        ),
        parse_options=dialect.for_arrow(invalid_row_handler=note),
        convert_options=pc.ConvertOptions(
            include_columns=read,
            column_types=dict.fromkeys(read, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _numbered(rows: int, line: int, broken: list[BrokenRow]) -> tuple[npt.NDArray[np.int64], int]:
    """Record numbers of the next good rows, and how many broken ones lie before the last."""
    if not rows:
        return np.empty(0, dtype=np.int64), 0
    numbers = np.arange(line, line + rows + len(broken), dtype=np.int64)
    lines = numbers[~np.isin(numbers, [row.line for row in broken])][:rows]
    return lines, sum(row.line < lines[-1] for row in broken)


def _header(path: Path, dialect: Dialect) -> tuple[list[str], bool]:
    """The names, of the dialect or of the first record not blank, and whether the file ends there.

    Raises:
        IngestError: there is no record, or it has not as many fields as the dialect names.
    """
    with opened_text(path, dialect.encoding) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        first = next((row for row in csv.reader(text, **dialect.for_python()) if row), [])
        is_all = not dialect.header and not text.read(1)
    if not first:
        message = f"{path} is empty: not even a header."
        raise IngestError(message)
    if dialect.header and len(first) != len(dialect.header):
        message = (
            f"{path}: the mapping's header names {len(dialect.header)} columns, the first record "
            f"has {len(first)} fields. Name every column, in order."
        )
        raise IngestError(message)
    return list(dialect.header) or first, is_all


@contextmanager
def _whole_records(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
        message = (
            f"{path} has a record of more than {blocks.PIECE_BYTES:,} bytes: is a quote never "
            'closed? Mend it; or, where quotes mean nothing, map the feed with quote: "".'
        )
        raise IngestError(message) from error
