"""What people say: reviews, survey answers, posts and support cases, each with its mood."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpu_pipeline.synthetic.columns import (
    DAY,
    HOUR,
    Floats,
    Ints,
    Rng,
    chosen,
    drawn,
    integers,
    labels,
    moments,
    positions,
    seconds_of_day,
)
from gpu_pipeline.synthetic.identifiers import SHARE, Planted, spoken, with_identifiers
from gpu_pipeline.synthetic.phrases import (
    AGENT_REPLIES,
    ANIMALS,
    ANSWER_OPENINGS,
    ASPECTS,
    CASE_ENDINGS,
    CASE_OPENINGS,
    CASE_REPLIES,
    COMPLAINT_TOPICS,
    HANDLES,
    POST_ENDINGS,
    POST_OPENINGS,
    REVIEW_ENDINGS,
    REVIEW_OPENINGS,
    TOPICS,
)
from gpu_pipeline.synthetic.shifts import BURST
from gpu_pipeline.synthetic.shop import CATEGORIES, SERVICE
from gpu_pipeline.synthetic.world import World

MOODS = ("negative", "neutral", "positive")
_NEGATIVE, _NEUTRAL, _POSITIVE = range(3)
_NEUTRAL_SHARE = 0.18
_GENERAL_LEVEL = 0.6  # positive among positive and negative texts about no product
_ANY_PRODUCT = "gadget"  # what a text is about that names none
_RATINGS = ((1, 2), (3, 3), (4, 5))  # by mood, from and to
_SCORES = ((0, 6), (7, 8), (9, 10))
_NETWORKS = ("x", "instagram", "reddit", "youtube")
_ANSWER_CHANNELS = ("email", "app", "web")
_CASE_CHANNELS = ("email", "chat", "phone")
_CASE_STATUSES = ("open", "resolved")
_TOPIC_ODDS = (0.30, 0.15, 0.15, 0.12, 0.18, 0.10)
_ASPECT_WIDTH = max(len(one.aspects) for one in CATEGORIES)


@dataclass(frozen=True)
class Voice:
    """A source of texts: its table, and per row its id, its mood, when it is known to the source,
    and the identifier planted in it.
    """

    table: pa.Table
    ids: pa.Array
    mood: Ints
    at: Ints
    planted: Planted


def review_voice(world: World, rng: Rng) -> Voice:
    """Written within 20 days of delivery, for every tenth line of a product."""
    span, orders, sales = world.span, world.orders, world.sales
    created_at = orders.delivered[sales.order] + rng.integers(DAY, 20 * DAY, len(sales.order))
    shifts = world.shop.shifts
    odds = 0.1 * np.where(shifts.at(sales.product, created_at) >= 0, BURST, 1)
    written = (rng.random(len(odds)) < odds) & (created_at < span.closes) & ~sales.cancelled
    row = np.flatnonzero(written)
    row = row[np.argsort(created_at[row], kind="stable")]
    created_at, product = created_at[row], sales.product[row]
    mood = _moods(world, product, created_at, rng)
    text = (
        _said(REVIEW_OPENINGS, mood, rng, about=_about(world, product)),
        _on_aspects(world, product, created_at, mood, rng),
        _maybe(_said(REVIEW_ENDINGS, mood, rng), 0.6, rng),
    )
    texts, planted = with_identifiers(text, rng)
    ids = world.ids("R", np.arange(len(row)), 7)
    table = pa.table(
        {
            "customer_id": world.people.ids(orders.customer[sales.order[row]]),
            "author": _handles(len(row), rng),
            "review_id": ids,
            "created_at": moments(created_at),
            "product_id": labels(world.shop.ids, product),
            "rating": integers(_within(_RATINGS, mood, rng)),
            "text": texts,
            "language": _english(len(row)),
        }
    )
    return Voice(table, ids, mood, created_at, planted)


def feedback_voice(world: World, rng: Rng) -> Voice:
    """Answers to a survey some days after an order; four in ten are about no product."""
    span, orders = world.span, world.orders
    created_at = orders.at + rng.integers(2 * DAY, 9 * DAY, len(orders.at))
    order = np.flatnonzero((rng.random(len(created_at)) < 0.08) & (created_at < span.closes))
    order = order[np.argsort(created_at[order], kind="stable")]
    created_at = created_at[order]
    product = np.where(rng.random(len(order)) < 0.6, _first_product(world, order), -1)
    mood = _moods(world, product, created_at, rng)
    text = (
        _said(ANSWER_OPENINGS, mood, rng, about=_about(world, product)),
        _on_aspects(world, product, created_at, mood, rng),
    )
    texts, planted = with_identifiers(text, rng)
    ids = world.ids("F", np.arange(len(order)), 7)
    table = pa.table(
        {
            "customer_id": world.people.ids(orders.customer[order]),
            "feedback_id": ids,
            "created_at": moments(created_at),
            "product_id": labels(world.shop.ids, product),
            "score": integers(_within(_SCORES, mood, rng)),
            "channel": labels(_ANSWER_CHANNELS, rng.integers(3, size=len(order))),
            "text": texts,
            "language": _english(len(order)),
        }
    )
    return Voice(table, ids, mood, created_at, planted)


def social_voice(world: World, rng: Rng) -> Voice:
    """Posts of anybody, one for ten orders; of every fifth author the customer is known."""
    span, shop = world.span, world.shop
    count = max(1, len(world.orders.at) // 10)
    day = np.sort(world.demand.days(rng.random(count)))
    created_at = np.sort(span.opens + day * DAY + seconds_of_day(count, rng))
    odds = world.demand.weight * np.where(_shifted_days(world) >= 0, BURST, 1)
    product = np.where(rng.random(count) < 0.15, -1, drawn(odds, span.day_of(created_at), rng))
    mood = _moods(world, product, created_at, rng)
    text = (
        _said(POST_OPENINGS, mood, rng, about=_about(world, product)),
        _maybe(_on_aspects(world, product, created_at, mood, rng), 0.8, rng),
        _maybe(_said(POST_ENDINGS, mood, rng), 0.6, rng),
    )
    texts, planted = with_identifiers(text, rng)
    ids = world.ids("S", np.arange(count), 7)
    member = rng.integers(len(world.people), size=count)
    is_known = (rng.random(count) < 0.2) & (world.accounts.signed_up[member] < created_at)
    table = pa.table(
        {
            "customer_id": world.people.ids(np.where(is_known, member, -1)),
            "author": _handles(count, rng),
            "post_id": ids,
            "created_at": moments(created_at),
            "product_id": labels(shop.ids, product),
            "channel": labels(_NETWORKS, chosen((0.45, 0.25, 0.2, 0.1), count, rng)),
            "reach": integers(np.floor(rng.lognormal(5, 1.5, count)).astype(np.int64)),
            "text": texts,
            "language": _english(count),
        }
    )
    return Voice(table, ids, mood, created_at, planted)


@dataclass(frozen=True)
class Cases:
    """One entry a support case, and how many messages it has within the span."""

    line: Ints  # of the sales
    topic: Ints
    opened: Ints
    resolved: Ints  # -1 while it is open
    messages: Ints
    planned: Ints  # messages when it is resolved


def support_voice(world: World, rng: Rng) -> Voice:
    """Cases about lines sold, most of them for products that are often returned.

    Customer and agent write in turn, the customer first; who is satisfied says so at the end.
    """
    cases, sent_at = _cases(world, rng)
    case = np.repeat(np.arange(len(cases.line)), cases.messages)
    position = positions(cases.messages)
    row = np.argsort(sent_at, kind="stable")
    case, position, sent_at = case[row], position[row], sent_at[row]
    line = cases.line[case]
    product, order = world.sales.product[line], world.sales.order[line]
    mood, message = _conversation(cases, case, position, _about(world, product), rng)
    share = np.where(position % 2 == 0, SHARE, 0.0)
    texts, planted = with_identifiers((message,), rng, share=share)
    ids = world.ids("M", np.arange(len(case)), 7)
    table = pa.table(
        {
            "customer_id": world.people.ids(world.orders.customer[order]),
            "case_id": world.ids("K", case, 7),
            "message_id": ids,
            "product_id": labels(world.shop.ids, product),
            "order_id": world.order_ids(order),
            "opened_at": moments(cases.opened[case]),
            "sent_at": moments(sent_at),
            "resolved_at": moments(cases.resolved[case]),
            "status": labels(_CASE_STATUSES, (cases.resolved[case] >= 0).astype(np.int64)),
            "channel": labels(_CASE_CHANNELS, rng.integers(3, size=len(cases.line))[case]),
            "topic": labels(TOPICS, cases.topic[case]),
            "text": texts,
            "language": _english(len(case)),
        }
    )
    # A case is exported whole: once it is closed, else as it is at the end.
    resolved = cases.resolved[case]
    known_at = np.where(resolved < 0, world.span.closes - 1, resolved)
    return Voice(table, ids, mood, known_at, planted)


def _cases(world: World, rng: Rng) -> tuple[Cases, Ints]:
    """The cases by opening, and when each of their messages was sent."""
    span, sales = world.span, world.sales
    closes, troubles = span.closes, world.shop.return_rate[sales.product]
    opened = world.orders.at[sales.order] + rng.integers(DAY, 12 * DAY, len(sales.order))
    line = np.flatnonzero((rng.random(len(opened)) < 0.01 + 0.35 * troubles) & (opened < closes))
    line = line[np.argsort(opened[line], kind="stable")]
    opened, troubled = opened[line], rng.random(len(line)) < 3 * troubles[line]
    topic = np.where(troubled, TOPICS.index("defect"), chosen(_TOPIC_ODDS, len(line), rng))
    planned = 2 + np.minimum(rng.poisson(1.4, len(line)), 5)
    case = np.repeat(np.arange(len(line)), planned)
    wait = rng.integers(HOUR // 3, 20 * HOUR, len(case))
    wait[positions(planned) == 0] = 0
    waited = np.cumsum(wait)
    last = np.cumsum(planned) - 1
    sent_at = opened[case] + waited - waited[last - planned + 1][case]
    resolved = sent_at[last] + rng.integers(60, 2 * HOUR, len(line))
    within = sent_at < closes
    return Cases(
        line,
        topic,
        opened,
        np.where(resolved < closes, resolved, -1),
        np.bincount(case[within], minlength=len(line)),
        planned,
    ), sent_at[within]


def _conversation(
    cases: Cases, case: Ints, position: Ints, about: pa.Array, rng: Rng
) -> tuple[Ints, pa.Array]:
    """The mood and the text of each message."""
    topic, count = cases.topic[case], len(case)
    by_agent = position % 2 == 1
    ends = ~by_agent & (position == cases.planned[case] - 1)
    complains = topic < COMPLAINT_TOPICS
    insists = (rng.random(count) < 0.7) & complains
    mood = np.where(position == 0, np.where(complains, _NEGATIVE, _NEUTRAL), _NEUTRAL)
    mood = np.where(~by_agent & (position > 0) & insists, _NEGATIVE, mood)
    mood = np.where(ends, chosen((0.2, 0.15, 0.65), count, rng), mood)
    text = pc.if_else(
        pa.array(position == 0),
        _said(CASE_OPENINGS, topic, rng, about=about),
        _said(CASE_REPLIES, np.minimum(mood, 1), rng),
    )
    text = pc.if_else(pa.array(ends), _said(CASE_ENDINGS, mood, rng), text)
    return mood, pc.if_else(pa.array(by_agent), _said(AGENT_REPLIES, topic, rng), text)


def _moods(world: World, product: Ints, at: Ints, rng: Rng) -> Ints:
    level: Floats = np.where(product < 0, _GENERAL_LEVEL, world.shop.level[product])
    shifts = world.shop.shifts
    shift = shifts.at(product, at)
    level = np.where(shift >= 0, shifts.level[shift], level)
    draw = rng.random(len(product))
    negative = draw < (1 - level) * (1 - _NEUTRAL_SHARE)
    mood = np.where(draw < 1 - level * (1 - _NEUTRAL_SHARE), _NEUTRAL, _POSITIVE)
    return np.where(negative, _NEGATIVE, mood)


def _shifted_days(world: World) -> Ints:
    """Which shift is on, (days, products)."""
    days, products = world.demand.weight.shape
    day, product = np.arange(days)[:, None], np.arange(products)[None, :]
    noon = world.span.opens + day * DAY + DAY // 2
    return world.shop.shifts.at(product, noon)


def _about(world: World, product: Ints) -> pa.Array:
    """How a text calls the product."""
    return pc.fill_null(labels(world.shop.models, product), _ANY_PRODUCT)


def _first_product(world: World, order: Ints) -> Ints:
    lines = world.lines_of_orders()
    return world.sales.product[(np.cumsum(lines) - lines)[order]]


def _on_aspects(world: World, product: Ints, at: Ints, mood: Ints, rng: Rng) -> pa.Array:
    """One sentence on an aspect that such a product has, or two."""
    names = list(ASPECTS)
    by_category = [[names.index(aspect) for aspect in one.aspects] for one in CATEGORIES]
    service = [names.index(aspect) for aspect in SERVICE]
    # Each row is filled up with its own aspects; the last one is for no product.
    table = np.array([np.resize(row, _ASPECT_WIDTH) for row in (*by_category, service)])
    category = np.where(product < 0, len(CATEGORIES), world.shop.category[product])
    place = rng.integers(_ASPECT_WIDTH, size=len(product))
    first, second = table[category, place], table[category, (place + 1) % _ASPECT_WIDTH]
    shifts = world.shop.shifts
    shift = shifts.at(product, at)
    told = np.where(shift >= 0, shifts.aspect[shift], first)
    first, second = told, np.where(second == told, first, second)
    sentences = [pool for aspect in ASPECTS.values() for pool in aspect]
    return spoken(
        _said(sentences, first * len(MOODS) + mood, rng),
        _maybe(_said(sentences, second * len(MOODS) + mood, rng), 0.6, rng),
    )


def _said(
    pools: Sequence[Sequence[str]], code: Ints, rng: Rng, *, about: pa.Array | None = None
) -> pa.Array:
    """A phrase of the pool that each code names, `about` put in where it has a {}."""
    sizes = np.array([len(pool) for pool in pools])
    first = (np.cumsum(sizes) - sizes)[code]
    pick = first + (rng.random(len(code)) * sizes[code]).astype(np.int64)
    parts = [phrase.partition("{}") for pool in pools for phrase in pool]
    before, after = (labels([part[end] for part in parts], pick) for end in (0, 2))
    return before if about is None else pc.binary_join_element_wise(before, about, after, "")


def _maybe(texts: pa.Array, share: float | Floats, rng: Rng) -> pa.Array:
    """That share of the texts; null for the others."""
    return pc.if_else(pa.array(rng.random(len(texts)) < share), texts, None)


def _within(limits: Sequence[tuple[int, int]], mood: Ints, rng: Rng) -> Ints:
    low, high = np.array(limits)[mood].T
    return rng.integers(low, high, endpoint=True)


def _english(count: int) -> pa.Array:
    return labels(["en"], np.zeros(count, np.int64))


def _handles(count: int, rng: Rng) -> pa.Array:
    """Names such as pixel_otter42."""
    return pc.binary_join_element_wise(
        labels(HANDLES, rng.integers(len(HANDLES), size=count)),
        "_",
        labels(ANIMALS, rng.integers(len(ANIMALS), size=count)),
        integers(rng.integers(1_000, size=count)),
        "",
    )
