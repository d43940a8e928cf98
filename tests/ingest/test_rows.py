import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from frames import assert_frames_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from landing import EVENT, ORDER, REVIEW, Row, names

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.ingest.reading import Block, BrokenRow
from gpu_pipeline.ingest.rows import TypedRows, row_hashes, typed_rows
from gpu_pipeline.kernels import mixed_hash
from gpu_pipeline.privacy import as_hex, token

CPU = Backend.choose("cpu")
KEY = "0123456789abcdef" * 4
CUSTOMER: Row = {
    "customer_id": "17850",
    "country": "GB",
    "signed_up_at": "2020-01-01",
    "marketing_consent": "true",
    "updated_at": "2026-01-01",
}


def typed(
    table: str, rows: Sequence[Row] | pa.Table, broken: Sequence[BrokenRow] = (), **how: Any
) -> TypedRows:
    """The rows under their contract; blanks are missing."""
    found = contract(table)
    if not isinstance(rows, pa.Table):
        columns = {n: [row.get(n) for row in rows] for n in names(rows)}
        rows = pa.table({n: pa.array(values, pa.string()) for n, values in columns.items()})
    kept = [name for name in rows.column_names if name in found.landing_columns]
    block = Block(rows.select(kept), np.arange(1, len(rows) + 1), list(broken))
    given = {"file_no": 7, "key": KEY, "time_zone": "UTC", "backend": CPU, **how}
    return typed_rows(block, found, **given)


def values(table: str, row: Row, column: str, *texts: str | None) -> list[object]:
    """What each text becomes in the column: a value, or the reasons why it is refused."""
    found = typed(table, [{**row, column: text} for text in texts])
    good = found.accepted.set_index("line")[column].to_dict()
    bad = found.rejected.set_index("line")["reasons"].to_dict()
    assert not good.keys() & bad.keys()
    return [(good | bad)[line] for line in range(1, len(texts) + 1)]


def test_accepted_rows_have_the_contracts_columns_and_types() -> None:
    for table, row in {"orders": ORDER, "clickstream": EVENT, "reviews": REVIEW}.items():
        found = typed(table, [row])
        assert_frames_equal(found.accepted.iloc[:0], CPU.empty(contract(table)))
        assert_frames_equal(found.rejected, CPU.empty(contract(table).rejected()))
        assert found.accepted["line"].tolist() == [1]
        assert found.accepted["file_no"].tolist() == [7]


def test_no_rows_are_no_rows() -> None:
    for table in (pa.table({}), pa.table({"order_id": pa.array([], pa.string())})):
        found = typed("orders", table, [BrokenRow(1, "not JSON", "{")])
        assert_frames_equal(found.accepted, CPU.empty(contract("orders")))
        assert found.rejected["reasons"].tolist() == ["not JSON"]


FRACTION = "unit_price: not an amount in the currency's minor units"


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("EUR", "19.99", 1999),
        ("EUR", "19.9", 1990),
        ("EUR", "20", 2000),
        ("EUR", " 1e2 ", 10000),
        ("EUR", "0", 0),
        ("EUR", "0.29", 29),
        ("EUR", "1.005", None),
        ("EUR", "0.001", None),
        ("EUR", "10000.005", None),
        ("EUR", "100000000.005", None),
        ("EUR", "123456789012.34", 12345678901234),
        ("EUR", "5629499534213.11", 2**49 - 1),
        ("EUR", "5629499534213.12", None),
        ("EUR", "45035996273704.95", None),
        ("EUR", "1e30", None),
        ("EUR", "19,99", None),
        ("EUR", "€5", None),
        ("EUR", "0x10", None),
        ("EUR", "1_000", None),
        ("EUR", "nan", None),
        ("EUR", "inf", None),
        ("JPY", "1500", 1500),
        ("JPY", "1500.0", 1500),
        ("JPY", "0.5", None),
        (" JPY ", "1500", 1500),
        ("KWD", "1.234", 1234),
        ("KWD", "1.2345", None),
        ("CLF", "1.2345", 12345),
        ("XYZ", "1.23", 123),
    ],
)
def test_money_is_whole_minor_units_of_its_currency(
    currency: str, text: str, minor: int | None
) -> None:
    found = typed("orders", [{**ORDER, "currency": currency, "unit_price": text}])
    assert found.accepted["unit_price"].tolist() == ([] if minor is None else [minor])
    assert found.rejected["reasons"].tolist() == ([FRACTION] if minor is None else [])


