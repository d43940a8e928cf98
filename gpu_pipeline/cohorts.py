"""Cohorts: of those who first bought in a month or week, who comes back in each later one."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds, moment_of, times_of
from gpu_pipeline.kernels import rows_of_runs, run_starts, segment_sums
from gpu_pipeline.ordering import Rows, in_pieces
from gpu_pipeline.orders import business_day

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["retention"]

Period = Literal["month", "week"]
_DAY = 86_400_000_000  # microseconds
_WEEK, _YEAR = 7, 12  # days, months
_MONDAY = 3  # days from a Monday to 1970-01-01
_EPOCH = 1970 * _YEAR  # months from year 0 to 1970-01-01
_MOST_PERIODS = 1 << 32


def retention(
    frame: "Frame | dd.DataFrame",
    *,
    period: Period = "month",
    as_of: datetime | None = None,
    customer: str = "customer_key",
    time: str = "ordered_at",
    order: str | None = None,
    amount: str | None = None,
    time_zone: str = "UTC",
) -> Frame:
    """How many customers of each cohort buy again, period by period, as a long table.

    The frame (pandas, cuDF or Dask) has one row an order, or with `order`, the column of order
    ids, one an order line; keep only sales in it. A cohort are the customers whose first row lies
    in that month or week (from Monday) of business days in `time_zone`. Only periods that were
    over at `as_of` (UTC; by default the latest row) have rows, those without a returning customer
    too: where the table ends, nothing is known yet.

    Columns: cohort (its first day), periods_later (0 is the cohort's own), cohort_customers,
    customers (who bought in that period), share (of the cohort), orders, and with `amount`, a
    column of whole minor units, revenue. An order counts once, where its first line is. Rows come
    in order of cohort and period; of a Dask frame the table is computed.

    Raises:
        PipelineError: a column is not there, a row has no customer or time, or `period` is none.

    >>> import pandas as pd
    >>> days = pd.to_datetime(["2026-01-05", "2026-01-09", "2026-02-03", "2026-03-01"])
    >>> orders = pd.DataFrame({"customer_key": [1, 2, 1, 1], "ordered_at": days})
    >>> retention(orders)["share"].tolist()
    [1.0, 0.5]
    """
    columns = _Columns(customer, time, order, amount)
    asked = _Asked(columns, period, None if as_of is None else moment_of(as_of), time_zone)
    asked.check(list(frame.columns))
    if hasattr(frame, "map_partitions"):
        found, backend = _of_partitions(cast("dd.DataFrame", frame)[columns.names], asked)
    else:
        held = cast("Frame", frame)
        found, backend = [_of_lines(held, asked)], Backend.of(held)
    cells = _Cells.summed([part for part, _ in found], backend)
    # Without a row there is no period, at any moment.
    latest = max((last for _, last in found if last is not None), default=0)
    return _table(cells, latest if asked.as_of is None else asked.as_of, asked, backend)


class _Columns(NamedTuple):
    """Which column says who, when, in which order, and for how much."""

    customer: str
    time: str
    order: str | None
    amount: str | None

    @property
    def names(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys(name for name in self if name is not None))


@dataclass(frozen=True)
class _Asked:
    """The question; `as_of` in microseconds."""

    columns: _Columns
    period: Period
    as_of: int | None
    time_zone: str

    def check(self, there: list[str]) -> None:
        """Holds the question to the frame's columns."""
        missing = [name for name in self.columns.names if name not in there]
        if missing:
            message = f"No column {', '.join(missing)} among {', '.join(map(str, there))}."
            raise PipelineError(message)
        if self.period not in _NUMBERS:
            message = f"{self.period!r} is no period: there are {', '.join(_NUMBERS)}."
            raise PipelineError(message)


@dataclass(frozen=True)
class _Cells:
    """One entry a cohort and a period that had rows: which, and what was counted; all int64.

    `cell` is the number of the cohort's period times 2**32, and how many periods later.
    """

    cell: Array
    customers: Array
    orders: Array
    amount: Array

    @classmethod
    def summed(cls, parts: Sequence["_Cells"], backend: Backend) -> "_Cells":
        """Those of all parts, which share no customer, in order of cohort and period."""
        xp = backend.xp
        if not parts:
            return cls(*(xp.zeros(0, dtype=xp.int64) for _ in range(4)))
        return cls(
            xp.concatenate([part.cell for part in parts]),
            xp.concatenate([part.customers for part in parts]),
            xp.concatenate([part.orders for part in parts]),
            xp.concatenate([part.amount for part in parts]),
        ).together(xp)

    def together(self, xp: ModuleType) -> "_Cells":
        """With one entry of each cohort and period, in their order."""
        order = xp.argsort(self.cell, kind="stable")
        cell = self.cell[order]
        starts = run_starts([cell], xp)
        return _Cells(
            cell[starts],
            segment_sums(self.customers[order], starts, xp),
            segment_sums(self.orders[order], starts, xp),
            segment_sums(self.amount[order], starts, xp),
        )


def _of_partitions(
    lines: "dd.DataFrame", asked: _Asked
) -> tuple[list[tuple[_Cells, int | None]], Backend]:
    if lines.npartitions > 1:
        lines = lines.shuffle(on=[asked.columns.customer])
    # Partitions are worked on side by side already.
    parts = [delayed(_of_lines)(part, asked, threads=1) for part in lines.to_delayed()]
    return list(compute(*parts)), Backend.of(lines._meta)


def _of_lines(
    lines: Frame, asked: _Asked, *, threads: int | None = None
) -> tuple[_Cells, int | None]:
    """(what whole customers come to, the time of the latest row, None where there is none)."""
    backend = Backend.of(lines)
    xp, columns = backend.xp, asked.columns
    time = microseconds(lines[columns.time], columns.time, backend)
    customer = customer_codes(lines[columns.customer], columns.customer, backend)
    placed, amount = xp.arange(len(lines)), xp.zeros(len(lines), dtype=xp.int64)
    if columns.order is not None:
        placed = xp.asarray(lines[columns.order].factorize()[0]).astype(xp.int64)
    if columns.amount is not None:
        amount = backend.as_bits(lines[columns.amount].astype("int64"))
    values = [customer, _periods(time, asked, backend), placed, amount]
    if asked.as_of is not None:
        values = [column[time <= asked.as_of] for column in values]
    count = partial(_of_piece, orders=len(lines), backend=backend)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        found = list(pool.map(count, in_pieces(values, backend, pool.map)))
    return _Cells.summed(found, backend), int(time.max()) if len(time) else None


def _of_piece(parts: Sequence[Rows], *, orders: int, backend: Backend) -> _Cells:
    """What some customers come to; `orders` is more than any number of an order."""
    xp = backend.xp
    rows = Rows.joined(parts, xp).in_order(backend)
    customer, period, placed, amount = rows.columns
    starts = run_starts([customer], xp)
    lengths = xp.diff(xp.concatenate([starts, xp.asarray([len(customer)])]))
    cohort = xp.repeat(period[starts], lengths)
    # Rows lie in order of time: of an order's lines, the first of its first period counts.
    who = xp.repeat(xp.arange(len(starts)), lengths)
    is_again = backend.frames.Series(who * orders + placed).duplicated()
    is_first = xp.zeros(len(customer), dtype=xp.int64)
    is_first[run_starts([who, period], xp)] = 1
    return _Cells(
        cell=cohort * _MOST_PERIODS + period - cohort,
        customers=is_first,
        orders=1 - xp.asarray(is_again.values).astype(xp.int64),
        amount=amount,
    ).together(xp)


def _table(cells: _Cells, moment: int, asked: _Asked, backend: Backend) -> Frame:
    """The triangle of the periods that are over, those that nobody came back in too."""
    xp = backend.xp
    running = int(_periods(xp.asarray([moment]), asked, backend)[0])
    cohort, later = cells.cell // _MOST_PERIODS, cells.cell % _MOST_PERIODS
    over = cohort + later < running
    starts = run_starts([cohort[over]], xp)
    first = cohort[over][starts]
    ends = xp.cumsum(running - first)
    number = xp.searchsorted(first, cohort[over])
    place = (ends - (running - first))[number] + later[over]
    counted = xp.zeros((3, int((running - first).sum())), dtype=xp.int64)
    counted[:, place] = xp.stack([cells.customers, cells.orders, cells.amount])[:, over]
    members = xp.repeat(cells.customers[over][starts], running - first)
    begins = _FIRST_DAYS[asked.period](backend.to_host(first))
    table = {
        "cohort": times_of(xp.repeat(xp.asarray(begins), running - first), backend),
        "periods_later": rows_of_runs(xp.zeros_like(first), running - first, xp),
        "cohort_customers": members,
        "customers": counted[0],
        "share": counted[0] / members,
        "orders": counted[1],
    }
    if asked.columns.amount is not None:
        table["revenue"] = counted[2]
    return backend.frames.DataFrame(table)


def _periods(time: Array, asked: _Asked, backend: Backend) -> Array:
    """The number of the period in which each time lies."""
    return _NUMBERS[asked.period](business_day(times_of(time, backend), asked.time_zone), backend)


def _month_numbers(days: Series, backend: Backend) -> Array:
    number: Array = backend.xp.asarray((days.dt.year * _YEAR + days.dt.month - 1).values)
    return number.astype("int64")


def _week_numbers(days: Series, backend: Backend) -> Array:
    return (backend.as_bits(days) // _DAY + _MONDAY) // _WEEK


def _first_of_months(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (numbers - _EPOCH).astype("M8[M]").astype("M8[us]").astype(np.int64)


def _first_of_weeks(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (numbers * _WEEK - _MONDAY) * _DAY


_NUMBERS: dict[str, Callable[[Series, Backend], Array]] = {
    "month": _month_numbers,
    "week": _week_numbers,
}
_FIRST_DAYS = {"month": _first_of_months, "week": _first_of_weeks}
