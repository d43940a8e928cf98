"""Loading: landing files into the lake, each exactly once.

Every file is read in blocks, and each block leaves one staged part per bucket. Then each bucket
is deduplicated against itself and the lake, and all of it becomes visible in one commit a table:
rejected rows first, accepted rows second, the record of the files last. The accepted commit
carries the files' identities, so a load that is repeated, or was killed, adds nothing twice.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.mapping import Feed, FileMapping
from gpu_pipeline.ingest.reading import Block, column_names, read_blocks
from gpu_pipeline.ingest.rows import row_hashes, typed_rows
from gpu_pipeline.kernels import mixed_hash, ordinals_in_runs, run_starts
from gpu_pipeline.store import Condition, Lake, Part, Writer

__all__ = ["FileReport", "IngestReport", "ingest"]

PROVENANCE = ("file_no", "line")
CONFLICT = "key: another row has it with other values"
LEDGER = "source_files"
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What became of a file's rows: rows = accepted + rejected + duplicates, exactly."""

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


@dataclass(frozen=True, kw_only=True)
class LandingFile:
    """A file under one feed, with its identity: the digest of its content and the contract."""

    path: Path
    feed: Feed
    file_id: str

    @property
    def file_no(self) -> int:
        """The number that its rows carry: the start of its identity, never negative."""
        return int(self.file_id[:16], 16) >> 1


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
    feeds = mapping if mapping is not None else FileMapping.by_name()
    found, ignored = _discovered(source, feeds)
    for file in found:
        file.feed.check(file.path, column_names(file.path, file.feed.dialect))
    reports: list[FileReport] = []
    with lake.writer() as writer:
        for name in dict.fromkeys(file.feed.contract for file in found):
            files = [file for file in found if file.feed.contract == name]
            if progress is not None:
                progress(name)
            reports += _load(lake, writer, contract(name), files)
    return IngestReport(tuple(reports), tuple(ignored))


def _discovered(source: Path, mapping: FileMapping) -> tuple[list[LandingFile], list[str]]:
    try:
        paths = sorted(p for p in source.iterdir() if p.is_file()) if source.is_dir() else [source]
        found = [
            LandingFile(path=path, feed=feed, file_id=_identity(path, feed.contract))
            for path in paths
            for feed in mapping.feeds_of(path)
        ]
    except OSError as error:
        message = f"{source} can't be read: {error.strerror}."
        raise IngestError(message) from error
    if not found:
        globs = ", ".join(feed.files for feed in mapping.feeds)
        message = f"No feed takes any file of {source}. Feeds take: {globs}."
        raise IngestError(message)
    taken = {file.path for file in found}
    return found, [path.name for path in paths if path not in taken]


def _identity(path: Path, contract_name: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content}:{contract_name}".encode()).hexdigest()


def _load(
    lake: Lake, writer: Writer, found: Contract, files: Sequence[LandingFile]
) -> list[FileReport]:
    known = _healed(lake, writer, found, files)
    for file in files:
        before = known.get(file.file_id)
        if before is not None and before.mapping != file.feed.digest:
            message = (
                f"{file.path.name} was loaded before under another mapping. Load it into a new "
                "lake, or with the mapping that it was loaded with."
            )
            raise IngestError(message)
    new = list({f.file_id: f for f in files if f.file_id not in known}.values())
    reports = [known[f.file_id] for f in files if f.file_id in known]
    return reports + (_load_new(lake, writer, found, new) if new else [])


