"""Events in pieces of whole customers, each in order of (customer, time), at little cost.

Rows that lie in order already, as those of a bucketed file do, are only looked at. Others are
dealt out to ranges of customers, a part of them at a time, and each range is sorted by itself:
a processor's cache holds it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, Self

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.kernels import is_in_order, stable_order

__all__ = ["MOST_RANGES", "KeyRanges", "Rows", "in_order", "in_pieces"]

MOST_RANGES = 256
_SLOT_BITS = 16
_SLOTS = 1 << _SLOT_BITS
_ROWS_IN_CACHE = 1 << 16
_ROWS_AT_A_DEAL = 1 << 20
_WORD_BITS = 64
_SAMPLE_ROWS = 1 << 18
_ONE_BY_ONE: Callable[..., Iterable[Any]] = map


@dataclass(frozen=True)
class KeyRanges:
    """Consecutive ranges of int64 keys with about as many rows each.

    From `low` to `high` lie 65,536 slots of equal width, 2**`shift`; `ranges` says of each which
    range it belongs to.
    """

    low: int
    high: int
    shift: int
    ranges: Array

    @classmethod
    def of(cls, keys: Array, count: int, xp: ModuleType) -> Self:
        """`count` ranges, or fewer where keys crowd in a slot, for such keys; 256 at most."""
        low, high = (int(keys.min()), int(keys.max())) if len(keys) else (0, 0)
        if low == high:
            return cls(low, high, 0, xp.zeros(_SLOTS, dtype=xp.uint8))
        shift = max(0, (high - low).bit_length() - _SLOT_BITS)
        held = xp.bincount(_slots(keys, low, shift, xp), minlength=_SLOTS)
        # A slot is where its middle row is: so the first and the last never fall together.
        middle = 2 * xp.cumsum(held) - held
        count = min(count, MOST_RANGES)
        found = xp.minimum(middle * count // (2 * len(keys)), count - 1)
        return cls(low, high, shift, found.astype(xp.uint8))

    @property
    def count(self) -> int:
        """How many ranges there are."""
        return int(self.ranges[(self.high - self.low) >> self.shift]) + 1

    def numbers(self, keys: Array, xp: ModuleType) -> Array:
        """The range of each key, as uint8; one beyond the ends belongs to the last there."""
        return self.ranges[_slots(xp.clip(keys, self.low, self.high), self.low, self.shift, xp)]


@dataclass(frozen=True)
class Rows:
    """Some rows: their places among all, and what is known of each; customer and time first."""

    places: Array
    columns: tuple[Array, ...]

    @classmethod
    def joined(cls, parts: Sequence[Self], xp: ModuleType) -> Self:
        """The rows of all parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns for part in parts), strict=True)
        places = xp.concatenate([part.places for part in parts])
        return cls(places, tuple(xp.concatenate(values) for values in columns))

    def at(self, places: slice | Array) -> "Rows":
        """Those at these places."""
        return Rows(self.places[places], tuple(values[places] for values in self.columns))

    def in_order(self, backend: Backend) -> "Rows":
        """The same in order of (customer, time); stable."""
        customer, time, *others = self.columns
        if is_in_order([customer, time], backend.xp):
            return self
        order, customer = _ordered(customer, time, backend)
        columns = (customer, *(values[order] for values in (time, *others)))
        return Rows(self.places[order], columns)


def in_pieces(
    columns: Sequence[Array], backend: Backend, each: Callable[..., Iterable[Any]] = _ONE_BY_ONE
) -> list[list[Rows]]:
    """The rows of these columns in pieces that share no customer, in order of their customers.

    The first column are customers, as int64 codes, the second times in microseconds; others come
    along. A piece has about `backend.rows_at_once` rows, in parts for `Rows.joined`. The parts of
    work are handed to `each`, a `map`.
    """
    xp, rows = backend.xp, len(columns[0])
    places = xp.arange(rows, dtype=xp.int32 if rows < 1 << 31 else xp.int64)
    whole = Rows(places, tuple(columns))
    if is_in_order(columns[:2], xp):
        return [[whole.at(piece)] for piece in _slices(columns[0], backend)]
    return _pieces([whole], backend, each)


