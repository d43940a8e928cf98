"""Retention against plain SQL and a slow twin, in any parts and any order, and on real orders."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.cohorts import retention
from gpu_pipeline.errors import PipelineError

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parent / "oracle" / "retention.sql").read_text()
RETAIL = Path(__file__).parents[1] / "data" / "online_retail.parquet"
START = pd.Timestamp("2025-11-28T22:00")
Row = tuple[Any, int, str, int]


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """Rows of (customer, hours, order, amount) as order lines."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    times = [START + pd.Timedelta(hours=int(hours)) for hours in columns[1]]
    return pd.DataFrame(
        {
            "customer_key": pd.Series(columns[0], dtype=None if rows else "int64"),
            "ordered_at": pd.Series(times, dtype="datetime64[us]"),
            "order_id": pd.Series(columns[2], dtype="str"),
            "amount": pd.Series(columns[3], dtype="int64"),
        }
    )


def drawn(customers: st.SearchStrategy[Any]) -> st.SearchStrategy[pd.DataFrame]:
    row = st.tuples(
        customers,
        # Over the end of a month, of a year and of weeks; some at their first moment.
        st.integers(0, 160).map(lambda half_days: half_days * 12 + 2),
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from([-(2**53), 100, 2**53 + 1]),
    )
    return st.lists(row, max_size=40).map(frame_of)


NUMBERS = st.sampled_from([-(2**63), 1, 2, 2**63 - 1])
ANY = drawn(NUMBERS) | drawn(st.sampled_from(["ann", "Ünal", ""]))
PERIODS = st.sampled_from(["month", "week"])


def asked(frame: Any, **options: Any) -> pd.DataFrame:
    return retention(frame, order="order_id", amount="amount", **options)


def by_sql(frame: pd.DataFrame, period: str, as_of: datetime) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("lines", frame)
        found = connection.execute(ORACLE, {"period": period, "as_of": as_of}).df()
    return found


@settings(deadline=None, max_examples=40)
@given(ANY, PERIODS, st.integers(0, 90))
def test_retention_is_that_of_plain_sql(frame: pd.DataFrame, period: Any, days: int) -> None:
    as_of = START.to_pydatetime() + timedelta(days=days)
    found = asked(frame, period=period, as_of=as_of)
    assert_frames_equal(found, by_sql(frame, period, as_of).astype(found.dtypes))


def slow_retention(frame: pd.DataFrame) -> list[tuple[str, int, int, int]]:
    """(cohort, months later, its customers, those who bought), month by month."""
    months: dict[Any, set[int]] = {}
    for customer, moment in zip(frame["customer_key"], frame["ordered_at"], strict=True):
        months.setdefault(customer, set()).add(moment.year * 12 + moment.month - 1)
    running = max((max(own) for own in months.values()), default=0)
    cohorts = sorted({min(own) for own in months.values()} - {running})
    members = {c: [own for own in months.values() if min(own) == c] for c in cohorts}
    return [
        (f"{c // 12}-{c % 12 + 1:02d}-01", month - c, len(members[c]), _in(members[c], month))
        for c in cohorts
        for month in range(c, running)
    ]


def _in(members: list[set[int]], month: int) -> int:
    return sum(month in own for own in members)


@settings(deadline=None, max_examples=60)
@given(ANY)
def test_retention_is_that_of_counting_month_by_month(frame: pd.DataFrame) -> None:
    found = retention(frame)
    rows = zip(
        found["cohort"].dt.strftime("%Y-%m-%d"),
        found["periods_later"],
        found["cohort_customers"],
        found["customers"],
        strict=True,
    )
    assert list(rows) == slow_retention(frame)


@settings(deadline=None, max_examples=30)
@given(ANY, PERIODS, st.randoms(use_true_random=False))
def test_neither_order_nor_pieces_change_a_thing(
    frame: pd.DataFrame, period: Any, rng: Any
) -> None:
    wanted = asked(frame, period=period)
    places = list(range(len(frame)))
    rng.shuffle(places)
    assert_frames_equal(asked(frame.iloc[places], period=period), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backend, "rows_at_once", property(lambda _: 3))
        assert_frames_equal(asked(frame.iloc[places], period=period), wanted)


