"""What became of files: loads, and what a file would become."""

from dataclasses import asdict

import pandas as pd

from gpu_pipeline.ingest import Example, IngestReport, Preview
from gpu_pipeline.terminal import Column, note, print_table

__all__ = ["show_loads", "show_preview"]


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
