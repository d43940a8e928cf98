"""Landing files: planted damage, and the same bytes on every run."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gpu_pipeline.synthetic.columns import Ints, Rng

_CHUNK_ROWS = 200_000
_NUMBERS = ("rating", "score", "reach")  # that JSON writes without quotes
_CUT_LINE = 40  # characters that are left


class Flaw(NamedTuple):
    """One kind of damage: the column, and the value there that its contract rejects."""

    kind: str
    column: str = ""
    value: str | None = None


FLAWS: Mapping[str, tuple[Flaw, ...]] = {
    "orders": (
        Flaw("missing", "quantity"),
        Flaw("time", "ordered_at", "2026-02-30T25:61:00Z"),
        Flaw("enum", "line_type", "gift"),
        Flaw("negative", "unit_price", "-49.99"),
        Flaw("number", "quantity", "two"),
        Flaw("duplicate"),
        Flaw("broken"),
    ),
    "clickstream": (
        Flaw("missing", "event_type"),
        Flaw("time", "occurred_at", "yesterday, 10 pm"),
        Flaw("enum", "event_type", "hover"),
        Flaw("duplicate"),
    ),
    "reviews": (
        Flaw("missing", "product_id"),
        Flaw("time", "created_at", "last Tuesday"),
        Flaw("range", "rating", "11"),
        Flaw("number", "rating", "five stars"),
        Flaw("duplicate"),
        Flaw("broken"),
    ),
}


def damaged(
    table: pa.Table, flaws: Sequence[Flaw], share: float, rng: Rng
) -> tuple[pa.Table, dict[str, Ints]]:
    """The table with that share of its rows spoilt, and the record numbers of each kind.

    No row is spoilt twice. A duplicate is a copy that stands anywhere below its row; `broken`
    rows are spoilt by `write`, as lines.
    """
    count = table.num_rows
    if share == 0 or not flaws or not count:
        return table, {}
    total = min(count, max(len(flaws), round(share * count)))
    spoilt = rng.choice(count, total, replace=False)
    rows = {flaw.kind: np.sort(spoilt[i :: len(flaws)]) for i, flaw in enumerate(flaws)}
    for flaw in flaws:
        if flaw.column:
            table = _with_value(table, flaw, rows[flaw.kind])
    original = rows.pop("duplicate")
    before = rng.integers(original + 1, count, endpoint=True)
    by_place = np.argsort(before, kind="stable")
    original, before = original[by_place], before[by_place]
    table = table.take(np.insert(np.arange(count), before, original))
    records = {kind: r + np.searchsorted(before, r, side="right") + 1 for kind, r in rows.items()}
    return table, {**records, "duplicate": before + np.arange(len(before)) + 1}


def _with_value(table: pa.Table, flaw: Flaw, rows: Ints) -> pa.Table:
    mask = np.zeros(table.num_rows, bool)
    mask[rows] = True
    value = pa.scalar(flaw.value, pa.string())
    column = pc.if_else(pa.array(mask), value, table[flaw.column])
    return table.set_column(table.column_names.index(flaw.column), flaw.column, column)


def write(path: Path, table: pa.Table, *, broken: Ints | None = None) -> None:
    """The table of strings as CSV, JSON lines or Parquet, by the file's ending.

    Of the `broken` records (numbers from 1) a CSV line gets a field too many, a JSON line is cut.
    """
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd", row_group_size=_CHUNK_ROWS)
        return
    is_csv = ".csv" in path.suffixes
    is_broken = np.zeros(table.num_rows + 1, bool)
    is_broken[broken if broken is not None else []] = True
    with _opened(path) as out:
        if is_csv:
            out.write((",".join(table.column_names) + "\n").encode())
        for start in range(0, table.num_rows, _CHUNK_ROWS):
            piece = table.slice(start, _CHUNK_ROWS)
            bad = pa.array(is_broken[start + 1 : start + 1 + piece.num_rows])
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
            value = pc.if_else(pc.match_substring_regex(text, r"^\d+$"), text, value)
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
