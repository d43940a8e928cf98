"""Panel: many series of one frequency as a dense matrix, each from its first sale on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.forecasting.censoring import fill_unseen
from gpu_pipeline.forecasting.frequency import FREQUENCIES, Freq, Frequency
from gpu_pipeline.forecasting.known_ahead import (
    KnownAhead,
    StaticColumn,
    known_ahead_of,
    static_of,
    with_future,
)
from gpu_pipeline.forecasting.long_frame import LongFrame, numbers, refuse
from gpu_pipeline.forecasting.panel_notes import notes_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FREQUENCIES", "Freq", "Frequency", "Panel"]

_STOCK = "stock"
_BUSY_SERIES = 20  # sold on a usual day: none by chance would be one day in hundreds of millions
_USUAL_PERIODS = 28  # before a period; those of them with trade tell what is usual
_CLOSED_SHARE = 0.02  # of what is usually sold in a period, below which it had no trade
_CLOSED_CYCLES = 4  # in a row, after which a weekday counts as one without trade


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Series x periods, on the device of `backend`.

    `ids` are the series in ascending order, an index of the frame library. `y` is float32
    (series, periods): the demand, 0 where there was no row, so whole numbers are exact up to
    16 million a period. `first` is int64 (series,): the period of the first value that is not
    0, from which on the series is alive; 0 for a series of nothing but zeros. `start_us` is
    the first period in microseconds since 1970 (UTC). Every series lasts until the last period.

    `observed` is bool (series, periods): False before a series is alive, and where its demand was
    not seen (no value, or nothing in stock). There `y` holds what was usual until then, or what was
    sold where that was more: a model may read `y` alone. `known` and `static` are the columns known
    ahead and those that never change; `notes` say in words what was found.
    """

    backend: Backend
    freq: Freq
    ids: "pd.Index[Any]"
    y: Array
    first: Array
    start_us: int
    observed: Array
    known: KnownAhead = field(default_factory=KnownAhead)
    static: Mapping[str, StaticColumn] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: Frame,
        *,
        freq: Freq,
        backend: Backend,
        end: datetime | None = None,
        known_ahead: Sequence[str] = (),
        static: Sequence[str] = (),
        future: Frame | None = None,
    ) -> Self:
        """The panel of a long frame with columns `unique_id`, `ds` and `y`, rows in any order.

        A row is one series in one period; a period without a row counts as no demand, one with a
        null `y` as not seen. Where there is a column `stock` (units that could be sold), neither
        are periods in which it was 0. Days are given at midnight (UTC, without zone); weeks at
        midnight of any one weekday, the same for all. The panel ends at `end`, or else with the
        latest row. `known_ahead` and `static` name further columns, `future` is a frame with the
        former for periods after the end. Of a large frame, ids as categories save memory.

        Raises:
            PanelError: columns are missing, of a wrong type or have nulls; dates are off the
                grid or after `end`; a series has two rows in one period, or several values of a
                static column. Those are refused, not added up: the frame may hold a file twice,
                and only its owner can tell.
        """
        stock = _STOCK in frame.columns and _STOCK not in (*known_ahead, *static)
        rows = LongFrame.checked(
            frame,
            freq=freq,
            backend=backend,
            numeric=["y", _STOCK] if stock else ["y"],
            needed=[*known_ahead, *static],
            end=end,
        )
        columns, faults = static_of(rows, static)
        refuse(freq, faults)
        known = known_ahead_of(rows, known_ahead)
        y, is_seen = _demand(rows, stock=stock)
        panel = cls._of(y, is_seen, rows.ids, rows.start_us, freq, backend)
        notes = notes_of(panel.y, panel.first, panel.observed, rows.has_row, freq, backend)
        panel = replace(panel, known=known, static=columns, notes=notes)
        return panel if future is None else panel.with_future(future)

    @classmethod
    def from_matrix(
        cls,
        ids: Sequence[Any],
        y: Array,
        *,
        start: datetime,
        freq: Freq,
        backend: Backend,
        observed: Array | None = None,
    ) -> Self:
        """The panel of a matrix (series, periods) whose first period is `start`.

        What is not a number was not seen, and so is what `observed` denies.

        Raises:
            PanelError: the shapes don't fit, an id is there twice, or values are infinite.
        """
        xp, index = backend.xp, backend.frames.Index(ids)
        y = xp.asarray(y, dtype="float32")
        refuse(freq, _matrix_faults(index, y, observed, xp), "This matrix is not a panel of series")
        order = xp.asarray(index.argsort())
        is_seen = ~xp.isnan(y) if observed is None else xp.asarray(observed) & ~xp.isnan(y)
        start_us = int(np.datetime64(start, "us").astype("int64"))
        filled = xp.where(xp.isnan(y), np.float32(0), y)[order]
        panel = cls._of(filled, is_seen[order], index.take(order), start_us, freq, backend)
        notes = notes_of(
            panel.y, panel.first, panel.observed, xp.ones(y.shape, dtype=bool), freq, backend
        )
        return replace(panel, notes=notes)

    @classmethod
    def _of(
        cls,
        y: Array,
        is_seen: Array,
        ids: "pd.Index[Any]",
        start_us: int,
        freq: Freq,
        backend: Backend,
    ) -> Self:
        """`y` is 0, or what was sold at least, where it is not `is_seen`; both are written to."""
        first = (y != 0).argmax(axis=1).astype("int64")
        fill_unseen(y, is_seen, first, season=FREQUENCIES[freq].season, backend=backend)
        return cls(
            backend=backend,
            freq=freq,
            ids=ids,
            y=y,
            first=first,
            start_us=start_us,
            observed=is_seen,
        )

    @property
    def season(self) -> int:
        """Periods of a season: 7 days of a week, 52 weeks of a year."""
        return FREQUENCIES[self.freq].season

    @property
    def cycle(self) -> int:
        """Periods after which the weekday comes again."""
        return FREQUENCIES[self.freq].cycle

    def with_future(self, future: Frame, *, steps: int | None = None) -> Self:
        """The panel with its known-ahead columns for the `steps` periods after the last one too.

        `future` has `unique_id`, `ds` and these columns, a row for every series and period. Without
        `steps` they are as many as it has.

        Raises:
            PanelError: it has not, with what is missing or too much.
        """
        known = replace(
            self.known, values=tuple(one[:, : self.y.shape[1]] for one in self.known.values)
        )
        rows = LongFrame.checked(
            future, freq=self.freq, backend=self.backend, numeric=(), needed=self.known.names
        )
        next_us, step_us = int(self.future(1)[0]), FREQUENCIES[self.freq].step_us
        if steps is None:
            steps = max(1, (rows.start_us - next_us) // step_us + rows.periods)
        known, notes = with_future(known, rows, ids=self.ids, next_us=next_us, steps=steps)
        return replace(self, known=known, notes=(*self.notes, *notes))

    def hiding(self, unseen: Array) -> Self:
        """The panel without what was sold in some periods, bool (series, periods): not seen there.

        A product that could not be had in them, for one (`stockouts.days_out_of_stock`).
        """
        xp = self.backend.xp
        y, is_seen = xp.where(unseen, np.float32(0), self.y), self.observed & ~unseen
        # What was zero before a series began was seen: it may begin later without what is hidden.
        before = xp.arange(y.shape[1]) < self.first[:, None]
        made = self._of(y, is_seen | before, self.ids, self.start_us, self.freq, self.backend)
        cells, series = (int(count.sum()) for count in (unseen, unseen.any(axis=1)))
        word = FREQUENCIES[self.freq].word
        told = f"{cells:,} {word}s of {series:,} series are left out as not seen"
        notes = (*self.notes, told) if cells else self.notes
        return replace(made, known=self.known, static=self.static, notes=notes)

    def rows(self, series: slice) -> Self:
        """The panel of some of the series, with what is theirs."""
        return replace(
            self,
            ids=self.ids[series],
            y=self.y[series],
            first=self.first[series],
            observed=self.observed[series],
            known=self.known.rows(series),
            static={
                name: StaticColumn(column.codes[series], column.categories)
                for name, column in self.static.items()
            },
        )

    def open_periods(self) -> Array:
        """Which periods had trade, bool (periods,).

        A period is closed where next to nothing was sold though many series were in the periods
        before (a holiday, a weekly day of rest): its zeros say nothing about demand. In a panel of
        few or rarely sold series every period counts as open.
        """
        xp = self.backend.xp
        sold, units = (self.y != 0).sum(axis=0), self.y.sum(axis=0, dtype="float64")
        now = xp.arange(len(sold))
        since = xp.maximum(now - _USUAL_PERIODS, 0)
        series, usual, periods = (
            _sums_between(values, since, now, xp) for values in (sold, units, sold > 0)
        )
        is_busy = series >= _BUSY_SERIES * xp.maximum(periods, 1)
        return ~is_busy | ((sold > 0) & (units * periods >= _CLOSED_SHARE * usual))

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

    def past(self) -> Array:
        """The periods of the panel, int64 (periods,) microseconds since 1970."""
        periods = self.backend.xp.arange(self.y.shape[1], dtype="int64")
        return self.start_us + FREQUENCIES[self.freq].step_us * periods

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


def _demand(rows: LongFrame, *, stock: bool) -> tuple[Array, Array]:
    """The demand, float32 (series, periods), 0 where there is none, and where it was seen."""
    xp, cells = rows.backend.xp, len(rows.ids) * rows.periods
    y, is_seen = xp.zeros(cells, dtype="float32"), xp.ones(cells, dtype=bool)
    for part, cell in rows.pieces():
        demand = numbers(rows.frame["y"], part, rows.backend)
        is_null = xp.isnan(demand)
        y[cell] = xp.where(is_null, np.float32(0), demand)
        is_seen[cell] = ~is_null
        if stock:
            is_seen[cell] &= numbers(rows.frame[_STOCK], part, rows.backend) != 0
    shape = (len(rows.ids), rows.periods)
    return y.reshape(shape), is_seen.reshape(shape)


def _matrix_faults(
    ids: "pd.Index[Any]", y: Array, observed: Array | None, xp: ModuleType
) -> list[str]:
    if y.ndim != 2 or len(ids) != len(y) or 0 in y.shape:
        return [f"y is {y.shape} for {len(ids)} ids: give (series, periods), at least one of each"]
    faults = []
    if len(ids.unique()) != len(ids):
        faults.append(f"{len(ids) - len(ids.unique())} ids are there twice")
    if observed is not None and observed.shape != y.shape:
        faults.append(f"observed is {observed.shape}, y is {y.shape}")
    endless = int(xp.isinf(y).sum())
    return [*faults, f"y has {endless} infinite values"] if endless else faults


def _sums_between(values: Array, begin: Array, end: Array, xp: ModuleType) -> Array:
    """For each i the sum of `values` from `begin[i]` up to, not including, `end[i]`."""
    sums = xp.concatenate([xp.zeros(1), xp.cumsum(values, dtype="float64")])
    return sums[end] - sums[begin]
