"""Loading: landing files into the lake, each exactly once.

Every file is read in blocks, and each block leaves one staged part per bucket. Then each bucket
is deduplicated against itself and the lake, and all of it becomes visible in one commit a table:
rejected rows first, accepted rows second, the record of the files last. Each commit carries the
files' identities, so a load that is repeated, or was killed, adds nothing twice.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.duplicates import deduplicated, with_row_numbers
from gpu_pipeline.ingest.mapping import FileMapping
from gpu_pipeline.ingest.planning import LandingFile, Plan, planned
from gpu_pipeline.ingest.reading import Block, read_blocks
from gpu_pipeline.ingest.rows import refused_rows, typed_rows
from gpu_pipeline.store import Condition, Lake, Part, Writer

__all__ = ["FileReport", "IngestReport", "ingest", "load"]

CONFLICT = "key: another row has it with other values"
LEDGER = "source_files"
LATE_HORIZON = np.timedelta64(35, "D")  # how far apart two rows of one key may lie in time
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What became of a file's rows: rows = accepted + rejected + duplicates, exactly.

    Of a file that was `loaded_before`, under whatever name, it says what became of them then.
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
    loaded_before: bool = False


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, file by file, and which files no feed takes."""

    files: tuple[FileReport, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """One bucket after deduplication: its parts and, by file_no, what became of the rows."""

    parts: list[Part]
    rejected_parts: list[Part]
    accepted: Counter[int]
    rejected: Counter[int]
    duplicates: Counter[int]


def ingest(
    lake: Lake,
    source: Path,
    *,
    mapping: FileMapping | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Loads a landing file, or every file directly in a folder, into the lake.

    Without a `mapping`, files are matched by name (``orders.csv.gz``) and columns too.

    Raises:
        IngestError: a file or folder can't be read, no feed takes any of it, a column is missing,
            or a file was loaded before under another mapping. Nothing of that contract is written.
    """
    return load(lake, planned(source, mapping=mapping), progress=progress)


def load(lake: Lake, plan: Plan, *, progress: Progress | None = None) -> IngestReport:
    """Loads the files of a plan; raises as `ingest` does."""
    reports: list[FileReport] = []
    with lake.writer() as writer:
        for name in dict.fromkeys(file.feed.contract for file in plan.files):
            files = [file for file in plan.files if file.feed.contract == name]
            if progress is not None:
                progress(name)
            reports += _load(lake, writer, contract(name), files)
    return IngestReport(tuple(reports), plan.ignored)


def _load(
    lake: Lake, writer: Writer, found: Contract, files: Sequence[LandingFile]
) -> list[FileReport]:
    known = _healed(lake, writer, found, files)
    for file in files:
        before = known.get(file.file_id)
        if before is not None and before.mapping != file.feed.digest:
            message = (
                f"{file.name} was loaded before under another mapping. Load it into a new "
                "lake, or with the mapping that it was loaded with."
            )
            raise IngestError(message)
    # Two files with the same content are one file, and its copy.
    new = {file.file_id: file for file in reversed(files) if file.file_id not in known}
    for report in _load_new(lake, writer, found, [*new.values()][::-1]) if new else ():
        known[report.file_id] = report
    return [
        known[file.file_id]
        if new.get(file.file_id) is file
        else replace(known[file.file_id], name=file.name, loaded_before=True)
        for file in files
    ]


def _load_new(
    lake: Lake, writer: Writer, found: Contract, files: list[LandingFile]
) -> list[FileReport]:
    staging = writer.staging / found.name
    identities = [file.file_id for file in files]
    buckets = list(range(lake.buckets)) if found.bucketed else [None]
    rows = _all(delayed(_attempted)(_stage, file, lake, staging) for file in files)
    # Where a load was killed between its commits, the rejected rows of its files are there. They
    # are written anew: what a conflict is depends on what has been loaded since.
    settled = lake.loaded(found.rejected().name, identities)
    again = frozenset(file.file_no for file in files) if settled else frozenset[int]()
    finished = _all(
        delayed(_attempted)(_finish, lake, writer, found, staging, bucket, again)
        for bucket in buckets
    )
    shutil.rmtree(staging, ignore_errors=True)
    reports = [_report(*one, finished) for one in zip(files, rows, strict=True)]
    writer.commit(
        found.rejected(),
        [part for bucket in finished for part in bucket.rejected_parts],
        overwrite=bool(settled),
        transactions=[i for i in identities if i not in settled],
    )
    writer.commit(
        found,
        [part for bucket in finished for part in bucket.parts],
        transactions=identities,
        note={"files": [asdict(report) for report in reports]},
    )
    _record(lake, writer, reports)
    return reports


def _all(tasks: Iterable[Any]) -> list[Any]:
    """The results of tasks that were `_attempted`; the first error once all have ended.

    Dask raises at once and lets the others run on: they would write behind the writer's back.
    """
    results = list(compute(*tasks))
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _attempted(task: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401
    try:
        return task(*given)
    except Exception as error:  # noqa: BLE001 - raised by `_all`
        return error


def _ledger(lake: Lake, found: Contract) -> dict[str, FileReport]:
    """What was loaded under the contract before, by file_id."""
    if lake.version(LEDGER) is None:
        return {}
    rows = lake.read(LEDGER, where=[("contract", "==", found.name)]).compute()
    records: list[dict[str, Any]] = lake.backend.to_pandas(rows).to_dict("records")  # type: ignore[assignment]
    return {row["file_id"]: FileReport(**row, loaded_before=True) for row in records}


def _healed(
    lake: Lake, writer: Writer, found: Contract, files: Sequence[LandingFile]
) -> dict[str, FileReport]:
    """The ledger, with the files whose load was killed after the rows were committed."""
    known = _ledger(lake, found)
    lost = lake.loaded(found.name, (f.file_id for f in files if f.file_id not in known))
    if lost:
        notes = [record for entry in lake.history(found.name) for record in entry.get("files", ())]
        _record(lake, writer, [FileReport(**r) for r in notes if r["file_id"] in lost])
        known = _ledger(lake, found)
    return known


def _record(lake: Lake, writer: Writer, reports: Sequence[FileReport]) -> None:
    ledger = contract(LEDGER)
    rows = pd.DataFrame([asdict(report) for report in reports]).drop(columns="loaded_before")
    parts = writer.write(lake.backend.from_pandas(rows), ledger)
    writer.commit(ledger, parts, transactions=[f"{r.contract}:{r.file_id}" for r in reports])


def _stage(file: LandingFile, lake: Lake, staging: Path) -> int:
    """Leaves the file's typed rows in the staging folder, by bucket; returns how many it has."""
    found, rows = file.feed.found, 0
    for number, block in enumerate(read_blocks(file.path, file.feed.dialect)):
        landed = Block(file.landed(block.table, key=lake.key), block.lines, block.broken)
        typed = typed_rows(
            landed,
            found,
            file_no=file.file_no,
            key=lake.key,
            time_zone=file.feed.time_zone,
            backend=lake.backend,
        )
        rows += len(block.lines) + len(block.broken)
        name = f"{file.file_no:019d}-{number:06d}.parquet"
        _spread(typed.accepted, staging / "accepted", name, lake, bucketed=found.bucketed)
        _spread(typed.rejected, staging / "rejected", name, lake, bucketed=found.bucketed)
    return rows


def _spread(frame: Frame, folder: Path, name: str, lake: Lake, *, bucketed: bool) -> None:
    if not bucketed:
        _put(frame, folder / "all" / name)
        return
    xp = lake.backend.xp
    # NumPy has a radix sort for 16 bits.
    place = (lake.backend.as_bits(frame["customer_key"]) & (lake.buckets - 1)).astype("uint16")
    order = xp.argsort(place, kind="stable")
    ordered, edges = frame.iloc[order], xp.searchsorted(place[order], xp.arange(lake.buckets + 1))
    for bucket, (start, stop) in enumerate(pairwise(lake.backend.to_host(edges).tolist())):
        _put(ordered.iloc[start:stop], folder / str(bucket) / name)


def _put(frame: Frame, path: Path) -> None:
    if len(frame):
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(str(path), compression=None, index=False)


def _finish(
    lake: Lake,
    writer: Writer,
    found: Contract,
    staging: Path,
    bucket: int | None,
    again: frozenset[int],
) -> Finished:
    """Deduplicates one bucket against itself and the lake, and writes its parts.

    Where there are files that come `again`, the rejected parts are all that the bucket has.
    """
    place = "all" if bucket is None else str(bucket)
    backend, refused = lake.backend, found.rejected()
    new = _staged(staging / "accepted" / place, found, backend)
    new = with_row_numbers(new, found, backend)
    accepted, conflicts = deduplicated(new, _present(lake, found, new, bucket), found, backend)
    rejected = backend.frames.concat(
        [
            _staged(staging / "rejected" / place, refused, backend),
            refused_rows(conflicts, CONFLICT, found, key=lake.key, backend=backend),
        ]
    )
    kept = rejected
    if again:
        before = lake.read_bucket(refused.name, bucket)
        kept = backend.frames.concat([before[~before["file_no"].isin(list(again))], rejected])
    return Finished(
        parts=_written(accepted, found, writer, bucket),
        rejected_parts=_written(kept, refused, writer, bucket),
        accepted=_by_file(accepted, backend),
        rejected=_by_file(rejected, backend),
        duplicates=_by_file(new, backend)
        - _by_file(accepted, backend)
        - _by_file(conflicts, backend),
    )


def _staged(folder: Path, found: Contract, backend: Backend) -> Frame:
    paths = sorted(str(path) for path in folder.glob("*.parquet"))
    if not paths:
        return backend.empty(found)
    return backend.cast(backend.read_parquet(paths, found.names), found)


def _present(lake: Lake, found: Contract, new: Frame, bucket: int | None) -> Frame:
    """The lake's rows that share a key's first column with the new ones, up to the horizon."""
    if not len(new) or lake.version(found.name) is None:
        return lake.backend.empty(found)
    where: list[Condition] = []
    if found.event_time is not None and found.by_month:
        time = new[found.event_time]
        where = [
            (found.event_time, ">=", _moment(time.min()) - LATE_HORIZON),
            (found.event_time, "<=", _moment(time.max()) + LATE_HORIZON),
        ]
    frame = lake.read_bucket(found.name, bucket, where)
    first = found.key[0]
    return frame[frame[first].isin(new[first])]


def _written(frame: Frame, found: Contract, writer: Writer, bucket: int | None) -> list[Part]:
    return writer.write(frame, found, number=bucket or 0) if len(frame) else []


def _by_file(frame: Frame, backend: Backend) -> Counter[int]:
    numbers, counts = np.unique(backend.to_host(frame["file_no"]), return_counts=True)
    return Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def _report(file: LandingFile, rows: int, finished: Sequence[Finished]) -> FileReport:
    number = file.file_no
    report = FileReport(
        name=file.name,
        contract=file.feed.contract,
        file_id=file.file_id,
        file_no=number,
        mapping=file.feed.digest,
        rows=rows,
        accepted=sum(bucket.accepted[number] for bucket in finished),
        rejected=sum(bucket.rejected[number] for bucket in finished),
        duplicates=sum(bucket.duplicates[number] for bucket in finished),
    )
    accounted = report.accepted + report.rejected + report.duplicates
    if accounted != rows:
        message = f"{report.name}: {rows} rows read, {accounted} accounted for; none was committed."
        raise IngestError(message)
    return report


def _moment(time: Any) -> np.datetime64:  # noqa: ANN401
    return np.datetime64(str(time), "us")
