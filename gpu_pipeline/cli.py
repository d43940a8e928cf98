"""The command line: parse, call one function, print.

Imports of frames and models stand inside the commands: help answers in a fraction of a second.
"""

import ipaddress
import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gpu_pipeline.errors import ConfigError, PipelineError
from nlp import ModelError

if TYPE_CHECKING:
    from gpu_pipeline.config import Config
    from gpu_pipeline.store import Lake

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analytics for an online shop: files in, segments, forecasts and sentiment out, served.",
)

LakeOption = Annotated[Path | None, typer.Option("--lake", help="Folder of the lake.")]
DeviceOption = Annotated[
    Literal["auto", "cpu", "gpu"] | None, typer.Option("--device", help="Where frames live.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Dask worker processes; 0 is threads.")
]
SchedulerOption = Annotated[
    str | None, typer.Option("--scheduler", help="An existing Dask scheduler, tcp://…")
]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", help="Memory limit of one worker, such as 4GB.")
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", help="The moment (UTC); by default the latest event in the lake."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="YAML that says which columns feed what.")
]


def main() -> None:
    """Runs the command line: exit code 0, 1 for a named error, 2 for wrong usage."""
    try:
        app()
    except (PipelineError, ModelError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


@app.command()
def demo(
    real: Annotated[  # noqa: FBT002
        bool, typer.Option("--real", help="The UCI Online Retail shop instead of a made one.")
    ] = False,
    lake: LakeOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
) -> None:
    """Make a small shop (or take the shipped real one), run everything, show the answers."""
    from gpu_pipeline.demo import demo as run_demo
    from gpu_pipeline.summary import show_answers, show_loads
    from gpu_pipeline.terminal import note, progress

    folder = lake if lake is not None else Path("real-lake" if real else "demo-lake")
    config = _config(lake=folder, device=device, workers=workers)
    with progress() as show:
        done = run_demo(config, real=real, progress=show)
    note(f"{done.lake.path} on {done.ran.device}")
    show_loads(done.loaded)
    show_answers(done.answers)
    note(f"\nThe same with pictures: {done.page}")
    note(f"Ask it over HTTP:       gpu-pipeline serve --lake {done.lake.path}")


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="Where the landing files go.")],
    customers: Annotated[int, typer.Option(min=100, help="How many customers.")] = 3000,
    days: Annotated[int, typer.Option(min=28, help="How many days.")] = 180,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
) -> None:
    """Write the sources of a made shop, with the truth beside them in truth/."""
    from gpu_pipeline.synthetic import generate as write_sources
    from gpu_pipeline.terminal import note, progress

    with progress() as show:
        show("generate", "started")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        truth = write_sources(folder, customers=customers, days=days, seed=seed)
        show("generate", "done")
    rows = sum(truth.rows.values())
    note(f"{folder}: {rows:,} rows of {len(truth.rows)} sources, the truth in {folder / 'truth'}")


