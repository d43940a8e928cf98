"""Lake: a folder of versioned tables, the door for everyone who reads or writes them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.privacy import fingerprint
from gpu_pipeline.store.folder import key_path, make_lake_folder, read_settings
from gpu_pipeline.store.parts import partition_columns
from gpu_pipeline.store.writer import Writer, exclusive, is_table

if TYPE_CHECKING:
    import dask.dataframe as dd
    from deltalake import DeltaTable

__all__ = ["Condition", "Lake"]

Condition = tuple[str, str, Any]

_COMPARE = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, value: column.isin(list(value)),
}


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
    ) -> None:
        """Opens the lake at `path`.

        `key` is the pseudonym key; without it the file `<path>.key` is read when it is needed.

        Raises:
            LakeError: there is no lake, a newer version made it, or the key is another lake's.
        """
        self.path = Path(path)
        self.backend = backend if backend is not None else Backend.choose()
        settings = read_settings(self.path)
        self.buckets: int = settings["buckets"]
        self.time_zone: str = settings["time_zone"]
        self._fingerprint: str = settings["key_fingerprint"]
        self._given_key = key
        self._versions: dict[str, int] = {}
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
    ) -> Self:
        """A new, empty lake of that many `buckets`, a power of two, or the one that is there.

        Without a `key`, a fresh one is written to `<path>.key`, readable by its owner alone.

        Raises:
            LakeError: the folder can't be made or holds something else.
        """
        make_lake_folder(Path(path), buckets=buckets, key=key)
        return cls(path, backend=backend, key=key)

    @property
    def key(self) -> str:
        """The pseudonym key, 64 hexadecimal digits.

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
        return self._checked(path.read_text().strip(), str(path))

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
        return int(self._open(table).version()) if self._exists(table) else None

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
        (column, operator, value) that must all hold; buckets and months that can't fulfil them
        are not read. `as_of` leaves out what happened later, and of an entity it keeps the
        version that was true then. Times without a zone are UTC.

        Raises:
            LakeError: the table or version is not there, or an operator is unknown.
            ContractError: a column is not the table's.
        """
        import dask
        import dask.dataframe as dd

        found = contract(table)
        conditions = _checked_conditions(where or ())
        names = list(found.names if columns is None else columns)
        for name in [*names, *(condition[0] for condition in conditions)]:
            found[name]  # raises for a column that is not there
        moment = None if as_of is None else _naive(as_of)
        reader = _Reader(self.backend, found, tuple(names), tuple(conditions), moment)
        groups = self._groups(found, conditions, version, whole=as_of is not None)
        # Strings stay the frame library's own, as they are inside a run.
        with dask.config.set({"dataframe.convert-string": False}):
            frame: dd.DataFrame = dd.from_map(
                reader,
                [paths for _, paths in groups],
                meta=self.backend.empty(found, names),
                enforce_metadata=False,
                label=f"read-{table}",
            )
        return frame

    def read_bucket(self, table: str, bucket: int | None, where: Sequence[Condition] = ()) -> Frame:
        """One bucket (of a table without buckets, all rows) at once, as a frame of the device."""
        found, conditions = contract(table), _checked_conditions(where)
        reader = _Reader(self.backend, found, found.names, tuple(conditions), None)
        groups = self._groups(found, conditions, None, whole=True)
        mine = [paths for place, paths in groups if bucket is None or place == f"{bucket:05d}"]
        return reader(tuple(path for paths in mine for path in paths))

    def history(self, table: str) -> list[dict[str, Any]]:
        """The versions of a table, newest first: version, at (UTC), operation and its note."""
        return [
            {
                "version": entry["version"],
                "at": datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
                "operation": entry["operation"],
                **entry.get("note", {}),
            }
            for entry in self._open(table).history()
        ]

    def note(self, table: str) -> dict[str, Any]:
        """What the latest commit says of itself; empty without the table."""
        if not self._exists(table):
            return {}
        (entry,) = self._open(table).history(1)
        return dict(entry.get("note", {}))

    def loaded(self, table: str, transactions: Iterable[str]) -> set[str]:
        """Those of the transactions that the table has a commit of."""
        if not self._exists(table):
            return set()
        opened = self._open(table)
        return {name for name in transactions if opened.transaction_version(name) is not None}

    def rows(self, table: str) -> int:
        """How many rows the version that `read` gives has; read from the log alone."""
        import pyarrow as pa

        if not self._exists(table):
            return 0
        actions = pa.table(self._open(table, self.version(table)).get_add_actions(flatten=True))
        return int(sum(actions["num_records"].to_pylist())) if len(actions) else 0

    def span(self, table: str) -> tuple[datetime, datetime] | None:
        """The earliest and latest event time in the table, UTC without zone; from the log alone."""
        import pyarrow as pa

        column = contract(table).event_time
        if column is None or not self._exists(table):
            return None
        actions = pa.table(self._open(table, self.version(table)).get_add_actions(flatten=True))
        if f"max.{column}" not in actions.column_names:
            return None
        firsts, lasts = (
            [time for time in actions[f"{which}.{column}"].to_pylist() if time is not None]
            for which in ("min", "max")
        )
        return (min(firsts), max(lasts)) if firsts else None

    def latest(self, table: str) -> datetime | None:
        """The latest event time in the table, UTC without zone; read from the log alone."""
        span = self.span(table)
        return None if span is None else span[1]

    def writer(self, *, wait_seconds: float = 10.0) -> AbstractContextManager[Writer]:
        """The right to write, for one process at a time.

        Raises:
            LakeError: another process holds it, and still did after `wait_seconds`.
        """
        return exclusive(
            self.path, buckets=self.buckets, backend=self.backend, wait_seconds=wait_seconds
        )

    def _checked(self, key: str, where: str) -> str:
        if fingerprint(key) != self._fingerprint:
            message = f"{where} is not the pseudonym key of {self.path}: it was made with another."
            raise LakeError(message)
        return key

    def _exists(self, table: str) -> bool:
        return is_table(self.path / "tables" / table)

    def _open(self, table: str, version: int | None = None) -> "DeltaTable":
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        if not self._exists(table):
            there = ", ".join(self.tables()) or "none yet"
            message = f"No table {table!r} in {self.path}. Tables: {there}."
            raise LakeError(message)
        try:
            return DeltaTable(self.path / "tables" / table, version=version)
        except (DeltaError, TableNotFoundError, OSError, OverflowError, ValueError) as error:
            message = (
                f"Table {table!r} of {self.path} can't be opened at version {version}: {error}"
            )
            raise LakeError(message) from error

    def _groups(
        self,
        found: Contract,
        conditions: Sequence[Condition],
        version: int | None,
        *,
        whole: bool,
    ) -> list[tuple[str, tuple[str, ...]]]:
        """(place, files) of each partition; files that can't hold a row that fits are left out."""
        if version is None:
            version = self.version(found.name)
        table = self._open(found.name, version)
        buckets = _possible_buckets(conditions, self.buckets) if found.bucketed else None
        months = _possible_months(conditions, found)
        groups: dict[str, list[str]] = {}
        folder, depth = self.path / "tables" / found.name, len(partition_columns(found))
        for uri in sorted(table.file_uris()):
            *places, name = Path(uri).parts[-1 - depth :]  # before that, a URI is percent-encoded
            at, path = dict(p.split("=") for p in places), str(folder.joinpath(*places, name))
            if buckets is not None and int(at["bucket"]) not in buckets:
                continue
            if found.by_month and not months[0] <= at["month"] <= months[1]:
                continue
            place = f"{int(at['bucket']):05d}" if found.bucketed else "" if whole else path
            groups.setdefault(place, []).append(path)
        return [(place, tuple(groups[place])) for place in sorted(groups)] or [("", ())]


