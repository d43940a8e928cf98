"""Writer: the one process that may change a lake, and what it commits."""

import fcntl
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gpu_pipeline.errors import LakeError
from gpu_pipeline.store.journal import Journal, remove_leftovers
from gpu_pipeline.store.log import data_version, is_table, latest_version
from gpu_pipeline.store.parts import Part, partition_columns, read_parts, write_parts
from gpu_pipeline.store.schema import (
    add_columns,
    allowed_changes,
    needs_telling,
    table_schema,
    table_settings,
    tell,
)
from gpu_pipeline.store.version import Files, TableVersion

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

    from gpu_pipeline.backend import Backend, Frame
    from gpu_pipeline.contracts import Contract

__all__ = ["Writer", "exclusive"]

_EXACT_IN_FLOAT = 2**53


@dataclass(frozen=True, kw_only=True)
class _Commit:
    """What a commit does and says of itself; `rows` are those that the table has then."""

    kind: Literal["append", "update", "overwrite", "compact", "evolve"]
    rows: int
    note: Mapping[str, Any] = field(default_factory=dict)
    transactions: Sequence[str] = ()


class Writer:
    """Holds the lake's lock; writes parts and commits them, a table at a time.

    What it wrote without committing is removed when it closes, or, if it was killed, by the next
    writer: its journal in `writing/` names its files.
    """

    def __init__(self, root: Path, *, buckets: int, backend: "Backend") -> None:
        self.root = root
        self.buckets = buckets
        self.backend = backend
        self.id = uuid.uuid4().hex[:12]
        self.journal = Journal(root, self.id)
        self._written = 0

    def folder(self, table: str) -> Path:
        """Where the table's files lie."""
        return self.root / "tables" / table

    def part_name(self, number: int | None = None) -> str:
        """A file name of this writer's own: the number's, or one that is never given twice."""
        if number is not None:
            return f"part-{number:05d}-{self.id}"
        self._written += 1
        return f"part-next-{self._written:05d}-{self.id}"

    @property
    def staging(self) -> Path:
        """A folder for work in progress; gone when the writer closes, or with the next one."""
        return self.root / "staging" / self.id

    def check(self, contract: "Contract") -> None:
        """Whether the table can take rows of the contract; it need not be there yet.

        Raises:
            ContractError: what the table holds can't be read under the contract.
        """
        if is_table(self.folder(contract.name)):
            allowed_changes(self._opened(contract), contract)

    def write(
        self, frame: "Frame", contract: "Contract", *, number: int | None = None
    ) -> list[Part]:
        """The rows as parts, not yet committed; `number` tells parts of parallel calls apart."""
        return write_parts(
            frame,
            contract,
            folder=self.folder(contract.name),
            name=self.part_name(number),
            buckets=self.buckets,
            backend=self.backend,
            announce=lambda paths: self.journal.writing(contract.name, paths),
        )

    def commit(
        self,
        contract: "Contract",
        parts: Sequence[Part],
        *,
        overwrite: bool = False,
        instead_of: Files | None = None,
        transactions: Sequence[str] = (),
        note: Mapping[str, Any] | None = None,
    ) -> int:
        """Makes the parts the table's next version, at once or not at all; returns the version.

        `overwrite` replaces all rows, and with them the columns. Otherwise the table grows into
        the contract first, where it must, and the parts come to what is there, or take the place
        of the files that they stand `instead_of`. Where the table has every one of `transactions`
        already, nothing is committed. `note` is kept with the version (see `Lake.history`).

        Raises:
            ContractError: what the table holds can't be read under the contract.
        """
        table = self._opened(contract)
        new = [name for name in transactions if table.transaction_version(name) is None]
        if transactions and not new:
            return int(table.version())
        table = self._grown(table, contract, overwrite=overwrite)
        gone = [instead_of] if instead_of is not None and len(instead_of) else []
        before = 0 if overwrite else _rows(table) - sum(int(files.rows.sum()) for files in gone)
        commit = _Commit(
            kind="overwrite" if overwrite else "update" if gone else "append",
            rows=before + sum(part.rows for part in parts),
            note=note or {},
            transactions=new,
        )
        added = [_added(part, contract) for part in parts]
        return self._commit(table, contract, [*added, *_removed(gone, changes_rows=True)], commit)

    def files(self, contract: "Contract") -> Files:
        """The files of the table, which grows into the contract first, where it must.

        Raises:
            ContractError: what the table holds can't be read under the contract.
            LakeError: there is no table.
        """
        folder = self.folder(contract.name)
        if not is_table(folder):
            message = f"No table {contract.name!r} in {self.root}."
            raise LakeError(message)
        table = self._grown(self._opened(contract), contract)
        return TableVersion(table, contract.event_time).files

    def replace_files(
        self,
        contract: "Contract",
        old: Sequence[Files],
        parts: Sequence[Part],
        *,
        note: Mapping[str, Any],
    ) -> int:
        """Makes the parts stand for the old files, whose rows they hold; returns the version.

        The rows are what they were (see `Lake.data_version`); earlier versions keep their files.
        """
        table = self._opened(contract)
        added = [_added(part, contract, changes_rows=False) for part in parts]
        commit = _Commit(kind="compact", rows=_rows(table), note=note)
        return self._commit(table, contract, [*added, *_removed(old)], commit)

    def _commit(
        self, table: "DeltaTable", contract: "Contract", actions: list[Any], commit: _Commit
    ) -> int:
        folder, version = self.folder(contract.name), int(table.version())
        self.journal.committing(contract.name, version + 1)
        table.create_write_transaction(
            actions,
            "overwrite" if commit.kind in ("overwrite", "evolve") else "append",
            table_schema(contract),
            partition_columns(contract),
            commit_properties=_properties(commit, folder, version),
        )
        return latest_version(folder)

    def _opened(self, contract: "Contract") -> "DeltaTable":
        """The table, fresh from its log (a handle gets slower with each commit); new if need be."""
        from deltalake import DeltaTable

        folder = self.folder(contract.name)
        if is_table(folder):
            return DeltaTable(folder)
        self.journal.committing(contract.name, 0)
        return DeltaTable.create(
            folder,
            schema=table_schema(contract),
            partition_by=partition_columns(contract),
            name=contract.name,
            description=contract.purpose,
            configuration=table_settings(contract),
            raise_if_key_not_exists=False,
            mode="ignore",
        )

    def _grown(
        self, table: "DeltaTable", contract: "Contract", *, overwrite: bool = False
    ) -> "DeltaTable":
        """The table, able to take rows of the contract; one that was killed growing goes on."""
        found = allowed_changes(table, contract, overwrite=overwrite)
        if not needs_telling(table, contract) and not found:
            return table
        folder, commit = self.folder(contract.name), _Commit(kind="evolve", rows=_rows(table))
        if not overwrite:
            widened = [c.column for c in found if c.kind == "widened" and c.column is not None]
            if widened:
                self._widen(table, contract, widened, commit)
                table = self._opened(contract)
            self.journal.committing(contract.name, int(table.version()) + 1)
            add_columns(table, contract, _properties(commit, folder, int(table.version())))
            table = self._opened(contract)
        self.journal.committing(contract.name, int(table.version()) + 1)
        tell(table, contract, _properties(commit, folder, int(table.version())))
        return self._opened(contract)

    def _widen(
        self, table: "DeltaTable", contract: "Contract", columns: list[str], commit: _Commit
    ) -> None:
        """Rewrites all files with the wider columns: Delta has no whole numbers among fractions."""
        folder, parts = self.folder(contract.name), list[Part]()
        for path in TableVersion(table, None).files.paths.tolist():
            _check_exact(folder / path, columns)
            frame = read_parts([str(folder / path)], contract, contract.names, backend=self.backend)
            parts += self.write(frame, contract)
        actions = [_added(part, contract, changes_rows=False) for part in parts]
        self._commit(table, contract, actions, commit)


