"""Pieces of what people wrote: which texts of a bucket have no score yet, and their scores.

A piece is some months of a bucket. The texts of a month lie in the same month of every table, so
a piece is read, scored and written by itself.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.pipeline import Work
from gpu_pipeline.store import Condition, Part
from nlp.intents import IntentModel
from nlp.model import Device
from nlp.reading import AspectReading, Reader, Reading

__all__ = ["SOURCES", "Piece", "Scored", "Task", "Unscored", "scored", "unscored"]

SOURCES = ("reviews", "feedback", "social", "support")
_IDS = ["source", "text_id"]
_MONTH = "datetime64[M]"
_TYPES = {"string": "str", "float64": "float64"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """How texts are scored: by the reader of that version, `everything` or what has no score.

    `intents` is the version of the model that names what messages want. About `texts_at_once`
    texts make a piece.
    """

    version: str
    intents: str
    everything: bool
    texts_at_once: int


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The months of a bucket from the first to the last, and how many texts are to be scored."""

    bucket: int
    first: np.datetime64
    last: np.datetime64
    texts: int

    @property
    def months(self) -> set[str]:
        """Their names, as tables have them."""
        return {str(month) for month in np.arange(self.first, self.last + 1)}

    def conditions(self, time: str, as_of: np.datetime64) -> list[Condition]:
        """What the event times of its rows fulfil."""
        return [
            (time, ">=", self.first.astype("datetime64[us]")),
            (time, "<", (self.last + 1).astype("datetime64[us]")),
            (time, "<=", as_of),
        ]


@dataclass(frozen=True, kw_only=True)
class Unscored:
    """What of a bucket is to be scored; and of the scores that stay, how many each version made."""

    pieces: Sequence[Piece]
    versions: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A piece's parts, not yet committed, and how many texts have no label, by the reason."""

    piece: Piece
    sentiment: Sequence[Part]
    aspects: Sequence[Part]
    without_label: Counter[str]


def unscored(work: Work, bucket: int, task: Task) -> Unscored:
    """The pieces that a bucket's texts without a score fall into; of `everything`, all months."""
    as_of = np.datetime64(work.as_of, "us")
    texts = [
        _new(work, source, bucket, [(_time(source), "<=", as_of)], task)
        for source in SOURCES
        if work.has(source)
    ]
    times = np.concatenate([some["created_at"].to_numpy() for some in texts])
    months, counts = np.unique(times.astype(_MONTH), return_counts=True)
    found = dict(zip(months, counts.tolist(), strict=True))
    if task.everything:
        # What is no text any more has no score any more.
        found |= {month: found.get(month, 0) for month in _months_scored(work, bucket)}
    versions = {} if task.everything else _versions(work, bucket)
    return Unscored(pieces=list(_pieces(bucket, found, task.texts_at_once)), versions=versions)


def scored(work: Work, piece: Piece, task: Task) -> Scored:
    """The piece's texts with their scores, written in one file a month for all sources."""
    as_of = np.datetime64(work.as_of, "us")
    texts = pd.concat(
        [
            _new(work, source, piece.bucket, piece.conditions(_time(source), as_of), task, "text")
            for source in SOURCES
            if work.has(source)
        ],
        ignore_index=True,
    )
    readings, found = _read(work, texts["text"].tolist(), task)
    said = _with_intents(
        pd.concat([texts, pd.DataFrame(readings, columns=Reading._fields)], axis=1),
        _intents(work.config.intent_model, task.intents),
    )
    rows = said.drop(columns="text").assign(model_version=task.version)
    texts = texts.drop(columns="text").assign(model_version=task.version)
    aspects = pd.DataFrame(found, columns=AspectReading._fields)
    about = texts.iloc[aspects["text"].astype("int64")].reset_index(drop=True)
    about = pd.concat([about, aspects.drop(columns="text")], axis=1)
    return Scored(
        piece=piece,
        sentiment=_written(work, "text_sentiment", rows, piece),
        aspects=_written(work, "text_aspects", _without_known(work, about, piece, task), piece),
        without_label=Counter(rows["unscored"].dropna()),
    )


def _written(work: Work, name: str, rows: pd.DataFrame, piece: Piece) -> list[Part]:
    table, backend = contract(name), work.lake.backend
    # A column of nulls alone has no type of its own.
    types = {n: _TYPES[table[n].type] for n in table.names if table[n].type in _TYPES}
    frame = backend.from_pandas(rows.astype(types))
    return work.writer.write(frame, table, number=piece.bucket)