def _slices(customer: Array, backend: Backend) -> list[slice]:
    """Whole customers of rows that lie in order."""
    xp, rows = backend.xp, len(customer)
    count = max(1, rows // backend.rows_at_once)
    # A piece begins with the first row of a customer.
    inside = customer[[number * rows // count for number in range(1, count)]]
    edges = [0, *(int(row) for row in xp.searchsorted(customer, inside)), rows]
    return [slice(a, b) for a, b in pairwise(edges) if a < b] or [slice(0, 0)]


def _pieces(
    parts: list[Rows], backend: Backend, each: Callable[..., Iterable[Any]]
) -> list[list[Rows]]:
    xp, rows = backend.xp, sum(len(part.places) for part in parts)
    count = rows // backend.rows_at_once
    if count < 2:
        return [parts] if rows else []
    whole = Rows.joined(parts, xp)
    # Rows here and there say well enough where customers lie.
    sample = whole.columns[0][:: max(1, rows // _SAMPLE_ROWS)]
    ranges = KeyRanges.of(sample, count, xp)
    if ranges.count == 1:
        return [parts]
    step = max(_ROWS_AT_A_DEAL, backend.rows_at_once)
    some = [whole.at(slice(first, first + step)) for first in range(0, rows, step)]
    dealt = list(each(lambda part: _dealt(part, ranges, xp), some))
    found = []
    for number in range(ranges.count):
        piece = [part[number] for part in dealt if len(part[number].places)]
        # Where keys crowd in one slot, its own slots are narrower.
        found += _pieces(piece, backend, each)
    return found


def _dealt(part: Rows, ranges: KeyRanges, xp: ModuleType) -> list[Rows]:
    """The rows of each range, in the order in which they came."""
    number = ranges.numbers(part.columns[0], xp)
    by_range = part.at(xp.argsort(number, kind="stable"))
    edges = [0, *(int(edge) for edge in xp.cumsum(xp.bincount(number, minlength=ranges.count)))]
    return [by_range.at(slice(a, b)) for a, b in pairwise(edges)]


def in_order(customer: Array, time: Array, backend: Backend) -> Array:
    """The places that put the rows of one piece in order of (customer, time); stable."""
    return _ordered(customer, time, backend)[0]


def _ordered(customer: Array, time: Array, backend: Backend) -> tuple[Array, Array]:
    """(the places of `in_order`, the customers in this order)."""
    xp = backend.xp
    if is_in_order([time], xp):
        return _by_customer(customer, backend)
    by_time = stable_order(time, xp)
    order, customer = _by_customer(customer[by_time], backend)
    return by_time[order], customer


def _by_customer(customer: Array, backend: Backend) -> tuple[Array, Array]:
    """(the places that put the customers in order, they in this order); stable."""
    xp = backend.xp
    if not len(customer):
        return xp.arange(0), customer
    low, high = int(customer.min()), int(customer.max())
    # As many of the high bits as fit beside a place: they tell random keys apart.
    shift = (high - low).bit_length() + (len(customer) - 1).bit_length() - _WORD_BITS
    order = stable_order(customer >> max(shift, 0), xp)
    ordered = customer[order]
    if shift > 0 and not is_in_order([ordered], xp):
        order = stable_order(_ranks(customer, backend), xp)
        ordered = customer[order]
    return order, ordered


def _ranks(customer: Array, backend: Backend) -> Array:
    """The place of each customer among all, for those who crowd in few places."""
    xp = backend.xp
    codes, unique = backend.frames.Series(customer).factorize()
    known = xp.asarray(unique.values)
    rank = xp.empty(len(known), dtype=xp.int32)
    rank[stable_order(known, xp)] = xp.arange(len(known), dtype=xp.int32)
    return rank[codes]


def _slots(keys: Array, low: int, shift: int, xp: ModuleType) -> Array:
    """How many times 2**`shift` each key is above `low`, as uint32."""
    slots = xp.empty(len(keys), dtype=xp.uint32)
    for first in range(0, len(keys), _ROWS_IN_CACHE):
        rows = slice(first, first + _ROWS_IN_CACHE)
        # What wraps is right again as a number without a sign.
        slots[rows] = (keys[rows] - low).view("uint64") >> shift
    return slots
