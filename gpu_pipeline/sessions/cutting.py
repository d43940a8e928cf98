"""Where sessions begin: array code over rows in order of (customer, time).

Times are int64 microseconds; customers any int64 codes. Everything follows from the open session
alone: whoever has its events can go on where another left off.
"""

from types import ModuleType

from gpu_pipeline.backend import Array
from gpu_pipeline.kernels import first_beyond, rows_of_runs, run_starts
from gpu_pipeline.sessions.rule import SessionRule

__all__ = ["session_starts", "stops_of"]


def session_starts(customer: Array, time: Array, rule: SessionRule, xp: ModuleType) -> Array:
    """The rows at which sessions begin, ascending; rows lie in order of (customer, time)."""
    first = xp.ones(len(time), dtype=bool)
    if len(time) > 1:
        first[1:] = time[1:] - time[:-1] > rule.gap_microseconds
        first[1:] |= customer[1:] != customer[:-1]
    starts = xp.flatnonzero(first)
    stops = stops_of(starts, len(time), xp)
    is_over = time[stops - 1] - time[starts] > rule.longest_microseconds
    is_over |= stops - starts > rule.most_events
    if bool(is_over.any()):
        first[_cuts(time, starts[is_over], stops[is_over], rule, xp)] = True
        starts = xp.flatnonzero(first)
    return starts


def stops_of(starts: Array, rows: int, xp: ModuleType) -> Array:
    """The row behind each run that begins at `starts`."""
    return xp.concatenate([starts[1:], xp.asarray([rows], dtype=starts.dtype)])[: len(starts)]


def _cuts(time: Array, starts: Array, stops: Array, rule: SessionRule, xp: ModuleType) -> Array:
    """Where runs over a cap are cut: each round finds the next cut of every run at once."""
    moments, moment_of = _moments(time, starts, stops, xp)
    found = [starts[:0]]
    offset = xp.cumsum(stops - starts) - (stops - starts) - starts
    while len(starts):
        too_long = first_beyond(time, starts, stops, time[starts] + rule.longest_microseconds, xp)
        too_many = xp.minimum(starts + rule.most_events, stops)
        # The moment that holds the row behind the last that fits: it waits for the next session,
        # unless it is the first of this one.
        inside = xp.minimum(too_many, stops - 1)
        place = moment_of[inside + offset]
        begin, end = moments[place], moments[place + 1]
        too_many = xp.where(too_many == stops, stops, xp.where(begin > starts, begin, end))
        cut = xp.minimum(xp.minimum(too_long, too_many), stops)
        left = xp.flatnonzero(cut < stops)
        starts, stops, offset = cut[left], stops[left], offset[left]
        found.append(starts)
    return xp.concatenate(found)


def _moments(time: Array, starts: Array, stops: Array, xp: ModuleType) -> tuple[Array, Array]:
    """(the rows at which moments of these runs begin, with an end, the moment of each row).

    The second has one entry a row of these runs, run after run.
    """
    lengths = stops - starts
    rows = rows_of_runs(starts, lengths, xp)
    run = xp.repeat(xp.arange(len(starts)), lengths)
    begins = run_starts([run, time[rows]], xp)
    moment_of = xp.zeros(len(rows), dtype=xp.int64)
    moment_of[begins] = 1
    last = xp.asarray([int(stops[-1])])
    return xp.concatenate([rows[begins], last]), xp.cumsum(moment_of) - 1
