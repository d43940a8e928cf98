"""Pieces: in how many reads a table is looked through, up to a moment."""

from datetime import datetime

from gpu_pipeline.contracts import Contract
from gpu_pipeline.store import Condition, Lake

__all__ = ["by_then", "pieces"]

_ROWS_AT_ONCE = 2**22  # of a few columns: some 100 MB


def pieces(lake: Lake, found: Contract) -> list[int | None]:
    """The buckets to read one by one; None, all at once, of a table that is small or has none.

    Opening files costs more than the rows of a small table do.
    """
    at_once = not found.bucketed or lake.rows(found.name) <= _ROWS_AT_ONCE
    return [None] if at_once else [*range(lake.buckets)]


def by_then(lake: Lake, found: Contract, as_of: datetime) -> list[Condition]:
    """What leaves out later events; nothing where the log knows that there are none."""
    if found.event_time is None:
        return []
    latest = lake.latest(found.name)
    is_whole = found[found.event_time].required and latest is not None and latest <= as_of
    return [] if is_whole else [(found.event_time, "<=", as_of)]
