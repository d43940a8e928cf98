"""Sessions bit by bit: what was open is carried on, so one more day costs one day.

Pure functions of frames; time is that of the events. Who calls decides where the state lies: a
run of the lake, or the real-time loop. After any split of the events by time, the closed
sessions and those of `open_sessions` are those that all events at once give.

An event that comes late changes the sessions of its customer from the one that it falls in, up
to the next pause: a session ends by what follows it, never by what was before it. `stretches`
says which time that is; `rebuild` makes the sessions of all events in it.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple, Self

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.kernels import run_starts, segment_sums
from gpu_pipeline.sessions.cutting import stops_of
from gpu_pipeline.sessions.events import Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessions_of

__all__ = [
    "Advanced",
    "OpenSessions",
    "advance",
    "lies_in",
    "open_events",
    "rebuild",
    "stretches",
]

_ROW, _BEGIN, _LAST, _IS_LATE = "__row", "__begin", "__last", "__is_late"
_NEVER = np.datetime64("9999-12-31", "us")


@dataclass(frozen=True, kw_only=True)
class OpenSessions:
    """The state: the events of sessions that may yet grow, and until when all were seen.

    `events` has the columns of `columns`; `seen_until` is the latest time of any event, None
    before the first. Events older than that by more than `horizon` change nothing any more;
    without one, every event does. `sessions` are those of the events, where they were made.
    """

    columns: Columns
    rule: SessionRule
    events: Frame
    seen_until: np.datetime64 | None = None
    horizon: timedelta | None = timedelta(days=35)
    sessions: Frame | None = None

    @classmethod
    def none_of(
        cls,
        frame: Frame,
        columns: Columns,
        rule: SessionRule,
        *,
        horizon: timedelta | None = timedelta(days=35),
    ) -> Self:
        """The state before any event; `frame` is one of their kind, with or without rows."""
        return cls(columns=columns, rule=rule, events=frame[columns.names].head(0), horizon=horizon)

    def open_sessions(self) -> Frame:
        """The open sessions as they are by now, as `sessionize` gives them."""
        if self.sessions is not None:
            return self.sessions
        return sessions_of(self.events, self.columns, self.rule, Backend.of(self.events))


class Advanced(NamedTuple):
    """What more events led to.

    `closed` are sessions that no further event in time can change. `late` are the events that
    fall into closed sessions' time: none of them is in a session yet; `rebuild` puts them there.
    `beyond_horizon` counts those that came too late for that.
    """

    closed: Frame
    state: OpenSessions
    late: Frame
    beyond_horizon: int


def advance(
    state: OpenSessions, events: Frame, *, seen_until: np.datetime64 | None = None
) -> Advanced:
    """The state with more events, in any order, and the sessions that they close.

    `seen_until` is the latest time of any event by now, where others than these are known too.

    Raises:
        PipelineError: as `sessionize`.
    """
    columns, backend = state.columns, Backend.of(events)
    events = events[columns.names].reset_index(drop=True)
    is_late = _is_late(state, events)
    late, in_time = events[is_late], events[~is_late]
    latest = _latest(state.seen_until, in_time[columns.time])
    seen_until = latest if seen_until is None else seen_until
    within = late
    if seen_until is not None and state.horizon is not None:
        within = late[late[columns.time] >= seen_until - np.timedelta64(state.horizon)]
    # What was there first comes first: the order of one moment's events is theirs.
    known = backend.frames.concat([state.events, in_time], ignore_index=True)
    closed, opened = _parted(known, replace(state, seen_until=seen_until))
    return Advanced(closed, opened, within.reset_index(drop=True), len(late) - len(within))


def stretches(late: Frame, sessions: Frame, columns: Columns, rule: SessionRule) -> Frame:
    """When these events change the sessions of their customers: customer, since, until.

    A customer may have several stretches. `sessions` are those that were made without the events,
    of these customers at least: all that begin after the first event, and before it those that
    it may belong to.
    """
    backend, customer = Backend.of(late), columns.customer
    theirs = sessions[sessions[customer].isin(late[customer].drop_duplicates())]
    made = theirs[[customer, "started_at", "ended_at"]].rename(
        columns={"started_at": _BEGIN, "ended_at": _LAST}
    )
    points = late[[customer]].assign(**{_BEGIN: late[columns.time], _LAST: late[columns.time]})
    parts = [made.assign(**{_IS_LATE: False}), points.assign(**{_IS_LATE: True})]
    spans = backend.frames.concat(parts, ignore_index=True)
    # Of one moment, what was made comes first.
    spans = spans.sort_values([customer, _BEGIN, _IS_LATE]).reset_index(drop=True)
    return _changed(spans, customer, rule, backend)


def lies_in(rows: Frame, time: str, found: Frame, columns: Columns) -> Series:
    """Which rows have their `time` in one of the stretches of their customer, ends included."""
    numbered = rows[[columns.customer, time]].reset_index(drop=True)
    numbered = numbered.assign(**{_ROW: numbered.index})
    pairs = numbered.merge(found, on=columns.customer, how="inner")
    inside = pairs[(pairs[time] >= pairs["since"]) & (pairs[time] <= pairs["until"])]
    is_inside = numbered[_ROW].isin(inside[_ROW])
    is_inside.index = rows.index
    return is_inside


def rebuild(state: OpenSessions, events: Frame) -> tuple[Frame, OpenSessions]:
    """(the closed sessions of these events, the state with those of them that are open).

    `events` are all events of some stretches of time, each once, those in `state` too. The
    sessions take the place of all that were made in these stretches before.

    Raises:
        PipelineError: as `sessionize`.
    """
    columns, backend = state.columns, Backend.of(events)
    events = events[columns.names].reset_index(drop=True)
    seen_until = _latest(state.seen_until, events[columns.time])
    closed, opened = _parted(events, replace(state, seen_until=seen_until))
    kept = state.events[~_is_among(state.events, events, columns)]
    before, concat = state.open_sessions(), backend.frames.concat
    before = before[before[columns.customer].isin(kept[columns.customer].drop_duplicates())]
    return closed, replace(
        opened,
        events=concat([kept, opened.events], ignore_index=True),
        sessions=concat([before, opened.open_sessions()], ignore_index=True),
    )


def open_events(sessions: Frame, state: OpenSessions) -> Frame:
    """Of `state.events`, whose sessions these are, those that are open at `state.seen_until`."""
    return _events_of(state.events, sessions[_is_open(sessions, state)], state.columns)


def _changed(spans: Frame, customer: str, rule: SessionRule, backend: Backend) -> Frame:
    """The spans, in order of customer and begin, from pause to pause, where one holds an event."""
    xp = backend.xp
    who = xp.asarray(spans[customer].factorize()[0])
    begin, last = (backend.as_bits(spans[name]) for name in (_BEGIN, _LAST))
    is_late = xp.asarray(spans[_IS_LATE].values)
    made = xp.flatnonzero(~is_late)
    # The session that began last before each event; an event inside it ends nothing.
    before = made[xp.maximum(xp.cumsum(~is_late) - 1, 0)] if len(made) else xp.arange(len(who))
    inside = is_late & ~is_late[before] & (who[before] == who)
    inside &= (begin[before] <= begin) & (begin <= last[before])
    holds = is_late.copy()
    holds[before[inside]] = True
    rows = xp.flatnonzero(~inside)
    pause = xp.zeros(len(rows), dtype=bool)
    pause[1:] = begin[rows][1:] - last[rows][:-1] > rule.gap_microseconds
    starts = run_starts([who[rows], xp.cumsum(pause)], xp)
    stops = stops_of(starts, len(rows), xp)
    is_changed = segment_sums(holds[rows].astype("int64"), starts, xp) > 0
    first, final = rows[starts[is_changed]], rows[stops[is_changed] - 1]
    return backend.frames.DataFrame(
        {
            customer: spans[customer].take(first).reset_index(drop=True),
            "since": spans[_BEGIN].take(first).reset_index(drop=True),
            "until": spans[_LAST].take(final).reset_index(drop=True),
        }
    )


def _is_among(opened: Frame, events: Frame, columns: Columns) -> Series:
    """Which events of open sessions are among these: an open session is so whole, or not at all."""
    last = events.groupby(columns.customer, sort=False)[columns.time].max().reset_index()
    found = opened[[columns.customer, columns.time]].reset_index(drop=True)
    found = found.assign(**{_ROW: found.index})
    pairs = found.merge(last.rename(columns={columns.time: _LAST}), on=columns.customer)
    among = found[_ROW].isin(pairs[pairs[columns.time] <= pairs[_LAST]][_ROW])
    among.index = opened.index
    return among


def _is_late(state: OpenSessions, events: Frame) -> Series:
    """Which events lie before what was seen, and in no session that is open."""
    customer, time = state.columns.customer, state.columns.time
    if state.seen_until is None:
        return events[time] != events[time]
    opened = state.events.groupby(customer, sort=False)[time].min().reset_index()
    is_earlier = events[time] < state.seen_until
    return is_earlier & ~_is_since(events, opened.rename(columns={time: _BEGIN}), state.columns)


def _is_since(events: Frame, opened: Frame, columns: Columns) -> Series:
    """Which events lie in or after their customer's open session; `opened` says when it began."""
    numbered = events[[columns.customer]].assign(**{_ROW: events.index})
    found = numbered.merge(opened, on=columns.customer, how="left").sort_values(_ROW)
    begin = found[_BEGIN].astype(np.dtype("datetime64[us]")).fillna(_NEVER)
    return events[columns.time] >= begin.reset_index(drop=True)


