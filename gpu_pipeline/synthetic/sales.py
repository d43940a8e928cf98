"""Sales: what the orders hold, at which price, and the demand that found nothing in stock."""

from dataclasses import dataclass

import numpy as np

from gpu_pipeline.synthetic.columns import Floats, Ints, Mask, Rng, Rows, chosen, drawn
from gpu_pipeline.synthetic.orders import BUYERS, CARD_TESTING, Orders
from gpu_pipeline.synthetic.rates import Rates
from gpu_pipeline.synthetic.shop import CATEGORIES, Catalogue, Demand
from gpu_pipeline.synthetic.span import Span
from gpu_pipeline.synthetic.stockouts import LOCATION_SHARES

_CANCELLED_SHARE, _REFUSED_CARDS = 0.015, 0.85


@dataclass(frozen=True)
class Sales(Rows):
    """One entry a line ordered, by order and product; money in minor units of its currency."""

    order: Ints
    product: Ints
    location: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    cancelled: Mask


@dataclass(frozen=True)
class Basket:
    """Products wanted: one entry a line, before what is out of stock is replaced."""

    order: Ints
    product: Ints
    location: Ints


def draw_sales(
    span: Span, shop: Catalogue, demand: Demand, orders: Orders, rates: Rates, rng: Rng
) -> tuple[Sales, Ints]:
    """What was ordered, and the units of each stock-out that would have been.

    Who finds a product out of stock takes another one.
    """
    day = span.day_of(orders.at)
    basket, lost = _baskets(shop, demand, orders, day, rng)
    whole, first = np.unique(basket.order * len(shop) + basket.product, return_index=True)
    order, product = np.divmod(whole, len(shop))

    quantity = _quantities(shop, product, rng)
    price = rates.converted(shop.price_on(product, day[order]), orders.currency[order], day[order])
    coupon = _coupons(orders.buyer, rng)[order]
    percent = np.maximum(coupon, demand.percent_off[day[order], product])
    is_test = orders.fraud[order] == CARD_TESTING
    quantity[is_test] = 1
    cancelled = rng.random(len(order)) < np.where(is_test, _REFUSED_CARDS, _CANCELLED_SHARE)
    discount = price * quantity * percent // 100
    location = basket.location[first]
    return Sales(order, product, location, quantity, price, discount, cancelled), lost


def _baskets(
    shop: Catalogue, demand: Demand, orders: Orders, day: Ints, rng: Rng
) -> tuple[Basket, Ints]:
    extra = np.array([one.extra_lines for one in BUYERS])[orders.buyer]
    taste = np.array([one.taste for one in BUYERS])[orders.buyer]
    lines = 1 + np.minimum(rng.poisson(extra), 4)
    order = np.repeat(np.arange(len(day)), np.where(orders.only >= 0, 1, lines))
    odds = np.concatenate([demand.weight * factor for factor in _tastes(shop, demand)])
    row = taste[order] * len(demand.weight) + day[order]
    product = drawn(odds, row, rng)
    product = np.where(orders.only[order] >= 0, orders.only[order], product)
    location = chosen(LOCATION_SHARES, len(order), rng)

    missed = np.flatnonzero(demand.out[day[order], product, location])
    lost = _lost_units(shop, product[missed], location[missed], day[order[missed]], rng)
    there = np.tile(~demand.out.any(axis=2), (len(odds) // len(demand.weight), 1))
    product[missed] = drawn(odds * there, row[missed], rng)
    return Basket(order, product, location), lost


def _lost_units(shop: Catalogue, product: Ints, location: Ints, day: Ints, rng: Rng) -> Ints:
    """Units that each stock-out cost."""
    quantity, outs = _quantities(shop, product, rng), shop.stockouts
    # Few stock-outs: each looks for its own.
    windows = zip(outs.product, outs.location, outs.from_day, outs.until_day, strict=True)
    mine = [
        (product == own) & (location == where) & (day >= start) & (day < stop)
        for own, where, start, stop in windows
    ]
    return np.array([quantity[rows].sum() for rows in mine], np.int64)


def _quantities(shop: Catalogue, product: Ints, rng: Rng) -> Ints:
    units = np.array([one.extra_units for one in CATEGORIES])[shop.category[product]]
    return 1 + np.minimum(rng.poisson(units), 4)


def _tastes(shop: Catalogue, demand: Demand) -> tuple[Floats, ...]:
    """What demand is multiplied by: nothing; champions like it dear; bargain hunters reduced."""
    dear = shop.price / np.median(shop.price)
    offered = 1 + 3.0 * (demand.percent_off > 0)
    return np.ones(1), dear**0.3, offered * dear**-0.4


def _coupons(buyer: Ints, rng: Rng) -> Ints:
    """Percent off each order."""
    percent = np.where(rng.random(len(buyer)) < 0.03, 10, 0)
    for code, one in enumerate(BUYERS):
        own = buyer == code
        percent[own] = np.maximum(percent[own], rng.choice(one.coupons, own.sum()))
    return percent
