from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from customer_oracle import features_by_sql, unscored
from feature_sources import (
    CATALOGUES,
    catalogue,
    drawn_messages,
    drawn_others,
    drawn_sessions,
    drawn_texts,
    messages,
    sessions,
    texts,
)
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lines import CPU, START, drawn_lines, lines

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features import FEATURE_COLUMNS, customer_features, customer_measures

MOMENTS = [START.to_pydatetime() + timedelta(hours=hours) for hours in (-1, 0, 2, 30, 1000, 2800)]
# Where the small numbers are, in days.
NOW = (START + timedelta(days=30)).to_pydatetime()
CONTRACT = contract("customer_features")

moments = st.sampled_from(MOMENTS)


def one(*rows: dict[str, Any], as_of: datetime = NOW, **others: pd.DataFrame) -> dict[str, Any]:
    """The features of the only customer, without those that are not known."""
    (found,) = customer_features(lines(*rows), as_of, CPU, **others).to_dict("records")
    return {str(name): value for name, value in found.items() if not pd.isna(value)}


@st.composite
def moments_with_sources(draw: st.DrawFn) -> tuple[datetime, dict[str, pd.DataFrame]]:
    as_of = draw(moments)
    return as_of, draw(drawn_others(pd.Timestamp(as_of)))


@settings(deadline=None, max_examples=40)
@given(drawn_lines(), moments_with_sources())
def test_features_are_those_of_plain_sql(
    frame: pd.DataFrame, drawn: tuple[datetime, dict[str, pd.DataFrame]]
) -> None:
    as_of, others = drawn
    wanted = unscored(features_by_sql(frame, as_of, **others))
    assert_frames_equal(customer_features(frame, as_of, CPU, **others), wanted)


@settings(deadline=None, max_examples=40)
@given(
    drawn_lines(),
    moments_with_sources(),
    st.sampled_from([1, 2, 4]),
    st.randoms(use_true_random=False),
)
def test_neither_row_order_nor_the_number_of_buckets_changes_a_thing(
    frame: pd.DataFrame,
    drawn: tuple[datetime, dict[str, pd.DataFrame]],
    buckets: int,
    random: Any,
) -> None:
    def shuffled(rows: pd.DataFrame) -> pd.DataFrame:
        places = list(range(len(rows)))
        random.shuffle(places)
        return rows.iloc[places].reset_index(drop=True)

    def of_bucket(rows: pd.DataFrame, number: int) -> pd.DataFrame:
        if "customer_key" not in rows.columns:
            return rows
        return rows[rows["customer_key"] & (buckets - 1) == number].reset_index(drop=True)

    as_of, others = drawn
    mixed = {name: shuffled(rows) for name, rows in others.items()}
    parts = []
    for number in range(buckets):
        beside = {name: of_bucket(rows, number) for name, rows in mixed.items()}
        parts.append(customer_features(of_bucket(shuffled(frame), number), as_of, CPU, **beside))
    found = pd.concat(parts).sort_values("customer_key", ignore_index=True)
    wanted = customer_features(frame, as_of, CPU, **others)
    # To the last bit: sums are of whole numbers, or in the order of time.
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


@st.composite
def before_and_after(draw: st.DrawFn) -> tuple[datetime, list[dict[str, pd.DataFrame]]]:
    """A moment, and of each source what there was by then and what came later."""
    as_of = draw(moments)
    until = pd.Timestamp(as_of)
    times = {"lines": "ordered_at", "sessions": "started_at", "texts": "created_at"}
    drawn = {
        "lines": drawn_lines(),
        "sessions": drawn_sessions(until),
        "texts": drawn_texts(),
        "messages": drawn_messages(),
    }
    sides: list[dict[str, pd.DataFrame]] = [{}, {}]
    for name, rows in drawn.items():
        time = times.get(name, "sent_at")
        early, late = draw(rows), draw(rows)
        sides[0][name] = early[early[time] <= as_of].reset_index(drop=True)
        # From the very next microsecond on, so that some would take back what was sold before.
        late = late.assign(**{time: late[time] - late[time].min() + until + pd.Timedelta(1, "us")})
        sides[1][name] = late
    return as_of, sides


@settings(deadline=None, max_examples=40)
@given(before_and_after())
def test_what_happens_later_changes_nothing(
    drawn: tuple[datetime, list[dict[str, pd.DataFrame]]],
) -> None:
    as_of, (before, after) = drawn
    both = {name: pd.concat([after[name], before[name]], ignore_index=True) for name in before}
    found, wanted = (
        customer_features(as_of=as_of, backend=CPU, **sources) for sources in (both, before)
    )
    assert_frames_equal(found, wanted)


