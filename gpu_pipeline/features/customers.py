"""Customer features as of a moment, one row a customer."""

from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features.buying import measures, rhythm, spending
from gpu_pipeline.features.contacts import contacts
from gpu_pipeline.features.mixing import category_mix
from gpu_pipeline.features.mood import moods
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.features.rfm import MEASURES, SCORES
from gpu_pipeline.features.visiting import visits

__all__ = ["FEATURE_COLUMNS", "customer_features", "customer_measures"]

# Scores compare customers with each other: they are no feature of one alone.
FEATURE_COLUMNS = tuple(name for name in contract("customer_features").names if name not in SCORES)


def customer_features(
    lines: Frame,
    as_of: datetime,
    backend: Backend,
    *,
    rates: ExchangeRates | None = None,
    products: Frame | None = None,
    sessions: Frame | None = None,
    texts: Frame | None = None,
    messages: Frame | None = None,
) -> Frame:
    """`FEATURE_COLUMNS` of contract `customer_features` for every customer with a sale by `as_of`.

    `lines` are order lines (`orders.LINE_COLUMNS`) of whole customers; guests are left out, and
    so is everything after `as_of` (UTC, without zone). Revenue is what was sold less discounts
    and returns, in minor units. Rows are sorted by customer_key.

    The other sources are of the same customers, or of more: the catalogue as it was (of all
    products), sessions that the clicks until `as_of` make, rows of text_sentiment, messages of
    support. What would come of a source that is not given is null.

    With `rates`, amounts are in their reporting currency, and sales and returns in a currency
    that they don't know are left out. Entry errors are found first: at the prices that were paid.

    Raises:
        PipelineError: what was sold or returned is in several currencies, and there are no rates;
            or sessions go on after `as_of`.
    """
    moment = np.datetime64(as_of, "us")
    moves = Moves.of(lines, moment, backend, rates)
    customers = moves.customers
    if not len(customers):
        return backend.empty(contract("customer_features"), FEATURE_COLUMNS)
    found = {"customer_key": customers, **measures(moves), **spending(moves), **rhythm(moves)}
    if products is not None:
        found |= category_mix(moves, products)
    if sessions is not None:
        found |= visits(sessions, customers, moment, backend)
    if texts is not None:
        found |= moods(texts, customers, moment, backend)
    if messages is not None:
        found |= contacts(messages, customers, moment, backend)
    found["average_order"] = found["revenue"] / found["orders"]
    table = backend.frames.DataFrame(found).assign(as_of=moment, currency=moves.currency)
    unknown = [name for name in FEATURE_COLUMNS if name not in table.columns]
    nothing = backend.empty(contract("customer_features"), unknown).reindex(table.index)
    whole = backend.frames.concat([table, nothing], axis=1)
    return backend.cast(whole, contract("customer_features"), FEATURE_COLUMNS)


def customer_measures(
    lines: Frame, as_of: datetime, backend: Backend, *, rates: ExchangeRates | None = None
) -> Frame:
    """Of the same customers, customer_key and what scores compare them by alone."""
    moves = Moves.of(lines, np.datetime64(as_of, "us"), backend, rates)
    table = backend.frames.DataFrame({"customer_key": moves.customers, **measures(moves)})
    return backend.cast(table, contract("customer_features"), ("customer_key", *MEASURES))
