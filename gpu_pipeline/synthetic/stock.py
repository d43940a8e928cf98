"""Weekly stock counts at two warehouses."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Ints,
    Mask,
    Rng,
    decimals,
    integers,
    labels,
    moments,
)
from gpu_pipeline.synthetic.delivery import Feed
from gpu_pipeline.synthetic.shop import BRANDS, CURRENCY, Catalogue
from gpu_pipeline.synthetic.span import Span
from gpu_pipeline.synthetic.stockouts import LOCATIONS
from gpu_pipeline.synthetic.world import World

_MINIMUM_ORDERS = (1, 5, 10, 20)
_COUNTED_AT = 6 * HOUR  # of the first day of each week


@dataclass(frozen=True)
class Supply:
    """How each product is bought at each location, (products, locations)."""

    lead_weeks: Ints
    target: Ints  # units that stock and open orders are filled up to
    minimum: Ints


def weekly_units(world: World) -> Ints:
    """Units sold in each whole or begun week, (weeks, products, locations)."""
    sales = world.sales
    weeks, products = -(-world.span.days // 7), len(world.shop)
    shape = (weeks, products, len(LOCATIONS))
    week = world.span.day_of(world.orders.at[sales.order]) // 7
    cell = np.ravel_multi_index((week, sales.product, sales.location), shape)
    kept = ~sales.cancelled
    units = np.bincount(cell[kept], sales.quantity[kept], int(np.prod(shape)))
    return units.astype(np.int64).reshape(shape)


def inventory_feed(span: Span, shop: Catalogue, sold: Ints, rng: Rng) -> Feed:
    """A count every seven days, by location and product; `sold` as of `weekly_units`."""
    supply = _supply(sold, rng)
    out = shop.stockouts.out_on(span, len(shop))[::7]
    on_hand, on_order = _stock(sold, supply, out)
    week, product, location = (i.ravel() for i in np.indices(on_hand.shape))
    spread = rng.integers(5, 40, supply.target.shape)
    counted_at = span.opens + week * 7 * DAY + _COUNTED_AT
    table = pa.table(
        {
            "product_id": labels(shop.ids, product),
            "location": labels(LOCATIONS, location),
            "counted_at": moments(counted_at),
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
    return Feed("inventory", table, counted_at)


def _supply(sold: Ints, rng: Rng) -> Supply:
    """Cover is drawn too: where it is scarce, stock runs out."""
    shape = sold.shape[1:]
    lead_weeks = rng.integers(1, 5, shape)
    weekly = sold.sum(axis=0) / np.maximum(1, (sold > 0).any(axis=2).sum(axis=0))[:, None]
    target = np.ceil(weekly * (lead_weeks + 1.5) * rng.uniform(0.8, 2.2, shape)).astype(np.int64)
    minimum = np.minimum(rng.choice(_MINIMUM_ORDERS, shape), np.maximum(1, target // 2))
    return Supply(lead_weeks, target + 1, minimum)


def _stock(sold: Ints, supply: Supply, out: Mask) -> tuple[Ints, Ints]:
    """Units on hand and on order at the start of each week.

    None is on hand exactly where it is `out`; else, what threatens to run out is sent in time.
    """
    arriving = np.zeros((len(sold) + 6, *sold.shape[1:]), np.int64)
    hand, product, location = supply.target, *np.indices(supply.target.shape)
    on_hand, on_order = np.zeros_like(sold), np.zeros_like(sold)
    for week, units in enumerate(sold):
        hand = np.where(out[week], 0, np.maximum(1, hand + arriving[week]))
        on_hand[week], on_order[week] = hand, arriving[week + 1 :].sum(axis=0)
        lacking = supply.target - hand - on_order[week]
        lots = np.where(2 * lacking > supply.target, -(-lacking // supply.minimum), 0)
        np.add.at(arriving, (week + supply.lead_weeks, product, location), lots * supply.minimum)
        hand = np.maximum(0, hand - units)
    return on_hand, on_order
