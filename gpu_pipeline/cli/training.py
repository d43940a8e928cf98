"""Commands that train models of texts: their sentiment, and what messages to support want."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train", "train_intents"]


def train(
    output: Annotated[Path, typer.Option("--output", help="Folder of the new model.")],
    file: Annotated[
        Path | None, typer.Argument(help="Labelled texts of your own: Parquet, CSV or JSONL.")
    ] = None,
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")] = "text",
    label: Annotated[
        str, typer.Option("--label", help="0, 1, 2 or negative, neutral, positive.")
    ] = "label",
    about: Annotated[
        str | None, typer.Option("--about", help="The column with the aspect that is judged.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Labelled texts to measure it on.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Instead of FILE: the folder of a recipe's files.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="YAML; else the bundled model's own.")
    ] = None,
    permissive: Annotated[  # noqa: FBT002
        bool, typer.Option("--permissive", help="Only the recipe's sources that allow any use.")
    ] = False,
    start: Annotated[
        str | None, typer.Option("--from", help="bundled, encoder, or the folder of a model.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Else 4, or 3 from a trained model.")
    ] = None,
    members: Annotated[int, typer.Option(min=1, help="Models whose weights are averaged.")] = 2,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Else 1e-4, or 5e-5 from a trained model.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
) -> None:
    """Train a sentiment model on labelled texts of your own, or as the bundled one was."""
    from gpu_pipeline.terminal import print_json, progress
    from gpu_pipeline.text_training.recipe import Recipe
    from gpu_pipeline.text_training.training import (
        own_set,
        recipe_set,
        start_folder,
        train_model,
    )
    from nlp.training import TrainingPlan

    if (file is None) == (data is None):
        message = "Give a labelled file, or --data with the folder of a recipe's files."
        raise typer.BadParameter(message)
    if file is not None and (recipe is not None or permissive):
        message = "--recipe and --permissive choose among the files of --data."
        raise typer.BadParameter(message)
    begin = start or ("bundled" if file is not None else "encoder")
    rate, passes = (1e-4, 4) if begin == "encoder" else (5e-5, 3)
    plan = TrainingPlan(
        seed=seed,
        members=members,
        epochs=epochs or passes,
        learning_rate=learning_rate or rate,
    )
    with progress() as show:
        show("train", "started")
        if file is not None:
            found, facts = own_set(
                file, text=text, label=label, about=about, validation=validation, seed=seed
            )
        else:
            chosen = Recipe.load(recipe)
            chosen = chosen.permissive() if permissive else chosen
            found, facts = recipe_set(chosen, data or Path(), seed=seed)
        quality = train_model(
            found,
            output,
            start=start_folder(begin),
            plan=plan,
            facts=facts,
            device=device,
            progress=lambda done, of, loss: show("train", f"{done:,} of {of:,}, loss {loss:.3f}"),
        )
        show("train", "done")
    print_json({"model": str(output), **quality})


def train_intents(
    file: Annotated[Path, typer.Argument(help="Labelled messages: Parquet, CSV or JSONL.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the new model.")],
    text: Annotated[str, typer.Option("--text", help="The column with the messages.")] = "text",
    label: Annotated[
        str, typer.Option("--label", help="The column with what each of them wants.")
    ] = "label",
    seed: Annotated[int, typer.Option(min=0, help="Draws the tenth that is measured on.")] = 0,
) -> None:
    """Train a model of what support messages want, on intents of your own."""
    from gpu_pipeline.terminal import print_json, progress
    from gpu_pipeline.text_training.intents import train_own_intents

    with progress() as show:
        show("train-intents", "started")
        quality = train_own_intents(file, output, text=text, label=label, seed=seed)
        show("train-intents", "done")
    print_json({"model": str(output), **quality})
