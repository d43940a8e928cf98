"""What was done to a lake: runs, merged files, keys that were exchanged."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from gpu_pipeline.governance import RotationReport
from gpu_pipeline.pipeline import RunReport, StepReport
from gpu_pipeline.store import Compaction
from gpu_pipeline.terminal import Column, note, print_table

__all__ = ["show_compaction", "show_rotation", "show_run"]


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
        for said in _said_of_model(step):
            note(f"{step.name}: {said}")


def _said_of_model(step: StepReport) -> list[str]:
    """What became of a step's model, where it is not simply the new one."""
    said = [str(one) for one in step.facts.get("notes", ())]
    why, kept = step.facts.get("why"), step.facts.get("kept")
    if why and kept:
        said.append(f"the model of run {kept} stays: {why}")
    elif why:
        said.append(f"there is no model yet: {why}")
    if why and step.name == "segments":
        said.append("to take the new one all the same: `gpu-pipeline run --new-segments`")
    said.extend(
        f"segment {one['segment']}, {one['before']!r} before, is called {one['after']!r} now"
        for one in step.facts.get("renamed", ())
    )
    return said


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