def _load_new(
    lake: Lake, writer: Writer, found: Contract, files: list[LandingFile]
) -> list[FileReport]:
    staging = writer.staging / found.name
    # Of files whose load was killed between its commits, the rejected rows are there already.
    refused = found.rejected().name
    settled = frozenset(file.file_no for file in files if lake.loaded(refused, file.file_id))
    buckets = list(range(lake.buckets)) if found.bucketed else [None]
    rows = compute(*(delayed(_stage)(file, lake, staging) for file in files))
    finished = compute(
        *(delayed(_finish)(lake, writer, found, staging, bucket, settled) for bucket in buckets)
    )
    shutil.rmtree(staging, ignore_errors=True)
    reports = [_report(*one, finished) for one in zip(files, rows, strict=True)]
    note = {"files": [asdict(report) for report in reports]}
    identities = [file.file_id for file in files]
    refused_parts = [part for one in finished for part in one.rejected_parts]
    parts = [part for one in finished for part in one.parts]
    writer.commit(found.rejected(), refused_parts, transactions=identities)
    writer.commit(found, parts, transactions=identities, note=note)
    _record(lake, writer, reports)
    return reports


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
    lost = {
        f.file_id for f in files if f.file_id not in known and lake.loaded(found.name, f.file_id)
    }
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
        landed = Block(file.feed.landed(block.table), block.lines, block.broken)
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
    place = frame["customer_key"] & (lake.buckets - 1)
    ordered = frame.assign(bucket=place).sort_values("bucket", kind="stable")
    codes = lake.backend.to_host(ordered["bucket"])
    edges = codes.searchsorted(range(lake.buckets + 1))
    for bucket in range(lake.buckets):
        piece = ordered.iloc[int(edges[bucket]) : int(edges[bucket + 1])]
        _put(piece.drop(columns="bucket"), folder / str(bucket) / name)


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
    settled: frozenset[int],
) -> Finished:
    """Deduplicates one bucket against itself and the lake, and writes its parts."""
    place = "all" if bucket is None else str(bucket)
    backend, refused = lake.backend, found.rejected()
    new = _staged(staging / "accepted" / place, found, backend)
    new = _with_row_numbers(new, found, backend)
    accepted, conflicts = _deduplicated(new, _present(lake, found, new, bucket), found, backend)
    rejected = backend.frames.concat(
        [
            _staged(staging / "rejected" / place, refused, backend),
            _as_rejected(conflicts, found, backend),
        ]
    )
    unsettled = rejected[~rejected["file_no"].isin(list(settled))]
    return Finished(
        parts=_written(accepted, found, writer, bucket),
        rejected_parts=_written(unsettled, refused, writer, bucket),
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


def _with_row_numbers(frame: Frame, found: Contract, backend: Backend) -> Frame:
    """Where the source numbers no lines: a number from what the row says and its ordinal.

    Identical rows of one file are different rows; the same rows in another file are the same.
    """
    numbered = [column.name for column in found.columns if column.row_number]
    if not numbered or not len(frame):
        return frame
    (name,) = numbered
    missing = frame[name] == 0
    if not bool(missing.any()):
        return frame
    hashes = row_hashes(frame, found, backend)
    ordered = frame.assign(row_hash=hashes).sort_values(["file_no", "row_hash", "line"])
    columns = [backend.as_bits(ordered[c]) for c in ("file_no", "row_hash")]
    starts = run_starts(columns, backend.xp)
    ordinals = ordinals_in_runs(starts, len(ordered), backend.xp)
    made = backend.frames.Series(
        mixed_hash([columns[1], ordinals], backend.xp), index=ordered.index
    )
    return ordered.assign(**{name: ordered[name].where(ordered[name] != 0, made)}).drop(
        columns="row_hash"
    )


def _present(lake: Lake, found: Contract, new: Frame, bucket: int | None) -> Frame:
    """The lake's rows that share a key's first column with the new ones, in their months."""
    if not len(new) or lake.version(found.name) is None:
        return lake.backend.empty(found)
    where: list[Condition] = []
    if found.event_time is not None and found.by_month:
        times = new[found.event_time]
        where = [
            (found.event_time, ">=", _month_start(times.min())),
            (found.event_time, "<", _month_start(times.max(), later=1)),
        ]
    frame = lake.read_bucket(found.name, bucket, where)
    first = found.key[0]
    return frame[frame[first].isin(new[first])]


def _deduplicated(
    new: Frame, present: Frame, found: Contract, backend: Backend
) -> tuple[Frame, Frame]:
    """(rows to add, rows whose key another row has with other values); the rest are repeats."""
    key = list(found.key)
    said = [name for name in found.names if name not in PROVENANCE]
    both = backend.frames.concat(
        [present.assign(is_new=False), new.sort_values(list(PROVENANCE)).assign(is_new=True)],
        ignore_index=True,
    )
    shared = both.duplicated(subset=key, keep=False)
    if not bool(shared.any()):
        return new, new.iloc[:0]
    different = both[shared].drop_duplicates(subset=said, keep="first")
    repeated = different.duplicated(subset=key, keep="first")
    kept = backend.frames.concat([both[~shared], different[~repeated]])
    conflicts = different[repeated]
    return (
        kept[kept["is_new"]].drop(columns="is_new"),
        conflicts[conflicts["is_new"]].drop(columns="is_new"),
    )


def _as_rejected(conflicts: Frame, found: Contract, backend: Backend) -> Frame:
    refused = found.rejected()
    if not len(conflicts):
        return backend.empty(refused)
    host = backend.to_pandas(conflicts)
    if not found.bucketed:
        host = host.assign(customer_key=0, key_kind="guest")
    said = [name for name in found.names if name not in (*PROVENANCE, "customer_key")]
    values = host[said].to_json(orient="records", lines=True, date_format="iso").splitlines()
    host = host.assign(reasons=CONFLICT, row_values=values)
    return backend.cast(backend.from_pandas(host), refused)


def _written(frame: Frame, found: Contract, writer: Writer, bucket: int | None) -> list[Part]:
    return writer.write(frame, found, number=bucket or 0) if len(frame) else []


def _by_file(frame: Frame, backend: Backend) -> Counter[int]:
    numbers, counts = np.unique(backend.to_host(frame["file_no"]), return_counts=True)
    return Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def _report(file: LandingFile, rows: int, finished: Sequence[Finished]) -> FileReport:
    number = file.file_no
    report = FileReport(
        name=file.path.name,
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


def _month_start(time: Any, later: int = 0) -> np.datetime64:  # noqa: ANN401
    return np.datetime64(str(time)[:7], "M") + later
