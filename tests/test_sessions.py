"""Sessions against plain SQL and a slow twin, bit by bit against at once, and on real visits."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from dask.base import compute
from dask.delayed import delayed
from frames import assert_frames_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_data import real_data
from tiny_shop import at, land

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.pipeline import Step, Work, run
from gpu_pipeline.sessions import (
    CLICK_COLUMNS,
    Columns,
    OpenSessions,
    SessionRule,
    advance,
    click_sessions,
    rebuild,
    sessionize,
    sessions_of,
)
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import FILES, generate

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parent / "oracle" / "sessions.sql").read_text()
START = np.datetime64("2026-03-01T09:00", "us")
COLUMNS = Columns(
    event="event_type",
    product="product_id",
    entry=("channel", "device"),
    price="price",
    currency="currency",
)
TIGHT = SessionRule(
    gap=timedelta(minutes=3),
    longest=timedelta(minutes=7),
    most_events=4,
    machine_events=3,
    regular_share=0.5,
)
KINDS = ("view", "search", "cart", "remove", "checkout", "purchase")
Row = tuple[Any, int, str, str | None, str | None, str | None]


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """Rows of (customer, minutes, event type, product, channel, device) as events."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return pd.DataFrame(
        {
            "customer_key": pd.Series(columns[0], dtype=None if rows else "int64"),
            "occurred_at": START + np.array(columns[1], "int64").astype("m8[m]"),
            **{
                name: pd.Series(values, dtype="str")
                for name, values in zip(COLUMNS.names[2:6], columns[2:], strict=True)
            },
            # In a currency that is told at odd minutes alone.
            "price": np.array(columns[1], "int64") * 100,
            "currency": pd.Series(["EUR" if m % 2 else None for m in columns[1]], dtype="str"),
        }
    )


def drawn(customers: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.DataFrame]:
    row = st.tuples(
        customers,
        st.integers(0, 40),
        st.sampled_from(KINDS),
        st.sampled_from(["p1", "p2", "p3", None]),
        st.sampled_from(["email", "direct", None]),
        st.sampled_from(["mobile", None]),
    )
    return st.lists(row, max_size=40).map(frame_of)


NUMBERS = st.sampled_from([-(2**63), -1, 0, 7, 2**63 - 1])
TEXTS = st.sampled_from(["V1", "ann", "Ünal", ""])


def by_sql(frame: pd.DataFrame, rule: SessionRule) -> pd.DataFrame:
    """The sessions as the oracle finds them."""
    given = {
        "gap": rule.gap_microseconds,
        "longest": rule.longest_microseconds,
        "most_events": rule.most_events,
    }
    with duckdb.connect() as connection:
        connection.register("events", frame)
        found = connection.execute(ORACLE, given).df()
    return found


def fast(frame: pd.DataFrame, rule: SessionRule, columns: Columns = COLUMNS) -> pd.DataFrame:
    return sessions_of(frame, columns, rule, CPU)


def ordered(sessions: pd.DataFrame) -> pd.DataFrame:
    return sessions.sort_values(["customer_key", "started_at"], ignore_index=True)


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), st.sampled_from([TIGHT, SessionRule()]))
def test_sessions_are_those_of_plain_sql(frame: pd.DataFrame, rule: SessionRule) -> None:
    found = fast(frame, rule)
    wanted = by_sql(frame, rule).astype(found.drop(columns=["session_id", "excluded_for"]).dtypes)
    assert_frames_equal(found[list(wanted.columns)], wanted)


def slow_sessions(events: list[tuple[Any, int]], rule: SessionRule) -> list[tuple[Any, int, int]]:
    """(customer, start, events) moment by moment, each in the session that is open or the next."""
    by_customer: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for customer, time in events:
        by_customer[customer][time] += 1
    made = []
    for customer in sorted(by_customer):
        start = last = count = None
        for time, more in sorted(by_customer[customer].items()):
            if (
                start is None
                or time - last > rule.gap_microseconds
                or time - start > rule.longest_microseconds
                or count + more > rule.most_events
            ):
                start, count = time, 0
                made.append([customer, start, 0])
            last, count = time, count + more
            made[-1][2] = count
    return [tuple(one) for one in made]


