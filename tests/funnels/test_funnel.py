"""Counts of journeys against plain SQL and against the journeys themselves, from any frame."""

import statistics
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
from real_data import real_data
from test_journeys import CHANNELS, FUNNELS, HOUR, NUMBERS, STEPS, TEXTS, drawn, events_of

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.funnels import Funnel, FunnelStep, funnel, journeys

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parents[1] / "oracle" / "funnels.sql").read_text()
AS_OF = pd.Timestamp(60 * HOUR, unit="us").to_pydatetime()
NEVER = 10**15  # microseconds


@settings(deadline=None, max_examples=40)
@given(drawn(NUMBERS), st.sampled_from([9, 30]), st.sampled_from([None, 4]))
def test_counts_are_those_of_plain_sql(
    frame: pd.DataFrame, within: int, to_purchase: int | None
) -> None:
    found = funnel(
        frame,
        STEPS,
        within=timedelta(hours=within),
        step_within={"cart": "8h"} | ({"purchase": f"{to_purchase}h"} if to_purchase else {}),
        exclude=["remove"],
        by=["channel"],
        as_of=AS_OF,
    )
    asked = {
        "as_of": 60 * HOUR,
        "within": within * HOUR,
        "cart_within": 8 * HOUR,
        "purchase_within": to_purchase * HOUR if to_purchase else NEVER,
    }
    with duckdb.connect() as connection:
        connection.register("events", frame)
        wanted = connection.execute(ORACLE, asked).df()
    assert_frames_equal(found, wanted.astype(found.dtypes))


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), st.sampled_from(list(FUNNELS.values())))
def test_counts_are_those_of_the_journeys(frame: pd.DataFrame, rule: Funnel) -> None:
    asked = {"by": ["channel"], "as_of": AS_OF}
    found = funnel(
        frame,
        rule.steps,
        mode=rule.mode,
        within=rule.within,
        exclude=rule.exclude,
        **asked,
    )
    rows = journeys(frame, rule, **asked)
    assert found["entries"].groupby(found["step"]).sum().eq(len(rows)).all()
    for (day, channel), some in rows.groupby(["entry_day", "channel"], dropna=False):
        is_same = found["channel"].isna() if pd.isna(channel) else found["channel"].eq(channel)
        group = found[found["entry_day"].eq(day) & is_same]
        assert group["name"].tolist() == list(rule.names)
        for step, row in zip(range(1, len(rule.steps) + 1), group.to_dict("records"), strict=True):
            there = some[some["reached"] >= step]
            assert row["reached"] == len(there)
            assert row["share_of_entries"] == len(there) / len(some)
            before = (some["reached"] >= max(step - 1, 1)).sum()
            assert np.isnan(row["share_of_previous"]) == (not before)
            assert not before or row["share_of_previous"] == len(there) / before
            assert row["censored"] == (some["censored"] & (some["reached"] < step)).sum()
            if step > 1 and len(there):
                names = ["entered_at", *(f"step_{n}_at" for n in range(2, step + 1))]
                waits = (there[names[-1]] - there[names[-2]]).dt.total_seconds()
                assert row["mean_seconds"] == pytest.approx(waits.mean())
                assert row["median_seconds"] == statistics.median(waits)
            else:
                assert np.isnan(row["mean_seconds"])
                assert np.isnan(row["median_seconds"])


@settings(deadline=None, max_examples=12)
@given(drawn(NUMBERS) | drawn(TEXTS), st.sampled_from(list(FUNNELS.values())), st.integers(1, 4))
def test_a_dask_frame_gives_the_same_counts_to_the_last_digit(
    frame: pd.DataFrame, rule: Funnel, partitions: int
) -> None:
    asked: dict[str, Any] = {
        "mode": rule.mode,
        "within": rule.within,
        "exclude": rule.exclude,
        "by": ["channel"],
    }
    wanted = funnel(frame, rule.steps, **asked)
    with CPU.cluster():
        lazy = dd.from_pandas(frame, npartitions=partitions, sort=False)
        assert_frames_equal(funnel(lazy, rule.steps, **asked), wanted, rtol=0)
        whole = dd.from_pandas(frame.sort_values("customer_key"), npartitions=1)
        whole = dd.concat([whole, whole.loc[:-1]])
        found = funnel(whole, rule.steps, **asked, whole_customers=True)
        assert_frames_equal(found, wanted, rtol=0)


@pytest.mark.parametrize("customers", [[1, 2, 3, 4], ["a", "b", "c", "d"]])
def test_partitions_that_share_customers_are_refused_where_they_should_not(
    customers: list[Any],
) -> None:
    rows: list[Any] = [(who, hour, "view", None) for who in customers for hour in range(9_000)]
    events = events_of(rows)
    with CPU.cluster():
        whole = dd.from_pandas(events, npartitions=4, sort=False)
        found = funnel(whole, ["view", "cart"], per=None, whole_customers=True)
        assert found["entries"].tolist() == [4, 4]
        by_time = events.sort_values(["occurred_at", "customer_key"], ignore_index=True)
        split = dd.from_pandas(by_time, npartitions=3, sort=False)
        with pytest.raises(PipelineError, match="Partitions don't hold whole customers"):
            funnel(split, ["view", "cart"], per=None, whole_customers=True)


