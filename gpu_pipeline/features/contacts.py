"""What customers ask of support: their cases, how many are open, how long they took."""

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.features.histories import (
    MICROSECONDS_PER_DAY,
    Histories,
    divided,
    of_customers_until,
)
from gpu_pipeline.kernels import order_of, run_starts, text_hash

__all__ = ["MESSAGE_COLUMNS", "contacts"]

MESSAGE_COLUMNS = ("customer_key", "key_kind", "case_id", "opened_at", "sent_at", "resolved_at")
_MICROSECONDS_PER_HOUR = 3_600_000_000


def contacts(
    messages: Frame, customers: Array, moment: np.datetime64, backend: Backend
) -> dict[str, Array | Series]:
    """Support cases of each of the customers, as their messages until the moment tell.

    `messages` are rows of support (`MESSAGE_COLUMNS`), those of both sides. A case counts from
    when it was opened, and is open unless one of its messages says that it was resolved by then.
    """
    xp = backend.xp
    sent = of_customers_until(moment, messages, "sent_at")
    key, opened, resolved = _cases(of_customers_until(moment, sent, "opened_at"), moment, backend)
    of = Histories.of(key, opened, backend)
    is_open = resolved < 0
    took = xp.where(is_open, 0, resolved - opened)
    cases, still_open, total = (
        of.at(customers, of.sums(values))
        for values in (xp.ones_like(opened), is_open.astype("int64"), took)
    )
    pause = of.at(customers, moment.astype("int64") - of.time[of.last])
    days = backend.frames.Series(pause / MICROSECONDS_PER_DAY)
    return {
        "support_cases": cases,
        "open_cases": still_open,
        "days_since_last_case": days.where(backend.frames.Series(cases > 0)),
        "mean_hours_to_resolve": divided(total, cases - still_open, backend)
        / _MICROSECONDS_PER_HOUR,
    }


def _cases(messages: Frame, moment: np.datetime64, backend: Backend) -> tuple[Array, Array, Array]:
    """(customer, opened, resolved or -1) of each case, times in microseconds."""
    xp = backend.xp
    never = moment + np.timedelta64(1, "us")
    told = messages.assign(resolved_at=messages["resolved_at"].fillna(never))
    customer, opened_at, resolved_at = (
        backend.as_bits(told[name]) for name in ("customer_key", "opened_at", "resolved_at")
    )
    resolved_at = xp.where(resolved_at <= moment.astype("int64"), resolved_at, -1)
    case = text_hash(*backend.utf8(messages["case_id"]), xp)
    order = order_of([customer, case], xp)
    starts = run_starts([customer[order], case[order]], xp)
    is_first = xp.zeros(len(order), dtype="int64")
    is_first[starts] = 1
    run = xp.cumsum(is_first) - 1
    opened, resolved = opened_at[order][starts], xp.full(len(starts), -1)
    xp.minimum.at(opened, run, opened_at[order])
    xp.maximum.at(resolved, run, resolved_at[order])
    return customer[order][starts], opened, resolved
