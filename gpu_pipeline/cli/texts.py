"""Commands for the sentiment of texts in files."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["score"]

_WHY = {"language": "in a language that the model doesn't know", "empty": "without words"}


def score(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    model: Annotated[Path | None, typer.Option("--model", help="A model folder.")] = None,
    aspects: Annotated[  # noqa: FBT002
        bool, typer.Option("--aspects", help="Also how each sounds about battery, price, …")
    ] = False,
) -> None:
    """Add the sentiment of a column of texts to any file."""
    from gpu_pipeline.scoring import score_file
    from gpu_pipeline.terminal import note, progress

    with progress() as show:
        show("score", "started")
        done = score_file(
            file, text, output, model=model, aspects=aspects, progress=partial(show, "score")
        )
        show("score", "done")
    note(f"{output}: {done.rows:,} rows{_left_out(done.without_label)}")


def _left_out(without: Mapping[str, int]) -> str:
    """How many rows got no label, and why."""
    if not without:
        return ""
    whys = ", ".join(f"{count:,} {_WHY[reason]}" for reason, count in without.items())
    return f", of which without a label: {whys}"
