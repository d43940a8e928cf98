"""Purchase histories: how often, how long and for how much customers bought until a moment.

Time is counted in business days: what somebody buys on one day is one purchase.
"""

from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features.histories import MICROSECONDS_PER_DAY
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.kernels import order_of, run_starts
from gpu_pipeline.orders import business_day

__all__ = ["histories_of", "outcomes_of", "purchase_histories", "purchase_outcomes"]


def purchase_histories(
    lines: Frame,
    as_of: datetime,
    backend: Backend,
    *,
    rates: ExchangeRates | None = None,
    time_zone: str = "UTC",
) -> Frame:
    """The history of every customer with a sale by `as_of`, sorted by customer_key.

    `lines` are order lines (`orders.LINE_COLUMNS`) of whole customers. Guests, entry errors and
    everything after `as_of` (UTC, without zone) are left out; with `rates`, amounts are in their
    reporting currency.

    The columns are those that models of repeat buying take (Fader, Hardie & Lee 2005, Marketing
    Science 24):

    - customer_key, int64
    - frequency: repeat purchases, the different business days with a sale less one, int64
    - recency: days from the first of these days to the last, int64
    - age: days from the first of them to that of `as_of`, int64
    - average: what was sold on a purchase day less discounts and returns, in the mean over all of
      them, the first one too; minor units, float64. It is 0 or less where all came back.
    - currency: of the average, text

    Raises:
        PipelineError: what was sold or returned is in several currencies, and there are no rates.
    """
    moves = Moves.of(lines, np.datetime64(as_of, "us"), backend, rates)
    return histories_of(moves, time_zone=time_zone)


def purchase_outcomes(
    lines: Frame,
    as_of: datetime,
    horizon_days: int,
    backend: Backend,
    *,
    rates: ExchangeRates | None = None,
    time_zone: str = "UTC",
) -> Frame:
    """What the customers of `purchase_histories` then did in the `horizon_days` after `as_of`.

    customer_key as there; purchases: different business days with a sale after `as_of` and within
    the horizon, int64; value: what was sold in it less discounts and returns, minor units, int64.
    """
    moment = np.datetime64(as_of, "us")
    until = moment + np.timedelta64(horizon_days, "D")
    known = Moves.of(lines, moment, backend, rates)
    later = Moves.of(lines, until, backend, rates)
    return outcomes_of(known.customers, moment, later, time_zone=time_zone)


def histories_of(moves: Moves, *, time_zone: str) -> Frame:
    """The frame of `purchase_histories` of these moves."""
    backend, xp, customers = moves.backend, moves.backend.xp, moves.customers
    customer, day = _purchase_days(moves.sales.customer, moves.sales.time, time_zone, backend)
    starts = run_starts([customer], xp)
    ends = xp.concatenate([starts[1:], xp.asarray([len(day)])])[: len(starts)]
    first, last = day[starts], day[ends - 1]
    today = _days(xp.asarray([moves.since(0)]), time_zone, backend)
    net = moves.sold(moves.sales.amount) + moves.sent_back(moves.returns.amount)
    columns = {
        "customer_key": customers,
        "frequency": ends - starts - 1,
        "recency": last - first,
        "age": today - first,
        "average": net / (ends - starts),
    }
    return backend.frames.DataFrame(columns).assign(currency=moves.currency)


def outcomes_of(customers: Array, moment: np.datetime64, later: Moves, *, time_zone: str) -> Frame:
    """The frame of `purchase_outcomes` of these customers, where `later` are all moves until then.

    A sale of before the moment that was taken back after it is in neither: no purchase, no value.
    """
    backend, xp = later.backend, later.backend.xp
    since = int(moment.astype("int64"))
    sales, returns = later.sales, later.returns
    is_new = sales.time > since
    customer, _ = _purchase_days(sales.customer[is_new], sales.time[is_new], time_zone, backend)
    purchases = xp.bincount(customer, minlength=len(later.customers))
    sold = later.sold(xp.where(is_new, sales.amount, 0))
    sent_back = later.sent_back(xp.where(returns.time > since, returns.amount, 0))
    columns = {
        "customer_key": customers,
        "purchases": _looked_up(customers, later, purchases),
        "value": _looked_up(customers, later, sold + sent_back),
    }
    return backend.frames.DataFrame(columns)


def _purchase_days(
    customer: Array, time: Array, time_zone: str, backend: Backend
) -> tuple[Array, Array]:
    """(customer, day) of every day that a customer bought on, once, in order of both."""
    xp = backend.xp
    day = _days(time, time_zone, backend)
    # A clock that is put back at midnight repeats a day's end: times are in order, days may not be.
    order = order_of([customer, day], xp)
    customer, day = customer[order], day[order]
    starts = run_starts([customer, day], xp)
    return customer[starts], day[starts]


def _days(time: Array, time_zone: str, backend: Backend) -> Array:
    """The business day of each time (UTC, microseconds), in days since 1970."""
    times = backend.frames.Series(time).astype("datetime64[us]")
    midnights = business_day(times, time_zone).astype("datetime64[us]")
    return backend.as_bits(midnights) // MICROSECONDS_PER_DAY


def _looked_up(customers: Array, moves: Moves, values: Array) -> Array:
    """The values, one a customer of the moves, for these customers; 0 who has none there."""
    xp = moves.backend.xp
    if not len(moves.customers):
        return xp.zeros(len(customers), dtype=values.dtype)
    place = xp.searchsorted(moves.customers, customers)
    place = xp.minimum(place, len(moves.customers) - 1)
    return xp.where(moves.customers[place] == customers, values[place], 0)
