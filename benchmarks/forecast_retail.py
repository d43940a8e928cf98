"""Forecasts of a gift retailer's best-selling products, beside statsforecast, and stock by them.

Online Retail (UCI), one year: sales without cancelled lines and what they cancel. The products
that sold most before the first origin, by day and by week; from several origins, one horizon apart
and up to the end, every way forecasts with what came before alone. All errors are over all origins.

`pinball` is the mean over p10, p50 and p90, in units; `in 80 %` is the share between p10 and p90,
which is more than 80 % where half of all days sell nothing. statsforecast's intervals are its
models' own where they have any, else conformal; its best of all is, for each product, the one that
was best in the window before the origin. It runs in a process and an environment of
its own.

Stock, by day: on each origin what is there is lifted to what 7 days will need with 95 %: the mean
of that sum and 1.645 standard deviations. Ours are of the sum itself, of others the single days'
as if they had nothing to do with one another. `served` says how often it was enough, `left` how
much was left over on average, in days of mean demand.

Run: python benchmarks/forecast_retail.py FILE [--products N] [--origins N] [--peer-python PYTHON]
"""

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

HORIZONS = {"D": 28, "W": 4}
SEASONS = {"D": 7, "W": 1}  # a year of weeks has no second one to learn a season from
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
LEAD_DAYS, Z = 7, 1.645
WIDTH = 2 * 1.2816  # standard deviations between p10 and p90
CONFORMAL_WINDOWS = 2
Matrix = npt.NDArray[np.float64]
Forecast = dict[str, Matrix]  # mean, p10, p50, p90 (products, horizon), ours also total_sd


