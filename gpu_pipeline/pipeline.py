"""Pipeline: steps over a lake, ordered by what they read and write, skipped when nothing changed.

A run pins the versions of all tables when it starts. What a step wrote carries a fingerprint of
everything it depended on: versions read, parameters, the moment, the code. A step whose
fingerprint stands in all its tables is skipped, and that is also how a killed run resumes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import dask.dataframe as dd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.store import Files, Lake, Part, Writer, new_run_id

if TYPE_CHECKING:
    from gpu_pipeline.backend import Frame

__all__ = ["RunReport", "Step", "StepReport", "Work", "code_digest", "run"]

Progress = Callable[[str, str], None]
Status = Literal["done", "up to date", "nothing to read", "would run", "failed"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a step is given: pinned tables to read, the right to write, settings and the moment.

    `forced` asks for everything anew, what is up to date too. `facts` collects what the step
    wants said about its result; `progress` is told how far it is.
    """

    lake: Lake
    writer: Writer
    config: Config
    as_of: datetime
    run_id: str
    fingerprint: str
    forced: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    progress: Callable[[str], None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to workers, who have nobody to tell how far they are."""
        return {**vars(self), "progress": None}

    def say(self, how_far: str) -> None:
        """Shows how far the step is, in words."""
        if self.progress is not None:
            self.progress(how_far)

    def has(self, table: str) -> bool:
        """Whether the table is there to read."""
        return self.lake.version(table) is not None

    def read(self, table: str, columns: Sequence[str] | None = None) -> "dd.DataFrame":
        """The table as it was at the moment of the run: nothing later than `as_of`."""
        found = contract(table)
        # What was made of entities speaks of the moment itself, as a forecast does.
        timed = found.kind == "event" or found.stage == "source"
        return self.lake.read(table, columns, as_of=self.as_of if timed else None)

    def empty(self, table: str) -> "Frame":
        """No rows of the table: what Dask takes for their kind."""
        return self.lake.backend.empty(contract(table))

    def replace(self, table: str, frame: "dd.DataFrame | Frame") -> None:
        """Makes the frame the table's next version, in place of all its rows."""
        found = contract(table)
        pieces = frame.to_delayed() if isinstance(frame, dd.DataFrame) else [frame]
        written = compute(
            *(delayed(self.writer.write)(piece, found, number=i) for i, piece in enumerate(pieces))
        )
        self.commit(table, [part for parts in written for part in parts], overwrite=True)

    def commit(
        self,
        table: str,
        parts: Sequence[Part],
        *,
        overwrite: bool,
        instead_of: Files | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> int:
        """Makes the parts the table's next version, with the step's fingerprint and facts.

        They come to what is there, or take the place of all rows, or of the files `instead_of`.
        """
        said = {"fingerprint": self.fingerprint, "run": self.run_id, **self.facts, **(note or {})}
        return self.writer.commit(
            contract(table), parts, overwrite=overwrite, instead_of=instead_of, note=said
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the tables it reads and writes, the settings it depends on, and what it does.

    It runs when any table it reads is there; what it `uses` are others that alone give it
    nothing to do. `state` names what else it depends on (a model's
    version); `current` says what fingerprint its result has where that is no table. A step that
    is not `dated` depends on what had happened by the moment of the run, not on the moment: it
    stays up to date while later events are other tables'.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Work], None]
    uses: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    dated: bool = True
    state: Callable[[Config], str] | None = None
    current: Callable[[Lake], str | None] | None = None


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What became of a step, and what it says of its result."""

    name: str
    status: Status
    seconds: float
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run, as it is kept in the lake under `runs/`; `versions` are those it found.

    `finished` says that no step failed and none is still to come.
    """

    run_id: str
    as_of: datetime
    device: str
    versions: Mapping[str, int]
    steps: tuple[StepReport, ...]
    finished: bool = False


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

    `as_of` is by default the latest event time in the lake, never the clock; without a zone it
    is UTC. `from_step` repeats that step and those after it, up to date or not. A dry run says
    what would be done and writes nothing. Where a step fails, what it writes stays as it was,
    and the others go on.

    Raises:
        PipelineError: there is nothing to run on, there is no step of that name, or steps failed;
            then all others are done.
    """
    ordered = _ordered(tuple(steps))
    names = [step.name for step in ordered]
    if from_step is not None and from_step not in names:
        message = f"No step {from_step!r}: there are {', '.join(names)}."
        raise PipelineError(message)
    forced = names[names.index(from_step) :] if from_step is not None else []
    held: AbstractContextManager[Writer | None] = nullcontext() if dry_run else lake.writer()
    with held as writer:
        record = _begun(lake, as_of)
        pinned, changed = lake.pinned(record.versions), set[str]()
        for step in ordered:
            if writer is not None:
                _keep(lake, record)
            fingerprint = _fingerprint(step, pinned, config, record.as_of)
            status = _status(step, pinned, fingerprint, changed, forced=step.name in forced)
            if status == "would run" and writer is None:
                changed.update(step.writes)
            if status == "would run" and writer is not None:
                work = Work(
                    lake=pinned,
                    writer=writer,
                    config=config,
                    as_of=record.as_of,
                    run_id=record.run_id,
                    fingerprint=fingerprint,
                    forced=step.name in forced,
                    progress=None if progress is None else partial(progress, step.name),
                )
                report = _performed(step, work, record, progress)
                pinned = pinned.pinned(_versions(lake, step.writes))
            else:
                facts = lake.note(step.writes[0]) if step.writes else {}
                report = StepReport(name=step.name, status=status, seconds=0.0, facts=facts)
            record = replace(record, steps=(*record.steps, report))
        failed = [step for step in record.steps if step.status == "failed"]
        record = replace(record, finished=not failed)
        if writer is not None:
            _keep(lake, record)
    if failed:
        whys = "; ".join(f"{step.name}: {step.facts['error']}" for step in failed)
        message = f"Of {len(record.steps)} steps these failed, the others are done. {whys}"
        raise PipelineError(message)
    return record


def _begun(lake: Lake, as_of: datetime | None) -> RunReport:
    spans = [lake.span(name) for name in sources() if contract(name).kind == "event"]
    first = min((span[0] for span in spans if span is not None), default=None)
    last = max((span[1] for span in spans if span is not None), default=None)
    if first is None or last is None:
        message = f"Nothing has happened in {lake.path} yet: load files with `gpu-pipeline ingest`."
        raise PipelineError(message)
    moment = _in_utc(as_of) if as_of is not None else last
    if moment < first:
        message = f"Nothing had happened in {lake.path} by {moment}: its first event is of {first}."
        raise PipelineError(message)
    return RunReport(
        run_id=new_run_id(),
        as_of=moment,
        device=lake.backend.reason,
        versions=_versions(lake),
        steps=(),
    )


def _status(
    step: Step, lake: Lake, fingerprint: str, changed: set[str], *, forced: bool
) -> Literal["would run", "up to date", "nothing to read"]:
    """What is to be done, where the tables `changed` would have been rewritten by now."""
    if not any(table in changed or lake.version(table) is not None for table in step.reads):
        return "nothing to read"
    is_touched = changed.intersection((*step.reads, *step.uses))
    if forced or is_touched or not _is_current(step, lake, fingerprint):
        return "would run"
    return "up to date"


def _performed(step: Step, work: Work, record: RunReport, progress: Progress | None) -> StepReport:
    """Runs the step and reports how it went; an error that is no named one goes on from here."""
    if progress is not None:
        progress(step.name, "started")
    began = perf_counter()
    try:
        step.run(work)
    except PipelineError as error:
        return _report(step, "failed", began, {"error": str(error)})
    except BaseException as error:
        # A bug, or an interruption: its text may quote data, its type does not.
        report = _report(step, "failed", began, {"error": type(error).__name__})
        _keep(work.lake, replace(record, steps=(*record.steps, report)))
        raise
    if progress is not None:
        progress(step.name, "done")
    return _report(step, "done", began, work.facts)


def _report(step: Step, status: Status, began: float, facts: Mapping[str, Any]) -> StepReport:
    seconds = round(perf_counter() - began, 3)
    return StepReport(name=step.name, status=status, seconds=seconds, facts=facts)


def _ordered(steps: tuple[Step, ...]) -> list[Step]:
    """The steps, each after those that write what it reads or uses; else in the order given."""
    writer_of = {table: step.name for step in steps for table in step.writes}
    waiting, placed = list(steps), list[Step]()
    while waiting:
        done = {step.name for step in placed}
        ready = [
            s
            for s in waiting
            if {writer_of.get(t) for t in (*s.reads, *s.uses)} - {None, s.name} <= done
        ]
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


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _latest(lake: Lake, tables: Iterable[str]) -> datetime | None:
    """The latest event in any of the tables."""
    times = [lake.latest(name) for name in tables if contract(name).kind == "event"]
    return max((time for time in times if time is not None), default=None)


def _fingerprint(step: Step, lake: Lake, config: Config, as_of: datetime) -> str:
    last = as_of if step.dated else _latest(lake, step.reads) or as_of
    depends = {
        "step": step.name,
        "code": code_digest("gpu_pipeline", "nlp"),
        "as_of": min(as_of, last).isoformat(),
        "reads": {table: lake.data_version(table) for table in (*step.reads, *step.uses)},
        "settings": {name: str(getattr(config, name)) for name in step.settings},
        "state": step.state(config) if step.state is not None else None,
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:24]


def _is_current(step: Step, lake: Lake, fingerprint: str) -> bool:
    if step.current is not None and step.current(lake) != fingerprint:
        return False
    return all(lake.note(table).get("fingerprint") == fingerprint for table in step.writes)


@cache
def code_digest(*packages: str) -> str:
    """One digest of the code of some packages: other code, other results."""
    digest = hashlib.sha256()
    for package in packages:
        root = files(package)
        paths = sorted(p for p in root.rglob("*") if p.suffix in (".py", ".yaml"))  # type: ignore[attr-defined]
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(lake: Lake, record: RunReport) -> None:
    folder = lake.path / "runs"
    folder.mkdir(exist_ok=True)
    document = {**asdict(record), "as_of": record.as_of.isoformat()}
    new = folder / f"{record.run_id}.new"
    new.write_text(json.dumps(document, indent=2) + "\n")
    new.replace(folder / f"{record.run_id}.json")
