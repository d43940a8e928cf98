"""Settling: the staged rows of a bucket, numbered, compared with the lake, and written.

First the keys of all new rows are laid side by side, whoever they belong to: a key that occurs
once needs no more. Only rows whose key repeats are compared with those that have it already.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract
from gpu_pipeline.ingest.duplicates import deduplicated, with_row_numbers, without_repeats
from gpu_pipeline.ingest.rows import refused_rows
from gpu_pipeline.ingest.staging import Place, Staging, lake_home
from gpu_pipeline.ingest.uniqueness import Ints, Keys, Known, Repeats
from gpu_pipeline.store import Lake, Part, Writer, key_hashes, read_keys

__all__ = [
    "CONFLICT",
    "Load",
    "Settled",
    "beyond_horizon",
    "keep_keys",
    "kept_keys",
    "known_keys",
    "settle",
]

CONFLICT = "key: another row has it with other values"
_LINE_BITS = 40


@dataclass(frozen=True)
class Load:
    """Files of one contract on their way into the lake.

    `order` is the place of each file, by its number, among the files of the load. Of some the
    lake has the rejected rows already, committed as `settled`: those of all the load's files are
    written anew. What was accepted and rejected of the files in `reloaded` is taken out. Rows
    before `cut` are late.
    """

    lake: Lake
    writer: Writer
    found: Contract
    accepted: Staging
    rejected: Staging
    order: Mapping[int, int]
    settled: frozenset[str] = frozenset()
    reloaded: frozenset[int] = frozenset()
    cut: np.datetime64 | None = None

    @property
    def backend(self) -> Backend:
        """Where the rows are."""
        return self.lake.backend

    @property
    def rewrites_rejected(self) -> bool:
        """Whether the parts of rejected rows are all that the table then has."""
        return bool(self.settled or self.reloaded)

    @cached_property
    def folder(self) -> Path:
        """Where what is worked out on the way lies."""
        return self.accepted.folder.parent


@dataclass(frozen=True)
class Settled:
    """A place after settling: its parts and, by file_no, what became of the rows."""

    parts: list[Part]
    rejected_parts: list[Part]
    accepted: Counter[int]
    rejected: Counter[int]
    conflicts: Counter[int]
    late: Counter[int]
    duplicates: Counter[int]


def keep_keys(load: Load, place: Place) -> None:
    """Numbers the rows where the source has not, and keeps the hashes of their keys."""
    staged = load.accepted.take(place)
    rows = with_row_numbers(staged, load.found, load.backend)
    if rows is not staged:
        _numbered(load, place).put("rows", rows)
    to_host = load.backend.to_host
    hashes = to_host(key_hashes(rows, load.found, load.backend))
    files, ranks = to_host(rows["file_no"]), np.zeros(len(rows), dtype=np.int64)
    for file_no in np.unique(files).tolist():
        ranks[files == file_no] = load.order[file_no]
    places = (ranks << _LINE_BITS) | to_host(rows["line"])
    order = np.argsort(hashes, kind="stable")
    path = _keys_path(load, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.stack([hashes[order], places[order]]), allow_pickle=False)


def kept_keys(load: Load, place: Place) -> Keys:
    """What `keep_keys` kept."""
    hashes, places = np.load(_keys_path(load, place), mmap_mode="r", allow_pickle=False)
    return Keys(place.home, hashes, places)


def known_keys(
    load: Load, first: np.datetime64 | None, last: np.datetime64 | None
) -> Iterator[Known]:
    """The keys of the lake's rows that may be those of rows between two event times."""
    found, lake = load.found, load.lake
    if lake.version(found.name) is None:
        return
    if load.reloaded:
        for bucket in range(load.accepted.buckets):
            rows = _others(load, _of_lake(load, found, (bucket,)))
            hashes = load.backend.to_host(key_hashes(rows, found, load.backend))
            yield Known(lake_home(bucket), "", np.sort(hashes))
        return
    files = lake.files(found.name).within(_reach(found, first, last))
    folder = lake.path / "tables" / found.name
    for path, bucket in zip(files.paths.tolist(), files.buckets.tolist(), strict=True):
        keys = read_keys(folder / path, found, load.backend)
        yield Known(lake_home(max(bucket, 0)), path, keys)


def settle(load: Load, place: Place, repeats: Repeats) -> Settled:
    """Compares the rows of a place with each other and the lake, and writes its parts.

    Where rejected rows come again or files are reloaded, the parts are all that the bucket has.
    """
    found, backend, writer = load.found, load.backend, load.writer
    refused, is_first = found.rejected(), place.piece == 0
    numbered = _numbered(load, place)
    new = numbered.take(Place()) if numbered.folder.exists() else load.accepted.take(place)
    accepted, conflicts = _unique(load, place, new, repeats)
    accepted, late = _in_time(load, accepted)
    key = load.lake.key
    rejected = backend.frames.concat(
        [
            load.rejected.take(place),
            refused_rows(conflicts, CONFLICT, found, key=key, backend=backend),
            refused_rows(late, beyond_horizon(found), found, key=key, backend=backend),
        ]
    )
    kept, kept_rejected = [accepted], [rejected]
    if load.reloaded and is_first:
        kept.append(_others(load, _of_lake(load, found, place.buckets)))
    if load.rewrites_rejected and is_first:
        before = _of_lake(load, refused, place.buckets)
        kept_rejected.append(before[~before["file_no"].isin(list(load.order))])
    return Settled(
        parts=_written(backend.frames.concat(kept), found, writer, place),
        rejected_parts=_written(backend.frames.concat(kept_rejected), refused, writer, place),
        accepted=_by_file(accepted, backend),
        rejected=_by_file(rejected, backend),
        conflicts=_by_file(conflicts, backend),
        late=_by_file(late, backend),
        duplicates=_by_file(new, backend)
        - _by_file(accepted, backend)
        - _by_file(conflicts, backend)
        - _by_file(late, backend),
    )


