"""Staging: typed rows on their way, a file for each block with the buckets one after the other.

Arrow's own format, uncompressed: written and read back at the speed of memory, so that a load
needs no more of it than a block and a piece of a bucket.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract

__all__ = ["Place", "Staging", "lake_home"]

_PIECE_BITS = 20
_MOST_PIECES = 1 << 12
_HIGH_BITS = 32  # of a key decide the piece; the low ones have decided the bucket


@dataclass(frozen=True)
class Place:
    """Some buckets, or one of the `pieces` that a bucket is worked through in.

    A table without buckets has one place, with bucket 0.
    """

    buckets: tuple[int, ...] = (0,)
    piece: int = 0
    pieces: int = 1

    @property
    def name(self) -> str:
        """What a file of this place is called."""
        return f"{self.buckets[0]:05d}-{self.piece:05d}"

    @property
    def home(self) -> int:
        """A number of this place's own."""
        return self.buckets[0] << _PIECE_BITS | self.piece

    @property
    def lake(self) -> list[int]:
        """The numbers for what the lake has in this place's buckets."""
        return [lake_home(bucket) for bucket in self.buckets]

    @property
    def number(self) -> int:
        """Different for each place that has a bucket."""
        return self.buckets[0] * self.pieces + self.piece


def lake_home(bucket: int) -> int:
    """A number for the rows of a bucket that are in the lake, different from any place's."""
    return (bucket + 1 << _PIECE_BITS) - 1


class Staging:
    """Rows of one contract in a folder, in order of file and line within a bucket."""

    def __init__(self, folder: Path, contract: Contract, *, buckets: int, backend: Backend) -> None:
        self.folder = folder
        self.contract = contract
        self.buckets = buckets if contract.bucketed else 1
        self.backend = backend

    def put(self, name: str, frame: Frame) -> None:
        """The rows of a block, or of a part of one; `name` gives their place among the others."""
        if not len(frame):
            return
        ordered, edges = self._by_bucket(frame)
        table = self.backend.to_arrow(ordered).combine_chunks()
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / f"{name}.arrow", table, edges)

    def sizes(self) -> list[int]:
        """How many bytes of memory the rows of each bucket take; 0 where there are none."""
        sizes = [0] * self.buckets
        for path in self._files():
            # Mapped: only what says how large a batch is gets read.
            with pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                for bucket in range(self.buckets):
                    batch = file.get_batch(bucket)
                    sizes[bucket] += batch.get_total_buffer_size() if batch.num_rows else 0
        return sizes

    def take(self, place: Place) -> Frame:
        """The rows of a place, in the contract's columns."""
        batches = [self._piece(batch, place) for batch in self._batches(place.buckets)]
        batches = [batch for batch in batches if batch.num_rows]
        if not batches:
            return self.backend.empty(self.contract)
        frame = self.backend.from_arrow(pa.Table.from_batches(batches))
        return self.backend.cast(frame, self.contract)

    def places(self, *, most_bytes: int, everywhere: bool = False) -> list[Place]:
        """All buckets that have rows (or, `everywhere`, all), small ones together, those of more
        than about `most_bytes` in pieces.
        """
        found, together, size = list[Place](), list[int](), 0
        for bucket, mine in enumerate(self.sizes()):
            if together and size + mine > most_bytes:
                found.append(Place(tuple(together)))
                together, size = [], 0
            pieces = 1
            while self.contract.bucketed and mine > most_bytes * pieces and pieces < _MOST_PIECES:
                pieces *= 2
            if pieces > 1:
                found += [Place((bucket,), piece, pieces) for piece in range(pieces)]
            elif mine or everywhere:
                together.append(bucket)
                size += mine
        return [*found, Place(tuple(together))] if together else found

    def _by_bucket(self, frame: Frame) -> tuple[Frame, Sequence[int]]:
        if not self.contract.bucketed:
            return frame, [0, len(frame)]
        xp = self.backend.xp
        # NumPy has a radix sort for 16 bits.
        place = (self.backend.as_bits(frame["customer_key"]) & (self.buckets - 1)).astype("uint16")
        order = xp.argsort(place, kind="stable")
        edges = xp.searchsorted(place[order], xp.arange(self.buckets + 1))
        return frame.iloc[order], self.backend.to_host(edges).tolist()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.arrow"))

    def _batches(self, buckets: Sequence[int]) -> Iterator[pa.RecordBatch]:
        for path in self._files():
            # Not mapped: what was read once would stay in memory until the load is over.
            with pa.OSFile(str(path)) as source:
                file = pa.ipc.open_file(source)
                yield from (file.get_batch(bucket) for bucket in buckets)

    def _piece(self, batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
        if place.pieces == 1:
            return batch
        keys = batch["customer_key"].to_numpy()
        mine = (keys >> _HIGH_BITS & place.pieces - 1) == place.piece
        return batch.take(pa.array(np.flatnonzero(mine)))


def _write(path: Path, table: pa.Table, edges: Sequence[int]) -> None:
    """The table as one batch between each two edges."""
    with pa.ipc.new_file(path, table.schema) as file:
        for start, stop in pairwise(edges):
            file.write_table(table.slice(start, stop - start), max_chunksize=max(len(table), 1))
            if start == stop:  # Arrow leaves out a table without rows
                file.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema))
