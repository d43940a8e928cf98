"""Weekly sales of Walmart's stores and departments, the last thirteen weeks, beside statsforecast.

The folder holds walmart_weekly and walmart_features (Parquet, from the Kaggle competition of 2014).
All is forecast that was sold in the weeks before the last 13, from these weeks alone; holidays and
markdowns are known ahead, stores and departments are static columns. Scored is what is in the
file: a department without a row in a week is left out. `holidays` counts weeks with a holiday five
times, as the competition did; in the last weeks of this file there may be none.

statsforecast gets the first of the series (`--sample`, none for no peer) in a process and an
environment of its own, and every way is scored on those too.

Run: python benchmarks/forecast_walmart.py FOLDER [--sample N] [--series N] [--peer-python PYTHON]
"""

import argparse
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HORIZON, SEASON = 13, 52
HOLIDAY_WEIGHT = 5
MARKDOWNS = [f"MarkDown{number}" for number in range(1, 6)]
KEYS = ["unique_id", "ds"]


def main() -> None:
    given = _arguments()
    if given.way:
        _peers(given.folder)
        return
    from timing import machine

    print(machine())
    sales = _sales(given.folder, given.series)
    end = sales["ds"].max() - HORIZON * pd.Timedelta(days=7)
    past, held_out = sales[sales["ds"] <= end], sales[sales["ds"] > end]
    found = _ours(past, held_out)
    print(f"{past['unique_id'].nunique():,} series of {past['ds'].nunique()} weeks\n")
    _show(held_out, found)
    if given.peer_python:
        some = np.sort(past["unique_id"].unique())[
            :: max(1, past["unique_id"].nunique() // given.sample)
        ]
        peers = _of_peer(past[past["unique_id"].isin(some)], given.peer_python)
        print(f"\nOf these {len(some)}:\n")
        _show(held_out[held_out["unique_id"].isin(some)], found | peers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the walmart_*.parquet files are")
    parser.add_argument("--series", type=int, help="only so many of the series, evenly spread")
    parser.add_argument("--sample", type=int, default=200, help="series for the peer")
    parser.add_argument("--peer-python", help="a Python that has statsforecast")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


def _sales(folder: Path, most: int | None) -> pd.DataFrame:
    """unique_id, ds, y, store, dept, holiday and markdowns; returns above sales count as none."""
    weeks = pd.read_parquet(folder / "walmart_weekly.parquet")
    about = pd.read_parquet(folder / "walmart_features.parquet")[["Store", "Date", *MARKDOWNS]]
    sales = weeks.merge(about, on=["Store", "Date"], how="left")
    sales = pd.DataFrame(
        {
            "unique_id": sales["Store"].astype(str) + "/" + sales["Dept"].astype(str),
            "ds": sales["Date"].astype("datetime64[us]"),
            "y": sales["Weekly_Sales"].clip(lower=0),
            "store": sales["Store"].astype(str),
            "dept": sales["Dept"].astype(str),
            "holiday": sales["IsHoliday"],
            **{name.lower(): sales[name] for name in MARKDOWNS},
        }
    )
    ids = np.sort(sales["unique_id"].unique())
    kept = ids[:: max(1, len(ids) // most)] if most else ids
    return sales[sales["unique_id"].isin(kept)]


def _ours(past: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By way a frame unique_id, ds, mean."""
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.forecasting import DemandForecaster, Panel
    from gpu_pipeline.forecasting.naive import seasonal_naive

    known = ["holiday", *(name.lower() for name in MARKDOWNS)]
    began = time.perf_counter()
    fitted = DemandForecaster(
        horizon=HORIZON,
        freq="W",
        known_ahead=known,
        static=["store", "dept"],
        backend=Backend.choose("cpu"),
    ).fit(past)
    forecast = fitted.predict(_future(past, held_out, known))
    print(f"DemandForecaster: {time.perf_counter() - began:.0f} s")
    panel = Panel.from_frame(past[[*KEYS, "y"]], freq="W", backend=Backend.choose("cpu"))
    naive = forecast[KEYS].assign(
        mean=seasonal_naive(panel, origins=[panel.y.shape[1]], steps=HORIZON)[0].ravel()
    )
    return {"DemandForecaster": forecast[[*KEYS, "mean"]], "seasonal naive": naive}


def _future(past: pd.DataFrame, held_out: pd.DataFrame, known: list[str]) -> pd.DataFrame:
    """A row for each series and week to come, with what its store knows of it."""
    series = past[["unique_id", "store"]].drop_duplicates()
    weeks = held_out[["store", "ds", *known]].drop_duplicates(["store", "ds"])
    return series.merge(weeks, on="store").drop(columns="store")


def _of_peer(past: pd.DataFrame, python: str) -> dict[str, pd.DataFrame]:
    with tempfile.TemporaryDirectory() as name:
        past[[*KEYS, "y"]].to_parquet(Path(name) / "past.parquet")
        subprocess.run([python, __file__, name, "--way", "peers"], check=True)
        said = pd.read_parquet(Path(name) / "said.parquet")
    said["ds"] = said["ds"].astype("datetime64[us]")
    ways = [name for name in said if name not in KEYS]
    return {
        f"statsforecast {way}": said[[*KEYS, way]].rename(columns={way: "mean"}) for way in ways
    }


def _peers(folder: Path) -> None:
    """Runs in the peer's environment; a series too short for a model gets its last value."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, Naive, SeasonalNaive

    warnings.simplefilter("ignore")
    os.environ["NIXTLA_ID_AS_COL"] = "1"
    past = pd.read_parquet(folder / "past.parquet")
    grid = pd.MultiIndex.from_product(
        [past["unique_id"].unique(), np.sort(past["ds"].unique())], names=KEYS
    )
    whole = past.set_index(KEYS).reindex(grid)["y"].fillna(0.0).reset_index()
    began = whole.groupby("unique_id")["y"].cumsum() > 0
    models = [SeasonalNaive(season_length=SEASON), AutoETS(season_length=SEASON)]
    run = StatsForecast(models, freq="7D", fallback_model=Naive())
    at = time.perf_counter()
    run.forecast(df=whole[began], h=HORIZON).to_parquet(folder / "said.parquet")
    print(f"statsforecast: {time.perf_counter() - at:.0f} s")


def _show(held_out: pd.DataFrame, found: dict[str, pd.DataFrame]) -> None:
    print(f"{'':<28}{'WAPE':>8}{'bias':>8}{'holidays':>10}{'first 4':>9}")
    for way, forecast in found.items():
        both = held_out.merge(forecast, on=KEYS, how="inner")
        missed = (both["mean"] - both["y"]).abs()
        weight = np.where(both["holiday"], HOLIDAY_WEIGHT, 1)
        early = both["ds"] < held_out["ds"].min() + 4 * pd.Timedelta(days=7)
        figures = (
            missed.sum() / both["y"].sum(),
            (both["mean"] - both["y"]).sum() / both["y"].sum(),
            (weight * missed).sum() / (weight * both["y"]).sum(),
            missed[early].sum() / both["y"][early].sum(),
        )
        print(f"{way:<28}{figures[0]:>8.4f}{figures[1]:>8.4f}{figures[2]:>10.4f}{figures[3]:>9.4f}")


if __name__ == "__main__":
    main()
