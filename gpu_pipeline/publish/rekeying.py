"""What is served, under new keys: for the rotation of a lake's keys."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gpu_pipeline.errors import LakeError
from gpu_pipeline.publish.folder import (
    BUILDING,
    FINISHED,
    current_version,
    next_snapshot,
    on_disk,
    only_writer,
    point_to,
    remove_leftovers,
)

__all__ = ["rekeyed_snapshot"]

_KEY_FACT = "key_fingerprint"
# Those of the snapshot as it is: an older version may have made it.
_KEYED_TABLES = """
SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
WHERE m.type = 'table' AND c.name = 'customer_key'
"""


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
        with only_writer(folder):
            remove_leftovers(folder)
            target = folder / "snapshots" / f"{version}{FINISHED}"
            if _key_fingerprint(target) != key_fingerprint:
                made = next_snapshot(folder / "snapshots")
                target = _rekeyed(target, made, change, key_fingerprint)
                point_to(target, folder)
            for path in target.parent.iterdir():
                if path != target:
                    path.unlink()
    except (OSError, sqlite3.Error) as error:
        message = f"Can't publish in {folder}: {error}. What was served before still is."
        raise LakeError(message) from error
    return target


def _key_fingerprint(snapshot: Path) -> str | None:
    """Which keys a snapshot says its customers have; None where they were never rotated."""
    with closing(sqlite3.connect(f"{snapshot.absolute().as_uri()}?mode=ro", uri=True)) as found:
        row = found.execute("SELECT value FROM meta WHERE name = ?", (_KEY_FACT,)).fetchone()
    return None if row is None else str(row[0])


def _rekeyed(
    source: Path, target: Path, change: Callable[[int], int], key_fingerprint: str
) -> Path:
    building = target.with_suffix(BUILDING)
    building.unlink(missing_ok=True)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("VACUUM INTO ?", (str(building),))
    with closing(sqlite3.connect(building, isolation_level=None)) as connection:
        connection.create_function("rekeyed", 1, change, deterministic=True)
        connection.execute("PRAGMA journal_mode = OFF")
        for (table,) in connection.execute(_KEYED_TABLES).fetchall():
            connection.execute(
                f"UPDATE {table} SET customer_key = rekeyed(customer_key)"  # noqa: S608
            )
        fact = (_KEY_FACT, key_fingerprint)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", fact)
        # What was overwritten still stands in free pages.
        connection.execute("VACUUM")
    on_disk(building)
    building.replace(target)
    on_disk(target.parent)
    return target
