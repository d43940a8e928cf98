"""Baskets of a frame as arrays: what each holds, every item once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import ordinals_in_runs, run_starts
from gpu_pipeline.labels import Labels
from gpu_pipeline.ordering import Rows, in_pieces

__all__ = ["LARGEST_BASKET", "Baskets"]

LARGEST_BASKET = 1_000
"""Different items; a basket of n has n (n - 1) / 2 pairs, and one of a crawler millions."""


@dataclass(frozen=True)
class Baskets:
    """What baskets hold: one entry a basket and item, basket after basket, items ascending.

    `item` are codes into `items`, which are sorted; `following` says how many more items of its
    basket come behind an entry. `held_by` has one entry an item: how many baskets hold it.
    `count` are all baskets, those of a single item too, which have no entry; `left_out` those
    that were too large to be counted anywhere.
    """

    items: Series
    item: Array
    following: Array
    held_by: Array
    count: int
    left_out: int

    @classmethod
    def of(
        cls,
        frame: Frame,
        *,
        basket: str | Sequence[str],
        item: str,
        largest_basket: int | None = None,
        threads: int | None = None,
    ) -> Self:
        """The baskets of a frame with one row a basket and item, in any order, some repeated.

        Those with more than `largest_basket` different items are left out. Works on `threads` of
        this process, by default one a core.

        Raises:
            PipelineError: a column is not there or has nulls; or no `largest_basket` is given,
                and a basket has more than LARGEST_BASKET different items.
        """
        backend = Backend.of(frame)
        xp = backend.xp
        by = [basket] if isinstance(basket, str) else list(basket)
        _check(frame, [*by, item])
        items, codes = _items(frame[item], backend)
        held = [_numbers(frame, by, backend), codes]
        find = partial(_baskets_of_piece, bits=len(items).bit_length(), backend=backend)
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            found = list(pool.map(find, in_pieces(held, backend, pool.map)))
        whole, size = (xp.concatenate([one[place] for one in found]) for place in (0, 1))
        return cls._of_entries(items, whole, size, largest_basket, backend)

    @classmethod
    def _of_entries(
        cls, items: Series, item: Array, size: Array, largest: int | None, backend: Backend
    ) -> Self:
        """The baskets of so many entries each; `size` is that of the basket, on its first entry."""
        xp = backend.xp
        starts = xp.flatnonzero(size)
        size = size[starts]
        too_large = size > (LARGEST_BASKET if largest is None else largest)
        left_out = int(too_large.sum())
        if left_out and largest is None:
            _refuse(left_out, len(size), int(size.max()))
        kept = xp.repeat(~too_large, size)
        held_by = xp.bincount(item[kept], minlength=len(items))
        kept &= xp.repeat(size > 1, size)
        following = xp.repeat(size, size) - 1 - ordinals_in_runs(starts, len(item), xp)
        return cls(
            items=items,
            item=item[kept],
            following=following[kept].astype(xp.int32),
            held_by=held_by.astype(xp.int64),
            count=len(size) - left_out,
            left_out=left_out,
        )


def _check(frame: Frame, names: list[str]) -> None:
    there = list(frame.columns)
    missing = [name for name in names if name not in there]
    if missing:
        message = f"No column {', '.join(missing)} among {', '.join(map(str, there))}."
        raise PipelineError(message)
    for name in names:
        nulls = int(frame[name].isna().sum())
        if nulls:
            message = (
                f"{nulls:,} of {len(frame):,} rows have no {name!r}: leave them out first, they "
                "belong to no basket."
            )
            raise PipelineError(message)


def _items(values: Series, backend: Backend) -> tuple[Series, Array]:
    """(the different items in order, the place of each row's item among them)."""
    labels = Labels.of(values, backend)
    return labels.texts, labels.codes.astype(backend.xp.int32)


def _numbers(frame: Frame, by: list[str], backend: Backend) -> Array:
    """int64 that are equal for rows of one basket."""
    if len(by) == 1 and frame[by[0]].dtype.kind in "iu":
        return backend.as_bits(frame[by[0]].astype("int64"))
    xp = backend.xp
    number = xp.zeros(len(frame), dtype=xp.int64)
    for name in by:
        codes, unique = frame[name].factorize()
        # As many as rows at most, at every turn: no product is beyond int64.
        number = number * len(unique) + xp.asarray(codes)
        number = xp.asarray(backend.frames.Series(number).factorize()[0]).astype(xp.int64)
    return number


def _baskets_of_piece(parts: Sequence[Rows], *, bits: int, backend: Backend) -> tuple[Array, Array]:
    """(the items of each basket, ascending and each once, its size on its first entry, else 0).

    An item's code has so many `bits`.
    """
    xp = backend.xp
    number, item = Rows.joined(parts, xp).columns
    code, _ = backend.frames.Series(number).factorize()
    both = xp.sort((xp.asarray(code).astype(xp.int64) << bits) | item)
    both = both[run_starts([both], xp)]
    starts = run_starts([both >> bits], xp)
    size = xp.zeros(len(both), dtype=xp.int32)
    size[starts] = xp.diff(xp.concatenate([starts, xp.asarray([len(both)])]))
    return (both & ((1 << bits) - 1)).astype(xp.int32), size


def _refuse(too_large: int, count: int, largest: int) -> None:
    message = (
        f"{too_large:,} of {count:,} baskets have more than {LARGEST_BASKET:,} different items, "
        f"the largest {largest:,}: no shopper's, most likely, and their pairs would be most of "
        "all. Give largest_basket=N to leave out those that have more than N."
    )
    raise PipelineError(message)