def test_a_case_that_is_resolved_later_is_open_until_then() -> None:
    told = {"customer_key": 1, "key_kind": "customer", "case_id": "k", "opened_at": START}
    told |= {"sent_at": START, "resolved_at": START + timedelta(days=2)}
    hours = {"support_cases": 1.0, "open_cases": 1.0, "days_since_last_case": 1.0}
    found = one({}, as_of=(START + timedelta(days=1)).to_pydatetime(), messages=messages(told))
    assert found.items() >= hours.items()
    assert "mean_hours_to_resolve" not in found
    found = one({}, as_of=(START + timedelta(days=2)).to_pydatetime(), messages=messages(told))
    assert (found["open_cases"], found["mean_hours_to_resolve"]) == (0, 48)


def test_sessions_that_later_clicks_made_longer_are_refused() -> None:
    seen = {"customer_key": 1, "key_kind": "customer", "started_at": START}
    seen |= {"views": 1, "carts": 0, "purchases": 0}
    ends = START + timedelta(minutes=9)
    with pytest.raises(PipelineError, match=r"1 of 1 sessions go on after 2026-03-01T12:05"):
        one(
            {},
            as_of=(START + timedelta(minutes=5)).to_pydatetime(),
            sessions=sessions(seen | {"ended_at": ends}),
        )
    # A session that begins later is nobody's yet, and may be there.
    later = seen | {"started_at": ends, "ended_at": ends}
    rows = sessions(seen | {"ended_at": START}, later)
    as_of = (START + timedelta(minutes=5)).to_pydatetime()
    assert one({}, as_of=as_of, sessions=rows)["sessions"] == 1


@settings(deadline=None, max_examples=40)
@given(drawn_lines(), moments_with_sources())
def test_columns_types_and_order_are_the_contracts_and_no_required_value_is_missing(
    frame: pd.DataFrame, drawn: tuple[datetime, dict[str, pd.DataFrame]]
) -> None:
    as_of, others = drawn
    found = customer_features(frame, as_of, CPU, **others)
    assert found.dtypes.to_dict() == CPU.empty(CONTRACT, FEATURE_COLUMNS).dtypes.to_dict()
    assert list(found.columns) == list(FEATURE_COLUMNS)
    required = [name for name in FEATURE_COLUMNS if CONTRACT[name].required]
    assert not found[required].isna().any(axis=None)
    assert found["customer_key"].is_monotonic_increasing
    assert found["customer_key"].is_unique


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments)
def test_measures_are_the_features_of_that_name(frame: pd.DataFrame, as_of: datetime) -> None:
    found = customer_measures(frame, as_of, CPU)
    wanted = customer_features(frame, as_of, CPU)[list(found.columns)]
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


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
        "orders_last_90_days": 2,
        "revenue_last_90_days": 2100,
        "discount_share": 500 / 3600,
        "mean_days_between_orders": 10.0,
    }


def test_the_rhythm_is_that_of_first_sales_and_needs_two_orders_and_for_its_spread_three() -> None:
    def ordered(*days: float) -> list[dict[str, Any]]:
        return [
            {"order_id": f"o{i}", "ordered_at": START + timedelta(days=day)}
            for i, day in enumerate(days)
        ]

    # A second line of the first order, when the next one has begun already.
    late = {"order_id": "o0", "ordered_at": START + timedelta(days=5)}
    rhythm = ("mean_days_between_orders", "sd_days_between_orders")
    found = [one(*ordered(*days), late) for days in [(0,), (0, 4), (0, 4, 12), (0, 4, 8)]]
    assert [[features.get(name) for name in rhythm] for features in found] == [
        [None, None],
        [4.0, None],
        [6.0, pytest.approx(8**0.5)],
        [4.0, 0.0],
    ]


def test_what_is_older_than_the_window_is_not_in_it() -> None:
    old, new = (
        {"order_id": name, "ordered_at": pd.Timestamp(NOW) - timedelta(days=90) + more}
        for name, more in [("old", timedelta(0)), ("new", timedelta(microseconds=1))]
    )
    found = one(old, new | {"unit_price": 70})
    assert (found["orders_last_90_days"], found["revenue_last_90_days"]) == (1, 70)


def test_the_mix_of_categories_counts_units() -> None:
    rows = [
        {"quantity": 2},
        {"product_id": "sofa", "unit_price": 90_000},
        {"product_id": "rug", "quantity": 4},
        {"product_id": "unheard of", "quantity": 50},
    ]
    mixed = catalogue({"lamp": "light", "sofa": "seats", "rug": "seats"})
    found = one(*rows, products=mixed)
    assert (found["categories"], found["favourite_category"]) == (2, "seats")
    assert found["favourite_category_share"] == 5 / 7
    assert found["category_entropy"] == pytest.approx(0.8631205685666311)
    # Of equals the first in the alphabet; one alone is no mix.
    tied = one({}, {"product_id": "sofa"}, products=mixed)
    assert (tied["favourite_category"], tied["category_entropy"]) == ("light", 1.0)
    assert one({}, products=mixed)["category_entropy"] == 0


def test_who_bought_nothing_that_the_catalogue_knows_has_no_mix() -> None:
    found = one({}, products=catalogue(CATALOGUES[0]))
    assert found["categories"] == 0
    assert not found.keys() & {"favourite_category", "favourite_category_share"}
    assert not one({}).keys() & {"categories", "category_entropy"}


