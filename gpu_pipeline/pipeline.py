"""Pipeline: steps over a lake, ordered by what they read and write, skipped when nothing changed.

A run pins the versions of all tables when it starts. What a step wrote carries a fingerprint of
everything it depended on: versions read, parameters, the moment, the code. A step whose
fingerprint stands in all its tables is skipped, and that is also how a killed run resumes.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import dask.dataframe as dd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.store import Lake, Part, Writer

if TYPE_CHECKING:
    from gpu_pipeline.backend import Frame

__all__ = ["RunReport", "Step", "StepReport", "Work", "run"]

Progress = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a step is given: pinned tables to read, the right to write, settings and the moment.

    `facts` collects what the step wants said about its result.
    """

    lake: Lake
    writer: Writer
    config: Config
    as_of: datetime
    run_id: str
    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)

    def has(self, table: str) -> bool:
        """Whether the table is there to read."""
        return self.lake.version(table) is not None

    def read(self, table: str, columns: Sequence[str] | None = None) -> "dd.DataFrame":
        """The table as it was at the moment of the run: nothing later than `as_of`."""
        found = contract(table)
        timed = found.event_time is not None and found.stage == "source"
        return self.lake.read(table, columns, as_of=self.as_of if timed else None)

    def replace(self, table: str, frame: "dd.DataFrame | Frame") -> None:
        """Makes the frame the table's next version, in place of all its rows."""
        found = contract(table)
        pieces = frame.to_delayed() if isinstance(frame, dd.DataFrame) else [frame]
        written = compute(
            *(delayed(self.writer.write)(piece, found, number=i) for i, piece in enumerate(pieces))
        )
        self.commit(table, [part for parts in written for part in parts], overwrite=True)

    def commit(self, table: str, parts: Sequence[Part], *, overwrite: bool) -> None:
        """Makes the parts the table's next version, with the step's fingerprint."""
        note = {"fingerprint": self.fingerprint, "run": self.run_id, **self.facts}
        self.writer.commit(contract(table), parts, overwrite=overwrite, note=note)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the tables it reads and writes, the settings it depends on, and what it does.

    It runs when any table it reads is there. `state` names what else it depends on (a model's
    version); `current` says what fingerprint its result has where that is no table.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Work], None]
    settings: tuple[str, ...] = ()
    state: Callable[[Config], str] | None = None
    current: Callable[[Lake], str | None] | None = None


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What became of a step. `why` says why it was or was not done; `facts` are its own."""

    name: str
    status: Literal["done", "up to date", "nothing to read", "would run"]
    seconds: float
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run, as it is kept in the lake under `runs/`."""

    run_id: str
    as_of: datetime | None
    device: str
    versions: Mapping[str, int]
    steps: tuple[StepReport, ...]