def beyond_horizon(found: Contract) -> str:
    """The reason of a row that happened too long before the latest one of its table."""
    days = found.late_horizon_days
    return f"beyond_horizon: more than {days} days before the latest event of {found.name}"


def _unique(load: Load, place: Place, new: Frame, repeats: Repeats) -> tuple[Frame, Frame]:
    """(rows to add, rows whose key another row has with other values); the rest are repeats."""
    backend = load.backend
    hashes = backend.to_host(key_hashes(new, load.found, backend))
    again, owners = repeats.of(hashes)
    if not again.any():
        return new, new.iloc[:0]
    mine, others, alone = _sorted_out(again, owners, place)
    present = _present(load, place, hashes[mine], repeats).assign(place=-1)
    kept, conflicts = deduplicated(new.iloc[mine].assign(place=mine), present, load.found, backend)
    stays = np.concatenate([alone, backend.to_host(kept["place"])])
    return (
        new.iloc[np.sort(stays)],
        # A row of somebody else that has the key differs at least in whose it is.
        backend.frames.concat(
            [conflicts.drop(columns="place"), without_repeats(new.iloc[others], load.found)]
        ),
    )


def _sorted_out(
    again: npt.NDArray[np.bool_], owners: Ints, place: Place
) -> tuple[Ints, Ints, Ints]:
    """Where the rows lie whose key a row of this place, or of another one, has, or no other row."""
    mine = np.isin(owners, [place.home, *place.lake])
    return np.flatnonzero(again & mine), np.flatnonzero(again & ~mine), np.flatnonzero(~again)


def _present(load: Load, place: Place, hashes: Ints, repeats: Repeats) -> Frame:
    """The lake's rows in the bucket that have one of the keys."""
    found = load.found
    if load.reloaded:
        rows = _others(load, _of_lake(load, found, place.buckets))
    else:
        rows = _of_lake(load, found, place.buckets, repeats.paths)
    theirs = load.backend.to_host(key_hashes(rows, found, load.backend))
    return rows[np.isin(theirs, hashes)]


def _of_lake(
    load: Load, found: Contract, buckets: tuple[int, ...], paths: frozenset[str] | None = None
) -> Frame:
    """The lake's rows in the buckets, or those of them in certain files."""
    lake = load.lake
    if lake.version(found.name) is None:
        return load.backend.empty(found)
    files = lake.files(found.name)
    if load.found.bucketed:
        files = files.in_buckets(set(buckets))
    if paths is not None:
        files = files.where(np.isin(files.paths, list(paths)))
    return lake.read_files(found.name, files)


def _others(load: Load, rows: Frame) -> Frame:
    """The rows that are of no file which is loaded anew."""
    return rows[~rows["file_no"].isin(list(load.reloaded))]


def _reach(
    found: Contract, first: np.datetime64 | None, last: np.datetime64 | None
) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    """Between which event times rows may have the keys of rows between `first` and `last`."""
    is_dated = found.event_time is not None and (
        found.kind == "event" or found.event_time in found.key
    )
    if not is_dated or first is None or last is None:
        return None, None
    days = 0 if found.event_time in found.key else found.late_horizon_days
    return first - np.timedelta64(days, "D"), last + np.timedelta64(days, "D")


def _in_time(load: Load, rows: Frame) -> tuple[Frame, Frame]:
    """(rows that come in time, rows that happened too long ago to be looked at again)."""
    if load.cut is None or not len(rows):
        return rows, rows.iloc[:0]
    is_late = rows[load.found.event_time] < load.cut
    return rows[~is_late], rows[is_late]


def _numbered(load: Load, place: Place) -> Staging:
    """Where the rows of a place lie once they have numbers."""
    folder = load.folder / "numbered" / place.name
    contract = replace(load.found, bucketed=False)
    return Staging(folder, contract, buckets=1, backend=load.backend)


def _keys_path(load: Load, place: Place) -> Path:
    return load.folder / "keys" / f"{place.name}.npy"


def _written(frame: Frame, found: Contract, writer: Writer, place: Place) -> list[Part]:
    return writer.write(frame, found, number=place.number) if len(frame) else []


def _by_file(frame: Frame, backend: Backend) -> Counter[int]:
    numbers, counts = np.unique(backend.to_host(frame["file_no"]), return_counts=True)
    return Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
