"""Late events: only the time around them is made again, and it is as if they had been in time."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.sessions import (
    Columns,
    OpenSessions,
    SessionRule,
    advance,
    lies_in,
    rebuild,
    sessions_of,
    stretches,
)

CPU = Backend.choose("cpu")
START = np.datetime64("2026-03-01T09:00", "us")
COLUMNS = Columns(event="event_type", price="price", currency="currency")
TIGHT = SessionRule(
    gap=timedelta(minutes=3), longest=timedelta(minutes=7), most_events=4, machine_events=3
)
Row = tuple[int, int]


def frame_of(rows: list[Row], kind: str = "purchase") -> pd.DataFrame:
    """Rows of (customer, minutes); each pays as much as its minute."""
    return pd.DataFrame(
        {
            "customer_key": np.array([who for who, _ in rows], "int64"),
            "occurred_at": START + np.array([at for _, at in rows], "int64").astype("m8[m]"),
            "event_type": pd.Series(kind, index=range(len(rows)), dtype="str"),
            "price": np.array([at for _, at in rows], "int64"),
            "currency": pd.Series("EUR", index=range(len(rows)), dtype="str"),
        }
    )


def ordered(sessions: pd.DataFrame) -> pd.DataFrame:
    return sessions.sort_values(["customer_key", "started_at"], ignore_index=True)


ROWS = st.lists(st.tuples(st.sampled_from([-(2**63), 0, 7]), st.integers(0, 60)), max_size=40)


@settings(deadline=None, max_examples=40)
@given(ROWS, ROWS)
def test_what_is_rebuilt_around_late_events_is_what_all_events_at_once_give(
    before: list[Row], more: list[Row]
) -> None:
    known, came = frame_of(before), frame_of(more)
    everything = pd.concat([known, came], ignore_index=True)
    first = advance(OpenSessions.none_of(known, COLUMNS, TIGHT, horizon=None), known)
    second = advance(first.state, came)
    assert second.beyond_horizon == 0
    made = pd.concat([first.closed, second.closed], ignore_index=True)
    so_far = pd.concat([made, second.state.open_sessions()], ignore_index=True)

    found = stretches(second.late, so_far, COLUMNS, TIGHT)
    events = everything[lies_in(everything, "occurred_at", found, COLUMNS)]
    again, state = rebuild(second.state, events)
    kept = made[~lies_in(made, "started_at", found, COLUMNS)]
    sessions = pd.concat([kept, again, state.open_sessions()], ignore_index=True)
    assert_frames_equal(ordered(sessions), sessions_of(everything, COLUMNS, TIGHT, CPU))


def slow_stretches(late: list[Row], spans: list[tuple[int, int, int]], gap: int) -> set[Any]:
    """(customer, since, until) minute by minute."""
    found = set()
    for who in {who for who, _ in late}:
        points = [at for one, at in late if one == who]
        minutes = {at for one, a, b in spans if one == who for at in range(a, b + 1)} | set(points)
        run: list[int] = []
        for at in [*sorted(minutes), 10**9]:
            if run and at - run[-1] > gap:
                if set(run) & set(points):
                    found.add((who, run[0], run[-1]))
                run = []
            run.append(at)
    return found


@settings(deadline=None, max_examples=40)
@given(ROWS, ROWS)
def test_a_stretch_goes_from_pause_to_pause_and_holds_a_late_event(
    before: list[Row], late: list[Row]
) -> None:
    sessions = sessions_of(frame_of(before), COLUMNS, TIGHT, CPU)
    found = stretches(frame_of(late), sessions, COLUMNS, TIGHT)
    minutes = {
        name: ((sessions[name] - START) // timedelta(minutes=1)).tolist()
        for name in ("started_at", "ended_at")
    }
    spans = list(zip(sessions["customer_key"], *minutes.values(), strict=True))
    told = {
        (row.customer_key, *((at - START) // timedelta(minutes=1) for at in (row.since, row.until)))
        for row in found.itertuples()
    }
    assert told == slow_stretches(late, spans, 3)
    assert len(found) == len(told)


def test_a_stretch_may_begin_with_the_session_that_a_cap_cut_before_it() -> None:
    """A session ends by what follows: what was before the first that is given needs no telling."""
    events = frame_of([(1, minute) for minute in range(0, 30, 2)])
    sessions = sessions_of(events, COLUMNS, TIGHT, CPU)
    assert len(sessions) > 3
    late = frame_of([(1, 17)])
    known = sessions[sessions["ended_at"] >= late["occurred_at"][0]]
    found = stretches(late, known, COLUMNS, TIGHT)
    everything = pd.concat([events, late], ignore_index=True)
    inside = everything[lies_in(everything, "occurred_at", found, COLUMNS)]
    assert len(inside) < len(everything)
    again = sessions_of(inside, COLUMNS, TIGHT, CPU)
    kept = sessions[~lies_in(sessions, "started_at", found, COLUMNS)]
    wanted = sessions_of(everything, COLUMNS, TIGHT, CPU)
    assert_frames_equal(ordered(pd.concat([kept, again], ignore_index=True)), wanted)


def test_without_a_horizon_no_event_comes_too_late() -> None:
    events = frame_of([(1, 0), (2, 500)])
    state = OpenSessions.none_of(events, COLUMNS, TIGHT, horizon=None)
    found = advance(advance(state, events).state, frame_of([(1, 60)]))
    assert (len(found.late), found.beyond_horizon) == (1, 0)


def test_sessions_close_when_others_were_seen_later() -> None:
    events = frame_of([(1, 0)])
    state = OpenSessions.none_of(events, COLUMNS, TIGHT)
    assert not len(advance(state, events).closed)
    later = START + np.timedelta64(4, "m")
    assert len(advance(state, events, seen_until=later).closed) == 1
