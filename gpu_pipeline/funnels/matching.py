"""How far each entry goes: array code over rows in order of (subject, time), all entries at once.

In order, an entry reaches step n when the next event of step 2 from which n can still be reached
follows it in time, and so on from step to step: of all next events the earliest is the best, since
it leaves the most time to the rest and has the fewest events before it. So each depth is one walk
backwards over the steps, at the cost of a search of one step's rows among those of the next.
"""

from dataclasses import dataclass
from types import ModuleType

from gpu_pipeline.backend import Array
from gpu_pipeline.funnels.gaps import Gap, Trail, gaps_of, places_behind
from gpu_pipeline.funnels.rule import Funnel

__all__ = ["Attempts", "attempts"]


@dataclass(frozen=True)
class Attempts:
    """Every row that may begin a journey, and how far each goes.

    `entries` are rows in ascending order. `reached[n]` says which of them get to step n + 2, as
    places in `entries`, ascending, and `rows[n]` by which rows of the steps 2 to n + 2 each of
    these does. `undecided` says which entries may yet get to the last step.
    """

    entries: Array
    reached: list[Array]
    rows: list[list[Array]]
    undecided: Array


def attempts(trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Attempts:
    """All entries of the trail, of which none is later than `as_of` (microseconds)."""
    if funnel.mode == "any":
        return _in_any_order(trail, funnel, as_of, xp)
    return _in_order(trail, funnel, as_of, xp)


def _in_order(trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Attempts:
    time, within = trail.time, funnel.within_microseconds
    at = [xp.flatnonzero(trail.flags >> step & 1) for step in range(len(funnel.steps))]
    gaps = gaps_of(trail, funnel, xp)
    reached: list[Array] = []
    taken: list[list[Array]] = []
    going = xp.arange(len(at[0]))
    for last in range(1, len(at)):
        way, arrival = _way_to(last, at, gaps, time, xp)
        entry = at[0][going]
        can, place = gaps[0].next_among(entry, way[0], time, xp)
        can[can] = arrival[place[can]] - time[entry[can]] <= within
        going = going[can]
        reached.append(going)
        taken.append(_followed(way[0][place[can]], way, xp))
    undecided = _undecided(at, gaps, time, within, as_of + 1, xp)
    return Attempts(at[0], reached, taken, undecided)


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


def _followed(row: Array, way: list[Array], xp: ModuleType) -> list[Array]:
    """The rows by which these of the second step go on, step by step."""
    found = [row]
    for there in way[1:]:
        row = there[xp.searchsorted(there, row, side="right")]
        found.append(row)
    return found


def _undecided(
    at: list[Array], gaps: list[Gap], time: Array, within: int, moment: int, xp: ModuleType
) -> Array:
    """Which entries would get to the end if all steps that are left were taken at that moment."""
    waiting = at[0][:0]
    for step in range(len(gaps) - 1, -1, -1):
        here = at[step][moment - time[at[step]] <= within]
        can, _ = gaps[step].next_among(here, waiting, time, xp)
        waiting = here[can | gaps[step].can_wait(here, time, moment, xp)]
    undecided = xp.zeros(len(at[0]), dtype=bool)
    undecided[xp.searchsorted(at[0], waiting)] = True
    return undecided


def _in_any_order(trail: Trail, funnel: Funnel, as_of: int, xp: ModuleType) -> Attempts:
    steps, far = len(funnel.steps), len(trail.time)
    flags = trail.flags & ((1 << steps) - 1)
    entries = xp.flatnonzero(flags)
    gap = gaps_of(trail, funnel, xp)[0].lasting(funnel.within_microseconds)
    taken = xp.full((steps, len(entries)), far, dtype=xp.int64)
    for step in range(steps):
        # An event counts for the first step that takes it.
        is_of_step = (flags >> step & 1) > (flags & ((1 << step) - 1))
        there = xp.flatnonzero(is_of_step)
        if len(there):
            place = places_behind(entries, there, xp, side="left")
            row = there[xp.minimum(place, len(there) - 1)]
            can = (place < len(there)) & gap.allows(entries, row, trail.time)
            taken[step] = xp.where(can, row, far)
    taken = xp.sort(taken, axis=0)
    reached = [xp.flatnonzero(taken[number] < far) for number in range(1, steps)]
    waiting = gap.can_wait(entries, trail.time, as_of + 1, xp) & (taken[-1] == far)
    by_step = [[taken[number][some] for number in range(1, n + 2)] for n, some in enumerate(reached)]
    return Attempts(entries, reached, by_step, waiting)
