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

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features import customer_features

ORACLE = (Path(__file__).parent.parent / "oracle" / "customer_features.sql").read_text()
MOMENTS = [START.to_pydatetime() + timedelta(hours=hours) for hours in (-1, 0, 2, 30, 1000)]
COLUMNS = list(contract("customer_features").names)

moments = st.sampled_from(MOMENTS)


def by_sql(frame: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The features as the oracle finds them, in the contract's types."""
    with duckdb.connect() as connection:
        connection.register("lines", frame)
        found = connection.execute(ORACLE, {"as_of": as_of}).df()
    return CPU.cast(found, contract("customer_features"))


def one(*rows: dict[str, Any], as_of: datetime = MOMENTS[-1]) -> dict[str, Any]:
    """The features of the only customer."""
    (found,) = customer_features(lines(*rows), as_of, CPU).to_dict("records")
    return {str(name): value for name, value in found.items()}


@settings(deadline=None, max_examples=40)
@given(drawn_lines(), moments)
def test_features_are_those_of_plain_sql(frame: pd.DataFrame, as_of: datetime) -> None:
    assert_frames_equal(customer_features(frame, as_of, CPU), by_sql(frame, as_of))


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments, st.sampled_from([1, 2, 4]), st.randoms(use_true_random=False))
def test_neither_row_order_nor_the_number_of_buckets_changes_a_thing(
    frame: pd.DataFrame, as_of: datetime, buckets: int, random: Any
) -> None:
    places = list(range(len(frame)))
    random.shuffle(places)
    shuffled = frame.iloc[places]
    bucket = shuffled["customer_key"] & (buckets - 1)
    parts = [shuffled[bucket == number].reset_index(drop=True) for number in range(buckets)]
    found = pd.concat([customer_features(part, as_of, CPU) for part in parts])
    wanted = customer_features(frame, as_of, CPU)
    assert_frames_equal(found.sort_values("customer_key", ignore_index=True), wanted)


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), drawn_lines(), moments)
def test_what_happens_later_changes_nothing(
    frame: pd.DataFrame, later: pd.DataFrame, as_of: datetime
) -> None:
    # From the very next microsecond on, so that some would take back what was sold before.
    later = later.assign(ordered_at=later["ordered_at"] - START + as_of + pd.Timedelta(1, "us"))
    frame = frame[frame["ordered_at"] <= as_of].reset_index(drop=True)
    both = pd.concat([later, frame], ignore_index=True)
    assert_frames_equal(customer_features(both, as_of, CPU), customer_features(frame, as_of, CPU))


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments)
def test_columns_types_and_order_are_the_contracts_and_no_value_is_missing(
    frame: pd.DataFrame, as_of: datetime
) -> None:
    found = customer_features(frame, as_of, CPU)
    empty = CPU.empty(contract("customer_features"))
    assert found.dtypes.to_dict() == empty.dtypes.to_dict()
    assert list(found.columns) == COLUMNS
    assert not found.isna().any(axis=None)
    assert found["customer_key"].is_monotonic_increasing
    assert found["customer_key"].is_unique


def test_sums_are_exact_beyond_what_a_float_can_hold() -> None:
    large = 2**53
    found = one(
        {"unit_price": large, "quantity": 3},
        {"unit_price": 1, "product_id": "sofa"},
        {"unit_price": 2, "discount": 1, "product_id": "rug"},
    )
    assert found["revenue"] == 3 * large + 2


def test_a_customer_in_numbers() -> None:
    found = one(
        {"quantity": 3, "unit_price": 1000, "discount": 500},
        {"quantity": 2, "unit_price": 250, "product_id": "sofa"},
        {"order_id": "B", "ordered_at": START + timedelta(days=10), "unit_price": 100},
        {
            "order_id": "R",
            "line_type": "return",
            "quantity": -1,
            "unit_price": 1000,
            "ordered_at": START + timedelta(days=20),
        },
        {"line_type": "fee", "unit_price": 9999},
        as_of=(START + timedelta(days=30)).to_pydatetime(),
    )
    assert found == {
        "customer_key": 1,
        "as_of": START + timedelta(days=30),
        "first_order_at": START,
        "last_order_at": START + timedelta(days=10),
        "days_since_last_order": 20.0,
        "tenure_days": 30.0,
        "orders": 2,
        "units": 6,
        "products": 2,
        "revenue": 3000 - 500 + 500 + 100 - 1000,
        "average_order": 1050.0,
        "returned_units": 1,
        "return_rate": 1 / 6,
        "currency": "EUR",
    }