class _Reader:
    """Reads one partition; small, sent to workers."""

    def __init__(
        self,
        backend: Backend,
        found: Contract,
        columns: tuple[str, ...],
        conditions: tuple[Condition, ...],
        as_of: np.datetime64 | None,
    ) -> None:
        self.backend = backend
        self.contract = found
        self.columns = columns
        self.conditions = conditions
        self.as_of = as_of

    def __call__(self, paths: tuple[str, ...]) -> Frame:
        needed = dict.fromkeys([*self.columns, *(c[0] for c in self.conditions)])
        if self.as_of is not None:
            needed |= dict.fromkeys([*self.contract.key, *self._time()])
        if not paths:
            return self.backend.empty(self.contract, self.columns)
        frame = self.backend.read_parquet(paths, list(needed))
        for column, operator, value in self.conditions:
            frame = frame[_COMPARE[operator](frame[column], value)]
        if self.as_of is not None:
            frame = self._then(frame, self.as_of)
        return frame[list(self.columns)].reset_index(drop=True)

    def _time(self) -> list[str]:
        return [self.contract.event_time] if self.contract.event_time else []

    def _then(self, frame: Frame, as_of: np.datetime64) -> Frame:
        if self.contract.event_time is None:
            return frame
        frame = frame[frame[self.contract.event_time] <= as_of]
        if self.contract.kind == "event" or self.contract.event_time not in self.contract.key:
            return frame
        identity = [name for name in self.contract.key if name != self.contract.event_time]
        ordered = frame.sort_values([*identity, self.contract.event_time])
        return ordered.drop_duplicates(subset=identity, keep="last")


def _naive(moment: datetime) -> np.datetime64:
    """The moment as columns hold it: UTC, microseconds, no zone."""
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(utc, "us")


def _checked_conditions(where: Sequence[Condition]) -> list[Condition]:
    for column, operator, _ in where:
        if operator not in _COMPARE:
            message = f"{column} {operator}: there are only {', '.join(_COMPARE)}."
            raise LakeError(message)
    return [(c, o, _naive(v) if isinstance(v, datetime) else v) for c, o, v in where]


def _possible_buckets(conditions: Sequence[Condition], buckets: int) -> set[int] | None:
    possible: set[int] | None = None
    for column, operator, value in conditions:
        if column == "customer_key" and operator in ("==", "in"):
            keys = [value] if operator == "==" else list(value)
            found = {int(key) & (buckets - 1) for key in keys}
            possible = found if possible is None else possible & found
    return possible


def _possible_months(conditions: Sequence[Condition], found: Contract) -> tuple[str, str]:
    first, last = "", "~"
    for column, operator, value in conditions:
        if column == found.event_time and operator in ("==", "<", "<=", ">", ">="):
            month = str(np.datetime64(value, "M"))
            if operator != "<" and operator != "<=":
                first = max(first, month)
            if operator != ">" and operator != ">=":
                last = min(last, month)
    return first, last
