"""Who buys, when, what, and what comes back."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Floats,
    Ints,
    Mask,
    Rng,
    Rows,
    chosen,
    decimals,
    drawn,
    integers,
    labels,
    moments,
    numbered,
    positions,
    seconds_of_day,
)
from gpu_pipeline.synthetic.shop import CATEGORIES, CURRENCY, Catalogue, Demand, Span


class Segment(NamedTuple):
    """How the customers of one planted segment buy."""

    name: str
    share: float
    gap_days: float  # between two orders
    fewest_orders: int  # a short span shrinks the gap to hold them
    regularity: float  # shape of the gamma distribution of the gaps
    newcomers: float  # share that signs up within the span
    stays: tuple[float, float]  # fraction of the span at which they stop, from and to
    extra_lines: float  # of an order, mean
    taste: int  # row of _tastes
    coupons: tuple[int, ...]  # percent off an order, one of these


SEGMENTS = (
    Segment("champions", 0.10, 15, 8, 3, 0.3, (1, 1), 0.7, 1, (0,)),
    Segment("loyal", 0.30, 36, 4, 6, 0.4, (1, 1), 0.45, 0, (0,)),
    # They leave as they come: one order each.
    Segment("bargain hunters", 0.35, 36, 1, 1, 1.0, (0, 0), 0.0, 2, (15, 20, 25)),
    Segment("slipping away", 0.25, 40, 5, 4, 0.0, (0.3, 0.6), 0.4, 0, (0,)),
)
# Who buys without an account is no segment of customers.
_GUESTS = Segment("guests", 0.04, 36, 1, 1, 0.0, (1, 1), 0.3, 0, (0,))
_BUYERS = (*SEGMENTS, _GUESTS)

_ORDER_CHANNELS = ("web", "app", "marketplace", "phone")
WEB, APP = 0, 1
_ORDER_CHANNEL_ODDS = (0.33, 0.19, 0.33, 0.15)
_COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "AT", "BE", "IE", "PT", "FI")
_COUNTRY_ODDS = (0.30, 0.18, 0.12, 0.10, 0.09, 0.07, 0.05, 0.04, 0.03, 0.02)
_LINE_TYPES = ("sale", "cancelled", "fee", "return")
_SALE, _CANCELLED, _FEE, _RETURN = range(4)
_STATUSES = ("placed", "shipped", "delivered", "cancelled", "returned")
_CANCELLED_STATUS, _RETURNED_STATUS = 3, 4
_SHIPPING, _FREE_SHIPPING = 499, 5_000  # cents


@dataclass(frozen=True)
class People:
    """One entry a customer; first and last are fractions of the span."""

    segment: Ints
    country: Ints
    is_new: Mask  # who signs up within the span
    first: Floats  # of the first order
    last: Floats  # after which there is none

    def __len__(self) -> int:
        return len(self.segment)


@dataclass(frozen=True)
class Orders(Rows):
    """One entry an order, in order of time."""

    at: Ints
    customer: Ints
    buyer: Ints  # code into _BUYERS
    channel: Ints
    country: Ints
    shipped: Ints  # as planned: it may lie after the span
    delivered: Ints


@dataclass(frozen=True)
class Sales(Rows):
    """One entry a line ordered, by order and product."""

    order: Ints
    product: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    cancelled: Mask


@dataclass(frozen=True)
class World:
    """What every source is derived from."""

    span: Span
    shop: Catalogue
    demand: Demand
    people: People
    signed_up: Ints  # of each customer
    orders: Orders
    sales: Sales

    def lines_of_orders(self) -> Ints:
        """How many lines each order has."""
        return np.bincount(self.sales.order, minlength=len(self.orders.at))

    def has_turned(self, product: Ints, at: Ints) -> Mask:
        """Whether it is the product whose mood turns bad, at a moment after that."""
        return (product == self.shop.turned) & (at >= self.span.turns)


def draw_people(span: Span, count: int, rng: Rng) -> People:
    """The customers, segments mixed."""
    segment = rng.permutation(
        np.searchsorted(
            np.cumsum([one.share for one in SEGMENTS])[:-1], (np.arange(count) + 0.5) / count
        )
    )
    gap = np.array([_gap(one, span) for one in SEGMENTS])[segment]
    is_new = rng.random(count) < np.array([one.newcomers for one in SEGMENTS])[segment]
    earliest, latest = np.array([one.stays for one in SEGMENTS])[segment].T
    stops = rng.uniform(earliest, latest)
    # Newcomers of segments that stay leave themselves time to show what they are.
    since = np.where(stops > 0, 0.6, 1) * rng.random(count)
    first = np.where(is_new, since, np.minimum(gap * rng.random(count), stops))
    country = chosen(_COUNTRY_ODDS, count, rng)
    return People(segment, country, is_new, first, np.maximum(first, stops))


def _gap(segment: Segment, span: Span) -> float:
    """Between two orders, as a fraction of the span."""
    return min(segment.gap_days, span.days / segment.fewest_orders) / span.days


def draw_orders(span: Span, demand: Demand, people: People, rng: Rng) -> Orders:
    """All orders, those of guests too."""
    renewals = [_renewals(span, people, code, rng) for code in range(len(SEGMENTS))]
    known = np.concatenate([customer for customer, _ in renewals])
    guests = round(_GUESTS.share * len(known))
    customer = np.concatenate([known, np.full(guests, -1)])
    progress = np.concatenate([*(progress for _, progress in renewals), rng.random(guests)])
    count = len(customer)
    # Ranks, so that however customers come and go, the orders of all follow the demand.
    quantile = (np.argsort(np.argsort(progress, kind="stable"), kind="stable") + 0.5) / count
    # The visit that leads to an order lies within the span too.
    earliest = span.opens + 2 * HOUR
    at = span.opens + demand.days(quantile) * DAY + seconds_of_day(count, rng)
    at = np.maximum(at, earliest + rng.integers(0, HOUR, count))
    shipped = at + rng.integers(4 * HOUR, 60 * HOUR, count)
    orders = Orders(
        at=at,
        customer=customer,
        buyer=np.where(customer < 0, len(SEGMENTS), people.segment[customer]),
        channel=chosen(_ORDER_CHANNEL_ODDS, count, rng),
        country=np.where(customer < 0, chosen(_COUNTRY_ODDS, count, rng), people.country[customer]),
        shipped=shipped,
        delivered=shipped + rng.integers(DAY, 6 * DAY, count),
    )
    return orders.take(np.argsort(at, kind="stable"))


def _renewals(span: Span, people: People, code: int, rng: Rng) -> tuple[Ints, Floats]:
    """Whose orders, and how far into the span: a renewal process while a customer is active."""
    segment, members = SEGMENTS[code], np.flatnonzero(people.segment == code)
    gap = _gap(segment, span)
    most = int(2.5 / gap) + 4
    gaps = rng.gamma(segment.regularity, gap / segment.regularity, (len(members), most))
    gaps[:, 0] = people.first[members]
    progress = np.cumsum(gaps, axis=1)
    row, column = np.nonzero(progress <= people.last[members][:, None])
    return members[row], progress[row, column]


def draw_sign_ups(span: Span, people: People, orders: Orders, rng: Rng) -> Ints:
    """When each customer opened the account: newcomers up to three days before they buy."""
    known = orders.customer >= 0
    first = np.full(len(people), span.closes)
    np.minimum.at(first, orders.customer[known], orders.at[known])
    recently = first - rng.integers(600, 3 * DAY, len(people))
    return np.where(people.is_new, recently, span.opens - rng.integers(DAY, 900 * DAY, len(people)))


def draw_sales(span: Span, shop: Catalogue, demand: Demand, orders: Orders, rng: Rng) -> Sales:
    """What was ordered, at which price."""
    day = span.day_of(orders.at)
    extra = np.array([one.extra_lines for one in _BUYERS])[orders.buyer]
    taste = np.array([one.taste for one in _BUYERS])[orders.buyer]
    order = np.repeat(np.arange(len(day)), 1 + np.minimum(rng.poisson(extra), 4))
    odds = np.concatenate([demand.weight * factor for factor in _tastes(shop, demand)])
    product = drawn(odds, taste[order] * span.days + day[order], rng)
    order, product = np.divmod(np.unique(order * len(shop) + product), len(shop))

    units = np.array([one.extra_units for one in CATEGORIES])[shop.category[product]]
    quantity = 1 + np.minimum(rng.poisson(units), 4)
    price = shop.price_on(product, day[order])
    coupon = _coupons(orders.buyer, rng)[order]
    percent = np.maximum(coupon, demand.percent_off[day[order], product])
    cancelled = rng.random(len(order)) < 0.015
    return Sales(order, product, quantity, price, price * quantity * percent // 100, cancelled)


def _tastes(shop: Catalogue, demand: Demand) -> tuple[Floats, ...]:
    """What demand is multiplied by: nothing; champions like it dear; bargain hunters reduced."""
    dear = shop.price / np.median(shop.price)
    offered = 1 + 3.0 * (demand.percent_off > 0)
    return np.ones(1), dear**0.3, offered * dear**-0.4


def _coupons(buyer: Ints, rng: Rng) -> Ints:
    """Percent off each order."""
    percent = np.where(rng.random(len(buyer)) < 0.03, 10, 0)
    for code, one in enumerate(_BUYERS):
        own = buyer == code
        percent[own] = np.maximum(percent[own], rng.choice(one.coupons, own.sum()))
    return percent


@dataclass(frozen=True)
class Lines(Rows):
    """One entry a line of the order file."""

    order: Ints
    number: Ints
    at: Ints
    shipped: Ints
    delivered: Ints
    product: Ints  # the number of products where it is shipping
    quantity: Ints
    price: Ints
    discount: Ints
    refunded: Ints
    status: Ints
    kind: Ints


def order_table(world: World, rng: Rng) -> pa.Table:
    """Sales, fees and returns in order of time; a return continues the numbers of its order."""
    shop, orders = world.shop, world.orders
    sold = _sold(world, rng)
    lines = Lines.stacked(sold, _fees(world, sold), _returns(world, sold, rng))
    lines = lines.take(np.argsort(lines.order, kind="stable"))
    lines.number[:] = positions(np.bincount(lines.order, minlength=len(orders.at))) + 1
    lines = lines.take(np.argsort(lines.at, kind="stable"))
    return pa.table(
        {
            "customer_id": customer_ids(orders.customer[lines.order]),
            "order_id": order_ids(lines.order),
            "line_no": integers(lines.number),
            "ordered_at": moments(lines.at),
            "shipped_at": moments(lines.shipped),
            "delivered_at": moments(lines.delivered),
            "product_id": labels([*shop.ids, "SHIPPING"], lines.product),
            "product_name": labels([*shop.names, "Shipping"], lines.product),
            "quantity": integers(lines.quantity),
            "unit_price": decimals(lines.price),
            "discount": decimals(lines.discount),
            "refunded": decimals(lines.refunded),
            "currency": labels([CURRENCY], np.zeros_like(lines.order)),
            "channel": labels(_ORDER_CHANNELS, orders.channel[lines.order]),
            "country": labels(_COUNTRIES, orders.country[lines.order]),
            "status": labels(_STATUSES, lines.status),
            "line_type": labels(_LINE_TYPES, lines.kind),
        }
    )


def _sold(world: World, rng: Rng) -> Lines:
    span, orders, sales = world.span, world.orders, world.sales
    shipped, delivered = orders.shipped[sales.order], orders.delivered[sales.order]
    shipped = np.where(sales.cancelled | (shipped >= span.closes), -1, shipped)
    delivered = np.where(sales.cancelled | (delivered >= span.closes), -1, delivered)
    progress = (shipped >= 0).astype(np.int64) + (delivered >= 0)
    # Goodwill: a tenth is paid back and nothing comes back. A return's money is its quantity.
    goodwill = (delivered >= 0) & (rng.random(len(shipped)) < 0.015)
    paid = sales.price * sales.quantity - sales.discount
    return Lines(
        order=sales.order,
        number=np.zeros_like(sales.order),
        at=orders.at[sales.order],
        shipped=shipped,
        delivered=delivered,
        product=sales.product,
        quantity=sales.quantity,
        price=sales.price,
        discount=sales.discount,
        refunded=np.where(goodwill, paid // 10, 0),
        status=np.where(sales.cancelled, _CANCELLED_STATUS, progress),
        kind=np.where(sales.cancelled, _CANCELLED, _SALE),
    )


def _fees(world: World, sold: Lines) -> Lines:
    """Shipping of each small order, of which something is left."""
    kept = sold.take(sold.kind == _SALE)
    worth = np.zeros(len(world.orders.at), np.int64)
    np.add.at(worth, kept.order, kept.price * kept.quantity - kept.discount)
    first = np.unique(kept.order, return_index=True)[1]
    fees = kept.take(first[worth[kept.order[first]] < _FREE_SHIPPING])
    fees.product[:], fees.quantity[:], fees.price[:] = len(world.shop), 1, _SHIPPING
    fees.discount[:], fees.refunded[:], fees.kind[:] = 0, 0, _FEE
    return fees


def _returns(world: World, sold: Lines, rng: Rng) -> Lines:
    """What came back, within 30 days of the order; what was bought reduced can't."""
    rate = np.where(sold.discount == 0, world.shop.return_rate[sold.product], 0)
    back_at = sold.delivered + rng.integers(DAY, 14 * DAY, len(rate))
    comes = (rng.random(len(rate)) < rate) & (sold.delivered >= 0) & (back_at < world.span.closes)
    back = sold.take(comes)
    back.at[:], back.shipped[:], back.delivered[:] = back_at[comes], -1, -1
    back.quantity[:] = -rng.integers(1, back.quantity, endpoint=True)
    back.refunded[:], back.status[:], back.kind[:] = 0, _RETURNED_STATUS, _RETURN
    return back