@contextmanager
def exclusive(
    root: Path, *, buckets: int, backend: "Backend", wait_seconds: float = 0.0
) -> Iterator[Writer]:
    """The lake's only writer while the context lasts.

    Raises:
        LakeError: another process is writing, and still was after `wait_seconds`.
    """
    with (root / "lock").open("a+") as lock:
        _take(lock.fileno(), root, wait_seconds)
        remove_leftovers(root)
        writer = Writer(root, buckets=buckets, backend=backend)
        writer.journal.begin()
        try:
            yield writer
        finally:
            remove_leftovers(root)


def _take(descriptor: int, root: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                message = f"Another process is writing to the lake {root}: wait until it is done."
                raise LakeError(message) from None
            time.sleep(0.05)
        else:
            return


def _rows(table: "DeltaTable") -> int:
    return int(TableVersion(table, None).files.rows.sum())


def _properties(commit: _Commit, folder: Path, version: int) -> "CommitProperties":
    """What the commit after this version says of itself."""
    from deltalake import CommitProperties, Transaction

    said: dict[str, Any] = {"kind": commit.kind, "rows": commit.rows, "note": dict(commit.note)}
    if commit.kind in ("compact", "evolve"):
        said["data_version"] = data_version(folder, version)
    return CommitProperties(
        custom_metadata=said,
        app_transactions=[Transaction(name, 1) for name in commit.transactions],
    )


def _added(part: Part, contract: "Contract", *, changes_rows: bool = True) -> "AddAction":
    from deltalake.transaction import AddAction

    return AddAction(
        path=part.path,
        size=part.size_bytes,
        partition_values=part.partition_values,
        modification_time=_now_ms(),
        data_change=changes_rows,
        stats=part.stats(contract.event_time),
    )


def _removed(old: Sequence[Files], *, changes_rows: bool = False) -> "list[RemoveAction]":
    from deltalake.transaction import RemoveAction

    sizes = {p: s for files in old for p, s in zip(files.paths, files.sizes_bytes, strict=True)}
    return [
        RemoveAction(
            path=path,
            data_change=changes_rows,
            deletion_timestamp=_now_ms(),
            size=int(size),
        )
        for path, size in sizes.items()
    ]


def _now_ms() -> int:
    return int(time.time() * 1000)


def _check_exact(path: Path, columns: Sequence[str]) -> None:
    """Refuses whole numbers that fractions can't tell from their neighbours."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    there = [name for name in columns if name in file.schema_arrow.names]
    for name, values in zip(there, file.read(columns=there).columns, strict=True):
        for extreme in pc.min_max(values).as_py().values():
            if extreme is not None and abs(extreme) > _EXACT_IN_FLOAT:
                message = (
                    f"{path.name}: {name} has {extreme}, which float64 can't hold exactly (beyond "
                    "2^53): keep it int64, and add a new column for fractions."
                )
                raise LakeError(message)
