"""Commands for the sentiment of texts in files."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["score", "train"]


def score(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    model: Annotated[Path | None, typer.Option("--model", help="A model folder.")] = None,
) -> None:
    """Add the sentiment of a column of texts to any file."""
    from gpu_pipeline.scoring import score_file
    from gpu_pipeline.terminal import note, progress

    with progress() as show:
        show("score", "started")
        rows = score_file(file, text, output, model=model)
        show("score", "done")
    note(f"{output}: {rows:,} rows")


def train(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV with texts and labels.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the new model.")],
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")] = "text",
    label: Annotated[
        str, typer.Option("--label", help="0 negative, 1 neutral, 2 positive.")
    ] = "label",
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Labelled texts to measure it on.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Fine-tune the MiniLM encoder on labelled texts (`make encoder` installs it)."""
    from gpu_pipeline.scoring import train_file
    from gpu_pipeline.terminal import print_json, progress

    with progress() as show:
        show("train", "started")
        facts = train_file(
            file, output, text=text, label=label, validation=validation, epochs=epochs, seed=seed
        )
        show("train", "done")
    print_json({"model": str(output), **facts})
