"""The tables of the page: what each column is called, and how its values are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd

from gpu_pipeline.money import minor_digits

__all__ = [
    *("ALERTS", "FORECASTS", "LOADS", "ORDERS", "PRODUCTS", "REJECTIONS", "RETURNS", "SENTIMENT"),
    *("TERMS", "VISITS", "WHAT_TO_DO", "segment_columns", "table_of", "worth_columns"),
]


@dataclass(frozen=True)
class Shown:
    """How a column is shown: its heading, the format of its values, and what they mean.

    A code, such as the number of a product, stays in one line.
    """

    heading: str
    format: str = "{}"
    meaning: str = ""
    is_code: bool = False


_COUNT, _SHARE = "{:,.0f}", "{:.1%}"
PRODUCTS = {
    "name": Shown("Product"),
    "product_id": Shown("Product no.", is_code=True),
    "units": Shown("Units expected", _COUNT, "sum of the daily means"),
    "units_low": Shown("Low", _COUNT, "one time in ten less is sold in all"),
    "units_high": Shown("High", _COUNT, "nine times in ten no more is sold in all"),
    "model": Shown("Method"),
    "error": Shown("Off by a day", "{:,.2f}", "mean absolute error in the last test, units"),
    "naive_error": Shown("Last week again", "{:,.2f}", "the same of repeating the last week"),
    "improvement": Shown("Better by", _SHARE),
}
FORECASTS = {
    "model": Shown("Method"),
    "products": Shown("Products", _COUNT),
    "error": Shown("Off by a day", "{:,.0f}", "units, summed over the products"),
    "naive_error": Shown("Last week again", "{:,.0f}", "the same of repeating the last week"),
    "improvement": Shown("Better by", _SHARE),
}
ORDERS = {
    "name": Shown("Product"),
    "product_id": Shown("Product no.", is_code=True),
    "location": Shown("Where"),
    "left": Shown("Left", _COUNT, "units on hand, less what was sold since they were counted"),
    "on_order": Shown("On its way", _COUNT, "units ordered before"),
    "days_of_cover": Shown("Lasts days", _COUNT, "how long what is left should last"),
    "stockout_risk": Shown(
        "Runs out",
        "{:.0%}",
        "chance of it before the next delivery: a lead time away, half of one"
        " where something is on its way",
    ),
    "order_quantity": Shown("Order", _COUNT, "units, in whole lots"),
    "cost": Shown("Cost", "{:s}"),
}
VISITS = {
    "channel": Shown("Channel"),
    "sessions": Shown("Visits", _COUNT, "of the last 28 days, machines left out"),
    "pages_per_session": Shown("Pages each", "{:,.1f}"),
    "bounce_rate": Shown("Left at once", _SHARE, "visits of one event"),
    "cart_abandonment_rate": Shown("Carts left", _SHARE, "visits with a cart and no purchase"),
    "conversion_rate": Shown("Bought", _SHARE),
}
RETURNS = {
    "name": Shown("Product"),
    "product_id": Shown("Product no.", is_code=True),
    "category": Shown("Category"),
    "units_sold_last_13_weeks": Shown("Units sold", _COUNT, "in 13 weeks"),
    "return_rate": Shown("Sent back", _SHARE, "units sent back for one sold, in 13 weeks"),
    "return_rate_low": Shown("at least", _SHARE, "lower end of the 95 % interval"),
    "category_return_rate": Shown("Category", _SHARE, "the same of all of its category"),
    "contacts_per_1000_sold": Shown("Support cases", "{:,.0f}", "for 1,000 units sold"),
}
ALERTS = {
    "kind": Shown("Kind"),
    "told": Shown("What people began to say otherwise, or much more"),
    "example": Shown("For example"),
}
TERMS = {
    "term": Shown("What more people speak of"),
    "people": Shown("People", _COUNT, "in the last week"),
    "people_before": Shown("Before", _COUNT, "in the eight weeks before"),
    "growth": Shown("Times as often", "{:,.1f}"),
}
SENTIMENT = {
    "name": Shown("Product"),
    "product_id": Shown("Product no.", is_code=True),
    "texts": Shown("Texts", _COUNT),
    "negative": Shown("Negative", _SHARE),
    "positive": Shown("Positive", _SHARE),
}
WHAT_TO_DO = {
    "name": Shown("Segment"),
    "apart": Shown("What sets it apart"),
    "description": Shown("Who they are, and what to do"),
}
LOADS = {
    "contract": Shown("Table"),
    "file": Shown("File"),
    "rows": Shown("Rows", _COUNT),
    "accepted": Shown("Taken", _COUNT),
    "rejected": Shown("Left out", _COUNT),
    "duplicates": Shown("Seen before", _COUNT),
}
REJECTIONS = {
    "source": Shown("Table"),
    "reason": Shown("Why"),
    "rows": Shown("Rows", _COUNT),
}


def table_of(frame: pd.DataFrame, columns: Mapping[str, Shown]) -> str:
    """The named columns as HTML, numbers to the right; "" where there are no rows."""
    if not len(frame):
        return ""
    heads = "".join(
        f'<th{_kind(c)} title="{escape(c.meaning)}">{escape(c.heading)}</th>'
        for c in columns.values()
    )
    rows = "".join(
        f"<tr>{''.join(_cell(v, c) for v, c in zip(row, columns.values(), strict=True))}</tr>"
        for row in frame[list(columns)].itertuples(index=False)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object, column: Shown) -> str:
    missing = value is None or value != value
    return f"<td{_kind(column)}>{'–' if missing else escape(column.format.format(value))}</td>"


def _kind(column: Shown) -> str:
    if column.is_code:
        return ' class="code"'
    return "" if column.format == "{}" else ' class="number"'


def worth_columns(currency: str) -> dict[str, Shown]:
    money = f"{{:,.{minor_digits(currency)}f}}"
    return {
        "name": Shown("Segment"),
        "customers": Shown("Customers", _COUNT),
        "expected_value": Shown("Each", money, "mean of what is expected of one"),
        "value_share": Shown("of all", _SHARE, "of all that is expected"),
        "churn_risk": Shown("Chance to buy nothing", _SHARE, "mean of its customers' chances"),
    }


def segment_columns(currency: str, *, has_before: bool) -> dict[str, Shown]:
    growth = Shown("Growth", "{:+.1%}", "of its customers since the run before")
    money = f"{{:,.{minor_digits(currency)}f}}"
    return {
        "name": Shown("Segment"),
        "customers": Shown("Customers", _COUNT),
        **({"growth": growth} if has_before else {}),
        "customer_share": Shown("of all", _SHARE),
        "revenue_share": Shown("of revenue", _SHARE),
        "orders": Shown("Orders each", "{:,.1f}", "mean"),
        "average_order": Shown("Average order", money, "mean value of one order"),
        "revenue": Shown("Revenue each", money, "mean, less returns"),
        "days_since_last_order": Shown("Days since last order", _COUNT, "median"),
        "return_rate": Shown("Sent back", _SHARE, "units sent back for one sold"),
    }
