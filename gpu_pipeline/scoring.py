"""Sentiment of any file."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import Dialect, plain_names, whole_rows
from gpu_pipeline.ingest.writing import check_output, written_file
from nlp.reading import AspectReading, Reader, Reading

__all__ = ["ScoredFile", "score_file"]

_DIALECT = Dialect()
_ASPECTS = "aspects"
_NUMBER = r"^\s*[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?\s*$"
_LETTER, _PRESENT = r"\pL", r"\S"
_TYPES = {
    "negative": pa.float64(),
    "neutral": pa.float64(),
    "positive": pa.float64(),
    "label": pa.string(),
    "certain": pa.bool_(),
    "language": pa.string(),
}


@dataclass(frozen=True, kw_only=True)
class ScoredFile:
    """How many rows were written, and how many of them have no label, by the reason."""

    rows: int
    without_label: Counter[str]


def score_file(
    source: Path,
    text: str,
    output: Path,
    *,
    model: Path | None = None,
    aspects: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ScoredFile:
    """Writes the rows of `source` with what each text says beside it: the columns of a `Reading`.

    Every row is written, in its order; one whose text is missing, empty or in a language that the
    model doesn't know has no probabilities and no label. `aspects` adds a column of them:
    "battery:negative; screen:positive". Kinds of file follow from their endings:
    .csv, .jsonl, .parquet, optionally .gz or .zst. The output appears whole or not at all; rows
    are read and written in blocks. `progress` is told how many are done.

    Raises:
        IngestError: the source can't be read or has broken rows, has no such column, has numbers
            in it, or has one that would be written; the output's folder or kind is not there.
        ModelError: the model can't be used.
    """
    check_output(output)
    _check(source, text, [*_TYPES, _ASPECTS] if aspects else [*_TYPES])
    reader, rows, without = Reader.load(model), 0, Counter[str]()
    with written_file(output) as write:
        for table in whole_rows(source, _DIALECT):
            texts = table[text].cast(pa.string()).to_pylist()
            readings = reader.read(texts)
            without.update(one.unscored for one in readings if one.unscored is not None)
            table = _with_readings(table, readings)
            if aspects:
                column = _aspect_texts(reader.aspects(texts, readings), len(texts))
                table = table.append_column(_ASPECTS, pa.array(column, pa.string()))
            write(table)
            rows += len(table)
            if progress is not None:
                progress(f"{rows:,} rows")
    return ScoredFile(rows=rows, without_label=without)


def _check(source: Path, text: str, added: Sequence[str]) -> None:
    """Refuses what can't be scored, before a model is loaded for it."""
    names = plain_names(source)
    if text not in names:
        message = f"{source} has no column {text!r}; it has {', '.join(names)}."
        raise IngestError(message)
    taken = [name for name in added if name in names]
    if taken:
        message = f"{source} has {', '.join(taken)} already: rename before scoring."
        raise IngestError(message)
    first = next(whole_rows(source, _DIALECT), None)
    if first is None or not _holds_numbers(first[text]):
        return
    others = [column for column in first.column_names if _holds_words(first[column])]
    hint = f"the columns with words are {', '.join(others)}" if others else "no column has words"
    message = f"{source}: the column {text!r} holds numbers, which have no mood; {hint}."
    raise IngestError(message)


def _holds_numbers(column: pa.ChunkedArray) -> bool:
    """Whether all that it holds is numbers; a CSV has them as text."""
    if pa.types.is_primitive(column.type):
        return not pa.types.is_temporal(column.type)
    if not _is_text(column):
        return False
    present = column.filter(pc.match_substring_regex(column, _PRESENT))
    return len(present) > 0 and bool(pc.all(pc.match_substring_regex(present, _NUMBER)).as_py())


def _holds_words(column: pa.ChunkedArray) -> bool:
    return _is_text(column) and bool(pc.any(pc.match_substring_regex(column, _LETTER)).as_py())


def _is_text(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def _with_readings(table: pa.Table, readings: Sequence[Reading]) -> pa.Table:
    for name, kind in _TYPES.items():
        table = table.append_column(name, pa.array([getattr(one, name) for one in readings], kind))
    return table


def _aspect_texts(found: Sequence[AspectReading], texts: int) -> list[str]:
    """The aspects of each text with their labels, in words; an empty word where there is none."""
    said: list[list[str]] = [[] for _ in range(texts)]
    for one in found:
        said[one.text].append(f"{one.aspect}:{one.label}")
    return ["; ".join(some) for some in said]
