"""Series forecast per second, peak memory and accuracy, beside statsforecast, from 1 k to 100 k.

A made shop: products of all rates, from one in weeks to dozens a day, with weekdays, seasons,
trends, promotions and late starts; two years of days, a row for each in a table `unique_id, ds,
y`, and the four weeks after them, which nobody sees. Each model starts from that table in memory,
in a process of its own, and forecasts 28 days; a season is 7 days. The slower models of the peer,
and our whole forecaster, get the first of the products (`--sample`), which the accuracy of all is
measured on. A core is what counts: series per second of processor time, whatever else the machine
did.

Run: python benchmarks/forecast_speed.py --peer PYTHON [--series 1000 10000 100000] [--sample 1000]
(a Python that has statsforecast; without one only ours are measured)
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from timing import best_of, in_own_process, machine

SEED, AT_ONCE = 20260601, 10_000
DAYS, HORIZON, SEASON = 730, 28, 7
START = np.datetime64("2024-01-01", "us")
WEEK = np.array([0.85, 0.8, 0.85, 0.95, 1.2, 1.35, 1.0])
Matrix = npt.NDArray[np.float32]


def main() -> None:
    given = _arguments()
    if given.make:
        _write_shop(given.folder, given.make)
    elif given.way:
        print(json.dumps(_measured(given.way, given.folder, given.rows)))
    else:
        print(machine())
        for count in given.series:
            _compare(count, given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", help="a Python that has statsforecast")
    parser.add_argument("--series", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--sample", type=int, default=1_000, help="series for the slow ones")
    parser.add_argument("--ways", nargs="+", choices=[*OURS, *PEERS], default=[*OURS, *PEERS])
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(count: int, given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--make", str(count)]
        subprocess.run(command, check=True)
        sample = min(count, given.sample)
        found = {}
        for way in given.ways:
            python = given.peer if way in PEERS else sys.executable
            rows = sample if way in SLOW else count
            if python:
                asked = ("--way", way, "--rows", str(rows), "--folder", name)
                found[way] = in_own_process(python, __file__, *asked)
        _show(found, count, sample, Path(name))


def _write_shop(folder: Path, count: int) -> None:
    rng = np.random.default_rng(SEED)
    parts = [
        _sold(rng, min(AT_ONCE, count - first), DAYS + HORIZON)
        for first in range(0, count, AT_ONCE)
    ]
    whole = np.concatenate(parts)
    np.save(folder / "past.npy", whole[:, :DAYS])
    np.save(folder / "next.npy", whole[:, DAYS:])


def _sold(rng: np.random.Generator, count: int, days: int) -> Matrix:
    """What each of `count` products sold each day, (count, days)."""
    day = np.arange(days)

    def each(draw: Callable[..., Any], *parameters: float) -> Any:  # noqa: ANN401
        return draw(*parameters, (count, 1))

    rate = np.exp(each(rng.normal, 1.0, 1.5))
    week = WEEK[day % SEASON] ** each(rng.normal, 1.0, 0.5)
    year = 1 + 0.25 * each(rng.uniform, 0, 1) * np.sin(
        2 * np.pi * (day / 365 + each(rng.uniform, 0, 1))
    )
    trend = np.exp(each(rng.normal, 0.0, 0.25) * (day / 365 - 1))
    walk = np.exp(np.cumsum(rng.normal(0, 0.015, (count, days)), axis=1))
    fortnights = rng.random((count, days // 14 + 1)) < 0.06
    promotion = 1 + fortnights.repeat(14, axis=1)[:, :days] * each(rng.uniform, 0.3, 1.5)
    spread = each(rng.uniform, 2.0, 20.0)
    mean = rate * week * year * trend * walk * promotion
    sold = rng.poisson(mean * rng.gamma(spread, 1 / spread, (count, days)))
    is_late = each(rng.uniform, 0, 1) < 0.15
    begun = np.where(is_late, each(rng.integers, 0, DAYS - 120), 0)
    return np.where(day >= begun, sold, 0).astype("float32")


def _measured(way: str, folder: Path, rows: int) -> dict[str, Any]:
    table = _table(np.load(folder / "past.npy", mmap_mode="r")[:rows])
    measured, found = best_of(1, lambda: ({**OURS, **PEERS})[way](table))
    np.save(folder / f"{way}.npy", found)
    package = "gpu-pipeline" if way in OURS else "statsforecast"
    return {**measured, "rows": rows, "version": f"{package} {version(package)}"}


def _table(past: Matrix) -> pd.DataFrame:
    """A row a product and day; rows before its first sale are left out, as in any shop's table."""
    names = [f"product {number:06d}" for number in range(len(past))]
    sold = (past != 0).argmax(axis=1)
    lives = (np.arange(past.shape[1]) >= sold[:, None]).ravel()
    codes = np.repeat(np.arange(len(past), dtype="int32"), past.shape[1])[lives]
    days = np.tile(START + np.arange(past.shape[1]) * np.timedelta64(1, "D"), len(past))[lives]
    return pd.DataFrame(
        {
            "unique_id": pd.Categorical.from_codes(codes, names),
            "ds": days,
            "y": past.ravel()[lives],
        }
    )


