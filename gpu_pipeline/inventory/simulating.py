"""Simulating: what becomes of a reorder rule, day by day, with demand and lead times drawn."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_pipeline.inventory.curves import DemandCurves
from gpu_pipeline.inventory.holding import Holdings

__all__ = ["Simulated", "planned_points", "simulated_service"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """How often deliveries came in time, over all products.

    cycles: deliveries counted, (products,).
    stockouts: those before which something was missing, (products,).
    fill_rate: share of all units that could be had at once.
    mean_on_hand: units in stock at the end of a day, over all products and days.
    """

    cycles: npt.NDArray[np.int64]
    stockouts: npt.NDArray[np.int64]
    fill_rate: float
    mean_on_hand: float

    @property
    def cycle_service(self) -> float:
        """Share of all cycles in which nothing was missing."""
        return 1 - float(self.stockouts.sum()) / max(int(self.cycles.sum()), 1)


def simulated_service(
    demand: Numbers,
    reorder_point: Numbers,
    lot: Numbers,
    lead_days: Numbers,
    *,
    review_days: int,
    warm_up_days: int = 0,
    are_lost: bool = False,
) -> Simulated:
    """What the rule comes to on some demand.

    `demand` is (products, days), units asked for each day. Every `review_days` days, before the
    shop opens, as few lots (`lot`, (products,)) are ordered as lift the position above that
    review's `reorder_point`, (products, reviews). An order arrives after its `lead_days`, of the
    same shape, rounded to whole days, and no earlier than those before it. Who finds nothing
    waits, as `reorder_rule` takes it, or leaves where sales `are_lost`. A cycle ends with a
    delivery, before the shop opens; those that end in the first `warm_up_days` don't count.
    """
    products, days = demand.shape
    stock = (reorder_point[:, 0] + lot).copy()
    position = stock.copy()
    arriving = np.zeros((products, days + 1))
    last_arrival = np.zeros(products, np.int64)
    cycles, stockouts = np.zeros((2, products), np.int64)
    asked = had = held = 0.0
    everyone, is_short = np.arange(products), np.zeros(products, bool)
    for day in range(days):
        comes = arriving[:, day] > 0
        if day >= warm_up_days:
            cycles += comes
            stockouts += comes & (is_short | (stock < 0))
        is_short &= ~comes
        stock += arriving[:, day]
        if day % review_days == 0:
            review = day // review_days
            lots = np.maximum(-((position - reorder_point[:, review] - 1) // lot), 0.0)
            lead = np.maximum(np.rint(lead_days[:, review]), 1).astype(np.int64)
            arrival = np.maximum(day + lead, last_arrival)
            last_arrival = np.where(lots > 0, arrival, last_arrival)
            arriving[everyone, np.minimum(arrival, days)] += lots * lot
            position += lots * lot
        today = demand[:, day]
        at_once = np.clip(stock, 0, today)
        is_short |= at_once < today
        if day >= warm_up_days:
            asked += float(today.sum())
            had += float(at_once.sum())
            held += float(np.maximum(stock - today, 0).sum())
        gone = at_once if are_lost else today
        stock -= gone
        position -= gone
    counted = max(products * (days - warm_up_days), 1)
    return Simulated(cycles, stockouts, had / asked if asked else 1.0, held / counted)


def planned_points(
    holdings: Holdings,
    mean: Numbers,
    variance: Numbers,
    *,
    reviews: int,
    horizon: int,
    service_level: float,
    review_days: int,
) -> Numbers:
    """The reorder point of each holding at each review, (holdings, reviews), planned anew there.

    `mean` and `variance` are what is forecast of each product's single days, (products, days); at
    a review the next `horizon` of them are known, whose errors are independent.
    """
    backend, points = holdings.backend, []
    for day in range(0, reviews * review_days, review_days):
        ahead = slice(day, day + horizon)
        known, unsure = (
            backend.xp.asarray(np.cumsum(daily[:, ahead], axis=1)) for daily in (mean, variance)
        )
        plan = holdings.plan(
            DemandCurves(known, unsure, backend),
            service_level=service_level,
            review_days=review_days,
        )
        points.append(backend.to_host(plan["reorder_point"]))
    return np.stack(points, axis=1)