def test_visits_are_those_of_people() -> None:
    def seen(days: float, **what: Any) -> dict[str, Any]:
        moment = pd.Timestamp(NOW) - timedelta(days=days)
        row = {"customer_key": 1, "key_kind": "customer", "started_at": moment, "ended_at": moment}
        return row | {"views": 5, "carts": 0, "purchases": 0} | what

    rows = sessions(
        seen(40, carts=2),
        seen(29, carts=1, purchases=1),
        seen(3),
        seen(2, carts=3),
        seen(1, excluded_for="too_fast"),
        seen(1, key_kind="visitor"),
        seen(1, customer_key=2),
    )
    found = one({}, sessions=rows)
    assert found["sessions"] == 4
    assert found["sessions_last_30_days"] == 3
    assert found["days_since_last_session"] == 2
    assert (found["views"], found["carts"]) == (20, 6)
    assert found["conversion"] == 1 / 4
    assert found["cart_abandonment"] == 2 / 3


def test_who_never_came_has_no_visits_where_clicks_are_known_and_nothing_where_none_are() -> None:
    nobody = one({}, sessions=sessions(), texts=texts(), messages=messages())
    counts = {"sessions", "sessions_last_30_days", "views", "carts"}
    counts |= {"texts", "texts_last_90_days", "support_cases", "open_cases"}
    assert {name: nobody[name] for name in counts} == dict.fromkeys(counts, 0)
    assert nobody.keys() - counts == one({}).keys()


def test_the_mood_is_the_mean_of_what_was_written() -> None:
    def said(days: float, negative: float, positive: float) -> dict[str, Any]:
        at = pd.Timestamp(NOW) - timedelta(days=days)
        row = {"customer_key": 1, "key_kind": "customer", "created_at": at}
        return row | {"negative": negative, "positive": positive}

    found = one({}, texts=texts(said(100, 0.75, 0.25), said(90, 0.0, 1.0), said(1, 0.5, 0.25)))
    assert (found["texts"], found["texts_last_90_days"]) == (3, 1)
    assert found["mean_mood"] == pytest.approx((-0.5 + 1.0 - 0.25) / 3)
    assert found["mean_mood_last_90_days"] == -0.25


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
    assert customer_features(lines(left_out), NOW, CPU).empty


def test_an_order_that_was_entered_wrong_leaves_no_trace() -> None:
    wrong = {"order_id": "X", "quantity": 99, "product_id": "rug"}
    undone = {**wrong, "order_id": "Y", "quantity": -99, "line_type": "return"}
    assert one({}) == one({}, wrong, undone)


def test_lines_of_no_unit_give_a_rate_that_is_a_number() -> None:
    drawnback = {"line_type": "return", "quantity": -2, "product_id": "sofa"}
    assert one({"quantity": 0}, drawnback)["return_rate"] == 2.0


def test_customers_whose_orders_are_in_several_currencies_are_refused() -> None:
    with pytest.raises(PipelineError, match="Orders are in EUR, USD"):
        customer_features(lines({}, {"currency": "USD"}), NOW, CPU)
    # What is no sale is not added either.
    assert one({}, {"currency": "USD", "line_type": "fee"})["currency"] == "EUR"


def rates(**worth: float) -> ExchangeRates:
    """What currencies are worth in euros, all the week."""
    quotes = [{"currency": code, "day": START, "rate": rate} for code, rate in worth.items()]
    table = pd.DataFrame(quotes, columns=["currency", "day", "rate"])
    return ExchangeRates.of(table.astype({"day": "datetime64[us]"}), currency="EUR")


def test_with_rates_amounts_are_in_the_reporting_currency() -> None:
    frame = lines({}, {"currency": "USD", "unit_price": 1000, "quantity": 2, "discount": 50})
    found = customer_features(frame, NOW, CPU, rates=rates(USD=0.5)).iloc[0]
    assert (found["revenue"], found["currency"], found["orders"]) == (500 + 1000 - 25, "EUR", 1)


def test_sales_that_no_rate_is_known_for_are_left_out_and_nothing_else() -> None:
    frame = lines(
        {},
        {"currency": "JPY", "order_id": "B"},
        {"currency": "JPY", "order_id": "C", "customer_key": 2},
    )
    (found,) = customer_features(frame, NOW, CPU, rates=rates(USD=0.5)).itertuples()
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
    found = customer_features(frame, NOW, CPU, rates=known).iloc[0]
    assert (found["revenue"], found["returned_units"]) == (500, 0)


@settings(deadline=None, max_examples=30)
@given(drawn_lines(), moments)
def test_lines_of_the_reporting_currency_have_the_features_that_they_have_without_rates(
    frame: pd.DataFrame, as_of: datetime
) -> None:
    found = customer_features(frame, as_of, CPU, rates=rates())
    assert_frames_equal(found, customer_features(frame, as_of, CPU))
