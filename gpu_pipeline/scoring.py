"""Sentiment of any file, and a sentiment model from any labelled file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import Dialect, plain_names, read_blocks, whole_rows
from gpu_pipeline.ingest.writing import check_output, written_file
from nlp import SentimentModel
from nlp.training import Evaluation, TrainingPlan, encoder_folder, evaluate
from nlp.training import train as train_model

__all__ = ["score_file", "train_file"]

_DIALECT = Dialect()


def score_file(source: Path, text: str, output: Path, *, model: Path | None = None) -> int:
    """Writes the rows of `source` with negative, neutral, positive and label; returns how many.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. The
    output appears whole or not at all; rows are read and written in blocks.

    Raises:
        IngestError: the source can't be read or has broken rows, has no such column, or has
            one that would be written; the output's folder or kind is not there.
    """
    check_output(output)
    _check(source, text)
    scorer = SentimentModel.load(model)
    rows = 0
    with written_file(output) as write:
        for table in whole_rows(source, _DIALECT):
            write(_scored(table, text, scorer))
            rows += len(table)
    return rows


def _check(source: Path, text: str) -> None:
    """Refuses what can't be scored, before a model is loaded for it."""
    names = plain_names(source)
    if text not in names:
        message = f"{source} has no column {text!r}; it has {', '.join(names)}."
        raise IngestError(message)
    taken = [name for name in (*SentimentModel.labels, "label") if name in names]
    if taken:
        message = f"{source} has {', '.join(taken)} already: rename before scoring."
        raise IngestError(message)


def train_file(
    source: Path,
    output: Path,
    *,
    text: str,
    label: str,
    validation: Path | None,
    epochs: int,
    seed: int,
) -> dict[str, Any]:
    """Fine-tunes the encoder on a labelled file, saves the model, returns how good it is.

    Raises:
        IngestError: a file can't be read, or has no such column, or labels other than 0, 1, 2.
        ModelError: the encoder is not installed.
    """
    texts, labels = _labelled(source, text, label)
    held = _labelled(validation, text, label) if validation is not None else None
    plan = TrainingPlan(epochs=epochs, seed=seed)
    model = train_model(texts, labels, encoder=encoder_folder(), plan=plan)
    quality: Evaluation | None = evaluate(model, *held) if held is not None else None
    facts = {"evaluation": asdict(quality)} if quality is not None else {}
    model.save(output, **facts)
    return {"rows": len(texts), **facts}


def _labelled(path: Path, text: str, label: str) -> tuple[list[str], list[int]]:
    tables = [block.table for block in read_blocks(path, _DIALECT) if len(block.table)]
    for name in (text, label):
        if not tables or name not in tables[0].column_names:
            names = ", ".join(tables[0].column_names) if tables else "no rows"
            message = f"{path} has no column {name!r}; it has {names}."
            raise IngestError(message)
    frame = pa.concat_tables(tables).select([text, label]).to_pandas().dropna()
    labels = pd.to_numeric(frame[label], errors="coerce")
    wrong = frame[label][~labels.isin([0, 1, 2])]
    if len(wrong):
        message = f"{path}: {len(wrong)} labels are not 0, 1 or 2, the first is {wrong.iloc[0]!r}."
        raise IngestError(message)
    return frame[text].tolist(), labels.astype(int).tolist()


def _scored(table: pa.Table, text: str, scorer: SentimentModel) -> pa.Table:
    scores = scorer.score(table[text].cast(pa.string()).to_pylist())
    for i, name in enumerate(scorer.labels):
        table = table.append_column(name, pa.array(scores[:, i].astype(np.float64)))
    labels = [scorer.labels[i] for i in scores.argmax(axis=1)]
    return table.append_column("label", pa.array(labels, pa.string()))