DIGITS = {"JPY": 0, "EUR": 2, "KWD": 3, "CLF": 4}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(DIGITS)),
            st.decimals(0, 10**13, allow_nan=False, allow_infinity=False, places=5)
            | st.decimals(0, 10**4, places=3)
            | st.integers(0, 10**13).map(Decimal),
        ),
        min_size=1,
        max_size=60,
    )
)
@example([("EUR", Decimal("10000.005"))])
@example([("EUR", Decimal("1.15")), ("KWD", Decimal("0.0005")), ("EUR", Decimal("9999999.99"))])
def test_an_amount_is_exact_or_refused(amounts: list[tuple[str, Decimal]]) -> None:
    rows = [
        {**ORDER, "order_id": str(n), "currency": currency, "unit_price": f"{amount:f}"}
        for n, (currency, amount) in enumerate(amounts)
    ]
    made = typed("orders", rows).accepted.set_index("order_id")["unit_price"].to_dict()
    for n, (currency, amount) in enumerate(amounts):
        minor = amount.scaleb(DIGITS[currency])
        if minor >= 2**49:
            assert str(n) not in made
        elif minor == minor.to_integral_value():
            assert made[str(n)] == int(minor)
        elif abs(minor - minor.to_integral_value()) > Decimal("1e-5") + minor / 2**50:
            assert str(n) not in made


def test_short_and_noisy_floats_are_the_amounts_that_they_stand_for() -> None:
    prices = [0.1 + 0.2, 19.99, 1.1 * 3, 5e-324, 0.001]
    rows = {**{n: [str(v)] * len(prices) for n, v in ORDER.items()}, "unit_price": prices}
    found = typed("orders", pa.table(rows))
    assert found.accepted["unit_price"].tolist() == [30, 1999, 330, 0]
    assert found.rejected["line"].tolist() == [5]


WHOLE = "quantity: not a whole number"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("-5", -5),
        ("+5", 5),
        (" 5 ", 5),
        ("5.0", 5),
        ("5e2", 500),
        ("-0", 0),
        ("1000000", 1_000_000),
        ("1000001", "quantity: above 1000000"),
        ("4111111111111111", "quantity: above 1000000"),
        ("9007199254740993", WHOLE),
        ("99999999999999999999999", WHOLE),
        ("1e400", WHOLE),
        ("-inf", WHOLE),
        ("nan", WHOLE),
        ("1.5", WHOLE),
        ("1,000", WHOLE),
        ("1 000", WHOLE),
        ("٣", WHOLE),
        ("0b1", WHOLE),
        ("True", WHOLE),
        ("", "quantity: missing"),
        (" \t", "quantity: missing"),
        (None, "quantity: missing"),
    ],
)
def test_whole_numbers(text: str | None, made: object) -> None:
    assert values("orders", ORDER, "quantity", text) == [made]


def test_whole_numbers_are_exact() -> None:
    known = values("orders", ORDER, "line_no", "9007199254740991", "-9007199254740991")
    assert known == [2**53 - 1, 1 - 2**53]


def test_numbers_that_may_be_missing() -> None:
    made = values("reviews", REVIEW, "rating", "4.5", "1", None, "0.99", "5.01", "five")
    assert made[:2] == [4.5, 1.0]
    assert pd.isna(made[2])
    assert made[3:] == ["rating: below 1", "rating: above 5", "rating: not a number"]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        *((text, True) for text in ("true", "TRUE", "1", "yes", "Y", " t ")),
        *((text, False) for text in ("false", "0", "No", "n", "F")),
        ("maybe", "marketing_consent: not true or false"),
        ("2", "marketing_consent: not true or false"),
        (None, "marketing_consent: missing"),
    ],
)
def test_truth(text: str | None, made: object) -> None:
    assert values("customers", CUSTOMER, "marketing_consent", text) == [made]


def test_truth_that_is_a_parquet_column() -> None:
    rows = pa.table(
        {n: [v] * 3 for n, v in CUSTOMER.items()} | {"marketing_consent": [True, False, None]}
    )
    found = typed("customers", rows)
    assert found.accepted["marketing_consent"].tolist() == [True, False]
    assert found.rejected["reasons"].tolist() == ["marketing_consent: missing"]


NO_TIME = "ordered_at: not a time"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("2026-06-01", "2026-06-01"),
        ("2026-06-01 10:00", "2026-06-01 10:00"),
        ("2026-06-01T10:00:00.123456Z", "2026-06-01 10:00:00.123456"),
        ("2026-06-01T10:00:00.123456789Z", "2026-06-01 10:00:00.123456"),
        ("2026-06-01T10:00:00-05:00", "2026-06-01 15:00"),
        ("1990-01-01T00:00:00Z", "1990-01-01"),
        ("1989-12-31T23:59:59.999999Z", "ordered_at: before 1990-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("2026-02-29", NO_TIME),
        ("2026-06-01T25:00", NO_TIME),
        ("01.06.2026", NO_TIME),
        ("June 1st", NO_TIME),
        ("today", NO_TIME),
        ("now", NO_TIME),
        ("1780000000", NO_TIME),
        ("12345-01-01", NO_TIME),
        (" ", "ordered_at: missing"),
    ],
)
def test_times(text: str, made: str) -> None:
    (found,) = values("orders", ORDER, "ordered_at", text)
    assert found == (made if made.startswith("ordered_at") else pd.Timestamp(made))


