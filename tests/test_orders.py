from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lines import CPU, START, as_multiset, drawn_lines, lines

from gpu_pipeline.errors import PipelineError
from gpu_pipeline.orders import business_day, one_currency, settled

HOUR = pd.Timedelta(hours=1)


def sale(**values: Any) -> dict[str, Any]:
    return values


def back(**values: Any) -> dict[str, Any]:
    return {"order_id": "B", "line_type": "return", "quantity": -1} | values


def kinds(*rows: dict[str, Any], **options: Any) -> list[str]:
    """The line types after settling."""
    return settled(lines(*rows), CPU, **options)["line_type"].tolist()


def slowly_settled(frame: pd.DataFrame, within: pd.Timedelta) -> pd.DataFrame:
    """The rule, row by row: a sale and the next move of the same goods, its reversal."""
    rows = frame.to_dict("records")
    for before, after in _neighbours(rows):
        is_reversal = before["quantity"] > 0 and after["quantity"] == -before["quantity"]
        if is_reversal and after["ordered_at"] - before["ordered_at"] <= within:
            before["line_type"] = after["line_type"] = "cancelled"
    return pd.DataFrame(rows, columns=frame.columns).astype(frame.dtypes.to_dict())


def _neighbours(rows: list[dict[Any, Any]]) -> Iterator[tuple[dict[Any, Any], dict[Any, Any]]]:
    moves = [
        row
        for row in rows
        if (row["line_type"] == "sale" and row["quantity"] > 0)
        or (row["line_type"] == "return" and row["quantity"] < 0)
    ]

    def goods(row: dict[Any, Any]) -> tuple[Any, ...]:
        who = row["key_kind"], row["customer_key"]
        return *who, row["product_id"], row["unit_price"], row["currency"]

    def turn(row: dict[Any, Any]) -> tuple[Any, ...]:
        return row["ordered_at"], -row["quantity"], row["order_id"], row["discount"]

    moves.sort(key=lambda row: (goods(row), turn(row)))
    for _, group in groupby(moves, goods):
        yield from pairwise(group)


@settings(deadline=None, max_examples=60)
@given(drawn_lines(), st.sampled_from([0, 1, 24]))
def test_the_rule_is_that_of_its_slow_twin(frame: pd.DataFrame, hours: int) -> None:
    found = settled(frame, CPU, within_hours=hours)
    wanted = slowly_settled(frame, hours * HOUR)
    assert as_multiset(found) == as_multiset(wanted)


@settings(deadline=None, max_examples=60)
@given(drawn_lines(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(frame: pd.DataFrame, random: Any) -> None:
    places = list(range(len(frame)))
    random.shuffle(places)
    shuffled = settled(frame.iloc[places].reset_index(drop=True), CPU)
    assert as_multiset(shuffled) == as_multiset(settled(frame, CPU))


def test_a_guests_return_takes_nothing_back_from_a_customer_of_the_same_key() -> None:
    frame = lines({}, {"key_kind": "guest", "line_type": "return", "quantity": -1})
    assert_frames_equal(settled(frame, CPU), frame)


@settings(deadline=None, max_examples=60)
@given(drawn_lines())
def test_all_but_the_type_of_lines_stays_and_the_input_is_left_alone(frame: pd.DataFrame) -> None:
    before = frame.copy()
    found = settled(frame, CPU)
    assert_frames_equal(frame, before)
    rest = [name for name in frame.columns if name != "line_type"]
    assert_frames_equal(found[rest], before[rest])
    changed = found["line_type"] != before["line_type"]
    assert set(found["line_type"][changed]) <= {"cancelled"}
    # Entries go in pairs that add up to nothing.
    assert found["quantity"][changed].sum() == 0


def test_the_two_mistyped_orders_of_the_real_retailer_are_no_sales() -> None:
    # UCI Online Retail: 74,215 jars and 80,995 paper birds, each cancelled within the hour.
    jars = {"customer_key": 12346, "product_id": "23166", "unit_price": 104, "currency": "GBP"}
    birds = {"customer_key": 16446, "product_id": "23843", "unit_price": 208, "currency": "GBP"}
    brush = {**birds, "product_id": "22980", "unit_price": 165}
    frame = lines(
        {**jars, "order_id": "541431", "quantity": 74215, "ordered_at": "2011-01-18T10:01"},
        back(**jars, order_id="C541433", quantity=-74215, ordered_at="2011-01-18T10:17"),
        {**brush, "order_id": "553573", "ordered_at": "2011-05-18T09:52"},
        {**birds, "order_id": "581483", "quantity": 80995, "ordered_at": "2011-12-09T09:15"},
        back(**birds, order_id="C581484", quantity=-80995, ordered_at="2011-12-09T09:27"),
    )
    found = settled(frame, CPU)
    assert found["line_type"].tolist() == ["cancelled", "cancelled", "sale", *["cancelled"] * 2]


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": -2},
        {"unit_price": 499},
        {"product_id": "sofa"},
        {"customer_key": 2},
        {"currency": "USD"},
        {"ordered_at": START + 24 * HOUR + pd.Timedelta(microseconds=1)},
        {"ordered_at": START - HOUR},
        {"line_type": "adjustment"},
        {"line_type": "fee"},
    ],
)
def test_a_return_of_something_else_or_too_late_stays_one(other: dict[str, Any]) -> None:
    given_back = back(ordered_at=START + HOUR) | other
    assert kinds(sale(), given_back) == ["sale", given_back["line_type"]]