def customer_table(world: World, rng: Rng) -> pa.Table:
    """A row a customer, and a later one for who changed their mind about marketing."""
    people, span, signed_up = world.people, world.span, world.signed_up
    consent = (rng.random(len(people)) < 0.72).astype(np.int64)
    changed = np.flatnonzero(rng.random(len(people)) < 0.05)
    since = np.maximum(signed_up[changed], span.opens) + 1
    changed_at = since + (rng.random(len(changed)) * (span.closes - since)).astype(np.int64)
    customer = np.concatenate([np.arange(len(people)), changed])
    updated_at = np.concatenate([signed_up, changed_at])
    consent = np.concatenate([consent, 1 - consent[changed]])
    row = np.argsort(updated_at, kind="stable")
    return pa.table(
        {
            "customer_id": customer_ids(customer[row]),
            "country": labels(_COUNTRIES, people.country[customer[row]]),
            "signed_up_at": moments(signed_up[customer[row]]),
            "marketing_consent": labels(["false", "true"], consent[row]),
            "updated_at": moments(updated_at[row]),
        }
    )


def customer_ids(customer: Ints) -> pa.Array:
    """Raw ids as the shop's own systems know them; null for guests."""
    return numbered("C", customer, 7)


def order_ids(order: Ints) -> pa.Array:
    """Order numbers; null where there is none."""
    return numbered("O", order, 8)
