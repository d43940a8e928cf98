"""The clickstream: visits that lead to the orders placed online, visits that don't, and bots."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpu_pipeline.synthetic.bots import Bots, draw_bots
from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Ints,
    Rng,
    Rows,
    amounts,
    chosen,
    drawn,
    labels,
    moments,
    numbered,
    positions,
    seconds_of_day,
)
from gpu_pipeline.synthetic.orders import APP, WEB
from gpu_pipeline.synthetic.world import World

_EVENT_TYPES = ("search", "view", "cart", "remove", "checkout", "purchase")
_SEARCH, _VIEW, _CART, _REMOVE, _CHECKOUT, _PURCHASE = range(6)
# A visit goes through these, each as often as _stage_counts says.
_STAGES = np.array([_SEARCH, _VIEW, _SEARCH, _VIEW, _CART, _REMOVE, _CHECKOUT, _PURCHASE])
_LAST_VIEWS = 3
_BROWSING = 2.0  # visits without an order, for one with
_VISIT_CHANNELS = ("direct", "organic", "paid", "email", "social")
_VISIT_CHANNEL_ODDS = (0.30, 0.28, 0.18, 0.14, 0.10)
_DEVICES = ("mobile", "desktop", "tablet")
_DEVICE_ODDS = (0.58, 0.33, 0.09)
_ON_A_DESK_ODDS = (0.30, 0.58, 0.12)
_DIRECT, _DESKTOP = 0, 1  # how bots come
_COOKIES_PER_CELL = 2**20
_COOKIES = 2**40


@dataclass(frozen=True)
class Visits(Rows):
    """One entry a visit; `at` is its end where it led to an order, else its start."""

    order: Ints
    at: Ints
    customer: Ints
    cookie: Ints
    channel: Ints
    device: Ints


@dataclass(frozen=True)
class Events(Rows):
    """One entry an event, visit by visit."""

    visit: Ints
    stage: Ints
    position: Ints  # within its stage
    type: Ints


@dataclass(frozen=True)
class Clickstream:
    """The table in order of time, the time of each event, and the bots among the visitors."""

    table: pa.Table
    at: Ints
    bots: Bots
    bot_ids: pa.Array
    bot_events: Ints


def clickstream(world: World, bot_share: float, rng: Rng) -> Clickstream:
    """An order placed online ends its visit, with a purchase a line; bots make that share of it."""
    buying = _buying(world, rng)
    visits = Visits.stacked(buying, _browsing(world, len(buying.at), rng))
    counts = _stage_counts(world, visits, rng)
    stage = np.repeat(np.tile(np.arange(len(_STAGES)), len(counts)), counts.ravel())
    visit = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    events = Events(visit, stage, positions(counts.ravel()), _STAGES[stage])
    at = _times(visits, events, counts.sum(axis=1), rng)
    line = _lines_bought(world, visits, events)
    product = _products(world, visits, events, at, line, rng)

    bots, clicks = draw_bots(world, round(bot_share * len(at)), rng)
    count = len(bots.kind)
    nothing = np.full(count, -1)
    machines = Visits(
        order=nothing,
        at=bots.starts,
        customer=nothing,
        cookie=_COOKIES_PER_CELL - 1 - np.arange(count),
        channel=np.full(count, _DIRECT),
        device=np.full(count, _DESKTOP),
    )
    visit = np.concatenate([visit, len(visits.at) + clicks.bot])
    kind = np.concatenate([events.type, np.full(len(clicks.at), _VIEW)])
    product, at = np.concatenate([product, clicks.product]), np.concatenate([at, clicks.at])
    paid = np.concatenate(
        [np.where(events.type == _PURCHASE, line, -1), np.full(len(clicks.at), -1)]
    )
    row = np.argsort(at, kind="stable")
    table = _table(
        world, Visits.stacked(visits, machines), visit[row], at[row], kind[row], product[row]
    )
    for name, column in _payments(world, paid[row]).items():
        table = table.append_column(name, column)
    events_of_bots = np.bincount(clicks.bot, minlength=count)
    ids = _visitor_ids(world, machines.cookie)
    return Clickstream(table, at[row], bots, ids, events_of_bots)


def _table(
    world: World, visits: Visits, visit: Ints, at: Ints, kind: Ints, product: Ints
) -> pa.Table:
    return pa.table(
        {
            "customer_id": world.people.ids(visits.customer).take(pa.array(visit)),
            "visitor_id": _visitor_ids(world, visits.cookie).take(pa.array(visit)),
            "event_id": world.ids("E", np.arange(len(visit)), 9),
            "occurred_at": moments(at),
            "event_type": labels(_EVENT_TYPES, kind),
            "product_id": labels(world.shop.ids, product),
            "channel": labels(_VISIT_CHANNELS, visits.channel[visit]),
            "device": labels(_DEVICES, visits.device[visit]),
        }
    )


def _payments(world: World, line: Ints) -> dict[str, pa.Array]:
    """What was paid for each line ordered, and in what; null where the line is -1."""
    sales, rates = world.sales, world.market.rates
    currency = world.orders.currency[sales.order]
    paid = amounts(sales.price * sales.quantity - sales.discount, rates.digits(currency))
    place = pa.array(line, mask=line < 0)
    return {
        "price": pc.take(paid, place),
        "currency": pc.take(labels(rates.currencies, currency), place),
    }


def _visitor_ids(world: World, cookie: Ints) -> pa.Array:
    # An odd factor permutes the 40-bit numbers: a cookie doesn't tell whose it is.
    number = (world.cell * _COOKIES_PER_CELL + cookie) * 2_654_435_761 % _COOKIES
    return numbered("V", number, 13)


def _buying(world: World, rng: Rng) -> Visits:
    orders = world.orders
    order = np.flatnonzero((orders.channel == WEB) | (orders.channel == APP))
    customer, by_app = orders.customer[order], orders.channel[order] == APP
    return Visits(
        order=order,
        at=orders.at[order],
        customer=customer,
        cookie=np.where(customer < 0, len(world.people) + order, customer),
        channel=chosen(_VISIT_CHANNEL_ODDS, len(order), rng),
        device=np.where(by_app, 0, chosen(_ON_A_DESK_ODDS, len(order), rng)),
    )


def _browsing(world: World, buying: int, rng: Rng) -> Visits:
    """Half by strangers, half by customers in the days before an order of theirs.

    One in seven of these is not logged in, nor is any before signing up: only the cookie tells.
    """
    span, orders, people = world.span, world.orders, world.people
    count = round(_BROWSING * buying)
    strangers = count // 2
    order = rng.choice(np.flatnonzero(orders.customer >= 0), count - strangers)
    customer = orders.customer[order]
    at = orders.at[order] - rng.integers(0, 12, len(order)) * DAY
    at += rng.integers(-3 * HOUR, 3 * HOUR, len(order))
    at = np.where(at < span.opens, 2 * span.opens - at, at)
    logged_in = (rng.random(len(order)) > 1 / 7) & (at >= world.accounts.signed_up[customer])
    day = world.demand.days(rng.random(strangers))
    at = np.concatenate([at, span.opens + day * DAY + seconds_of_day(strangers, rng)])
    first_cookie = len(people) + len(orders.at)
    return Visits(
        np.full(count, -1),
        np.minimum(at, span.closes - 3 * HOUR),
        np.concatenate([np.where(logged_in, customer, -1), np.full(strangers, -1)]),
        np.concatenate([customer, first_cookie + rng.integers(0, strangers, strangers)]),
        chosen(_VISIT_CHANNEL_ODDS, count, rng),
        chosen(_DEVICE_ODDS, count, rng),
    )


def _stage_counts(world: World, visits: Visits, rng: Rng) -> Ints:
    """Events of each visit in each stage, (visits, stages): about nine a visit."""
    count, buys = len(visits.at), visits.order >= 0
    basket = np.where(buys, world.lines_of_orders()[visits.order], 0)
    carts = ~buys & (rng.random(count) < 0.28)
    removes = carts & (rng.random(count) < 0.3)
    leaves_late = carts & ~removes & (rng.random(count) < 0.35)
    columns = (
        rng.random(count) < np.where(buys, 0.5, 0.6),
        np.where(buys, rng.poisson(1.8, count), 1 + rng.poisson(3.4, count)),
        rng.random(count) < np.where(buys, 0.25, 0.4),
        np.where(buys, basket + rng.poisson(0.9, count), rng.poisson(3.0, count)),
        basket + carts,
        removes,
        buys | leaves_late,
        basket,
    )
    return np.stack(columns, axis=1).astype(np.int64)


def _times(visits: Visits, events: Events, sizes: Ints, rng: Rng) -> Ints:
    """A visit's events follow one another within minutes; all its purchases are one moment."""
    gap = np.clip(rng.gamma(1.5, 30, len(events.visit)).astype(np.int64), 3, 400)
    gap[(events.type == _PURCHASE) & (events.position > 0)] = 0
    elapsed = np.cumsum(gap)
    last = np.cumsum(sizes) - 1
    anchor = np.where(visits.order >= 0, elapsed[last], elapsed[last - sizes + 1])
    return (visits.at - anchor)[events.visit] + elapsed


def _lines_bought(world: World, visits: Visits, events: Events) -> Ints:
    """The line that each event is about; -1 for none. Lines are viewed, put into the cart, paid."""
    lines, order = world.lines_of_orders(), visits.order[events.visit]
    line = (np.cumsum(lines) - lines)[order] + events.position
    bought = (order >= 0) & (events.stage >= _LAST_VIEWS) & (events.position < lines[order])
    return np.where(bought, line, -1)


def _products(
    world: World, visits: Visits, events: Events, occurred_at: Ints, line: Ints, rng: Rng
) -> Ints:
    product = drawn(world.demand.weight, world.span.day_of(occurred_at), rng)
    product[line >= 0] = world.sales.product[line[line >= 0]]
    order = visits.order[events.visit]
    # Who only browses takes what was seen last, and may put that back.
    for taken, seen in ((_CART, _VIEW), (_REMOVE, _CART)):
        row = np.flatnonzero((events.type == taken) & (order < 0))
        row = row[events.type[row - 1] == seen]
        product[row] = product[row - 1]
    product[(events.type == _SEARCH) | (events.type == _CHECKOUT)] = -1
    return product
