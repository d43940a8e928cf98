"""What reports look like in a terminal: loads, runs and answers as tables."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from gpu_pipeline.governance import RotationReport
from gpu_pipeline.ingest import Example, IngestReport, Preview
from gpu_pipeline.money import MINOR_DIGITS, USUAL_DIGITS
from gpu_pipeline.pipeline import RunReport
from gpu_pipeline.quality.drift import Comparison
from gpu_pipeline.report import Answers
from gpu_pipeline.store import Compaction
from gpu_pipeline.terminal import Column, note, print_table

__all__ = [
    "as_records",
    "frame_records",
    "show_answers",
    "show_compaction",
    "show_drift",
    "show_loads",
    "show_measured",
    "show_preview",
    "show_rotation",
    "show_run",
    "show_verdicts",
]


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
    for file in report.files:
        if file.redacted is not None and not file.loaded_before:
            note(f"{file.name}: taken out of its texts: {file.redacted}")
    if report.ignored:
        note(f"Not loaded, no feed takes them: {', '.join(report.ignored)}")


def show_preview(preview: Preview) -> None:
    """How a file is read, what feeds which column, rows before and after, and who is rejected."""
    note(f"\n{preview.name} -> {preview.contract}")
    note(", ".join(f"{what} {how!r}" for what, how in preview.written.items() if how))
    note(f"{preview.accepted:,} rows would be accepted, {preview.rejected:,} rejected")
    sources = {fed.column: fed.source for fed in preview.columns}
    table = pd.DataFrame({"column": list(sources), "source": list(sources.values())})
    print_table(
        "What feeds the columns", table, {"column": Column("column"), "source": Column("from")}
    )
    if preview.unused:
        note(f"Columns of the file that feed nothing: {', '.join(preview.unused)}")
    for example in preview.examples:
        _show_example(example)
    for title, found in (("Rejected", preview.reasons), ("Warned", preview.warnings)):
        if found:
            why = pd.DataFrame(list(found.items()), columns=["reason", "rows"])
            print_table(title, why, {"reason": Column("reason"), "rows": Column("rows", "{:,d}")})


def _show_example(example: Example) -> None:
    state = f"rejected, {example.reasons}" if example.reasons else "accepted"
    if not example.before:
        note(f"Row {example.line}: {state}")
        return
    rows = [
        {"column": name, "before": example.before.get(name), "after": example.after.get(name)}
        for name in dict.fromkeys([*example.before, *example.after])
    ]
    shown = pd.DataFrame(rows, columns=["column", "before", "after"], dtype=object)
    columns = {"column": Column("column"), "before": Column("in the file"), "after": Column("made")}
    print_table(
        f"Row {example.line}: {state}", shown.dropna(subset=["before", "after"], how="all"), columns
    )


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
    for step in report.steps:
        if step.facts.get("without_rate"):
            note(
                f"{step.name}: order lines in no amount of {step.facts['currency']}: "
                f"{step.facts['without_rate']:,}. fx_rates has nothing for their currency, on "
                "their day or in the week before."
            )


def as_records(found: Answers) -> dict[str, Any]:
    """The answers as plain lists and dicts; nulls where a frame has none."""
    plain = {}
    for name, value in vars(found).items():
        is_frame = isinstance(value, pd.DataFrame)
        plain[name] = frame_records(value) if is_frame else value
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
            "customers": Column("customers", count),
            "expected_value": Column("each", money),
            "value_share": Column("of all", share),
            "churning_share": Column("likely to buy nothing", share),
        },
    )
    print_table(
        "Who is in another segment than before",
        found.moves,
        {
            "from_name": Column("from"),
            "to_name": Column("to"),
            "customers": Column("customers", count),
            "share_of_from": Column("of those", share),
        },
    )
    print_table(
        "Visits of the last 28 days, those of machines left out",
        found.visits,
        {
            "channel": Column("channel"),
            "sessions": Column("visits", count),
            "pages_per_session": Column("pages each", "{:.1f}"),
            "cart_abandonment_rate": Column("carts left", share),
            "conversion_rate": Column("bought", share),
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
        "What comes back more than its category, beyond chance",
        found.returns,
        {
            "name": Column("product"),
            "category": Column("category"),
            "units_sold_last_13_weeks": Column("sold in 13 weeks", count),
            "return_rate": Column("sent back", share),
            "category_return_rate": Column("its category", share),
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


def frame_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain dicts: nulls where there is nothing, times as ISO 8601."""
    records: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso"))
    return records


