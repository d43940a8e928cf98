"""Publishing: a run's results as one read-only SQLite file, swapped in atomically.

folder/snapshots/000007.sqlite    a snapshot, never changed once it has this name
folder/current                    symlink to the snapshot that is served
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.contracts import Column, ColumnType, contract
from gpu_pipeline.errors import ContractError, LakeError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Snapshot", "current_version", "rekeyed_snapshot", "served_tables", "write_snapshot"]

KEPT_SNAPSHOTS = 3
FACTS = ("run_id", "as_of", "made_at", "data_versions", "model_version", "fingerprint")
_MOMENTS = ("as_of", "made_at")
_KEY_FACT = "key_fingerprint"

_POINTER, _NEW_POINTER, _LOCK = "current", "current.new", "publish.lock"
_FINISHED, _BUILDING = ".sqlite", ".building"
_LAYOUT = 1
_ROWS_PER_INSERT = 20_000

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
_DERIVED = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE product_search (product_id TEXT PRIMARY KEY, folded TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO product_search SELECT product_id, casefold(name) FROM product_names",
)

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
            fault for column in self.columns for fault in _column_faults(column, frame[column.name])
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
        facts: `FACTS`, all of them, as text; `as_of` and `made_at` in ISO 8601, UTC where they
            name no zone. Answers carry them.

    A reader sees the last snapshot until the new one is whole and on disk, whatever happens
    here. The last `KEPT_SNAPSHOTS` stay; what a killed writer left goes with the next call.

    Raises:
        ContractError: a table is unknown, or rows don't keep its contract; nothing is published.
        LakeError: another process is publishing, or the disk refuses.
    """
    _check_names(tables, facts)
    facts = {**facts, **{name: _utc(facts[name], name) for name in _MOMENTS}}
    try:
        return _write(folder, tables, facts)
    except (OSError, sqlite3.OperationalError) as error:
        message = f"Can't publish in {folder}: {error}. What was served before still is."
        raise LakeError(message) from error


def rekeyed_snapshot(
    folder: Path, change: Callable[[int], int], *, key_fingerprint: str
) -> Path | None:
    """Publishes what is served once more with each customer key changed; returns its file.

    All snapshots before it are removed. A snapshot that says that it has the keys of this
    fingerprint already is not made again. None where nothing is published.

    Raises:
        LakeError: another process is publishing, or the disk refuses.
    """
    version = current_version(folder)
    if version is None:
        return None
    try:
        with _only_writer(folder):
            _remove_leftovers(folder)
            target = folder / "snapshots" / f"{version}{_FINISHED}"
            if _key_fingerprint(target) != key_fingerprint:
                number = _last_number(folder / "snapshots") + 1
                target = _rekeyed(target, number, change, key_fingerprint)
                _point_to(target, folder)
            for path in target.parent.iterdir():
                if path != target:
                    path.unlink()
    except (OSError, sqlite3.Error) as error:
        message = f"Can't publish in {folder}: {error}. What was served before still is."
        raise LakeError(message) from error
    return target


def current_version(folder: Path) -> str | None:
    """The version of the snapshot that is served from `folder`; None before the first.

    Raises:
        LakeError: the pointer is there and is none.
    """
    pointer = folder / _POINTER
    try:
        return pointer.readlink().stem
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{pointer} is no pointer to a snapshot ({error.strerror}): remove it."
        raise LakeError(message) from error


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
        # A search reads every name; lookups by key, a few microseconds each, don't wait for it.
        self._lookups = _Reader(path)
        self._searches = _Reader(path)
        self.facts = {row["name"]: row["value"] for row in self._lookups.rows("SELECT * FROM meta")}

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
        self._lookups.close()
        self._searches.close()

    def customer(self, key: int) -> dict[str, Any] | None:
        """Features of one customer with `segment`, `segment_name` and `distance`, if known."""
        return self._row(_CUSTOMER, key)

    def segments(self) -> list[dict[str, Any]]:
        """The segment profiles, in order of their number."""
        return self._lookups.rows(_SEGMENTS)

    def product(self, product_id: str) -> dict[str, Any] | None:
        """Name and text counts (None where nobody wrote) of one product, if known."""
        return self._row(_PRODUCT, product_id)

    def forecast(self, product_id: str) -> list[dict[str, Any]]:
        """Forecast of one product, day by day; empty where there is none."""
        return self._lookups.rows(_FORECAST, product_id)

    def products(
        self, search: str = "", *, after: str = "", limit: int = 50
    ) -> list[dict[str, Any]]:
        """At most `limit` products whose name contains `search` in any case, by product_id.

        `after` is the last product_id of the page before.
        """
        return self._searches.rows(_PRODUCTS, after, search.casefold(), limit)

    def _row(self, query: str, *values: object) -> dict[str, Any] | None:
        rows = self._lookups.rows(query, *values)
        return rows[0] if rows else None


