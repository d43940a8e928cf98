"""Blocks: consecutive rows of a file, of a bounded size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Block", "BrokenRow", "gathered", "no_rows"]

BLOCK_BYTES = 32 * 2**20
BLOCK_ROWS = 250_000
# What a reader takes from a file at once. Arrow is fastest on what fits a processor's cache, and
# reads up to 32 such pieces of a CSV file ahead: together a block.
PIECE_BYTES = 2**20


@dataclass(frozen=True)
class BrokenRow:
    """A record without the structure of its file; `text` is what stands there."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file. `lines` are record numbers from 1, the header not counted.

    Broken rows come with the good ones around them, not always in order.
    """

    table: pa.Table
    lines: npt.NDArray[np.int64]
    broken: list[BrokenRow] = field(default_factory=list)


def no_rows(names: list[str], broken: list[BrokenRow] | None = None) -> Block:
    """A block with the columns alone, and broken rows where there are some."""
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    return Block(table, np.empty(0, dtype=np.int64), broken or [])


def gathered(pieces: Iterable[Block], *, share: float = 1.0) -> Iterator[Block]:
    """The pieces put together, without a copy, to blocks of that share of their full size."""
    held: list[Block] = []
    most_rows, most_bytes = max(int(BLOCK_ROWS * share), 1), max(int(BLOCK_BYTES * share), 1)
    room_rows, room_bytes = most_rows, most_bytes
    for piece in pieces:
        for part in _cut(piece, most_rows, most_bytes):
            rows, size = len(part.lines), _bytes_of(part)
            if held and (rows > room_rows or size > room_bytes):
                yield _joined(held)
                held, room_rows, room_bytes = [], most_rows, most_bytes
            held.append(part)
            room_rows, room_bytes = room_rows - rows, room_bytes - size
    if held:
        yield _joined(held)


def _cut(piece: Block, most_rows: int, most_bytes: int) -> Iterator[Block]:
    """The piece in parts that are no more than a block; the first has the broken rows."""
    rows = len(piece.lines)
    parts = max(rows / most_rows, piece.table.nbytes / most_bytes)
    if parts <= 1:
        yield piece
        return
    step = max(int(rows / parts), 1)
    for start in range(0, rows, step):
        broken = piece.broken if start == 0 else []
        yield Block(piece.table.slice(start, step), piece.lines[start : start + step], broken)


def _bytes_of(block: Block) -> int:
    return int(block.table.nbytes) + sum(len(row.text) for row in block.broken)


def _joined(parts: list[Block]) -> Block:
    return Block(
        # Not every piece of a JSON lines file has every column: the others are null there.
        pa.concat_tables([part.table for part in parts], promote_options="default"),
        np.concatenate([part.lines for part in parts]),
        [row for part in parts for row in part.broken],
    )
