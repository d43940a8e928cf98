"""Amounts in the reporting currency: each converted once, exactly, or set aside."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lines import CPU, START, lines

from gpu_pipeline.errors import PipelineError
from gpu_pipeline.exchange import (
    ExchangeRates,
    in_reporting_currency,
    lines_without_rate,
    multiplied,
)
from gpu_pipeline.money import MINOR_DIGITS, MOST_MINOR_UNITS, USUAL_DIGITS

DAY = pd.Timedelta(days=1)
TODAY = START.floor("D")
Quote = tuple[str, pd.Timestamp, float]


def table(quotes: Sequence[Quote]) -> pd.DataFrame:
    """The table `fx_rates`, as far as it matters."""
    types = {"currency": "str", "day": "datetime64[us]", "rate": "float64"}
    return pd.DataFrame(list(quotes), columns=list(types)).astype(types)


def rates(*quotes: Quote, currency: str = "EUR", zone: str = "UTC") -> ExchangeRates:
    return ExchangeRates.of(table(quotes), currency=currency, time_zone=zone)


def prices(*rows: dict[str, Any], of: ExchangeRates) -> list[int]:
    """The converted prices."""
    return in_reporting_currency(lines(*rows), of, CPU)[0]["unit_price"].tolist()


def slowly_converted(
    frame: pd.DataFrame, quotes: Sequence[Quote], currency: str, zone: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rule, row by row and in decimals."""
    converted, unrated = [], []
    for row in frame.to_dict("records"):
        rate = _rate_of(row, quotes, zone) if row["currency"] != currency else Decimal(1)
        if rate is None:
            unrated.append(row)
            continue
        digits = [MINOR_DIGITS.get(code, USUAL_DIGITS) for code in (row["currency"], currency)]
        factor = rate * Decimal(10) ** (digits[1] - digits[0])
        amounts = {
            name: int((row[name] * factor).quantize(Decimal(1), ROUND_HALF_UP))
            for name in ("unit_price", "discount")
        }
        converted.append({**row, **amounts, "currency": currency})
    return converted, unrated


def _rate_of(row: dict[Any, Any], quotes: Sequence[Quote], zone: str) -> Decimal | None:
    today = row["ordered_at"].tz_localize("UTC").astimezone(ZoneInfo(zone)).date()
    week = [today - timedelta(days=ago) for ago in range(8)]
    known = [(at, rate) for code, at, rate in quotes if code == row["currency"]]
    recent = [(at, rate) for at, rate in known if at.date() in week]
    return Decimal(repr(max(recent)[1])) if recent else None


CODES = ("EUR", "USD", "JPY", "KWD")
MOMENTS = st.integers(-10 * 24, 10 * 24).map(lambda hours: START + pd.Timedelta(hours=hours))
ROWS = st.fixed_dictionaries(
    {
        "ordered_at": MOMENTS,
        # Half a cent is frequent; a hundred million dinars happen.
        "unit_price": st.integers(0, 40) | st.integers(0, 10**11),
        "discount": st.integers(0, 200),
        "currency": st.sampled_from((*CODES, "CHF")),
    }
)
RATES = st.sampled_from([0.5, 0.25, 1.0, 0.05, 1.005, 0.285]) | st.floats(1e-3, 1e3)
QUOTES = st.lists(
    st.tuples(st.sampled_from(CODES), MOMENTS.map(lambda at: at.floor("D")), RATES),
    max_size=20,
    unique_by=lambda quote: quote[:2],
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(ROWS, max_size=12),
    QUOTES,
    st.sampled_from(CODES),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
)
def test_amounts_are_those_of_decimals_row_by_row(
    rows: list[dict[str, Any]], quotes: list[Quote], currency: str, zone: str
) -> None:
    frame = lines(*rows)
    known = rates(*quotes, currency=currency, zone=zone)
    converted, unrated = in_reporting_currency(frame, known, CPU)
    wanted, left = slowly_converted(frame, quotes, currency, zone)
    assert converted.to_dict("records") == wanted
    assert unrated.to_dict("records") == left
    assert lines_without_rate(frame, known, CPU) == len(left)
    for found in (converted, unrated):
        assert found.dtypes.to_dict() == frame.dtypes.to_dict()
    assert sorted([*converted.index, *unrated.index]) == list(frame.index)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(-(10**15), 10**15), st.floats(1e-6, 1.12)), min_size=1))
def test_products_are_exact_up_to_the_most_that_money_has(pairs: list[tuple[int, float]]) -> None:
    exact = [Decimal(repr(factor)).quantize(Decimal("1e-18")) for _, factor in pairs]
    amounts = np.array([amount for amount, _ in pairs])
    mantissas = np.array([int(factor.scaleb(18)) for factor in exact])
    found = multiplied(amounts, mantissas, np.full(len(pairs), 10**18), xp=np)
    with localcontext(prec=60):
        wanted = [
            int((amount * factor).quantize(Decimal(1), ROUND_HALF_UP))
            for amount, factor in zip(amounts.tolist(), exact, strict=True)
        ]
    assert found.tolist() == wanted


