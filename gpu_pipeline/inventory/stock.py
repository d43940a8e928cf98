"""Stock: the latest count of each product and location, and whose demand each location serves."""

from datetime import datetime, timedelta
from types import ModuleType

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.kernels import order_of, run_starts, segment_sums
from gpu_pipeline.labels import Labels

__all__ = ["OLD_COUNT_DAYS", "latest_stock"]

OLD_COUNT_DAYS = 56
_DAY_US = 86_400_000_000
_PRIOR_UNITS = 10.0  # as if so many more had been seen to be split as those of all products


def latest_stock(counts: Frame, *, as_of: datetime, backend: Backend) -> Frame:
    """The last count of each product and location, by these, with two columns more.

    `counts` has the columns of the table `inventory` and at least one row. `is_old` says that the
    count is more than 56 days older than `as_of`: nobody looks there any more. `demand_share` is
    the location's part of the product's demand, over those with a count that is not old.

    The share follows from what was drawn from stock between two counts: what is gone, and what
    came in, which is what is on order no more. A count of nothing tells less than was asked for,
    and where more came in than can be told, the draw would be below 0: such a pair of counts is
    left out. Ten units are added that are split as those of all products, so that few draws don't
    give a location everything; where no draw is known, the share is equal.
    """
    xp = backend.xp
    product = Labels.of(counts["product_id"], backend).codes
    location = Labels.of(counts["location"], backend).codes
    counted_us = backend.as_bits(counts["counted_at"])
    order = order_of([product, location, counted_us], xp)
    product, location, counted_us = product[order], location[order], counted_us[order]
    starts = run_starts([product, location], xp)
    last = xp.concatenate([starts[1:], xp.asarray([len(product)])]) - 1
    stock = counts.take(order[last]).reset_index(drop=True)
    is_old = stock["counted_at"] < np.datetime64(as_of - timedelta(days=OLD_COUNT_DAYS), "us")
    drawn, days = _drawn(counts.take(order), counted_us, starts, xp)
    share = _shares(product[last], location[last], drawn, days, ~xp.asarray(is_old.values), xp)
    return stock.assign(is_old=is_old, demand_share=share)


def _drawn(counts: Frame, counted_us: Array, starts: Array, xp: ModuleType) -> tuple[Array, Array]:
    """Units drawn from each stock, and the days in which that is known."""
    on_hand, on_order = (
        xp.asarray(counts[name].values).astype("float64") for name in ("on_hand", "on_order")
    )
    # Each row against the one before it; the first row of a stock has none.
    arrived = xp.maximum(-_steps(on_order, xp), 0.0)
    gone = arrived - _steps(on_hand, xp)
    is_told = (gone >= 0) & (on_hand > 0)
    is_told[starts] = False
    units = xp.where(is_told, gone, 0.0)
    days = xp.where(is_told, _steps(counted_us, xp) / _DAY_US, 0.0)
    return segment_sums(units, starts, xp), segment_sums(days, starts, xp)


def _steps(values: Array, xp: ModuleType) -> Array:
    """How much more each value is than the one before it, the first than itself."""
    return xp.diff(values, prepend=values[:1])


def _shares(
    product: Array, location: Array, drawn: Array, days: Array, is_open: Array, xp: ModuleType
) -> Array:
    """The part of its product's demand that each stock serves; 0 where it is not open."""
    drawn, days = drawn * is_open, days * is_open
    total_days = xp.maximum(xp.bincount(location, weights=days), 1e-9)
    of_all = (xp.bincount(location, weights=drawn) / total_days)[location]
    # Nearly nothing, so that shares are equal where nothing is known.
    prior = _parts(product, (of_all + 1e-9) * is_open, xp)
    # Of locations that were looked at for unlike times, what they draw in the same time.
    stocks = xp.maximum(xp.bincount(product, weights=is_open.astype("float64")), 1.0)
    usual_days = (xp.bincount(product, weights=days) / stocks)[product]
    units = drawn / xp.where(days > 0, days, 1.0) * usual_days
    untold = xp.bincount(product, weights=(is_open & (days == 0)).astype("float64"))[product]
    return _parts(product, xp.where(untold > 0, 0.0, units) + _PRIOR_UNITS * prior, xp)


def _parts(product: Array, weight: Array, xp: ModuleType) -> Array:
    """Each weight as a part of those of its product; 0 where these add up to nothing."""
    total = xp.bincount(product, weights=weight)[product]
    return weight / xp.where(total > 0, total, 1.0)
