"""How often each product was looked at, put into a cart and bought of late, by people."""

from datetime import timedelta

import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.pipeline import Work
from gpu_pipeline.steps.related import session_rows

__all__ = ["TRAFFIC_DAYS", "product_traffic"]

TRAFFIC_DAYS = 28
_COUNTS = {"views": "view", "carts": "cart", "purchases": "purchase"}
_LONGEST_SESSION = timedelta(days=1)


def product_traffic(work: Work) -> pd.DataFrame:
    """product_id, views, carts and purchases of the last 28 days, those of machines left out.

    A row a product with any of these events. Of events, not of visits: who looks twice counts
    twice.
    """
    parts = [pd.DataFrame({"product_id": pd.Series(dtype="str"), "event_type": "", "events": 0})]
    if work.has("clickstream"):
        buckets = range(work.lake.buckets)
        parts += compute(*(delayed(_of_bucket)(work, bucket) for bucket in buckets))
    events = pd.concat(parts, ignore_index=True)
    of_kind = {
        name: events["events"].where(events["event_type"] == kind, 0)
        for name, kind in _COUNTS.items()
    }
    table = pd.DataFrame(of_kind).groupby(events["product_id"]).sum().astype("int64")
    return table.reset_index()


def _of_bucket(work: Work, bucket: int) -> pd.DataFrame:
    """product_id, event_type and how many events there were."""
    lake, since = work.lake, work.as_of - timedelta(days=TRAFFIC_DAYS)
    within = [("occurred_at", ">", since), ("occurred_at", "<=", work.as_of)]
    columns = ["customer_key", "occurred_at", "event_type", "product_id"]
    events: Frame = lake.read_bucket("clickstream", bucket, within, columns)
    wanted = events["event_type"].isin(list(_COUNTS.values())) & events["product_id"].notna()
    events = events[wanted].reset_index(drop=True)
    if work.has("sessions"):
        events = _of_people(work, events, bucket)
    counted = events.groupby(["product_id", "event_type"], sort=False).size().reset_index()
    counted.columns = ["product_id", "event_type", "events"]
    return lake.backend.to_pandas(counted)


def _of_people(work: Work, events: Frame, bucket: int) -> Frame:
    """Without the events in sessions that machines made."""
    backend, xp = work.lake.backend, work.lake.backend.xp
    since = work.as_of - timedelta(days=TRAFFIC_DAYS) - _LONGEST_SESSION
    columns = ["customer_key", "started_at", "ended_at", "excluded_for"]
    sessions = work.lake.read_bucket("sessions", bucket, [("started_at", ">", since)], columns)
    machines = sessions[sessions["excluded_for"].notna()].reset_index(drop=True)
    row = session_rows(events, machines, backend)
    return events.take(xp.flatnonzero(row < 0)).reset_index(drop=True)
