"""BG/NBD and Gamma-Gamma beside lifetimes: fits, predictions, and CDNOW's second half.

Simulated customers of up to two years in whole days, a row each in Parquet: how often they came
back, when last, how old they are, what they spend. `lifetimes` is given every row; `grouped` is
lifetimes given the distinct histories and how many customers have each, as its documentation
advises. Each way runs in a process of its own and twice, over five million customers once; of
each step the best counts, and all must come to the same parameters.

With --cdnow FILE (its purchase log), both are fitted on the first 39 weeks and asked for the 39
weeks after, beside the rule that everybody buys as often again as in the 39 weeks before.

Run: python benchmarks/customer_value.py --peer PYTHON [--customers N] [--cdnow FILE]
(a Python that has lifetimes; without one only ours is measured)
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import best_of, by_ways, machine

SEED, AT_ONCE = 20260601, 500_000
HORIZON_DAYS, AGES, MANY = 90, (1, 730), 5_000_000
# As of CDNOW in days: r, alpha, a, b, then p, q, v of spend in dollars.
RATE, LEAVING, SPEND = (0.243, 30.9), (0.793, 2.426), (6.25, 3.74, 15.44)
CDNOW_END, CDNOW_WEEKS = "1997-09-30", 39
PACKAGES = {"ours": "gpu-pipeline", "lifetimes": "lifetimes", "grouped": "lifetimes"}
Columns = tuple["pd.Series[float]", "pd.Series[float]", "pd.Series[float]"]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(given.way, given.folder)))
        return
    if given.folder:
        _write_customers(given.folder, given.customers)
        return
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own too: a child's peak memory is at least that of its parent.
        command = [sys.executable, __file__, "--folder", name, "--customers", str(given.customers)]
        subprocess.run(command, check=True)
        print(machine())
        if given.cdnow:
            _cdnow(given.cdnow).to_parquet(Path(name) / "cdnow.parquet")
        peers = {"lifetimes": given.peer, "grouped": given.peer}
        found = by_ways(WAYS, __file__, name, peers)
        _show(found, given.customers)
        if given.cdnow:
            _show_cdnow(Path(name), found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--cdnow", type=Path, help="CDNOW's purchase log: customer_id, date")
    parser.add_argument("--peer", help="a Python that has lifetimes")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_customers(folder: Path, customers: int) -> None:
    rng = np.random.default_rng(SEED)
    parts = [
        _customers(rng, min(AT_ONCE, customers - first)) for first in range(0, customers, AT_ONCE)
    ]
    pd.concat(parts, ignore_index=True).to_parquet(folder / "customers.parquet")


def _customers(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """Bought event by event; a purchase lies on the day after the one it falls into."""
    rate, leaving = rng.gamma(RATE[0], 1 / RATE[1], size), rng.beta(*LEAVING, size)
    age = rng.integers(*AGES, size)
    frequency, recency, clock = np.zeros((3, size))
    active = np.arange(size)
    while len(active):
        clock[active] += rng.exponential(1 / rate[active])
        active = active[np.ceil(clock[active]) <= age[active]]
        # Several of one day are one purchase.
        is_new = np.ceil(clock[active]) > recency[active]
        frequency[active[is_new]] += 1
        recency[active] = np.ceil(clock[active])
        active = active[rng.random(len(active)) > leaving[active]]
    p, q, v = SPEND
    unit = rng.gamma(q, 1 / v, size)
    average = rng.gamma(p * np.maximum(frequency, 1)) / unit / (p * np.maximum(frequency, 1)) * p
    average = np.where(frequency > 0, np.maximum(average, 0.01), 0.0)
    whole = {"frequency": frequency, "recency": recency, "age": age}
    return pd.DataFrame({**{n: v.astype("int64") for n, v in whole.items()}, "average": average})


def _measured(way: str, folder: Path) -> dict[str, Any]:
    known = pd.read_parquet(folder / "customers.parquet")
    runs = 1 if len(known) > MANY else 2
    steps: list[dict[str, float]] = []

    def work() -> dict[str, Any]:
        found = WAYS[way](known)
        steps.append(found.pop("steps"))
        return found

    measured, found = best_of(runs, work)
    found["steps"] = {name: min(one[name] for one in steps) for name in steps[0]}
    model = found.pop("model")
    cdnow = folder / "cdnow.parquet"
    if cdnow.is_file() and way != "grouped":
        past = pd.read_parquet(cdnow)
        np.save(folder / f"{way}.npy", model(past, CDNOW_WEEKS))
    return {**measured, **found, "version": version(PACKAGES[way])}


def _timed(steps: dict[str, float], name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401
    began = time.perf_counter()
    found = work()
    steps[name] = time.perf_counter() - began
    return found


def _ours(known: pd.DataFrame) -> dict[str, Any]:
    from gpu_pipeline.customer_value import BetaGeoModel, GammaGammaModel
    from gpu_pipeline.customer_value.intervals import value_interval

    steps: dict[str, float] = {}
    past = _past(known)
    bought = known[known["frequency"] > 0]
    model = _timed(steps, "fit BG/NBD", lambda: BetaGeoModel().fit(*past))
    spend = _timed(
        steps,
        "fit Gamma-Gamma",
        lambda: GammaGammaModel().fit(bought["frequency"], bought["average"]),
    )
    _timed(steps, "P(alive)", lambda: model.p_alive(*past))
    expected = _timed(
        steps, "expected purchases", lambda: model.expected_purchases(HORIZON_DAYS, *past)
    )
    _timed(steps, "80 % of purchases", lambda: model.purchases_interval(HORIZON_DAYS, *past))
    some = known.iloc[: len(known) // 10]
    _timed(
        steps,
        "80 % of value, a tenth",
        lambda: value_interval(model, spend, HORIZON_DAYS, *_past(some), some["average"]),
    )

    def again(held: pd.DataFrame, horizon: float) -> Any:  # noqa: ANN401
        fitted = BetaGeoModel().fit(*_past(held))
        return fitted.expected_purchases(horizon, *_past(held))

    found = {**model.params_, **spend.params_}
    return {"steps": steps, "params": found, "mean": float(expected.mean()), "model": again}


def _lifetimes(known: pd.DataFrame) -> dict[str, Any]:
    return _of_lifetimes(known, is_grouped=False)


def _grouped(known: pd.DataFrame) -> dict[str, Any]:
    return _of_lifetimes(known, is_grouped=True)


def _of_lifetimes(known: pd.DataFrame, *, is_grouped: bool) -> dict[str, Any]:
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    # It takes gradients by autograd, which divides by zero on the way.
    warnings.simplefilter("ignore")
    steps: dict[str, float] = {}
    past, bought = _past(known), known[known["frequency"] > 0]

    def fitted(columns: Columns) -> Any:  # noqa: ANN401
        if not is_grouped:
            return BetaGeoFitter().fit(*columns)
        sizes = known.groupby(["frequency", "recency", "age"], sort=False).size()
        counts = sizes.rename("customers").reset_index()
        return BetaGeoFitter().fit(*_past(counts), weights=counts["customers"])

    model = _timed(steps, "fit BG/NBD", lambda: fitted(past))
    spend = _timed(
        steps,
        "fit Gamma-Gamma",
        lambda: GammaGammaFitter().fit(bought["frequency"], bought["average"]),
    )
    _timed(steps, "P(alive)", lambda: model.conditional_probability_alive(*past))
    asked = model.conditional_expected_number_of_purchases_up_to_time
    expected = _timed(steps, "expected purchases", lambda: asked(HORIZON_DAYS, *past))

    def again(held: pd.DataFrame, horizon: float) -> Any:  # noqa: ANN401
        fitted = BetaGeoFitter().fit(*_past(held))
        return fitted.conditional_expected_number_of_purchases_up_to_time(horizon, *_past(held))

    found = {name: float(v) for name, v in {**model.params_, **spend.params_}.items()}
    return {"steps": steps, "params": found, "mean": float(np.mean(expected)), "model": again}


def _past(known: pd.DataFrame) -> Columns:
    return known["frequency"], known["recency"], known["age"]


WAYS: dict[str, Callable[[pd.DataFrame], dict[str, Any]]] = {
    "ours": _ours,
    "lifetimes": _lifetimes,
    "grouped": _grouped,
}


def _show(found: dict[str, dict[str, Any]], customers: int) -> None:
    ours = found["ours"]
    for way, one in found.items():
        far = {
            name: one["params"][name] / value - 1
            for name, value in ours["params"].items()
            if abs(one["params"][name] / value - 1) > 0.001
        }
        if far or abs(one["mean"] / ours["mean"] - 1) > 0.001:
            print(f"{way} differs by more than 0.1 %: {far}, mean {one['mean']}")
    shown = {name: round(value, 4) for name, value in ours["params"].items()}
    print(f"{customers:,} customers: {shown}\n")
    names = {
        way: "ours" if way == "ours" else f"{way} {one['version']}" for way, one in found.items()
    }
    print(f"{'seconds':<24}" + "".join(f"{name:>18}" for name in names.values()))
    for step in ours["steps"]:
        cells = [one["steps"].get(step) for one in found.values()]
        texts = ["" if s is None else f"{s:.2f} ({s / ours['steps'][step]:.1f}x)" for s in cells]
        print(f"{step:<24}" + "".join(f"{text:>18}" for text in texts))
    print(f"{'peak MB':<24}" + "".join(f"{one['peak']:>18,.0f}" for one in found.values()))


def _cdnow(path: Path) -> pd.DataFrame:
    """Repeat purchases, weeks to the last, weeks in all; bought in the 39 weeks after."""
    log = pd.read_parquet(path, columns=["customer_id", "date"])
    days = log.assign(day=log["date"].dt.floor("D")).drop_duplicates(["customer_id", "day"])
    end, week = pd.Timestamp(CDNOW_END), pd.Timedelta(days=7)
    before = days[days["day"] <= end].groupby("customer_id")["day"].agg(["min", "max", "size"])
    after = days[(days["day"] > end) & (days["day"] <= end + CDNOW_WEEKS * week)]
    return pd.DataFrame(
        {
            "frequency": before["size"] - 1,
            "recency": (before["max"] - before["min"]) / week,
            "age": (end - before["min"]) / week,
            "bought": after.groupby("customer_id").size().reindex(before.index, fill_value=0),
        }
    ).reset_index(drop=True)


def _show_cdnow(folder: Path, found: dict[str, dict[str, Any]]) -> None:
    past = pd.read_parquet(folder / "cdnow.parquet")
    bought, frequency = past["bought"], past["frequency"]
    said = {way: np.load(folder / f"{way}.npy") for way in found if way != "grouped"}
    said["same again"] = frequency.to_numpy(dtype=float)
    print(f"\nCDNOW, {len(past):,} customers, the {CDNOW_WEEKS} weeks after {CDNOW_END}\n")
    print(f"{'':<12}{'customers':>10}{'bought':>9}" + "".join(f"{way:>13}" for way in said))
    for low, high in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 6), (7, 10**6)):
        rows = frequency.between(low, high)
        name = f"{low}" if low == high else f"{low} or more" if high > 1000 else f"{low} to {high}"
        means = "".join(f"{one[rows].mean():>13.3f}" for one in said.values())
        print(f"{name:<12}{rows.sum():>10,}{bought[rows].mean():>9.3f}{means}")
    print(f"{'all':<12}{len(past):>10,}{bought.mean():>9.3f}", end="")
    print("".join(f"{one.mean():>13.3f}" for one in said.values()))
    for name, measure in MEASURES.items():
        values = "".join(f"{measure(one, bought.to_numpy()):>13.3f}" for one in said.values())
        print(f"{name:<31}{values}")


def _decile_lift(said: Any, bought: Any) -> float:  # noqa: ANN401
    """What the tenth of whom most was expected bought, as a multiple of the mean of all."""
    # Of customers of whom the same is expected, a part counts.
    order, size = np.argsort(-said, kind="stable"), len(said) // 10
    threshold = said[order[size - 1]]
    above, tied = said > threshold, said == threshold
    share = (size - above.sum()) / tied.sum()
    return float((bought[above].sum() + share * bought[tied].sum()) / size / bought.mean())


MEASURES: dict[str, Callable[[Any, Any], float]] = {
    "mean absolute error": lambda said, bought: float(np.abs(said - bought).mean()),
    "root mean squared error": lambda said, bought: float(np.sqrt(((said - bought) ** 2).mean())),
    "correlation": lambda said, bought: float(np.corrcoef(said, bought)[0, 1]),
    "lift of the best tenth": _decile_lift,
}


if __name__ == "__main__":
    main()