@pytest.mark.parametrize(
    "left_out",
    [
        {"key_kind": "guest"},
        {"key_kind": "visitor"},
        {"line_type": "fee"},
        {"line_type": "adjustment"},
        {"line_type": "cancelled"},
        {"line_type": "return", "quantity": -1},
        {"ordered_at": START + timedelta(days=900)},
    ],
)
def test_who_only_has_other_lines_is_no_customer(left_out: dict[str, Any]) -> None:
    assert one({}) == one({}, {"customer_key": 2} | left_out)
    assert customer_features(lines(left_out), MOMENTS[-1], CPU).empty


def test_an_order_that_was_entered_wrong_leaves_no_trace() -> None:
    wrong = {"order_id": "X", "quantity": 99, "product_id": "rug"}
    undone = {**wrong, "order_id": "Y", "quantity": -99, "line_type": "return"}
    assert one({}) == one({}, wrong, undone)


def test_lines_of_no_unit_give_a_rate_that_is_a_number() -> None:
    given_back = {"line_type": "return", "quantity": -2, "product_id": "sofa"}
    assert one({"quantity": 0}, given_back)["return_rate"] == 2.0


def test_customers_whose_orders_are_in_several_currencies_are_refused() -> None:
    with pytest.raises(PipelineError, match="Orders are in EUR, USD"):
        customer_features(lines({}, {"currency": "USD"}), MOMENTS[-1], CPU)
    # What is no sale is not added either.
    assert one({}, {"currency": "USD", "line_type": "fee"})["currency"] == "EUR"


def rates(**worth: float) -> ExchangeRates:
    """What currencies are worth in euros, all the week."""
    quotes = [{"currency": code, "day": START, "rate": rate} for code, rate in worth.items()]
    table = pd.DataFrame(quotes, columns=["currency", "day", "rate"])
    return ExchangeRates.of(table.astype({"day": "datetime64[us]"}), currency="EUR")


def test_with_rates_amounts_are_in_the_reporting_currency() -> None:
    frame = lines({}, {"currency": "USD", "unit_price": 1000, "quantity": 2, "discount": 50})
    found = customer_features(frame, MOMENTS[-1], CPU, rates=rates(USD=0.5)).iloc[0]
    assert (found["revenue"], found["currency"], found["orders"]) == (500 + 1000 - 25, "EUR", 1)


def test_sales_that_no_rate_is_known_for_are_left_out_and_nothing_else() -> None:
    frame = lines(
        {},
        {"currency": "JPY", "order_id": "B"},
        {"currency": "JPY", "order_id": "C", "customer_key": 2},
    )
    (found,) = customer_features(frame, MOMENTS[-1], CPU, rates=rates(USD=0.5)).itertuples()
    assert (found.customer_key, found.orders, found.revenue) == (1, 1, 500)


def test_an_entry_error_is_one_at_the_price_that_was_paid_whatever_the_rates_do() -> None:
    bought = {"currency": "USD", "ordered_at": START}
    back = bought | {
        "order_id": "B",
        "line_type": "return",
        "quantity": -1,
        "ordered_at": START + timedelta(hours=20),
    }
    known = ExchangeRates.of(
        pd.DataFrame({"currency": "USD", "day": [START, back["ordered_at"]], "rate": [0.5, 0.6]}),
        currency="EUR",
    )
    frame = lines({}, bought, back)
    found = customer_features(frame, MOMENTS[-1], CPU, rates=known).iloc[0]
    assert (found["revenue"], found["returned_units"]) == (500, 0)


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments)
def test_lines_of_the_reporting_currency_have_the_features_that_they_have_without_rates(
    frame: pd.DataFrame, as_of: datetime
) -> None:
    found = customer_features(frame, as_of, CPU, rates=rates())
    assert_frames_equal(found, customer_features(frame, as_of, CPU))