def _latest(seen: np.datetime64 | None, times: Series) -> np.datetime64 | None:
    if not len(times):
        return seen
    latest = np.datetime64(int(times.astype("int64").max()), "us")
    return latest if seen is None else max(seen, latest)


def _parted(events: Frame, state: OpenSessions) -> tuple[Frame, OpenSessions]:
    """(the closed sessions of these events, the state with the events of those that are open)."""
    columns, backend = state.columns, Backend.of(events)
    found = sessions_of(events, columns, state.rule, backend)
    is_open = _is_open(found, state)
    closed, opened = (found[which].reset_index(drop=True) for which in (~is_open, is_open))
    kept = _events_of(events, opened, columns)
    return closed, replace(state, events=kept, sessions=opened)


def _events_of(events: Frame, opened: Frame, columns: Columns) -> Frame:
    """The events of these sessions, each the last one of its customer."""
    begun = opened[[columns.customer, "started_at"]].rename(columns={"started_at": _BEGIN})
    return events[_is_since(events, begun, columns)].reset_index(drop=True)


def _is_open(sessions: Frame, state: OpenSessions) -> Series:
    """Which sessions an event of now or later may belong to."""
    # A session that another of the same customer follows is closed, whatever comes.
    is_last = ~sessions[state.columns.customer].duplicated(keep="last")
    if state.seen_until is None:
        return is_last
    gap = np.timedelta64(state.rule.gap_microseconds, "us")
    return is_last & (sessions["ended_at"] >= state.seen_until - gap)
