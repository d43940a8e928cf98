"""Funnels of any frame of events."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast, get_args

from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds, moment_of, times_of
from gpu_pipeline.funnels.counting import Tally
from gpu_pipeline.funnels.events import Columns, Events, check_event_types
from gpu_pipeline.funnels.periods import Period, first_moments
from gpu_pipeline.funnels.rule import Funnel, FunnelStep, Length, Mode
from gpu_pipeline.funnels.segments import Segments
from gpu_pipeline.funnels.sharing import check_not_shared, some_customers
from gpu_pipeline.funnels.tracing import Inquiry, journeys_of
from gpu_pipeline.kernels import order_of
from gpu_pipeline.labels import Labels
from gpu_pipeline.time_zones import is_time_zone

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["funnel", "journeys"]

# Every event is before it: until the latest of the frame.
_OPEN = 2**63 - 1


def funnel(
    frame: "Frame | dd.DataFrame",
    steps: Sequence[str | FunnelStep],
    *,
    customer: str = "customer_key",
    time: str = "occurred_at",
    event: str = "event_type",
    mode: Mode = "ordered",
    within: Length = "7d",
    step_within: Length | Mapping[str, Length] | None = None,
    exclude: Sequence[str] = (),
    same: Sequence[str] = (),
    by: Sequence[str] = (),
    segments: Frame | None = None,
    per: Period = "day",
    as_of: datetime | None = None,
    time_zone: str = "UTC",
    whole_customers: bool = False,
) -> Frame:
    """How many journeys entered, and reached each step: a row for each entry day, group and step.

    `frame` is a pandas, cuDF or Dask frame with one row an event, in any order; `Funnel` says
    what a journey is and when it is censored. Only events until `as_of` count, by default the
    latest of the frame.

    Columns: entry_day (of the `time_zone`; entry_week, its Monday, where `per` is "week", none
    where it is None), the columns of `by` as they are on the entry event (of several at that
    moment the first in the alphabet), the label column of `segments`, a held frame with the
    customer and one label; then

    - step, name: the number of the step from 1 on, and what it is called;
    - entries, reached: journeys of the group, and those of them that reached the step;
    - share_of_entries, share_of_previous: reached as a part of entries, and of the step before
      (of none: not a number);
    - mean_seconds, median_seconds: exact, from the step before to this one;
    - censored: journeys that have not reached the step and still may.

    A Dask frame is computed at once; its events are brought together by customer first, only
    those that the funnel looks at. `whole_customers` says that each partition holds all events
    of its customers, as those of `Lake.read` do: then nothing is moved.

    Raises:
        PipelineError: there is no such funnel; a column is not there; an event has no customer
            or time; none of a held frame's takes any step; `segments` has a customer
            twice; partitions share customers that should not.

    >>> import pandas as pd
    >>> times = pd.to_datetime(["2026-05-01 09:00", "2026-05-01 09:20", "2026-05-01 11:00"])
    >>> events = pd.DataFrame({"customer_key": [7, 7, 8], "occurred_at": times})
    >>> events["event_type"] = ["view", "cart", "view"]
    >>> funnel(events, ["view", "cart"], within="1h")["reached"].tolist()
    [2, 1]
    """
    rule = Funnel.of(
        steps, mode=mode, within=within, step_within=step_within, exclude=exclude, same=same
    )
    columns = Columns(customer=customer, time=time, event=event, by=tuple(by))
    columns.check(list(frame.columns), rule)
    asked = _inquiry(rule, columns, per=per, as_of=as_of, time_zone=time_zone)
    labelled = None if segments is None else Segments.of(segments, customer)
    if hasattr(frame, "map_partitions"):
        return _of_dask(cast("dd.DataFrame", frame), asked, labelled, is_whole=whole_customers)
    held = cast("Frame", frame)
    tally = _tally(held, _dated(asked, [_latest(held, asked)]), labelled, threads=None)
    if not len(tally.period):
        check_event_types(held, rule, columns, Backend.of(held))
    return Tally.sum_of([tally], Backend.of(held)).table(asked, Backend.of(held))


def journeys(
    frame: "Frame | dd.DataFrame",
    rule: Funnel,
    *,
    customer: str = "customer_key",
    time: str = "occurred_at",
    event: str = "event_type",
    by: Sequence[str] = (),
    per: Period = "day",
    as_of: datetime | None = None,
    time_zone: str = "UTC",
    whole_customers: bool = False,
) -> "Frame | dd.DataFrame":
    """The journeys that `funnel` counts, one row each; of a Dask frame, a Dask frame.

    Columns: the customer, those of `Funnel.same`, entered_at (UTC, without zone), entry_day or
    entry_week, those of `by`, reached (how many steps), censored (it may yet go on), and
    step_2_at, step_3_at, … (null where it did not get there). In order of customer and entry; of
    a Dask frame in each partition, and whether partitions share customers is not looked at.

    Raises:
        PipelineError: as `funnel`.
    """
    columns = Columns(customer=customer, time=time, event=event, by=tuple(by))
    columns.check(list(frame.columns), rule)
    asked = _inquiry(rule, columns, per=per, as_of=as_of, time_zone=time_zone)
    if hasattr(frame, "map_partitions"):
        return _lazy_journeys(cast("dd.DataFrame", frame), asked, is_whole=whole_customers)
    held = cast("Frame", frame)
    check_event_types(held, rule, columns, Backend.of(held))
    return _journeys(held, _dated(asked, [_latest(held, asked)]), threads=None)


def _inquiry(
    rule: Funnel, columns: Columns, *, per: Period, as_of: datetime | None, time_zone: str
) -> Inquiry:
    if not is_time_zone(time_zone):
        message = f"{time_zone!r} is no time zone: give one of the IANA database, Europe/Berlin."
        raise PipelineError(message)
    if per not in (*get_args(get_args(Period)[0]), None):
        message = f"Journeys are counted per day, week or None, not {per!r}."
        raise PipelineError(message)
    moment = _OPEN if as_of is None else moment_of(as_of)
    return Inquiry(funnel=rule, columns=columns, as_of=moment, per=per, time_zone=time_zone)


def _dated(asked: Inquiry, latest: Sequence[int | None]) -> Inquiry:
    """The same with the latest moment of any part as the one until which events count."""
    if asked.as_of != _OPEN:
        return asked
    return replace(asked, as_of=max((time for time in latest if time is not None), default=0))


def _latest(frame: Frame, asked: Inquiry) -> int | None:
    name = asked.columns.time
    times = microseconds(frame[name], name, Backend.of(frame))
    return int(times.max()) if len(times) else None


def _of_dask(
    frame: "dd.DataFrame", asked: Inquiry, segments: Segments | None, *, is_whole: bool
) -> Frame:
    lazy, asked = _brought_together(frame, asked, is_whole=is_whole)
    backend, labels = Backend.of(lazy._meta), delayed(segments)
    counted = delayed(_counted)
    found = compute(*(counted(part, asked, labels, is_whole) for part in lazy.to_delayed()))
    if is_whole:
        check_not_shared([customers for _, customers in found], backend)
    return Tally.sum_of([tally for tally, _ in found], backend).table(asked, backend)


def _lazy_journeys(frame: "dd.DataFrame", asked: Inquiry, *, is_whole: bool) -> "dd.DataFrame":
    lazy, asked = _brought_together(frame, asked, is_whole=is_whole)
    meta = _journeys(lazy._meta, asked, threads=1)
    found: dd.DataFrame = lazy.map_partitions(_journeys, asked, threads=1, meta=meta)
    return found


def _brought_together(
    frame: "dd.DataFrame", asked: Inquiry, *, is_whole: bool
) -> tuple["dd.DataFrame", Inquiry]:
    """(partitions of whole customers, the inquiry with its moment)."""
    lazy = frame[asked.columns.names(asked.funnel)]
    if asked.as_of == _OPEN:
        times = frame[[asked.columns.time]].to_delayed()
        asked = _dated(asked, compute(*(delayed(_latest)(part, asked) for part in times)))
    if is_whole or lazy.npartitions == 1:
        return lazy, asked
    # What the funnel doesn't look at is not moved.
    kept = lazy.map_partitions(_looked_at, asked, meta=lazy._meta)
    return kept.shuffle(on=[asked.columns.customer]), asked


def _looked_at(frame: Frame, asked: Inquiry) -> Frame:
    events = Events.of(frame, asked.funnel, asked.columns, asked.as_of, Backend.of(frame))
    return frame.take(events.row)


def _counted(
    frame: Frame,
    asked: Inquiry,
    segments: Segments | None,
    is_whole: bool,  # noqa: FBT001
) -> tuple[Tally, Array | None]:
    customers = None
    if is_whole:
        customers = some_customers(frame[asked.columns.customer], Backend.of(frame))
    # Partitions are worked on side by side already.
    return _tally(frame, asked, segments, threads=1), customers


def _tally(
    frame: Frame, asked: Inquiry, segments: Segments | None, *, threads: int | None
) -> Tally:
    backend = Backend.of(frame)
    found = journeys_of(frame, asked, backend, threads=threads)
    values = {name: _on_entry(frame[name], found.row) for name in asked.columns.by}
    if segments is not None:
        customers = frame[asked.columns.customer].take(found.row).reset_index(drop=True)
        values[segments.name] = segments.labels(customers, backend)
    return Tally.of(found, values, backend)


def _on_entry(values: Series, row: Array) -> Series:
    return values.take(row).astype("str").reset_index(drop=True)


def _journeys(frame: Frame, asked: Inquiry, *, threads: int | None) -> Frame:
    backend, columns = Backend.of(frame), asked.columns
    xp = backend.xp
    found = journeys_of(frame, asked, backend, threads=threads)
    customer = customer_codes(frame[columns.customer].take(found.row), columns.customer, backend)
    same = {name: _on_entry(frame[name], found.row) for name in asked.funnel.same}
    ties = [Labels.of(values, backend).codes for values in same.values()]
    order = order_of([customer, found.entered_at, *ties], xp)
    table: dict[str, Series | Array] = {
        columns.customer: frame[columns.customer].take(found.row).reset_index(drop=True),
        **same,
        "entered_at": times_of(found.entered_at, backend),
    }
    if asked.per is not None:
        table[f"entry_{asked.per}"] = times_of(first_moments(found.period), backend)
    table |= {name: _on_entry(frame[name], found.row) for name in columns.by}
    table |= {"reached": found.depth, "censored": found.is_censored}
    for number, (which, when) in enumerate(found.onward, 2):
        table[f"step_{number}_at"] = _times_where(which, when, len(order), backend)
    return backend.frames.DataFrame(table).take(order).reset_index(drop=True)


def _times_where(which: Array, when: Array, count: int, backend: Backend) -> Series:
    """Times in these places, nothing in the others."""
    xp = backend.xp
    times, is_there = xp.zeros(count, dtype=xp.int64), xp.zeros(count, dtype=bool)
    times[which], is_there[which] = when, True
    return times_of(times, backend).where(backend.frames.Series(is_there))
