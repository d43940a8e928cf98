"""Sessions bit by bit: what was open is carried on, so one more day costs one day.

Pure functions of frames; time is that of the events. Who calls decides where the state lies: a
run of the lake, or the real-time loop. After any split of the events by time, the closed
sessions and those of `open_sessions` are those that all events at once give.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple, Self

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.sessions.events import Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessions_of

__all__ = ["Advanced", "OpenSessions", "advance", "open_events", "rebuild"]

_ROW, _BEGIN = "__row", "__begin"
_NEVER = np.datetime64("9999-12-31", "us")


@dataclass(frozen=True, kw_only=True)
class OpenSessions:
    """The state: the events of sessions that may yet grow, and until when all were seen.

    `events` has the columns of `columns`; `seen_until` is the latest time of any event, None
    before the first. Events older than that by more than `horizon` change nothing any more.
    """

    columns: Columns
    rule: SessionRule
    events: Frame
    seen_until: np.datetime64 | None = None
    horizon: timedelta = timedelta(days=35)

    @classmethod
    def none_of(
        cls,
        frame: Frame,
        columns: Columns,
        rule: SessionRule,
        *,
        horizon: timedelta = timedelta(days=35),
    ) -> Self:
        """The state before any event; `frame` is one of their kind, with or without rows."""
        return cls(columns=columns, rule=rule, events=frame[columns.names].head(0), horizon=horizon)

    def open_sessions(self) -> Frame:
        """The open sessions as they are by now, as `sessionize` gives them."""
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


def advance(state: OpenSessions, events: Frame) -> Advanced:
    """The state with more events, in any order, and the sessions that they close.

    Raises:
        PipelineError: as `sessionize`.
    """
    columns, backend = state.columns, Backend.of(events)
    events = events[columns.names].reset_index(drop=True)
    is_late = _is_late(state, events)
    late, in_time = events[is_late], events[~is_late]
    seen_until = _latest(state.seen_until, in_time[columns.time])
    within = late
    if seen_until is not None:
        within = late[late[columns.time] >= seen_until - np.timedelta64(state.horizon)]
    # What was there first comes first: the order of one moment's events is theirs.
    known = backend.frames.concat([state.events, in_time], ignore_index=True)
    closed, opened = _parted(known, replace(state, seen_until=seen_until))
    return Advanced(closed, opened, within.reset_index(drop=True), len(late) - len(within))


def rebuild(state: OpenSessions, history: Frame) -> tuple[Frame, OpenSessions]:
    """(the closed sessions of the customers of `history`, the state with their open ones).

    `history` are all events of these customers until now, those in `state` and late ones too,
    each once. The sessions take the place of all that were made of these customers before.

    Raises:
        PipelineError: as `sessionize`.
    """
    columns, backend = state.columns, Backend.of(history)
    history = history[columns.names].reset_index(drop=True)
    theirs, others = history[columns.customer].drop_duplicates(), state.events
    seen_until = _latest(state.seen_until, history[columns.time])
    closed, opened = _parted(history, replace(state, seen_until=seen_until))
    kept = others[~others[columns.customer].isin(theirs)]
    events = backend.frames.concat([kept, opened.events], ignore_index=True)
    return closed, replace(opened, events=events)


def open_events(sessions: Frame, state: OpenSessions) -> Frame:
    """Of `state.events`, whose sessions these are, those that are open at `state.seen_until`."""
    return _events_of(state.events, sessions[_is_open(sessions, state)], state.columns)


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
    kept = _events_of(events, found[is_open], columns)
    return found[~is_open].reset_index(drop=True), replace(state, events=kept)


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
