"""How far each entry goes: array code over rows in order of (subject, time), all entries at once.

In order, an entry reaches step n when the next event of step 2 from which n can still be reached
follows it in time, and so on from step to step: of all next events the earliest is the best, since
it leaves the most time to the rest and has the fewest events before it. So each depth is one walk
backwards over the steps, at the cost of a search of one step's rows among those of the next.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import Self

from gpu_pipeline.backend import Array
from gpu_pipeline.funnels.gaps import Gap, Trail, gaps_of, places_behind
from gpu_pipeline.funnels.rule import Funnel

__all__ = ["Attempts", "attempts"]


@dataclass(frozen=True)
class Attempts(ABC):
    """Every row that may begin a journey, and how far each goes.

    `entries` are rows in ascending order. `reached[n]` says which of them get to step n + 2, as
    places in `entries`, ascending; `undecided` which may yet get to the last step, likewise.
    """

    xp: ModuleType
    entries: Array
    reached: list[Array]
    undecided: Array

    @abstractmethod
    def rows_of(self, n: int, numbers: Array) -> list[Array]:
        """By which rows these of `reached[n]` get to the steps 2 to n + 2."""


def attempts(trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Attempts:
    """All entries of the trail, of which none is later than `as_of` (microseconds)."""
    if funnel.mode == "any":
        return _InAnyOrder.of(trail, funnel, as_of, xp)
    return _InOrder.of(trail, funnel, as_of, xp)


@dataclass(frozen=True)
class _InOrder(Attempts):
    """`second[n]` are the rows of step 2 by which `reached[n]` go on, `ways[n]` as `_way_to`."""

    second: list[Array]
    ways: list[list[Array]]

    @classmethod
    def of(cls, trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Self:
        time, within = trail.time, funnel.within_microseconds
        at = [xp.flatnonzero(trail.flags & (1 << step) != 0) for step in range(len(funnel.steps))]
        gaps = gaps_of(trail, funnel, xp)
        going = xp.arange(len(at[0]))
        reached, second, ways = [], [], []
        for last in range(1, len(at)):
            way, arrival = _way_to(last, at, gaps, time, xp)
            entry = at[0] if last == 1 else at[0][going]
            can, place = gaps[0].next_among(entry, way[0], time, xp)
            can[can] = arrival[place[can]] - time[entry[can]] <= within
            going = going[can]
            reached.append(going)
            second.append(way[0][place[can]])
            ways.append(way)
        undecided = _undecided(at, gaps, time, within, as_of + 1, xp)
        return cls(xp, at[0], reached, undecided, second, ways)

    def rows_of(self, n: int, numbers: Array) -> list[Array]:
        row = self.second[n][numbers]
        found = [row]
        for there in self.ways[n][1:]:
            row = there[self.xp.searchsorted(there, row, side="right")]
            found.append(row)
        return found


def _way_to(
    last: int, at: list[Array], gaps: list[Gap], time: Array, xp: ModuleType
) -> tuple[list[Array], Array]:
    """(the rows of each step from the second on from which `last` is reached, when it is).

    The second is the earliest time for each row of the second step.
    """
    way, arrival = [at[last]], time[at[last]]
    for step in range(last - 1, 0, -1):
        can, place = gaps[step].next_among(at[step], way[0], time, xp)
        way.insert(0, at[step][can])
        arrival = arrival[place[can]]
    return way, arrival


def _undecided(
    at: list[Array], gaps: list[Gap], time: Array, within: int, moment: int, xp: ModuleType
) -> Array:
    """Which entries would get to the end if all steps that are left were taken at that moment."""
    waiting, entries = at[0][:0], at[0][:0]
    for step in range(len(gaps) - 1, -1, -1):
        entries = xp.flatnonzero(time[at[step]] >= moment - within)
        here = at[step][entries]
        can, _ = gaps[step].next_among(here, waiting, time, xp)
        can |= gaps[step].can_wait(here, time, moment, xp)
        waiting, entries = here[can], entries[can]
    return entries


@dataclass(frozen=True)
class _InAnyOrder(Attempts):
    """`taken[n]` are the rows of each entry's n + 1st step, beyond all where it has none."""

    taken: Array

    @classmethod
    def of(cls, trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Self:
        steps, far = len(funnel.steps), len(trail.time)
        flags = trail.flags & ((1 << steps) - 1)
        entries = xp.flatnonzero(flags != 0)
        gap = gaps_of(trail, funnel, xp)[0].lasting(funnel.within_microseconds)
        taken = xp.full((steps, len(entries)), far, dtype=xp.int64)
        for step in range(steps):
            # An event counts for the first step that takes it: this bit is the lowest.
            there = xp.flatnonzero(flags & ((2 << step) - 1) == 1 << step)
            if len(there):
                place = places_behind(entries, there, xp, side="left")
                row = there[xp.minimum(place, len(there) - 1)]
                can = (place < len(there)) & gap.allows(entries, row, trail.time)
                taken[step] = xp.where(can, row, far)
        taken = xp.sort(taken, axis=0)
        reached = [xp.flatnonzero(rows < far) for rows in taken[1:]]
        may_wait = gap.can_wait(entries, trail.time, as_of + 1, xp)
        undecided = xp.flatnonzero(may_wait & (taken[-1] == far))
        return cls(xp, entries, reached, undecided, taken)

    def rows_of(self, n: int, numbers: Array) -> list[Array]:
        places = self.reached[n][numbers]
        return [rows[places] for rows in self.taken[1 : n + 2]]
