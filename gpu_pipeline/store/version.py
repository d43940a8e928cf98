"""One version of a table as its log tells it: which files it has and what lies in them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from gpu_pipeline.errors import LakeError
from gpu_pipeline.store.conditions import Span
from gpu_pipeline.store.log import added_files, commit_info, log_entry

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["SAME_ROWS", "Files", "OpenedVersions", "TableVersion", "appended"]

_NO_BUCKET = -1
SAME_ROWS = ("compact", "evolve")  # what makes a version of the same rows


@dataclass(frozen=True)
class Files:
    """The files of a version: arrays with one entry a file, in order of the paths.

    `paths` are relative to the table; `firsts` and `lasts` (UTC, microseconds) are NaT where the
    log names no range of the event time; `buckets` are -1 where the table has none.
    """

    paths: npt.NDArray[np.object_]
    sizes_bytes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int64]
    months: npt.NDArray[np.object_]
    firsts: npt.NDArray[np.datetime64]
    lasts: npt.NDArray[np.datetime64]

    @classmethod
    def of_log(cls, actions: Sequence[Mapping[str, Any]], event_time: str | None) -> Self:
        """Those of some actions that add a file, as the log has them."""
        stats = [json.loads(action["stats"]) for action in actions]
        places = [action["partitionValues"] for action in actions]

        def times(which: str) -> npt.NDArray[np.datetime64]:
            found = [facts.get(which, {}).get(event_time, "NaT") for facts in stats]
            return np.array([str(time).removesuffix("Z") for time in found], "datetime64[us]")

        return cls(
            paths=np.array([action["path"] for action in actions], "object"),
            sizes_bytes=np.array([action["size"] for action in actions], "int64"),
            rows=np.array([facts["numRecords"] for facts in stats], "int64"),
            buckets=np.array([place.get("bucket", _NO_BUCKET) for place in places], "int64"),
            months=np.array([place.get("month", "") for place in places], "object"),
            firsts=times("minValues"),
            lasts=times("maxValues"),
        )._in_order()

    def _in_order(self) -> Self:
        order = np.argsort(self.paths.astype(str), kind="stable")
        return type(self)(**{name: values[order] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.paths)

    def where(self, mask: npt.NDArray[np.bool_]) -> "Files":
        """Those files for which the mask is true."""
        return Files(**{name: values[mask] for name, values in vars(self).items()})

    def named(self, paths: Iterable[str]) -> "Files":
        """Those of these paths."""
        return self.where(np.isin(self.paths.astype(str), list(paths)))

    def each(self) -> Iterator["Files"]:
        """One after the other."""
        for place in range(len(self)):
            yield self.where(np.arange(len(self)) == place)

    def in_buckets(self, buckets: set[int] | None) -> "Files":
        """Those of the buckets; None is all."""
        return self if buckets is None else self.where(np.isin(self.buckets, list(buckets)))

    def within(self, span: Span) -> "Files":
        """Those that can hold an event of the span; one without a range in the log can."""
        first, last = span
        kept = np.ones(len(self), dtype=bool)
        if first is not None:
            kept &= np.isnat(self.lasts) | (self.lasts >= first)
        if last is not None:
            kept &= np.isnat(self.firsts) | (self.firsts <= last)
        return self.where(kept)

    def touching(
        self, firsts: npt.NDArray[np.datetime64], lasts: npt.NDArray[np.datetime64]
    ) -> "Files":
        """Those that can hold an event of one of the spans, each from a first to a last moment."""
        # As many spans touch a file as begin by its end, less those that end before it begins.
        begun = np.searchsorted(np.sort(firsts), self.lasts, side="right")
        ended = np.searchsorted(np.sort(lasts), self.firsts, side="left")
        return self.where((begun > ended) | np.isnat(self.firsts))


class TableVersion:
    """A table at one version: its files, and which transactions it has seen."""

    def __init__(self, handle: "DeltaTable", event_time: str | None) -> None:
        self.number = int(handle.version())
        self._handle = handle
        self._event_time = event_time

    @classmethod
    def open(cls, folder: Path, number: int, event_time: str | None) -> Self:
        """The version of that number.

        Raises:
            LakeError: it is not there, or its log can't be read.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            return cls(DeltaTable(folder, version=number), event_time)
        except (DeltaError, OverflowError, ValueError) as error:
            message = (
                f"Table {folder.name!r} of {folder.parent.parent} can't be opened at version "
                f"{number}: {error}"
            )
            raise LakeError(message) from error

    @cached_property
    def files(self) -> Files:
        """All files of this version."""
        import pyarrow as pa

        actions = pa.table(self._handle.get_add_actions(flatten=True))
        count = len(actions)

        def column(name: str, missing: object, dtype: str) -> npt.NDArray[Any]:
            if name not in actions.column_names:
                return np.full(count, missing, dtype=dtype)
            return actions[name].to_numpy().astype(dtype)

        return Files(
            paths=column("path", "", "object"),
            sizes_bytes=column("size_bytes", 0, "int64"),
            rows=column("num_records", 0, "int64"),
            buckets=column("partition.bucket", _NO_BUCKET, "int64"),
            months=column("partition.month", "", "object"),
            firsts=column(f"min.{self._event_time}", "NaT", "datetime64[us]"),
            lasts=column(f"max.{self._event_time}", "NaT", "datetime64[us]"),
        )._in_order()

    def has_seen(self, transaction: str) -> bool:
        """Whether a commit up to this version carried the transaction."""
        return self._handle.transaction_version(transaction) is not None


def appended(folder: Path, since: int, until: int, event_time: str | None) -> Files | None:
    """The files that the versions after `since`, up to `until`, brought new rows in.

    They are there to be read, compacted since or not. None where that can't be said: rows were
    also replaced or taken out, a file was given up, or there was no version `since`.
    """
    actions: list[dict[str, Any]] = []
    if not 0 <= since <= until:
        return None
    for version in range(since + 1, until + 1):
        kind = commit_info(folder, version).get("kind")
        if kind == "append":
            actions += added_files(folder, version)
        elif kind not in SAME_ROWS:
            return None
    if not all((folder / action["path"]).is_file() for action in actions):
        return None
    return Files.of_log(actions, event_time)


class OpenedVersions:
    """The versions that were opened last, one a table: opening costs more than asking again.

    A version never changes, but a folder may be given another table: the log entry's stamp tells.
    """

    def __init__(self, tables: Path) -> None:
        self.tables = tables
        self._opened: dict[str, tuple[tuple[int, int], TableVersion]] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["OpenedVersions"], tuple[Path]]:
        return type(self), (self.tables,)

    def get(self, table: str, number: int, event_time: str | None) -> TableVersion:
        """The table at this version; raises as `TableVersion.open` does."""
        folder = self.tables / table
        entry = log_entry(folder, number)
        stamp = (entry.stat().st_mtime_ns, entry.stat().st_ino) if entry.is_file() else (0, 0)
        with self._lock:
            known = self._opened.get(table)
            if known is not None and known[0] == stamp and known[1].number == number:
                return known[1]
            opened = TableVersion.open(folder, number, event_time)
            self._opened[table] = (stamp, opened)
        return opened
