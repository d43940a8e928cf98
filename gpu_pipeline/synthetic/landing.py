"""Landing files: CSV, JSON lines or Parquet, and the same bytes on every run."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gpu_pipeline.synthetic.columns import Mask

_CHUNK_ROWS = 200_000
_NUMBERS = ("rating", "score", "reach")  # that JSON writes without quotes
_CUT_LINE = 40  # characters that are left


def has_lines(name: str) -> bool:
    """Whether a file of that name is text, line by line."""
    return not name.endswith(".parquet")


def write(path: Path, table: pa.Table, broken: Mask) -> None:
    """The table of strings as CSV, JSON lines or Parquet, by the file's ending.

    Where a row is `broken`, a CSV line gets a field too many and a JSON line is cut.
    """
    if not has_lines(path.name):
        pq.write_table(table, path, compression="zstd", row_group_size=_CHUNK_ROWS)
        return
    is_csv = ".csv" in path.suffixes
    with _opened(path) as out:
        if is_csv:
            out.write((",".join(table.column_names) + "\n").encode())
        for start in range(0, table.num_rows, _CHUNK_ROWS):
            piece = table.slice(start, _CHUNK_ROWS)
            bad = pa.array(broken[start : start + piece.num_rows])
            out.write(_joined(_csv_lines(piece, bad) if is_csv else _json_lines(piece, bad)))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to write; of a compressed one neither name nor time is in its bytes."""
    with path.open("wb") as out:
        if path.suffix != ".gz":
            yield out
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0) as packed:
            yield cast("IO[bytes]", packed)


def _csv_lines(table: pa.Table, broken: pa.Array) -> pa.Array:
    cells = []
    for column in table.combine_chunks().columns:
        text = pc.fill_null(pa.concat_arrays(column.chunks), "")
        quoted = _wrapped('"', pc.replace_substring(text, '"', '""'))
        cells.append(pc.if_else(pc.match_substring_regex(text, '[",\r\n]'), quoted, text))
    lines = pc.binary_join_element_wise(*cells, ",")
    return pc.if_else(broken, pc.binary_join_element_wise(lines, "surplus", ","), lines)


def _json_lines(table: pa.Table, broken: pa.Array) -> pa.Array:
    cells = []
    for name, column in zip(table.column_names, table.combine_chunks().columns, strict=True):
        text = pa.concat_arrays(column.chunks)
        value = _wrapped('"', _escaped(text))
        if name in _NUMBERS:
            value = pc.if_else(pc.match_substring_regex(text, r"^-?\d+$"), text, value)
        cells.append(pc.binary_join_element_wise(f'"{name}"', pc.fill_null(value, "null"), ":"))
    lines = pc.binary_join_element_wise("{", pc.binary_join_element_wise(*cells, ","), "}", "")
    return pc.if_else(broken, pc.utf8_slice_codeunits(lines, 0, _CUT_LINE), lines)


def _escaped(text: pa.Array) -> pa.Array:
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        text = pc.replace_substring(text, plain, escape)
    return text


def _wrapped(mark: str, text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(mark, text, mark, "")


def _joined(lines: pa.Array) -> bytes:
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0]
    return bytes(whole.as_buffer()) + b"\n"
