"""The tables `sessions` and `open_sessions`, from buckets of the table `clickstream`."""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.orders import one_currency
from gpu_pipeline.sessions.advancing import OpenSessions, open_events
from gpu_pipeline.sessions.events import COUNTED, Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessions_of

__all__ = ["CLICK_COLUMNS", "PaidClicks", "click_sessions", "paid_clicks"]

CLICK_COLUMNS = Columns(
    event="event_type",
    product="product_id",
    entry=("channel", "device"),
    price="price",
    currency="currency",
    kept=("key_kind", "event_id"),
)
_PLACE = "__place"
# What exchange rates are asked about is a line of an order.
_AS_LINES = {"price": "unit_price", "occurred_at": "ordered_at"}


class PaidClicks(NamedTuple):
    """Clicks with what was paid, in one currency, and what of it is not known.

    Of events other than purchases, and of purchases whose amount is not known, the price is 0 and
    the currency null. `without_currency` and `without_rate` count such purchases with a price.
    """

    clicks: Frame
    currency: str | None
    without_currency: int
    without_rate: int


def paid_clicks(clicks: Frame, rates: ExchangeRates | None, backend: Backend) -> PaidClicks:
    """The clicks in the reporting currency of the `rates`, or in the only one that occurs.

    Raises:
        PipelineError: without rates, purchases are paid in several currencies.
    """
    xp = backend.xp
    is_bought = clicks["event_type"] == COUNTED["purchases"]
    is_told = is_bought & clicks["currency"].notna()
    places = xp.flatnonzero(xp.asarray(is_told.values))
    lines = clicks[["occurred_at", "price", "currency"]].take(places).rename(columns=_AS_LINES)
    lines = lines.assign(**{_PLACE: places}).reset_index(drop=True)
    if rates is None:
        one_currency(lines, backend, what="Purchases")
        known, unknown = lines, lines.iloc[:0]
    else:
        known, unknown = in_reporting_currency(lines, rates, backend)
    found = backend.to_pandas(known[["currency"]].head(1))["currency"].tolist()
    price = xp.zeros(len(clicks), dtype="int64")
    price[backend.as_bits(known[_PLACE])] = backend.as_bits(known["unit_price"])
    paid = clicks.assign(
        price=backend.frames.Series(price, index=clicks.index),
        currency=_where_known(clicks, known, found, backend),
    )
    without = int((is_bought & clicks["currency"].isna() & (clicks["price"] > 0)).sum())
    return PaidClicks(paid, found[0] if found else None, without, len(unknown))


def click_sessions(
    clicks: Frame, as_of: datetime, rule: SessionRule, backend: Backend
) -> tuple[Frame, Frame]:
    """(the rows of contract `sessions`, those of `open_sessions`) for clicks until `as_of`.

    `clicks` are all events of whole customers, in the columns of CLICK_COLUMNS, as `paid_clicks`
    gives them. The second are the events of sessions that may yet grow; as they are by now, they
    are among the first. Other buckets are worked on at the same time: this one keeps to its thread.
    """
    found = sessions_of(clicks, CLICK_COLUMNS, rule, backend, threads=1)
    state = OpenSessions(
        columns=CLICK_COLUMNS, rule=rule, events=clicks, seen_until=np.datetime64(as_of, "us")
    )
    opened = open_events(found, state)
    return (
        backend.cast(found, contract("sessions")),
        backend.cast(opened, contract("open_sessions")),
    )


def _where_known(clicks: Frame, known: Frame, found: list[str], backend: Backend) -> Series:
    """The currency, of the `known` lines alone."""
    names = backend.frames.Series([*found, None], dtype="str")
    codes = backend.xp.full(len(clicks), len(found))
    codes[backend.as_bits(known[_PLACE])] = 0
    column: Series = names.take(codes)
    column.index = clicks.index
    return column
