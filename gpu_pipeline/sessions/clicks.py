"""The table `sessions`, from buckets of the table `clickstream`."""

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.sessions.events import Columns
from gpu_pipeline.sessions.rule import SessionRule
from gpu_pipeline.sessions.sessionizing import sessions_of

__all__ = ["CLICK_COLUMNS", "click_sessions"]

CLICK_COLUMNS = Columns(
    event="event_type",
    product="product_id",
    entry=("channel", "device"),
    kept=("key_kind",),
)


def click_sessions(clicks: Frame, rule: SessionRule, backend: Backend) -> Frame:
    """The rows of contract `sessions` for these clicks (`CLICK_COLUMNS`) of whole customers.

    Other buckets are worked on at the same time: this one keeps to its thread.
    """
    found = sessions_of(clicks, CLICK_COLUMNS, rule, backend, threads=1)
    return backend.cast(found, contract("sessions"))
