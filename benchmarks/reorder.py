"""Does the reorder plan serve as well as it was asked to, and what does it keep in stock for that?

Four hundred stocks are lived through day by day for eight years: demand drawn from a known process,
lead times of one to five weeks (half of them uncertain), orders in lots of 1 to 30, looked at once
a week. A cycle ends with a delivery and is served if nobody found nothing. Who does waits, as the
rule takes it; "lost" is the same plan where they leave. Beside ours stands the rule of the
textbooks, mean + z * standard deviation over review and lead time, filled up to that level at each
review in whole lots.

With --shop, a made shop (`generate`) with its own season, promotions, launches and trend: in each
of the last weeks the product's forecast is made anew from what was sold before, a plan follows from
it, and what was really sold then comes to pass. Forecasts are wrong there as forecasts are. A week
takes half a minute.

Run: python benchmarks/reorder.py [--shop WEEKS]
"""

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from timing import machine

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.forecasting.demand import forecast_demand
from gpu_pipeline.ingest import ingest
from gpu_pipeline.inventory import (
    DemandCurves,
    Holdings,
    Simulated,
    planned_points,
    simulated_service,
)
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps.demand import DEMAND
from gpu_pipeline.store import Lake
from gpu_pipeline.synthetic import generate

CPU = Backend.choose("cpu")
SEED, TARGETS = 20260601, (0.90, 0.95, 0.99)
STOCKS, DAYS, WARM_UP_DAYS = 400, 2_912, 140
REVIEW_DAYS, HORIZON = 7, 28
LEAD_DAYS, LOTS = (7.0, 10.0, 14.0, 21.0, 35.0), (1.0, 5.0, 30.0)
WEEK = np.array([0.6, 0.7, 0.8, 1.0, 1.2, 1.7, 1.0])
Z = {0.90: 1.2816, 0.95: 1.6449, 0.99: 2.3263}
SHOP_CUSTOMERS, SHOP_DAYS, SHOP_LEAD_DAYS = 4_000, 700, 14.0
Numbers = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", type=int, default=0, metavar="WEEKS")
    given = parser.parse_args()
    print(machine())
    print(f"{'demand':18} {'target':>6} {'rule':11} {'served':>7} {'filled':>7} {'on hand':>8}")
    for name in PROCESSES:
        for target in TARGETS:
            for rule, found in _lived_through(name, target).items():
                _show(name, target, rule, found)
    _show_speed()
    if given.shop:
        _shop(given.shop)


def _lived_through(process: str, target: float) -> dict[str, Simulated]:
    rng = np.random.default_rng(SEED)
    mean, variance, demand = PROCESSES[process](rng)
    stock = _holdings(rng)
    reviews = DAYS // REVIEW_DAYS
    lead = _lead_times(stock, reviews, rng)
    settings = {"reviews": 1, "horizon": HORIZON, "review_days": REVIEW_DAYS}
    ours = planned_points(stock, mean, variance, service_level=target, **settings)
    points = {"ours": ours, "textbook": _textbook(stock, mean, variance, target)[:, None]}
    rules = {"ours": ("ours", False), "ours, lost": ("ours", True), "textbook": ("textbook", False)}
    return {
        name: simulated_service(
            demand,
            np.broadcast_to(points[rule], (STOCKS, reviews)),
            stock.lot,
            lead,
            review_days=REVIEW_DAYS,
            warm_up_days=WARM_UP_DAYS,
            are_lost=are_lost,
        )
        for name, (rule, are_lost) in rules.items()
    }


def _holdings(rng: np.random.Generator) -> Holdings:
    lead, nothing = rng.choice(LEAD_DAYS, STOCKS), np.zeros(STOCKS)
    return Holdings(
        on_hand=nothing,
        on_order=nothing,
        lot=rng.choice(LOTS, STOCKS),
        unit_cost=nothing,
        lead_days=lead,
        lead_days_spread=np.minimum(lead * rng.choice([0.0, 0.15], STOCKS), 2.5),
        demand_share=np.ones(STOCKS),
        product=np.arange(STOCKS),
        backend=CPU,
    )


def _lead_times(stock: Holdings, reviews: int, rng: np.random.Generator) -> Numbers:
    """Gamma distributed, one an order."""
    shape = stock.lead_days**2 / np.maximum(stock.lead_days_spread, 0.01) ** 2
    drawn: Numbers = rng.gamma(
        shape[:, None], (stock.lead_days / shape)[:, None], (len(shape), reviews)
    )
    return drawn


def _textbook(stock: Holdings, mean: Numbers, variance: Numbers, target: float) -> Numbers:
    """Fill up to mean + z * spread (Silver, Pyke & Thomas 2017, 6.9): order below that level."""
    days = stock.lead_days + REVIEW_DAYS
    rate, noise = mean[:, :HORIZON].mean(axis=1), variance[:, :HORIZON].mean(axis=1)
    spread = np.sqrt(days * noise + (rate * stock.lead_days_spread) ** 2)
    level: Numbers = np.ceil(days * rate + Z[target] * spread) - 1
    return level


def _rates() -> Numbers:
    """From one unit in three days to fifty a day, (stocks, days)."""
    return np.repeat(np.geomspace(0.3, 50.0, STOCKS)[:, None], DAYS, axis=1)


