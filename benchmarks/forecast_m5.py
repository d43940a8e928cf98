"""WRMSSE of our forecasts on Walmart's sales, beside what the M5 competition published.

The folder holds m5_store_dept_daily, m5_val_weights, m5_val_scale (Parquet; the latter two in the
competition's order of levels). Models see days up to d_1913; d_1914 to d_1941, the competition's
validation window, is what they are scored on. The published figures are those of its test window,
the four weeks after, so they are near but not the same task.

Run: python benchmarks/forecast_m5.py FOLDER
"""

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline import __version__
from gpu_pipeline.backend import Backend
from gpu_pipeline.forecasting import DemandForecaster, Panel
from gpu_pipeline.forecasting.naive import seasonal_naive

TRAINED_DAYS, HORIZON = 1913, 28
LEVELS: tuple[tuple[str, ...], ...] = (
    (),
    ("state_id",),
    ("store_id",),
    ("cat_id",),
    ("dept_id",),
    ("state_id", "cat_id"),
    ("state_id", "dept_id"),
    ("store_id", "cat_id"),
    ("store_id", "dept_id"),
)
SERIES = (1, 3, 10, 3, 7, 9, 21, 30, 70)
# Mean of levels 1 to 9 and, for the winner, each of them (Makridakis, Spiliotis & Assimakopoulos
# 2022, M5 accuracy competition: results, findings, and conclusions, Int. J. Forecasting 38).
PUBLISHED: dict[str, tuple[float, ...]] = {
    "winner": (0.385, 0.199, 0.310, 0.400, 0.277, 0.365, 0.390, 0.474, 0.480, 0.573),
    "exponential smoothing, bottom-up": (0.573,),
    "ESX": (0.581,),
    "seasonal naive": (0.729,),
    "naive": (1.881,),
}

Matrix = npt.NDArray[np.float64]


def main() -> None:
    folder, backend = _arguments()
    sales = pd.read_parquet(folder / "m5_store_dept_daily.parquet")
    weights = pd.read_parquet(folder / "m5_val_weights.parquet")["Weights"].to_numpy()
    scales = pd.read_parquet(folder / "m5_val_scale.parquet").iloc[:, 0].to_numpy()
    series = pd.concat([_long(sales, number) for number in range(len(LEVELS))], ignore_index=True)
    trained = series[series["d"] <= TRAINED_DAYS][["unique_id", "ds", "y"]]
    bottom = trained[trained["unique_id"].str.startswith(f"{len(LEVELS)}/")]
    actual = _matrix(series[series["d"] > TRAINED_DAYS], "y")

    print(f"gpu-pipeline {__version__}, pandas {pd.__version__}, numpy {np.__version__}")
    print(f"Python {platform.python_version()} on {platform.machine()}; {backend.reason}\n")
    print(f"{'WRMSSE':<36}   mean" + "".join(f"{n:>7}" for n in range(1, 10)) + "  seconds")
    ours: dict[str, Callable[[], Matrix]] = {
        "seasonal naive": lambda: _naive(trained, backend),
        "DemandForecaster, every level": lambda: _matrix(_forecast(trained, backend), "mean"),
        "DemandForecaster, bottom-up": lambda: _bottom_up(_forecast(bottom, backend), sales),
    }
    for name, forecast in ours.items():
        begin = time.perf_counter()
        errors = _wrmsse(actual, forecast(), weights, scales)
        print(_line(name, errors), f"{time.perf_counter() - begin:8.2f}")
    print("\nPublished, test window:")
    for name, figures in PUBLISHED.items():
        print(_line(name, figures))


def _arguments() -> tuple[Path, Backend]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the m5_*.parquet files are")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    given = parser.parse_args()
    return given.folder, Backend.choose(given.device)


def _ids(sales: pd.DataFrame, number: int) -> "pd.Series[str]":
    """The series that each row belongs to on a level: its number and the names, by slashes."""
    names = pd.Series(str(number + 1), index=sales.index)
    for column in LEVELS[number]:
        names = names + "/" + sales[column]
    return names


def _long(sales: pd.DataFrame, number: int) -> pd.DataFrame:
    keyed = sales.assign(unique_id=_ids(sales, number))
    total = keyed.groupby(["unique_id", "date", "d"])["units"].sum().reset_index()
    return total.rename(columns={"date": "ds", "units": "y"})


def _matrix(frame: pd.DataFrame, column: str) -> Matrix:
    """(series, days), series in the competition's order, which is that of the names."""
    return frame.pivot_table(index="unique_id", columns="ds", values=column).to_numpy("float64")


def _naive(trained: pd.DataFrame, backend: Backend) -> Matrix:
    panel = Panel.from_frame(backend.from_pandas(trained), freq="D", backend=backend)
    return backend.to_host(seasonal_naive(panel, origins=(panel.y.shape[1],), steps=HORIZON)[0])


def _forecast(trained: pd.DataFrame, backend: Backend) -> pd.DataFrame:
    fitted = DemandForecaster(horizon=HORIZON, backend=backend).fit(trained)
    return backend.to_pandas(fitted.predict())


def _bottom_up(forecast: pd.DataFrame, sales: pd.DataFrame) -> Matrix:
    """Every level as the sum of the forecasts of the lowest."""
    places = sales.drop_duplicates(["store_id", "dept_id"])
    places = places.assign(unique_id=_ids(places, len(LEVELS) - 1))
    lowest = forecast.merge(places.drop(columns=["date", "d", "units"]), on="unique_id")
    lowest = lowest.rename(columns={"ds": "date", "mean": "units"}).assign(d=0)
    return np.vstack([_matrix(_long(lowest, number), "y") for number in range(len(LEVELS))])


def _wrmsse(actual: Matrix, forecast: Matrix, weights: Matrix, scales: Matrix) -> list[float]:
    """The mean of the levels, then each level: weighted root mean squared scaled errors.

    The weights of each level add up to 1/12 (there are 12 levels, of which 9 are here).
    """
    rows = len(actual)
    scaled = np.sqrt(((actual - forecast) ** 2).mean(axis=1) / scales[:rows])
    weighted = 12 * weights[:rows] * scaled
    levels = [float(part.sum()) for part in np.split(weighted, np.cumsum(SERIES)[:-1])]
    return [sum(levels) / len(levels), *levels]


def _line(name: str, figures: Sequence[float]) -> str:
    return f"{name:<36}" + "".join(f"{figure:7.3f}" for figure in figures)


if __name__ == "__main__":
    main()
