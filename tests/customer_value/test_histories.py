from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lines import CPU, START, drawn_lines, lines

from gpu_pipeline.customer_value.histories import purchase_histories, purchase_outcomes
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.exchange import ExchangeRates

ORACLE = (Path(__file__).parents[1] / "oracle" / "purchase_histories.sql").read_text()
HORIZON = 20
MOMENTS = [START.to_pydatetime() + timedelta(hours=hours) for hours in (-1, 0, 2, 13, 30, 1000)]
# The second is fourteen hours ahead: the shop's noon is the next day's morning there.
ZONES = ["UTC", "Pacific/Kiritimati"]

moments, zones = st.sampled_from(MOMENTS), st.sampled_from(ZONES)


def told(frame: pd.DataFrame, as_of: datetime, zone: str = "UTC") -> pd.DataFrame:
    """Histories beside their outcomes, without the currency."""
    histories = purchase_histories(frame, as_of, CPU, time_zone=zone)
    outcomes = purchase_outcomes(frame, as_of, HORIZON, CPU, time_zone=zone)
    assert list(histories["customer_key"]) == list(outcomes["customer_key"])
    columns = histories.drop(columns="currency")
    return columns.assign(purchases=outcomes["purchases"], value=outcomes["value"])


def by_sql(frame: pd.DataFrame, as_of: datetime, zone: str) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("lines", frame)
        asked = {"as_of": as_of, "horizon": HORIZON, "time_zone": zone}
        return connection.execute(ORACLE, asked).df()


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments, zones)
def test_histories_and_outcomes_are_those_of_plain_sql(
    frame: pd.DataFrame, as_of: datetime, zone: str
) -> None:
    found = told(frame, as_of, zone)
    assert_frames_equal(found, by_sql(frame, as_of, zone).astype(found.dtypes.to_dict()))


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments, st.sampled_from([1, 2, 4]), st.randoms(use_true_random=False))
def test_neither_row_order_nor_the_number_of_buckets_changes_a_thing(
    frame: pd.DataFrame, as_of: datetime, buckets: int, random: Any
) -> None:
    places = list(range(len(frame)))
    random.shuffle(places)
    mixed = frame.iloc[places].reset_index(drop=True)
    parts = [
        told(mixed[mixed["customer_key"] & (buckets - 1) == number].reset_index(drop=True), as_of)
        for number in range(buckets)
    ]
    whole = pd.concat(parts).sort_values("customer_key", ignore_index=True)
    pd.testing.assert_frame_equal(whole, told(frame, as_of), check_exact=True)


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), drawn_lines(), moments)
def test_what_happens_later_changes_no_history_and_after_the_horizon_no_outcome(
    early: pd.DataFrame, late: pd.DataFrame, as_of: datetime
) -> None:
    until = pd.Timestamp(as_of)
    # From the very next microsecond on, so that some would take back what was sold before.
    shift = until + pd.Timedelta(1, "us") - late["ordered_at"].min()
    late = late.assign(ordered_at=late["ordered_at"] + shift)
    known = early[early["ordered_at"] <= until].reset_index(drop=True)
    both = pd.concat([late, known], ignore_index=True)
    found, wanted = (purchase_histories(rows, as_of, CPU) for rows in (both, known))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    before = as_of - timedelta(days=HORIZON)
    found, wanted = (purchase_outcomes(rows, before, HORIZON, CPU) for rows in (both, known))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def at(day: float, **changes: Any) -> dict[str, Any]:
    """A sale of that day after the start, an order of its own."""
    return {"order_id": f"o{day}", "ordered_at": START + timedelta(days=day), **changes}


def one(*rows: dict[str, Any], days: float = 30, zone: str = "UTC") -> dict[str, Any]:
    as_of = (START + timedelta(days=days)).to_pydatetime()
    (found,) = told(lines(*rows), as_of, zone).to_dict("records")
    return {str(name): value for name, value in found.items()}


