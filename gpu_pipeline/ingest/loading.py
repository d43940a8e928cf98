"""Loading: landing files into the lake, each exactly once.

Every file is read in blocks, which are typed side by side and staged by bucket. Then the keys of
all new rows are compared with each other and the lake's, each bucket is settled, and all of it
becomes visible in one commit a table: rejected rows first, then what was measured, accepted rows,
and the record of the files last. Each commit carries the files' identities, so a load that is
repeated, or was killed, adds nothing twice.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import dask
import numpy as np
from dask.base import compute, get_scheduler
from dask.delayed import delayed
from dask.utils import parse_bytes

from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.intake import Intake, take_in
from gpu_pipeline.ingest.ledger import LEDGER, FileReport, healed, loaded_before, record
from gpu_pipeline.ingest.mapping import FileMapping
from gpu_pipeline.ingest.planning import LandingFile, Plan, planned
from gpu_pipeline.ingest.settling import (
    CONFLICT,
    Load,
    Settled,
    beyond_horizon,
    keep_keys,
    kept_keys,
    known_keys,
    settle,
)
from gpu_pipeline.ingest.staging import Place, Staging
from gpu_pipeline.ingest.uniqueness import repeats
from gpu_pipeline.quality.results import RESULTS
from gpu_pipeline.quality.results import record as record_quality
from gpu_pipeline.quality.verdicts import Measurement, file_measurements, worst
from gpu_pipeline.store import Lake, Writer, compact_if_fragmented, new_run_id

__all__ = ["IngestReport", "LoadOptions", "ingest", "load"]

Progress = Callable[[str], None]
_UNAVOIDABLE_BYTES = 350 * 2**20  # libraries, and the blocks that are on their way
_COPIES = 6  # of a piece of a bucket at once: read, ordered, written
_BYTES_PER_KEY = 512
LEAST_PIECE_BYTES = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How files are loaded.

    `memory_bytes` is about what the process may take. With `backfill`, rows of any age are
    accepted, with `reload` files that were loaded under another mapping replace what they brought.
    """

    memory_bytes: int = 2 * 2**30
    backfill: bool = False
    reload: bool = False

    @classmethod
    def of(cls, memory: str, *, backfill: bool = False, reload: bool = False) -> Self:
        """With a size such as 500MB; where it is empty, the default."""
        size = parse_bytes(memory) if memory else cls.memory_bytes
        return cls(memory_bytes=size, backfill=backfill, reload=reload)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, file by file, and which files no feed takes."""

    files: tuple[FileReport, ...]
    ignored: tuple[str, ...]


def ingest(
    lake: Lake,
    source: str | Path,
    *,
    mapping: FileMapping | None = None,
    options: LoadOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Loads a landing file, a folder of them, or those of a pattern, into the lake.

    Without a `mapping`, files are matched by name (``orders.csv.gz``) and columns too.

    Raises:
        IngestError: a file or folder can't be read, no feed takes any of it, a column is missing,
            a file was loaded before under another mapping, or breaks a rule that stops the load.
            Nothing of that contract is written.
    """
    return load(lake, planned(source, mapping=mapping), options=options, progress=progress)


