"""Options that several commands share, and how a lake and a cluster follow from them."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from gpu_pipeline.config import Config
    from gpu_pipeline.store import Lake

__all__ = [
    "AsOfOption",
    "CurrencyOption",
    "DeviceOption",
    "JsonOption",
    "LakeOption",
    "MappingOption",
    "MemoryOption",
    "SchedulerOption",
    "TimeZoneOption",
    "WorkersOption",
    "cluster_of",
    "config_of",
    "open_lake",
]

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
    str | None,
    typer.Option("--memory", help="Memory limit of a worker, or of an ingest, such as 4GB."),
]
TimeZoneOption = Annotated[
    str | None,
    typer.Option("--time-zone", help="Whose days count in a new lake: Europe/London; else UTC."),
]
CurrencyOption = Annotated[
    str | None,
    typer.Option("--currency", help="What a new lake reports in: EUR; needs fx_rates of others."),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", help="The moment (UTC); by default the latest event in the lake."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="YAML that says which columns feed what.")
]


def config_of(**given: Any) -> "Config":  # noqa: ANN401
    """The settings; options that were not given are None."""
    from gpu_pipeline.config import Config

    return Config.load(**given)


def open_lake(config: "Config", *, create: bool = False) -> "Lake":
    """The lake of the settings; with `create` a new one where there is none."""
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.store import Lake

    backend = Backend.choose(config.device)
    key = config.key.get_secret_value() if config.key is not None else None
    if create:
        return Lake.create(
            config.lake, buckets=config.buckets, backend=backend, key=key, **config.asked_of_lake
        )
    return Lake(config.lake, backend=backend, key=key, **config.asked_of_lake)


def cluster_of(lake: "Lake", config: "Config") -> Any:  # noqa: ANN401
    """Dask on the lake's device, as the settings want it, while the context lasts."""
    return lake.backend.cluster(
        workers=config.workers,
        scheduler=config.scheduler,
        memory=config.memory if config.workers or config.scheduler else "",
    )