def _new(
    work: Work,
    source: str,
    bucket: int,
    conditions: Sequence[Condition],
    task: Task,
    *columns: str,
) -> pd.DataFrame:
    """source, text_id, author, created_at, product_id and these columns of what to score."""
    found = contract(source)
    names = {found.key[0]: "text_id", _time(source): "created_at"}
    wanted = [*names, "customer_key", "key_kind", "product_id", *columns]
    to_pandas = work.lake.backend.to_pandas
    texts = to_pandas(work.lake.read_bucket(source, bucket, conditions, columns=wanted))
    texts = texts.rename(columns=names).assign(source=source)
    if task.everything or not work.has("text_sentiment"):
        return texts
    limits = [("created_at", operator, value) for _, operator, value in conditions]
    done = to_pandas(work.lake.read_bucket("text_sentiment", bucket, limits, columns=_IDS))
    known = done.loc[done["source"] == source, "text_id"]
    return texts[~texts["text_id"].isin(known)].reset_index(drop=True)


def _months_scored(work: Work, bucket: int) -> list[np.datetime64]:
    if not work.has("text_sentiment"):
        return []
    files = work.lake.files("text_sentiment").in_buckets({bucket})
    return [np.datetime64(month, "M") for month in np.unique(files.months.astype("str"))]


def _versions(work: Work, bucket: int) -> dict[str, int]:
    if not work.has("text_sentiment"):
        return {}
    columns = ["model_version"]
    rows = work.lake.read_bucket("text_sentiment", bucket, columns=columns)
    counts = work.lake.backend.to_pandas(rows)["model_version"].value_counts()
    return {str(version): int(count) for version, count in counts.items()}


def _pieces(bucket: int, texts_in: dict[np.datetime64, int], at_once: int) -> Iterator[Piece]:
    """Neighbouring months together, until they have texts enough."""
    first, texts = None, 0
    months = sorted(texts_in)
    for month in months:
        first = month if first is None else first
        texts += texts_in[month]
        if texts >= at_once or month == months[-1]:
            yield Piece(bucket=bucket, first=first, last=month, texts=texts)
            first, texts = None, 0


def _with_intents(rows: pd.DataFrame, model: IntentModel) -> pd.DataFrame:
    """The rows with what the messages to support ask for, where they could be read."""
    asked = np.flatnonzero((rows["source"] == "support") & rows["unscored"].isna())
    intents, scores = np.full(len(rows), None, dtype=object), np.full(len(rows), np.nan)
    if len(asked):
        intents[asked], scores[asked] = model.predict(rows["text"].iloc[asked].tolist())
    return rows.assign(intent=intents, intent_score=scores)


def _without_known(work: Work, aspects: pd.DataFrame, piece: Piece, task: Task) -> pd.DataFrame:
    """Those of texts whose aspects are not there: a run may be killed before its scores follow."""
    if task.everything or not work.has("text_aspects"):
        return aspects
    limits = piece.conditions("created_at", np.datetime64(work.as_of, "us"))
    rows = work.lake.read_bucket("text_aspects", piece.bucket, limits, columns=_IDS)
    known = pd.MultiIndex.from_frame(work.lake.backend.to_pandas(rows))
    return aspects[~pd.MultiIndex.from_frame(aspects[_IDS]).isin(known)].reset_index(drop=True)


def _read(work: Work, texts: list[str], task: Task) -> tuple[list[Reading], list[AspectReading]]:
    # Threads of one process share its model, which uses all cores by itself.
    with _TURN:
        device: Device = "cuda" if work.lake.backend.device == "gpu" else "cpu"
        reader = _reader(work.config.text_model, task.version, device)
        readings = reader.read(texts)
        return readings, reader.aspects(texts, readings)


_TURN = Lock()


@lru_cache(maxsize=1)
def _intents(folder: Path | None, version: str) -> IntentModel:
    model = IntentModel.load(folder)
    _check_version(folder, model.version, version)
    return model


@lru_cache(maxsize=1)
def _reader(folder: Path | None, version: str, device: Device) -> Reader:
    """The one model of this process: on a cluster each worker loads it, once."""
    reader = Reader.load(folder, device)
    _check_version(folder, reader.version, version)
    return reader


def _check_version(folder: Path | None, found: str, version: str) -> None:
    """Refuses a folder that has another model by now."""
    if found != version:
        message = f"The model in {folder} changed while texts were scored: run again."
        raise PipelineError(message)


def _time(source: str) -> str:
    return contract(source).event_time or ""