class _Reader:
    """One connection that threads take in turn: under the interpreter's lock more buy nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        with self._faults_named():
            # Opened at once: the file stays readable after it is removed.
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        self._connection.row_factory = sqlite3.Row
        try:
            self._check_layout()
        except LakeError:
            self.close()
            raise

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self._turn, self._faults_named():
            return [dict(row) for row in self._connection.execute(query, values)]

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def _check_layout(self) -> None:
        (found,) = self.rows("PRAGMA user_version")
        if found["user_version"] != _LAYOUT:
            message = (
                f"{self._path} has layout {found['user_version']}, this version reads "
                f"{_LAYOUT}: publish again with `gpu-pipeline run`."
            )
            raise LakeError(message)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            message = f"{self._path} can't be read ({error}): run `gpu-pipeline run` to publish."
            raise LakeError(message) from error


def _tables() -> list[_Table]:
    contracts = ("customer_features", "customer_segments", "segment_profiles", "demand_forecast")
    return [_Table(name, contract(name).columns, contract(name).key) for name in contracts] + [
        _PRODUCT_NAMES,
        _PRODUCT_SENTIMENT,
    ]


def _column(name: str, kind: ColumnType, description: str) -> Column:
    return Column(name=name, type=kind, description=description, required=True)


_PRODUCT_NAMES = _Table(
    "product_names",
    (
        _column("product_id", "string", "Stock keeping unit."),
        _column("name", "string", "What the shop calls it."),
    ),
    ("product_id",),
)
_PRODUCT_SENTIMENT = _Table(
    "product_sentiment",
    (
        _column("product_id", "string", "Stock keeping unit."),
        _column("texts", "int64", "Texts about it."),
        _column("negative", "int64", "How many of them are negative."),
        _column("neutral", "int64", "How many are neutral."),
        _column("positive", "int64", "How many are positive."),
    ),
    ("product_id",),
)


def _column_faults(column: Column, values: "pd.Series[Any]") -> list[str]:
    found, allowed = str(values.dtype), _DTYPES[column.type]
    if found not in allowed:
        return [f"{column.name} is {found}, needed is {allowed[0]}"]
    missing = int(values.isna().sum())
    if missing and column.required:
        return [f"{column.name} lacks {missing} of {len(values)} values"]
    if column.type == "float64" and np.isinf(values.to_numpy()).any():
        return [f"{column.name} has infinite values"]
    return []


def _check_names(tables: Iterable[str], facts: Iterable[str]) -> None:
    known = served_tables()
    faults = [f"unknown table {name!r}" for name in tables if name not in known]
    faults += [f"the fact {name!r} is missing" for name in FACTS if name not in facts]
    if faults:
        message = f"Can't publish: {'; '.join(faults)}. Tables are {', '.join(known)}."
        raise ContractError(message)


def _utc(moment: str, name: str) -> str:
    """The moment as the tables write theirs."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError as error:
        message = f"Can't publish: the fact {name!r} is {moment!r}, needed is ISO 8601."
        raise ContractError(message) from error
    aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system releases however the process ends."""
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another process is publishing in {folder}: wait until it has ended."
            raise LakeError(message) from error
        yield


def _write(
    folder: Path, tables: Mapping[str, Iterable["pd.DataFrame"]], facts: Mapping[str, str]
) -> Path:
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


def _key_fingerprint(snapshot: Path) -> str | None:
    """Which keys a snapshot says its customers have; None where they were never rotated."""
    with closing(sqlite3.connect(f"{snapshot.absolute().as_uri()}?mode=ro", uri=True)) as found:
        row = found.execute("SELECT value FROM meta WHERE name = ?", (_KEY_FACT,)).fetchone()
    return None if row is None else str(row[0])


def _rekeyed(source: Path, number: int, change: Callable[[int], int], key_fingerprint: str) -> Path:
    target = source.with_name(f"{number:06d}{_FINISHED}")
    building = target.with_suffix(_BUILDING)
    building.unlink(missing_ok=True)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("VACUUM INTO ?", (str(building),))
    with closing(sqlite3.connect(building, isolation_level=None)) as connection:
        connection.create_function("rekeyed", 1, change, deterministic=True)
        connection.execute("PRAGMA journal_mode = OFF")
        for table in _tables():
            if "customer_key" in table.names:
                connection.execute(
                    f"UPDATE {table.name} SET customer_key = rekeyed(customer_key)"  # noqa: S608
                )
        fact = (_KEY_FACT, key_fingerprint)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", fact)
        # What was overwritten still stands in free pages.
        connection.execute("VACUUM")
    _fsync(building)
    building.replace(target)
    _fsync(target.parent)
    return target


def _last_number(snapshots: Path) -> int:
    """The highest number ever seen here, finished or not, so that no version is used twice."""
    return max((int(path.stem) for path in snapshots.iterdir() if path.stem.isdigit()), default=0)


def _remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left: half-built files, and whole ones never pointed to."""
    current = current_version(folder) or ""
    (folder / _NEW_POINTER).unlink(missing_ok=True)
    for path in (folder / "snapshots").iterdir():
        if path.suffix == _BUILDING or path.stem > current:
            path.unlink()


