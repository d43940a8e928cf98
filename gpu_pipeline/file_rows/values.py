"""Columns of a landing file as ids, numbers and times, with what is wrong in each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.rejecting import Mask
from gpu_pipeline.ingest.transforms import floats_of, texts_of, times_of

__all__ = ["Fault", "complete", "ids_of", "in_rank", "moments", "numbers"]

Fault = tuple[str, Mask]
_HOST = Backend.choose("cpu")


def complete(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """These columns of the table; one that none of its JSON records has is null."""
    nothing = pa.nulls(len(table), pa.string())
    return pa.table({n: table[n] if n in table.column_names else nothing for n in names})


def ids_of(column: pa.ChunkedArray, what: str) -> tuple[pa.Array, list[Fault]]:
    """The ids of `what` as a dictionary of their own values; texts without blanks around them."""
    values = column.combine_chunks()
    if pa.types.is_string(values.type):
        values = pac.utf8_trim_whitespace(values)
        values = pac.if_else(pac.equal(values, ""), None, values)
    if pa.types.is_floating(values.type):
        values = pac.if_else(pac.is_finite(values), values, None)
    missing = values.is_null().to_numpy(zero_copy_only=False)
    return values.dictionary_encode(), [(f"no {what}", missing)]


def in_rank(ids: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """(the different ids in order, the place of each row's id among them)."""
    whole = ids.unify_dictionaries().combine_chunks()
    codes = whole.indices.to_numpy()
    # The dictionary has those of rejected rows too.
    used = np.flatnonzero(np.bincount(codes, minlength=len(whole.dictionary)))
    values = whole.dictionary.take(pa.array(used))
    order = pac.sort_indices(values).to_numpy()
    place = np.zeros(len(whole.dictionary), dtype=np.int64)
    place[used[order]] = np.arange(len(order))
    return values.take(pa.array(order)), place[codes]


def numbers(
    column: pa.ChunkedArray, name: str, *, may_lack: bool = False
) -> tuple[npt.NDArray[np.float64], list[Fault]]:
    """The column as floats, 0 where there is none; NaN, and no fault, where one `may_lack`."""
    found = floats_of(column)
    whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    absent = _absent(column)
    values = np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
    infinite = np.isinf(values)
    unreadable = np.isnan(values) & ~absent
    faults = [(f"{name}: no number", unreadable), (f"{name}: infinite", infinite)]
    if not may_lack:
        faults.insert(0, (f"{name}: missing", absent))
    filled = np.where(np.isfinite(values), values, 0.0)
    return np.where(absent & may_lack, np.nan, filled), faults


def moments(
    column: pa.ChunkedArray, name: str, path: Path, *, time_format: str | None
) -> tuple[npt.NDArray[np.int64], list[Fault]]:
    """The column as microseconds of UTC, 0 where there is no time.

    Raises:
        IngestError: the column is of numbers, and no format says how they are times.
    """
    absent = _absent(column)
    if not pa.types.is_timestamp(column.type):
        if not pa.types.is_string(column.type) and time_format is None:
            message = (
                f"Column {name!r} of {path} is {column.type}: times are timestamps or ISO 8601 "
                "texts. Say how they are written with --time-format, such as %Y%m%d."
            )
            raise IngestError(message)
        column = texts_of(column)
        column = times_of(column, [time_format]) if time_format is not None else column
    times = _utc(column)
    unreadable = np.isnat(times) & ~absent
    faults = [(f"{name}: missing", absent), (f"{name}: no time", unreadable)]
    return np.where(np.isnat(times), np.datetime64(0, "us"), times).astype(np.int64), faults


def _utc(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.datetime64]:
    if pa.types.is_timestamp(column.type):
        times: npt.NDArray[np.datetime64] = (
            column.cast(pa.timestamp("us"), safe=False)
            .to_numpy(zero_copy_only=False)
            .astype("datetime64[us]")
        )
        return times
    text = pac.utf8_trim_whitespace(texts_of(column))
    read = _HOST.to_times(pd.Series(text.to_pandas(), dtype="str"))
    return read.to_numpy().astype("datetime64[us]")


def _absent(column: pa.ChunkedArray) -> Mask:
    """Which rows bring nothing: null, blank, not a number."""
    values = column.combine_chunks()
    absent = values.is_null(nan_is_null=True)
    if pa.types.is_string(values.type):
        blank = pac.equal(pac.utf8_trim_whitespace(values), "")
        absent = pac.or_(absent, pac.fill_null(blank, fill_value=False))
    found: Mask = absent.to_numpy(zero_copy_only=False)
    return found