def test_texts_are_stripped_and_keep_every_character() -> None:
    made = values("orders", ORDER, "product_name", "\t Größe 漢字 🙂 \n", "a\x00b", "a\n b", " ")
    assert made[:3] == ["Größe 漢字 🙂", "a\x00b", "a\n b"]
    assert pd.isna(made[3])


def test_every_fault_of_a_row_is_told_in_the_order_of_the_columns() -> None:
    row = {**ORDER, "ordered_at": "x", "quantity": "", "unit_price": "-1", "line_type": "gift"}
    (reasons,) = typed("orders", [row]).rejected["reasons"]
    assert reasons.split("; ") == [
        "ordered_at: not a time",
        "quantity: missing",
        "unit_price: below 0",
        "line_type: not one of sale, return, adjustment, fee, cancelled",
    ]


def test_a_row_that_names_somebody_is_rejected_under_their_key_and_another_under_its_own() -> None:
    nobody = {**EVENT, "customer_id": "", "visitor_id": " "}
    visitor = {**EVENT, "customer_id": None, "event_type": "hover"}
    found = typed("clickstream", [nobody, visitor, nobody]).rejected
    first, second, third = found["customer_key"]
    assert second == token("v-1", key=KEY, kind="visitor")
    assert first == token("7:1", key=KEY, kind="line")
    assert third == token("7:3", key=KEY, kind="line")
    assert found["key_kind"].tolist() == ["guest", "visitor", "guest"]
    assert found["reasons"][0] == "customer_id or visitor_id: missing"


def test_a_rejected_row_keeps_what_it_said_but_not_of_whom() -> None:
    text = "I am jane@example.com, call +49 30 901820; it is 5 years old"
    row = {**REVIEW, "customer_id": "Jane@Example.com", "rating": "0", "text": text}
    (shown,) = typed("reviews", [row]).rejected["row_values"]
    assert json.loads(shown) == {
        "customer_id": as_hex(token("jane@example.com", key=KEY, kind="customer")),
        "review_id": "r-1",
        "created_at": "2026-01-15T12:00:00Z",
        "product_id": "85123A",
        "rating": "0",
        "text": "I am [email], call [phone]; it is 5 years old",
        "language": "en",
    }


def test_of_a_broken_line_only_a_keyed_digest_stays() -> None:
    broken = [BrokenRow(3, "3 fields, not 2", "jane@example.com,1,2")]
    (row,) = typed("orders", [ORDER], broken).rejected.to_dict("records")
    assert row["row_values"] == as_hex(token("jane@example.com,1,2", key=KEY, kind="line"))
    assert (row["line"], row["reasons"], row["file_no"]) == (3, "3 fields, not 2", 7)


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("reviews", REVIEW, "text"),
        ("orders", ORDER, "product_name"),
        ("orders", ORDER, "country"),
        ("clickstream", EVENT, "device"),
    ],
)
def test_identifiers_in_any_text_are_redacted(table: str, row: Row, column: str) -> None:
    assert values(table, row, column, "of jane@example.com") == ["of [email]"]


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("orders", ORDER, "order_id"),
        ("orders", ORDER, "product_id"),
        ("reviews", REVIEW, "review_id"),
    ],
)
def test_an_id_of_a_thing_keeps_its_digits_but_names_nobody(
    table: str, row: Row, column: str
) -> None:
    kept = ["0123456789012", "4111111111111111", "1.2.3.4", "a@b", "BANK CHARGES", "ü 12"]
    assert values(table, row, column, *kept) == kept
    refused = ["jane@example.com", "+49 30 901820", "2001:db8::1", "4111 1111 1111 1111"]
    fault = f"{column}: an address or number of a person"
    assert values(table, row, column, *refused) == [fault] * 4


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", None]), st.integers(-3, 3), st.integers(0, 1), st.booleans()
        ),
        max_size=12,
    )
)
def test_the_hash_of_a_row_is_of_all_that_it_says(said: list[tuple[Any, ...]]) -> None:
    rows = [
        {
            **ORDER,
            "product_name": name,
            "quantity": str(quantity),
            "ordered_at": f"2026-01-0{day + 1}",
            "line_no": str(number),
            "shipped_at": "2026-02-01" if shipped else None,
        }
        for number, (name, quantity, day, shipped) in enumerate(said)
    ]
    if not rows:
        return
    frame = typed("orders", rows).accepted
    made = row_hashes(frame, contract("orders"), CPU).tolist()
    assert made == [slow_hash(row) for row in frame.to_dict("records")]
    assert len(set(made)) == len(set(said))


def slow_hash(row: dict[Any, Any]) -> int:
    bits = []
    for column in contract("orders").columns:
        value = row[column.name]
        if column.name in ("file_no", "line", "line_no", "customer_key"):
            continue
        if column.type == "string":
            series = pd.Series([value], dtype="str")
            bits.append(int(CPU.sha64(series)[0]))
        elif column.type == "timestamp":
            bits.append(-(2**63) if pd.isna(value) else value.value // 1000)
        else:
            bits.append(int(value))
    return int(mixed_hash([np.array([value], dtype=np.int64) for value in bits], np)[0])
