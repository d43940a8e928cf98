"""The demo: from landing files to answers in one call, on a made shop or on a real one."""

from dataclasses import dataclass
from pathlib import Path

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.ingest import FileMapping, IngestReport, ingest
from gpu_pipeline.pipeline import Progress, RunReport, run
from gpu_pipeline.report import Answers, answers, write_report
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import FILES, generate

__all__ = ["Demo", "demo"]

CUSTOMERS, DAYS, SEED = 2000, 280, 7
REAL_DATA = Path(__file__).parents[1] / "data"
_REAL_FILES = ("online_retail.parquet",)


@dataclass(frozen=True)
class Demo:
    """What a demo did: the reports of its two halves, the answers, and the page with them."""

    lake: Lake
    loaded: IngestReport
    ran: RunReport
    answers: Answers
    page: Path


def demo(config: Config, *, real: bool = False, progress: Progress) -> Demo:
    """Fills the lake at `config.lake`, runs every step and writes a page beside the lake.

    The made shop has all sources, the real one (UCI Online Retail) only orders. Called again on
    the same lake it finds everything up to date.

    Raises:
        PipelineError: the real data is not there, the lake holds other files than the demo's, or
            a step fails.
    """
    folder = config.lake.resolve()
    _check_own(folder, _REAL_FILES if real else tuple(FILES.values()))
    backend = Backend.choose(config.device)
    key = config.key.get_secret_value() if config.key is not None else None
    source, mapping = _real_sources() if real else _made_sources(folder, progress)
    lake = Lake.create(
        config.lake, buckets=config.buckets, backend=backend, key=key, **config.asked_of_lake
    )
    with backend.cluster(workers=config.workers, scheduler=config.scheduler, memory=config.memory):
        progress("ingest", "started")
        loaded = ingest(lake, source, mapping=mapping)
        progress("ingest", "done")
        ran = run(lake, STEPS, config, progress=progress)
        progress("report", "started")
        found = answers(lake)
        page = write_report(lake, folder.with_name(f"{folder.name}.html"), answers=found)
        progress("report", "done")
    return Demo(lake, loaded, ran, found, page)


def _check_own(folder: Path, names: tuple[str, ...]) -> None:
    """Refuses to pour a made shop into somebody's lake."""
    if not (folder / "lake.json").is_file():
        return
    lake = Lake(folder)
    found = lake.read("source_files", ["name"]).compute()["name"] if lake.tables() else []
    others = sorted(set(found) - set(names))
    if others:
        message = (
            f"{folder} holds other files than the demo's ({others[0]}, …): the demo needs a lake "
            "of its own, such as --lake demo-lake."
        )
        raise PipelineError(message)


def _real_sources() -> tuple[Path, FileMapping]:
    source = REAL_DATA / _REAL_FILES[0]
    if not source.is_file():
        message = f"{source} is missing: the real demo runs from a checkout of the repository."
        raise PipelineError(message)
    return source, FileMapping.load(REAL_DATA / "online_retail.mapping.yaml")


def _made_sources(lake: Path, progress: Progress) -> tuple[Path, None]:
    folder = lake.with_name(f"{lake.name}-landing")
    progress("generate", "started")
    # Raw ids lie here, and only here.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    generate(folder, customers=CUSTOMERS, days=DAYS, seed=SEED)
    progress("generate", "done")
    return folder, None
