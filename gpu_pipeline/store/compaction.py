"""Compaction: the same rows in fewer, larger files.

Every load leaves a file in each bucket and month it has rows for, so a month of daily loads has
thirty where one would do. Files are merged in levels, each about eight times the one below, as
log-structured merge trees do (O'Neil et al., "The Log-Structured Merge-Tree", 1996): a row is
rewritten a few times in its life, not at every load.

A compaction is a version of its own with the same rows (see `Lake.data_version`). Readers of the
version before go on: its files stay until they are older than what is kept.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store.log import added_paths, commit_info, latest_version
from gpu_pipeline.store.parts import Part, read_parts
from gpu_pipeline.store.version import Files, TableVersion
from gpu_pipeline.store.writer import Writer

__all__ = [
    "Compaction",
    "compact",
    "compact_if_fragmented",
    "compact_tables",
    "remove_old_files",
]

LARGE_ROWS = 2**20  # a file of so many rows stays as it is; what is merged has less than two
_FAN = 8  # so many files of one level become one of the next
_SMALL_ROWS = 4096  # files of fewer than four times that are of the lowest level
_PART = ".parquet"
_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """What became of a table's files; `rows` were rewritten, `removed` are files given up."""

    table: str
    version: int
    files_before: int
    files_after: int
    rows: int
    removed: int = 0


def compact_tables(
    writer: Writer,
    tables: Iterable[str],
    *,
    most_files: int = 1,
    keep_days: float = 7.0,
    progress: Callable[[str, str], None] = lambda _, __: None,
) -> list[Compaction]:
    """Compacts the tables and gives up files that are too old; raises as `compact` does."""
    reports = []
    for name in tables:
        found = contract(name)
        progress(name, "started")
        report = compact(writer, found, most_files=most_files)
        removed = remove_old_files(writer, found, keep_days=keep_days)
        reports.append(replace(report, removed=removed))
        progress(name, "done")
    return reports


def compact(writer: Writer, contract: Contract, *, most_files: int = 1) -> Compaction:
    """Merges the files of each bucket and month that has more than `most_files` small ones.

    Raises:
        ContractError: the table can't be read under the contract.
        LakeError: there is no table, or a file has lost rows; then nothing changed.
    """
    return _merged(writer, contract, lambda files: _all_small(files, most_files))


def compact_if_fragmented(writer: Writer, contract: Contract) -> Compaction:
    """Merges files where eight of about one size have gathered, for the end of a load.

    A bucket and month then has at most seven files of each of three sizes, beside its large ones,
    and a load costs what it brings and a bounded rest. Raises as `compact` does.
    """
    return _merged(writer, contract, _full_levels)


def remove_old_files(writer: Writer, contract: Contract, *, keep_days: float) -> int:
    """Deletes the files that no version of the last `keep_days` names; returns how many.

    The latest version is always kept, whatever its age, and so is the one that was the latest
    when the period began. Versions before can't be read in full any more.
    """
    folder = writer.folder(contract.name)
    kept = _named_since(writer, contract, time.time() * 1000 - keep_days * _DAY_MS)
    if kept is None:
        return 0
    old = [
        path
        for path in folder.rglob("part-*")
        # What this writer has not committed yet is none of ours.
        if writer.id not in path.name and path.relative_to(folder).with_suffix("") not in kept
    ]
    # What lies beside a part goes first: without its part, nothing would lead to it.
    for path in sorted(old, key=lambda path: path.suffix == _PART):
        path.unlink()
    return sum(path.suffix == _PART for path in old)


def _merged(
    writer: Writer, contract: Contract, choose: Callable[[Files], Iterator[Files]]
) -> Compaction:
    files = writer.files(contract)
    merges = [merge for place in _places(files) for merge in choose(place)]
    version = latest_version(writer.folder(contract.name))
    parts = [part for merge in merges for part in _rewritten(writer, contract, merge)]
    old = sum(len(merge) for merge in merges)
    report = Compaction(
        table=contract.name,
        version=version,
        files_before=len(files),
        files_after=len(files) - old + len(parts),
        rows=sum(part.rows for part in parts),
    )
    if not merges:
        return report
    note = {"files_before": report.files_before, "files_after": report.files_after}
    return replace(report, version=writer.replace_files(contract, merges, parts, note=note))


def _rewritten(writer: Writer, contract: Contract, files: Files) -> list[Part]:
    """The files' rows as one part, in the contract's order."""
    folder = writer.folder(contract.name)
    paths = [str(folder / path) for path in files.paths]
    frame = read_parts(paths, contract, contract.names, backend=writer.backend)
    if len(frame) != int(files.rows.sum()):
        message = (
            f"{contract.name}: {len(files)} files have {len(frame)} rows, by the log "
            f"{files.rows.sum()}: one was damaged ({files.paths[0]} or after). Nothing changed."
        )
        raise LakeError(message)
    return writer.write(frame, contract)


def _places(files: Files) -> Iterator[Files]:
    """The files of each bucket and month."""
    places, codes = np.unique(
        [f"{bucket}/{month}" for bucket, month in zip(files.buckets, files.months, strict=True)],
        return_inverse=True,
    )
    for code in range(len(places)):
        yield files.where(codes == code)


def _all_small(files: Files, most_files: int) -> Iterator[Files]:
    small = files.where(files.rows < LARGE_ROWS)
    if len(small) > most_files:
        yield from _portions(small)


def _full_levels(files: Files) -> Iterator[Files]:
    levels = np.array([_level(rows) for rows in files.rows.tolist()], dtype=np.int64)
    for level in np.unique(levels).tolist():
        alike = files.where((levels == level) & (files.rows < LARGE_ROWS))
        if len(alike) >= _FAN:
            yield from _portions(alike)


def _level(rows: int) -> int:
    """Eight files of a level above the lowest have enough rows for the next."""
    return (rows // _SMALL_ROWS).bit_length() // 3


def _portions(files: Files) -> Iterator[Files]:
    """The files in runs that make one large file each; one that is left alone stays."""
    # A portion is full once it has the rows of a large file: no merge holds twice that in memory.
    portions = np.zeros(len(files), dtype=np.int64)
    number = gathered = 0
    for index, rows in enumerate(files.rows.tolist()):
        portions[index] = number
        gathered += rows
        if gathered >= LARGE_ROWS:
            number, gathered = number + 1, 0
    for portion in range(number + 1):
        chosen = files.where(portions == portion)
        if len(chosen) > 1:
            yield chosen


def _named_since(writer: Writer, contract: Contract, moment_ms: float) -> set[Path] | None:
    """The parts of the version that was the latest at the moment, and of all after it.

    Their paths are relative to the table, without their ending. None where the table is younger
    than that: all its versions count.
    """
    folder = writer.folder(contract.name)
    named: set[str] = set()
    for version in range(latest_version(folder), -1, -1):
        if commit_info(folder, version).get("timestamp", 0) <= moment_ms:
            opened = TableVersion.open(folder, version, contract.event_time)
            named |= set(opened.files.paths.tolist())
            return {Path(path).with_suffix("") for path in named}
        named |= added_paths(folder, version)
    return None
