"""Promises: how fresh a feed is and whether a day of it is as large as usual."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract
from gpu_pipeline.quality.pieces import pieces
from gpu_pipeline.store import Condition, Lake

__all__ = ["Volume", "day_counts", "latest_event", "usual_volume"]

_WEEKS = 4
_FEWEST = 3  # days to call something usual
_CHANCE = 0.001


@dataclass(frozen=True)
class Volume:
    """The rows of a day beside those of a usual one."""

    rows: int
    usual: float

    @property
    def share(self) -> float:
        """Of the usual rows; 1 where there usually are none."""
        return self.rows / self.usual if self.usual else 1.0

    def is_below(self, share: float) -> bool:
        """Whether less came than that share of the usual, and chance does not explain it.

        Chance is a Poisson variable with the usual rows as its mean: three reviews a day become
        none every twentieth day, and that is no fault of the feed.
        """
        from scipy.special import pdtr

        return self.share < share and float(pdtr(self.rows, self.usual)) < _CHANCE


def day_counts(lake: Lake, found: Contract, *, as_of: datetime) -> dict[date, int]:
    """How many rows a table has of each day (UTC) of the five weeks up to `as_of`.

    Only the event time is read, and of tables kept by month only the months that matter.
    """
    if found.event_time is None:
        return {}
    since = datetime(as_of.year, as_of.month, as_of.day) - timedelta(weeks=_WEEKS + 1)  # noqa: DTZ001
    where: list[Condition] = [(found.event_time, ">=", since), (found.event_time, "<=", as_of)]
    time = found.event_time

    def counted(bucket: int | None) -> dict[date, int]:
        frame = lake.read_bucket(found.name, bucket, where, columns=[time])
        return _by_day(frame, time, lake.backend)

    parts = compute(*(delayed(counted)(bucket) for bucket in pieces(lake, found)))
    counts: dict[date, int] = {}
    for part in parts:
        for day, rows in part.items():
            counts[day] = counts.get(day, 0) + rows
    return counts


def latest_event(lake: Lake, found: Contract, *, as_of: datetime) -> datetime | None:
    """The latest event time of a table up to `as_of`; None where there is none.

    From the log alone, unless later events have come since.
    """
    span = lake.span(found.name)
    if span is None or found.event_time is None or span[0] > as_of:
        return None
    if span[1] <= as_of:
        return span[1]
    where: list[Condition] = [(found.event_time, "<=", as_of)]
    # A file that ends by then has nothing later than that; one that begins before it may.
    ended = lake.files(found.name)
    ended = ended.where(ended.lasts <= np.datetime64(as_of, "us"))
    if len(ended):
        where.append((found.event_time, ">=", ended.lasts.max().item()))
    times = lake.read(found.name, [found.event_time], where=where)[found.event_time]
    return datetime.fromisoformat(str(times.max().compute()))


def usual_volume(counts: Mapping[date, int], *, first: date, as_of: datetime) -> Volume | None:
    """The last whole day before `as_of` beside its like; None where there are too few to compare.

    Its like are the same weekdays of the four weeks before or, where the table is younger
    (`first` is its first day), the seven days before; their median counts.
    """
    day = as_of.date() - timedelta(days=1)
    weekdays = [day - timedelta(weeks=n) for n in range(1, _WEEKS + 1)]
    days_before = [day - timedelta(days=n) for n in range(1, 8)]
    for like in (weekdays, days_before):
        # A day without rows is one with 0, once the table had begun.
        known = [counts.get(one, 0) for one in like if one >= first]
        if len(known) >= _FEWEST:
            return Volume(counts.get(day, 0), float(median(known)))
    return None


def _by_day(frame: Frame, time: str, backend: Backend) -> dict[date, int]:
    days = frame[time].dt.floor("D").astype("datetime64[us]")
    host = backend.to_host(days.astype("int64")).astype("datetime64[us]").astype("datetime64[D]")
    distinct, counts = np.unique(host, return_counts=True)
    return dict(zip(distinct.tolist(), counts.tolist(), strict=True))
