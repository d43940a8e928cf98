"""Journal: what a writer says it is about to do, so that the next one can clean up after it.

A writer that is killed leaves files that no version of a table names. Looking for them among all
files, or for their names in all of a log, would cost more with every day of history; its journal,
a folder under `writing/`, names the few files and versions that can be meant.
"""

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from gpu_pipeline.store.log import added_paths, is_table, latest_version, log_entry

__all__ = ["Journal", "remove_leftovers", "remove_part"]

_PARTS, _VERSION = ".parts", ".version"


class Journal:
    """The journal of one writer, small and sent to workers. Told first, done second."""

    def __init__(self, root: Path, writer: str) -> None:
        self.folder = root / "writing" / writer

    def begin(self) -> None:
        """Makes it known that there is a writer."""
        self.folder.mkdir(parents=True)

    def writing(self, table: str, paths: Sequence[str]) -> None:
        """These parts, relative to the table, are about to be written."""
        self._tell(_PARTS, [table, *paths])

    def committing(self, table: str, version: int) -> None:
        """The table is about to get a version of that number, or a later one."""
        self._tell(_VERSION, [table, str(version)])

    def _tell(self, kind: str, lines: Sequence[str]) -> None:
        (self.folder / f"{uuid.uuid4().hex}{kind}").write_text("\n".join(lines), encoding="utf-8")


def remove_leftovers(root: Path) -> None:
    """Deletes what closed or killed writers left and no version of a table names."""
    for journal in sorted((root / "writing").glob("*/")):
        committed: dict[str, set[str]] = {}
        for table, versions in _told(journal, _VERSION):
            folder = root / "tables" / table
            committed.setdefault(table, set()).update(_added_since(folder, int(versions[0])))
            _remove_unfinished(folder)
        for table, paths in _told(journal, _PARTS):
            for path in set(paths) - committed.get(table, set()):
                remove_part(root / "tables" / table / path)
        # Parts that are forgotten stay; versions that are forgotten would make parts leftovers.
        for entry in journal.glob(f"*{_PARTS}"):
            entry.unlink()
        shutil.rmtree(journal)
    shutil.rmtree(root / "staging", ignore_errors=True)


def remove_part(path: Path) -> None:
    """Deletes a part, after what lies beside it under its name with another ending."""
    for file in path.parent.glob(f"{path.stem}.*"):
        if file != path:
            file.unlink()
    path.unlink(missing_ok=True)


def _added_since(table: Path, version: int) -> set[str]:
    """What this version and all after it brought in."""
    if not is_table(table):
        return set()
    versions = range(version, latest_version(table) + 1)
    return {path for number in versions for path in added_paths(table, number)}


def _told(journal: Path, kind: str) -> list[tuple[str, list[str]]]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(journal.glob(f"*{kind}"))]
    return [(lines[0], lines[1:]) for lines in (text.splitlines() for text in texts) if lines]


def _remove_unfinished(table: Path) -> None:
    """Deletes what Delta began to write into the log and never gave its name."""
    for unfinished in log_entry(table, 0).parent.glob("*#*"):
        unfinished.unlink()
