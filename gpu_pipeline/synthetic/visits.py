"""The clickstream: visits that lead to the orders placed online, and visits that don't."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Ints,
    Rng,
    Rows,
    chosen,
    drawn,
    labels,
    moments,
    numbered,
    positions,
    seconds_of_day,
)
from gpu_pipeline.synthetic.trade import APP, WEB, World, customer_ids

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


def clickstream_table(world: World, rng: Rng) -> pa.Table:
    """Events in order of time; an order placed online ends its visit, with a purchase a line."""
    buying = _buying(world, rng)
    visits = Visits.stacked(buying, _browsing(world, len(buying.at), rng))
    counts = _stage_counts(world, visits, rng)
    stage = np.repeat(np.tile(np.arange(len(_STAGES)), len(counts)), counts.ravel())
    visit = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    events = Events(visit, stage, positions(counts.ravel()), _STAGES[stage])
    occurred_at = _times(visits, events, counts.sum(axis=1), rng)
    product = _products(world, visits, events, occurred_at, rng)
    row = np.argsort(occurred_at, kind="stable")
    visit = visit[row]
    return pa.table(
        {
            "customer_id": customer_ids(visits.customer[visit]),
            # An odd factor permutes the 32-bit numbers: a cookie doesn't tell whose it is.
            "visitor_id": numbered("V", visits.cookie[visit] * 2_654_435_761 % 2**32, 10),
            "event_id": numbered("E", np.arange(len(row)), 9),
            "occurred_at": moments(occurred_at[row]),
            "event_type": labels(_EVENT_TYPES, events.type[row]),
            "product_id": labels(world.shop.ids, product[row]),
            "channel": labels(_VISIT_CHANNELS, visits.channel[visit]),
            "device": labels(_DEVICES, visits.device[visit]),
        }
    )


def _buying(world: World, rng: Rng) -> Visits:
    orders = world.orders
    order = np.flatnonzero((orders.channel == WEB) | (orders.channel == APP))
    customer, by_app = orders.customer[order], orders.channel[order] == APP
    return Visits(
        order,
        orders.at[order],
        customer,
        np.where(customer < 0, len(world.people) + order, customer),
        chosen(_VISIT_CHANNEL_ODDS, len(order), rng),
        np.where(by_app, 0, chosen(_ON_A_DESK_ODDS, len(order), rng)),
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
    logged_in = (rng.random(len(order)) > 1 / 7) & (at >= world.signed_up[customer])
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


def _products(world: World, visits: Visits, events: Events, occurred_at: Ints, rng: Rng) -> Ints:
    product = drawn(world.demand.weight, world.span.day_of(occurred_at), rng)
    # What is bought is viewed, put into the cart and paid, line by line.
    lines, order = world.lines_of_orders(), visits.order[events.visit]
    line = (np.cumsum(lines) - lines)[order] + events.position
    bought = (order >= 0) & (events.stage >= _LAST_VIEWS) & (events.position < lines[order])
    product[bought] = world.sales.product[line[bought]]
    # Who only browses takes what was seen last, and may put that back.
    for taken, seen in ((_CART, _VIEW), (_REMOVE, _CART)):
        row = np.flatnonzero((events.type == taken) & (order < 0))
        row = row[events.type[row - 1] == seen]
        product[row] = product[row - 1]
    product[(events.type == _SEARCH) | (events.type == _CHECKOUT)] = -1
    return product