def test_journeys_are_counted_by_the_labels_of_their_customers() -> None:
    events = events_of(
        [(who, hour, kind, None) for who in (1, 2, 3) for hour, kind in enumerate(STEPS[:who])]
    )
    segments = pd.DataFrame({"customer_key": [3, 1, 9], "segment": ["loyal", "new", "gone"]})
    with CPU.cluster():
        for frame in (events, dd.from_pandas(events, npartitions=2, sort=False)):
            found = funnel(frame, STEPS, segments=segments)
            labels = found["segment"].astype(object).where(found["segment"].notna(), None)
            assert labels.tolist() == ["loyal"] * 3 + ["new"] * 3 + [None] * 3
            assert found["reached"].tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 0]
    twice = pd.concat([segments, segments.head(1)])
    with pytest.raises(PipelineError, match="1 customers in segments have more than one row"):
        funnel(events, STEPS, segments=twice)
    with pytest.raises(PipelineError, match="one column of labels"):
        funnel(events, STEPS, segments=segments.assign(more=1))


def test_without_events_there_are_no_rows_but_the_columns() -> None:
    nothing = funnel(events_of([]), STEPS, by=["channel"])
    some = funnel(events_of([(1, 0, "view", "ads")]), STEPS, by=["channel"])
    assert not len(nothing)
    assert nothing.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_step_can_ask_for_values_of_other_columns() -> None:
    events = events_of([(who, who, "view", channel) for who, channel in enumerate(CHANNELS)])
    for where, wanted in ((("ads",), 1), (("ads", "email"), 2), ("email", 1)):
        step = FunnelStep("view", where={"channel": where})
        found = funnel(events, [step, "cart"], per=None)
        assert found["entries"].tolist() == [wanted, wanted]


@pytest.mark.parametrize(
    ("steps", "asked", "said"),
    [
        (["view"], {}, "from 2 to 20 steps, not 1"),
        (["view", "view"], {}, "two have one name"),
        (["view", "cart"], {"mode": "loose"}, "none of ordered, strict, any"),
        (["view", "cart"], {"within": "soon"}, "'soon' is no time for a funnel: a number and s"),
        (["view", "cart"], {"within": "0s"}, "lets nothing through"),
        (["view", "cart"], {"step_within": {"pay": "1h"}}, "names pay, but the steps are view, ca"),
        (["view", FunnelStep("cart", within="x")], {}, "'x' is no time for a step 'cart'"),
        ([FunnelStep("view", within="1h"), "cart"], {}, "Nothing lies before the first step"),
        (["view", "cart"], {"exclude": ["cart"]}, "cart take a step and are excluded"),
        (["view", "cart"], {"mode": "strict", "exclude": ["remove"]}, "leave exclude out"),
        (["view", "cart"], {"mode": "any", "step_within": "1h"}, "no step before them"),
        (["view", "cart"], {"by": ["country"]}, "No column country among the events'"),
        (["view", "cart"], {"same": ["product_id"]}, "No column product_id among"),
        (["view", "cart"], {"per": "month"}, "per day, week or None, not 'month'"),
        (["view", "cart"], {"time_zone": "Mars"}, "'Mars' is no time zone"),
        (["look", "pay"], {}, "is of type look, pay, so there are no journeys. Its types are view"),
    ],
)
def test_a_funnel_that_cannot_be_is_named(steps: list[Any], asked: Any, said: str) -> None:
    events = events_of([(1, 0, "view", "ads")])
    with pytest.raises(PipelineError, match=said):
        funnel(events, steps, **asked)


def test_events_of_nobody_or_of_no_time_are_named() -> None:
    events = events_of([(1, 0, "view", "ads"), (2, 1, "cart", None)])
    with pytest.raises(PipelineError, match="1 of 2 events have no customer"):
        funnel(events.assign(customer_key=["a", None]), STEPS)
    with pytest.raises(PipelineError, match="1 of 2 events have no time"):
        funnel(events.assign(occurred_at=["2026-03-01", "noon"]), STEPS)


def test_buyers_of_the_real_shop_go_from_a_look_to_a_purchase() -> None:
    events = pd.read_parquet(real_data("clickstream/rees46_2019oct_head.parquet"))
    names = {"customer": "user_id", "time": "event_time", "event": "event_type"}
    found = funnel(events, STEPS, within="3h", per=None, **names)
    views = events.loc[events["event_type"] == "view", "user_id"].nunique()
    assert found["entries"].tolist() == [views] * 3
    of_product = funnel(events, STEPS, within="3h", per=None, same=["product_id"], **names)
    pairs = events[events["event_type"] == "view"].drop_duplicates(["user_id", "product_id"])
    assert of_product["entries"].tolist() == [len(pairs)] * 3
    unordered = funnel(events, STEPS, within="3h", per=None, mode="any", **names)
    # Who gets there in order also does in any; the file is of less than three hours.
    assert unordered["reached"].iloc[2] >= found["reached"].iloc[2] > 50


def test_events_count_until_the_latest_of_any_partition() -> None:
    events = events_of([(1, -99, "view", None), (2, -50, "view", None), (3, -49, "search", None)])
    with CPU.cluster():
        lazy = dd.from_pandas(events, npartitions=3, sort=False)
        found = funnel(lazy[lazy["customer_key"] < 3], ["view", "cart"], within="2d")
    assert found["censored"].tolist() == [0, 0, 0, 1]
    assert_frames_equal(found, funnel(events.head(2), ["view", "cart"], within="2d"))
