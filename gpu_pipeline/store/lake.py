"""Lake: a folder of versioned tables, the door for everyone who reads or writes them."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.privacy import fingerprint
from gpu_pipeline.store.conditions import (
    Condition,
    as_moment,
    checked,
    possible_buckets,
    possible_span,
)
from gpu_pipeline.store.folder import (
    check_asked,
    check_settled,
    key_path,
    make_lake_folder,
    read_key_file,
    read_settings,
)
from gpu_pipeline.store.log import commit_info, data_version, is_table, latest_version
from gpu_pipeline.store.reading import PartReader
from gpu_pipeline.store.version import Files, OpenedVersions, TableVersion, appended
from gpu_pipeline.store.writer import Writer, exclusive

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd

    from gpu_pipeline.store.sql import Parameters, TableFiles

__all__ = ["Lake"]


class Lake:
    """Tables of one shop. Reading gives Dask frames; writing goes through `writer()`.

    >>> lake = Lake("demo-lake")  # doctest: +SKIP
    >>> lake.read("orders", where=[("line_type", "==", "return")]).head()  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        backend: Backend | None = None,
        key: str | None = None,
        time_zone: str | None = None,
        currency: str | None = None,
    ) -> None:
        """Opens the lake at `path`.

        `key` is the pseudonym key, or after rotations the chain of them, commas between;
        without it the file `<path>.key` is read when it is needed. A `time_zone` or `currency`
        that is given must be the lake's.

        Raises:
            LakeError: there is no lake, a newer version made it, its keys are being rotated, or
                the key is another lake's, or the time zone or currency is another.
        """
        self.path = _checked_path(Path(path))
        self.backend = backend if backend is not None else Backend.choose()
        settings = read_settings(self.path)
        self.buckets: int = settings["buckets"]
        self.time_zone: str = settings["time_zone"]
        self.currency: str = settings["currency"]
        check_asked(self.path, settings, time_zone=time_zone, currency=currency)
        self._fingerprint: str = settings["key_fingerprint"]
        self._closed: dict[str, int] = settings.get("closed_before", {})
        self._given_key = key
        self._versions: dict[str, int] = {}
        self._opened = OpenedVersions(self.path / "tables")
        self._check_settled()
        if key is not None:
            self._checked(key, "the key that was given")

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        buckets: int = 16,
        backend: Backend | None = None,
        key: str | None = None,
        time_zone: str | None = None,
        currency: str | None = None,
    ) -> Self:
        """A new, empty lake of that many `buckets`, a power of two, or the one that is there.

        Without a `key`, a fresh one is written to `<path>.key`, readable by its owner alone.
        The `time_zone` (by default UTC) says when a business day begins, the `currency` (by
        default none) what other currencies are converted to. A lake that is there keeps its own.

        Raises:
            LakeError: the folder can't be made or holds something else, a setting makes no sense,
                or the lake that is there has another time zone or currency than those given.
        """
        make_lake_folder(
            _checked_path(Path(path)),
            buckets=buckets,
            key=key,
            time_zone="UTC" if time_zone is None else time_zone,
            currency="" if currency is None else currency,
        )
        return cls(path, backend=backend, key=key, time_zone=time_zone, currency=currency)

    @property
    def key(self) -> str:
        """The pseudonym key, 64 hexadecimal digits; a chain of them after rotations.

        Raises:
            LakeError: it is nowhere to be found, or is not this lake's.
        """
        if self._given_key is not None:
            return self._given_key
        path = key_path(self.path)
        if not path.is_file():
            message = (
                f"The pseudonym key of {self.path} is missing: put it in {path} (mode 0600) or "
                "in the variable GPU_PIPELINE_KEY."
            )
            raise LakeError(message)
        return self._checked(read_key_file(path)[0], str(path))

    @property
    def serving(self) -> Path:
        """Where the published snapshots lie."""
        return self.path / "serving"

    def tables(self) -> list[str]:
        """The tables that have been written, in order of the alphabet."""
        return sorted(p.name for p in (self.path / "tables").glob("*") if is_table(p))

    def version(self, table: str) -> int | None:
        """The version that `read` gives: the pinned or the latest one; None without the table."""
        if table in self._versions:
            return self._versions[table]
        folder = self.path / "tables" / table
        return latest_version(folder) if is_table(folder) else None

    def data_version(self, table: str) -> int | None:
        """The version since which the rows are what `read` gives; None without the table.

        A compaction, or a column that was added, makes a new version of the same rows.
        """
        version = self.version(table)
        return None if version is None else data_version(self.path / "tables" / table, version)

    def pinned(self, versions: Mapping[str, int]) -> "Lake":
        """The same lake, where `read` gives these versions unless told another."""
        view = Lake(self.path, backend=self.backend, key=self._given_key)
        view._versions = {**self._versions, **versions}
        return view

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        where: Sequence[Condition] | None = None,
        version: int | None = None,
        as_of: datetime | None = None,
    ) -> "dd.DataFrame":
        """The table as a Dask frame, one partition a bucket (or file, where it has no buckets).

        A partition holds whole histories: all rows of its customers. `where` are conditions
        (column, operator, value) that must all hold; files whose bucket or event times can't
        fulfil them are not opened. Times are datetimes or ISO 8601 texts, UTC without a zone.

        `as_of` leaves out what happened later. An entity's row is valid from its event time on,
        until the next row of the same entity: with `as_of` each entity comes once, as it was
        then, and conditions are held to that row; without, all its versions come.
        `as_of=lake.latest(table)` gives the entities as they are.

        A `version` from before the contract grew reads with the columns of today: what was
        not there yet is null, or has the contract's default.

        Raises:
            LakeError: the table or version is not there, an operator is unknown, or a value is
                no time where the column is one.
            ContractError: a column is not the table's.
        """
        import dask
        import dask.dataframe as dd

        found = contract(table)
        names = list(found.names if columns is None else columns)
        reader = self._reader(found, names, where or (), as_of)
        groups = self._groups(found, reader, version, whole=as_of is not None)
        # Strings stay the frame library's own, as they are inside a run.
        with dask.config.set({"dataframe.convert-string": False}):
            frame: dd.DataFrame = dd.from_map(
                reader,
                groups,
                meta=self.backend.empty(found, names),
                enforce_metadata=False,
                label=f"read-{table}",
            )
        return frame

    def sql(self, query: str, parameters: "Parameters | None" = None) -> "pd.DataFrame":
        """The answer to one SELECT over the tables, by DuckDB (the `notebooks` extra).

        Each table is a view of its name: all rows of the version that `read` gives, an entity's
        older ones too. Times are UTC, money is in minor units, keys are int64. `parameters` take
        the places of `?` in order, or of `$name` by name. Nothing can be written.

        >>> lake.sql("SELECT channel, count(*) AS lines FROM orders GROUP BY 1")  # doctest: +SKIP

        Raises:
            LakeError: DuckDB is not installed, or the query is no SELECT or can't be answered.
        """
        from gpu_pipeline.store.sql import selected

        return selected(query, parameters, tables=self.tables(), files_of=self._table_files)

    def read_bucket(
        self,
        table: str,
        bucket: int | None,
        where: Sequence[Condition] = (),
        columns: Sequence[str] | None = None,
    ) -> Frame:
        """One bucket (of a table without buckets, all rows) at once, as a frame of the device.

        Files that can't hold a row that fulfils the conditions are not opened; raises as `read`.
        """
        found = contract(table)
        reader = self._reader(found, found.names if columns is None else columns, where, None)
        files = self._files(found, reader, None)
        if bucket is not None and found.bucketed:
            files = files.in_buckets({bucket})
        return reader(self._paths(found, files))

    def files(self, table: str) -> Files:
        """The files of the version that `read` gives, as its log tells them.

        Raises:
            LakeError: the table is not there.
        """
        return self._open(contract(table)).files

    def added(self, table: str, since: int) -> Files | None:
        """The files whose rows are all that came to the table after the version `since`.

        Up to the version that `read` gives, for the price of the log in between. None where only
        the whole table tells: rows were also replaced or taken out (a load with --reload, a
        rotation), or a file was compacted since and then given up.

        Raises:
            LakeError: the table is not there.
        """
        found = contract(table)
        return appended(self._folder(table), since, self._open(found).number, found.event_time)

    def read_files(
        self,
        table: str,
        files: Files,
        where: Sequence[Condition] = (),
        columns: Sequence[str] | None = None,
    ) -> Frame:
        """The rows of some of the files, in order, as a frame of the device; raises as `read`."""
        found = contract(table)
        names = found.names if columns is None else columns
        return self._reader(found, names, where, None)(self._paths(found, files))

    def history(self, table: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The versions of a table (at most `limit`), newest first.

        Each with version, at (UTC), operation (create, append, update, overwrite, compact or
        evolve), the rows that the table then had, and its note.

        Raises:
            LakeError: the table is not there.
        """
        folder = self._folder(table)
        numbers = islice(range(latest_version(folder), -1, -1), limit)
        return [_told(number, commit_info(folder, number)) for number in numbers]

    def note(self, table: str) -> dict[str, Any]:
        """What the commit that gave the table its rows says of itself; empty without the table."""
        folder = self.path / "tables" / table
        if not is_table(folder):
            return {}
        version = data_version(folder, latest_version(folder))
        return dict(commit_info(folder, version).get("note", {}))

    def loaded(self, table: str, transactions: Iterable[str]) -> set[str]:
        """Those of the transactions that the table has a commit of."""
        if not self._exists(table):
            return set()
        opened = self._open(contract(table), latest_version(self._folder(table)))
        return {name for name in transactions if opened.has_seen(name)}

    def rows(self, table: str) -> int:
        """How many rows the version that `read` gives has; read from the log alone."""
        if not self._exists(table):
            return 0
        return int(self._open(contract(table)).files.rows.sum())

    def span(self, table: str) -> tuple[datetime, datetime] | None:
        """The earliest and latest event time in the table, UTC without zone; from the log alone."""
        if contract(table).event_time is None or not self._exists(table):
            return None
        files = self._open(contract(table)).files
        timed = files.where(~np.isnat(files.firsts))
        if not len(timed):
            return None
        return timed.firsts.min().item(), timed.lasts.max().item()

    def latest(self, table: str) -> datetime | None:
        """The latest event time in the table, UTC without zone; read from the log alone."""
        span = self.span(table)
        return None if span is None else span[1]

    @contextmanager
    def writer(self, *, wait_seconds: float = 10.0) -> Iterator[Writer]:
        """The right to write, for one process at a time.

        Raises:
            LakeError: another process holds it, and still did after `wait_seconds`; or the keys
                were rotated meanwhile.
        """
        with exclusive(
            self.path, buckets=self.buckets, backend=self.backend, wait_seconds=wait_seconds
        ) as writer:
            self._check_settled()
            yield writer

    def _check_settled(self) -> None:
        check_settled(self.path, self._fingerprint)

    def _checked(self, key: str, where: str) -> str:
        if fingerprint(key) != self._fingerprint:
            message = f"{where} is not the pseudonym key of {self.path}: it was made with another."
            raise LakeError(message)
        return key

    def _exists(self, table: str) -> bool:
        return is_table(self.path / "tables" / table)

    def _folder(self, table: str) -> Path:
        if not self._exists(table):
            there = ", ".join(self.tables()) or "none yet"
            message = f"No table {table!r} in {self.path}. Tables: {there}."
            raise LakeError(message)
        return self.path / "tables" / table

    def _open(self, found: Contract, version: int | None = None) -> TableVersion:
        """The table at that version; by default at the one that `read` gives."""
        self._check_settled()
        folder = self._folder(found.name)
        if version is None:
            version = self._versions.get(found.name)
        number = latest_version(folder) if version is None else version
        if 0 <= number < self._closed.get(found.name, 0):
            message = (
                f"Version {number} of {found.name} was closed by a rotation of the keys of "
                f"{self.path}: versions from {self._closed[found.name]} on can be read."
            )
            raise LakeError(message)
        return self._opened.get(found.name, number, found.event_time)

    def _reader(
        self,
        found: Contract,
        columns: Sequence[str],
        where: Sequence[Condition],
        as_of: datetime | None,
    ) -> PartReader:
        for name in columns:
            found[name]  # raises for a column that is not there
        return PartReader(
            self.backend,
            found,
            columns=columns,
            conditions=checked(where, found),
            as_of=None if as_of is None else as_moment(as_of),
        )

    def _files(self, found: Contract, reader: PartReader, version: int | None) -> Files:
        """The files that can hold a row that the reader keeps."""
        buckets = possible_buckets(reader.early, self.buckets) if found.bucketed else None
        opened = self._open(found, version)
        span = possible_span(reader.early, found.event_time)
        files = opened.files.in_buckets(buckets).within(span)
        self._check_kept(found, opened.number, files)
        return files

    def _check_kept(self, found: Contract, version: int, files: Files) -> None:
        """Refuses a version whose files were given up; the latest has all of its own."""
        if version == latest_version(self._folder(found.name)):
            return
        if not all(Path(path).is_file() for path in self._paths(found, files)):
            message = (
                f"Version {version} of {found.name} can't be read any more: `gpu-pipeline compact` "
                "removed files that no version of the days to keep (--keep-days) had."
            )
            raise LakeError(message)

    def _table_files(self, table: str) -> "TableFiles":
        found = contract(table)
        opened = self._open(found)
        self._check_kept(found, opened.number, opened.files)
        return found, [str(Path(p).absolute()) for p in self._paths(found, opened.files)]

    def _paths(self, found: Contract, files: Files) -> list[str]:
        folder = self.path / "tables" / found.name
        return [str(folder / path) for path in files.paths]

    def _groups(
        self, found: Contract, reader: PartReader, version: int | None, *, whole: bool
    ) -> list[list[str]]:
        """The files of each partition (a bucket, `whole` table or file); never no partition."""
        files = self._files(found, reader, version)
        if found.bucketed:
            groups = [files.in_buckets({b}) for b in np.unique(files.buckets).tolist()]
            return [self._paths(found, group) for group in groups] or [[]]
        paths = self._paths(found, files)
        return [paths] if whole or not paths else [[path] for path in paths]


def _checked_path(path: Path) -> Path:
    """Refuses a path that Delta's own code would take for another one."""
    escaped = re.search("%[0-9a-fA-F]{2}", str(path.resolve()))
    if escaped:
        message = (
            f"The lake can't be in {path.resolve()}: {escaped.group()} in a path is taken for an "
            "escaped character. Choose a path without it; spaces and umlauts are fine."
        )
        raise LakeError(message)
    return path


def _told(number: int, info: Mapping[str, Any]) -> dict[str, Any]:
    operation = str(info.get("operation", "")).lower()
    return {
        "version": number,
        "at": datetime.fromtimestamp(info.get("timestamp", 0) / 1000, UTC),
        "operation": "create" if operation == "create table" else info.get("kind", operation),
        "rows": info.get("rows"),
        **info.get("note", {}),
    }
