"""Commands that fill a lake and bring it up to date."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gpu_pipeline.cli.options import (
    AsOfOption,
    CurrencyOption,
    DeviceOption,
    JsonOption,
    LakeOption,
    MappingOption,
    MemoryOption,
    SchedulerOption,
    TimeZoneOption,
    WorkersOption,
    cluster_of,
    config_of,
    open_lake,
)

__all__ = ["demo", "generate", "ingest", "run"]


def demo(
    real: Annotated[  # noqa: FBT002
        bool, typer.Option("--real", help="The UCI Online Retail shop instead of a made one.")
    ] = False,
    lake: LakeOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    time_zone: TimeZoneOption = None,
    currency: CurrencyOption = None,
) -> None:
    """Make a small shop (or take the shipped real one), run everything, show the answers."""
    from gpu_pipeline.demo import demo as run_demo
    from gpu_pipeline.summary import show_answers, show_loads
    from gpu_pipeline.terminal import note, progress

    folder = lake if lake is not None else Path("real-lake" if real else "demo-lake")
    config = config_of(
        lake=folder, device=device, workers=workers, time_zone=time_zone, currency=currency
    )
    with progress() as show:
        done = run_demo(config, real=real, progress=show)
    note(f"{done.lake.path} on {done.ran.device}")
    show_loads(done.loaded)
    show_answers(done.answers)
    note(f"\nThe same with pictures: {done.page}")
    note(f"Ask it over HTTP:       gpu-pipeline serve --lake {done.lake.path}")


def generate(
    folder: Annotated[Path, typer.Argument(help="Where the landing files go.")],
    customers: Annotated[int, typer.Option(min=100, help="How many customers.")] = 3000,
    days: Annotated[int, typer.Option(min=28, help="How many days.")] = 180,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
    damage: Annotated[
        float, typer.Option(min=0, max=0.5, help="Fraction of the rows that are damaged.")
    ] = 0.01,
    currencies: Annotated[
        str, typer.Option(help="What orders are paid in: EUR, or EUR and others, as EUR,USD,JPY.")
    ] = "EUR",
    file_format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option("--format", help="Of all files; else each source has its own."),
    ] = None,
    daily: Annotated[  # noqa: FBT002
        bool, typer.Option("--daily", help="A folder for each day, to load one after the other.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads; the bytes are the same.")] = 1,
) -> None:
    """Write the sources of a made shop, with the truth beside them in truth/."""
    from gpu_pipeline.synthetic import generate as write_sources
    from gpu_pipeline.terminal import note, progress

    with progress() as show:
        show("generate", "started")
        truth = write_sources(
            folder,
            customers=customers,
            days=days,
            seed=seed,
            damage=damage,
            currencies=tuple(name.strip() for name in currencies.split(",")),
            file_format=file_format,
            daily=daily,
            workers=workers,
        )
        show("generate", "done")
    rows = sum(truth.rows.values())
    note(f"{folder}: {rows:,} rows of {len(truth.rows)} sources, the truth in {folder / 'truth'}")


def ingest(
    source: Annotated[
        str, typer.Argument(help="A landing file, a folder, or a quoted pattern: 'in/*.csv.gz'.")
    ],
    lake: LakeOption = None,
    mapping: MappingOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    time_zone: TimeZoneOption = None,
    currency: CurrencyOption = None,
    memory: MemoryOption = None,
    backfill: Annotated[  # noqa: FBT002
        bool, typer.Option("--backfill", help="Take rows of any age, not only recent ones.")
    ] = False,
    reload: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--reload", help="Replace what files brought under another mapping."),
    ] = False,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Show what the rows would become, load none.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Load landing files into the lake, each exactly once; makes the lake if there is none."""
    from dataclasses import asdict

    from gpu_pipeline.backend import Backend
    from gpu_pipeline.ingest import FileMapping, LoadOptions, load, planned, previewed
    from gpu_pipeline.summary import show_loads, show_preview
    from gpu_pipeline.terminal import print_json, progress

    config = config_of(
        lake=lake,
        device=device,
        workers=workers,
        memory=memory,
        time_zone=time_zone,
        currency=currency,
    )
    feeds = FileMapping.load(mapping) if mapping is not None else None
    plan = planned(source, mapping=feeds)
    if dry_run:
        previews = previewed(plan, backend=Backend.choose(config.device))
        if as_json:
            print_json([asdict(preview) for preview in previews])
            return
        for preview in previews:
            show_preview(preview)
        return
    target = open_lake(config, create=True)
    with progress() as show, cluster_of(target, config):
        show("ingest", "started")
        options = LoadOptions.of(config.memory, backfill=backfill, reload=reload)
        report = load(target, plan, options=options)
        show("ingest", "done")
    if as_json:
        print_json(asdict(report))
    else:
        show_loads(report)


def run(
    lake: LakeOption = None,
    source: Annotated[
        str | None, typer.Option("--input", help="Landing files to ingest first, as in ingest.")
    ] = None,
    mapping: MappingOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    memory: MemoryOption = None,
    time_zone: TimeZoneOption = None,
    currency: CurrencyOption = None,
    as_of: AsOfOption = None,
    from_step: Annotated[
        str | None, typer.Option("--from", help="Repeat this step and those after it.")
    ] = None,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")
    ] = False,
    new_segments: Annotated[
        bool | None,
        typer.Option("--new-segments", help="Take a fit that changes what the segments mean."),
    ] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Bring every table up to date: only what changed, and on from where a run was killed."""
    from dataclasses import asdict

    from gpu_pipeline.ingest import FileMapping, LoadOptions, load, planned
    from gpu_pipeline.pipeline import run as run_steps
    from gpu_pipeline.steps import STEPS
    from gpu_pipeline.summary import show_loads, show_run
    from gpu_pipeline.terminal import print_json, progress

    if dry_run and source is not None:
        message = "--dry-run changes nothing, --input would: give one of them."
        raise typer.BadParameter(message)
    config = config_of(
        lake=lake,
        device=device,
        workers=workers,
        scheduler=scheduler,
        memory=memory,
        time_zone=time_zone,
        currency=currency,
        new_segments=new_segments,
    )
    feeds = FileMapping.load(mapping) if mapping is not None else None
    plan = planned(source, mapping=feeds) if source is not None else None
    target = open_lake(config, create=plan is not None)
    loaded = None
    with progress() as show, cluster_of(target, config):
        if plan is not None:
            show("ingest", "started")
            loaded = load(target, plan, options=LoadOptions.of(config.memory))
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