@app.command()
def ingest(
    source: Annotated[Path, typer.Argument(help="A landing file, or a folder of them.")],
    lake: LakeOption = None,
    mapping: MappingOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Show what the rows would become, load none.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Load landing files into the lake, each exactly once; makes the lake if there is none."""
    from dataclasses import asdict

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.ingest import FileMapping, load, planned, previewed
    from gpu_pipeline.summary import show_loads, show_preview
    from gpu_pipeline.terminal import print_json, progress

    config = _config(lake=lake, device=device, workers=workers)
    feeds = FileMapping.load(mapping) if mapping is not None else None
    plan = planned(source, mapping=feeds)
    if dry_run:
        for preview in previewed(plan, backend=Backend.choose(config.device)):
            show_preview(preview)
        return
    target = _lake(config, create=True)
    with progress() as show, _cluster(target, config):
        show("ingest", "started")
        report = load(target, plan)
        show("ingest", "done")
    if as_json:
        print_json(asdict(report))
    else:
        show_loads(report)


@app.command()
def run(
    lake: LakeOption = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="Landing files to ingest first.")
    ] = None,
    mapping: MappingOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    memory: MemoryOption = None,
    as_of: AsOfOption = None,
    from_step: Annotated[
        str | None, typer.Option("--from", help="Repeat this step and those after it.")
    ] = None,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Bring every table up to date: only what changed, and on from where a run was killed."""
    from dataclasses import asdict

    from gpu_pipeline.ingest import FileMapping, load, planned
    from gpu_pipeline.pipeline import run as run_steps
    from gpu_pipeline.steps import STEPS
    from gpu_pipeline.summary import show_loads, show_run
    from gpu_pipeline.terminal import print_json, progress

    if dry_run and source is not None:
        message = "--dry-run changes nothing, --input would: give one of them."
        raise typer.BadParameter(message)
    config = _config(lake=lake, device=device, workers=workers, scheduler=scheduler, memory=memory)
    feeds = FileMapping.load(mapping) if mapping is not None else None
    plan = planned(source, mapping=feeds) if source is not None else None
    target = _lake(config, create=plan is not None)
    loaded = None
    with progress() as show, _cluster(target, config):
        if plan is not None:
            show("ingest", "started")
            loaded = load(target, plan)
            show("ingest", "done")
        report = run_steps(
            target,
            STEPS,
            config,
            as_of=as_of,
            from_step=from_step,
            dry_run=dry_run,
            progress=show,
        )
    if as_json:
        print_json({"loaded": asdict(loaded) if loaded else None, **asdict(report)})
        return
    if loaded is not None:
        show_loads(loaded)
    show_run(report)


@app.command()
def answers(lake: LakeOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what the last run found: segments, forecasts, sentiment, what was rejected."""
    from gpu_pipeline.report import answers as find
    from gpu_pipeline.summary import as_records, show_answers
    from gpu_pipeline.terminal import print_json

    found = find(_lake(_config(lake=lake)))
    if as_json:
        print_json(as_records(found))
    else:
        show_answers(found)


@app.command()
def report(
    page: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("report.html"),
    lake: LakeOption = None,
) -> None:
    """Write the answers of the last run as one HTML page that needs no network."""
    from gpu_pipeline.report import answers as find
    from gpu_pipeline.report import write_report
    from gpu_pipeline.terminal import note

    target = _lake(_config(lake=lake))
    note(str(write_report(target, page, answers=find(target))))


@app.command()
def status(lake: LakeOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show the tables of the lake: version, rows, latest event."""
    import pandas as pd

    from gpu_pipeline.terminal import Column, note, print_json, print_table

    target = _lake(_config(lake=lake))
    rows = [
        {
            "table": name,
            "version": target.version(name),
            "rows": target.rows(name),
            "latest": target.latest(name),
        }
        for name in target.tables()
    ]
    if as_json:
        print_json({"lake": target.path, "device": target.backend.reason, "tables": rows})
        return
    note(f"{target.path} on {target.backend.reason}")
    print_table(
        "Tables",
        pd.DataFrame(rows),
        {
            "table": Column("table"),
            "version": Column("version", "{:d}"),
            "rows": Column("rows", "{:,d}"),
            "latest": Column("latest event (UTC)", "{:%Y-%m-%d %H:%M}"),
        },
    )


@app.command()
def history(
    table: Annotated[str, typer.Argument(help="Name of the table.")],
    lake: LakeOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Show the versions of a table, newest first."""
    import pandas as pd

    from gpu_pipeline.terminal import Column, print_json, print_table

    versions = _lake(_config(lake=lake)).history(table)
    if as_json:
        print_json(versions)
        return
    names = ("version", "at", "operation", "run")
    shown = pd.DataFrame([{name: entry.get(name) for name in names} for entry in versions])
    columns = {
        "version": Column("version", "{:d}"),
        "at": Column("committed (UTC)", "{:%Y-%m-%d %H:%M:%S}"),
        "operation": Column("operation"),
        "run": Column("run"),
    }
    print_table(f"History of {table}", shown, columns)


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    model: Annotated[Path | None, typer.Option("--model", help="A model folder.")] = None,
) -> None:
    """Add the sentiment of a column of texts to any file."""
    from gpu_pipeline.scoring import score_file
    from gpu_pipeline.terminal import note, progress

    with progress() as show:
        show("score", "started")
        rows = score_file(file, text, output, model=model)
        show("score", "done")
    note(f"{output}: {rows:,} rows")


@app.command()
def train(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV with texts and labels.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the new model.")],
    text: Annotated[str, typer.Option("--text", help="The column with the texts.")] = "text",
    label: Annotated[
        str, typer.Option("--label", help="0 negative, 1 neutral, 2 positive.")
    ] = "label",
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Labelled texts to measure it on.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Fine-tune the MiniLM encoder on labelled texts (`make encoder` installs it)."""
    from gpu_pipeline.scoring import train_file
    from gpu_pipeline.terminal import print_json, progress

    with progress() as show:
        show("train", "started")
        facts = train_file(
            file, output, text=text, label=label, validation=validation, epochs=epochs, seed=seed
        )
        show("train", "done")
    print_json({"model": str(output), **facts})


@app.command()
def serve(
    lake: LakeOption = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
) -> None:
    """Serve the last published run, and score texts, over HTTP."""
    import hashlib

    import uvicorn

    from gpu_pipeline.config import Config
    from gpu_pipeline.publish import current_version
    from gpu_pipeline.terminal import SERVER_LOG, note
    from nlp.model import version_of

    config = _config(lake=lake, host=host, port=port)
    target = _lake(config)
    # What is missing is one line here, and a trace in the server.
    version_of(config.text_model)
    target.key  # noqa: B018
    if current_version(target.serving) is None:
        note(f"Nothing is published yet: gpu-pipeline run --lake {target.path}")
    address = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{address}:{config.port}"
    if not config.api_keys:
        if not _is_loopback(config.host):
            message = (
                f"Without configured keys the API stays on this machine: {config.host} needs "
                "GPU_PIPELINE_API_KEYS, a JSON list of the keys' sha256 digests."
            )
            raise ConfigError(message)
        key = secrets.token_urlsafe()
        digest = hashlib.sha256(key.encode()).hexdigest()
        given = {name: getattr(config, name) for name in config.model_fields_set}
        config = Config.load(**{**given, "api_keys": (digest,)})
        note(f"One-off key, gone when the server stops: {key}")
        note(f"Try: curl -H 'Authorization: Bearer {key}' {url}/v1/segments")
    note(f"Documentation: {url}/docs")
    config.export()
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=config.host,
        port=config.port,
        access_log=False,
        log_config=SERVER_LOG,
    )


def _config(**given: Any) -> "Config":  # noqa: ANN401
    from gpu_pipeline.config import Config

    return Config.load(**given)


def _lake(config: "Config", *, create: bool = False) -> "Lake":
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.store import Lake

    backend = Backend.choose(config.device)
    key = config.key.get_secret_value() if config.key is not None else None
    if create:
        return Lake.create(config.lake, buckets=config.buckets, backend=backend, key=key)
    return Lake(config.lake, backend=backend, key=key)


def _cluster(lake: "Lake", config: "Config") -> Any:  # noqa: ANN401
    return lake.backend.cluster(
        workers=config.workers, scheduler=config.scheduler, memory=config.memory
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
