"""Array kernels: codes, boundaries and segment reductions that every per-customer step shares.

Pure functions of arrays, written once for NumPy and CuPy (`xp`). Times are int64 microseconds.
"""

from collections.abc import Sequence
from types import ModuleType

from gpu_pipeline.backend import Array

__all__ = [
    "first_beyond",
    "is_in_order",
    "mixed_hash",
    "order_of",
    "ordinals_in_runs",
    "radix_order",
    "reversed_pairs",
    "rows_of_runs",
    "run_starts",
    "segment_sums",
    "stable_order",
    "text_hash",
]

# Odd constants of splitmix64 (Steele, Lea, Flood 2014), as signed integers.
_GOLDEN = -7046029254386353131
_MIX = -4658895280553007687
_POSITIVE = 0x7FFFFFFFFFFFFFFF
_WORD = 8  # bytes
_WORD_BITS = 64
_ROWS_IN_CACHE = 1 << 16
_RADIX_BITS = 16


def order_of(columns: Sequence[Array], xp: ModuleType) -> Array:
    """The places that put rows in ascending order of the columns, the first one decisive.

    Stable. A column whose rows lie in order already costs a comparison.
    """
    order = xp.arange(len(columns[0]))
    for column in reversed(columns):
        values = column[order]
        if not bool((values[1:] >= values[:-1]).all()):
            order = order[stable_order(values, xp)]
    return order


def stable_order(values: Array, xp: ModuleType) -> Array:
    """The places that put the values in ascending order; stable.

    Whole numbers that lie close enough for a number and its place to fit in 64 bits are sorted
    as these, which NumPy does several numbers at once, where it takes places one by one.
    """
    if values.dtype.kind not in "iu" or values.dtype == "uint64" or not len(values):
        return xp.argsort(values, kind="stable")
    low, high = int(values.min()), int(values.max())
    bits = (len(values) - 1).bit_length()
    if (high - low).bit_length() + bits > _WORD_BITS:
        return xp.argsort(values, kind="stable")
    # What wraps below is right again as a number without a sign.
    packed = (values.astype(xp.int64, copy=False) - low).view("uint64")
    packed <<= bits
    packed |= xp.arange(len(values), dtype=xp.uint64)
    packed.sort()
    packed &= (1 << bits) - 1
    order: Array = packed.view("int64")
    return order


def run_starts(columns: Sequence[Array], xp: ModuleType) -> Array:
    """Where a run of rows with equal values in all `columns` begins; rows lie in order."""
    changed = xp.ones(len(columns[0]), dtype=bool)
    if len(changed) > 1:
        changed[1:] = columns[0][1:] != columns[0][:-1]
        for column in columns[1:]:
            changed[1:] |= column[1:] != column[:-1]
    return xp.flatnonzero(changed)


def is_in_order(columns: Sequence[Array], xp: ModuleType) -> bool:
    """Whether no row of the columns is less than the one before it, the first column decisive."""
    rows = len(columns[0])
    # The first rows tell most tables that are not in order, at next to no cost.
    for stop in (_ROWS_IN_CACHE, rows):
        undecided = xp.ones(max(0, min(stop, rows) - 1), dtype=bool)
        for column in columns:
            here, before = column[1:stop], column[: stop - 1][: len(undecided)]
            if bool((undecided & (here < before)).any()):
                return False
            undecided &= here == before
    return True


def radix_order(codes: Array, count: int, xp: ModuleType) -> Array:
    """The places that put the codes 0 to `count` - 1 in ascending order; stable.

    Sixteen bits at a time, the lowest first: NumPy sorts 16-bit numbers by radix, and only those.
    """
    order = xp.argsort(codes.astype(xp.uint16), kind="stable")
    for shift in range(_RADIX_BITS, (count - 1).bit_length() if count else 0, _RADIX_BITS):
        digits = (codes >> shift).astype(xp.uint16)
        order = order[xp.argsort(digits[order], kind="stable")]
    return order


def rows_of_runs(starts: Array, lengths: Array, xp: ModuleType) -> Array:
    """The rows start, start + 1, … of each run, run after run."""
    before = xp.cumsum(lengths) - lengths
    return xp.arange(int(lengths.sum())) + xp.repeat(starts - before, lengths)


def first_beyond(
    values: Array, starts: Array, stops: Array, limits: Array, xp: ModuleType
) -> Array:
    """For each run of rows [start, stop), in ascending order, the first whose value is over limit.

    Its stop where there is none. A binary search of all runs at once.
    """
    low, high = starts.copy(), stops.copy()
    while bool((low < high).any()):
        middle = (low + high) >> 1
        # A run that is done may point behind the last row.
        over = values[xp.minimum(middle, len(values) - 1)] > limits
        done = low >= high
        high = xp.where(over | done, xp.where(done, high, middle), high)
        low = xp.where(over | done, low, middle + 1)
    return low


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
        mixed = _mixed(mixed, column)
    return mixed & _POSITIVE


def text_hash(data: Array, lengths: Array, xp: ModuleType) -> Array:
    """One well-mixed non-negative int64 for each text; the same anywhere.

    `data` are the bytes (uint8) of all texts one after the other, `lengths` how many each has.
    Eight bytes of every text are taken at a time.
    """
    ends = xp.cumsum(lengths)
    hashes = xp.empty(len(lengths), dtype=xp.int64)
    for first in range(0, len(lengths), _ROWS_IN_CACHE):
        rows = slice(first, first + _ROWS_IN_CACHE)
        starts = ends[rows] - lengths[rows]
        hashes[rows] = _text_hash(data, starts, lengths[rows], xp)
    return hashes


def _text_hash(data: Array, starts: Array, lengths: Array, xp: ModuleType) -> Array:
    padded = xp.concatenate(
        [data[int(starts[0]) : int(starts[-1] + lengths[-1])], xp.zeros(_WORD, dtype=xp.uint8)]
    )
    starts = starts - starts[0]
    mixed = _mixed(xp.zeros(len(lengths), dtype=xp.int64), lengths)
    for first in range(0, int(lengths.max()), _WORD):
        left = lengths - first
        alive = slice(None) if bool((left > 0).all()) else xp.flatnonzero(left > 0)
        # The bytes behind a text's end are the next one's: they are shifted out.
        spare = 8 * xp.maximum(_WORD - left[alive], 0)
        word = _words(padded, starts[alive] + first, xp) << spare
        mixed[alive] = _mixed(mixed[alive], word)
    return mixed & _POSITIVE


def _words(data: Array, starts: Array, xp: ModuleType) -> Array:
    """Eight bytes from each start as one int64, the first byte lowest."""
    words = xp.zeros(len(starts), dtype=xp.int64)
    for place in range(_WORD):
        words |= data[place:][starts].astype(xp.int64) << (8 * place)
    return words


def _mixed(mixed: Array, column: Array) -> Array:
    mixed = (mixed ^ column) * _GOLDEN
    mixed = (mixed ^ (mixed >> 29)) * _MIX
    return mixed ^ (mixed >> 32)


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
