"""From a file of series to a file of forecasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.columns import check_there
from gpu_pipeline.file_rows.rejecting import Rejected, rejecting
from gpu_pipeline.file_rows.writing import write_table
from gpu_pipeline.forecast_files.series_file import Reading, SeriesColumns, read_series
from gpu_pipeline.forecasting import DemandForecaster, Panel
from gpu_pipeline.forecasting.frequency import Freq
from gpu_pipeline.ingest.reading import plain_names
from gpu_pipeline.ingest.writing import check_output

__all__ = ["ForecastedFile", "forecast_file"]

_MADE = ("mean", "p10", "p50", "p90")


@dataclass(frozen=True, kw_only=True)
class ForecastedFile:
    """What came of a file: rows taken and rejected, its series and periods, and their models.

    `notes` say in words what was found. `models` has a row a model, with the number of `series` in
    whose forecast it has the most weight; `evaluation` a row a model with its metrics in the last
    window of the backtest.
    """

    rows: int
    rejected: Mapping[str, int]
    rejected_rows: int
    series: int
    periods: int
    horizon: int
    notes: tuple[str, ...]
    models: pd.DataFrame
    evaluation: pd.DataFrame
    forecaster: DemandForecaster


def forecast_file(
    source: Path,
    output: Path,
    *,
    id: str,
    time: str,
    value: str,
    horizon: int,
    freq: Freq = "D",
    known_ahead: Sequence[str] = (),
    static: Sequence[str] = (),
    hierarchy: Sequence[str] = (),
    future: Path | None = None,
    levels: Path | None = None,
    rejected: Path | None = None,
    time_format: str | None = None,
    add_up: bool = False,
    seed: int = 0,
    backend: Backend | None = None,
) -> ForecastedFile:
    """Writes the `horizon` periods after the last one of each series of `source`.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. The
    output has the id, the time, mean, p10, p50 and p90, by id and time. Columns `known_ahead` need
    a file `future` with the id, the time and these columns for every series and period of the
    horizon. `hierarchy` names static columns from coarse to fine: forecasts then add up, and
    `levels` gets those of each total. Rows are read as `read_series` says; those that can't be used
    are counted by reason, and written to `rejected` where that is given. Outputs appear whole or
    not at all.

    Raises:
        IngestError: a file can't be read, lacks columns, has no sound row, or repeats a series and
            period; an output's folder or kind is not there; the future doesn't fit.
        PanelError: it is too short, or static columns have several values in a series.
    """
    for path in (output, levels):
        if path is not None:
            check_output(path)
    columns = SeriesColumns(
        id=id,
        time=time,
        value=value,
        known_ahead=tuple(known_ahead),
        static=tuple(dict.fromkeys([*static, *hierarchy])),
    )
    _check(source, columns, future=future, levels=levels, hierarchy=hierarchy)
    backend = backend if backend is not None else Backend.choose()
    reading = Reading(freq=freq, time_format=time_format, add_up=add_up)
    with rejecting(rejected) as refused:
        rows, told = read_series(source, columns, refused, reading)
        panel = Panel.from_frame(
            backend.from_pandas(rows),
            freq=freq,
            backend=backend,
            known_ahead=columns.known_ahead,
            static=columns.static,
        )
        if future is not None:
            ahead = _future(future, columns, panel, reading)
            panel = panel.with_future(ahead, steps=horizon)
        fitted = DemandForecaster(
            horizon=horizon,
            freq=freq,
            known_ahead=columns.known_ahead,
            static=columns.static,
            hierarchy=tuple(hierarchy),
            seed=seed,
            backend=backend,
        ).fit(panel)
        forecast = backend.to_pandas(fitted.predict())
        if levels is not None:
            write_table(levels, _table(backend.to_pandas(fitted.predict_levels()), id, time))
        write_table(output, _table(forecast, id, time))
    models = backend.to_pandas(fitted.models_)["model"].value_counts()
    return ForecastedFile(
        rows=len(rows),
        rejected=dict(refused.counts),
        rejected_rows=refused.rows,
        series=len(panel.ids),
        periods=panel.y.shape[1],
        horizon=horizon,
        notes=(*told, *panel.notes),
        models=models.rename_axis("model").reset_index(name="series"),
        evaluation=backend.to_pandas(fitted.evaluation_),
        forecaster=fitted,
    )


def _check(
    source: Path,
    columns: SeriesColumns,
    *,
    future: Path | None,
    levels: Path | None,
    hierarchy: Sequence[str],
) -> None:
    """Holds the columns and options to each other, before rows are read."""
    asked = [("--id", columns.id), ("--time", columns.time), ("--value", str(columns.value))]
    asked += [("--known-ahead", name) for name in columns.known_ahead]
    asked += [("--hierarchy" if n in hierarchy else "--static", n) for n in columns.static]
    check_there(source, plain_names(source), asked)
    if len({name for _, name in asked}) < len(asked):
        said = ", ".join(f"{option} {name}" for option, name in asked)
        message = f"One column of {source} is named for two things: {said}."
        raise IngestError(message)
    taken = sorted({columns.id, columns.time} & {*_MADE, "level"})
    if taken:
        message = f"The output has a column {taken[0]!r} of its own: rename that of {source}."
        raise IngestError(message)
    if bool(columns.known_ahead) != (future is not None):
        message = (
            "Columns known ahead and a file of what is known go together: give both --known-ahead "
            "and --future, or neither."
        )
        raise IngestError(message)
    if levels is not None and not hierarchy:
        message = "--levels are those of a hierarchy: name its columns with --hierarchy."
        raise IngestError(message)


def _future(path: Path, columns: SeriesColumns, panel: Panel, reading: Reading) -> pd.DataFrame:
    """What is known of the horizon; here every row is needed."""
    wanted = replace(columns, value=None, static=())
    asked = [("--id", wanted.id), ("--time", wanted.time)]
    asked += [("--known-ahead", name) for name in wanted.known_ahead]
    check_there(path, plain_names(path), asked)
    refused = Rejected()
    rows, _ = read_series(path, wanted, refused, reading, texts=tuple(panel.known.categories))
    if refused.rows:
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in refused.counts.items())
        message = (
            f"{refused.rows:,} rows of {path} can't be used: {reasons}. All are needed: mend them."
        )
        raise IngestError(message)
    return panel.backend.from_pandas(rows)


def _table(forecast: pd.DataFrame, id: str, time: str) -> pa.Table:
    """Forecasts under the names of the file, times as dates."""
    named = forecast.rename(columns={"unique_id": id, "ds": time})
    table = pa.Table.from_pandas(named, preserve_index=False)
    place = table.column_names.index(time)
    return table.set_column(place, time, table[time].cast(pa.date32()))
