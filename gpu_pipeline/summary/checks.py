"""What was checked: verdicts, measures, drift."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from gpu_pipeline.quality.drift import Comparison
from gpu_pipeline.terminal import Column, note, print_table

__all__ = ["show_drift", "show_measured", "show_verdicts"]


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
