"""The tables `sessions` and `open_sessions`, from buckets of the table `clickstream`."""

from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.sessions.advancing import OpenSessions, open_events
from gpu_pipeline.sessions.events import Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessions_of

__all__ = ["CLICK_COLUMNS", "click_sessions"]

CLICK_COLUMNS = Columns(
    event="event_type",
    product="product_id",
    entry=("channel", "device"),
    price="price",
    currency="currency",
    kept=("key_kind", "event_id"),
)


def click_sessions(
    clicks: Frame, as_of: datetime, rule: SessionRule, backend: Backend
) -> tuple[Frame, Frame]:
    """(the rows of contract `sessions`, those of `open_sessions`) for clicks until `as_of`.

    `clicks` are all events of whole customers, in the columns of CLICK_COLUMNS. The second are
    the events of sessions that may yet grow; as they are by now, they are among the first.
    Other buckets are worked on at the same time: this one keeps to its thread.
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
