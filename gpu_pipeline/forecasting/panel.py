"""Panel: many series of one frequency as a dense matrix, each from its first sale on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PanelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FREQUENCIES", "Freq", "Frequency", "Panel"]

Freq: TypeAlias = Literal["D", "W"]

_DAY_US = 86_400_000_000
_BUSY_SERIES = 20  # sold on a usual day: none by chance would be one day in hundreds of millions
_USUAL_PERIODS = 28  # before a period; those of them with trade tell what is usual
_CLOSED_CYCLES = 4  # in a row, after which a weekday counts as one without trade


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """What a period is: its length, the periods of a season, and what dates must share.

    Forecast origins lie a whole number of `cycle` periods apart, so that step k of every
    backtest window falls on the same weekday as step k of the forecast.
    """

    step_us: int
    season: int
    cycle: int
    grid: str


FREQUENCIES: dict[Freq, Frequency] = {
    "D": Frequency(step_us=_DAY_US, season=7, cycle=7, grid="at midnight"),
    "W": Frequency(step_us=7 * _DAY_US, season=52, cycle=1, grid="at midnight of one weekday"),
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Series x periods, on the device of `backend`.

    `ids` are the series in ascending order, an index of the frame library. `y` is float32
    (series, periods): the demand, 0 where there was no row, so whole numbers are exact up to
    16 million a period. `first` is int64 (series,): the period of the first value that is not
    0, from which on the series is alive; 0 for a series of nothing but zeros. `start_us` is
    the first period in microseconds since 1970 (UTC). Every series lasts until the last period.
    """

    backend: Backend
    freq: Freq
    ids: "pd.Index[Any]"
    y: Array
    first: Array
    start_us: int

    @classmethod
    def from_frame(
        cls, frame: Frame, *, freq: Freq, backend: Backend, end: datetime | None = None
    ) -> Self:
        """The panel of a long frame with columns `unique_id`, `ds` and `y`, rows in any order.

        A row is one series in one period; a period without a row counts as no demand. Days are
        given at midnight (UTC, without zone); weeks at midnight of any one weekday, the same
        for all. The panel ends at `end`, or else with the latest row.

        Raises:
            PanelError: columns are missing, of a wrong type or have nulls; dates are off the
                grid or after `end`; a series has two rows in one period. Those are refused, not
                added up: the frame may hold a file twice, and only its owner can tell.
        """
        _refuse(freq, _column_faults(frame))
        _refuse(freq, _value_faults(frame))
        xp, step_us = backend.xp, FREQUENCIES[freq].step_us
        ds_us = xp.asarray(frame["ds"].astype("datetime64[us]").astype("int64").values)
        start_us, latest_us = int(ds_us.min()), int(ds_us.max())
        end_us = latest_us if end is None else int(np.datetime64(end, "us").astype("int64"))
        _refuse(freq, _date_faults(ds_us, start_us, end_us, FREQUENCIES[freq]))

        codes, ids = _sorted_codes(frame["unique_id"], backend)
        periods = (end_us - start_us) // step_us + 1
        cell = codes * periods + (ds_us - start_us) // step_us
        _refuse(freq, _repeat_faults(cell, len(ids) * periods, backend))
        y = xp.zeros(len(ids) * periods, dtype="float32")
        y[cell] = xp.asarray(frame["y"].astype("float32").values)
        y = y.reshape(len(ids), periods)
        first = (y != 0).argmax(axis=1).astype("int64")
        return cls(backend=backend, freq=freq, ids=ids, y=y, first=first, start_us=start_us)

    @property
    def season(self) -> int:
        """Periods of a season: 7 days of a week, 52 weeks of a year."""
        return FREQUENCIES[self.freq].season

    @property
    def cycle(self) -> int:
        """Periods after which the weekday comes again."""
        return FREQUENCIES[self.freq].cycle

    def open_periods(self) -> Array:
        """Which periods had trade, bool (periods,).

        A period is closed where not one series was sold though many were in the periods before
        (a holiday, a weekly day of rest): its zeros say nothing about demand. In a panel of few
        or rarely sold series every period counts as open.
        """
        xp = self.backend.xp
        sold = (self.y != 0).sum(axis=0)
        now = xp.arange(len(sold))
        since = xp.maximum(now - _USUAL_PERIODS, 0)
        series, periods = (
            _sums_between(sold, since, now, xp),
            _sums_between(sold > 0, since, now, xp),
        )
        return (sold > 0) | (series < _BUSY_SERIES * xp.maximum(periods, 1))

    def open_steps(self, *, origin: int, steps: int) -> Array:
        """Which of the `steps` periods from `origin` on fall on weekdays with trade, bool (steps,).

        A weekday is without if the shop was closed on its last four before `origin`.
        """
        xp, cycle = self.backend.xp, self.cycle
        seen = _CLOSED_CYCLES * cycle
        if origin < seen:
            return xp.ones(steps, dtype=bool)
        recent = self.open_periods()[origin - seen : origin].reshape(-1, cycle)
        return recent.max(axis=0)[xp.arange(steps) % cycle]

    def future(self, steps: int) -> Array:
        """The `steps` periods after the last one, int64 (steps,) microseconds since 1970."""
        xp, step_us = self.backend.xp, FREQUENCIES[self.freq].step_us
        next_us = self.start_us + self.y.shape[1] * step_us
        return next_us + step_us * xp.arange(steps, dtype="int64")

    def blocks(self, *, bytes_per_series: int, budget_bytes: int) -> Iterator[slice]:
        """Consecutive runs of series, each of which fits the budget (or is a single series)."""
        size = max(1, budget_bytes // bytes_per_series)
        for begin in range(0, len(self.ids), size):
            yield slice(begin, min(begin + size, len(self.ids)))


def _refuse(freq: Freq, faults: list[str]) -> None:
    if faults:
        message = f"This frame is not a panel of series (freq {freq!r}): {'; '.join(faults)}."
        raise PanelError(message)


def _column_faults(frame: Frame) -> list[str]:
    missing = [name for name in ("unique_id", "ds", "y") if name not in frame.columns]
    if missing:
        found = ", ".join(str(name) for name in frame.columns) or "none"
        return [f"columns {', '.join(missing)} are missing; it has {found}"]
    faults = [] if len(frame) else ["it has no rows"]
    ds, y = frame["ds"].dtype, frame["y"].dtype
    if ds.kind != "M" or getattr(ds, "tz", None) is not None:
        faults.append(f"ds is {ds}, not a time without zone: convert it to UTC with to_datetime")
    if y.kind not in "iuf":
        faults.append(f"y is {y}, not a number")
    return faults


def _value_faults(frame: Frame) -> list[str]:
    nulls = {name: int(frame[name].isna().sum()) for name in ("unique_id", "ds", "y")}
    faults = [f"{name} has {count} nulls" for name, count in nulls.items() if count]
    endless = int(frame["y"].abs().isin([float("inf")]).sum())
    return [*faults, f"y has {endless} infinite values"] if endless else faults


def _date_faults(ds_us: Array, start_us: int, end_us: int, frequency: Frequency) -> list[str]:
    faults = []
    off = int(((ds_us % _DAY_US != 0) | ((ds_us - start_us) % frequency.step_us != 0)).sum())
    if off:
        faults.append(
            f"{off} of {len(ds_us)} dates are not {frequency.grid}: round them down and add up y"
        )
    if (end_us - start_us) % frequency.step_us:
        faults.append(f"the end {_day(end_us)} is not {frequency.grid}")
    late = int((ds_us > end_us).sum())
    if late:
        faults.append(f"{late} of {len(ds_us)} dates are after the end, {_day(end_us)}")
    return faults


def _repeat_faults(cell: Array, cells: int, backend: Backend) -> list[str]:
    seen = backend.xp.zeros(cells, dtype=bool)
    seen[cell] = True
    repeats = len(cell) - int(seen.sum())
    if not repeats:
        return []
    return [f"{repeats} of {len(cell)} rows repeat a (unique_id, ds): add up y by these two first"]


def _sorted_codes(values: Series, backend: Backend) -> "tuple[Array, pd.Index[Any]]":
    """Each value's place among the distinct values in ascending order, and those values."""
    xp = backend.xp
    codes, found = values.factorize()
    distinct = backend.frames.Index(found)
    order = xp.asarray(distinct.argsort())
    place = xp.empty(len(order), dtype="int64")
    place[order] = xp.arange(len(order))
    return place[xp.asarray(codes)], distinct.take(order)


def _sums_between(values: Array, begin: Array, end: Array, xp: ModuleType) -> Array:
    """For each i the sum of `values` from `begin[i]` up to, not including, `end[i]`."""
    sums = xp.concatenate([xp.zeros(1, dtype="int64"), xp.cumsum(values)])
    return sums[end] - sums[begin]


def _day(moment_us: int) -> str:
    return str(np.datetime64(moment_us, "us"))[:10]
