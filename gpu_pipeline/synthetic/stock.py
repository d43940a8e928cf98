"""Weekly stock counts at two warehouses, and exchange rates."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Floats,
    Ints,
    Rng,
    decimals,
    integers,
    labels,
    moments,
)
from gpu_pipeline.synthetic.shop import BRANDS, CURRENCY, Span
from gpu_pipeline.synthetic.trade import World

_LOCATIONS = ("Leipzig", "Rotterdam")
_LOCATION_SHARES = (60, 40)  # percent of what is sold
_MINIMUM_ORDERS = (1, 5, 10, 20)
_RATES = {CURRENCY: 100_000, "USD": 92_000, "GBP": 117_000}  # hundred-thousandths


@dataclass(frozen=True)
class Supply:
    """How each product is bought at each location, (products, locations)."""

    lead_weeks: Ints
    target: Ints  # units that stock and open orders are filled up to
    minimum: Ints


def inventory_table(world: World, rng: Rng) -> pa.Table:
    """A count every seven days, by location and product."""
    span, shop = world.span, world.shop
    sold = _weekly_units(world)
    supply = _supply(sold, rng)
    on_hand, on_order = _stock(sold, supply)
    week, product, location = (i.ravel() for i in np.indices(on_hand.shape))
    spread = rng.integers(5, 40, supply.target.shape)
    return pa.table(
        {
            "product_id": labels(shop.ids, product),
            "location": labels(_LOCATIONS, location),
            "counted_at": moments(span.opens + week * 7 * DAY + 6 * HOUR),
            "on_hand": integers(on_hand.ravel()),
            "on_order": integers(on_order.ravel()),
            "supplier": labels([f"{brand} Distribution" for brand in BRANDS], shop.brand[product]),
            "unit_cost": decimals(shop.cost[product]),
            "currency": labels([CURRENCY], np.zeros_like(product)),
            "minimum_order": integers(supply.minimum[product, location]),
            "lead_time_days": integers(7 * supply.lead_weeks[product, location]),
            "lead_time_days_spread": decimals(spread[product, location], 1),
        }
    )


def _weekly_units(world: World) -> Ints:
    """Units sold in each whole or begun week, (weeks, products, locations)."""
    sales, products = world.sales, len(world.shop)
    week = world.span.day_of(world.orders.at[sales.order]) // 7
    cell = (week * products + sales.product)[~sales.cancelled]
    weeks = -(-world.span.days // 7)
    units = np.bincount(cell, sales.quantity[~sales.cancelled], weeks * products)
    units = units.astype(np.int64).reshape(weeks, products)
    nearer = (units * _LOCATION_SHARES[0] + 50) // 100
    return np.stack([nearer, units - nearer], axis=2)


def _supply(sold: Ints, rng: Rng) -> Supply:
    """Cover is drawn too: where it is scarce, stock runs out."""
    shape = sold.shape[1:]
    lead_weeks = rng.integers(1, 5, shape)
    weekly = sold.sum(axis=0) / np.maximum(1, (sold > 0).any(axis=2).sum(axis=0))[:, None]
    target = np.ceil(weekly * (lead_weeks + 1.5) * rng.uniform(0.8, 2.2, shape)).astype(np.int64)
    minimum = np.minimum(rng.choice(_MINIMUM_ORDERS, shape), np.maximum(1, target // 2))
    return Supply(lead_weeks, target + 1, minimum)


def _stock(sold: Ints, supply: Supply) -> tuple[Ints, Ints]:
    """Units on hand and on order at the start of each week."""
    arriving = np.zeros((len(sold) + 6, *sold.shape[1:]), np.int64)
    hand, product, location = supply.target, *np.indices(supply.target.shape)
    on_hand, on_order = np.zeros_like(sold), np.zeros_like(sold)
    for week, units in enumerate(sold):
        hand = hand + arriving[week]
        on_hand[week], on_order[week] = hand, arriving[week + 1 :].sum(axis=0)
        lacking = supply.target - hand - on_order[week]
        lots = np.where(2 * lacking > supply.target, -(-lacking // supply.minimum), 0)
        np.add.at(arriving, (week + supply.lead_weeks, product, location), lots * supply.minimum)
        hand = np.maximum(0, hand - units)
    return on_hand, on_order


def rate_table(span: Span, rng: Rng) -> pa.Table:
    """A rate a day and currency, to euros: a random walk."""
    steps = rng.normal(0, 0.003, (span.days, len(_RATES)))
    steps[:, 0] = 0
    walk: Floats = np.cumprod(1 + steps, axis=0) * list(_RATES.values())
    day, currency = (i.ravel() for i in np.indices(walk.shape))
    return pa.table(
        {
            "currency": labels(list(_RATES), currency),
            "day": moments(span.opens + day * DAY),
            "rate": decimals(np.round(walk).astype(np.int64).ravel(), 5),
        }
    )
