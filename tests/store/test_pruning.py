"""A read opens only the files that can hold a row that fits, and finds every row that does."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_rows import MOMENT, ORDERS, in_order, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Condition, Lake

CPU = Backend.choose("cpu")
ROWS = order_rows(200, months=2)
DAYS = [np.datetime64("2026-01-01") + np.timedelta64(day, "D") for day in range(0, 61, 3)]


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two months of orders in commits of six days each, with a checkpoint between."""
    lake = Lake.create(tmp_path_factory.mktemp("daily") / "lake", buckets=2, backend=CPU)
    block = (ROWS["ordered_at"].dt.dayofyear - 1) // 6
    with lake.writer() as writer:
        for _, rows in ROWS.groupby(block):
            writer.commit(ORDERS, writer.write(rows, ORDERS))
    return lake


TIMES = st.sampled_from([*ROWS["ordered_at"][:20].tolist(), *(pd.Timestamp(day) for day in DAYS)])
SPANS = st.tuples(st.just("ordered_at"), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), TIMES)
OTHERS: list[Condition] = [
    ("ordered_at", "in", ROWS["ordered_at"][:3].tolist()),
    ("ordered_at", "in", []),
    ("customer_key", "==", int(ROWS["customer_key"][0])),
    ("customer_key", "in", ROWS["customer_key"][:5].tolist()),
    ("product_id", "==", "Ü-1"),
    ("product_name", "!=", "a name"),
    ("quantity", "in", [1, 2, 2.5]),
    ("quantity", "<", 2.5),
    ("shipped_at", "==", datetime(2026, 1, 1, tzinfo=UTC)),
]


def slow(rows: pd.DataFrame, where: list[Condition]) -> pd.DataFrame:
    """The rows that fulfil the conditions, one by one."""
    compare: dict[str, Any] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "in": lambda a, b: a in b,
    }
    zone_less = [
        (c, o, v.replace(tzinfo=None) if isinstance(v, datetime) else v) for c, o, v in where
    ]
    keep = [all(compare[o](row[c], v) for c, o, v in zone_less) for row in rows.to_dict("records")]
    return rows[keep]


@settings(deadline=None, max_examples=20)
@given(
    where=st.lists(st.one_of(SPANS, st.sampled_from(OTHERS)), max_size=3),
    moment=st.one_of(st.none(), TIMES),
)
def test_a_pruned_read_is_the_full_read_filtered(
    daily: Lake, where: list[Condition], moment: pd.Timestamp | None
) -> None:
    expected = slow(ROWS, where)
    for bucket in (0, 1):
        mine = expected[(expected["customer_key"] & 1) == bucket]
        assert_frames_equal(in_order(daily.read_bucket("orders", bucket, where)), in_order(mine))
    then = expected if moment is None else expected[expected["ordered_at"] <= moment]
    read = daily.read("orders", where=where, as_of=moment).compute(scheduler="sync")
    assert_frames_equal(in_order(read), in_order(then))


