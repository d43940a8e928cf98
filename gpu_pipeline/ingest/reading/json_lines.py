"""JSON lines: one object a line. What is nested stays JSON, unless a field lies in it."""

import io
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import blocks
from gpu_pipeline.ingest.reading.blocks import Block, BrokenRow
from gpu_pipeline.ingest.reading.dialect import Dialect
from gpu_pipeline.ingest.reading.nested import JSON, as_text, paths_into, steps, value_at
from gpu_pipeline.ingest.reading.streams import opened_text

__all__ = ["names", "pieces"]

# Between records that are read as one list: no line of a file can say it by chance.
_SEAM = "e6b1f6f0-7d0d-4d0c-9a35-between-records"
Record = dict[str, Any]


def names(path: Path, dialect: Dialect) -> list[str]:
    """The names in as many rows as a block may have, and the paths into them."""
    found: dict[str, None] = {}
    left = blocks.BLOCK_ROWS
    for numbered in _lines(path, dialect):
        rows = _records(numbered[:left])[0]
        found.update(dict.fromkeys(chain.from_iterable(rows)))
        left -= len(numbered)
        if left <= 0:
            break
    if left == blocks.BLOCK_ROWS:
        message = f"{path} is empty: not one record."
        raise IngestError(message)
    return [*found, *paths_into(found, dialect.fields)]


def pieces(path: Path, dialect: Dialect) -> Iterator[Block]:
    """The rows, about PIECE_BYTES of the file at a time."""
    for numbered in _lines(path, dialect):
        rows, numbers, broken = _records(numbered)
        yield Block(_table(rows, dialect), np.array(numbers, dtype=np.int64), broken)


def _lines(path: Path, dialect: Dialect) -> Iterator[list[tuple[int, str]]]:
    """Lines that are not blank, numbered from 1, about PIECE_BYTES at a time."""
    with opened_text(path, dialect.encoding) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
        number = 1
        while chunk := text.readlines(blocks.PIECE_BYTES):
            said = [line for line in map(str.strip, chunk) if line]
            if said:
                yield list(enumerate(said, start=number))
            number += len(said)


def _records(numbered: list[tuple[int, str]]) -> tuple[list[Record], list[int], list[BrokenRow]]:
    """The objects, their numbers, and the lines that are none."""
    together = _all_at_once([text for _, text in numbered])
    if together is not None:
        return together, [number for number, _ in numbered], []
    rows, numbers, broken = [], [], []
    for number, text in numbered:
        row, fault = _object(text)
        if fault:
            broken.append(BrokenRow(number, fault, text))
        else:
            rows.append(row)
            numbers.append(number)
    return rows, numbers, broken


def _all_at_once(texts: list[str]) -> list[Record] | None:
    """The records, decoded as one list; None where a line is no object of its own."""
    whole = f"[{f',{json.dumps(_SEAM)},'.join(texts)}]"
    if _has_surrogate(whole):
        return None
    try:
        found = JSON.decode(whole)
    except (ValueError, RecursionError):
        return None
    rows, seams = found[::2], found[1::2]
    is_each = len(rows) == len(texts) and all(isinstance(row, dict) and row for row in rows)
    return rows if is_each and seams == [_SEAM] * (len(texts) - 1) else None


def _object(text: str) -> tuple[Record, str]:
    """The record and "", or nothing and why it is none."""
    try:
        row = JSON.decode(text)
        if _has_surrogate(text):
            json.dumps(row, ensure_ascii=False).encode()  # half of a pair is no text
    except (ValueError, RecursionError):
        return {}, "not JSON"
    if not isinstance(row, dict):
        return {}, "no JSON object"
    return row, "" if row else "an empty JSON object"


def _has_surrogate(text: str) -> bool:
    return "\\u" in text and ("\\ud" in text or "\\uD" in text)


def _table(rows: list[Record], dialect: Dialect) -> pa.Table:
    """The rows as columns of text; a column that a row lacks is null there."""
    columns = list(dict.fromkeys(chain.from_iterable(rows)))
    paths = paths_into(columns, dialect.fields)
    if paths:
        rows = [row | {path: value_at(row, steps(path)) for path in paths} for row in rows]
    read = [*dialect.of(columns), *paths]
    kind = pa.struct([(name, pa.string()) for name in read])
    try:
        records = pa.array(rows, kind)
    except pa.ArrowTypeError:  # truth values and what is nested are no texts yet
        records = pa.array([{n: as_text(row.get(n)) for n in read} for row in rows], kind)
    return pa.table([_without_blanks(c) for c in records.flatten()], names=read)


def _without_blanks(column: pa.StringArray) -> pa.StringArray:
    blank = pac.equal(column, "")
    return pac.if_else(blank, None, column) if pac.any(blank).as_py() else column