def _panel(table: pd.DataFrame) -> Any:  # noqa: ANN401
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.forecasting import Panel

    return Panel.from_frame(table, freq="D", backend=Backend.choose("cpu"))


def _by_model(module: str, name: str) -> Callable[[pd.DataFrame], Matrix]:
    """What one of our models forecasts after the last day, (series, days)."""

    def forecast(table: pd.DataFrame) -> Matrix:
        from importlib import import_module

        panel = _panel(table)
        model = getattr(import_module(f"gpu_pipeline.forecasting.{module}"), name)
        made: Matrix = model(panel, origins=(panel.y.shape[1],), steps=HORIZON)[0]
        return made

    return forecast


def _demand_forecaster(table: pd.DataFrame) -> Matrix:
    from gpu_pipeline.forecasting import DemandForecaster

    made = DemandForecaster(horizon=HORIZON).fit(_panel(table)).predict()
    found: Matrix = made["mean"].to_numpy("float32").reshape(-1, HORIZON)
    return found


def _by_peer(name: str) -> Callable[[pd.DataFrame], Matrix]:
    """What a model of statsforecast forecasts, on one core."""

    def forecast(table: pd.DataFrame) -> Matrix:
        from statsforecast import StatsForecast, models

        warnings.simplefilter("ignore")
        model = getattr(models, name)(season_length=SEASON)
        made = StatsForecast([model], freq="D", n_jobs=1).forecast(df=table, h=HORIZON)
        found: Matrix = made[name].to_numpy("float32").reshape(-1, HORIZON)
        return found

    return forecast


OURS: dict[str, Callable[[pd.DataFrame], Matrix]] = {
    "seasonal_naive": _by_model("naive", "seasonal_naive"),
    "window_average": _by_model("window", "window_average"),
    "exponential_smoothing": _by_model("smoothing", "exponential_smoothing"),
    "theta": _by_model("theta", "theta"),
    "intermittent": _by_model("intermittent", "intermittent"),
    "DemandForecaster": _demand_forecaster,
}
PEERS: dict[str, Callable[[pd.DataFrame], Matrix]] = {
    name: _by_peer(name) for name in ("SeasonalNaive", "AutoETS", "AutoTheta")
}
SLOW = ("DemandForecaster", "AutoETS", "AutoTheta")


def _show(found: dict[str, dict[str, Any]], count: int, sample: int, folder: Path) -> None:
    past, actual = (np.load(folder / f"{name}.npy")[:sample] for name in ("past", "next"))
    versions = ", ".join(dict.fromkeys(one["version"] for one in found.values()))
    print(f"\n{count:,} series x {DAYS} days ({versions})\n")
    print(f"{'':<23}{'series':>8}{'seconds':>9}{'a second':>10}{'x AutoETS':>11}", end="")
    print(f"{'peak MB':>9}{'WAPE':>9}{'MASE':>8}{'RMSSE':>8}")
    rates = {way: one["rows"] / one["cpu"] for way, one in found.items()}
    for way, one in found.items():
        times = f"{rates[way] / rates['AutoETS']:,.1f}" if "AutoETS" in rates else ""
        print(f"{way:<23}{one['rows']:>8,}{one['seconds']:>9.1f}{rates[way]:>10,.0f}", end="")
        print(f"{times:>11}{one['peak']:>9,.0f}", end="")
        made = np.maximum(np.load(folder / f"{way}.npy")[:sample], 0)
        wape, mase, rmsse = _errors(past, actual, made)
        print(f"{wape:>9.4f}{mase:>8.4f}{rmsse:>8.4f}")
    print(f"\nErrors over the next {HORIZON} days of the first {sample:,}")


def _errors(past: Matrix, actual: Matrix, made: Matrix) -> Sequence[float]:
    """WAPE, and the means over series of MASE and RMSSE, scaled since each first sold."""
    error = made - actual
    rows = []
    for sold, off in zip(past, error, strict=True):
        life = sold[(sold != 0).argmax() :]
        naive = np.abs(life[SEASON:] - life[:-SEASON]).mean()
        step = np.sqrt((np.diff(life) ** 2).mean())
        if naive > 0:
            rows.append((np.abs(off).mean() / naive, np.sqrt((off**2).mean()) / step))
    mase, rmsse = np.mean(rows, axis=0)
    return float(np.abs(error).sum() / actual.sum()), float(mase), float(rmsse)


if __name__ == "__main__":
    main()