def main() -> None:
    given = _arguments()
    if given.folder:
        _peers(given.folder, given.freq)
        return
    from timing import machine

    print(machine())
    sales = _sales(given.file)
    for freq, horizon in HORIZONS.items():
        origins = given.origins if freq == "D" else 2 * given.origins
        wide = _wide(sales, freq, given.products, origins * horizon)
        found = _forecasts(wide, freq, horizon, origins, given.peer_python)
        _show(wide, freq, horizon, origins, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", help="online_retail.parquet")
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--origins", type=int, default=3, help="by day; by week twice as many")
    parser.add_argument("--peer-python", help="a Python that has statsforecast")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--freq", choices=HORIZONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.file and not given.folder:
        parser.error("say where online_retail.parquet is")
    return given


def _sales(path: Path) -> pd.DataFrame:
    """product, day, units: products only, without what was cancelled later."""
    lines = pd.read_parquet(path)
    code = lines["StockCode"].astype(str)
    lines = lines.assign(product=code, units=lines["Quantity"].abs())
    lines = lines[code.str.match(r"^\d{5}") & (lines["UnitPrice"] > 0)]
    is_cancelled = lines["InvoiceNo"].astype(str).str.startswith("C")
    what = ["product", "CustomerID", "units", "UnitPrice"]
    number = lines.groupby([*what, is_cancelled], dropna=False).cumcount()
    lines = lines.assign(number=number)
    sold, taken_back = lines[~is_cancelled & (lines["Quantity"] > 0)], lines[is_cancelled]
    both = sold.merge(
        taken_back[[*what, "number"]], on=[*what, "number"], how="left", indicator="in"
    )
    kept = both[both["in"] == "left_only"]
    return pd.DataFrame(
        {
            "product": kept["product"],
            "day": kept["InvoiceDate"].dt.floor("D").astype("datetime64[us]"),
            "units": kept["units"],
        }
    )


def _wide(sales: pd.DataFrame, freq: str, products: int, held_out: int) -> pd.DataFrame:
    """Units of the best sellers before the held out periods, products x whole periods."""
    by = sales["day"]
    if freq == "W":
        by = by - pd.to_timedelta(by.dt.dayofweek, unit="D")
    units = sales.groupby(["product", by])["units"].sum().unstack(fill_value=0)
    step = {"D": "D", "W": "7D"}[freq]
    units = units.reindex(columns=pd.date_range(units.columns[0], units.columns[-1], freq=step))
    whole = units.fillna(0.0).iloc[:, : -1 if freq == "W" else None]
    best = whole.iloc[:, :-held_out].sum(axis=1).nlargest(products).index
    return whole.loc[best.sort_values()].astype("float64")


def _forecasts(
    wide: pd.DataFrame, freq: str, horizon: int, origins: int, peer_python: str | None
) -> dict[str, list[Forecast]]:
    """For every way what it forecast at each origin."""
    found: dict[str, list[Forecast]] = {}
    with tempfile.TemporaryDirectory() as name:
        for back in range(origins, 0, -1):
            past = wide.iloc[:, : wide.shape[1] - back * horizon]
            for way, made in (_ours(past, freq, horizon) | _naive(past, freq, horizon)).items():
                found.setdefault(way, []).append(made)
            _long(past).to_parquet(Path(name) / f"{origins - back}.parquet")
        if peer_python:
            command = [peer_python, __file__, "--folder", name, "--freq", freq]
            subprocess.run(command, check=True, stdout=subprocess.PIPE)
            for way in json.loads((Path(name) / "ways.json").read_text()):
                arrays = [np.load(Path(name) / f"{way}-{at}.npz") for at in range(origins)]
                found[way] = [dict(one) for one in arrays]
    return found


def _long(past: pd.DataFrame) -> pd.DataFrame:
    """unique_id, ds, y of each product from its first sale on."""
    long = past.rename_axis("unique_id").reset_index().melt("unique_id", None, "ds", "y")
    begun = long.sort_values(["unique_id", "ds"]).groupby("unique_id")["y"].cumsum() > 0
    return long[begun.reindex(long.index)].astype({"ds": "datetime64[us]"}).reset_index(drop=True)


def _ours(past: pd.DataFrame, freq: Any, horizon: int) -> dict[str, Forecast]:  # noqa: ANN401
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.forecasting import DemandForecaster

    fitted = DemandForecaster(horizon=horizon, freq=freq, backend=Backend.choose("cpu"))
    fitted.fit(_long(past))
    forecast = fitted.predict().merge(fitted.total_spread(), on=["unique_id", "ds"])
    names, ids = ["mean", *QUANTILES, "total_sd"], past.index.to_numpy()
    return {"DemandForecaster": {name: _matrix(forecast, name, ids) for name in names}}


def _naive(past: pd.DataFrame, freq: str, horizon: int) -> dict[str, Forecast]:
    """The last season again, and how far one was from the next in the last eight."""
    y, season = past.to_numpy(), SEASONS[freq]
    mean = y[:, -season:][:, np.arange(horizon) % season]
    changes = y[:, -8 * season :] - y[:, -9 * season : -season]
    return {"seasonal naive": _normal(mean, changes.std(axis=1)[:, None])}


def _normal(mean: Matrix, deviation: Matrix) -> Forecast:
    """Intervals of a normal distribution, cut off at 0."""
    low, high = (np.maximum(mean + side * WIDTH / 2 * deviation, 0) for side in (-1, 1))
    return {"mean": mean, "p10": low, "p50": mean, "p90": high}


def _peers(folder: Path, freq: str) -> None:
    """Runs in the peer's environment: leaves a file for each way and origin."""
    from statsforecast import StatsForecast
    from statsforecast.models import TSB, AutoETS, AutoTheta, CrostonSBA, SeasonalNaive
    from statsforecast.utils import ConformalIntervals

    warnings.simplefilter("ignore")
    os.environ["NIXTLA_ID_AS_COL"] = "1"
    horizon, season = HORIZONS[freq], SEASONS[freq]
    around = ConformalIntervals(h=horizon, n_windows=CONFORMAL_WINDOWS)
    models = [
        AutoETS(season_length=season),
        AutoTheta(season_length=season),
        CrostonSBA(prediction_intervals=around),
        TSB(alpha_d=0.2, alpha_p=0.2, prediction_intervals=around),
    ]
    names = [str(model) for model in models]
    for at, path in enumerate(sorted(folder.glob("*.parquet"))):
        long = pd.read_parquet(path)
        step = {"D": "D", "W": "7D"}[freq]
        # A series too short for the models' windows of their own gets its last season again.
        run = StatsForecast(models, freq=step, fallback_model=SeasonalNaive(season_length=season))
        said = run.forecast(df=long, h=horizon, level=[80])
        tried = run.cross_validation(df=long, h=horizon, n_windows=1)
        squares = tried[names].sub(tried["y"], axis=0).pow(2).groupby(tried["unique_id"]).mean()
        ids = np.sort(long["unique_id"].unique())
        chosen = squares.reindex(ids).fillna(0).to_numpy().argmin(axis=1)
        cubes = {
            kind: np.stack([_matrix(said, f"{name}{suffix}", ids) for name in names])
            for kind, suffix in (("mean", ""), ("p10", "-lo-80"), ("p90", "-hi-80"))
        }
        ways = {
            name: {kind: cube[i] for kind, cube in cubes.items()} for i, name in enumerate(names)
        }
        best = {kind: cube[chosen, np.arange(len(ids))] for kind, cube in cubes.items()}
        for way, made in {**ways, "best of these": best}.items():
            kept = {kind: np.maximum(values, 0) for kind, values in made.items()}
            np.savez(folder / f"{way}-{at}.npz", **kept, p50=kept["mean"])
    (folder / "ways.json").write_text(json.dumps([*names, "best of these"]))


def _matrix(said: pd.DataFrame, column: str, ids: npt.NDArray[Any]) -> Matrix:
    wide = said.pivot_table(index="unique_id", columns="ds", values=column, dropna=False)
    return wide.reindex(ids).to_numpy("float64")


def _show(
    wide: pd.DataFrame,
    freq: str,
    horizon: int,
    origins: int,
    found: dict[str, list[Forecast]],
) -> None:
    y, ends = wide.to_numpy(), [wide.shape[1] - back * horizon for back in range(origins, 0, -1)]
    per = {"D": "day", "W": "week"}[freq]
    print(f"\n{len(wide)} products by {per}, {origins} origins, horizon {horizon} {per}s; ", end="")
    print(f"{(y == 0).mean():.0%} of {per}s without a sale\n")
    titles = ("WAPE", "bias", "RMSSE", "pinball", "in 80 %")
    stock = ("served", "left") if freq == "D" else ()
    print(f"{'':<20}" + "".join(f"{title:>10}" for title in (*titles, *stock)))
    for way, made in found.items():
        figures = _figures(y, ends, made, horizon)
        figures += _stock(y, ends, made) if stock else ()
        print(f"{way:<20}" + "".join(f"{figure:>10.3f}" for figure in figures))


def _figures(y: Matrix, ends: list[int], made: list[Forecast], horizon: int) -> tuple[float, ...]:
    """WAPE, bias, RMSSE, pinball and coverage over all origins."""
    from gpu_pipeline.forecasting.metrics import measure

    scales = []
    for end in ends:
        begun = (y[:, :end] > 0).argmax(axis=1)[:, None]
        alive = np.arange(1, end)[None] > begun
        scales.append((np.diff(y[:, :end]) ** 2 * alive).sum(axis=1) / alive.sum(axis=1))
    kinds = {kind: np.concatenate([one[kind] for one in made]) for kind in ("mean", *QUANTILES)}
    found = measure(
        np.concatenate([y[:, end : end + horizon] for end in ends]),
        kinds["mean"],
        np.ones(len(kinds["mean"])),
        squared=np.concatenate(scales),
        quantiles={level: kinds[name] for name, level in QUANTILES.items()},
    )
    return found.wape, found.bias, found.rmsse, found.pinball, found.coverage


def _stock(y: Matrix, ends: list[int], made: list[Forecast]) -> tuple[float, float]:
    """How often the stock for the lead time was enough, and what was left of it in days."""
    needed = np.concatenate([y[:, end : end + LEAD_DAYS].sum(axis=1) for end in ends])
    held = np.concatenate([_lifted(one) for one in made])
    left = np.maximum(held - needed, 0).sum() / (needed.sum() / LEAD_DAYS)
    return float((needed <= held).mean()), float(left)


def _lifted(made: Forecast) -> Matrix:
    """The units that seven days need with 95 %, (products,)."""
    days = (made["p90"] - made["p10"])[:, :LEAD_DAYS] / WIDTH
    independent = np.sqrt((days**2).sum(axis=1))
    deviation = made["total_sd"][:, LEAD_DAYS - 1] if "total_sd" in made else independent
    return made["mean"][:, :LEAD_DAYS].sum(axis=1) + Z * deviation


if __name__ == "__main__":
    main()