def test_a_history_in_numbers() -> None:
    returned = at(9, line_type="return", quantity=-1, unit_price=200)
    found = one(
        at(0, unit_price=1000, discount=100),
        at(0.1, product_id="sofa", unit_price=50),
        at(4, quantity=2, unit_price=300),
        returned,
        at(6, line_type="fee", unit_price=9999),
        at(8, key_kind="guest"),
        at(35, unit_price=70),
        at(36, line_type="return", quantity=-1, unit_price=300),
        at(50.1, unit_price=1),
    )
    assert found == {
        "customer_key": 1,
        "frequency": 1,
        "recency": 4,
        "age": 30,
        "average": (900 + 50 + 600 - 200) / 2,
        "purchases": 1,
        "value": 70 - 300,
    }


def test_two_sales_of_one_business_day_are_one_purchase() -> None:
    # Noon, and two in the morning of the next day in UTC; in New York both are the same day.
    rows = (at(0), at(14 / 24, product_id="sofa"))
    assert one(*rows)["frequency"] == 1
    assert one(*rows, zone="America/New_York")["frequency"] == 0
    # Days are counted by the same clock: at two in the morning of the 31st it is still the 30th.
    assert one(*rows, days=29 + 14 / 24, zone="America/New_York")["age"] == 29


def test_a_day_that_a_clock_change_at_midnight_repeats_in_part_is_one_day() -> None:
    # In Beirut the clock goes from midnight of 26 October 2026 back to 23:00 of the 25th.
    times = ["2026-10-25T20:30", "2026-10-25T21:30", "2026-10-25T22:30"]
    rows = [
        {"order_id": str(i), "ordered_at": pd.Timestamp(time), "product_id": str(i)}
        for i, time in enumerate(times)
    ]
    as_of = datetime(2026, 10, 26)  # noqa: DTZ001
    found = purchase_histories(lines(*rows), as_of, CPU, time_zone="Asia/Beirut")
    assert found[["frequency", "recency", "age"]].to_numpy().tolist() == [[1, 1, 1]]


def test_an_entry_error_is_no_purchase_on_either_side_of_the_moment() -> None:
    wrong = at(30 - 0.2, product_id="sofa", quantity=90)
    undone = at(30 + 0.2, product_id="sofa", quantity=-90, line_type="return")
    found = one(at(0), wrong, undone)
    # At the moment it still was a sale; what came of it then is nothing, and no return either.
    assert (found["frequency"], found["purchases"], found["value"]) == (1, 0, 0)


def test_the_average_of_who_sent_everything_back_is_nothing() -> None:
    back = at(5, line_type="return", quantity=-1)
    found = one(at(0), back, at(7), at(9, line_type="return", quantity=-1))
    assert (found["frequency"], found["average"]) == (1, 0)


def test_amounts_are_in_the_reporting_currency_or_of_one_alone() -> None:
    frame = lines(at(0), at(5, currency="USD", unit_price=200))
    as_of = (START + timedelta(days=9)).to_pydatetime()
    with pytest.raises(PipelineError, match="Orders are in EUR, USD"):
        purchase_histories(frame, as_of, CPU)
    quoted = pd.DataFrame({"currency": ["USD"], "day": [START.floor("D")], "rate": [0.5]})
    rates = ExchangeRates.of(quoted, currency="EUR")
    found = purchase_histories(frame, as_of, CPU, rates=rates)
    assert found[["average", "currency"]].to_numpy().tolist() == [[(500 + 100) / 2, "EUR"]]
    # A line without a rate is no purchase that has an amount.
    late = lines(at(0), at(20, currency="USD"))
    until = (START + timedelta(days=30)).to_pydatetime()
    assert purchase_histories(late, until, CPU, rates=rates)["frequency"].tolist() == [0]


def test_nobody_has_no_history() -> None:
    nobody = purchase_histories(lines(), MOMENTS[0], CPU)
    assert len(nobody) == 0
    wanted = ["customer_key", "frequency", "recency", "age", "average", "currency"]
    assert list(nobody.columns) == wanted
    assert len(purchase_outcomes(lines(at(5)), MOMENTS[1], HORIZON, CPU)) == 0