@settings(deadline=None, max_examples=60)
@given(
    drawn(NUMBERS),
    st.integers(1, 5),
    st.integers(0, 20),
    st.integers(1, 6),
)
def test_sessions_are_those_of_a_walk_from_moment_to_moment(
    frame: pd.DataFrame, gap: int, longer: int, most: int
) -> None:
    rule = SessionRule(
        gap=timedelta(minutes=gap), longest=timedelta(minutes=gap + longer), most_events=most
    )
    found = fast(frame, rule)
    times = frame["occurred_at"].astype("int64")
    wanted = slow_sessions(list(zip(frame["customer_key"], times, strict=True)), rule)
    starts = found["started_at"].astype("int64")
    assert list(zip(found["customer_key"], starts, found["events"], strict=True)) == wanted


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS) | drawn(TEXTS), st.randoms(use_true_random=False))
def test_the_order_in_which_events_arrive_changes_nothing(frame: pd.DataFrame, rng: Any) -> None:
    places = list(range(len(frame)))
    rng.shuffle(places)
    shuffled = frame.iloc[places].reset_index(drop=True)
    assert_frames_equal(fast(shuffled, TIGHT), fast(frame, TIGHT))


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS), st.integers(1, 4))
def test_neither_pieces_nor_threads_change_a_thing(frame: pd.DataFrame, rows: int) -> None:
    class Small(Backend):
        """A device that takes few rows at once."""

        @property
        def rows_at_once(self) -> int:
            return rows

    small = Small("cpu", "cpu: small")
    wanted = fast(frame, TIGHT)
    in_order = frame.sort_values(["customer_key", "occurred_at"], ignore_index=True)
    for events in (frame, in_order):
        for threads in (1, 3):
            found = sessions_of(events, COLUMNS, TIGHT, small, threads=threads)
            assert_frames_equal(found, wanted)


@settings(deadline=None, max_examples=15)
@given(drawn(NUMBERS) | drawn(TEXTS), st.integers(1, 4))
def test_a_dask_frame_gives_the_same_sessions(frame: pd.DataFrame, partitions: int) -> None:
    with CPU.cluster():
        lazy = dd.from_pandas(frame, npartitions=partitions, sort=False)
        found = sessionize(lazy, event="event_type", gap="3min")
        assert isinstance(found, dd.DataFrame)
        wanted = sessionize(frame, event="event_type", gap="3min")
        assert found._meta.dtypes.to_dict() == wanted.dtypes.to_dict()
        assert_frames_equal(ordered(found.compute()), wanted)


def test_without_events_there_are_four_columns_and_the_id() -> None:
    names = ["customer_key", "started_at", "ended_at", "events", "session_id"]
    assert list(sessionize(frame_of([(1, 0, "view", None, None, None)])).columns) == names
    assert list(sessionize(frame_of([])).columns) == names


def test_the_customers_column_keeps_its_name_and_its_type() -> None:
    events = pd.DataFrame(
        {"who": np.array([3, 1, 3], "uint8"), "when": ["2026-03-01", "2026-03-02", "2026-03-03"]}
    )
    found = sessionize(events, customer="who", time="when")
    assert found["who"].dtype == "uint8"
    assert found["who"].tolist() == [1, 3, 3]


def test_a_pause_of_just_the_gap_ends_nothing() -> None:
    events = frame_of([(1, minutes, "view", None, None, None) for minutes in (0, 30, 61)])
    assert sessionize(events)["events"].tolist() == [2, 1]
    assert sessionize(events, gap="31m")["events"].tolist() == [3]


def test_times_of_a_zone_count_in_utc() -> None:
    times = pd.to_datetime(["2026-03-01 01:30+01:00", "2026-03-01 00:45+00:00"], utc=True)
    events = pd.DataFrame({"customer_key": [1, 1], "occurred_at": times.tz_convert("Asia/Tokyo")})
    (found,) = sessionize(events).to_dict("records")
    assert found["events"] == 2
    assert found["started_at"] == pd.Timestamp("2026-03-01 00:30")


@pytest.mark.parametrize("gap", ["30", "soon", "0min", "min", "3 fortnights"])
def test_a_gap_that_is_no_length_of_time_is_named(gap: str) -> None:
    with pytest.raises(PipelineError, match="gap"):
        sessionize(frame_of([]), gap=gap)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"customer_key": [1.0, None]}, "1 of 2 events have no customer"),
        ({"customer_key": [1.5, 2.5]}, "a whole number or a text"),
        ({"occurred_at": [1, 2]}, "Unix times become timestamps"),
        ({"occurred_at": ["2026-03-01", "noon"]}, "1 of 2 events have no time"),
    ],
)
def test_events_that_belong_nowhere_are_named(changes: dict[str, Any], said: str) -> None:
    events = frame_of([(1, 0, "view", None, None, None), (2, 1, "view", None, None, None)])
    with pytest.raises(PipelineError, match=said):
        sessionize(events.assign(**changes))


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(PipelineError, match="No column shopper among"):
        sessionize(frame_of([]), customer="shopper")


def test_events_of_types_that_nobody_knows_are_named() -> None:
    events = frame_of([(1, 0, "addtocart", None, None, None)])
    with pytest.raises(PipelineError, match="no event of type view, search, cart"):
        sessionize(events, event="event_type")


