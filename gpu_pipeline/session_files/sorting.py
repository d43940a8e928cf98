"""Events range of customers after range of customers, in a bounded amount of memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from gpu_pipeline.session_files.dealing import CustomerRanges, Dealt, deal
from gpu_pipeline.session_files.shelves import Shelves

__all__ = ["Room", "by_ranges", "in_turn"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_UNAVOIDABLE_BYTES = 500 * 2**20  # libraries, parts that are read, ranges that are worked on
_LEAST_HELD_BYTES = 16 * 2**20
_SAMPLE_STEP = 64
_COPIES = 32  # of a range at once: taken, in order, described, on every thread


@dataclass(frozen=True)
class Room:
    """How much memory the process may take, about, and the folder for what is over it."""

    memory_bytes: int
    folder: Path
    depth: int = 0

    @property
    def held_bytes(self) -> int:
        """For events that wait for their turn."""
        free = max(self.memory_bytes - _UNAVOIDABLE_BYTES, _LEAST_HELD_BYTES)
        return free >> self.depth

    @property
    def range_bytes(self) -> int:
        """For the events of a range, which are worked on at once."""
        return max(self.memory_bytes, _UNAVOIDABLE_BYTES) // _COPIES


def by_ranges(dealt: Iterable[Dealt], ranges: int, room: Room) -> Iterator[list[pa.RecordBatch]]:
    """All rows, by ranges of customers in their order; each in the order in which they came.

    A range that is too large to be worked on at once, for the sample misled, is dealt out again.
    """
    path = room.folder / f"{room.depth}.arrow"
    with Shelves(ranges, path=path, most_bytes=room.held_bytes) as shelves:
        for one in dealt:
            shelves.put(one)
        if not shelves.rows:
            yield [shelves.nothing()]
        for number, size in enumerate(shelves.bytes):
            if size > room.range_bytes:
                yield from _dealt_again(partial(shelves.take, number), size, room)
            elif size:
                yield list(shelves.take(number))


def _dealt_again(
    take: Callable[[], Iterator[pa.RecordBatch]], size: int, room: Room
) -> Iterator[list[pa.RecordBatch]]:
    ranges = CustomerRanges.of(_sample(take()), 2 * size // room.range_bytes)
    if ranges.count == 1:
        yield list(take())
        return
    dealt = (deal(batch, ranges) for batch in take())
    yield from by_ranges(dealt, ranges.count, replace(room, depth=room.depth + 1))


def _sample(batches: Iterable[pa.RecordBatch]) -> pa.Array:
    """Customers of rows here and there."""
    columns = (batch.column(0) for batch in batches)
    some = [column.take(pa.array(np.arange(0, len(column), _SAMPLE_STEP))) for column in columns]
    return pa.chunked_array(some).unify_dictionaries().combine_chunks()


def in_turn(
    pool: Executor, work: Callable[[_In], _Out], items: Iterable[_In], *, ahead: int
) -> Iterator[_Out]:
    """The work on every item, in their order; no more than `ahead` of them at a time."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