def load(
    lake: Lake,
    plan: Plan,
    *,
    options: LoadOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Loads the files of a plan; raises as `ingest` does."""
    reports: list[FileReport] = []
    asked = options if options is not None else LoadOptions()
    run_id = new_run_id()
    with lake.writer() as writer:
        known = loaded_before(lake, plan.files)
        for name in dict.fromkeys(file.feed.contract for file in plan.files):
            files = [file for file in plan.files if file.feed.contract == name]
            if progress is not None:
                progress(name)
            loader = _Loader(lake, writer, contract(name), asked, run_id)
            reports += loader.load(files, known.get(name, {}))
        if not all(report.loaded_before for report in reports):
            for name in (LEDGER, RESULTS):
                compact_if_fragmented(writer, contract(name))
    return IngestReport(tuple(reports), plan.ignored)


@dataclass(frozen=True)
class _Loader:
    """Loads files of one contract."""

    lake: Lake
    writer: Writer
    found: Contract
    options: LoadOptions
    run_id: str

    def load(
        self, files: Sequence[LandingFile], recorded: Mapping[str, FileReport]
    ) -> list[FileReport]:
        """What became of each file; those that are new, not `recorded` by file_id, are loaded."""
        for table in (self.found, self.found.rejected()):
            self.writer.check(table)
        known = healed(self.lake, self.writer, self.found, files, recorded)
        other = {
            file.file_id
            for file in files
            if file.file_id in known and known[file.file_id].mapping != file.feed.digest
        }
        if other and not self.options.reload:
            names = ", ".join(file.name for file in files if file.file_id in other)
            message = (
                f"{names} was loaded before under another mapping. Load it with that one, or "
                "replace what it brought (ingest --reload)."
            )
            raise IngestError(message)
        # Two files with the same content are one file, and its copy.
        new: dict[str, LandingFile] = {}
        for file in files:
            if file.file_id not in known or file.file_id in other:
                new.setdefault(file.file_id, file)
        for report in self._load_new([*new.values()], frozenset(other)) if new else ():
            known[report.file_id] = report
        return [
            known[file.file_id]
            if new.get(file.file_id) is file
            else replace(known[file.file_id], name=file.name, loaded_before=True)
            for file in files
        ]

    def _load_new(self, files: list[LandingFile], reloaded: frozenset[str]) -> list[FileReport]:
        work = self._begun(files, reloaded)
        taken = self._taken_in(files, work)
        self._check(files, taken, Counter(), Counter())  # before the work on buckets begins
        places = self._places(work)
        _all(partial(keep_keys, work, place) for place in places)
        times = [time for one in taken for time in (one.first, one.last) if time is not None]
        first, last = min(times, default=None), max(times, default=None)
        repeated = repeats(
            lambda: (kept_keys(work, place) for place in places),
            lambda: known_keys(work, first, last),
            rows=sum(one.rows for one in taken),
            rows_at_once=max(self.options.memory_bytes // _BYTES_PER_KEY, 1),
        )
        done = _all(partial(settle, work, place, repeated) for place in places)
        reports = [self._report(*one, done) for one in zip(files, taken, strict=True)]
        shutil.rmtree(work.folder, ignore_errors=True)
        conflicts, late = _sum(one.conflicts for one in done), _sum(one.late for one in done)
        verdicts = self._check(files, taken, conflicts, late)
        reports = [
            replace(report, verdict=worst(one.verdict for one in some))
            for report, some in zip(reports, verdicts, strict=True)
        ]
        self._commit(work, reports, [one for some in verdicts for one in some], done)
        return reports

    def _begun(self, files: Sequence[LandingFile], reloaded: frozenset[str]) -> Load:
        folder, found = self.writer.staging / self.found.name, self.found
        refused = found.rejected().name
        transactions = [file.transaction for file in files]
        # Where a load was killed between its commits, the rejected rows of its files are there.
        # They are written anew: what a conflict is depends on what has been loaded since.
        settled = self.lake.loaded(refused, transactions)
        latest = self.lake.latest(found.name) if found.by_month else None
        in_same_buckets = replace(found.rejected(), bucketed=found.bucketed)
        keeps_time = latest is None or self.options.backfill
        return Load(
            lake=self.lake,
            writer=self.writer,
            found=found,
            accepted=self._staging(folder / "accepted", found),
            rejected=self._staging(folder / "rejected", in_same_buckets),
            order={no: place for place, no in enumerate(sorted(file.file_no for file in files))},
            settled=frozenset(settled),
            reloaded=frozenset(file.file_no for file in files if file.file_id in reloaded),
            cut=None
            if keeps_time
            else np.datetime64(latest, "us") - np.timedelta64(found.late_horizon_days, "D"),
        )

    def _staging(self, folder: Path, found: Contract) -> Staging:
        return Staging(folder, found, buckets=self.lake.buckets, backend=self.lake.backend)

    def _taken_in(self, files: Sequence[LandingFile], work: Load) -> list[Intake]:
        threads = max(1, _threads() // len(files))
        work_on = partial(
            take_in,
            accepted=work.accepted,
            rejected=work.rejected,
            key=self.lake.key,
            threads=threads,
            block_share=min(self.options.memory_bytes / LoadOptions.memory_bytes, 1.0),
        )
        return _all(partial(work_on, file) for file in files)

    def _places(self, work: Load) -> list[Place]:
        """Where there are rows to settle, in pieces that the memory holds."""
        free = self.options.memory_bytes - _UNAVOIDABLE_BYTES
        most = max(free // (_threads() * _COPIES), LEAST_PIECE_BYTES)
        places = work.accepted.places(most_bytes=most, everywhere=work.rewrites_rejected)
        there = {bucket for place in places for bucket in place.buckets}
        alone = {bucket for bucket, size in enumerate(work.rejected.sizes()) if size} - there
        return [*places, Place(tuple(sorted(alone)))] if alone else places

    def _check(
        self,
        files: Sequence[LandingFile],
        taken: Sequence[Intake],
        conflicts: Counter[int],
        late: Counter[int],
    ) -> list[list[Measurement]]:
        """What was measured of each file.

        Raises:
            IngestError: a file breaks a rule that stops the load; that is recorded.
        """
        measured = []
        for file, one in zip(files, taken, strict=True):
            failed = Counter(one.failed)
            failed += Counter({CONFLICT: conflicts[file.file_no]})
            rejected = one.rejected + conflicts[file.file_no] + late[file.file_no]
            measured.append(
                file_measurements(
                    self.found,
                    file_id=file.file_id,
                    name=file.name,
                    rows=one.rows,
                    failed=failed,
                    rejected=rejected,
                    run_id=self.run_id,
                    checked_as_of=_moment(one.last),
                )
            )
        stopped = [one for some in measured for one in some if one.verdict == "stopped"]
        if stopped:
            # Under a name of this load's own: the file may come again.
            tried = [
                replace(one, subject_id=f"{one.subject_id}:{self.run_id}")
                for some in measured
                for one in some
            ]
            record_quality(self.lake, self.writer, tried)
            reasons = _sum(Counter(one.failed) for one in taken)
            reasons[CONFLICT] += conflicts.total()
            reasons[f"{beyond_horizon(self.found)}, --backfill takes them"] += late.total()
            raise IngestError(_stop_message(self.found, stopped, reasons))
        return measured

    def _report(self, file: LandingFile, taken: Intake, done: Sequence[Settled]) -> FileReport:
        number = file.file_no
        report = FileReport(
            name=file.name,
            contract=file.feed.contract,
            file_id=file.file_id,
            file_no=number,
            mapping=file.feed.digest,
            rows=taken.rows,
            accepted=sum(place.accepted[number] for place in done),
            rejected=sum(place.rejected[number] for place in done),
            duplicates=sum(place.duplicates[number] for place in done),
            redacted=", ".join(f"{kind} {n}" for kind, n in sorted(taken.redacted.items())) or None,
        )
        accounted = report.accepted + report.rejected + report.duplicates
        if accounted != taken.rows:
            message = (
                f"{report.name}: {taken.rows} rows read, {accounted} accounted for; none was "
                "committed."
            )
            raise IngestError(message)
        return report

    def _commit(
        self,
        work: Load,
        reports: Sequence[FileReport],
        measured: Sequence[Measurement],
        done: Sequence[Settled],
    ) -> None:
        refused, transactions = self.found.rejected(), [one.transaction for one in reports]
        self.writer.commit(
            refused,
            [part for place in done for part in place.rejected_parts],
            overwrite=work.rewrites_rejected,
            transactions=[one for one in transactions if one not in work.settled],
        )
        record_quality(self.lake, self.writer, measured)
        self.writer.commit(
            self.found,
            [part for place in done for part in place.parts],
            overwrite=bool(work.reloaded),
            transactions=transactions,
            note={"files": [asdict(report) for report in reports]},
        )
        record(self.lake, self.writer, reports, anew=bool(work.reloaded))
        for table in (self.found, refused):
            compact_if_fragmented(self.writer, table)


def _stop_message(found: Contract, stopped: Sequence[Measurement], reasons: Counter[str]) -> str:
    one = max(stopped, key=lambda one: one.failed / one.rows)
    most = [(reason, count) for reason, count in reasons.most_common(3) if count]
    why = "; ".join(f"{reason} ({count:,} rows)" for reason, count in most)
    return (
        f"{one.subject_name}: {one.rule} are {one.failed / one.rows:.1%} of {one.rows:,} rows, "
        f"allowed are {one.threshold:.1%}. Nothing of {found.name} was loaded. Most often: {why}."
    )


def _moment(time: np.datetime64 | None) -> datetime | None:
    return None if time is None else time.astype("datetime64[us]").item()


def _sum(counters: Iterable[Counter[Any]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for one in counters:
        total.update(one)
    return total


def _threads() -> int:
    """How many tasks of this process run side by side."""
    chosen = get_scheduler()  # none: Dask's own default for such tasks, which is threads
    return len(os.sched_getaffinity(0)) if chosen in (None, dask.threaded.get) else 1


def _all(tasks: Iterable[Callable[[], Any]]) -> list[Any]:
    """The results of the tasks, which run side by side; the first error once all have ended.

    Dask raises at once and lets the others run on: they would write behind the writer's back.
    It looks into arguments for tasks, but not into a partial function.
    """
    results = list(compute(*(delayed(_attempted)(task) for task in tasks)))
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _attempted(task: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return task()
    except Exception as error:  # noqa: BLE001 - raised by `_all`
        return error
