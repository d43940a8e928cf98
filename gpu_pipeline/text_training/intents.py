"""An intent model from a file of labelled messages."""

from pathlib import Path
from typing import Any

from gpu_pipeline.errors import IngestError
from gpu_pipeline.text_training.labelled import read_columns
from nlp.errors import ModelError
from nlp.intents import IntentModel
from nlp.training.intents import IntentPlan, train_intents

__all__ = ["train_own_intents"]


def train_own_intents(
    path: Path, output: Path, *, text: str, label: str, seed: int
) -> dict[str, Any]:
    """Fits a model to a file's messages, saves it to `output`, and returns what its card says.

    A tenth of the messages is held out and measured on: `rows`, `accuracy`, `macro_f1`, and
    `intents` with rows, precision, recall and F1 of each. Rows without text or label are left out.

    Raises:
        IngestError: the file can't be read, or lacks a column.
        ModelError: an intent has too few messages, or `output` holds something else.
    """
    _check_output(output)
    frame = read_columns(path, list(dict.fromkeys([text, label])))
    texts, labels = (frame[name].fillna("").astype(str).str.strip() for name in (text, label))
    present = (texts != "") & (labels != "")
    if not present.any():
        message = f"{path}: no row has both {text!r} and {label!r}."
        raise IngestError(message)
    plan = IntentPlan(seed=seed, held_out_share=0.1)
    model = train_intents(texts[present].tolist(), labels[present].tolist(), plan)
    learnt_from = [{"name": path.name, "rows": int(present.sum())}]
    model.save(output, seed=seed, learnt_from=learnt_from)
    return dict(model.card["held_out"])


def _check_output(output: Path) -> None:
    """Refuses to write among files that are no intent model's."""
    if output.is_dir() and any(output.iterdir()):
        try:
            IntentModel.load(output)
        except ModelError as error:
            message = f"{output} holds something else than an intent model: give another folder."
            raise ModelError(message) from error
