"""Sentiment of any file, and a sentiment model from any labelled file."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import COMPRESSIONS, Dialect, column_names, read_blocks
from nlp import SentimentModel
from nlp.training import Evaluation, TrainingPlan, encoder_folder, evaluate
from nlp.training import train as train_model

__all__ = ["score_file", "train_file"]

_DIALECT = Dialect()
Write = Callable[[pa.Table], None]


def score_file(source: Path, text: str, output: Path, *, model: Path | None = None) -> int:
    """Writes the rows of `source` with negative, neutral, positive and label; returns how many.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. The
    output appears whole or not at all; rows are read and written in blocks.

    Raises:
        IngestError: the source can't be read or has broken rows, has no such column, or has
            one that would be written; the output's folder or kind is not there.
    """
    open_sink = _sink(output)
    _check(source, text, output)
    scorer = SentimentModel.load(model)
    rows = 0
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with open_sink(unfinished) as write:
            for block in read_blocks(source, _DIALECT):
                if block.broken:
                    first = block.broken[0]
                    message = f"{source}, record {first.line}: {first.reason}. Mend it first."
                    raise IngestError(message)
                write(_scored(block.table, text, scorer))
                rows += len(block.table)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


def _check(source: Path, text: str, output: Path) -> None:
    """Refuses what can't be scored or written, before a model is loaded for it."""
    names = column_names(source, _DIALECT)
    if text not in names:
        message = f"{source} has no column {text!r}; it has {', '.join(names)}."
        raise IngestError(message)
    taken = [name for name in (*SentimentModel.labels, "label") if name in names]
    if taken:
        message = f"{source} has {', '.join(taken)} already: rename before scoring."
        raise IngestError(message)
    if not output.parent.is_dir():
        message = f"Can't write {output}: {output.parent} is no folder."
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


@contextmanager
def _arrow_file(
    path: Path, compression: str | None, *, writer: Callable[..., Any]
) -> Iterator[Write]:
    """Tables as one file of Arrow's; its columns are those of the first table."""
    with ExitStack() as stack:
        stream = stack.enter_context(pa.output_stream(str(path), compression=compression))
        opened: list[Any] = []
        schemas: list[pa.Schema] = []

        def write(table: pa.Table) -> None:
            if not opened:
                opened.append(stack.enter_context(writer(stream, table.schema)))
                schemas.append(table.schema)
            opened[0].write_table(table.cast(schemas[0]))

        yield write


@contextmanager
def _json_lines(path: Path, compression: str | None) -> Iterator[Write]:
    with pa.output_stream(str(path), compression=compression) as stream:

        def write(table: pa.Table) -> None:
            for row in table.to_pylist():
                line = json.dumps(row, ensure_ascii=False, default=str)
                stream.write(f"{line}\n".encode())

        yield write


_SINKS: dict[str, Callable[..., AbstractContextManager[Write]]] = {
    ".csv": partial(_arrow_file, writer=pc.CSVWriter),
    ".jsonl": _json_lines,
    ".parquet": partial(_arrow_file, writer=pq.ParquetWriter),
}


def _sink(output: Path) -> Callable[[Path], AbstractContextManager[Write]]:
    compression = COMPRESSIONS.get(output.suffix.lower())
    kind = (Path(output.stem).suffix if compression else output.suffix).lower()
    if kind not in _SINKS or (compression and kind == ".parquet"):
        message = f"{output} is none of .csv, .jsonl (optionally .gz or .zst), .parquet."
        raise IngestError(message)
    return lambda path: _SINKS[kind](path, compression)
