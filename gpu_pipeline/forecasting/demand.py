"""Demand of products: order lines to daily sales, daily sales to forecasts."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.forecasting.backtest import WINDOWS
from gpu_pipeline.forecasting.forecaster import DemandForecaster
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.stockouts import days_out_of_stock
from gpu_pipeline.orders import business_day
from gpu_pipeline.time_zones import local_time

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENDED_AFTER_DAYS", "combined_demand", "daily_demand", "forecast_demand"]

ENDED_AFTER_DAYS = 56
_KEY = ["product_id", "day", "currency"]


def daily_demand(lines: Frame, *, time_zone: str = "UTC") -> Frame:
    """What each product sold each day, of some order lines: the columns of `demand_daily`.

    Reads product_id, ordered_at, line_type, quantity, unit_price, discount and currency. Only
    lines of type "sale" count; revenue is quantity times unit price less the discount, in minor
    units. A day is one of the `time_zone`. The sums of several partitions are made one by
    `combined_demand`.
    """
    sold = lines[lines["line_type"] == "sale"]
    return combined_demand(
        sold.assign(
            day=business_day(sold["ordered_at"], time_zone),
            units=sold["quantity"],
            revenue=sold["quantity"] * sold["unit_price"] - sold["discount"],
        )
    )


def combined_demand(parts: Frame) -> Frame:
    """The rows of several `daily_demand` as one table, a row per product, day and currency."""
    total = parts.groupby(_KEY, sort=False)[["units", "revenue"]].sum().reset_index()
    ordered = total.sort_values(_KEY, ignore_index=True)
    return ordered[list(contract("demand_daily").names)]


def forecast_demand(
    demand: Frame,
    *,
    as_of: datetime,
    horizon: int,
    backend: Backend,
    time_zone: str = "UTC",
    stock: Frame | None = None,
) -> "pd.DataFrame":
    """The table `demand_forecast` for the `horizon` days after the last whole day before `as_of`.

    `as_of` is a moment (UTC, without zone): the day of the `time_zone` it falls on has not ended
    and is not used, so that half a day's sales don't count as a day's. The column `as_of` is the
    last day that was used. Products that were not sold in the 56 days up to that one have ended
    and get no forecast, and no product gets any from fewer than five days. `demand` has
    product_id, day and units of the table `demand_daily`; units in several currencies are added
    up. `stock` has product_id, location, counted_at and on_hand of the table `inventory`: days on
    which a product could not be had say nothing about its demand (`days_out_of_stock`). Rows are
    sorted by product and day.
    """
    if as_of.tzinfo is not None:
        message = f"as_of is {as_of}: give it in UTC, without a zone."
        raise ValueError(message)
    today = local_time(as_of, time_zone).date()
    last_day = datetime.combine(today, time.min) - timedelta(days=1)
    sold = _live_products(demand, last_day)
    forecast_columns = contract("demand_forecast")
    if len(sold) == 0:
        return backend.to_pandas(backend.empty(forecast_columns))
    panel = Panel.from_frame(sold, freq="D", backend=backend, end=last_day)
    if panel.y.shape[1] <= WINDOWS:
        return backend.to_pandas(backend.empty(forecast_columns))
    if stock is not None:
        counted = stock[stock["counted_at"] < np.datetime64(as_of, "us")]
        panel = panel.hiding(days_out_of_stock(panel, counted, time_zone=time_zone))
    fitted = DemandForecaster(horizon=horizon).fit(panel)
    models = backend.to_pandas(fitted.models_)
    days = fitted.predict().merge(fitted.total_spread(), on=["unique_id", "ds"])
    table = backend.to_pandas(days).merge(models, on="unique_id", how="left")
    table = table.sort_values(["unique_id", "ds"], ignore_index=True)
    table = table.rename(columns={"unique_id": "product_id", "ds": "day"})
    table["horizon"] = (table["day"] - last_day).dt.days
    table["as_of"] = last_day
    return backend.cast(table, forecast_columns)


def _live_products(demand: Frame, last_day: datetime) -> Frame:
    """`unique_id, ds, y` up to that day of the products that were sold not too long before it."""
    seen = demand[demand["day"] <= np.datetime64(last_day, "us")]
    sold = seen.groupby(["product_id", "day"], sort=False)["units"].sum().reset_index()
    still = np.datetime64(last_day - timedelta(days=ENDED_AFTER_DAYS), "us")
    recent = sold[(sold["day"] > still) & (sold["units"] > 0)]["product_id"].unique()
    live = sold[sold["product_id"].isin(recent)]
    return live.rename(columns={"product_id": "unique_id", "day": "ds", "units": "y"})
