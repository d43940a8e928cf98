"""Counted: the few different histories of many customers, all that a fit has to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.customer_value.distinct import distinct_rows

__all__ = ["Counted", "counted_histories", "counted_spend"]

_STEPS_OF_A_DOUBLING = 256


@dataclass(frozen=True)
class Counted:
    """The different rows of some columns in ascending order, and how many customers have each."""

    columns: tuple[Array, ...]
    customers: Array

    @classmethod
    def of(cls, columns: Sequence[Array], backend: Backend) -> Self:
        """Every row counted; the same whatever their order."""
        if not len(columns[0]):
            return cls(tuple(columns), backend.xp.zeros(0))
        found = distinct_rows(columns, backend.xp)
        return cls(tuple(found.columns), found.counts(backend.xp).astype("float64"))

    @classmethod
    def merged(cls, parts: Sequence[Self], backend: Backend) -> Self:
        """Those of all customers from those of some, each of whom is in one part."""
        xp = backend.xp
        columns = [xp.concatenate(alike) for alike in zip(*(p.columns for p in parts), strict=True)]
        customers = xp.concatenate([part.customers for part in parts])
        if not len(customers):
            return parts[0]
        found = distinct_rows(columns, xp)
        return cls(tuple(found.columns), found.sums(customers, xp))

    def total(self, holds: Array) -> int:
        """How many customers have a row that it holds for."""
        return int((self.customers * holds).sum())


def counted_histories(histories: Frame, backend: Backend) -> Counted:
    """Of a frame of `purchase_histories`: (frequency, recency, age), which are whole days."""
    names = ("frequency", "recency", "age")
    return Counted.of([backend.as_bits(histories[name]) for name in names], backend)


def counted_spend(histories: Frame, backend: Backend) -> Counted:
    """(purchases, average) of the customers whose average is more than 0.

    Averages are rounded to steps of 2**(1/256), by 0.14 % at most and as often up as down, so
    that their number does not grow with that of customers.
    """
    xp = backend.xp
    average = xp.asarray(histories["average"].values)
    purchases = backend.as_bits(histories["frequency"]) + 1
    paid = average > 0
    steps = xp.rint(xp.log2(average[paid]) * _STEPS_OF_A_DOUBLING)
    return Counted.of([purchases[paid], 2.0 ** (steps / _STEPS_OF_A_DOUBLING)], backend)
