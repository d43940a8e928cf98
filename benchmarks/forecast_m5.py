"""WRMSSE of our forecasts on Walmart's sales, beside what the M5 competition published.

The folder holds m5_store_dept_daily, m5_calendar, m5_val_weights, m5_val_scale (Parquet; the latter
two in the order of levels of the competition). Models see days up to d_1913, or those of `--ends`;
d_1914 to d_1941, the competition's
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
from gpu_pipeline.forecasting import DemandForecaster

TRAINED_DAYS, HORIZON = 1913, 28
KNOWN = ("event_name_1", "event_name_2", "snap")
STATIC = ("state_id", "store_id", "cat_id", "dept_id")
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
    given, backend = _arguments()
    sales, calendar = _sales(given.folder), _calendar(given.folder)
    weights = pd.read_parquet(given.folder / "m5_val_weights.parquet")["Weights"].to_numpy()
    scales = pd.read_parquet(given.folder / "m5_val_scale.parquet").iloc[:, 0].to_numpy()

    print(f"gpu-pipeline {__version__}, pandas {pd.__version__}, numpy {np.__version__}")
    print(f"Python {platform.python_version()} on {platform.machine()}; {backend.reason}")
    for end in given.ends:
        actual = _levels(sales[(sales["d"] > end) & (sales["d"] <= end + HORIZON)])
        print(f"\n{f'WRMSSE, d_{end + 1}..{end + HORIZON}':<36}   mean", end="")
        print("".join(f"{n:>7}" for n in range(1, 10)) + "     bias  seconds")
        for name, forecast in _ways(sales, calendar, end, backend).items():
            begin = time.perf_counter()
            made = _levels(forecast())
            seconds, bias = time.perf_counter() - begin, made[0].sum() / actual[0].sum() - 1
            errors = _wrmsse(actual, made, weights, scales)
            print(_line(name, errors), f"{bias:+8.3f} {seconds:8.1f}", flush=True)
    print("\nPublished, test window:")
    for name, figures in PUBLISHED.items():
        print(_line(name, figures))


def _arguments() -> tuple[argparse.Namespace, Backend]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the m5_*.parquet files are")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--ends", type=int, nargs="+", default=[TRAINED_DAYS], help="last days")
    given = parser.parse_args()
    return given, Backend.choose(given.device)


def _ways(
    sales: pd.DataFrame, calendar: pd.DataFrame, end: int, backend: Backend
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Forecasts of the 70 series from the day after `end` on, in ever more ways."""
    series = sales.merge(calendar, on=["date", "state_id"]).assign(unique_id=_ids(sales, 8))
    series = series.rename(columns={"date": "ds", "units": "y"})
    past = series[series["d"] <= end]
    future = series[(series["d"] > end) & (series["d"] <= end + HORIZON)].drop(columns="y")
    alone = past[["unique_id", "ds", "y"]]
    places = series.drop_duplicates("unique_id")[["unique_id", *STATIC]]

    def forecast(frame: pd.DataFrame, **given: Sequence[str]) -> pd.DataFrame:
        fitted = DemandForecaster(horizon=HORIZON, backend=backend, **given).fit(frame)
        ahead = future[["unique_id", "ds", *KNOWN]] if "known_ahead" in given else None
        made = backend.to_pandas(fitted.predict(ahead)).merge(places, on="unique_id")
        return made.rename(columns={"ds": "date", "mean": "units"})

    def repeated() -> pd.DataFrame:
        week = past[past["d"] > end - 7]
        weeks = [
            week.assign(date=week["ds"] + pd.Timedelta(days=7 * (k + 1)))
            for k in range(HORIZON // 7)
        ]
        return pd.concat(weeks).rename(columns={"y": "units"})

    with_calendar = past[["unique_id", "ds", "y", *KNOWN, *STATIC]]
    return {
        "seasonal naive": repeated,
        "DemandForecaster, sales alone": lambda: forecast(alone),
        "DemandForecaster, calendar": lambda: forecast(
            with_calendar, known_ahead=KNOWN, static=STATIC
        ),
        "DemandForecaster, hierarchy": lambda: forecast(
            with_calendar, known_ahead=KNOWN, static=STATIC, hierarchy=STATIC
        ),
    }


def _sales(folder: Path) -> pd.DataFrame:
    sales = pd.read_parquet(folder / "m5_store_dept_daily.parquet")
    return sales.assign(date=sales["date"].astype("datetime64[us]"))


def _calendar(folder: Path) -> pd.DataFrame:
    """What is known of each day ahead, by state: events, and whether food stamps are paid out."""
    days = pd.read_parquet(folder / "m5_calendar.parquet")
    days["date"] = pd.to_datetime(days["date"]).astype("datetime64[us]")
    states = [
        days[["date", "event_name_1", "event_name_2"]].assign(
            state_id=state, snap=days[f"snap_{state}"]
        )
        for state in ("CA", "TX", "WI")
    ]
    return pd.concat(states, ignore_index=True)


def _ids(sales: pd.DataFrame, number: int) -> "pd.Series[str]":
    """The series that each row belongs to on a level: its number and the names, by slashes."""
    names = pd.Series(str(number + 1), index=sales.index)
    for column in LEVELS[number]:
        names = names + "/" + sales[column]
    return names


def _levels(series: pd.DataFrame) -> Matrix:
    """What the 154 series of levels 1 to 9 come to, (series, days), in the competition's order."""
    rows = []
    for number in range(len(LEVELS)):
        keyed = series.assign(unique_id=_ids(series, number))
        rows.append(
            keyed.pivot_table(index="unique_id", columns="date", values="units", aggfunc="sum")
        )
    return np.vstack([level.to_numpy("float64") for level in rows])


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
