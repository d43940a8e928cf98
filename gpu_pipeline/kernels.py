"""Array kernels: codes, boundaries and segment reductions that every per-customer step shares.

Pure functions of arrays, written once for NumPy and CuPy (`xp`). Times are int64 microseconds.
"""

from collections.abc import Sequence
from types import ModuleType

from gpu_pipeline.backend import Array

__all__ = ["mixed_hash", "ordinals_in_runs", "reversed_pairs", "run_starts", "segment_sums"]

# Odd constants of splitmix64 (Steele, Lea, Flood 2014), as signed integers.
_GOLDEN = -7046029254386353131
_MIX = -4658895280553007687
_POSITIVE = 0x7FFFFFFFFFFFFFFF


def run_starts(columns: Sequence[Array], xp: ModuleType) -> Array:
    """Where a run of rows with equal values in all `columns` begins; rows lie in order."""
    changed = xp.ones(len(columns[0]), dtype=bool)
    if len(changed) > 1:
        changed[1:] = columns[0][1:] != columns[0][:-1]
        for column in columns[1:]:
            changed[1:] |= column[1:] != column[:-1]
    return xp.flatnonzero(changed)


def segment_sums(values: Array, starts: Array, xp: ModuleType) -> Array:
    """The sum of each run that begins at `starts`; exact for integers."""
    if not len(starts):
        return values[:0]
    total: Array = xp.add.reduceat(values, starts)
    return total


def ordinals_in_runs(starts: Array, rows: int, xp: ModuleType) -> Array:
    """0, 1, 2, … within each run."""
    lengths = xp.diff(xp.concatenate([starts, xp.asarray([rows])]))
    return xp.arange(rows) - xp.repeat(starts, lengths)


def mixed_hash(columns: Sequence[Array], xp: ModuleType) -> Array:
    """One well-mixed non-negative int64 for each row of the int64 columns; the same anywhere.

    Integer arithmetic alone, which wraps alike on every device.
    """
    mixed = xp.zeros(len(columns[0]), dtype=xp.int64)
    for column in columns:
        mixed = (mixed ^ column) * _GOLDEN
        mixed = (mixed ^ (mixed >> 29)) * _MIX
        mixed = mixed ^ (mixed >> 32)
    return mixed & _POSITIVE


def reversed_pairs(
    group: Array, time: Array, quantity: Array, *, within: int, xp: ModuleType
) -> Array:
    """Which rows are an entry and its full reversal: both sides of each pair.

    Rows lie in order of (group, time). A row is reversed when the next row of its group with
    the opposite quantity follows within `within` microseconds and nothing lies between. `group`
    tells customer, product and price apart.
    """
    marked = xp.zeros(len(group), dtype=bool)
    if len(group) > 1:
        pair = (
            (group[1:] == group[:-1])
            & (quantity[1:] == -quantity[:-1])
            & (quantity[:-1] > 0)
            & (time[1:] - time[:-1] <= within)
        )
        marked[:-1] |= pair
        marked[1:] |= pair
    return marked