@settings(deadline=None, max_examples=12)
@given(ANY, PERIODS, st.integers(1, 4))
def test_a_dask_frame_gives_the_same_in_any_number_of_partitions(
    frame: pd.DataFrame, period: Any, partitions: int
) -> None:
    with CPU.cluster():
        parts = dd.from_pandas(frame, npartitions=partitions)  # type: ignore[no-untyped-call]
        found = asked(parts, period=period)
    assert_frames_equal(found, asked(frame, period=period))


@settings(deadline=None, max_examples=30)
@given(drawn(NUMBERS), drawn(NUMBERS))
def test_what_happens_later_changes_nothing(frame: pd.DataFrame, later: pd.DataFrame) -> None:
    as_of = START.to_pydatetime() + timedelta(days=100)
    later = later.assign(ordered_at=later["ordered_at"] + pd.Timedelta(days=101))
    both = pd.concat([later, frame], ignore_index=True)
    assert_frames_equal(asked(both, as_of=as_of), asked(frame, as_of=as_of))


def test_a_period_that_is_not_over_has_no_row_and_one_without_return_has_a_zero() -> None:
    frame = frame_of([(1, 0, "A", 500), (2, 0, "B", 100), (1, 24 * 70, "C", 700)])
    found = asked(frame)
    assert found["cohort"].dt.strftime("%Y-%m").tolist() == ["2025-11"] * 3
    assert found["share"].tolist() == [1.0, 0.0, 0.0]
    assert found["revenue"].tolist() == [600, 0, 0]
    # At the first moment of March, February is over.
    march = datetime(2026, 3, 1, tzinfo=UTC)
    assert asked(frame, as_of=march)["share"].tolist() == [1.0, 0.0, 0.0, 0.5]
    before = march.astimezone(timezone(timedelta(hours=5))) - timedelta(microseconds=1)
    assert asked(frame, as_of=before)["share"].tolist() == [1.0, 0.0, 0.0]


def test_the_day_is_that_of_the_time_zone() -> None:
    # Eleven in the evening of 30 November in UTC is December in Berlin.
    frame = frame_of([(1, 49, "A", 1), (1, 24 * 70, "B", 1)])
    assert retention(frame)["cohort"].iloc[0] == pd.Timestamp("2025-11-01")
    berlin = retention(frame, time_zone="Europe/Berlin")
    assert berlin["cohort"].iloc[0] == pd.Timestamp("2025-12-01")


def test_without_an_order_column_every_row_is_an_order() -> None:
    frame = frame_of([(1, 0, "A", 1), (1, 1, "A", 1), (2, 24 * 70, "B", 1)])
    assert retention(frame)["orders"].tolist() == [2, 0, 0]
    assert retention(frame, order="order_id")["orders"].tolist() == [1, 0, 0]
    assert "revenue" not in retention(frame)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "price"}, "No column price among customer_key, ordered_at"),
        ({"period": "year"}, "'year' is no period: there are month, week"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        retention(frame_of([(1, 0, "A", 1)]), **change)


def test_real_customers_come_back_by_a_fifth_to_two_fifths() -> None:
    columns = ["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"]
    lines = pd.read_parquet(RETAIL, columns=columns)
    sold = lines[lines["CustomerID"].notna() & (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    frame = pd.DataFrame(
        {
            "customer_key": sold["CustomerID"].astype("int64"),
            "ordered_at": sold["InvoiceDate"].astype("datetime64[us]"),
            "order_id": sold["InvoiceNo"].astype("str"),
            "amount": (sold["Quantity"] * sold["UnitPrice"] * 100).round().astype("int64"),
        }
    )
    found = asked(frame)
    last = frame["ordered_at"].max()
    assert_frames_equal(found, by_sql(frame, "month", last).astype(found.dtypes))
    # December 2011 has nine days in the data: it is no period of anybody's.
    assert len(found) == 12 * 13 / 2
    assert (found["cohort"].min(), found["cohort_customers"].iloc[0]) == (
        pd.Timestamp("2010-12-01"),
        885,
    )
    returning = found[found["periods_later"] > 0]
    average = returning["customers"].sum() / returning["cohort_customers"].sum()
    assert 0.2 < average < 0.4
