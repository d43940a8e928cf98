"""What customers do besides ordering, drawn from a small world where everything collides."""

from math import prod
from typing import Any

import pandas as pd
from hypothesis import strategies as st
from order_lines import CPU, START

from gpu_pipeline.contracts import contract
from gpu_pipeline.features import MESSAGE_COLUMNS, PRODUCT_COLUMNS, SESSION_COLUMNS, TEXT_COLUMNS

KEYS = [2**63 - 1, -(2**63), 1]
KINDS = ["customer", "customer", "customer", "guest"]
TIMES = [
    START + pd.Timedelta(hours=hours, microseconds=more)
    for hours in (-2100, -700, 0, 1, 900)
    for more in (0, 1)
]
_WHO: dict[str, list[Any]] = {"customer_key": KEYS, "key_kind": KINDS}
_SESSIONS = {
    **_WHO,
    "started_at": TIMES,
    "minutes": [0, 1, 90],
    "views": [0, 3],
    "carts": [0, 2],
    "purchases": [0, 0, 1],
    "excluded_for": [None, None, "runaway"],
}
_TEXTS = {
    **_WHO,
    "created_at": TIMES,
    "negative": [0.0, 0.125, 0.7],
    "positive": [0.3, 0.125, 1 / 3],
}
_MESSAGES = {
    **_WHO,
    "case_id": ["k1", "k2", "longer than eight bytes"],
    "opened_at": TIMES,
    "after": [pd.Timedelta(0), pd.Timedelta("90min"), pd.Timedelta("40D")],
    "resolved": [None, pd.Timedelta(0), pd.Timedelta("3h"), pd.Timedelta("50D")],
}
CATALOGUES: list[dict[str, str]] = [
    {},
    {"lamp": "light"},
    {"lamp": "light", "sofa": "seats"},
    {"lamp": "home", "sofa": "home", "rug": "never bought"},
]


def table(name: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of a contract's table, in its types; what is not said is null."""
    types = CPU.empty(contract(name), columns).dtypes
    return pd.DataFrame(
        {
            column: pd.Series([r.get(column) for r in rows], dtype=types[column])
            for column in columns
        }
    )


def sessions(*rows: dict[str, Any]) -> pd.DataFrame:
    return table("sessions", SESSION_COLUMNS, list(rows))


def texts(*rows: dict[str, Any]) -> pd.DataFrame:
    return table("text_sentiment", TEXT_COLUMNS, list(rows))


def messages(*rows: dict[str, Any]) -> pd.DataFrame:
    return table("support", MESSAGE_COLUMNS, list(rows))


def catalogue(categories: dict[str, str]) -> pd.DataFrame:
    rows = [{"product_id": product, "category": named} for product, named in categories.items()]
    return table("products", PRODUCT_COLUMNS, rows)


def drawn_sessions(until: pd.Timestamp) -> st.SearchStrategy[pd.DataFrame]:
    """Sessions that clicks until then make: who came before had left by then."""

    def made(row: dict[str, Any]) -> dict[str, Any]:
        began = row["started_at"]
        ended = began + pd.Timedelta(minutes=row["minutes"])
        return row | {"ended_at": min(ended, until) if began <= until else ended}

    return _drawn(_SESSIONS).map(lambda rows: sessions(*map(made, rows)))


def drawn_texts() -> st.SearchStrategy[pd.DataFrame]:
    return _drawn(_TEXTS).map(lambda rows: texts(*rows))


def drawn_messages() -> st.SearchStrategy[pd.DataFrame]:
    def made(row: dict[str, Any]) -> dict[str, Any]:
        opened, resolved = row["opened_at"], row["resolved"]
        closed = None if resolved is None else opened + resolved
        return row | {"sent_at": opened + row["after"], "resolved_at": closed}

    return _drawn(_MESSAGES).map(lambda rows: messages(*map(made, rows)))


def drawn_others(until: pd.Timestamp) -> st.SearchStrategy[dict[str, pd.DataFrame]]:
    """Some of the sources, or none."""
    return st.fixed_dictionaries(
        {},
        optional={
            "products": st.sampled_from(CATALOGUES).map(catalogue),
            "sessions": drawn_sessions(until),
            "texts": drawn_texts(),
            "messages": drawn_messages(),
        },
    )


def _drawn(world: dict[str, list[Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    size = prod(len(values) for values in world.values())
    numbers = st.lists(st.integers(0, size - 1), max_size=8)
    return numbers.map(lambda found: [_row(number, world) for number in found])


def _row(number: int, world: dict[str, list[Any]]) -> dict[str, Any]:
    row = {}
    for name, values in world.items():
        number, place = divmod(number, len(values))
        row[name] = values[place]
    return row
