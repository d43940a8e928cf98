"""The command that forecasts any file of series."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gpu_pipeline.cli.options import DeviceOption, config_of

if TYPE_CHECKING:
    from gpu_pipeline.forecast_files import ForecastedFile

__all__ = ["forecast"]


def forecast(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet, plain or compressed.")],
    id: Annotated[str, typer.Option("--id", help="The column that says which series.")],
    time: Annotated[str, typer.Option("--time", help="The column that says when.")],
    value: Annotated[str, typer.Option("--value", help="The column that says how much.")],
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="How many days or weeks.")],
    output: Annotated[Path, typer.Option("--output", help="CSV, JSONL or Parquet by its ending.")],
    freq: Annotated[
        Literal["D", "W"], typer.Option("--freq", help="Whether a row is a day or a week.")
    ] = "D",
    known_ahead: Annotated[
        str | None,
        typer.Option("--known-ahead", help="Columns that --future has too: price,holiday."),
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option("--future", help="A file with id, time and these columns of the horizon."),
    ] = None,
    static: Annotated[
        str | None, typer.Option("--static", help="Columns that never change: brand,store.")
    ] = None,
    hierarchy: Annotated[
        str | None,
        typer.Option("--hierarchy", help="Columns to add up to, from coarse to fine: state,store."),
    ] = None,
    levels: Annotated[
        Path | None, typer.Option("--levels", help="A file for the forecasts of those sums.")
    ] = None,
    add_up: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--sum", help="Add up rows of one period; with --freq W also days to weeks."),
    ] = False,
    time_format: Annotated[
        str | None, typer.Option("--time-format", help="Where times aren't ISO 8601: %d/%m/%Y.")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="A file for the rows that can't be used.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same forecasts.")] = 0,
    device: DeviceOption = None,
) -> None:
    """Forecast every series of any file, with how sure that is: mean, p10, p50 and p90."""
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.forecast_files import forecast_file
    from gpu_pipeline.terminal import progress

    with progress() as show:
        show("forecast", "started")
        done = forecast_file(
            file,
            output,
            id=id,
            time=time,
            value=value,
            horizon=horizon,
            freq=freq,
            known_ahead=_names(known_ahead),
            static=_names(static),
            hierarchy=_names(hierarchy),
            future=future,
            levels=levels,
            rejected=rejected,
            time_format=time_format,
            add_up=add_up,
            seed=seed,
            backend=Backend.choose(config_of(device=device).device),
        )
        show("forecast", "done")
    _show(done, output, rejected)


def _names(given: str | None) -> list[str]:
    names = [name.strip() for name in (given or "").split(",")]
    return [name for name in names if name]


def _show(done: "ForecastedFile", output: Path, rejected: Path | None) -> None:
    """What was taken, what was not, what was found, and by which models it is forecast."""
    from gpu_pipeline.terminal import Column, note, print_table

    for reason, count in done.rejected.items():
        typer.echo(f"rejected, {reason}: {count:,} rows", err=True)
    if done.rejected and rejected is not None:
        typer.echo(f"they are in {rejected}", err=True)
    for found in done.notes:
        note(found[:1].upper() + found[1:])
    if done.forecaster.method_ is not None:
        note(f"Forecasts add up by {done.forecaster.method_}, the best method in past windows")
    note(f"{output}: {done.horizon:,} periods ahead of {done.rows:,} usable rows")
    print_table(
        "Models",
        done.models,
        {"model": Column("most weight in"), "series": Column("series", "{:,d}")},
    )
    told = done.evaluation.dropna(axis="columns", how="all")
    metrics = [name for name in told.columns if name != "model"]
    print_table(
        "Error in the last backtest window",
        done.evaluation,
        {"model": Column("model"), **{name: Column(name, "{:,.3f}") for name in metrics}},
    )
