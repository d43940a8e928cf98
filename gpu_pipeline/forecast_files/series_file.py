"""The rows of a file of series, as a long frame with one row a series and period."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.rejecting import Rejected
from gpu_pipeline.file_rows.values import complete, ids_of, moments, numbers
from gpu_pipeline.forecasting.frequency import Freq
from gpu_pipeline.ingest.reading import Block, Dialect, read_blocks
from gpu_pipeline.ingest.transforms import floats_of

__all__ = ["Reading", "SeriesColumns", "read_series"]

_DAY_US = 86_400_000_000
_WEEK_DAYS = 7
_MONDAY = 4  # days from 1970-01-01
_KEY = ["unique_id", "ds"]


@dataclass(frozen=True, kw_only=True)
class SeriesColumns:
    """The columns of a file of series; a file of what is known of the future has no `value`."""

    id: str
    time: str
    value: str | None
    known_ahead: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them that there are, each once."""
        value = [self.value] if self.value is not None else []
        return list(dict.fromkeys([self.id, self.time, *value, *self.known_ahead, *self.static]))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How rows are read: as days or as weeks, times by a format (else ISO 8601), and whether rows
    of one series and period are to be added up.
    """

    freq: Freq
    time_format: str | None = None
    add_up: bool = False


def read_series(
    path: Path,
    columns: SeriesColumns,
    rejected: Rejected,
    reading: Reading,
    *,
    texts: Sequence[str] = (),
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The sound rows as `unique_id` (categories), `ds`, `y` and the other columns; what to tell.

    A time is its day, or the Monday of its week where `add_up` makes weeks of days. A value that is
    missing was not seen. `add_up` sums the values of a series and period: of a number known ahead
    it takes the mean, of a text the first; weeks that began before the first day of the file or
    end after its last are left out. A column known ahead is text if it is one of `texts` or not all
    of its values are numbers.

    Raises:
        IngestError: the file can't be read, has no sound row, or repeats a series and period.
    """
    blocks = read_blocks(path, Dialect(fields=tuple(columns.names)))
    tables = [_typed(block, columns, rejected, path, reading.time_format) for block in blocks]
    rows = pa.concat_tables(tables).unify_dictionaries()
    if not len(rows):
        raise rejected.refuse_all(path)
    frame = _frame(rows, columns, texts)
    day = np.floor_divide(rows["time"].to_numpy(), _DAY_US)
    if reading.freq == "D":
        return _once(frame.assign(ds=_dates(day)), path, "day", add_up=reading.add_up), ()
    weekdays = np.unique((day - _MONDAY) % _WEEK_DAYS)
    if len(weekdays) == 1:
        return _once(frame.assign(ds=_dates(day)), path, "week", add_up=reading.add_up), ()
    if not reading.add_up:
        message = (
            f"Times of {path} lie on {len(weekdays)} weekdays, weeks (--freq W) are given by one: "
            "add days up to weeks that begin on Monday with --sum, or take --freq D."
        )
        raise IngestError(message)
    return _whole_weeks(frame, day, path)


def _typed(
    block: Block, columns: SeriesColumns, rejected: Rejected, path: Path, time_format: str | None
) -> pa.Table:
    table = complete(block.table, columns.names)
    ids, faults = ids_of(table[columns.id], "series")
    time, wrong = moments(table[columns.time], columns.time, path, time_format=time_format)
    faults += wrong
    made: dict[str, object] = {"id": ids, "time": time}
    if columns.value is not None:
        made["value"], wrong = numbers(table[columns.value], columns.value, may_lack=True)
        faults += wrong
    for place, name in enumerate((*columns.known_ahead, *columns.static)):
        # Under their places: they may be called id or time.
        made[str(place)] = table[name]
    is_sound = rejected.note(block, faults)
    return pa.table(made).filter(pa.array(is_sound))


def _frame(rows: pa.Table, columns: SeriesColumns, texts: Sequence[str]) -> pd.DataFrame:
    made: dict[str, pd.Series | pd.Categorical] = {"unique_id": _categories(rows["id"])}
    if columns.value is not None:
        made["y"] = rows["value"].to_pandas()
    for place, name in enumerate((*columns.known_ahead, *columns.static)):
        is_label = name in columns.static or name in texts
        made[name] = _said(rows[str(place)], is_label=is_label)
    return pd.DataFrame(made, copy=False)


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    whole = column.combine_chunks()
    values = pd.Index(whole.dictionary.to_pandas())
    return pd.Categorical.from_codes(whole.indices.fill_null(-1).to_numpy(), categories=values)


def _said(column: pa.ChunkedArray, *, is_label: bool) -> "pd.Series[float] | pd.Categorical":
    """Numbers where all that is said are numbers, else categories; a blank text says nothing."""
    whole = column.combine_chunks()
    if pa.types.is_string(whole.type):
        text = pac.utf8_trim_whitespace(whole)
        whole = pac.if_else(pac.equal(text, ""), None, text)
    if pa.types.is_timestamp(whole.type):
        times: pd.Series[float] = whole.to_pandas()
        return times
    as_numbers = floats_of(whole)
    if not is_label and as_numbers.null_count == whole.null_count:
        found: pd.Series[float] = as_numbers.to_pandas()
        return found
    return _categories(pa.chunked_array([whole.dictionary_encode()]))


def _dates(day: np.ndarray) -> np.ndarray:
    return day.astype("datetime64[D]").astype("datetime64[us]")


def _once(frame: pd.DataFrame, path: Path, word: str, *, add_up: bool) -> pd.DataFrame:
    """One row a series and period.

    Raises:
        IngestError: there are several, and they are not to be added up.
    """
    repeats = frame.duplicated(_KEY)
    if not repeats.any():
        return frame
    if add_up:
        return _added_up(frame)
    example = frame[repeats.to_numpy()].iloc[0]
    message = (
        f"{int(repeats.sum()):,} of {len(frame):,} rows of {path} repeat a series and {word}, such "
        f"as {example['unique_id']!r} on {example['ds']:%Y-%m-%d}: add them up with --sum, or mend "
        "the file if it holds rows twice."
    )
    raise IngestError(message)


def _added_up(frame: pd.DataFrame) -> pd.DataFrame:
    groups = frame.groupby(_KEY, observed=True, sort=False)
    made = {}
    for name in frame.columns.drop(_KEY):
        is_number = frame[name].dtype.kind == "f"
        how = "mean" if is_number else "first"
        made[name] = groups[name].sum(min_count=1) if name == "y" else groups[name].agg(how)
    return pd.DataFrame(made).reset_index()


def _whole_weeks(
    frame: pd.DataFrame, day: np.ndarray, path: Path
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Days added up to weeks from Monday on, those alone that lie whole within the file's days."""
    monday = day - (day - _MONDAY) % _WEEK_DAYS
    is_whole = (monday >= day.min()) & (monday + _WEEK_DAYS - 1 <= day.max())
    if not is_whole.any():
        message = f"{path} has no whole week from a Monday to a Sunday: take --freq D."
        raise IngestError(message)
    kept = frame.assign(ds=_dates(monday))[is_whole]
    left = int((~is_whole).sum())
    told = "days are added up to weeks from Monday on"
    rest = f"; {left:,} rows of weeks that are not whole are left out" if left else ""
    return _added_up(kept), (told + rest,)
