"""Planning: what to order, where and when, from forecasts and the latest stock."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.inventory.curves import DemandCurves
from gpu_pipeline.inventory.holding import Holdings
from gpu_pipeline.inventory.stock import latest_stock
from gpu_pipeline.labels import Labels
from gpu_pipeline.orders import business_day
from gpu_pipeline.time_zones import local_time

__all__ = ["Reason", "reorder_plan"]


class Reason(StrEnum):
    """Why a product is ordered at a location, or is not."""

    ORDER = "order"
    ENOUGH = "enough"
    NO_DEMAND = "no demand"
    ENDED = "ended"
    NEVER_SOLD = "never sold"
    NO_FORECAST = "no forecast"
    NO_LEAD_TIME = "no lead time"
    OLD_COUNT = "old count"


_REASONS = tuple(Reason)
_PLANNED = (Reason.ORDER, Reason.ENOUGH, Reason.NO_DEMAND, Reason.ENDED)  # there are figures
_COUNTED = ("order_quantity", "order_cost", "overstock_units", "overstock_cost")  # 0 without a plan


def reorder_plan(
    forecast: Frame,
    counts: Frame,
    demand: Frame,
    *,
    as_of: datetime,
    service_level: float,
    review_days: int,
    ended_after_days: int,
    backend: Backend,
    time_zone: str = "UTC",
) -> Frame:
    """The table `reorder_plan`: a row a product and location with a count, by these.

    `forecast` has product_id, horizon, mean and total_sd of the table `demand_forecast`, `counts`
    the columns of `inventory`, `demand` product_id, day and units of `demand_daily`; all of them
    as known at the moment `as_of` (UTC, without zone). `service_level` is the probability that
    nothing is missing from one delivery to the next; every `review_days` days stock is looked at
    and may be ordered. Products without a sale in the last `ended_after_days` have ended.

    A location serves its `demand_share` of a product's demand (see `latest_stock`). At which one a
    unit is asked for is by chance: of the forecast's mean and variance it has share * mean and
    share^2 (variance - mean) + share * mean. A lead time's spread adds its variance times (units a
    day)^2 (Silver, Pyke & Thomas 2017, section 6.10; Chopra, Reinhart & Dada 2004, The Effect of
    Lead Time Uncertainty on Safety Stocks, Decision Sciences 35). Forecasts shorter than lead time
    and review go on as `DemandCurves` says; `reorder_rule` says when to order how much.
    """
    columns = contract("reorder_plan")
    if not len(counts):
        return backend.empty(columns)
    today = datetime.combine(local_time(as_of, time_zone).date(), time.min)
    past = demand[demand["day"] < np.datetime64(today, "us")]
    stock = latest_stock(counts, as_of=as_of, backend=backend)
    stock = stock.assign(
        place=backend.xp.arange(len(stock)),
        counted_on=business_day(stock["counted_at"], time_zone),
    )
    curves, product = _curves(forecast, stock, backend)
    stock = stock.assign(
        product=product,
        last_sold=_last_sold(past, stock),
        sold_since_count=stock["demand_share"] * _sold_since_count(past, stock),
    )
    figures = Holdings.of(stock, backend).plan(
        curves, service_level=service_level, review_days=review_days
    )
    has_forecast = stock["product"] < len(curves.mean) - 1
    since = today - timedelta(days=ended_after_days)
    reasons = _reasons(stock, figures, has_forecast, since, backend)
    plan = stock.assign(
        as_of=np.datetime64(as_of, "us"),
        service_level=service_level,
        review_days=review_days,
        reason=_reason_texts(reasons, backend),
        **_known(figures, reasons, backend),
    )
    return backend.cast(plan, columns)


def _curves(forecast: Frame, stock: Frame, backend: Backend) -> tuple[DemandCurves, Array]:
    """The demand curves of the products with a forecast, and each stock's place among them.

    The last curve is that of a product without a forecast: nothing.
    """
    xp = backend.xp
    products = Labels.of(forecast["product_id"], backend)
    days = int(forecast["horizon"].max()) if len(forecast) else 1
    shape = (len(products.texts) + 1, days)
    mean, spread = xp.zeros(shape), xp.zeros(shape)
    cell = products.codes, xp.asarray(forecast["horizon"].values) - 1
    mean[cell] = xp.asarray(forecast["mean"].values)
    spread[cell] = xp.asarray(forecast["total_sd"].values)
    curves = DemandCurves(xp.cumsum(mean, axis=1), spread**2, backend)
    names = products.texts.astype("str")
    places = backend.frames.DataFrame({"product_id": names, "product": xp.arange(len(names))})
    found = _beside(stock, places, "product").fillna(len(names))
    return curves, xp.asarray(found.values).astype("int64")


def _last_sold(past: Frame, stock: Frame) -> Series:
    """The last day with a sale of each stock's product; null where it was never sold."""
    sold = past[past["units"] > 0]
    last = sold.groupby("product_id", sort=False)["day"].max().reset_index()
    return _beside(stock, last, "day")


