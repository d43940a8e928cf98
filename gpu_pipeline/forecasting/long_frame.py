"""LongFrame: a checked frame with a row a series and period, as cells of a matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.frequency import DAY_US, FREQUENCIES, Freq, Frequency, day_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coded", "LongFrame", "coded", "host_list", "numbers", "refuse"]

_MOST_CELLS, _MOST_CELLS_A_ROW = 100_000_000, 100
_WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A column as the places of its values among the distinct ones: `codes` (rows,), null -1.

    `values` are the distinct values in ascending order, an index of the frame library.
    """

    codes: Array
    values: "pd.Index[Any]"


@dataclass(frozen=True, kw_only=True)
class LongFrame:
    """The rows of a frame as cells of a matrix of `ids` x `periods`, the first at `start_us`.

    Rows are walked in pieces, so that of a large frame no second copy is made.
    """

    frame: Frame
    backend: Backend
    freq: Freq
    series: Array
    ids: "pd.Index[Any]"
    start_us: int
    periods: int

    @classmethod
    def checked(
        cls,
        frame: Frame,
        *,
        freq: Freq,
        backend: Backend,
        numeric: Sequence[str],
        needed: Sequence[str] = (),
        end: datetime | None = None,
    ) -> Self:
        """The frame, with columns `unique_id`, `ds`, the numbers `numeric` and those `needed`.

        Raises:
            PanelError: with all faults of a kind that were found.
        """
        refuse(freq, _column_faults(frame, numeric, needed))
        refuse(freq, _value_faults(frame, numeric, backend))
        start_us, latest_us = _span(frame["ds"], backend)
        end_us = latest_us if end is None else int(np.datetime64(end, "us").astype("int64"))
        refuse(freq, _date_faults(frame["ds"], start_us, end_us, FREQUENCIES[freq], backend))
        ids = coded(frame["unique_id"], backend)
        found = cls(
            frame=frame,
            backend=backend,
            freq=freq,
            series=ids.codes,
            ids=ids.values,
            start_us=start_us,
            periods=(end_us - start_us) // FREQUENCIES[freq].step_us + 1,
        )
        refuse(freq, found.size_faults())
        refuse(freq, found.repeat_faults())
        return found

    def pieces(self) -> Iterator[tuple[slice, Array]]:
        """Some rows after the others, and the cell of each: its series x periods + its period."""
        step_us = FREQUENCIES[self.freq].step_us
        for rows in _pieces(len(self.frame), self.backend.rows_at_once):
            period = (_times(self.frame["ds"], rows, self.backend) - self.start_us) // step_us
            yield rows, self.series[rows].astype("int64") * self.periods + period

    @cached_property
    def has_row(self) -> Array:
        """Which cells have a row, bool (series, periods)."""
        found = self.backend.xp.zeros(len(self.ids) * self.periods, dtype=bool)
        for _, cell in self.pieces():
            found[cell] = True
        return found.reshape(len(self.ids), self.periods)

    def size_faults(self) -> list[str]:
        """What is wrong where a few rows span so many periods that a date must be wrong."""
        cells, rows = len(self.ids) * self.periods, len(self.frame)
        if cells <= max(_MOST_CELLS, _MOST_CELLS_A_ROW * rows):
            return []
        end_us = self.start_us + (self.periods - 1) * FREQUENCIES[self.freq].step_us
        return [
            f"{rows} rows of {len(self.ids)} series span {day_text(self.start_us)} to "
            f"{day_text(end_us)}: mend dates that are far from the others"
        ]

    def repeat_faults(self) -> list[str]:
        """What is wrong where two rows have one cell: a file may be there twice."""
        rows = len(self.frame)
        repeats = rows - int(self.has_row.sum())
        if not repeats:
            return []
        series, period = divmod(self._first_repeated(), self.periods)
        at = day_text(self.start_us + period * FREQUENCIES[self.freq].step_us)
        return [
            f"{repeats} of {rows} rows repeat a (unique_id, ds), such as "
            f"{host_list(self.ids[series : series + 1], self.backend)[0]!r} on {at}: "
            "add up y by these two first"
        ]

    def _first_repeated(self) -> int:
        """The cell of the first row that repeats an earlier one; -1 where none does."""
        xp = self.backend.xp
        seen = xp.zeros(len(self.ids) * self.periods, dtype=bool)
        for _, cell in self.pieces():
            is_first = xp.zeros(len(cell), dtype=bool)
            is_first[xp.unique(cell, return_index=True)[1]] = True
            repeats = seen[cell] | ~is_first
            if bool(repeats.any()):
                return int(cell[repeats.argmax()])
            seen[cell] = True
        return -1


def refuse(
    freq: Freq, faults: list[str], what: str = "This frame is not a panel of series"
) -> None:
    """Raises PanelError with all the faults, where there are some."""
    if faults:
        message = f"{what} (freq {freq!r}): {'; '.join(faults)}."
        raise PanelError(message)