def run(
    lake: Lake,
    steps: Iterable[Step],
    config: Config,
    *,
    as_of: datetime | None = None,
    from_step: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """Brings every table up to date and says what was done.

    `as_of` is by default the latest event time in the lake, never the clock. `from_step` repeats
    that step and those after it, up to date or not. A dry run says what would be done.

    Raises:
        PipelineError: there is nothing to run on, or no step of that name.
    """
    ordered = _ordered(tuple(steps))
    names = [step.name for step in ordered]
    if from_step is not None and from_step not in names:
        message = f"No step {from_step!r}: there are {', '.join(names)}."
        raise PipelineError(message)
    forced = set(names[names.index(from_step) :]) if from_step is not None else set()
    with lake.writer() as writer:
        versions = _versions(lake)
        moment = as_of if as_of is not None else _latest(lake)
        record = RunReport(
            run_id=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
            as_of=moment,
            device=lake.backend.reason,
            versions=versions,
            steps=(),
        )
        reports: list[StepReport] = []
        pinned = lake.pinned(versions)
        for step in ordered:
            report = _perform(
                step,
                pinned,
                writer,
                config,
                record,
                forced=step.name in forced,
                dry_run=dry_run,
                progress=progress,
            )
            reports.append(report)
            pinned = pinned.pinned(_versions(lake, step.writes))
            record = RunReport(**{**vars(record), "steps": tuple(reports)})
            if not dry_run:
                _keep(lake, record)
    return record


def _perform(
    step: Step,
    lake: Lake,
    writer: Writer,
    config: Config,
    record: RunReport,
    *,
    forced: bool,
    dry_run: bool,
    progress: Progress | None,
) -> StepReport:
    if record.as_of is None or not any(lake.version(table) is not None for table in step.reads):
        return StepReport(name=step.name, status="nothing to read", seconds=0.0, facts={})
    fingerprint = _fingerprint(step, lake, config, record.as_of)
    if not forced and _is_current(step, lake, fingerprint):
        facts = lake.note(step.writes[0]) if step.writes else {}
        return StepReport(name=step.name, status="up to date", seconds=0.0, facts=facts)
    if dry_run:
        return StepReport(name=step.name, status="would run", seconds=0.0, facts={})
    if progress is not None:
        progress(step.name, "started")
    began = perf_counter()
    work = Work(
        lake=lake,
        writer=writer,
        config=config,
        as_of=record.as_of,
        run_id=record.run_id,
        fingerprint=fingerprint,
    )
    step.run(work)
    if progress is not None:
        progress(step.name, "done")
    seconds = round(perf_counter() - began, 3)
    return StepReport(name=step.name, status="done", seconds=seconds, facts=work.facts)


def _ordered(steps: tuple[Step, ...]) -> list[Step]:
    """The steps, each after those that write what it reads; else in the order given."""
    writer_of = {table: step.name for step in steps for table in step.writes}
    waiting, placed = list(steps), list[Step]()
    while waiting:
        done = {step.name for step in placed}
        ready = [s for s in waiting if {writer_of.get(t) for t in s.reads} - {None, s.name} <= done]
        if not ready:
            message = f"Steps wait for each other: {', '.join(step.name for step in waiting)}."
            raise PipelineError(message)
        placed.append(ready[0])
        waiting.remove(ready[0])
    return placed


def _versions(lake: Lake, tables: Iterable[str] | None = None) -> dict[str, int]:
    names = lake.tables() if tables is None else tables
    latest = Lake(lake.path, backend=lake.backend)
    found = {name: latest.version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def _latest(lake: Lake) -> datetime | None:
    times = [lake.latest(name) for name in sources() if contract(name).kind == "event"]
    return max((time for time in times if time is not None), default=None)


def _fingerprint(step: Step, lake: Lake, config: Config, as_of: datetime) -> str:
    depends = {
        "step": step.name,
        "code": _code_digest(),
        "as_of": as_of.isoformat(),
        "reads": {table: lake.version(table) for table in step.reads},
        "settings": {name: str(getattr(config, name)) for name in step.settings},
        "state": step.state(config) if step.state is not None else None,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:24]


def _is_current(step: Step, lake: Lake, fingerprint: str) -> bool:
    if step.current is not None and step.current(lake) != fingerprint:
        return False
    return all(lake.note(table).get("fingerprint") == fingerprint for table in step.writes)


@cache
def _code_digest() -> str:
    """One digest of the code that makes tables: other code, other results."""
    digest = hashlib.sha256()
    for package in ("gpu_pipeline", "nlp"):
        root = files(package)
        paths = sorted(p for p in root.rglob("*") if p.suffix in (".py", ".yaml"))  # type: ignore[attr-defined]
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(lake: Lake, record: RunReport) -> None:
    folder = lake.path / "runs"
    folder.mkdir(exist_ok=True)
    new = folder / f"{record.run_id}.new"
    new.write_text(json.dumps(asdict(record), indent=2, default=str) + "\n")
    new.replace(folder / f"{record.run_id}.json")
