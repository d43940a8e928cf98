"""Which values and rows break which rule; nulls break none."""

from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_tables import frame_of

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import Rule, contract
from gpu_pipeline.quality.checks import column_faults, presence_faults, row_faults

ORDERS = contract("orders")
CPU = Backend.choose("cpu")
TYPES = {"string": "str", "timestamp": "datetime64[us]", "int64": "float64"}


def reasons(table: str, column: str, *values: Any) -> list[list[str]]:
    """What is wrong with each value of a column."""
    found = contract(table)
    rules = [rule for rule in found.rules if rule.columns == (column,)]
    kind = found[column].type
    typed = pd.Series(list(values), dtype=TYPES.get(kind, kind))
    faults = column_faults(typed, rules, backend=CPU)
    return [[rule.reason for rule, mask in faults if mask.tolist()[i]] for i in range(len(values))]


@pytest.mark.parametrize(
    ("table", "column", "value", "wrong"),
    [
        ("reviews", "rating", 1.0, []),
        ("reviews", "rating", 0.99, ["rating: below 1"]),
        ("reviews", "rating", 5.01, ["rating: above 5"]),
        ("reviews", "rating", None, []),
        ("fx_rates", "rate", 0.0, ["rate: not above 0"]),
        ("fx_rates", "rate", 1e-9, []),
        ("orders", "currency", "EUR", []),
        ("orders", "currency", "eur", ["currency: not like ^[A-Z]{3}$"]),
        ("orders", "currency", None, []),
        ("orders", "quantity", 80_995, ["quantity: above 10000"]),
        ("orders", "quantity", -80_995, ["quantity: below -10000"]),
        ("orders", "quantity", 4_111_111_111_111_111, ["quantity: above 1000000", "above 10000"]),
        ("orders", "ordered_at", "1990-01-01", []),
        ("orders", "ordered_at", "1989-12-31 23:59:59.999999", ["ordered_at: before 1990-01-01"]),
        ("orders", "order_id", "O" * 100, []),
        ("orders", "order_id", "O" * 101, ["order_id: longer than 100 characters"]),
        ("orders", "order_id", "ann@example.org", ["order_id: an address or number of a person"]),
        ("clickstream", "event_type", "view", []),
        ("clickstream", "event_type", "look", ["event_type: not one of view, search, cart"]),
    ],
)
def test_a_value_is_held_to_the_rules_of_its_column(
    table: str, column: str, value: Any, wrong: list[str]
) -> None:
    (found,) = reasons(table, column, value)
    assert len(found) == len(wrong)
    assert all(part in reason for part, reason in zip(wrong, found, strict=True))


def test_what_could_not_be_read_and_what_was_not_brought_are_told_apart() -> None:
    typed, absent = pd.Series([1.0, None, None]), pd.Series([False, False, True])
    rules = [rule for rule in ORDERS.rules if rule.columns == ("quantity",)]
    faults = {rule.reason: mask.tolist() for rule, mask in presence_faults(typed, absent, rules)}
    assert faults == {
        "quantity: not a whole number": [False, True, False],
        "quantity: missing": [False, False, True],
    }