def show_verdicts(found: pd.DataFrame, *, everything: bool) -> None:
    """What was checked last and how it came out; only what did not pass, unless `everything`."""
    if not len(found):
        note("Nothing was checked yet: `gpu-pipeline ingest` and `gpu-pipeline run` do.")
        return
    passed = int((found["verdict"] == "passed").sum())
    shown = found if everything else found[found["verdict"] != "passed"]
    share = (found["failed"] / found["rows"].where(found["rows"] > 0)).reindex(shown.index)
    print_table(
        "Checked" if everything else "Checked, and not passed",
        shown.assign(share=share),
        {
            "verdict": Column("verdict"),
            "contract": Column("table"),
            "rule": Column("rule"),
            "failed": Column("failed", "{:,d}"),
            "rows": Column("of", "{:,d}"),
            "share": Column("share", "{:.3%}"),
            "evidence": Column("evidence"),
        },
    )
    note(f"{passed:,} of {len(found):,} rules passed.")


def show_measured(found: pd.DataFrame) -> None:
    """How each file and table came out of each load and run."""
    print_table(
        "Checks, newest first",
        found,
        {
            "checked_as_of": Column("as of (UTC)", "{:%Y-%m-%d %H:%M}"),
            "contract": Column("table"),
            "subject": Column("checked"),
            "subject_name": Column("name"),
            "verdict": Column("verdict"),
            "rules": Column("rules", "{:,d}"),
            "broken": Column("broken", "{:,d}"),
            "failed": Column("rows, at most", "{:,d}"),
        },
    )


def show_drift(table: str, baseline: str, compared: Sequence[Comparison]) -> None:
    """Each column of a table beside its baseline, the drifted ones first."""
    rows = pd.DataFrame([asdict(one) for one in compared])
    print_table(
        f"Drift of {table} since {baseline}",
        rows.assign(verdict=["drifted" if drifted else "as before" for drifted in rows["drifted"]]),
        {
            "column": Column("column"),
            "kind": Column("compared as"),
            "verdict": Column("verdict"),
            "distance": Column("distance", "{:.3f}"),
            "p_value": Column("p", "{:.2g}"),
            "psi": Column("PSI", "{:.3f}"),
            "rows_before": Column("rows before", "{:,d}"),
            "rows_now": Column("since", "{:,d}"),
        },
    )


def show_compaction(done: Sequence[Compaction]) -> None:
    """What became of the files of each table."""
    count = "{:,d}"
    print_table(
        "Compacted",
        pd.DataFrame([asdict(one) for one in done]),
        {
            "table": Column("table"),
            "version": Column("version", "{:d}"),
            "files_before": Column("files before", count),
            "files_after": Column("files now", count),
            "rows": Column("rows rewritten", count),
            "removed": Column("old files removed", count),
        },
    )


def show_rotation(report: RotationReport) -> None:
    """Which tables have new pseudonyms, and what is served now."""
    tables = pd.DataFrame(report.tables.items(), columns=["table", "rows"])
    columns = {"table": Column("table"), "rows": Column("rows", "{:,d}")}
    print_table("Made anew with the new key", tables, columns)
    note(f"The lake has {report.keys} keys now; lookups by raw id need them all.")
    if report.snapshot is not None:
        note(f"Published again as snapshot {report.snapshot}; the next run makes answers anew.")
