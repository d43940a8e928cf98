"""Ledger: which files were loaded, under which contract and mapping, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.ingest.planning import LandingFile
from gpu_pipeline.store import Lake, Writer

__all__ = ["LEDGER", "FileReport", "healed", "loaded_before", "record"]

LEDGER = "source_files"


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What became of a file's rows: rows = accepted + rejected + duplicates, exactly.

    `redacted` says how many identifiers of people were taken out of its texts, by kind. Of a
    file that was `loaded_before`, under whatever name, all says what became of it then.
    """

    name: str
    contract: str
    file_id: str
    file_no: int
    mapping: str
    rows: int
    accepted: int
    rejected: int
    duplicates: int
    redacted: str | None = None
    verdict: str = "passed"
    loaded_before: bool = False

    @property
    def transaction(self) -> str:
        """What the commits of this load carry: the file as it was read."""
        return f"{self.file_id}:{self.mapping}"


def loaded_before(lake: Lake, files: Sequence[LandingFile]) -> dict[str, dict[str, FileReport]]:
    """Those of the files that the ledger has, by contract and file_id; read once for a load."""
    if lake.version(LEDGER) is None:
        return {}
    asked = [("file_id", "in", sorted({file.file_id for file in files}))]
    rows = lake.backend.to_pandas(lake.read_bucket(LEDGER, None, asked))
    records: list[Any] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    found: dict[str, dict[str, FileReport]] = {}
    for row in records:
        report = FileReport(**row, loaded_before=True)
        found.setdefault(report.contract, {})[report.file_id] = report
    return found


def healed(
    lake: Lake,
    writer: Writer,
    found: Contract,
    files: Sequence[LandingFile],
    known: Mapping[str, FileReport],
) -> dict[str, FileReport]:
    """Those of the files that were loaded under the contract before, by file_id.

    `known` are those that the ledger has. Files whose load was killed after the rows were
    committed are recorded first.
    """
    lost = lake.loaded(found.name, (f.transaction for f in files if f.file_id not in known))
    if not lost:
        return dict(known)
    notes = [note for entry in lake.history(found.name) for note in entry.get("files", ())]
    reports = [FileReport(**note) for note in notes]
    reports = [one for one in reports if one.transaction in lost]
    record(lake, writer, reports)
    return {**known, **{one.file_id: replace(one, loaded_before=True) for one in reports}}


def record(
    lake: Lake, writer: Writer, reports: Sequence[FileReport], *, anew: bool = False
) -> None:
    """Adds the files, in one commit; those that are there already, never.

    With `anew` the entries stand in place of those that the files have.
    """
    ledger, backend = contract(LEDGER), lake.backend
    rows = pd.DataFrame([asdict(report) for report in reports]).drop(columns="loaded_before")
    if anew:
        before = backend.to_pandas(lake.read(LEDGER).compute())
        of_file = ["contract", "file_id"]
        is_old = before.set_index(of_file).index.isin(rows.set_index(of_file).index)
        rows = pd.concat([before[~is_old], rows])
    parts = writer.write(backend.from_pandas(rows.astype({"redacted": "str"})), ledger)
    transactions = [f"{report.contract}:{report.transaction}" for report in reports]
    writer.commit(ledger, parts, overwrite=anew, transactions=transactions)