def _remove_old(snapshots: Path) -> None:
    for path in sorted(snapshots.glob(f"*{_FINISHED}"))[:-KEPT_SNAPSHOTS]:
        path.unlink()


def _build(
    path: Path, tables: Mapping[str, Iterable["pd.DataFrame"]], facts: Mapping[str, str]
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        # The file has no reader and no value before it is whole: nothing to roll back.
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"user_version = {_LAYOUT}"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        for table in _tables():
            connection.execute(table.create())
            for frame in tables.get(table.name, ()):
                _add(connection, table, frame)
        for statement in _DERIVED:
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        connection.execute("COMMIT")


def _add(connection: sqlite3.Connection, table: _Table, frame: "pd.DataFrame") -> None:
    faults = table.faults(frame)
    if faults:
        message = f"Can't publish {table.name}: {'; '.join(faults)}."
        raise ContractError(message)
    for start in range(0, len(frame), _ROWS_PER_INSERT):
        part = frame.iloc[start : start + _ROWS_PER_INSERT]
        columns = [_sql_values(part[column.name], column) for column in table.columns]
        try:
            connection.executemany(table.insert(), zip(*columns, strict=True))
        except sqlite3.IntegrityError as error:
            message = f"Can't publish {table.name}: {error}."
            raise ContractError(message) from error


def _sql_values(values: "pd.Series[Any]", column: Column) -> list[Any]:
    """The column as Python values that SQLite stores, None where one is missing."""
    if column.type == "timestamp":
        text = np.datetime_as_string(values.to_numpy(), unit="us", timezone="UTC")
        return [None if value == "NaT" else value for value in text.tolist()]
    if values.isna().any():
        return [None if missing else v for v, missing in zip(values, values.isna(), strict=True)]
    return values.tolist()


def _fsync(path: Path) -> None:
    """Waits until the file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _point_to(target: Path, folder: Path) -> None:
    pointer = folder / _NEW_POINTER
    pointer.symlink_to(target.relative_to(folder))
    pointer.replace(folder / _POINTER)
    _fsync(folder)
