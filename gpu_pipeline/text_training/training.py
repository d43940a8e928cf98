"""A sentiment model from a recipe or from one labelled file, with its card."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu_pipeline.errors import IngestError
from gpu_pipeline.text_training.labelled import label_codes, read_columns
from gpu_pipeline.text_training.recipe import Recipe, TrainingSet
from nlp import SentimentModel
from nlp.behaviour import behaviour
from nlp.model import BUNDLED, LABELS
from nlp.training import Progress, Source, TrainingPlan, encoder_folder, evaluate, train

__all__ = ["own_set", "recipe_set", "start_folder", "train_model"]

_HELD_OUT = 0.1
_NAMES = {**{str(i): label for i, label in enumerate(LABELS)}, **{label: label for label in LABELS}}


def start_folder(start: str) -> Path:
    """What training starts from: the bundled model, the plain encoder, or a model's folder.

    Raises:
        ModelError: the encoder is not installed.
    """
    if start == "bundled":
        return BUNDLED
    return encoder_folder() if start == "encoder" else Path(start)


def recipe_set(recipe: Recipe, folder: Path, *, seed: int) -> tuple[TrainingSet, dict[str, Any]]:
    """The recipe's sources in the folder, and what a card says of them."""
    found = recipe.read(folder, seed=seed)
    names = [source.name for source in recipe.sources]
    rows = [len(source.texts) for source in found.learnt]
    return found, {
        "learnt_from": [
            {"name": name, "licence": source.licence, "rows": count, "share": source.shares}
            for name, source, count in zip(names, recipe.sources, rows, strict=True)
        ]
    }


def own_set(
    path: Path,
    *,
    text: str,
    label: str,
    about: str | None = None,
    validation: Path | None = None,
    seed: int,
) -> tuple[TrainingSet, dict[str, Any]]:
    """A labelled file's texts; a tenth is held out where there is no file to validate on.

    Raises:
        IngestError: a file can't be read, or lacks a column, or has labels that are none.
    """
    source = _labelled(path, text, label, about)
    measured = [] if validation is None else [_labelled(validation, text, label, about)]
    held, rest = source.split(_HELD_OUT, seed)
    held_out = [] if held is None else [held]
    copies = frozenset(key for each in (*measured, *held_out) for key in each.copy_keys())
    found = TrainingSet([rest.without(copies)], held_out, measured)
    return found, {"learnt_from": [{"name": path.name, "rows": len(found.learnt[0].texts)}]}


def train_model(
    data: TrainingSet,
    output: Path,
    *,
    start: Path,
    plan: TrainingPlan,
    facts: dict[str, Any],
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains, saves the model with its card to `output`, and returns what the card says of it.

    The unfinished state lies beside the output and goes when it is there; a training that was
    cut off goes on from it. What is measured is the model as it is loaded again.

    Raises:
        ModelError: the start lacks weights.
    """
    work = output.with_name(f"{output.name}.unfinished")
    side_by_side = 1 if "cuda" in device else min(plan.members, len(os.sched_getaffinity(0)))
    model = train(
        data.learnt,
        encoder=start,
        plan=plan,
        calibrate_on=data.held_out,
        device=device,
        work=work,
        processes=side_by_side,
        progress=progress,
    )
    model.save(output, **facts)
    saved = SentimentModel.load(output, "cuda" if "cuda" in device else "cpu")
    measured = {
        "evaluation": {s.name: _measured(saved, s) for s in (*data.measured, *data.held_out)},
        "behaviour": [row._asdict() for row in behaviour(saved.score, plan.seed)],
    }
    model.save(output, **facts, **measured)
    shutil.rmtree(work, ignore_errors=True)
    return {"rows": model.card["rows"], **measured}


def _measured(model: SentimentModel, source: Source) -> dict[str, float]:
    found = asdict(evaluate(model, source.texts, source.labels, source.about))
    return {name: round(value, 4) for name, value in found.items() if value == value}


def _labelled(path: Path, text: str, label: str, about: str | None) -> Source:
    columns = list(dict.fromkeys([text, label, *([about] if about is not None else [])]))
    frame = read_columns(path, columns).dropna(subset=[text, label]).reset_index(drop=True)
    codes = label_codes(frame[label], _NAMES, None)
    wrong = frame[label][codes < 0]
    if len(wrong):
        message = (
            f"{path}: {len(wrong)} labels are none of {', '.join(_NAMES)}; "
            f"the first is {wrong.iloc[0]!r}."
        )
        raise IngestError(message)
    targets = None
    if about is not None:
        targets = [None if a is None or a != a else str(a) for a in frame[about]]
    return Source(name=path.name, texts=frame[text].tolist(), labels=codes, about=targets)
