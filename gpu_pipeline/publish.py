"""Publishing: a run's results as one read-only SQLite file, swapped in atomically.

    folder/snapshots/000007.sqlite    a snapshot, never changed once it has this name
    folder/current                    symlink to the snapshot that is served
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.contracts import Column, contract
from gpu_pipeline.errors import ContractError, LakeError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Snapshot", "current_version", "served_tables", "write_snapshot"]

KEPT_SNAPSHOTS = 3
FACTS = ("run_id", "as_of", "made_at", "data_versions", "model_version")

_POINTER, _NEW_POINTER, _LOCK = "current", "current.new", "publish.lock"
_FINISHED, _BUILDING = ".sqlite", ".building"
_LAYOUT_VERSION = 1
_ROWS_PER_INSERT = 20_000
_READERS = 4

_SQL_TYPES = {
    "string": "TEXT",
    "int64": "INTEGER",
    "float64": "REAL",
    "timestamp": "TEXT",  # ISO 8601 with microseconds, UTC
    "bool": "INTEGER",
}
_DTYPES = {
    "string": ("str", "object"),
    "int64": ("int64",),
    "float64": ("float64",),
    "timestamp": ("datetime64[us]",),
    "bool": ("bool",),
}

# Run once the tables are filled. Search compares case-folded names: SQLite folds only ASCII.
_DERIVED = """
CREATE TABLE product_search (product_id TEXT PRIMARY KEY, folded TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO product_search SELECT product_id, casefold(name) FROM product_names ORDER BY product_id;
"""

_CUSTOMER = """
SELECT f.*, s.segment, s.name AS segment_name, s.distance
FROM customer_features f LEFT JOIN customer_segments s ON s.customer_key = f.customer_key
WHERE f.customer_key = ?
"""
_SEGMENTS = "SELECT * FROM segment_profiles ORDER BY segment"
_PRODUCT = """
SELECT n.product_id, n.name, s.texts, s.negative, s.neutral, s.positive
FROM product_names n LEFT JOIN product_sentiment s ON s.product_id = n.product_id
WHERE n.product_id = ?
"""
_PRODUCTS = """
SELECT n.product_id, n.name, s.texts, s.negative, s.neutral, s.positive
FROM product_search f
JOIN product_names n ON n.product_id = f.product_id
LEFT JOIN product_sentiment s ON s.product_id = f.product_id
WHERE f.product_id > ? AND instr(f.folded, ?) > 0
ORDER BY f.product_id LIMIT ?
"""
_FORECAST = "SELECT * FROM demand_forecast WHERE product_id = ? ORDER BY day"


@dataclass(frozen=True)
class _Table:
    """One table of a snapshot."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def create(self) -> str:
        """The statement that makes it; rows lie in order of the key."""
        columns = ", ".join(
            f"{c.name} {_SQL_TYPES[c.type]}{' NOT NULL' if c.required else ''}"
            for c in self.columns
        )
        key = ", ".join(self.key)
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID"

    def insert(self) -> str:
        """The statement that adds one row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.names)}) VALUES ({marks})"  # noqa: S608

    def faults(self, frame: "pd.DataFrame") -> list[str]:
        """What keeps the frame out of the table; empty where nothing does."""
        if list(frame.columns) != self.names:
            return [f"the columns are {list(frame.columns)}, needed are {self.names}"]
        return [
            fault
            for column in self.columns
            for fault in _column_faults(column, frame[column.name])
        ]


def served_tables() -> dict[str, tuple[str, ...]]:
    """The tables that a snapshot holds, each with its columns in order."""
    return {table.name: tuple(table.names) for table in _tables()}


def write_snapshot(
    folder: Path,
    tables: Mapping[str, Iterable["pd.DataFrame"]],
    *,
    facts: Mapping[str, str],
) -> Path:
    """Publishes host frames as the next snapshot in `folder` and returns its file.

    Args:
        tables: frames of each table, chunk by chunk, with exactly the columns, order and types
            that `served_tables` and the contracts name; a table left out is published empty.
        facts: `FACTS`, all of them, as text; they go with every answer.

    A reader sees the last snapshot until the new one is whole and on disk, whatever happens
    here. The last `KEPT_SNAPSHOTS` stay; what a killed writer left goes with the next call.

    Raises:
        ContractError: a table is unknown, or rows don't keep its contract; nothing is published.
        LakeError: another process is publishing, or the disk refuses.
    """
    _check_names(tables, facts)
    snapshots = folder / "snapshots"
    snapshots.mkdir(parents=True, exist_ok=True)
    with _only_writer(folder):
        target = snapshots / f"{_last_number(snapshots) + 1:06d}{_FINISHED}"
        _remove_leftovers(folder)
        building = target.with_suffix(_BUILDING)
        try:
            _build(building, tables, facts)
            _fsync(building)
            building.replace(target)
        finally:
            building.unlink(missing_ok=True)
        _fsync(snapshots)
        _point_to(target, folder)
        _remove_old(snapshots)
    return target


def current_version(folder: Path) -> str | None:
    """The version of the snapshot that is served from `folder`; None before the first."""
    try:
        return (folder / _POINTER).readlink().stem
    except FileNotFoundError:
        return None


class Snapshot:
    """One published set of results, read-only and usable from several threads.

    Rows come as dicts of the table's columns; times are ISO 8601 text in UTC.

    >>> snapshot = Snapshot.open(Path("lake/serving"))  # doctest: +SKIP
    >>> snapshot.forecast("85123A")[0]["p90"]  # doctest: +SKIP
    21.4
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = path.stem
        # All are opened now: a file that is replaced and removed stays readable through them.
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        try:
            for _ in range(_READERS):
                self._idle.put(_connected(path))
            self.facts = {row["name"]: row["value"] for row in self._rows("SELECT * FROM meta")}
        except (sqlite3.DatabaseError, LakeError) as error:
            self.close()
            message = f"{path} can't be read ({error}): publish again with `gpu-pipeline run`."
            raise LakeError(message) from error

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The snapshot that is served from `folder`.

        Raises:
            LakeError: nothing is published there, or it can't be read.
        """
        version = current_version(folder)
        if version is None:
            message = f"Nothing is published in {folder} yet: run `gpu-pipeline run`."
            raise LakeError(message)
        return cls(folder / "snapshots" / f"{version}{_FINISHED}")

    def close(self) -> None:
        """Closes the file, once every query that is under way has ended."""
        while not self._idle.empty():
            self._idle.get().close()

    def customer(self, key: int) -> dict[str, Any] | None:
        """Features of one customer with `segment`, `segment_name` and `distance`, if known."""
        return self._row(_CUSTOMER, key)

    def segments(self) -> list[dict[str, Any]]:
        """The segment profiles, in order of their number."""
        return self._rows(_SEGMENTS)

    def product(self, product_id: str) -> dict[str, Any] | None:
        """Name and text counts (None where nobody wrote) of one product, if known."""
        return self._row(_PRODUCT, product_id)

    def forecast(self, product_id: str) -> list[dict[str, Any]]:
        """Forecast of one product, day by day; empty where there is none."""
        return self._rows(_FORECAST, product_id)

    def products(
        self, search: str = "", *, after: str = "", limit: int = 50
    ) -> list[dict[str, Any]]:
        """At most `limit` products whose name contains `search` in any case, by product_id.

        `after` is the last product_id of the page before.
        """
        return self._rows(_PRODUCTS, after, search.casefold(), limit)

    def _row(self, query: str, *values: object) -> dict[str, Any] | None:
        rows = self._rows(query, *values)
        return rows[0] if rows else None

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = self._idle.get()
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            self._idle.put(connection)
