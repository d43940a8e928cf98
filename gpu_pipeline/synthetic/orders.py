"""Orders: who places them and when, those of guests and of fraudsters too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Floats,
    Ints,
    Rng,
    Rows,
    chosen,
    seconds_of_day,
)
from gpu_pipeline.synthetic.people import COUNTRIES, COUNTRY_ODDS, LOYAL, SEGMENTS, People, Segment
from gpu_pipeline.synthetic.shop import Catalogue, Demand
from gpu_pipeline.synthetic.span import Span

# Who buys without an account is no segment of customers.
_GUESTS = Segment("guests", 0.04, 36, 1, 1, 0.0, (1, 1), 0.3, 0, (0,))
BUYERS = (*SEGMENTS, _GUESTS)
ORDER_CHANNELS = ("web", "app", "marketplace", "phone")
WEB, APP = 0, 1
_ORDER_CHANNEL_ODDS = (0.33, 0.19, 0.33, 0.15)
_FOREIGN_SHARE = 0.3  # of orders, where the shop takes other currencies

FRAUDS = ("card testing", "account takeover", "refund abuse")
CARD_TESTING, TAKEOVER, REFUND_ABUSE = range(3)
_TESTED_CARDS, _STOLEN_ORDERS = (10, 25), (6, 12)  # orders of one burst, from and below
_TEST_SECONDS, _THEFT_SECONDS = (15, 90), (120, 900)  # between two of them
_DEAREST = 5  # products that a thief chooses from


@dataclass(frozen=True)
class Orders(Rows):
    """One entry an order, in order of time; -1 for none."""

    at: Ints
    customer: Ints
    buyer: Ints  # code into BUYERS
    channel: Ints
    country: Ints  # of a guest, or where a thief has it sent; else the customer's
    currency: Ints  # code into the currencies of the rates
    shipped: Ints  # as planned: it may lie after the span
    delivered: Ints
    only: Ints  # the one product in it, where it doesn't follow demand
    fraud: Ints  # code into FRAUDS


def draw_orders(
    span: Span, demand: Demand, people: People, currencies: Sequence[int], rng: Rng
) -> Orders:
    """The honest orders; `currencies` are the codes of those that the shop takes, its own first."""
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
    orders = _placed(at, customer, people, rng)
    foreign = rng.random(count) < (_FOREIGN_SHARE if len(currencies) > 1 else 0)
    others = np.array(currencies)[rng.integers(1, max(2, len(currencies)), count) * foreign]
    return replace(orders, currency=others).take(np.argsort(at, kind="stable"))


def _renewals(span: Span, people: People, code: int, rng: Rng) -> tuple[Ints, Floats]:
    """Whose orders, and how far into the span: a renewal process while a customer is active."""
    segment, members = SEGMENTS[code], np.flatnonzero(people.segment == code)
    gap = segment.gap(span)
    most = int(2.5 / gap) + 4
    gaps = rng.gamma(segment.regularity, gap / segment.regularity, (len(members), most))
    gaps[:, 0] = people.first[members]
    progress = np.cumsum(gaps, axis=1)
    row, column = np.nonzero(progress <= people.last[members][:, None])
    return members[row], progress[row, column]


def _placed(at: Ints, customer: Ints, people: People, rng: Rng) -> Orders:
    count, is_guest = len(at), customer < 0
    shipped = at + rng.integers(4 * HOUR, 60 * HOUR, count)
    return Orders(
        at=at,
        customer=customer,
        buyer=np.where(is_guest, len(SEGMENTS), people.segment[customer]),
        channel=chosen(_ORDER_CHANNEL_ODDS, count, rng),
        country=np.where(is_guest, chosen(COUNTRY_ODDS, count, rng), -1),
        currency=np.zeros(count, np.int64),
        shipped=shipped,
        delivered=shipped + rng.integers(DAY, 6 * DAY, count),
        only=np.full(count, -1),
        fraud=np.full(count, -1),
    )


def with_fraud(
    span: Span, shop: Catalogue, people: People, orders: Orders, share: float, rng: Rng
) -> Orders:
    """The orders and, for about that `share` of them, fraudulent ones of three kinds.

    Card testing: a burst of guests' orders of the cheapest product. Account takeover: a burst of
    dear products from one customer's account, sent elsewhere. Refund abuse: customers all of whose
    deliveries are paid back; these orders are there already and are marked.
    """
    if share == 0:
        return orders
    each = share * len(orders.at) / len(FRAUDS)
    victims = rng.permutation(np.flatnonzero((people.segment == LOYAL) & ~people.is_new))
    thefts = min(len(victims) // 2, max(1, round(each / np.mean(_STOLEN_ORDERS))))
    tests = max(1, round(each / np.mean(_TESTED_CARDS)))
    robbed, abusers = victims[:thefts], victims[thefts:]
    orders = _marked(orders, abusers, each)
    in_stock = (shop.launch_day < 0) & ~np.isin(np.arange(len(shop)), shop.stockouts.product)
    by_price = np.argsort(np.where(in_stock, shop.price, shop.price.max() + 1), kind="stable")
    cheapest = by_price[:1]
    dearest = by_price[: in_stock.sum()][-_DEAREST:]
    burst, at = _bursts(span, tests, _TESTED_CARDS, _TEST_SECONDS, rng)
    tested = _placed(at, np.full(len(at), -1), people, rng)
    tested.channel[:], tested.only[:], tested.fraud[:] = WEB, cheapest, CARD_TESTING
    burst, at = _bursts(span, thefts, _STOLEN_ORDERS, _THEFT_SECONDS, rng)
    stolen = _placed(at, robbed[burst], people, rng)
    stolen.country[:] = (people.country[stolen.customer] + 1) % len(COUNTRIES)
    stolen.only[:], stolen.fraud[:] = rng.choice(dearest, len(at)), TAKEOVER
    every = Orders.stacked(orders, tested, stolen)
    return every.take(np.argsort(every.at, kind="stable"))


def _marked(orders: Orders, suspects: Ints, count: float) -> Orders:
    """The orders, those of the first suspects marked as refund abuse, until they are `count`."""
    placed = np.bincount(orders.customer[orders.customer >= 0], minlength=suspects.max() + 1)
    needed = 1 + int(np.searchsorted(np.cumsum(placed[suspects]), count))
    abused = np.isin(orders.customer, suspects[:needed])
    return replace(orders, fraud=np.where(abused, REFUND_ABUSE, orders.fraud))


def _bursts(
    span: Span, count: int, sizes: tuple[int, int], seconds: tuple[int, int], rng: Rng
) -> tuple[Ints, Ints]:
    """(which burst, when) of each order of `count` bursts."""
    size = rng.integers(*sizes, count)
    burst = np.repeat(np.arange(count), size)
    start = rng.integers(span.opens + DAY, span.closes - DAY, count)
    wait = np.cumsum(rng.integers(*seconds, len(burst)))
    first = np.cumsum(size) - size
    return burst, start[burst] + wait - wait[first][burst]
