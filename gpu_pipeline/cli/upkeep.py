"""Commands that keep a lake in shape."""

from typing import Annotated

import typer

from gpu_pipeline.cli.options import JsonOption, LakeOption, config_of, open_lake

__all__ = ["compact"]


def compact(
    table: Annotated[str | None, typer.Argument(help="One table; by default all.")] = None,
    lake: LakeOption = None,
    most_files: Annotated[
        int, typer.Option(min=1, help="How many small files a bucket and month may keep.")
    ] = 1,
    keep_days: Annotated[
        float, typer.Option(min=0, help="Versions of so many days stay readable.")
    ] = 7.0,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Merge small files of the tables into fewer, larger ones; drop files of old versions."""
    from dataclasses import asdict

    from gpu_pipeline.store import compact_tables
    from gpu_pipeline.summary import show_compaction
    from gpu_pipeline.terminal import print_json, progress

    target = open_lake(config_of(lake=lake))
    names = target.tables() if table is None else [table]
    with target.writer() as writer, progress() as show:
        done = compact_tables(
            writer, names, most_files=most_files, keep_days=keep_days, progress=show
        )
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        show_compaction(done)
