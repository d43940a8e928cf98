"""Names that a merchant would use: the first rule that holds names the segment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["segment_names"]


@dataclass(frozen=True)
class Shop:
    """What is usual in the shop: medians and means over all customers."""

    days_since_last_order: float
    tenure_days: float
    orders: float


Rule = Callable[[Any, Shop], bool]

# The first rule that holds names the segment.
_NAMES: tuple[tuple[str, Rule], ...] = (
    ("bought and sent back", lambda s, _: s.return_rate >= 0.25),
    (
        "champions",
        lambda s, shop: (
            s.orders >= 2 * shop.orders and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    (
        "new",
        lambda s, shop: (
            s.tenure_days <= 0.5 * shop.tenure_days
            and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    (
        "loyal",
        lambda s, shop: (
            s.orders >= shop.orders and s.days_since_last_order <= shop.days_since_last_order
        ),
    ),
    ("one-off buyers", lambda s, _: s.orders < 1.5),
    ("slipping away", lambda s, shop: s.days_since_last_order > 1.5 * shop.days_since_last_order),
    ("occasional", lambda _, __: True),
)


def segment_names(table: pd.DataFrame, joined: pd.DataFrame) -> list[str]:
    """A name for each row of the profiles, told apart; `joined` has all customers' features."""
    shop = Shop(
        float(joined["days_since_last_order"].median()),
        float(joined["tenure_days"].median()),
        float(joined["orders"].mean()),
    )
    rows = list(table.itertuples())
    names = [next(name for name, rule in _NAMES if rule(row, shop)) for row in rows]
    return [_told_apart(i, names, rows) for i in range(len(rows))]


def _told_apart(i: int, names: list[str], rows: list[Any]) -> str:
    """Two segments of one name differ by what an order of theirs is worth."""
    same = [j for j, name in enumerate(names) if name == names[i]]
    if len(same) == 1:
        return names[i]
    by_value = sorted(same, key=lambda j: -rows[j].average_order)
    if len(same) == 2:
        return f"{names[i]}, {'larger' if i == by_value[0] else 'smaller'} orders"
    return f"{names[i]}, order value rank {by_value.index(i) + 1}"
