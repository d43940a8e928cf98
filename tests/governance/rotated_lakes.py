"""Lakes before and after a rotation: how to copy and compare them, and what traces to seek."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from gpu_pipeline.contracts import contract
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.ingest import ingest
from gpu_pipeline.privacy import as_hex, rotated
from gpu_pipeline.store import Lake

_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")


def copied(lake: Lake, path: Path) -> Lake:
    """The lake once more, in another folder, with its key beside it."""
    shutil.copytree(lake.path, path, symlinks=True)
    shutil.copy2(lake.path.with_name("lake.key"), path.with_name(f"{path.name}.key"))
    return Lake(path, backend=lake.backend)


def opened(lake: Lake) -> Lake:
    """The lake as somebody who comes now finds it."""
    return Lake(lake.path, backend=lake.backend)


def rotate(lake: Lake) -> Lake:
    """Adds a key to the lake, and opens it."""
    rotate_key(lake.path, backend=lake.backend)
    return opened(lake)


def write(folder: Path, table: str, rows: Sequence[dict[str, Any]], *, broken: str = "") -> Path:
    """A folder with a landing file of these rows, and a line that is none at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    with path.open("a") as file:
        file.write(broken)
    return folder


def load(lake: Lake, folder: Path) -> list[tuple[int, int, int, bool]]:
    """Loads it: accepted, rejected, duplicates of each file, and whether it was loaded before."""
    report = ingest(lake, folder)
    return [(f.accepted, f.rejected, f.duplicates, f.loaded_before) for f in report.files]


def keyed_tables(lake: Lake) -> list[str]:
    """The tables that are about people."""
    return [name for name in lake.tables() if "customer_key" in contract(name).names]


def rows(lake: Lake, table: str) -> pd.DataFrame:
    """The table's rows, in an order of their own."""
    frame = lake.backend.to_pandas(lake.read(table).compute())
    return frame.sort_values(list(frame.columns), ignore_index=True)


def contents(lake: Lake) -> dict[str, pd.DataFrame]:
    """The rows of every table."""
    return {table: rows(lake, table) for table in lake.tables()}


def rekeyed(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """What the rows must be after rotations: made slowly, one value at a time."""
    for key in keys:
        made: dict[str, Callable[[Any], Any]] = {
            "customer_key": lambda token, key=key: rotated(token, key=key),
            "row_values": lambda text, key=key: _HEX.sub(lambda old: _new(old[0], key), text),
        }
        for name in made.keys() & set(frame.columns):
            values = [made[name](value) for value in frame[name]]
            frame = frame.assign(**{name: pd.Series(values, dtype=frame[name].dtype)})
    return frame.sort_values(list(frame.columns), ignore_index=True)


def tokens_in(lake: Lake) -> set[int]:
    """Every pseudonym that the lake holds, those in evidence included."""
    found: set[int] = set()
    for table in keyed_tables(lake):
        frame = rows(lake, table)
        found |= {int(token) for token in frame["customer_key"]}
        if "row_values" in frame:
            found |= {
                _number(text) for texts in frame["row_values"] for text in _HEX.findall(texts)
            }
    return found


def traces(lake: Lake, tokens: set[int]) -> set[str]:
    """The kinds of files in which any of the tokens stands, in whatever shape."""
    shapes = list(_shapes(tokens))
    files = [path for path in lake.path.rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        path.suffix for path in files for text in _decoded(path) if any(s in text for s in shapes)
    }


def _shapes(tokens: set[int]) -> Iterator[bytes]:
    for token in tokens:
        yield token.to_bytes(8, "little", signed=True)
        yield token.to_bytes(8, "big", signed=True)
        yield as_hex(token).encode()
        yield str(token).encode()


def _decoded(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and the values that a Parquet file or a database packs into them."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield pq.ParquetFile(path).read().to_pandas().to_csv().encode()
    elif path.suffix == ".sqlite":
        with sqlite3.connect(path) as database:
            yield "\n".join(database.iterdump()).encode()
        database.close()


def _number(digits: str) -> int:
    return int.from_bytes(bytes.fromhex(digits), "big", signed=True)


def _new(digits: str, key: str) -> str:
    return as_hex(rotated(_number(digits), key=key))
