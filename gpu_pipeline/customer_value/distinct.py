"""Distinct rows: customers with equal histories count as one, as often as there are any."""

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from gpu_pipeline.backend import Array
from gpu_pipeline.kernels import run_starts, segment_sums, stable_order

__all__ = ["Distinct", "distinct_rows"]

_NARROW = 1 << 20
_WIDEST = 1 << 62


class Distinct(NamedTuple):
    """The distinct rows of some columns, in ascending order of these.

    `columns` are their values, `order` puts the rows they came from in the same order, `starts`
    says where in that order each begins.
    """

    columns: list[Array]
    order: Array
    starts: Array

    def counts(self, xp: ModuleType) -> Array:
        """How many rows each stands for."""
        rows = xp.asarray([len(self.order)], dtype=self.starts.dtype)
        return xp.diff(xp.concatenate([self.starts, rows]))

    def sums(self, weights: Array, xp: ModuleType) -> Array:
        """The weights of the rows that each stands for, added up."""
        return segment_sums(weights[self.order], self.starts, xp)

    def spread(self, values: Array, xp: ModuleType) -> Array:
        """One value for each distinct row, given to every row it stands for."""
        is_start = xp.zeros(len(self.order), dtype=xp.int64)
        is_start[self.starts] = 1
        rows = xp.empty(len(self.order), dtype=values.dtype)
        rows[self.order] = values[xp.cumsum(is_start) - 1]
        return rows


def distinct_rows(columns: Sequence[Array], xp: ModuleType) -> Distinct:
    """The distinct rows of the columns, which hold finite numbers.

    Linear but for the sort of one whole number a row; memory: about 32 bytes a row.
    """
    codes = _row_codes(columns, xp) if len(columns[0]) else xp.zeros(0, dtype=xp.int64)
    order = stable_order(codes, xp)
    starts = run_starts([codes[order]], xp)
    first = order[starts]
    return Distinct([column[first] for column in columns], order, starts)


def _row_codes(columns: Sequence[Array], xp: ModuleType) -> Array:
    """One whole number for each row, in the order of the columns, the first one decisive."""
    codes, span = _codes(columns[0], xp)
    for column in columns[1:]:
        more, width = _codes(column, xp)
        if span * width > _WIDEST:
            codes, span = _ranks(codes, xp)
        codes, span = codes * width + more, span * width
    return codes


def _codes(column: Array, xp: ModuleType) -> tuple[Array, int]:
    """(a whole number from 0 for each value, in their order; one more than the greatest)."""
    low, high = float(column.min()), float(column.max())
    if high - low < _NARROW and bool((column == xp.floor(column)).all()):
        return column.astype(xp.int64) - int(low), int(high - low) + 1
    return _ranks(column, xp)


def _ranks(column: Array, xp: ModuleType) -> tuple[Array, int]:
    values, ranks = xp.unique(column, return_inverse=True)
    return ranks.astype(xp.int64, copy=False), len(values)
