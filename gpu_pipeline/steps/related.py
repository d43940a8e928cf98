"""The step that says which products go together: in one order, or in one visit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.associations import PairCounts, both_ways, measured, ranked
from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.ordering import in_order
from gpu_pipeline.orders import LINE_COLUMNS, settled
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.store import Lake

__all__ = ["RELATED", "session_rows"]

# What contract related_products says of its rows.
_WINDOW = timedelta(days=365)
_LEAST_BASKETS = 3
_LARGEST_BASKET = 200
_TOP = 20
# What is held at a time: 24 bytes a pair, and what so many buckets add to them.
_MOST_PAIRS = 1 << 24
_BUCKETS_AT_ONCE = 8


class _Baskets(NamedTuple):
    """Where the baskets of a relation come from, and the columns that tell them apart."""

    tables: tuple[str, ...]
    by: tuple[str, ...]
    of_bucket: Callable[[Lake, int, datetime], Frame]


def _related(work: Work) -> None:
    moment = np.datetime64(work.as_of, "us")
    found = [
        _related_by(work, relation, baskets).assign(relation=relation, as_of=moment)
        for relation, baskets in _RELATIONS.items()
        if all(work.has(table) for table in baskets.tables)
    ]
    table = work.lake.backend.frames.concat([work.empty("related_products"), *found])
    work.replace("related_products", work.lake.backend.cast(table, contract("related_products")))


def _related_by(work: Work, relation: str, baskets: _Baskets) -> Frame:
    """The first related ones of each product, of as many pairs at a time as memory is given to."""
    backend = work.lake.backend
    table, low, done = work.empty("related_products").head(0), None, False
    while not done:
        counts, high = _counted(work, baskets, low)
        pairs = measured(counts.at_least(_LEAST_BASKETS), item="product_id", backend=backend)
        pairs = both_ways(pairs[pairs["lift"] > 1].reset_index(drop=True))
        table = backend.frames.concat([table[list(pairs.columns)], pairs], ignore_index=True)
        table = ranked(table, top=_TOP)
        low, done = high, high is None
        work.facts[relation] = {"baskets": counts.count, "too_large": counts.left_out}
    work.facts[relation] |= {"products": int(table["product_id"].nunique())}
    return table


def _counted(work: Work, baskets: _Baskets, low: str | None) -> tuple[PairCounts, str | None]:
    """(the pairs whose first product is `low` or behind it, the product up to which, if not all).

    A basket lies in one bucket: the counts of all buckets only have to be added.
    """
    backend, high = work.lake.backend, None
    held: list[PairCounts] = []
    for first in range(0, work.lake.buckets, _BUCKETS_AT_ONCE):
        some = range(first, min(first + _BUCKETS_AT_ONCE, work.lake.buckets))
        found = compute(
            *(delayed(_of_bucket)(work.lake, baskets, b, work.as_of, low, high) for b in some)
        )
        total = PairCounts.sum([*held, *found], backend)
        while len(total.first) > _MOST_PAIRS and (middle := total.middle(backend)) != low:
            high = middle
            total = total.between(low, high, backend)
        held = [total]
    return held[0], high


def _of_bucket(
    lake: Lake, baskets: _Baskets, bucket: int, as_of: datetime, low: str | None, high: str | None
) -> PairCounts:
    """Other buckets are worked on at the same time: this one keeps to its thread."""
    counts = PairCounts.of(
        baskets.of_bucket(lake, bucket, as_of),
        basket=baskets.by,
        item="product_id",
        largest_basket=_LARGEST_BASKET,
        threads=1,
    )
    return counts.between(low, high, lake.backend)


def _bought(lake: Lake, bucket: int, as_of: datetime) -> Frame:
    """The products of each order, errors of entry left out."""
    within = [("ordered_at", ">=", as_of - _WINDOW), ("ordered_at", "<=", as_of)]
    lines = settled(lake.read_bucket("orders", bucket, within, LINE_COLUMNS), lake.backend)
    return lines[lines["line_type"] == "sale"].reset_index(drop=True)


def _viewed(lake: Lake, bucket: int, as_of: datetime) -> Frame:
    """The products that people looked at, with the session in which they did."""
    within = [("occurred_at", ">=", as_of - _WINDOW), ("occurred_at", "<=", as_of)]
    of_views = [*within, ("event_type", "==", "view")]
    views = lake.read_bucket(
        "clickstream", bucket, of_views, ["customer_key", "occurred_at", "product_id"]
    )
    views = views[views["product_id"].notna()].reset_index(drop=True)
    begun = [("started_at", ">=", as_of - _WINDOW), ("started_at", "<=", as_of)]
    columns = ["customer_key", "started_at", "ended_at", "session_id", "excluded_for"]
    sessions = lake.read_bucket("sessions", bucket, begun, columns)
    row = session_rows(views, sessions, lake.backend)
    views = views[["product_id"]].take(lake.backend.xp.flatnonzero(row >= 0))
    sessions = sessions.take(row[row >= 0]).reset_index(drop=True)
    views = views.reset_index(drop=True).assign(session_id=sessions["session_id"])
    return views[sessions["excluded_for"].isna()].reset_index(drop=True)


def session_rows(events: Frame, sessions: Frame, backend: Backend) -> Array:
    """The row of the session that each event lies in; -1 where it lies in none.

    Events have customer_key and occurred_at, sessions customer_key, started_at and ended_at;
    those of a customer don't overlap. Both are of the same customers, in any order.
    """
    xp, known = backend.xp, len(sessions)
    if not known:
        return xp.full(len(events), -1)
    customer, time = (
        xp.concatenate([backend.as_bits(sessions[a]), backend.as_bits(events[b])])
        for a, b in (("customer_key", "customer_key"), ("started_at", "occurred_at"))
    )
    # Stable: a session comes before the events of the moment in which it begins.
    order = in_order(customer, time, backend)
    is_session = order < known
    latest = xp.cumsum(is_session) - 1
    session = order[is_session][xp.maximum(latest, 0)]
    lies_in = (latest >= 0) & (customer[session] == customer[order])
    lies_in &= time[order] <= backend.as_bits(sessions["ended_at"])[session]
    rows = xp.full(len(order), -1)
    rows[order] = xp.where(lies_in, session, -1)
    return rows[known:]


_RELATIONS = {
    "co_buy": _Baskets(("orders",), ("customer_key", "order_id"), _bought),
    "co_view": _Baskets(("clickstream", "sessions"), ("session_id",), _viewed),
}
RELATED = Step(
    name="related",
    reads=("orders", "clickstream", "sessions"),
    writes=("related_products",),
    run=_related,
)