def test_no_session_is_over_its_caps() -> None:
    rng = np.random.default_rng(3)
    minutes = np.cumsum(rng.integers(0, 3, 5_000))
    events = frame_of([(1, int(m), "view", None, None, None) for m in minutes])
    rule = SessionRule(gap=timedelta(minutes=5), longest=timedelta(minutes=90), most_events=50)
    found = fast(events, rule)
    assert found["events"].max() == 50
    assert (found["ended_at"] - found["started_at"]).max() <= timedelta(minutes=90)
    assert found["events"].sum() == 5_000
    assert found["session_id"].is_unique


def test_the_id_is_that_of_customer_and_start_whatever_came_with_it() -> None:
    events = frame_of([(k, 9 * m, "view", None, None, None) for k in (1, 2) for m in range(9)])
    whole, first = fast(events, TIGHT), fast(events[events["customer_key"] == 1], TIGHT)
    assert whole["session_id"].is_unique
    assert (whole["session_id"] >= 0).all()
    assert_frames_equal(whole.head(len(first))["session_id"], first["session_id"])


@settings(deadline=None, max_examples=25)
@given(drawn(NUMBERS), st.lists(st.integers(0, 40), max_size=5).map(sorted))
@example(frame_of([(0, 0, "view", None, None, None)] * 6), [0])
def test_bit_by_bit_sessions_are_those_of_all_events_at_once(
    frame: pd.DataFrame, cuts: list[int]
) -> None:
    state = OpenSessions.none_of(frame, COLUMNS, TIGHT)
    closed = []
    minute = ((frame["occurred_at"] - START) // timedelta(minutes=1)).astype("int64")
    for low, high in zip([-1, *cuts], [*cuts, 99], strict=True):
        done, state, late, lost = advance(state, frame[(minute > low) & (minute <= high)])
        closed.append(done)
        assert not len(late)
        assert not lost
    found = ordered(pd.concat([*closed, state.open_sessions()], ignore_index=True))
    assert_frames_equal(found, fast(frame, TIGHT))


@settings(deadline=None, max_examples=25)
@given(drawn(NUMBERS), drawn(NUMBERS))
def test_late_events_are_in_place_after_their_customers_were_rebuilt(
    frame: pd.DataFrame, more: pd.DataFrame
) -> None:
    first = advance(OpenSessions.none_of(frame, COLUMNS, TIGHT), frame)
    second = advance(first.state, more)
    everything = pd.concat([frame, more], ignore_index=True)
    touched = everything[everything["customer_key"].isin(second.late["customer_key"])]
    again, state = rebuild(second.state, touched)
    before = pd.concat([first.closed, second.closed])
    kept = before[~before["customer_key"].isin(touched["customer_key"])]
    found = pd.concat([kept, again, state.open_sessions()], ignore_index=True)
    assert_frames_equal(ordered(found), fast(everything, TIGHT))


def test_only_what_comes_after_its_session_has_closed_is_late_and_beyond_the_horizon_lost() -> None:
    events = frame_of([(k, m, "view", None, None, None) for k, m in [(1, 0), (2, 500), (3, 501)]])
    state = OpenSessions.none_of(events, COLUMNS, TIGHT, horizon=timedelta(minutes=450))
    closed, state, *_ = advance(state, events)
    assert closed["customer_key"].tolist() == [1]
    more = frame_of([(k, m, "view", None, None, None) for k, m in [(2, 500), (1, 60), (1, 50)]])
    found = advance(state, more)
    assert found.state.open_sessions()["events"].tolist() == [2, 1]
    assert found.late["customer_key"].tolist() == [1]
    assert found.beyond_horizon == 1


def visits(pauses: list[int], kind: str = "view") -> pd.DataFrame:
    seconds = np.cumsum([0, *pauses]).astype("m8[s]")
    return pd.DataFrame({"customer_key": 1, "occurred_at": START + seconds, "event_type": kind})


@pytest.mark.parametrize(
    ("pauses", "kind", "reason"),
    [
        ([3] * 40, "view", "fixed_pauses"),
        ([3] * 40, "cart", None),
        ([0] * 40, "view", None),
        ([0, 0, 1] * 40, "view", "too_fast"),
        ([3, 9, 30] * 200, "view", "pages_without_cart"),
        ([900, 1500] * 37, "purchase", "runaway"),
        ([3, 9, 30] * 20, "view", None),
        ([3] * 8, "view", None),
    ],
)
def test_a_machine_is_told_by_its_pauses_pace_pages_or_length(
    pauses: list[int], kind: str, reason: str | None
) -> None:
    found = sessionize(visits(pauses, kind), event="event_type")
    said = found["excluded_for"].iloc[0]
    assert (None if pd.isna(said) else said) == reason


def test_visits_day_after_day_are_no_runaway_where_the_gap_is_of_days() -> None:
    found = sessionize(visits([30_000, 40_000] * 60), event="event_type", gap="2d")
    assert len(found) > 1
    assert found["excluded_for"].isna().all()


def test_events_of_the_real_shop_are_parted_as_it_parts_them() -> None:
    """The shop also begins a session at every new tab: 4 % of its users' events follow one."""
    events = pd.read_parquet(real_data("clickstream/rees46_2019oct_head.parquet"))
    found = sessionize(events, customer="user_id", time="event_time", event="event_type")
    assert found["events"].sum() == len(events)
    events = events.sort_values(["user_id", "event_time"], kind="stable", ignore_index=True)
    number = np.repeat(np.arange(len(found)), found["events"])
    is_next = events["user_id"].eq(events["user_id"].shift())
    theirs = events["user_session"].eq(events["user_session"].shift())[is_next]
    ours = pd.Series(number).diff().eq(0)[is_next]
    assert (ours == theirs).mean() > 0.95
    assert (theirs & ~ours).sum() <= 1
    assert found["excluded_for"].isna().all()


def test_the_timed_visits_of_the_real_shop_fall_apart_only_at_their_long_pauses() -> None:
    visits = pd.read_parquet(real_data("clickstream/retailrocket_test_sessions_timed.parquet"))
    visits["at"] = pd.to_datetime(visits["unix_ts"], unit="s").astype("datetime64[us]")
    found = sessionize(visits, customer="session", time="at")
    pauses = visits.sort_values(["session", "at"]).groupby("session")["at"].diff()
    long = (pauses > timedelta(minutes=30)).sum()
    assert len(found) == visits["session"].nunique() + long


def test_planted_bots_are_found_and_people_are_not_lost(tmp_path: Path) -> None:
    shop = generate(tmp_path, customers=400, days=60, seed=11, damage=0, bots=0.5)
    events = pq.read_table(tmp_path / FILES["clickstream"]).to_pandas()
    planted = pq.read_table(shop.directory / "truth" / "bots.parquet").to_pandas()
    found = sessionize(events, customer="visitor_id", event="event_type")
    is_bot = found["visitor_id"].isin(planted["visitor_id"])
    excluded = found["excluded_for"].notna()
    of_bots, of_people = found["events"].where(is_bot, 0), found["events"].where(~is_bot, 0)
    assert len(planted) > 15
    assert of_bots[excluded].sum() >= 0.95 * planted["events"].sum()
    assert of_people[excluded].sum() <= 0.005 * of_people.sum()
    assert found[is_bot & excluded]["visitor_id"].nunique() >= 0.95 * len(planted)


def _sessions(work: Work) -> None:
    """Every bucket by itself: it holds its customers' whole histories."""
    clicks = work.read("clickstream", CLICK_COLUMNS.names).to_delayed()
    made = compute(*(delayed(_written)(work, some, number) for number, some in enumerate(clicks)))
    for place, table in enumerate(("sessions", "open_sessions")):
        work.commit(table, [part for parts in made for part in parts[place]], overwrite=True)


def _written(work: Work, clicks: pd.DataFrame, number: int) -> list[Any]:
    made = click_sessions(clicks, work.as_of, SessionRule(), work.lake.backend)
    tables = (contract("sessions"), contract("open_sessions"))
    pairs = zip(made, tables, strict=True)
    return [work.writer.write(rows, table, number=number) for rows, table in pairs]


STEP = Step(
    name="sessions",
    reads=("clickstream",),
    writes=("sessions", "open_sessions"),
    run=_sessions,
    dated=False,
)


def test_a_run_makes_sessions_of_the_lakes_clicks_and_carries_the_open_ones(
    lake: Lake, tmp_path: Path
) -> None:
    def click(number: int, day: float, visitor: str) -> dict[str, Any]:
        return {
            "event_id": f"e{number}",
            "occurred_at": at(day),
            "event_type": "view",
            "visitor_id": visitor,
            "product_id": "lamp",
            "device": "mobile",
        }

    moments = [(day + step / 100, who) for day in range(40) for who in "abc" for step in (0, 1)]
    rows = [click(number, day, who) for number, (day, who) in enumerate(moments)]
    land(lake, {"clickstream": rows}, folder=tmp_path / "landing")
    with lake.backend.cluster():
        report = run(lake, [STEP], Config.load())
        assert [step.status for step in report.steps] == ["done"]
        found = lake.read("sessions").compute()
        opened = lake.read("open_sessions").compute()
        again = run(lake, [STEP], Config.load())
    assert [step.status for step in again.steps] == ["up to date"]
    assert len(found) == 3 * 40
    assert found["events"].eq(2).all()
    assert found["products"].eq(1).all()
    assert set(found["key_kind"]) == {"visitor"}
    assert found["channel"].isna().all()
    assert found["device"].eq("mobile").all()
    assert sorted(opened["event_id"]) == [f"e{number}" for number in range(234, 240)]
