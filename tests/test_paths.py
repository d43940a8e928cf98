"""Paths against plain SQL and a walk from event to event, in any parts and any order."""

from collections import defaultdict
from collections.abc import Callable
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

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.paths import abandoned_pages, path_summary, purchase_paths

CPU = Backend.choose("cpu")
ORACLES = Path(__file__).parent / "oracle"
START = np.datetime64("2026-03-01T09:00", "us")
KINDS = ("view", "view", "view", "search", "cart", "remove", "checkout", "purchase")
MINUTE = 60_000_000
Row = tuple[Any, int, str, str | None]


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """Rows of (customer, minutes, event type, product) as events."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    return pd.DataFrame(
        {
            "customer_key": pd.Series(columns[0], dtype=None if rows else "int64"),
            "occurred_at": START + np.array(columns[1], "int64").astype("m8[m]"),
            "event_type": pd.Series(columns[2], dtype="str"),
            "product_id": pd.Series(columns[3], dtype="str"),
        }
    )


def drawn(customers: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.DataFrame]:
    row = st.tuples(
        customers,
        st.integers(0, 12),
        st.sampled_from(KINDS),
        st.sampled_from(["p1", "p2", "p3", "", None]),
    )
    return st.lists(row, max_size=40).map(frame_of)


NUMBERS = st.sampled_from([-(2**63), 7, 2**63 - 1])
ANY = drawn(NUMBERS) | drawn(st.sampled_from(["ann", "Ünal", ""]))


def by_sql(name: str, parameters: dict[str, int], **tables: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        for table, frame in tables.items():
            connection.register(table, frame)
        found = connection.execute((ORACLES / f"{name}.sql").read_text(), parameters).df()
    return found


def paths_by_sql(frame: pd.DataFrame, last: int, minutes: int) -> pd.DataFrame:
    given = {"last": last, "within": minutes * MINUTE}
    return by_sql("paths", given, events=frame.assign(row=range(len(frame))))


def sessions_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns={"customer_key": "session_id"})


@settings(deadline=None, max_examples=60)
@given(ANY, st.integers(1, 4), st.integers(0, 8))
def test_paths_are_those_of_plain_sql(frame: pd.DataFrame, last: int, minutes: int) -> None:
    found = purchase_paths(frame, last=last, within=f"{minutes}min")
    wanted = paths_by_sql(frame, last, minutes).drop(columns="row").astype(found.dtypes)
    assert_frames_equal(found, wanted)


def slow_paths(frame: pd.DataFrame, last: int, minutes: int) -> list[tuple[Any, ...]]:
    """(customer, minute, product, position, viewed product, minutes before) of each purchase."""
    views: dict[Any, list[tuple[int, str]]] = defaultdict(list)
    purchases = []
    minute = (frame["occurred_at"] - START) // np.timedelta64(1, "m")
    for who, at, kind, product in zip(
        frame["customer_key"], minute, frame["event_type"], frame["product_id"], strict=True
    ):
        if not pd.isna(product) and kind == "view":
            views[who].append((-at, product))
        elif not pd.isna(product) and kind == "purchase":
            purchases.append((who, at, product))
    return [
        (who, at, product, position, viewed, at + minus)
        for who, at, product in sorted(purchases)
        for position, (minus, viewed) in enumerate(
            sorted(view for view in views[who] if -view[0] < at)[:last], 1
        )
        if at + minus <= minutes
    ]


@settings(deadline=None, max_examples=60)
@given(ANY, st.integers(1, 4), st.integers(0, 8))
def test_paths_are_those_of_a_walk_back_from_each_purchase(
    frame: pd.DataFrame, last: int, minutes: int
) -> None:
    found = purchase_paths(frame, last=last, within=f"{minutes}min")
    rows = zip(
        found["customer_key"],
        (found["purchased_at"] - START) // np.timedelta64(1, "m"),
        found["product_id"],
        found["position"],
        found["viewed_product_id"],
        found["seconds_before"] / 60,
        strict=True,
    )
    assert list(rows) == slow_paths(frame, last, minutes)


@settings(deadline=None, max_examples=60)
@given(ANY, st.integers(1, 4), st.integers(0, 8))
def test_the_summary_is_that_of_plain_sql(frame: pd.DataFrame, last: int, minutes: int) -> None:
    found = path_summary(frame, last=last, within=f"{minutes}min")
    rows = frame.assign(row=range(len(frame)))
    wanted = by_sql("path_summary", {}, events=rows, paths=paths_by_sql(frame, last, minutes))
    assert_frames_equal(found, wanted.astype(found.dtypes))


@settings(deadline=None, max_examples=60)
@given(ANY.map(sessions_of), st.integers(1, 4))
def test_abandoned_pages_are_those_of_plain_sql(frame: pd.DataFrame, last: int) -> None:
    found = abandoned_pages(frame, last=last)
    wanted = by_sql("abandoned_pages", {"last": last}, events=frame)
    assert_frames_equal(found, wanted.astype(found.dtypes))


ASK: dict[str, Callable[[Any], Any]] = {
    "paths": lambda events: purchase_paths(events, last=2, within="5min"),
    "summary": lambda events: path_summary(events, last=2, within="5min"),
    "abandoned": lambda events: abandoned_pages(events, last=2, session="customer_key"),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@settings(deadline=None, max_examples=30)
@given(frame=ANY, rng=st.randoms(use_true_random=False))
def test_neither_the_order_of_events_nor_pieces_change_a_thing(
    ask: Callable[[Any], Any], frame: pd.DataFrame, rng: Any
) -> None:
    places = list(range(len(frame)))
    rng.shuffle(places)
    shuffled = frame.iloc[places]
    assert_frames_equal(ask(shuffled), ask(frame))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backend, "rows_at_once", property(lambda _: 3))
        assert_frames_equal(ask(shuffled), ask(frame))


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@settings(deadline=None, max_examples=8)
@given(frame=ANY, partitions=st.integers(1, 4))
def test_a_dask_frame_gives_the_same(
    ask: Callable[[Any], Any], frame: pd.DataFrame, partitions: int
) -> None:
    wanted = ask(frame)
    with CPU.cluster():
        found = ask(dd.from_pandas(frame, npartitions=partitions))  # type: ignore[no-untyped-call]
        if isinstance(found, dd.DataFrame):
            assert found._meta.dtypes.to_dict() == wanted.dtypes.to_dict()
            found = found.compute()  # type: ignore[no-untyped-call]
    by = [name for name in ("customer_key", "purchased_at", "product_id") if name in found]
    if "position" in found:
        # Partitions come in their own order; a purchase's rows stay together.
        by = by[:2] if "purchased_at" in found else by[:1]
        found = found.sort_values(by, kind="stable", ignore_index=True)
    assert_frames_equal(found, wanted)


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), drawn(NUMBERS))
def test_what_happens_later_changes_no_path(frame: pd.DataFrame, later: pd.DataFrame) -> None:
    later = later.assign(occurred_at=later["occurred_at"] + np.timedelta64(1, "h"))
    found = purchase_paths(pd.concat([later, frame], ignore_index=True), within="10min")
    before = found[found["purchased_at"] < START + np.timedelta64(1, "h")].reset_index(drop=True)
    assert_frames_equal(before, purchase_paths(frame, within="10min"))


def test_a_path_by_hand() -> None:
    frame = frame_of(
        [
            (7, 0, "view", "lamp"),
            (7, 5, "view", "rug"),
            (7, 6, "view", None),
            (7, 6, "cart", "lamp"),
            (7, 8, "view", "rug"),
            (7, 8, "purchase", "lamp"),
            (8, 7, "view", "sofa"),
            (9, 1, "purchase", "sofa"),
        ]
    )
    found = purchase_paths(frame)
    assert found[["position", "viewed_product_id", "seconds_before"]].to_numpy().tolist() == [
        [1, "rug", 180.0],
        [2, "lamp", 480.0],
    ]
    assert found["is_same_product"].tolist() == [False, True]
    summary = path_summary(frame)
    assert summary.iloc[0].to_list() == ["lamp", 1, 1, 2, 1, 480.0]
    assert summary.iloc[1].to_list()[:5] == ["sofa", 1, 0, 0, 0]
    pages = abandoned_pages(sessions_of(frame[frame["event_type"] != "purchase"]), last=2)
    assert pages["position"].tolist() == [1, 2]
    assert pages["product_id"].isna().tolist() == [False, True]
    assert pages["seconds_before"].tolist() == [0.0, 120.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"product": "sku"}, "No column sku among the events'"),
        ({"last": 0}, "last=0: a path has one view at least"),
        ({"within": "soon"}, "'soon' is no length of a path"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        purchase_paths(frame_of([(7, 0, "view", "lamp")]), **change)


def test_real_visitors_look_at_what_they_then_buy() -> None:
    path = real_data("clickstream/rees46_2019oct_head.parquet")
    events = pd.read_parquet(path)
    events = events.assign(
        customer_key=events["user_id"],
        occurred_at=pd.to_datetime(events["event_time"].astype("str").str.removesuffix(" UTC")),
        product_id=events["product_id"].astype("str"),
    )
    summary = path_summary(events, within="3h")
    paths = purchase_paths(events, within="3h")
    purchases = int((events["event_type"] == "purchase").sum())
    assert summary["purchases"].sum() == purchases
    assert summary["views"].sum() == len(paths)
    # Hardly anyone buys there without having looked at it just before.
    assert summary["after_own_views"].sum() > 0.9 * summary["after_views"].sum()
