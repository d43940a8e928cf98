"""The command that makes sessions of a file of events."""

from pathlib import Path
from typing import Annotated

import typer

from gpu_pipeline.cli.options import config_of

__all__ = ["sessionize"]


def sessionize(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    customer: Annotated[str, typer.Option("--customer", help="The column that says who.")],
    time: Annotated[str, typer.Option("--time", help="The column that says when.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    event: Annotated[
        str | None, typer.Option("--event", help="The column of event types: view, cart, …")
    ] = None,
    gap: Annotated[str, typer.Option("--gap", help="The pause that ends a session.")] = "30m",
    memory: Annotated[
        str | None,
        typer.Option("--memory", help="About what the process may take; 2GB where none is given."),
    ] = None,
) -> None:
    """Make sessions of any file of events, in order of customer and start."""
    from dask.utils import parse_bytes

    from gpu_pipeline.session_files import sessionize_file
    from gpu_pipeline.terminal import note, progress

    size = config_of(memory=memory).memory or "2GB"
    with progress() as show:
        show("sessionize", "started")
        events, sessions = sessionize_file(
            file,
            output,
            customer=customer,
            time=time,
            event=event,
            gap=gap,
            memory_bytes=parse_bytes(size),
        )
        show("sessionize", "done")
    note(f"{output}: {sessions:,} sessions of {events:,} events")
