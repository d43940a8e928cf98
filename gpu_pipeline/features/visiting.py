"""How customers visit: their sessions, what they put into the cart, and what comes of it."""

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.features.histories import (
    MICROSECONDS_PER_DAY,
    Histories,
    divided,
    of_customers_until,
)

__all__ = ["SESSION_COLUMNS", "visits"]

SESSION_COLUMNS = (
    *("customer_key", "key_kind", "started_at", "ended_at", "views", "carts", "purchases"),
    "excluded_for",
)
_WINDOW = np.timedelta64(30, "D")


def visits(
    sessions: Frame, customers: Array, moment: np.datetime64, backend: Backend
) -> dict[str, Array | Series]:
    """Sessions that a person began by the moment, and their outcome, for each of the customers.

    `sessions` are those that the clicks until the moment make (`SESSION_COLUMNS`).

    Raises:
        PipelineError: one goes on after the moment: it was made of later clicks.
    """
    found = of_customers_until(moment, sessions[sessions["excluded_for"].isna()], "started_at")
    _check_ends(found, moment, backend)
    key, ended = (backend.as_bits(found[name]) for name in ("customer_key", "ended_at"))
    of = Histories.of(key, ended, backend)
    views, carts, purchases = (
        backend.as_bits(found[name]) for name in ("views", "carts", "purchases")
    )
    recent = backend.as_bits(found["started_at"]) > (moment - _WINDOW).astype("int64")
    count, with_cart, left, bought = (
        of.at(customers, of.counts(holds))
        for holds in (carts >= 0, carts > 0, (carts > 0) & (purchases == 0), purchases > 0)
    )
    pause = of.at(customers, moment.astype("int64") - of.time[of.last])
    days = backend.frames.Series(pause / MICROSECONDS_PER_DAY)
    return {
        "sessions": count,
        "sessions_last_30_days": of.at(customers, of.counts(recent)),
        "days_since_last_session": days.where(backend.frames.Series(count > 0)),
        "views": of.at(customers, of.sums(views)),
        "carts": of.at(customers, of.sums(carts)),
        "conversion": divided(bought, count, backend),
        "cart_abandonment": divided(left, with_cart, backend),
    }


def _check_ends(sessions: Frame, moment: np.datetime64, backend: Backend) -> None:
    ended = backend.as_bits(sessions["ended_at"])
    later = int((ended > moment.astype("int64")).sum())
    if later:
        message = (
            f"{later} of {len(ended)} sessions go on after {moment}, the moment of the features: "
            "they must be made of the clicks until then. Run the step `sessions` as of that moment."
        )
        raise PipelineError(message)
