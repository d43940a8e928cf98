"""Order lines for tests: built by hand, or drawn from a small world where everything collides."""

from math import prod
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.orders import LINE_COLUMNS

CPU = Backend.choose("cpu")
START = pd.Timestamp("2026-03-01T12:00")
DEFAULTS: dict[str, Any] = {
    "order_id": "A",
    "customer_key": 1,
    "key_kind": "customer",
    "ordered_at": START,
    "product_id": "lamp",
    "quantity": 1,
    "unit_price": 500,
    "discount": 0,
    "currency": "EUR",
    "line_type": "sale",
}


def lines(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows with `LINE_COLUMNS` in the contract's types, what is not said filled in."""
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name, DEFAULTS[name]) for row in rows], dtype=_DTYPES[name])
            for name in LINE_COLUMNS
        }
    )


_DTYPES = CPU.empty(contract("orders"), LINE_COLUMNS).dtypes.to_dict()

# Keys at both ends of int64; times within and beyond the 24 hours of an entry error, and off by
# a microsecond; prices of nothing; lines of no unit.
_WORLD: dict[str, list[Any]] = {
    "line_type": ["sale", "return", "sale", "return", "sale", "fee", "adjustment"],
    "quantity": [1, 2, 1, 0],
    "order_id": ["A", "B", "C"],
    "customer_key": [2**63 - 1, -(2**63), 1],
    "key_kind": ["customer", "customer", "customer", "guest"],
    "ordered_at": [
        START + pd.Timedelta(hours=hours, microseconds=more)
        for hours in (0, 1, 24, 900)
        for more in (0, 1)
    ],
    "product_id": ["lamp", "sofa"],
    "unit_price": [500, 500, 0],
    "discount": [0, 0, 50],
}
_LINES = prod(len(values) for values in _WORLD.values())


def _line(number: int) -> dict[str, Any]:
    """One of all the lines that the world has; a return's quantity is negative."""
    row = {}
    for name, values in _WORLD.items():
        number, place = divmod(number, len(values))
        row[name] = values[place]
    return row | {"quantity": row["quantity"] * (-1 if row["line_type"] == "return" else 1)}


def drawn_lines(*, max_size: int = 25) -> st.SearchStrategy[pd.DataFrame]:
    """Lines of a few customers, products and orders at a few moments, in one currency."""
    numbers = st.lists(st.integers(0, _LINES - 1), max_size=max_size)
    return numbers.map(lambda found: lines(*map(_line, found)))


def as_multiset(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows in an order of their own, to compare frames whose row order means nothing."""
    return sorted(frame.itertuples(index=False, name=None))
