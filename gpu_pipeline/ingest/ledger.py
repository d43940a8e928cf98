"""Ledger: which files were loaded, under which contract and mapping, and what became of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.ingest.planning import LandingFile
from gpu_pipeline.store import Lake, Writer

__all__ = ["FileReport", "healed", "record"]

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


def healed(
    lake: Lake, writer: Writer, found: Contract, files: Sequence[LandingFile]
) -> dict[str, FileReport]:
    """What was loaded under the contract before, by file_id.

    Files whose load was killed after the rows were committed are recorded first.
    """
    known = _recorded(lake, found)
    lost = lake.loaded(found.name, (f.transaction for f in files if f.file_id not in known))
    if lost:
        notes = [record for entry in lake.history(found.name) for record in entry.get("files", ())]
        reports = [FileReport(**note) for note in notes]
        record(lake, writer, [one for one in reports if one.transaction in lost])
        known = _recorded(lake, found)
    return known


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


def _recorded(lake: Lake, found: Contract) -> dict[str, FileReport]:
    if lake.version(LEDGER) is None:
        return {}
    rows = lake.backend.to_pandas(
        lake.read(LEDGER, where=[("contract", "==", found.name)]).compute()
    )
    records: list[Any] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return {row["file_id"]: FileReport(**row, loaded_before=True) for row in records}
