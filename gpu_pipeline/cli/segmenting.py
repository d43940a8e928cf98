"""The command that makes segments of a file of orders or of customers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gpu_pipeline.cli.options import AsOfOption, DeviceOption, config_of

if TYPE_CHECKING:
    from gpu_pipeline.segment_files import SegmentedFile

__all__ = ["segment"]


def segment(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    customer: Annotated[str, typer.Option("--customer", help="The column that says who.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    time: Annotated[
        str | None, typer.Option("--time", help="When it was ordered; by default a usual name.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option("--amount", help="What was paid; with --quantity, for a unit.")
    ] = None,
    order: Annotated[str | None, typer.Option("--order", help="Which lines are one order.")] = None,
    quantity: Annotated[str | None, typer.Option("--quantity", help="How many units.")] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", help="Of a file with a row a customer: spend,visits,age."),
    ] = None,
    time_format: Annotated[
        str | None, typer.Option("--time-format", help="Where times aren't ISO 8601: %d/%m/%Y.")
    ] = None,
    segments: Annotated[int, typer.Option("--segments", min=0, help="How many; 0 chooses.")] = 0,
    method: Annotated[
        Literal["kmeans", "hdbscan"],
        typer.Option("--method", help="hdbscan finds odd shapes, and leaves outliers out."),
    ] = "kmeans",
    profiles: Annotated[
        Path | None, typer.Option("--profiles", help="A file with a row a segment.")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="A file for the rows that can't be used.")
    ] = None,
    as_of: AsOfOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same segments.")] = 0,
    device: DeviceOption = None,
) -> None:
    """Give each customer of any file of orders or features a segment, with the reasons for it."""
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.segment_files import segment_file
    from gpu_pipeline.terminal import progress

    names = [name.strip() for name in (features or "").split(",")]
    with progress() as show:
        show("segment", "started")
        done = segment_file(
            file,
            output,
            customer=customer,
            time=time,
            amount=amount,
            order=order,
            quantity=quantity,
            features=[name for name in names if name],
            time_format=time_format,
            as_of=as_of,
            n_segments=segments,
            method=method,
            seed=seed,
            profiles=profiles,
            rejected=rejected,
            backend=Backend.choose(config_of(device=device).device),
        )
        show("segment", "done")
    _show(done, output, rejected)


def _show(done: "SegmentedFile", output: Path, rejected: Path | None) -> None:
    """What was taken, what was not, and the segments."""
    from gpu_pipeline.terminal import Column, note, print_table

    for reason, count in done.rejected.items():
        typer.echo(f"rejected, {reason}: {count:,} rows", err=True)
    if done.rejected and rejected is not None:
        typer.echo(f"they are in {rejected}", err=True)
    note(f"Taken as {done.taken_as}")
    moment = f" as of {done.as_of:%Y-%m-%d %H:%M}" if done.as_of else ""
    note(f"{output}: {done.customers:,} customers of {done.rows:,} usable rows{moment}")
    if done.customers_without:
        note(f"{done.customers_without:,} of them bought nothing by then and have no segment.")
    profiles, share = done.profiles, dict[str, Column]()
    if "revenue_share" in profiles.columns:
        # What returns leave of a few orders may be a little less than nothing.
        profiles = profiles.assign(revenue_share=profiles["revenue_share"].round(3) + 0.0)
        share = {"revenue_share": Column("of revenue", "{:.1%}")}
    traits = [name for name in profiles.columns if name.startswith("trait_")]
    apart = [
        "; ".join(text for text in texts if isinstance(text, str))
        for texts in profiles[traits].itertuples(index=False)
    ]
    print_table(
        "Segments",
        profiles.assign(apart=apart),
        {
            "segment": Column("no.", "{:d}"),
            "name": Column("name"),
            "customers": Column("customers", "{:,d}"),
            **share,
            "apart": Column("what sets them apart"),
        },
    )
