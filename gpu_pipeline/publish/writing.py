"""Writing a snapshot: all of it in a file of its own, which then takes the other's place."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_pipeline.contracts import Column
from gpu_pipeline.errors import ContractError, LakeError
from gpu_pipeline.publish.folder import (
    BUILDING,
    LAYOUT,
    next_snapshot,
    on_disk,
    only_writer,
    point_to,
    remove_leftovers,
    remove_old,
)
from gpu_pipeline.publish.tables import Table, served_tables, snapshot_tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FACTS", "write_snapshot"]

FACTS = ("run_id", "as_of", "made_at", "data_versions", "model_version", "fingerprint")
_MOMENTS = ("as_of", "made_at")
_ROWS_PER_INSERT = 20_000

# Run once the tables are filled. Search compares case-folded names: SQLite folds only ASCII.
_DERIVED = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE product_search (product_id TEXT PRIMARY KEY, folded TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO product_search SELECT product_id, casefold(name) FROM product_names",
)


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
    here. The last few stay; what a killed writer left goes with the next call.

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


def _write(
    folder: Path, tables: Mapping[str, Iterable["pd.DataFrame"]], facts: Mapping[str, str]
) -> Path:
    snapshots = folder / "snapshots"
    snapshots.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        target = next_snapshot(snapshots)
        remove_leftovers(folder)
        building = target.with_suffix(BUILDING)
        try:
            _build(building, tables, facts)
            on_disk(building)
            building.replace(target)
        finally:
            building.unlink(missing_ok=True)
        on_disk(snapshots)
        point_to(target, folder)
        remove_old(snapshots)
    return target


def _build(
    path: Path, tables: Mapping[str, Iterable["pd.DataFrame"]], facts: Mapping[str, str]
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        # The file has no reader and no value before it is whole: nothing to roll back.
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"user_version = {LAYOUT}"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        for table in snapshot_tables():
            connection.execute(table.create())
            for frame in tables.get(table.name, ()):
                _add(connection, table, frame)
        for statement in _DERIVED:
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        connection.execute("COMMIT")


def _add(connection: sqlite3.Connection, table: Table, frame: "pd.DataFrame") -> None:
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