def test_a_day_later_is_the_last_moment_and_the_window_is_the_callers() -> None:
    rows = sale(), back(ordered_at=START + 24 * HOUR)
    assert kinds(*rows) == ["cancelled", "cancelled"]
    assert kinds(*rows, within_hours=23) == ["sale", "return"]


def test_of_two_sales_the_later_one_was_taken_back() -> None:
    rows = sale(), sale(ordered_at=START + HOUR), back(ordered_at=START + 2 * HOUR)
    assert kinds(*rows) == ["sale", "cancelled", "cancelled"]


def test_a_line_of_no_unit_does_not_come_between() -> None:
    rows = sale(), sale(quantity=0, ordered_at=START + HOUR), back(ordered_at=START + 2 * HOUR)
    assert kinds(*rows) == ["cancelled", "sale", "cancelled"]


def test_at_one_moment_a_sale_comes_before_its_return_wherever_they_stand() -> None:
    assert kinds(back(), sale()) == ["cancelled", "cancelled"]


def test_no_lines_are_no_lines() -> None:
    assert_frames_equal(settled(lines(), CPU), lines())


def test_one_currency_or_none_passes_and_several_are_named() -> None:
    one_currency(lines(), CPU)
    one_currency(lines(sale(), sale()), CPU)
    message = r"Orders are in EUR, JPY, USD: amounts of different .* --currency EUR.* fx_rates"
    with pytest.raises(PipelineError, match=message):
        one_currency(lines(*({"currency": code} for code in ("USD", "EUR", "JPY", "EUR"))), CPU)


@pytest.mark.parametrize(
    ("zone", "time", "day"),
    [
        ("UTC", "2026-03-29T23:59:59.999999", "2026-03-29"),
        ("Europe/London", "2026-03-28T23:59", "2026-03-28"),
        # The day that begins an hour early in UTC, after the one of 23 hours.
        ("Europe/London", "2026-03-29T22:59", "2026-03-29"),
        ("Europe/London", "2026-03-29T23:00", "2026-03-30"),
        # The hour that comes twice belongs to one day, of 25 hours.
        ("Europe/London", "2026-10-24T23:00", "2026-10-25"),
        ("Europe/London", "2026-10-25T23:59", "2026-10-25"),
        ("Asia/Kolkata", "2026-01-01T18:30", "2026-01-02"),
        ("America/New_York", "2026-01-01T04:59", "2025-12-31"),
    ],
)
def test_a_business_day_is_one_of_the_zone(zone: str, time: str, day: str) -> None:
    found = business_day(lines({"ordered_at": pd.Timestamp(time)})["ordered_at"], zone)
    assert found.tolist() == [pd.Timestamp(day)]
    assert found.dtype == "datetime64[us]"
