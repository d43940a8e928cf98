"""Results: measurements of files and tables, kept in the lake and read back as one table."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.quality.verdicts import VERDICTS, Measurement
from gpu_pipeline.store import Lake, Part, Writer

if TYPE_CHECKING:
    from gpu_pipeline.backend import Backend, Frame

__all__ = ["RESULTS", "by_run", "latest", "record", "results", "written"]

RESULTS = "quality_results"


def record(lake: Lake, writer: Writer, measurements: Iterable[Measurement]) -> None:
    """Adds measurements to the lake in one commit; those of a file or run that has some, never.

    All measurements of one subject come in one call.
    """
    by_subject: dict[str, list[Measurement]] = {}
    for one in measurements:
        by_subject.setdefault(_transaction(one), []).append(one)
    known = lake.loaded(RESULTS, by_subject)
    new = {name: some for name, some in by_subject.items() if name not in known}
    if new:
        parts = written(lake, writer, [one for some in new.values() for one in some])
        writer.commit(contract(RESULTS), parts, transactions=list(new))


def written(lake: Lake, writer: Writer, measurements: Sequence[Measurement]) -> list[Part]:
    """The measurements as parts of the table, not yet committed."""
    if not measurements:
        return []
    return writer.write(_frame(measurements, lake.backend), contract(RESULTS))


def results(lake: Lake, *, table: str | None = None) -> pd.DataFrame:
    """Every measurement that the lake keeps, or those of one table, oldest first.

    Empty where nothing was measured yet.
    """
    if lake.version(RESULTS) is None:
        return lake.backend.to_pandas(lake.backend.empty(contract(RESULTS)))
    where = [("contract", "==", table)] if table is not None else None
    frame = lake.backend.to_pandas(lake.read(RESULTS, where=where).compute())
    order = ["checked_as_of", *contract(RESULTS).key]
    return frame.sort_values(order, na_position="first", ignore_index=True)


def latest(found: pd.DataFrame) -> pd.DataFrame:
    """One row for each contract, subject and rule as the last load or run left it, worst first.

    Of several files of one load, rows and failures are sums and the verdict is the worst one.
    """
    if not len(found):
        return found
    of_feed = ["contract", "subject"]
    last = found.groupby(of_feed, sort=False)["run_id"].transform("last")
    now = found[found["run_id"] == last]
    now = now.assign(rank=now["verdict"].map(VERDICTS.index)).sort_values("rank", kind="stable")
    by = [*of_feed, "rule"]
    whole = now.drop_duplicates(by, keep="last").set_index(by)
    sums = now.groupby(by, sort=False)[["rows", "failed"]].sum()
    whole = whole.assign(rows=sums["rows"], failed=sums["failed"]).reset_index()
    share = whole["failed"] / whole["rows"].where(whole["rows"] > 0)
    whole = whole.assign(
        measured=whole["measured"].where(whole["subject"] == "table", share), share=share.fillna(0)
    )
    order = ["rank", "share", "contract", "subject", "rule"]
    ordered = whole.sort_values(order, ascending=[False, False, True, True, True])
    return ordered[list(found.columns)].reset_index(drop=True)


def by_run(found: pd.DataFrame) -> pd.DataFrame:
    """One row for each file or table and the load or run that checked it, newest first.

    Columns: checked_as_of, contract, subject, subject_name, run_id, rules (checked), broken (of
    them), failed (rows, of the rule that most broke) and the worst verdict.
    """
    by = ["contract", "subject", "subject_id", "run_id"]
    ranked = found.assign(rank=found["verdict"].map(VERDICTS.index), rules=1)
    ranked = ranked.assign(broken=(ranked["rank"] >= VERDICTS.index("warned")).astype("int64"))
    whole = ranked.groupby(by, sort=False).agg(
        {
            "checked_as_of": "last",
            "subject_name": "last",
            "rules": "sum",
            "broken": "sum",
            "failed": "max",
            "rank": "max",
        }
    )
    verdicts = whole["rank"].map(dict(enumerate(VERDICTS)))
    named = whole.assign(verdict=verdicts).drop(columns="rank").reset_index()
    return named.iloc[::-1].reset_index(drop=True)


def _transaction(one: Measurement) -> str:
    again = "" if one.subject == "file" else f":{one.run_id}"
    return f"{one.contract}:{one.subject_id}{again}"


def _frame(measurements: Sequence[Measurement], backend: "Backend") -> "Frame":
    found = contract(RESULTS)
    frame = pd.DataFrame([asdict(one) for one in measurements], columns=list(found.names))
    # A column of nulls alone has no type of its own.
    types = {"checked_as_of": "datetime64[us]", "measured": "float64", "evidence": "str"}
    return backend.from_pandas(frame.astype(types))
