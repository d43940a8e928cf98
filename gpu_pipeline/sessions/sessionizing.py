"""Sessions of any frame of events."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, cast, overload

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.event_columns import times_of
from gpu_pipeline.kernels import mixed_hash, text_hash
from gpu_pipeline.labels import Labels
from gpu_pipeline.ordering import Rows, in_pieces
from gpu_pipeline.sessions.cutting import session_starts, stops_of
from gpu_pipeline.sessions.describing import Piece, attributes
from gpu_pipeline.sessions.events import Columns, Events, check_event_types
from gpu_pipeline.sessions.machines import REASONS
from gpu_pipeline.sessions.rule import SessionRule

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["sessionize", "sessions_of"]


@overload
def sessionize(
    frame: "dd.DataFrame",
    *,
    customer: str = ...,
    time: str = ...,
    event: str | None = ...,
    gap: str | timedelta = ...,
) -> "dd.DataFrame": ...
@overload
def sessionize(
    frame: Frame,
    *,
    customer: str = ...,
    time: str = ...,
    event: str | None = ...,
    gap: str | timedelta = ...,
) -> Frame: ...
def sessionize(
    frame: "Frame | dd.DataFrame",
    *,
    customer: str = "customer_key",
    time: str = "occurred_at",
    event: str | None = None,
    gap: str | timedelta = "30min",
) -> "Frame | dd.DataFrame":
    """One row a session, of a pandas, cuDF or Dask frame with one row an event, in any order.

    Columns: the customer (whole numbers or text), started_at, ended_at (UTC, without zone),
    events, session_id. With `event`, the column of event types (those of contract clickstream),
    also views, carts, checkouts and purchases, bounced (one event), `excluded_for` (why no
    person made it, null where one did), and where the frame has product_id, channel and device:
    the different products, and the channel and device of the first event (of several at that
    moment, the first in the alphabet).

    A session ends with a pause longer than `gap`, and at the caps of `SessionRule`. Sessions
    come in order of customer and start; of a Dask frame in each partition, with its events
    brought together by customer, which is its only shuffle.

    Raises:
        PipelineError: a column is not there, an event has no customer or time, or they are of a
            type that is none; no event of a held frame is of a known type; the gap is no length
            of time.

    >>> import pandas as pd
    >>> times = pd.to_datetime(["2026-05-01 09:00", "2026-05-01 09:20", "2026-05-01 11:00"])
    >>> events = pd.DataFrame({"customer_key": [7, 7, 7], "occurred_at": times})
    >>> sessionize(events)["events"].tolist()
    [2, 1]
    """
    rule = SessionRule.of(gap)
    columns = Columns.of(list(frame.columns), customer=customer, time=time, event=event)
    if hasattr(frame, "map_partitions"):
        return _of_dask(cast("dd.DataFrame", frame), columns, rule)
    held = cast("Frame", frame)
    check_event_types(held, columns)
    return sessions_of(held, columns, rule, Backend.of(held))


def _of_dask(frame: "dd.DataFrame", columns: Columns, rule: SessionRule) -> "dd.DataFrame":
    events = frame[columns.names]
    if events.npartitions > 1:
        events = events.shuffle(on=[columns.customer])
    # Partitions are worked on side by side already.
    meta = sessions_of(frame._meta[columns.names], columns, rule, Backend.of(frame._meta))
    found: dd.DataFrame = events.map_partitions(_of_partition, columns, rule, meta=meta)
    return found


def _of_partition(frame: Frame, columns: Columns, rule: SessionRule) -> Frame:
    return sessions_of(frame, columns, rule, Backend.of(frame), threads=1)


def sessions_of(
    frame: Frame,
    columns: Columns,
    rule: SessionRule,
    backend: Backend,
    *,
    threads: int | None = None,
) -> Frame:
    """The sessions of whole customers, in order of customer and start; raises as `sessionize`.

    On `threads` of this process, by default one a core.
    """
    xp = backend.xp
    events = Events.of(frame, columns, backend)
    of_all = events.of_all
    cut = partial(_sessions_of_piece, names=list(of_all), events=events, rule=rule, backend=backend)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        values = (events.customer, events.time, *of_all.values())
        found = list(pool.map(cut, in_pieces(values, backend, pool.map)))
    # Pieces come in order of their customers.
    whole = {name: xp.concatenate([piece[name] for piece in found]) for name in found[0]}
    return _table(frame, events, whole, columns, backend)


def _sessions_of_piece(
    parts: Sequence[Rows],
    names: Sequence[str],
    events: Events,
    rule: SessionRule,
    backend: Backend,
) -> Mapping[str, Array]:
    """One entry a session: who, the row of its first event, its numbers, codes of its texts.

    `names` are those of the columns that come along with customer and time.
    """
    rows = Rows.joined(parts, backend.xp).in_order(backend)
    customer, time, *values = rows.columns
    starts = session_starts(customer, time, rule, backend.xp)
    stops = stops_of(starts, len(time), backend.xp)
    found = {
        "row": rows.places[starts],
        "customer": customer[starts],
        "started_at": time[starts],
        "ended_at": time[stops - 1],
        "events": stops - starts,
    }
    if events.kind is not None:
        piece = Piece(
            rows=rows.places,
            customer=customer,
            time=time,
            values=dict(zip(names, values, strict=True)),
            starts=starts,
            stops=stops,
        )
        found |= attributes(piece, events, rule, backend)
    return found


def _table(
    frame: Frame,
    events: Events,
    found: Mapping[str, Array],
    columns: Columns,
    backend: Backend,
) -> Frame:
    first = found["row"]
    customer = _customers(frame[columns.customer], found, backend)
    table = {
        columns.customer: customer,
        "started_at": times_of(found["started_at"], backend),
        "ended_at": times_of(found["ended_at"], backend),
        "events": found["events"],
        "session_id": _session_ids(customer, found, backend),
    }
    for name in columns.kept:
        table[name] = frame[name].take(first).reset_index(drop=True)
    for name, values in found.items():
        if name == "excluded_for":
            table[name] = _reasons(values, backend)
        elif name == "currency" and events.currency is not None:
            table[name] = events.currency.text(values, backend)
        elif name in events.entry:
            table[name] = events.entry[name].text(values, backend)
        elif name not in ("row", "customer", *table):
            table[name] = values
    return backend.frames.DataFrame(table)


def _customers(values: Series, found: Mapping[str, Array], backend: Backend) -> Series:
    """Who made each session, in the type of the frame's column; of categories as texts."""
    if values.dtype.kind in "iu":
        numbers: Series = backend.frames.Series(found["customer"]).astype(values.dtype)
        return numbers
    texts = values.take(found["row"]).reset_index(drop=True)
    return texts.astype("str") if str(values.dtype) == "category" else texts


def _reasons(codes: Array, backend: Backend) -> Series:
    """Why no person made a session; null where the code is 0."""
    places = backend.xp.where(codes > 0, codes - 1, len(REASONS))
    return Labels(places, backend.frames.Series(REASONS, dtype="str")).text(places, backend)


def _session_ids(customer: Series, found: Mapping[str, Array], backend: Backend) -> Array:
    """A hash of customer and start: the same for the same session, wherever it is made."""
    is_number = customer.dtype.kind in "iu"
    who = found["customer"] if is_number else text_hash(*backend.utf8(customer), backend.xp)
    return mixed_hash([who, found["started_at"]], backend.xp)
