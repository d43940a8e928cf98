"""Commands that show what is in a lake."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpu_pipeline.cli.options import JsonOption, LakeOption, config_of, open_lake

if TYPE_CHECKING:
    from gpu_pipeline.models import ModelCard

__all__ = ["answers", "history", "models", "report", "status"]

_LARGE = 1000  # from here on a number has no places behind the point
_OF_A_TRIAL = {
    "trial.churn.served.area_under_curve": "churn AUC",
    "trial.churn.served.calibration_error": "churn calibration error",
    "trial.value.model.top_decile_share": "share of value in the top tenth",
}


def answers(lake: LakeOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what the last run found: segments, forecasts, sentiment, what was rejected."""
    from gpu_pipeline.report import answers as find
    from gpu_pipeline.summary import as_records, show_answers
    from gpu_pipeline.terminal import print_json

    found = find(open_lake(config_of(lake=lake)))
    if as_json:
        print_json(as_records(found))
    else:
        show_answers(found)


def report(
    page: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("report.html"),
    lake: LakeOption = None,
) -> None:
    """Write the answers of the last run as one HTML page that needs no network."""
    from gpu_pipeline.report import answers as find
    from gpu_pipeline.report import write_report
    from gpu_pipeline.terminal import note

    target = open_lake(config_of(lake=lake))
    note(str(write_report(target, page, answers=find(target))))


def status(lake: LakeOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show the tables of the lake: version, rows, latest event."""
    import pandas as pd

    from gpu_pipeline.terminal import Column, note, print_json, print_table

    target = open_lake(config_of(lake=lake))
    rows = [
        {
            "table": name,
            "version": target.version(name),
            "rows": target.rows(name),
            "latest": target.latest(name),
        }
        for name in target.tables()
    ]
    if as_json:
        print_json({"lake": target.path, "device": target.backend.reason, "tables": rows})
        return
    note(f"{target.path} on {target.backend.reason}")
    print_table(
        "Tables",
        pd.DataFrame(rows),
        {
            "table": Column("table"),
            "version": Column("version", "{:d}"),
            "rows": Column("rows", "{:,d}"),
            "latest": Column("latest event (UTC)", "{:%Y-%m-%d %H:%M}"),
        },
    )


def history(
    table: Annotated[str, typer.Argument(help="Name of the table.")],
    lake: LakeOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Show the versions of a table, newest first."""
    import pandas as pd

    from gpu_pipeline.terminal import Column, print_json, print_table

    versions = open_lake(config_of(lake=lake)).history(table)
    if as_json:
        print_json(versions)
        return
    names = ("version", "at", "operation", "rows", "run")
    said = [{name: entry.get(name) for name in names} for entry in versions]
    shown = pd.DataFrame(said, dtype=object)  # whole numbers stay whole beside what is missing
    columns = {
        "version": Column("version", "{:d}"),
        "at": Column("committed (UTC)", "{:%Y-%m-%d %H:%M:%S}"),
        "operation": Column("operation"),
        "rows": Column("rows then", "{:,d}"),
        "run": Column("run"),
    }
    print_table(f"History of {table}", shown, columns)


def models(lake: LakeOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show the models that were fitted: what they were made from, and which are in use."""
    from dataclasses import asdict

    import pandas as pd

    from gpu_pipeline.models import ModelRegistry
    from gpu_pipeline.terminal import Column, print_json, print_table

    target = open_lake(config_of(lake=lake))
    cards = ModelRegistry(target.path / "models").cards()
    used = {target.note(table).get("model") for table in target.tables()}
    if as_json:
        print_json([{**asdict(card), "is_in_use": card.model_id in used} for card in cards])
        return
    rows = [
        {
            "kind": card.kind,
            "model": card.model_id,
            "as_of": card.as_of[:16],
            "state": _state(card, is_in_use=card.model_id in used),
            "metrics": _measured(card.metrics),
        }
        for card in cards
    ]
    columns = {
        "kind": Column("kind"),
        "model": Column("model"),
        "as_of": Column("as of"),
        "state": Column("state"),
        "metrics": Column("metrics"),
    }
    print_table("Models", pd.DataFrame(rows, columns=list(columns)), columns)


def _state(card: "ModelCard", *, is_in_use: bool) -> str:
    """Whether a table names the model, did before, or never."""
    if not card.is_published:
        return f"not taken: {'; '.join(card.reasons)}"
    return "in use" if is_in_use else "before"


def _measured(metrics: Mapping[str, Any]) -> str:
    """The numbers of a card in one line; of a trial on later days, those that say the most."""
    told = [(name.replace("_", " "), value) for name, value in metrics.items()]
    for path, name in _OF_A_TRIAL.items():
        value: Any = metrics
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        told.append((name, value))
    numbers = [
        f"{name} {_short(value)}"
        for name, value in told
        if isinstance(value, float | int) and not isinstance(value, bool)
    ]
    return "; ".join([", ".join(numbers), *metrics.get("notes", ())])


def _short(value: float) -> str:
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= _LARGE else f"{value:.3g}"
