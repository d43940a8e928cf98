"""Sessions that no person made, each with the reason.

A machine shows itself within a session: by pauses that repeat, by a pace no hand keeps, by pages
without end and no cart, or by running on for hours or until a cap cuts it. So the verdict is final
once the session is closed, whatever comes after it.
"""

from types import ModuleType
from typing import NamedTuple

from gpu_pipeline.backend import Array
from gpu_pipeline.kernels import rows_of_runs, segment_sums
from gpu_pipeline.sessions.rule import SessionRule

__all__ = ["REASONS", "Counts", "machine_reasons"]

# By code, from 1 on; where several hold the first is given.
REASONS = ("fixed_pauses", "too_fast", "pages_without_cart", "runaway")
_FAST_EVENTS = 60
# Two pauses are the same when they differ by at most a quarter; of people's, 15 to 20 % do.
_PART = 4
# Who sleeps leaves a pause of a twelfth of a day; a longer gap wouldn't see it.
_PAUSES_OF_A_DAY = 12
# Who looks on for a quarter of a day, hardly looks away and wants nothing, is no one.
_PART_OF_A_DAY = 4


class Counts(NamedTuple):
    """What is known of each session, one entry a session."""

    events: Array
    views: Array
    wanted: Array  # carts, checkouts and purchases
    microseconds: Array  # from the first event to the last
    is_cut: Array  # a cap ended it, not a pause


def machine_reasons(
    time: Array, starts: Array, counts: Counts, rule: SessionRule, xp: ModuleType
) -> Array:
    """For each session 0 where a person made it, else 1 + the place of its reason in REASONS.

    `time` are microseconds of the rows in order, `starts` where the sessions begin. Pauses of
    nothing say nothing: coarse clocks make them.
    """
    sees_sleep = _PAUSES_OF_A_DAY * rule.gap_microseconds <= rule.longest_microseconds
    long = (counts.wanted == 0) & (counts.events >= rule.machine_events)
    verdicts = (
        _pauses_repeat(time, starts, counts.events, long, rule, xp),
        long
        & (counts.events >= _FAST_EVENTS)
        & (counts.microseconds > 0)
        & (counts.microseconds < counts.events * int(rule.fastest_seconds * 1e6)),
        long & (counts.views > rule.most_views_without_cart),
        (counts.is_cut & (sees_sleep | (2 * counts.events > rule.most_events)))
        | (long & sees_sleep & (_PART_OF_A_DAY * counts.microseconds > rule.longest_microseconds)),
    )
    reasons = xp.zeros(len(starts), dtype=xp.int64)
    for code in range(len(verdicts), 0, -1):
        reasons = xp.where(verdicts[code - 1], code, reasons)
    return reasons


def _pauses_repeat(
    time: Array, starts: Array, events: Array, asked: Array, rule: SessionRule, xp: ModuleType
) -> Array:
    found = xp.zeros(len(starts), dtype=bool)
    places = xp.flatnonzero(asked & (events > 2))
    if not len(places):
        return found
    # From the third event on there is a pause with one before it.
    lengths = events[places] - 2
    rows = rows_of_runs(starts[places] + 2, lengths, xp)
    pause, before = time[rows] - time[rows - 1], time[rows - 1] - time[rows - 2]
    repeats = (pause > 0) & (xp.abs(pause - before) * _PART <= pause)
    count = segment_sums(repeats.astype("int64"), xp.cumsum(lengths) - lengths, xp)
    found[places] = count >= rule.regular_share * lengths
    return found
