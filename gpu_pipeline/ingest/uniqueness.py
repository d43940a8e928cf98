"""Uniqueness: which keys of a load occur twice, in it or in the lake, whoever they belong to.

Pure functions of sorted hashes; rows are compared afterwards, only where a hash repeats.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Ints", "Keys", "Known", "Repeats", "repeats"]

Ints = npt.NDArray[np.int64]
ROWS_AT_ONCE = 1 << 23
_MARKS_PER_ROW = 16


@dataclass(frozen=True)
class Keys:
    """Keys of new rows with one `home`: hashes in ascending order, and where each row stands.

    `places` order the rows of a load: by file, then by line.
    """

    home: int
    hashes: Ints
    places: Ints


@dataclass(frozen=True)
class Known:
    """Keys that a file of the lake has, in ascending order."""

    home: int
    path: str
    hashes: Ints


@dataclass(frozen=True)
class Repeats:
    """Hashes (ascending) that occur more than once, the home of the row that has the key, and
    the files of the lake that have one of them.

    The lake's row has the key; of new rows the first.
    """

    hashes: Ints
    owners: Ints
    paths: frozenset[str] = field(default_factory=frozenset)

    def of(self, hashes: Ints) -> tuple[npt.NDArray[np.bool_], Ints]:
        """(which of the hashes repeat, the owners' homes of those; -1 elsewhere)."""
        if not len(self.hashes):
            return np.zeros(len(hashes), dtype=bool), np.full(len(hashes), -1)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        found = self.hashes[at] == hashes
        return found, np.where(found, self.owners[at], -1)


def repeats(
    new: Callable[[], Iterable[Keys]],
    known: Callable[[], Iterable[Known]],
    *,
    rows: int,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Repeats:
    """The keys among the `new` that the `new` have twice or that are `known`.

    Of about `rows` new hashes a range at a time is worked through, so that `rows_at_once` of them
    are in memory; `new` and `known` are asked anew for each range.
    """
    ranges = max(1, -(-rows // rows_at_once))
    edges = [round(place * (2**63 / ranges)) for place in range(ranges)]
    found = []
    for number, first in enumerate(edges):
        last = edges[number + 1] - 1 if number + 1 < ranges else 2**63 - 1
        found.append(_repeats([_between(k, first, last) for k in new()], known(), first, last))
    return Repeats(
        hashes=np.concatenate([one.hashes for one in found]),
        owners=np.concatenate([one.owners for one in found]),
        paths=frozenset().union(*(one.paths for one in found)),
    )


def _between(keys: Keys, first: int, last: int) -> Keys:
    start = int(np.searchsorted(keys.hashes, first, side="left"))
    stop = int(np.searchsorted(keys.hashes, last, side="right"))
    # Copies: what is mapped from a file goes out of memory with the file.
    return Keys(keys.home, keys.hashes[start:stop].copy(), keys.places[start:stop].copy())


def _repeats(new: Sequence[Keys], known: Iterable[Known], first: int, last: int) -> Repeats:
    hashes = np.concatenate([keys.hashes for keys in new] or [np.empty(0, np.int64)])
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    marks = _Marks(ordered)
    there, homes, paths = [np.empty(0, np.int64)], [np.empty(0, np.int64)], set[str]()
    for file in known:
        start = np.searchsorted(file.hashes, first, side="left")
        stop = np.searchsorted(file.hashes, last, side="right")
        shared = marks.shared(file.hashes[start:stop])
        if len(shared):
            paths.add(file.path)
            there.append(shared)
            homes.append(np.full(len(shared), file.home))
    mine = np.isin(ordered, twice) if len(twice) else np.zeros(len(ordered), dtype=bool)
    owned, owners = _first_rows(new, order[mine], ordered[mine])
    known_ones = (np.concatenate(there), np.concatenate(homes))
    return _merged(known_ones, (owned, owners), frozenset(paths))


class _Marks:
    """Sorted hashes to find others among: first by a table of leading bits, then exactly."""

    def __init__(self, hashes: Ints) -> None:
        self.hashes = hashes
        bits = max(8, int(len(hashes) * _MARKS_PER_ROW).bit_length())
        self.shift = 63 - min(bits, 27)
        self.table = np.zeros(1 << (63 - self.shift), dtype=bool)
        self.table[hashes >> self.shift] = True

    def shared(self, others: Ints) -> Ints:
        """Those of the others that are among the hashes, each once."""
        likely = others[self.table[others >> self.shift]]
        if not len(likely):
            return likely
        at = np.minimum(np.searchsorted(self.hashes, likely), len(self.hashes) - 1)
        return np.unique(likely[self.hashes[at] == likely])


def _first_rows(new: Sequence[Keys], rows: Ints, hashes: Ints) -> tuple[Ints, Ints]:
    """Of rows in order of their hashes: each hash once, with the home of its first row."""
    if not len(rows):
        return hashes, hashes
    places = np.concatenate([keys.places for keys in new])[rows]
    homes = np.concatenate([np.full(len(keys.hashes), keys.home) for keys in new])[rows]
    order = np.lexsort((places, hashes))
    firsts = np.flatnonzero(np.diff(hashes[order], prepend=-1))
    return hashes[order][firsts], homes[order][firsts]


def _merged(known: tuple[Ints, Ints], twice: tuple[Ints, Ints], paths: frozenset[str]) -> Repeats:
    """Both in ascending order, each hash once; what is known comes first."""
    hashes = np.concatenate([known[0], twice[0]])
    owners = np.concatenate([known[1], twice[1]])
    unique, firsts = np.unique(hashes, return_index=True)
    return Repeats(unique, owners[firsts], paths)
