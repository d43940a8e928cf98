"""Histories: rows of a table with each customer's together and in order of time, as array code."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.kernels import is_in_order, run_starts, segment_sums
from gpu_pipeline.ordering import in_order

__all__ = [
    "MICROSECONDS_PER_DAY",
    "Histories",
    "divided",
    "in_place",
    "of_customers_until",
]

MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class Histories:
    """Where the histories of customers lie: `customers` ascending, each from its start on.

    `rows` are the rows of the frame in this order, `time` their times in microseconds.
    """

    rows: slice | Array
    time: Array
    customers: Array
    starts: Array
    backend: Backend

    @classmethod
    def of(cls, customer: Array, time: Array, backend: Backend) -> Self:
        """The histories of all rows; those that lie in order already are only looked at."""
        rows = in_place(customer, time, backend)
        starts = run_starts([customer[rows]], backend.xp)
        return cls(rows, time[rows], customer[rows][starts], starts, backend)

    @cached_property
    def lengths(self) -> Array:
        """How many rows each customer has."""
        xp = self.backend.xp
        return xp.diff(xp.concatenate([self.starts, xp.asarray([len(self.time)])]))

    @property
    def last(self) -> Array:
        """The last row of each customer, in this order."""
        return self.starts + self.lengths - 1

    def sums(self, values: Array) -> Array:
        """The sum of each customer's values, which come in the order of the frame; int64 exact."""
        return segment_sums(values[self.rows], self.starts, self.backend.xp)

    def counts(self, holds: Array) -> Array:
        """How many rows of each customer it holds for."""
        return self.sums(holds.astype("int64"))

    def at(self, customers: Array, values: Array, missing: float = 0) -> Array:
        """The values, one a customer here, for other customers; `missing` who is not here."""
        xp = self.backend.xp
        if not len(self.customers):
            return xp.full(len(customers), missing, dtype=values.dtype)
        place = xp.searchsorted(self.customers, customers)
        place = xp.minimum(place, len(self.customers) - 1)
        return xp.where(self.customers[place] == customers, values[place], missing)


def in_place(customer: Array, time: Array, backend: Backend) -> slice | Array:
    """What puts rows in order of (customer, time): everything as it is, or places."""
    if is_in_order([customer, time], backend.xp):
        return slice(None)
    return in_order(customer, time, backend)


def of_customers_until(moment: np.datetime64, frame: Frame, time: str) -> Frame:
    """The rows of customers, not of guests or visitors, until the moment."""
    rows = frame[(frame["key_kind"] == "customer") & (frame[time] <= moment)]
    return rows.reset_index(drop=True)


def divided(values: Array, by: Array, backend: Backend) -> Series:
    """The quotients as float64, null where `by` is 0."""
    there = by != 0
    quotients = values / backend.xp.where(there, by, 1)
    frames = backend.frames
    # Through `where`: a NaN is no null on every device.
    found: Series = frames.Series(quotients).where(frames.Series(there))
    return found