def _sold_since_count(past: Frame, stock: Frame) -> Series:
    """Units of each stock's product that were sold anywhere from the day of its count on."""
    recent = past[past["day"] >= stock["counted_on"].min()][["product_id", "day", "units"]]
    pairs = stock[["product_id", "place", "counted_on"]].merge(recent, on="product_id")
    later = pairs[pairs["day"] >= pairs["counted_on"]]
    units = later.groupby("place", sort=False)["units"].sum().reset_index()
    together = stock[["place"]].merge(units, on="place", how="left").sort_values("place")
    return together["units"].reset_index(drop=True).fillna(0)


def _beside(stock: Frame, products: Frame, name: str) -> Series:
    """A column of some products for each stock, null where there is none of its product."""
    # A merge on cuDF keeps no order.
    together = stock[["product_id", "place"]].merge(products, on="product_id", how="left")
    return together.sort_values("place")[name].reset_index(drop=True)


def _reasons(
    stock: Frame,
    figures: Mapping[str, Array],
    has_forecast: Series,
    since: datetime,
    backend: Backend,
) -> Array:
    """The place of each stock's reason among `Reason`; of several the first that is true here."""
    xp, last = backend.xp, stock["last_sold"]
    has_ended = last < np.datetime64(since, "us")
    without = ~xp.asarray(has_forecast.values)
    checks = {
        Reason.OLD_COUNT: xp.asarray(stock["is_old"].values),
        Reason.NEVER_SOLD: without & xp.asarray(last.isna().values),
        Reason.ENDED: without & xp.asarray(has_ended.fillna(value=False).values),
        Reason.NO_FORECAST: without,
        Reason.NO_LEAD_TIME: xp.asarray(stock["lead_time_days"].isna().values),
        Reason.NO_DEMAND: figures["protected_demand"] <= 0,
        Reason.ORDER: figures["order_quantity"] > 0,
    }
    found = xp.full(len(stock), _REASONS.index(Reason.ENOUGH))
    for reason in reversed(list(checks)):
        found = xp.where(checks[reason], _REASONS.index(reason), found)
    return found


def _reason_texts(reasons: Array, backend: Backend) -> Series:
    names = backend.frames.Series([str(reason) for reason in Reason], dtype="str")
    return names.take(reasons).reset_index(drop=True)


def _known(figures: Mapping[str, Array], reasons: Array, backend: Backend) -> dict[str, Array]:
    """The figures, where there is a plan; elsewhere counts are 0 and numbers missing."""
    xp = backend.xp
    planned = xp.zeros(len(reasons), dtype=bool)
    for reason in _PLANNED:
        planned |= reasons == _REASONS.index(reason)
    return {
        name: xp.where(planned, values, 0.0 if name in _COUNTED else xp.nan)
        for name, values in figures.items()
    }
