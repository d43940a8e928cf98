"""The answers of a lake, as tables for a merchant and as records for a program."""

import json
from typing import Any

import pandas as pd

from gpu_pipeline.money import minor_digits
from gpu_pipeline.report import Answers
from gpu_pipeline.report.reordering import money_text, stock_lines
from gpu_pipeline.report.unscored import unscored_line
from gpu_pipeline.terminal import Column, note, print_table

__all__ = ["as_records", "frame_records", "show_answers"]

_COUNT, _SHARE = "{:,d}", "{:.1%}"


def as_records(found: Answers) -> dict[str, Any]:
    """The answers as plain lists and dicts; nulls where a frame has none."""
    plain = {}
    for name, value in vars(found).items():
        is_frame = isinstance(value, pd.DataFrame)
        plain[name] = frame_records(value) if is_frame else value
    return plain


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain dicts: nulls where there is nothing, times as ISO 8601."""
    records: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso"))
    return records


def show_answers(found: Answers) -> None:
    """Segments, forecasts, orders, moods and rejections, for a merchant to read."""
    if found.as_of is None:
        note("Nothing was run yet: `gpu-pipeline run` makes the answers.")
        return
    money = f"{{:,.{minor_digits(found.currency)}f}}"
    amounts = f", amounts in {found.currency}" if found.currency else ""
    has_before = bool(found.segments["customers_before"].notna().any())
    note(f"\nAs of {found.as_of}{amounts}\n")
    print_table(
        "Customer segments",
        found.segments,
        {
            "name": Column("segment"),
            "customers": Column("customers", _COUNT),
            **({"growth": Column("growth", "{:+.1%}")} if has_before else {}),
            "customer_share": Column("of all", _SHARE),
            "revenue_share": Column("of revenue", _SHARE),
            "orders": Column("orders each", "{:.1f}"),
            "average_order": Column("average order", money),
            "days_since_last_order": Column("days since last", "{:.0f}"),
        },
    )
    print_table(
        "What sets them apart",
        found.segments,
        {"name": Column("segment"), "apart": Column("against all customers")},
    )
    print_table(
        f"What they may bring in the next {found.worth_days or '…'} days",
        found.worth,
        {
            "name": Column("segment"),
            "customers": Column("customers", _COUNT),
            "expected_value": Column("each", money),
            "value_share": Column("of all", _SHARE),
            "churn_risk": Column("chance to buy nothing", _SHARE),
        },
    )
    _show_moves(found, has_before=has_before)
    print_table(
        "Visits of the last 28 days, those of machines left out",
        found.visits,
        {
            "channel": Column("channel"),
            "sessions": Column("visits", _COUNT),
            "pages_per_session": Column("pages each", "{:.1f}"),
            "cart_abandonment_rate": Column("carts left", _SHARE),
            "conversion_rate": Column("bought", _SHARE),
        },
    )
    between = ""
    if found.forecast_days is not None:
        first, last = found.forecast_days
        year = f" {first:%Y}" if first.year != last.year else ""
        between = f", {first:%d %b}{year} to {last:%d %b %Y}"
    print_table(
        f"Best sellers to come{between}: units in all; mean error in units a day",
        found.top_products,
        {
            "name": Column("product"),
            "units": Column("units", "{:,.0f}"),
            "units_low": Column("low", "{:,.0f}"),
            "units_high": Column("high", "{:,.0f}"),
            "model": Column("method"),
            "error": Column("error", "{:,.1f}"),
            "naive_error": Column("naive's", "{:,.1f}"),
            "improvement": Column("better", _SHARE),
        },
    )
    print_table(
        "All forecasts against seasonal naive, the last week again, in the last test",
        found.forecast_quality,
        {
            "model": Column("method"),
            "products": Column("products", _COUNT),
            "error": Column("error", "{:,.1f}"),
            "naive_error": Column("naive's", "{:,.1f}"),
            "improvement": Column("better", _SHARE),
        },
    )
    _show_orders(found)
    print_table(
        "What comes back more than its category, beyond chance",
        found.returns,
        {
            "name": Column("product"),
            "category": Column("category"),
            "units_sold_last_13_weeks": Column("sold in 13 weeks", _COUNT),
            "return_rate": Column("sent back", _SHARE),
            "category_return_rate": Column("its category", _SHARE),
        },
    )
    _show_voices(found)
    print_table(
        "Rejected",
        found.rejections,
        {
            "source": Column("source"),
            "reason": Column("reason"),
            "rows": Column("rows", _COUNT),
        },
    )


def _show_voices(found: Answers) -> None:
    print_table(
        "What people say, least happy first",
        found.sentiment,
        {
            "name": Column("product"),
            "texts": Column("texts", _COUNT),
            "negative": Column("negative", _SHARE),
            "positive": Column("positive", _SHARE),
        },
    )
    if len(found.unscored):
        note(unscored_line(found.unscored))
    title = "What people began to say otherwise, or much more"
    if len(found.sentiment) and not len(found.alerts):
        note(f"{title}: nothing beyond chance.")
    print_table(
        title,
        found.alerts,
        {"kind": Column("kind"), "told": Column("what"), "example": Column("for example")},
    )
    print_table(
        "What more people speak of than before",
        found.rising_terms,
        {
            "term": Column("words"),
            "people": Column("people this week", _COUNT),
            "people_before": Column("in 8 weeks before", _COUNT),
            "growth": Column("times as often", "{:.1f}"),
        },
    )


def _show_orders(found: Answers) -> None:
    amounts = zip(found.orders["order_cost"], found.orders["currency"], strict=True)
    costs = [money_text(amount, currency) for amount, currency in amounts]
    print_table(
        "What to order now, the most urgent first",
        found.orders.assign(cost=costs),
        {
            "name": Column("product"),
            "location": Column("where"),
            "left": Column("left", "{:,.0f}"),
            "on_order": Column("on its way", "{:,.0f}"),
            "days_of_cover": Column("lasts days", "{:,.0f}"),
            "stockout_risk": Column("runs out", "{:.0%}"),
            "order_quantity": Column("order", "{:,d}"),
            "cost": Column("cost", "{:s}"),
        },
    )
    for line in stock_lines(found.stock):
        note(line)


def _show_moves(found: Answers, *, has_before: bool) -> None:
    title = "Who is in another segment than before"
    if not has_before and not len(found.moves):
        note(f"{title}: there is nothing to compare with yet, a run of a later day tells.")
        return
    print_table(
        title,
        found.moves,
        {
            "from_name": Column("from"),
            "to_name": Column("to"),
            "customers": Column("customers", "{:,d}"),
            "share_of_from": Column("of those", "{:.1%}"),
        },
    )
