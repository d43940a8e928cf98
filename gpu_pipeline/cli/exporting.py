"""The command that gives a caller's own customers back with what is known of them."""

from pathlib import Path
from typing import Annotated

import typer

from gpu_pipeline.cli.options import DeviceOption, LakeOption, config_of, open_lake

__all__ = ["export_segment"]


def export_segment(
    ids: Annotated[Path, typer.Option("--ids", help="A file with your own customer ids.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    column: Annotated[
        str | None, typer.Option("--column", help="Which column holds the ids, of several.")
    ] = None,
    lake: LakeOption = None,
    segment: Annotated[
        str | None, typer.Option("--segment", help="Only those in it, by its number or name.")
    ] = None,
    consent_held_elsewhere: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--consent-held-elsewhere",
            help="Whoever the lake has no word of agreed to marketing: I have seen to it.",
        ),
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Write your own customer ids with segment, value and reasons, for those who agreed to it."""
    from gpu_pipeline.exporting import export_segments
    from gpu_pipeline.terminal import note, progress

    target = open_lake(config_of(lake=lake, device=device))
    with progress() as show:
        show("export-segment", "started")
        done = export_segments(
            target,
            ids,
            output,
            column=column,
            segment=segment,
            consent_held_elsewhere=consent_held_elsewhere,
        )
        show("export-segment", "done")
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(done.statuses.items()))
    note(f"{output}: {done.rows:,} rows of {done.ids:,} ids ({counts})")
    if done.statuses.get("unknown") == done.ids:
        typer.echo(
            "None of these ids is known. They must be those of the files that were loaded; "
            "--column says where they are.",
            err=True,
        )
