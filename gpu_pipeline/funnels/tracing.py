"""Journeys: one for each customer and entry period, of all events of whole customers."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.funnels.events import Columns, Events
from gpu_pipeline.funnels.gaps import Trail
from gpu_pipeline.funnels.matching import Attempts, attempts
from gpu_pipeline.funnels.periods import Period, periods_of
from gpu_pipeline.funnels.rule import Funnel
from gpu_pipeline.kernels import run_starts
from gpu_pipeline.labels import Labels
from gpu_pipeline.ordering import Rows, in_pieces

__all__ = ["Inquiry", "Journeys", "journeys_of"]

_MOST_FLAGS = 40  # twenty steps, and something else that breaks a journey before each


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What is asked of events: the funnel, where it looks, until when (microseconds), by what."""

    funnel: Funnel
    columns: Columns
    as_of: int
    per: Period = "day"
    time_zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Journeys:
    """One entry a journey, in no order.

    `row` is the place of its entry in the frame, `period` as `periods_of` says, `depth` the steps
    it reached. `onward` has for each step from the second on (which journeys reached it, when).
    """

    row: Array
    entered_at: Array
    period: Array
    depth: Array
    is_censored: Array
    onward: list[tuple[Array, Array]] = field(default_factory=list)


def journeys_of(
    frame: Frame, asked: Inquiry, backend: Backend, *, threads: int | None = None
) -> Journeys:
    """The journeys of whole customers, on `threads` of this process, by default one a core."""
    events = Events.of(frame, asked.funnel, asked.columns, asked.as_of, backend)
    columns = (events.subject, events.time, events.flags)
    traced = partial(_journeys_of_piece, row=events.row, frame=frame, asked=asked, backend=backend)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = in_pieces(columns, backend, pool.map)
        nothing = [Rows(events.row[:0], tuple(values[:0] for values in columns))]
        found = list(pool.map(traced, parts or [nothing]))
    return _joined(found, backend.xp)


def _journeys_of_piece(
    parts: Sequence[Rows], row: Array, frame: Frame, asked: Inquiry, backend: Backend
) -> Journeys:
    """`row` are places in the frame; those of the parts are places in it."""
    xp = backend.xp
    piece = Rows.joined(parts, xp).in_order(backend)
    place, trail = _in_order(row[piece.places], Trail(*piece.columns), frame, asked, backend)
    found = attempts(trail, asked.funnel, asked.as_of, xp)
    period = periods_of(trail.time[found.entries], asked.per, asked.time_zone, backend)
    starts = run_starts([trail.subject[found.entries], period], xp)
    run = _run_of(starts, len(period), xp)
    best, depth, number = _farthest(found, run, starts, xp)
    is_censored = xp.zeros(len(starts), dtype=bool)
    is_censored[run[found.undecided]] = True
    entry = found.entries[best]
    return Journeys(
        row=place[entry],
        entered_at=trail.time[entry],
        period=period[starts],
        depth=depth,
        is_censored=is_censored & (depth < len(asked.funnel.steps)),
        onward=_onward(found, depth, number, trail.time, xp),
    )


def _in_order(
    row: Array, trail: Trail, frame: Frame, asked: Inquiry, backend: Backend
) -> tuple[Array, Trail]:
    """Rows in order of subject and time, and where they are in the frame, in order of steps too."""
    is_same = trail.subject[1:] == trail.subject[:-1]
    is_same &= trail.time[1:] == trail.time[:-1]
    if not bool(is_same.any()):
        return row, trail
    place, order = _moments_in_order(is_same, row, trail.flags, frame, asked, backend)
    row, flags = row.copy(), trail.flags.copy()
    row[place], flags[place] = row[order], flags[order]
    return row, trail._replace(flags=flags)


def _moments_in_order(
    is_same: Array, row: Array, flags: Array, frame: Frame, asked: Inquiry, backend: Backend
) -> tuple[Array, Array]:
    """(the rows that share their moment with the one before or behind, these in their order)."""
    xp = backend.xp
    shares = xp.zeros(len(row), dtype=bool)
    shares[1:] = is_same
    shares[:-1] |= is_same
    place = xp.flatnonzero(shares)
    moment = xp.cumsum(~is_same)[place - 1]
    moment[place == 0] = 0
    labels = (frame[name].take(row[place]).astype("str") for name in asked.columns.by)
    ties = [Labels.of(values, backend).codes for values in labels]
    rank = _ranks(flags[place], len(asked.funnel.steps), xp)
    return place, place[xp.lexsort(xp.stack([*reversed(ties), rank, moment]))]


def _ranks(flags: Array, steps: int, xp: ModuleType) -> Array:
    """The order of events of one moment: by the first step taken, those of none last.

    Of those with the same first step, by what else they are.
    """
    flags = flags.astype("int64")
    taken = flags & ((1 << steps) - 1)
    # The lowest bit alone grows with the step.
    first = xp.where(taken > 0, taken & -taken, 1 << steps)
    ranks: Array = (first << _MOST_FLAGS) | flags
    return ranks


def _run_of(starts: Array, rows: int, xp: ModuleType) -> Array:
    """The number of the run of each row."""
    begins = xp.zeros(rows, dtype=xp.int32)
    begins[starts] = 1
    run: Array = xp.cumsum(begins, dtype=xp.int32) - 1
    return run


def _farthest(
    found: Attempts, run: Array, starts: Array, xp: ModuleType
) -> tuple[Array, Array, Array]:
    """For each run of entries (which goes farthest, how far, its number among those that do)."""
    best, depth, number = starts.copy(), xp.ones(len(starts), dtype=xp.int64), xp.zeros_like(starts)
    for n, places in enumerate(found.reached):
        theirs = run[places]
        first = run_starts([theirs], xp)
        of = theirs[first]
        best[of], depth[of], number[of] = places[first], n + 2, first
    return best, depth, number


def _onward(
    found: Attempts, depth: Array, number: Array, time: Array, xp: ModuleType
) -> list[tuple[Array, Array]]:
    """For each step from the second on (which journeys reached it, when), journeys ascending."""
    steps = range(len(found.reached))
    chosen = [xp.flatnonzero(depth == n + 2) for n in steps]
    rows = [found.rows_of(n, number[chosen[n]]) for n in steps]
    onward = []
    for step in steps:
        journeys = xp.concatenate(chosen[step:])
        when = time[xp.concatenate([rows[n][step] for n in steps[step:]])]
        order = xp.argsort(journeys, kind="stable")
        onward.append((journeys[order], when[order]))
    return onward


def _joined(parts: list[Journeys], xp: ModuleType) -> Journeys:
    """The journeys of several pieces as one."""
    before = [0]
    for part in parts:
        before.append(before[-1] + len(part.row))
    onward = []
    for step in range(len(parts[0].onward)):
        pairs = [part.onward[step] for part in parts]
        which = [number + first for (number, _), first in zip(pairs, before, strict=False)]
        onward.append((xp.concatenate(which), xp.concatenate([time for _, time in pairs])))
    return Journeys(
        row=xp.concatenate([part.row for part in parts]),
        entered_at=xp.concatenate([part.entered_at for part in parts]),
        period=xp.concatenate([part.period for part in parts]),
        depth=xp.concatenate([part.depth for part in parts]),
        is_censored=xp.concatenate([part.is_censored for part in parts]),
        onward=onward,
    )