LINE = {
    "ordered_at": "2026-01-02 15:00",
    "shipped_at": "2026-01-03",
    "delivered_at": "2026-01-04",
    "quantity": 2,
    "unit_price": 500,
    "discount": 100,
    "refunded": 900,
    "line_type": "sale",
}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        # A feed of dates alone: shipped on the day of the order.
        ({"shipped_at": "2026-01-02"}, []),
        ({"shipped_at": "2026-01-01"}, ["shipped_at: before the day of ordered_at"]),
        ({"shipped_at": None, "delivered_at": None}, []),
        (
            {"shipped_at": None, "delivered_at": "2026-01-01 23:59"},
            ["delivered_at: before the day of ordered_at"],
        ),
        ({"delivered_at": "2026-01-02 16:00"}, ["delivered_at: before the day of shipped_at"]),
        ({"refunded": 901}, ["refunded: more than was paid"]),
        ({"discount": 1000, "refunded": 0}, []),
        ({"discount": 1001, "refunded": 0}, ["discount: more than the line is worth"]),
        ({"quantity": -2, "line_type": "return"}, []),
        ({"quantity": -2, "line_type": "return", "refunded": 901}, ["refunded: more than was"]),
        ({"quantity": -2}, ["quantity: a sale of less than nothing"]),
        ({"line_type": "return"}, ["quantity: a return of more than nothing"]),
    ],
)
def test_a_line_is_held_to_what_its_columns_say_of_each_other(
    changes: dict[str, Any], wrong: list[str]
) -> None:
    found = [
        rule.reason
        for rule, mask in row_faults(frame_of("orders", [{**LINE, **changes}]), ORDERS)
        if mask.tolist()[0]
    ]
    assert len(found) == len(wrong)
    assert all(reason.startswith(part) for part, reason in zip(wrong, found, strict=True))


def test_a_row_is_not_judged_by_what_stands_in_place_of_an_unreadable_value() -> None:
    frame = frame_of("orders", [{**LINE, "unit_price": 0}] * 2)
    unfit = {"unit_price": pd.Series([True, False])}
    faults = {rule.reason: mask.tolist() for rule, mask in row_faults(frame, ORDERS, unfit=unfit)}
    assert faults["discount: more than the line is worth"] == [False, True]
    assert faults["refunded: more than was paid"] == [False, True]


MOMENTS = st.none() | st.sampled_from(["2026-01-01", "2026-01-02 15:00", "2026-01-03"])
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "ordered_at": st.sampled_from(["2026-01-01 12:00", "2026-01-02 15:00"]),
            "shipped_at": MOMENTS,
            "delivered_at": MOMENTS,
            "quantity": st.integers(-3, 3),
            "unit_price": st.integers(0, 3),
            "discount": st.integers(0, 9),
            "refunded": st.integers(0, 9),
            "line_type": st.sampled_from(["sale", "return"]),
        }
    ),
    min_size=1,
    max_size=20,
)


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    """How many rows of a partition break each condition."""
    faults = row_faults(frame, ORDERS)
    return pd.DataFrame({rule.reason: [int(mask.sum())] for rule, mask in faults})


@settings(deadline=None, max_examples=25)
@given(LINES, st.integers(1, 5))
def test_failures_are_the_same_for_any_partitioning(lines: list[Any], partitions: int) -> None:
    frame = frame_of("orders", lines)
    split = dd.from_pandas(frame, npartitions=partitions)
    meta = counted(frame.iloc[:0])
    whole = split.map_partitions(counted, meta=meta).compute(scheduler="sync").sum()
    assert whole.to_dict() == counted(frame).sum().to_dict()


@settings(deadline=None, max_examples=25)
@given(LINES)
def test_money_and_times_are_judged_as_a_loop_would(lines: list[dict[str, Any]]) -> None:
    frame = frame_of("orders", lines)
    faults = {rule.reason: mask.tolist() for rule, mask in row_faults(frame, ORDERS)}
    paid = [abs(row["quantity"]) * row["unit_price"] - row["discount"] for row in lines]
    assert faults["refunded: more than was paid"] == [
        row["refunded"] > max(left, 0) if left >= 0 else row["refunded"] > 0
        for row, left in zip(lines, paid, strict=True)
    ]
    assert faults["shipped_at: before the day of ordered_at"] == [
        row["shipped_at"] is not None and row["shipped_at"][:10] < row["ordered_at"][:10]
        for row in lines
    ]


def test_rules_of_other_kinds_are_passed_over() -> None:
    rules = [Rule("x: missing", ("x",), "required"), Rule("k", ("x",), "unique")]
    assert column_faults(pd.Series([1.0]), rules, backend=CPU) == []