@pytest.mark.parametrize(
    ("factor", "worth"),
    [
        # In float64 these are 0.5, 1.5, 2.5 and 3.5, whose halves are rounded either way.
        (499_999_999_999_999_999, 0),
        (1_499_999_999_999_999_999, 1),
        (2_500_000_000_000_000_001, 3),
        (3_499_999_999_999_999_999, 3),
    ],
)
def test_a_product_that_float64_takes_for_a_half_is_set_right(factor: int, worth: int) -> None:
    found = multiplied(np.array([1]), np.array([factor]), np.array([10**18]), xp=np)
    assert found.tolist() == [worth]


@pytest.mark.parametrize(("cents", "worth"), [(10, 1), (30, 2), (50, 3), (-10, -1), (-30, -2)])
def test_half_a_cent_goes_away_from_zero(cents: int, worth: int) -> None:
    found = multiplied(np.array([cents]), np.array([5]), np.array([100]), xp=np)
    assert found.tolist() == [worth]


def test_a_rate_counts_from_its_day_on_for_a_week_until_the_next_one() -> None:
    known = rates(("USD", TODAY, 0.5), ("USD", TODAY + 3 * DAY, 0.25))
    days = (-1, 0, 2, 3, 10, 11)
    rows = [{"ordered_at": TODAY + d * DAY, "currency": "USD", "unit_price": 1000} for d in days]
    converted, unrated = in_reporting_currency(lines(*rows), known, CPU)
    assert converted["unit_price"].tolist() == [500, 500, 250, 250]
    assert unrated.index.tolist() == [0, 5]
    assert unrated["currency"].tolist() == ["USD", "USD"]


@pytest.mark.parametrize(
    ("zone", "worth"), [("UTC", 500), ("America/New_York", 500), ("Asia/Tokyo", 250)]
)
def test_the_day_of_an_order_is_the_one_where_the_business_is(zone: str, worth: int) -> None:
    known = rates(("USD", TODAY, 0.5), ("USD", TODAY + DAY, 0.25), zone=zone)
    late = {"ordered_at": TODAY + pd.Timedelta(hours=20), "currency": "USD", "unit_price": 1000}
    assert prices(late, of=known) == [worth]


def test_every_currency_has_its_own_decimals() -> None:
    known = rates(("JPY", TODAY, 0.006), ("KWD", TODAY, 3.0))
    rows = [{"currency": "JPY", "unit_price": 1000}, {"currency": "KWD", "unit_price": 1000}, {}]
    # 1,000 yen are 6 euros, 1,000 fils are a dinar.
    assert prices(*rows, of=known) == [600, 300, 500]


def test_what_was_refunded_is_converted_too() -> None:
    frame = lines({"currency": "USD"}).assign(refunded=np.array([300]))
    converted, _ = in_reporting_currency(frame, rates(("USD", TODAY, 0.5)), CPU)
    assert converted["refunded"].tolist() == [150]


def test_the_last_rate_of_a_day_counts_and_one_of_the_reporting_currency_does_not() -> None:
    noon = TODAY + DAY / 2
    known = rates(("USD", noon, 0.5), ("USD", TODAY, 0.25), ("EUR", TODAY, 9.0))
    assert prices({"currency": "USD"}, {}, of=known) == [250, 500]


def test_lines_of_one_currency_are_left_alone_without_any_rate() -> None:
    frame = lines({}, {"quantity": 3})
    converted, unrated = in_reporting_currency(frame, rates(), CPU)
    assert_frames_equal(converted, frame)
    assert_frames_equal(unrated, lines())


def test_the_frame_that_was_given_stays_as_it_was() -> None:
    frame = lines({"currency": "USD"}, {})
    in_reporting_currency(frame, rates(("USD", TODAY, 0.5)), CPU)
    assert_frames_equal(frame, lines({"currency": "USD"}, {}))


@pytest.mark.parametrize(("price", "rate"), [(2, 1e15), (MOST_MINOR_UNITS, 1.0), (1, 1e300)])
def test_more_than_money_has_is_refused_by_name(price: int, rate: float) -> None:
    row = {"currency": "USD", "unit_price": price}
    with pytest.raises(PipelineError, match=r"USD becomes .* of EUR: look at the rates of USD"):
        prices(row, of=rates(("USD", TODAY, rate)))
    assert prices({**row, "unit_price": 0}, of=rates(("USD", TODAY, rate))) == [0]
