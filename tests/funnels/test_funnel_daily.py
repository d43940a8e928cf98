"""How far sessions got each day, against plain SQL; of a lake, and of any frame of sessions."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import rows
from tiny_shop import at, land

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.funnels import daily_funnel
from gpu_pipeline.pipeline import run
from gpu_pipeline.sessions import sessionize
from gpu_pipeline.steps.funnels import FUNNEL
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parents[1] / "oracle" / "funnel_daily.sql").read_text()
TABLE = contract("funnel_daily")
START = np.datetime64("2026-03-28T20:00", "us")
COUNTS = ("views", "carts", "checkouts", "purchases")
TEXTS = ("channel", "device", "currency", "excluded_for")


def sessions_of(some: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows of (hours, views, carts, checkouts, purchases, revenue, channel, device, …)."""
    columns: list[Any] = list(zip(*some, strict=True)) if some else [()] * 10
    numbers = dict(zip((*COUNTS, "revenue"), columns[1:6], strict=True))
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype="int64") for name, values in numbers.items()}
    )
    frame.insert(0, "started_at", START + np.array(columns[0], "int64").astype("m8[h]"))
    frame["bounced"] = frame[list(COUNTS)].sum(axis=1) == 1
    for name, values in zip(TEXTS, columns[6:], strict=True):
        frame[name] = pd.Series(values, dtype="str")
    return frame


FEW = st.integers(0, 2)
SESSION = st.tuples(
    st.integers(0, 50),
    *(FEW, FEW, FEW, FEW),
    st.integers(0, 10**12),
    st.sampled_from(["email", "direct", None]),
    st.sampled_from(["mobile", None]),
    st.sampled_from(["EUR", "EUR", "USD", None]),
    st.sampled_from([None, None, None, "too_fast"]),
)


def by_sql(sessions: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("sessions", sessions)
        found = connection.execute(ORACLE, {"time_zone": time_zone}).df()
    return CPU.cast(found, TABLE)


@settings(deadline=None, max_examples=40)
@given(st.lists(SESSION, max_size=30), st.sampled_from(["UTC", "Europe/Berlin"]), st.integers(1, 4))
def test_days_are_those_of_plain_sql_in_any_partitions(
    some: list[Any], time_zone: str, partitions: int
) -> None:
    sessions = sessions_of(some)
    found = daily_funnel(sessions, time_zone=time_zone)
    assert_frames_equal(found, by_sql(sessions, time_zone))
    with CPU.cluster():
        lazy = dd.from_pandas(sessions, npartitions=partitions, sort=False)
        assert_frames_equal(daily_funnel(lazy, time_zone=time_zone), found)


@settings(deadline=None, max_examples=30)
@given(st.lists(SESSION, max_size=30))
def test_no_step_is_reached_by_more_than_the_one_before(some: list[Any]) -> None:
    found = daily_funnel(sessions_of(some))
    steps = ["sessions", "viewed", "carted", "checked_out", "purchased"]
    assert (found[steps].diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    assert (found["carted"] - found["abandoned_carts"]).eq(found["purchased"]).all()
    none = found["carted"] == 0
    assert found["cart_abandonment_rate"].isna().eq(none).all()


def test_who_buys_what_was_in_the_cart_has_reached_the_cart() -> None:
    sessions = sessions_of([(0, 1, 0, 0, 1, 0, None, None, None, None)])
    (found,) = daily_funnel(sessions).to_dict("records")
    assert found["carted"] == found["checked_out"] == found["purchased"] == 1
    assert found["abandoned_carts"] == 0
    assert found["channel"] == found["device"] == "unknown"


def test_amounts_of_two_currencies_are_not_added() -> None:
    one = (0, 1, 1, 1, 1, 500, "email", "mobile", "EUR", None)
    sessions = sessions_of([one, (*one[:8], "USD", None), (0, *one[1:6], "direct", *one[7:])])
    found = daily_funnel(sessions)
    assert found["revenue"].tolist() == [500, 0]
    assert found["currency"].tolist()[0] == "EUR"
    assert found["currency"].isna().tolist() == [False, True]
    assert found["purchases"].tolist() == [1, 2]


def test_sessions_of_any_events_will_do() -> None:
    times = START + np.array([0, 1, 200, 201], "m8[m]")
    events = pd.DataFrame({"customer_key": 1, "occurred_at": times})
    events["event_type"] = ["view", "cart", "view", "view"]
    (found,) = daily_funnel(sessionize(events, event="event_type")).to_dict("records")
    assert (found["sessions"], found["carted"], found["abandoned_carts"]) == (2, 1, 1)
    assert found["pages_per_session"] == 1.5
    with pytest.raises(PipelineError, match="no column bounced, views, carts"):
        daily_funnel(sessionize(events))


def test_a_run_makes_the_days_of_a_lakes_sessions(tmp_path: Path) -> None:
    kinds = ("view", "cart", "purchase", "view", "search", "checkout")
    clicks = [
        {
            "event_id": f"e{number}",
            "occurred_at": at(day + minute / 1440),
            "event_type": kinds[(7 * number + day) % 6],
            "visitor_id": f"v{number % 9}",
            "channel": "email" if number % 2 else "",
            "device": "mobile",
        }
        for number, (day, minute) in enumerate((d, m) for d in range(20) for m in range(0, 60, 7))
    ]
    lake = Lake.create(tmp_path / "lake", buckets=4, backend=CPU, time_zone="Asia/Tokyo")
    land(lake, {"clickstream": clicks}, folder=tmp_path / "landing")
    with CPU.cluster():
        report = run(lake, [SESSIONS, FUNNEL], Config.load())
        found, sessions = rows(lake, "funnel_daily"), rows(lake, "sessions")
        again = run(lake, [SESSIONS, FUNNEL], Config.load())
    assert_frames_equal(found, by_sql(sessions, "Asia/Tokyo"))
    facts = report.steps[1].facts
    assert facts["sessions"] == len(sessions)
    assert facts["days"] == found["day"].nunique() >= timedelta(days=20).days
    assert [step.status for step in again.steps] == ["up to date"] * 2
