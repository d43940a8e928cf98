"""What a rule may say of the columns of a row, and that it means what Python means."""

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.contracts.expressions import checked, columns_of
from gpu_pipeline.errors import ContractError
from gpu_pipeline.quality.expressions import broken

TYPES = {
    "quantity": "int64",
    "price": "int64",
    "rate": "float64",
    "kind": "string",
    "paid": "bool",
    "ordered": "timestamp",
    "shipped": "timestamp",
}
DTYPES = {"string": "str", "timestamp": "datetime64[us]"}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    made = pd.DataFrame([{name: row.get(name) for name in TYPES} for row in rows])
    whole = {"quantity": 0, "price": 0, "paid": False}
    types = {name: DTYPES.get(kind, kind) for name, kind in TYPES.items()}
    return made.fillna(whole).astype(types)


def breaks(expression: str, **row: Any) -> bool:
    return bool(broken(frame(row), checked(expression, TYPES)).tolist()[0])


@pytest.mark.parametrize(
    ("expression", "row", "fails"),
    [
        ("quantity * price <= 100", {"quantity": 10, "price": 10}, False),
        ("quantity * price <= 100", {"quantity": 10, "price": 11}, True),
        ("abs(quantity) * price - 1 >= 19", {"quantity": -2, "price": 10}, False),
        ("-quantity > 2", {"quantity": -3}, False),
        ("1 <= quantity <= 3", {"quantity": 4}, True),
        ("1 <= quantity <= 3", {"quantity": 3}, False),
        ("kind == 'sale' or quantity < 0", {"kind": "return", "quantity": -1}, False),
        ("kind == 'sale' or quantity < 0", {"kind": "return", "quantity": 1}, True),
        ("not (paid and quantity == 0)", {"paid": True, "quantity": 0}, True),
        ("not paid", {"paid": False}, False),
        ("rate < 0.5", {"rate": 0.5}, True),
        ("rate < 0.5", {"rate": None}, False),
        ("kind != 'sale'", {"kind": None}, False),
        # What is missing is not judged, whatever the rest says.
        ("quantity > 0 and shipped >= ordered", {"quantity": 0, "ordered": "2026-01-02"}, False),
        ("shipped >= ordered", {"shipped": "2026-01-01", "ordered": "2026-01-02"}, True),
        (
            "shipped >= day(ordered)",
            {"shipped": "2026-01-02", "ordered": "2026-01-02 09:00"},
            False,
        ),
        ("shipped >= day(ordered)", {"shipped": "2026-01-01", "ordered": "2026-01-02 09"}, True),
        (
            "shipped <= ordered + days(1.5)",
            {"shipped": "2026-01-02 12:00", "ordered": "2026-01-01"},
            False,
        ),
        ("shipped - ordered <= hours(1)", {"shipped": "2026-01-02", "ordered": "2026-01-01"}, True),
        (
            "shipped - ordered <= days(1) * 2",
            {"shipped": "2026-01-03", "ordered": "2026-01-01"},
            False,
        ),
    ],
)
def test_a_condition_means_what_it_says(expression: str, row: dict[str, Any], fails: bool) -> None:
    assert breaks(expression, **row) is fails


def test_a_product_of_damaged_amounts_does_not_wrap_around() -> None:
    assert not breaks("quantity * price >= 0", quantity=2**40, price=2**40)
    assert breaks("quantity * price < 100", quantity=2**40, price=2**24)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("quantity >", "is no expression"),
        ("a = 1", "is no expression"),
        ("quantity > 1 " + "and quantity > 1 " * 40, "an expression of 693 characters, 500"),
        ("quantity", "is a number, not a condition"),
        ("shipped - ordered", "is a duration, not a condition"),
        ("cost > 1", "'cost' is no column: there are quantity, price"),
        ("quantity > 'a'", "a number and a text can't be compared so"),
        ("kind < 'a'", "a text and a text can't be compared so"),
        ("shipped > 3", "a time and a number can't be compared so"),
        ("shipped + ordered > shipped", "a time and a time can't be put together so"),
        ("quantity / price > 1", "a number and a number can't be put together so"),
        ("quantity ** 2 > 1", "a number and a number can't be put together so"),
        ("1 < 2", "'1 < 2' compares constants"),
        ("quantity > 1 > 0", "compares constants"),
        ("quantity > True", "is not allowed: there are columns"),
        ("quantity > 1e999", "is no number"),
        ("not quantity", "a number, wanted is a truth"),
        ("paid and quantity", "a number, wanted is a truth"),
        ("-kind == 'a'", "a text, wanted is a number or duration"),
        ("days(quantity) > shipped - ordered", "days wants a number, such as days(30)"),
        ("len(kind) > 3", "'len' is no function: there are abs, day, days, hours"),
        ("abs(kind) > 3", "a text, wanted is a number"),
        ("abs(quantity, price) > 3", "is not allowed"),
        ("kind.upper() == 'A'", "is not allowed"),
        ("__import__('os').system('true') == 0", "is not allowed"),
        ("__import__('os') == 0", "'__import__' is no function"),
        ("[q for q in kind] == kind", "is not allowed"),
        ("(lambda: 1)() == quantity", "is not allowed"),
        ("kind in ('a', 'b')", "is not allowed"),
        ("quantity == None", "is not allowed"),
        ("kind == f'{kind}'", "is not allowed"),
        ("(quantity := 3) > 2", "is not allowed"),
    ],
)
def test_what_the_language_lacks_is_refused_by_name(expression: str, fault: str) -> None:
    with pytest.raises(ContractError) as caught:
        checked(expression, TYPES)
    assert fault in str(caught.value)


def test_the_columns_of_a_condition_stand_in_order_and_once() -> None:
    expression = "abs(price) > quantity and day(shipped) >= ordered and price > 0"
    assert columns_of(expression) == ("price", "quantity", "shipped", "ordered")


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
NUMBERS = st.integers(-50, 50)
FIRST = datetime(2026, 1, 1)  # noqa: DTZ001
MOMENTS = st.none() | st.datetimes(FIRST, FIRST + timedelta(days=31))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, MOMENTS, MOMENTS), min_size=1, max_size=8),
    st.sampled_from(sorted(COMPARISONS)),
    st.integers(-30, 30),
    st.booleans(),
)
def test_a_frame_is_judged_as_python_judges_its_rows(
    rows: list[tuple[Any, ...]], sign: str, number: int, either: bool
) -> None:
    join = "or" if either else "and"
    expression = (
        f"abs(quantity) * price - {abs(number)} {sign} quantity {join} "
        f"shipped {sign} day(ordered) + days({abs(number)})"
    )
    names = ("quantity", "price", "ordered", "shipped")
    made = frame(*(dict(zip(names, row, strict=True)) for row in rows))
    compare = COMPARISONS[sign]

    def fails(quantity: int, price: int, ordered: datetime | None, shipped: Any) -> bool:
        if ordered is None or shipped is None:
            return False
        midnight = ordered.replace(hour=0, minute=0, second=0, microsecond=0)
        money = compare(abs(quantity) * price - abs(number), quantity)
        time = compare(shipped, midnight + timedelta(days=abs(number)))
        return not (money or time if either else money and time)

    assert broken(made, checked(expression, TYPES)).tolist() == [fails(*row) for row in rows]