def opened(lake: Lake, monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[str]:
    """The files that reading touches."""
    paths: list[str] = []
    real = pd.read_parquet

    def watched(some: list[str], **given: Any) -> pd.DataFrame:
        paths.extend(some)
        return real(some, **given)

    monkeypatch.setattr(pd, "read_parquet", watched)
    lake.read("orders", **how).compute(scheduler="sync")
    return paths


def test_only_files_of_the_days_that_are_asked_for_are_opened(
    daily: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opened(daily, monkeypatch)
    assert len(whole) == len(list(daily.path.rglob("part-*.parquet"))) > 15
    first = datetime(2026, 2, 6, tzinfo=UTC)
    where = [("ordered_at", ">=", first), ("ordered_at", "<", first + timedelta(days=6))]
    assert len(opened(daily, monkeypatch, where=where)) == 2
    early = opened(daily, monkeypatch, as_of=datetime(2026, 1, 5, 23, tzinfo=UTC))
    assert len(early) == 2
    assert opened(daily, monkeypatch, where=[("ordered_at", "in", [])]) == []
    never = [("ordered_at", "<", MOMENT), ("ordered_at", ">", MOMENT + timedelta(days=9))]
    assert opened(daily, monkeypatch, where=never) == []


def test_the_edges_of_a_file_count_to_the_microsecond(lake: Lake) -> None:
    edge = pd.Timestamp("2026-01-15T12:00:00.123457")
    rows = order_rows(40).assign(ordered_at=edge)
    with lake.writer() as writer:
        for number in range(12):  # past a checkpoint, where Delta may round what it knows of a file
            writer.commit(ORDERS, writer.write(rows if number == 3 else rows[:0], ORDERS))
    micro = timedelta(microseconds=1)
    for operator, off, count in [
        ("<=", -micro, 0),
        ("<=", 0 * micro, 40),
        (">=", 0 * micro, 40),
        (">=", micro, 0),
        ("==", 0 * micro, 40),
    ]:
        assert len(lake.read("orders", where=[("ordered_at", operator, edge + off)])) == count


@pytest.mark.parametrize(
    "value",
    ["2026-02-01", "2026-02-01T01:00:00+01:00", date(2026, 2, 1), np.datetime64("2026-02-01")],
)
def test_a_time_may_be_given_in_several_ways(daily: Lake, value: object) -> None:
    expected = ROWS[ROWS["ordered_at"] >= "2026-02-01"]
    assert len(daily.read("orders", where=[("ordered_at", ">=", value)])) == len(expected) > 0


@pytest.mark.parametrize("value", ["tomorrow", "2026-13-01", object(), 1.5])
def test_what_is_no_time_is_refused(daily: Lake, value: object) -> None:
    with pytest.raises(
        LakeError, match=r"ordered_at is a time, .* is none: give a datetime or ISO"
    ):
        daily.read("orders", where=[("ordered_at", ">", value)])


def test_an_older_version_that_fulfils_a_condition_is_not_what_was_true(lake: Lake) -> None:
    products = contract("products")
    empty = lake.backend.empty(products)
    versions = pd.DataFrame(
        {
            "product_id": ["A", "A", "B"],
            "name": "a thing",
            "category": ["phones", "toys", "phones"],
            "price": [1, 2, 3],
            "currency": "EUR",
            "updated_at": pd.to_datetime(["2026-01-01", "2026-01-05", "2026-01-02"]),
            "file_no": 1,
            "line": range(1, 4),
        }
    )
    rows = pd.concat([empty, versions])[list(products.names)]
    with lake.writer() as writer:
        for part in (rows[:1], rows[1:]):
            writer.commit(products, writer.write(part, products))

    def phones(day: int, *more: Condition) -> set[str]:
        where: list[Condition] = [("category", "==", "phones"), *more]
        moment = datetime(2026, 1, day, tzinfo=UTC)
        return set(lake.read("products", where=where, as_of=moment).compute()["product_id"])

    assert phones(3) == {"A", "B"}
    assert phones(6) == {"B"}
    assert phones(6, ("updated_at", "<", datetime(2026, 1, 3, tzinfo=UTC))) == {"B"}
    assert phones(6, ("product_id", "==", "A")) == set()


def test_a_lakes_versions_are_opened_once_and_never_mistaken(tmp_path: Path) -> None:
    key = "ab" * 32
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=CPU, key=key)
    with lake.writer() as writer:
        writer.commit(ORDERS, writer.write(ROWS[:50], ORDERS))
        assert lake.rows("orders") == 50
        writer.commit(ORDERS, writer.write(ROWS[50:], ORDERS))
    assert lake.rows("orders") == 200
    other = Lake.create(tmp_path / "other", buckets=2, backend=CPU, key=key)
    with other.writer() as writer:
        for rows in (ROWS[:10], ROWS[10:30]):
            writer.commit(ORDERS, writer.write(rows, ORDERS))
    lake.path.rename(tmp_path / "away")
    other.path.rename(lake.path)
    assert lake.rows("orders") == 30