def _poisson(rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
    mean = _rates()
    return mean, mean, rng.poisson(mean).astype(float)


def _lumpy(rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
    return _negative_binomial(_rates(), 0.6, rng)


def _weekly(rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
    return _negative_binomial(_rates() * WEEK[np.arange(DAYS) % 7], 3.0, rng)


def _negative_binomial(
    mean: Numbers, size: float, rng: np.random.Generator
) -> tuple[Numbers, Numbers, Numbers]:
    drawn = rng.negative_binomial(size, size / (size + mean)).astype(float)
    return mean, mean + mean**2 / size, drawn


PROCESSES = {"poisson": _poisson, "negative binomial": _lumpy, "weekly season": _weekly}


def _show(name: str, target: float, rule: str, found: Simulated) -> None:
    print(
        f"{name:18} {target:6.2f} {rule:11} {found.cycle_service:7.4f} {found.fill_rate:7.4f} "
        f"{found.mean_on_hand:8.1f}"
    )


def _show_speed() -> None:
    """One plan of many stocks."""
    rng, count = np.random.default_rng(SEED), 100_000
    rate = rng.gamma(0.5, 4.0, count)[:, None] * np.arange(1, HORIZON + 1)
    none = np.zeros(count)
    stock = Holdings(
        on_hand=rng.integers(0, 80, count).astype(float),
        on_order=none,
        lot=rng.choice(LOTS, count),
        unit_cost=none + 100,
        lead_days=rng.choice(LEAD_DAYS, count),
        lead_days_spread=none + 1,
        demand_share=none + 1,
        product=np.arange(count),
        backend=CPU,
    )
    began = time.perf_counter()
    stock.plan(DemandCurves(rate, 1.5 * rate, CPU), service_level=0.95, review_days=REVIEW_DAYS)
    seconds = time.perf_counter() - began
    print(f"{count:,} stocks planned in {seconds:.1f} s, {count / seconds:,.0f} a second")


def _shop(weeks: int) -> None:
    """Our forecasts, made anew in each week of a made shop, and what their plans come to."""
    demand = _shop_demand()
    days = pd.date_range(demand["day"].min(), demand["day"].max(), unit="us")
    wide = demand.pivot_table(index="product_id", columns="day", values="units", aggfunc="sum")
    sold = wide.reindex(columns=days).fillna(0.0)
    first = len(days) - 1 - 7 * weeks  # the last day has not ended
    curves = [_curves_as_of(demand, days[first + 7 * week], sold.index) for week in range(weeks)]
    lived = sold.to_numpy()[:, first : first + 7 * weeks]
    live = (curves[0].mean[:, -1] > 0) & (lived.sum(axis=1) > 0)
    lead = np.full((int(live.sum()), weeks), SHOP_LEAD_DAYS)
    for target in TARGETS:
        points = np.stack([_points(one, target) for one in curves], axis=1)[live]
        found = simulated_service(
            lived[live],
            points,
            np.ones(len(points)),
            lead,
            review_days=REVIEW_DAYS,
            warm_up_days=int(SHOP_LEAD_DAYS) + REVIEW_DAYS,
        )
        _show(f"made shop, {weeks} w", target, "ours", found)
        print(f"  of {int(found.cycles.sum()):,} deliveries of {len(points):,} products")


def _shop_demand() -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as name:
        landing = Path(name) / "landing"
        generate(landing, customers=SHOP_CUSTOMERS, days=SHOP_DAYS, seed=7)
        for path in landing.iterdir():
            if path.is_file() and not path.name.startswith(("orders", "fx_rates")):
                path.unlink()
        lake = Lake.create(Path(name) / "lake", buckets=4, backend=CPU, currency="EUR")
        with CPU.cluster():
            ingest(lake, landing)
            run(lake, [DEMAND], Config.load())
            return lake.read("demand_daily").compute()


def _curves_as_of(
    demand: pd.DataFrame, day: pd.Timestamp, products: "pd.Index[str]"
) -> DemandCurves:
    """What was forecast on the morning of that day; nothing of products without a forecast."""
    before = demand[demand["day"] < day]
    table = forecast_demand(
        before, as_of=day.to_pydatetime() + timedelta(hours=6), horizon=HORIZON, backend=CPU
    )
    wide = table.pivot_table(index="product_id", columns="horizon", values=["mean", "total_sd"])
    whole = wide.reindex(products).fillna(0.0)
    spread = whole["total_sd"].to_numpy()
    return DemandCurves(np.cumsum(whole["mean"].to_numpy(), axis=1), spread**2, CPU)


def _points(curves: DemandCurves, target: float) -> Numbers:
    count = len(curves.mean)
    nothing, one = np.zeros(count), np.ones(count)
    stock = Holdings(
        on_hand=nothing,
        on_order=nothing,
        lot=one,
        unit_cost=nothing,
        lead_days=one * SHOP_LEAD_DAYS,
        lead_days_spread=nothing,
        demand_share=one,
        product=np.arange(count),
        backend=CPU,
    )
    planned = stock.plan(curves, service_level=target, review_days=REVIEW_DAYS)
    point: Numbers = planned["reorder_point"]
    return point


if __name__ == "__main__":
    main()
