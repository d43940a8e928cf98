"""Writer: the one process that may change a lake, and what it commits."""

import fcntl
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_pipeline.errors import LakeError
from gpu_pipeline.store.parts import Part, partition_columns, write_parts

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from gpu_pipeline.backend import Backend, Frame
    from gpu_pipeline.contracts import Contract

__all__ = ["Writer", "exclusive", "is_table"]

_LOG = "_delta_log"
_TABLE_SETTINGS = {"delta.enableExpiredLogCleanup": "false"}


class Writer:
    """Holds the lake's lock; writes parts and commits them, a table at a time.

    What it wrote without committing is removed when it closes, or, if it was killed, by the next
    writer: the marker in `writing/` names its files.
    """

    def __init__(self, root: Path, *, buckets: int, backend: "Backend") -> None:
        self.root = root
        self.buckets = buckets
        self.backend = backend
        self.id = uuid.uuid4().hex[:12]
        self._written = 0

    def folder(self, table: str) -> Path:
        """Where the table's files lie."""
        return self.root / "tables" / table

    def part_name(self, number: int | None = None) -> str:
        """A file name of this writer's own, never given twice."""
        if number is None:
            self._written += 1
            number = self._written
        return f"part-{number:05d}-{self.id}"

    @property
    def staging(self) -> Path:
        """A folder for work in progress; gone when the writer closes, or with the next one."""
        return self.root / "staging" / self.id

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
        )

    def commit(
        self,
        contract: "Contract",
        parts: Sequence[Part],
        *,
        overwrite: bool = False,
        transactions: Sequence[str] = (),
        note: Mapping[str, Any] | None = None,
    ) -> int:
        """Makes the parts the table's next version, at once or not at all; returns the version.

        `overwrite` replaces all rows. Where the table has every one of `transactions` already,
        nothing is committed. `note` is kept with the version (see `Lake.history`).
        """
        from deltalake import CommitProperties, Transaction

        table = self._table(contract)
        new = [name for name in transactions if table.transaction_version(name) is None]
        if transactions and not new:
            return int(table.version())
        table.create_write_transaction(
            [_add_action(part, contract) for part in parts],
            "overwrite" if overwrite else "append",
            _table_schema(contract),
            partition_columns(contract),
            commit_properties=CommitProperties(
                custom_metadata={"note": dict(note or {})},
                app_transactions=[Transaction(name, 1) for name in new],
            ),
        )
        return int(self._table(contract).version())

    def _table(self, contract: "Contract") -> "DeltaTable":
        from deltalake import DeltaTable

        folder = self.folder(contract.name)
        if not is_table(folder):
            return DeltaTable.create(
                folder,
                schema=_table_schema(contract),
                partition_by=partition_columns(contract),
                name=contract.name,
                description=contract.purpose,
                configuration=_TABLE_SETTINGS,
                mode="ignore",
            )
        return DeltaTable(folder)


def is_table(folder: Path) -> bool:
    """Whether a first version is there; a log without one was left by a killed writer."""
    return (folder / _LOG / f"{0:020d}.json").is_file()


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
        _remove_leftovers(root)
        writer = Writer(root, buckets=buckets, backend=backend)
        marker = root / "writing" / writer.id
        marker.parent.mkdir(exist_ok=True)
        marker.touch()
        try:
            yield writer
        finally:
            _remove_leftovers(root)


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


def _remove_leftovers(root: Path) -> None:
    """Deletes what closed or killed writers left and no version of a table names."""
    for marker in sorted((root / "writing").glob("*")):
        for table in sorted((root / "tables").glob("*")):
            for unfinished in (table / _LOG).glob("*.json#*"):
                unfinished.unlink()
            written = list(table.rglob(f"*-{marker.name}.parquet"))
            logged = _logged(table) if written else ""
            for path in written:
                if path.name not in logged:
                    path.unlink()
        marker.unlink()
    shutil.rmtree(root / "staging", ignore_errors=True)


def _logged(table: Path) -> str:
    return "".join(entry.read_text() for entry in sorted((table / _LOG).glob("*.json")))


def _table_schema(contract: "Contract") -> Any:  # noqa: ANN401
    import pyarrow as pa
    from deltalake import Schema

    types = {"bucket": pa.int32(), "month": pa.string()}
    fields = [pa.field(name, types[name]) for name in partition_columns(contract)]
    return Schema.from_arrow(pa.schema([*contract.arrow_schema(), *fields]))


def _add_action(part: Part, contract: "Contract") -> Any:  # noqa: ANN401
    from deltalake.transaction import AddAction

    return AddAction(
        path=part.path,
        size=part.size_bytes,
        partition_values=part.partition_values,
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=part.stats(contract.event_time),
    )
