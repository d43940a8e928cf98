"""The sessions of one bucket: made anew, or brought up to date with the events that came.

A bucket holds its customers' whole histories. What changed costs what came: new events, the
sessions that were open, and of a customer with a late event those around it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.orders import one_currency
from gpu_pipeline.pipeline import Work
from gpu_pipeline.sessions import (
    CLICK_COLUMNS,
    OpenSessions,
    SessionRule,
    advance,
    click_sessions,
    lies_in,
    paid_clicks,
    rebuild,
    stretches,
)
from gpu_pipeline.store import Files, Lake, Part

__all__ = ["RULE", "Additions", "Made", "bucket_anew", "bucket_grown", "only_currency"]

RULE = SessionRule()
_KEY = CLICK_COLUMNS.customer
_NEVER = np.datetime64("9999-12-31", "us")
_SPAN = [_KEY, "started_at", "ended_at", "session_id"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a bucket came to: parts to commit, and what is to be said of them.

    `replaced` are the files of `sessions` whose other rows are in the parts; `events` those that
    were put into sessions for the first time, `late` those of them that came behind a session's
    end.
    """

    sessions: Sequence[Part]
    opened: Sequence[Part]
    replaced: Sequence[str] = ()
    currency: str | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What came since sessions were last made: `files` of clickstream, with new rows alone.

    `opened` is the lake with the open sessions of then, which had seen all events until
    `seen_until`; `currency` is what their purchases were paid in.
    """

    files: Files
    opened: Lake
    seen_until: datetime
    currency: str | None


def bucket_anew(
    work: Work, clicks: Frame, number: int, rates: ExchangeRates | None, seen_until: datetime
) -> Made:
    """The sessions of all its `clicks`; the parts are those of that `number`."""
    paid = paid_clicks(clicks, rates, work.lake.backend)
    sessions, opened = click_sessions(paid.clicks, seen_until, RULE, work.lake.backend)
    return Made(
        sessions=_written(work, number, sessions, opened),
        opened=work.writer.write(opened, contract("open_sessions"), number=number),
        currency=paid.currency,
        counts={
            "events": len(clicks),
            "without_currency": paid.without_currency,
            "without_rate": paid.without_rate,
        },
    )


def bucket_grown(
    work: Work,
    bucket: int,
    additions: Additions,
    rates: ExchangeRates | None,
    seen_until: datetime,
) -> Made:
    """The sessions that are other than before, and all that are open."""
    lake, backend = work.lake, work.lake.backend
    files = additions.files.in_buckets({bucket})
    clicks = lake.read_files("clickstream", files, columns=CLICK_COLUMNS.names)
    paid = paid_clicks(clicks, rates, backend)
    only_currency([paid.currency, additions.currency], backend)
    state = OpenSessions(
        columns=CLICK_COLUMNS,
        rule=RULE,
        events=additions.opened.read_bucket("open_sessions", bucket, columns=CLICK_COLUMNS.names),
        seen_until=np.datetime64(additions.seen_until, "us"),
        horizon=None,  # what ingest took is in the lake: it belongs into a session
    )
    change = _Change.of(state, paid.clicks, np.datetime64(seen_until, "us"))
    if len(change.late):
        change = _with_late(work, bucket, change, rates)
    kept, replaced = _kept(lake, bucket, change.gone)
    rows = [kept, backend.cast(change.sessions, contract("sessions"))]
    sessions = backend.frames.concat(rows, ignore_index=True)
    return Made(
        sessions=_written(work, bucket, sessions, change.state.events),
        opened=work.writer.write(change.state.events, contract("open_sessions"), number=bucket),
        replaced=replaced.paths.tolist(),
        currency=paid.currency,
        counts={
            "events": len(clicks),
            "late": len(change.late),
            "rebuilt_customers": len(change.late[[_KEY]].drop_duplicates()),
            "without_currency": paid.without_currency,
            "without_rate": paid.without_rate,
        },
    )


def only_currency(names: Iterable[str | None], backend: Backend) -> str | None:
    """The one that purchases are paid in, None where none is.

    Raises:
        PipelineError: there are several.
    """
    found = sorted({name for name in names if name is not None})
    frame = backend.from_pandas(pd.DataFrame({"currency": found}))
    one_currency(frame, backend, what="Purchases")
    return found[0] if found else None


@dataclass(frozen=True, kw_only=True)
class _Change:
    """`sessions` that come in place of those that are `gone`; of the `late` events, none yet."""

    sessions: Frame
    gone: Frame
    state: OpenSessions
    late: Frame

    @classmethod
    def of(cls, state: OpenSessions, clicks: Frame, seen_until: np.datetime64) -> "_Change":
        """What these events change in time: an open session without one is as it was."""
        concat = Backend.of(clicks).frames.concat
        found = advance(state, clicks, seen_until=seen_until)
        touched = clicks[_KEY].drop_duplicates()
        made = concat([found.closed, found.state.open_sessions()], ignore_index=True)
        before = state.open_sessions()
        return cls(
            sessions=made[made[_KEY].isin(touched)].reset_index(drop=True),
            gone=before[before[_KEY].isin(touched)][_SPAN].reset_index(drop=True),
            state=found.state,
            late=found.late,
        )


def _with_late(work: Work, bucket: int, change: _Change, rates: ExchangeRates | None) -> _Change:
    """The change with the late events in their places, whatever else that moves."""
    backend = work.lake.backend
    concat = backend.frames.concat
    there = _sessions_around(work.lake, bucket, change.late)
    there = there[~there["session_id"].isin(change.gone["session_id"])].reset_index(drop=True)
    so_far = concat([there, change.sessions[_SPAN]], ignore_index=True)
    found = stretches(change.late, so_far, CLICK_COLUMNS, RULE)
    clicks = paid_clicks(_clicks_of(work.lake, bucket, found), rates, backend).clicks
    closed, state = rebuild(change.state, clicks)
    opened = state.open_sessions()
    rebuilt = [closed, opened[lies_in(opened, "started_at", found, CLICK_COLUMNS)]]
    moved = lies_in(change.sessions, "started_at", found, CLICK_COLUMNS)
    gone = there[lies_in(there, "started_at", found, CLICK_COLUMNS)]
    return _Change(
        sessions=concat([change.sessions[~moved], *rebuilt], ignore_index=True),
        gone=concat([change.gone, gone], ignore_index=True),
        state=state,
        late=change.late,
    )


def _sessions_around(lake: Lake, bucket: int, late: Frame) -> Frame:
    """The sessions that the customers of late events had, from those on that they may fall in."""
    reach = RULE.longest_microseconds + RULE.gap_microseconds
    since = _times(late, CLICK_COLUMNS.time, lake.backend).min() - np.timedelta64(reach, "us")
    who = _customers(late, lake.backend)
    conditions = [(_KEY, "in", who), ("started_at", ">=", since)]
    return lake.read_bucket("sessions", bucket, conditions, columns=_SPAN)


def _clicks_of(lake: Lake, bucket: int, found: Frame) -> Frame:
    """All events of these stretches, from the files alone that can hold one."""
    spans = [_times(found, name, lake.backend) for name in ("since", "until")]
    files = lake.files("clickstream").in_buckets({bucket}).touching(*spans)
    clicks = lake.read_files(
        "clickstream",
        files,
        [(_KEY, "in", _customers(found, lake.backend))],
        columns=CLICK_COLUMNS.names,
    )
    return clicks[lies_in(clicks, CLICK_COLUMNS.time, found, CLICK_COLUMNS)]


def _written(work: Work, number: int, sessions: Frame, opened: Frame) -> list[Part]:
    """The sessions as parts; those of the `opened` events lie in files of their own.

    These are what the next change replaces: it writes no other file again.
    """
    found, time = contract("sessions"), CLICK_COLUMNS.time
    begun = opened.groupby(_KEY, sort=False)[time].min().reset_index()
    begun = begun.rename(columns={time: "since"}).assign(until=_NEVER)
    is_open = lies_in(sessions, "started_at", begun, CLICK_COLUMNS)
    parts = work.writer.write(sessions[~is_open], found, number=number)
    return [*parts, *work.writer.write(sessions[is_open], found, number=work.lake.buckets + number)]


def _kept(lake: Lake, bucket: int, gone: Frame) -> tuple[Frame, Files]:
    """(the rows that stay of the files of `sessions` that hold one that is gone, these files).

    Raises:
        PipelineError: the table lacks one.
    """
    begun = _times(gone, "started_at", lake.backend)
    files = lake.files("sessions").in_buckets({bucket}).touching(begun, begun)
    held = files.named(path for one in files.each() for path in _if_holding(lake, one, gone))
    rows = lake.read_files("sessions", held)
    is_gone = rows["session_id"].isin(gone["session_id"])
    if int(is_gone.sum()) != len(gone):
        message = (
            f"Table sessions has {int(is_gone.sum()):,} of {len(gone):,} sessions of bucket "
            f"{bucket} that were made before and are to grow: make all of them anew "
            "(gpu-pipeline run --from sessions)."
        )
        raise PipelineError(message)
    return rows[~is_gone], held


def _if_holding(lake: Lake, one: Files, gone: Frame) -> list[str]:
    """The path of a file of `sessions`, where it has one that is gone."""
    ids = lake.read_files("sessions", one, columns=["session_id"])["session_id"]
    return one.paths.tolist() if bool(ids.isin(gone["session_id"]).any()) else []


def _times(frame: Frame, name: str, backend: Backend) -> npt.NDArray[np.datetime64]:
    """A column of times on the host."""
    times: npt.NDArray[np.datetime64] = backend.to_host(frame[name]).astype("datetime64[us]")
    return times


def _customers(frame: Frame, backend: Backend) -> list[int]:
    """The different customers, on the host."""
    keys: list[int] = np.unique(backend.to_host(frame[_KEY])).tolist()
    return keys
