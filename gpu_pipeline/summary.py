"""What reports look like in a terminal: loads, runs and answers as tables."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import pandas as pd

from gpu_pipeline.ingest import IngestReport, Preview
from gpu_pipeline.money import MINOR_DIGITS, USUAL_DIGITS
from gpu_pipeline.pipeline import RunReport
from gpu_pipeline.privacy import as_hex
from gpu_pipeline.report import Answers
from gpu_pipeline.terminal import Column, note, print_table

__all__ = ["as_records", "show_answers", "show_loads", "show_preview", "show_run"]


def show_loads(report: IngestReport) -> None:
    """What became of each file's rows, and which files nobody took."""
    rows = pd.DataFrame([asdict(file) for file in report.files])
    count = "{:,d}"
    print_table(
        "Loaded",
        rows.assign(state=["before" if before else "now" for before in rows["loaded_before"]]),
        {
            "name": Column("file"),
            "contract": Column("contract"),
            "rows": Column("rows", count),
            "accepted": Column("accepted", count),
            "rejected": Column("rejected", count),
            "duplicates": Column("duplicates", count),
            "state": Column("loaded"),
        },
    )
    if report.ignored:
        note(f"Not loaded, no feed takes them: {', '.join(report.ignored)}")


def show_preview(preview: Preview) -> None:
    """How many rows of a file pass and why others don't, and the first that passes."""
    note(f"{preview.name} -> {preview.contract}")
    note(f"{preview.accepted:,} rows would be accepted, {preview.rejected:,} rejected")
    made = preview.first.drop(columns=["file_no", "line"])
    if "customer_key" in made:
        made["customer_key"] = made["customer_key"].map(as_hex)
    for _, row in made.iterrows():
        shown = pd.DataFrame({"column": row.index, "value": row.to_numpy(dtype=object)})
        columns = {"column": Column("column"), "value": Column("value")}
        print_table("The first of them", shown.dropna(), columns)
    if preview.reasons:
        why = pd.DataFrame(Counter(preview.reasons).most_common(), columns=["reason", "rows"])
        columns = {"reason": Column("reason"), "rows": Column("rows", "{:,d}")}
        print_table("Rejected", why, columns)


def show_run(report: RunReport) -> None:
    """The run's moment and device, and what became of each step."""
    note(f"Run {report.run_id} as of {report.as_of} on {report.device}")
    print_table(
        "Steps",
        pd.DataFrame([vars(step) for step in report.steps]),
        {
            "name": Column("step"),
            "status": Column("status"),
            "seconds": Column("seconds", "{:.2f}"),
        },
    )


def as_records(found: Answers) -> dict[str, Any]:
    """The answers as plain lists and dicts; nulls where a frame has none."""
    plain = {}
    for name, value in vars(found).items():
        is_frame = isinstance(value, pd.DataFrame)
        plain[name] = json.loads(value.to_json(orient="records")) if is_frame else value
    return plain


def show_answers(found: Answers) -> None:
    """Segments, forecasts, moods and rejections, for a merchant to read."""
    if found.as_of is None:
        note("Nothing was run yet: `gpu-pipeline run` makes the answers.")
        return
    count, share = "{:,d}", "{:.1%}"
    money = f"{{:,.{MINOR_DIGITS.get(found.currency, USUAL_DIGITS)}f}}"
    amounts = f", amounts in {found.currency}" if found.currency else ""
    note(f"\nAs of {found.as_of}{amounts}\n")
    print_table(
        "Customer segments",
        found.segments,
        {
            "name": Column("segment"),
            "customers": Column("customers", count),
            "customer_share": Column("of customers", share),
            "revenue_share": Column("of revenue", share),
            "orders": Column("orders each", "{:.1f}"),
            "average_order": Column("average order", money),
            "days_since_last_order": Column("days since last", "{:.0f}"),
        },
    )
    between = ""
    if found.forecast_days is not None:
        first, last = found.forecast_days
        between = f", {first:%d %b} to {last:%d %b %Y}"
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
            "improvement": Column("better", share),
        },
    )
    print_table(
        "All forecasts against seasonal naive, the last week again, in the last test",
        found.forecast_quality,
        {
            "model": Column("method"),
            "products": Column("products", count),
            "error": Column("error", "{:,.1f}"),
            "naive_error": Column("naive's", "{:,.1f}"),
            "improvement": Column("better", share),
        },
    )
    print_table(
        "What people say, least happy first",
        found.sentiment,
        {
            "name": Column("product"),
            "texts": Column("texts", count),
            "negative": Column("negative", share),
            "positive": Column("positive", share),
        },
    )
    print_table(
        "Rejected",
        found.rejections,
        {
            "source": Column("source"),
            "reason": Column("reason"),
            "rows": Column("rows", count),
        },
    )
