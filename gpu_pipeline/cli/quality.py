"""The command that shows what was checked, how it came out, and what has drifted."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gpu_pipeline.cli.options import JsonOption, LakeOption, config_of, open_lake

__all__ = ["quality"]


def quality(
    table: Annotated[str | None, typer.Argument(help="One table alone.")] = None,
    lake: LakeOption = None,
    history: Annotated[  # noqa: FBT002
        bool, typer.Option("--history", help="Every load and run instead of the last.")
    ] = False,
    drift: Annotated[  # noqa: FBT002
        bool, typer.Option("--drift", help="How the columns of TABLE differ from a baseline.")
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(help="For --drift: a version of the table, or a moment such as 2026-03-01."),
    ] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Show what was checked in files and tables, what failed first; or drift since a baseline."""
    from dataclasses import asdict

    from gpu_pipeline.contracts import contract
    from gpu_pipeline.quality.baseline import drift_since
    from gpu_pipeline.quality.results import by_run, latest, results
    from gpu_pipeline.summary import frame_records, show_drift, show_measured, show_verdicts
    from gpu_pipeline.terminal import print_json

    if drift != (baseline is not None) or (drift and table is None):
        message = "--drift wants a TABLE and a --baseline, and --baseline wants --drift"
        raise typer.BadParameter(message)
    target = open_lake(config_of(lake=lake))
    if table is not None and baseline is not None:
        compared = drift_since(target, table, _baseline(baseline))
        if as_json:
            print_json([asdict(one) for one in compared])
        else:
            show_drift(table, baseline, compared)
        return
    if table is not None:
        contract(table)  # raises for a name that no table has
    found = results(target, table=table)
    shown = by_run(found) if history else latest(found)
    if as_json:
        print_json(frame_records(shown))
    elif history:
        show_measured(shown)
    else:
        show_verdicts(shown, everything=table is not None)


def _baseline(text: str) -> int | datetime:
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is neither a version, such as 3, nor a moment, such as 2026-03-01"
        raise typer.BadParameter(message, param_hint="--baseline") from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
