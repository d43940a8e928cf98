"""How many baskets hold both items of a pair: counted stripe by stripe, summed piece by piece."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Self

from gpu_pipeline.associations.baskets import Baskets
from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.kernels import radix_order, rows_of_runs, run_starts, segment_sums
from gpu_pipeline.labels import Labels

__all__ = ["PairCounts"]

_MOST_PAIRS_AT_ONCE = 1 << 26  # some 3 GB, where a device would take all rows


@dataclass(frozen=True)
class PairCounts:
    """How many of `count` baskets hold each item, and how many hold both items of each pair.

    `items` are sorted, `held_by` has one entry an item. One entry a pair: `first` and `second`
    are codes into `items`, the first one less, in ascending order, and `together` says how many
    baskets hold both. `left_out` baskets were too large and count nowhere.
    """

    items: Series
    held_by: Array
    first: Array
    second: Array
    together: Array
    count: int
    left_out: int

    @classmethod
    def of(
        cls,
        frame: Frame,
        *,
        basket: str | Sequence[str],
        item: str,
        min_count: int = 1,
        largest_basket: int | None = None,
        threads: int | None = None,
    ) -> Self:
        """Those of a frame of whole baskets, as `pairs` takes it, which raises the same.

        Pairs in fewer than `min_count` baskets are left out: leave it where counts of more
        baskets are to be added.
        """
        backend = Backend.of(frame)
        found = Baskets.of(
            frame, basket=basket, item=item, largest_basket=largest_basket, threads=threads
        )
        first, second, together = _counted(found, min_count, backend, threads)
        return cls(
            items=found.items,
            held_by=found.held_by,
            first=first,
            second=second,
            together=together,
            count=found.count,
            left_out=found.left_out,
        )

    @classmethod
    def sum(cls, counts: Sequence[Self], backend: Backend) -> Self:
        """Those of all baskets together, where no two of them share a basket."""
        total = counts[0]
        for more in counts[1:]:
            total = total._plus(more, backend)
        return total

    def at_least(self, min_count: int) -> Self:
        """The pairs that so many baskets hold."""
        return self._some(self.together >= min_count)

    def between(self, low: str | None, high: str | None, backend: Backend) -> Self:
        """The pairs whose first item is neither below `low` nor from `high` on."""
        names = backend.to_pandas(self.items.to_frame("item"))["item"]
        begin = 0 if low is None else int(names.searchsorted(low))
        end = len(names) if high is None else int(names.searchsorted(high))
        return self._some((self.first >= begin) & (self.first < end))

    def middle(self, backend: Backend) -> str:
        """The first item of the pair in the middle."""
        code = int(self.first[len(self.first) // 2])
        return str(backend.to_pandas(self.items.take([code]).to_frame("item"))["item"].iloc[0])

    def _plus(self, other: Self, backend: Backend) -> Self:
        xp = backend.xp
        items = backend.frames.concat([self.items, other.items], ignore_index=True)
        labels = Labels.of(items, backend)
        codes_of = (labels.codes[: len(self.items)], labels.codes[len(self.items) :])
        known = len(labels.texts)
        held_by = xp.zeros(known, dtype=xp.int64)
        parts = []
        for counts, codes in zip((self, other), codes_of, strict=True):
            held_by[codes] += counts.held_by
            keys = codes[counts.first] * known + codes[counts.second]
            parts.append((keys, counts.together))
        keys, together = _summed(parts, xp)
        first = keys // max(known, 1)
        return replace(
            self,
            items=labels.texts,
            held_by=held_by,
            first=first,
            second=keys - first * known,
            together=together,
            count=self.count + other.count,
            left_out=self.left_out + other.left_out,
        )

    def _some(self, kept: Array) -> Self:
        return replace(
            self, first=self.first[kept], second=self.second[kept], together=self.together[kept]
        )


def _counted(
    baskets: Baskets, min_count: int, backend: Backend, threads: int | None
) -> tuple[Array, Array, Array]:
    """(first item, second item, how many baskets hold both), in ascending order."""
    xp = backend.xp
    baskets = _without_rare(baskets, min_count, xp)
    order = radix_order(baskets.item, len(baskets.items), xp)
    order = order.astype(xp.int32 if len(order) < 1 << 31 else xp.int64)
    count = partial(_counted_stripe, order, baskets, min_count, backend)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        found = list(pool.map(count, _stripes(order, baskets, backend)))
    if not found:
        nothing = xp.zeros(0, dtype=xp.int64)
        return nothing, nothing, nothing
    first, second, together = (xp.concatenate([one[place] for one in found]) for place in range(3))
    return first, second, together


def _without_rare(baskets: Baskets, min_count: int, xp: ModuleType) -> Baskets:
    """Without items of fewer baskets: no pair is in more baskets than either of its items."""
    often = baskets.held_by >= min_count
    if bool(often.all()):
        return baskets
    kept = often[baskets.item]
    so_far = xp.cumsum(kept)
    rows = xp.flatnonzero(kept)
    following = so_far[rows + baskets.following[rows]] - so_far[rows]
    return replace(baskets, item=baskets.item[rows], following=following.astype(xp.int32))


def _stripes(order: Array, baskets: Baskets, backend: Backend) -> list[tuple[int, int]]:
    """Ranges of `order` with all entries of some first items, of about as many pairs each."""
    xp = backend.xp
    if not len(order):
        return []
    starts = run_starts([baskets.item[order]], xp)
    # Sums of whole numbers, exact as floats too.
    pairs = xp.bincount(baskets.item, weights=baskets.following, minlength=len(baskets.items))
    ends = xp.cumsum(pairs[baskets.item[order[starts]]].astype(xp.int64))
    step = _pairs_at_once(backend)
    limits = xp.arange(1, int(ends[-1]) // step + 1) * step
    # Nothing follows the last item anywhere: a limit is reached before it.
    cuts = starts[xp.unique(xp.searchsorted(ends, limits)) + 1]
    edges = [0, *(int(cut) for cut in cuts), len(order)]
    return list(pairwise(edges))


def _counted_stripe(
    order: Array, baskets: Baskets, min_count: int, backend: Backend, stripe: tuple[int, int]
) -> tuple[Array, Array, Array]:
    """As `_counted`, for the entries of some first items."""
    xp, known = backend.xp, len(baskets.items)
    rows = order[slice(*stripe)].astype(xp.int64)
    lowest = int(baskets.item[rows[0]])
    ends = xp.cumsum(baskets.following[rows].astype(xp.int64))
    # A stripe of a single item may have any number of pairs.
    step = 2 * _pairs_at_once(backend)
    cuts = xp.searchsorted(ends, xp.arange(1, int(ends[-1]) // step + 1) * step)
    edges = [0, *(int(cut) for cut in cuts), len(rows)]
    found = [_keys_counted(rows[a:b], lowest, baskets, xp) for a, b in pairwise(edges) if a < b]
    keys, together = found[0] if len(found) == 1 else _summed(found, xp)
    kept = together >= min_count
    keys, together = keys[kept], together[kept]
    first = keys // max(known, 1)
    return first + lowest, keys - first * known, together


def _pairs_at_once(backend: Backend) -> int:
    return min(backend.rows_at_once, _MOST_PAIRS_AT_ONCE)


def _keys_counted(
    rows: Array, lowest: int, baskets: Baskets, xp: ModuleType
) -> tuple[Array, Array]:
    """(each pair that begins at one of these entries, ascending, how often): as one number."""
    known, following = len(baskets.items), baskets.following[rows]
    first = (baskets.item[rows].astype(xp.int64) - lowest) * known
    others = baskets.item[rows_of_runs(rows + 1, following.astype(xp.int64), xp)]
    keys = xp.sort(xp.repeat(first, following) + others)
    starts = run_starts([keys], xp)
    return keys[starts], xp.diff(xp.concatenate([starts, xp.asarray([len(keys)])]))


def _summed(parts: Sequence[tuple[Array, Array]], xp: ModuleType) -> tuple[Array, Array]:
    """(each key of any part, ascending, the sum of its counts)."""
    keys, counts = (xp.concatenate([part[place] for part in parts]) for place in (0, 1))
    order = xp.argsort(keys, kind="stable")
    keys = keys[order]
    starts = run_starts([keys], xp)
    return keys[starts], segment_sums(counts[order], starts, xp)