def coded(values: Series, backend: Backend) -> Coded:
    """The column in codes of its distinct values in ascending order; categories are used as such.

    A category that no row has is not among the values.
    """
    xp = backend.xp
    codes, found = (
        (values.cat.codes.astype("int32").fillna(-1).values, values.cat.categories)
        if str(values.dtype) == "category"
        else values.factorize()
    )
    codes, distinct = xp.asarray(codes), backend.frames.Index(found)
    is_used = xp.zeros(len(distinct) + 1, dtype=bool)
    for rows in _pieces(len(codes), backend.rows_at_once):
        is_used[codes[rows]] = True  # a null, -1, is the place at the end
    order = xp.asarray(distinct.argsort())
    order = order[is_used[order]]
    place = xp.full(len(distinct) + 1, -1, dtype="int32")
    place[order] = xp.arange(len(order), dtype="int32")
    return Coded(codes=place[codes], values=distinct.take(order))


def numbers(values: Series, rows: slice, backend: Backend) -> Array:
    """Some rows of a column of numbers or truth values, float32; a null is not a number."""
    part = values.iloc[rows].astype("float32")
    is_null = backend.xp.asarray(part.isna().values)
    return backend.xp.where(is_null, np.float32("nan"), backend.xp.asarray(part.fillna(0).values))


def host_list(index: "pd.Index[Any]", backend: Backend) -> list[Any]:
    """The values of an index of the frame library, in host memory."""
    host = index if backend.device == "cpu" else index.to_pandas()  # type: ignore[attr-defined]
    values: list[Any] = host.tolist()
    return values


def _pieces(rows: int, at_once: int) -> Iterator[slice]:
    for begin in range(0, rows, at_once):
        yield slice(begin, min(begin + at_once, rows))


def _times(ds: Series, rows: slice, backend: Backend) -> Array:
    """Some rows as microseconds since 1970, int64."""
    return backend.xp.asarray(ds.iloc[rows].astype("datetime64[us]").astype("int64").values)


def _column_faults(frame: Frame, numeric: Sequence[str], needed: Sequence[str]) -> list[str]:
    asked = dict.fromkeys(("unique_id", "ds", *numeric, *needed))
    missing = [name for name in asked if name not in frame.columns]
    if missing:
        found = ", ".join(str(name) for name in frame.columns) or "none"
        return [f"columns {', '.join(missing)} are missing; it has {found}"]
    faults = [] if len(frame) else ["it has no rows"]
    ds = frame["ds"].dtype
    if ds.kind != "M" or getattr(ds, "tz", None) is not None:
        faults.append(f"ds is {ds}, not a time without zone: convert it to UTC with to_datetime")
    return faults + [
        f"{name} is {frame[name].dtype}, not a number"
        for name in numeric
        if frame[name].dtype.kind not in "iuf"
    ]


def _value_faults(frame: Frame, numeric: Sequence[str], backend: Backend) -> list[str]:
    nulls = {name: int(frame[name].isna().sum()) for name in ("unique_id", "ds")}
    faults = [f"{name} has {count} nulls" for name, count in nulls.items() if count]
    for name in numeric:
        endless = sum(
            int(backend.xp.isinf(numbers(frame[name], rows, backend)).sum())
            for rows in _pieces(len(frame), backend.rows_at_once)
        )
        if endless:
            faults.append(f"{name} has {endless} infinite values")
    return faults


def _span(ds: Series, backend: Backend) -> tuple[int, int]:
    """The first and the last date, in microseconds since 1970."""
    pieces = [_times(ds, rows, backend) for rows in _pieces(len(ds), backend.rows_at_once)]
    return min(int(part.min()) for part in pieces), max(int(part.max()) for part in pieces)


def _date_faults(
    ds: Series, start_us: int, end_us: int, frequency: Frequency, backend: Backend
) -> list[str]:
    off, late, example = 0, 0, ""
    for rows in _pieces(len(ds), backend.rows_at_once):
        at = _times(ds, rows, backend)
        is_off = (at % DAY_US != 0) | ((at - start_us) % frequency.step_us != 0)
        off, late = off + int(is_off.sum()), late + int((at > end_us).sum())
        if not example and bool(is_off.any()):
            example = _moment_text(int(at[is_off.argmax()]))
    faults = []
    if off:
        faults.append(
            f"{off} of {len(ds)} dates are not {frequency.grid}, such as {example} (the first "
            f"is {_moment_text(start_us)}): round them down and add up y"
        )
    if (end_us - start_us) % frequency.step_us:
        faults.append(f"the end {day_text(end_us)} is not {frequency.grid}")
    if late:
        faults.append(f"{late} of {len(ds)} dates are after the end, {day_text(end_us)}")
    return faults


def _moment_text(moment_us: int) -> str:
    """The weekday, the date and the time of day, where it is not midnight."""
    weekday = _WEEKDAYS[moment_us // DAY_US % 7]
    clock = "" if moment_us % DAY_US == 0 else f" {np.datetime64(moment_us, 'us').item():%H:%M}"
    return f"{weekday}, {day_text(moment_us)}{clock}"
