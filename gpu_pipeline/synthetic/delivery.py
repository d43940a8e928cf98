"""Deliveries: which landing file each row goes to, all in one or a folder a day."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import Ints, Rng
from gpu_pipeline.synthetic.identifiers import Planted
from gpu_pipeline.synthetic.span import Span

_LATE_SHARE = 0.004  # of events; of these a tenth comes beyond the horizon
_LATE_DAYS, _TOO_LATE_DAYS = (1, 34), (37, 61)
_LATE_SOURCES = ("clickstream",)


@dataclass(frozen=True)
class Feed:
    """A source's rows as texts, each with the moment from which its source knows it."""

    source: str
    table: pa.Table
    at: Ints
    planted: Planted | None = None

    def __len__(self) -> int:
        return self.table.num_rows

    def take(self, rows: Ints) -> Self:
        """These rows, copied."""
        planted = self.planted.take(rows) if self.planted is not None else None
        table = self.table.take(pa.array(rows))
        return replace(self, table=table, at=self.at[rows], planted=planted)


@dataclass(frozen=True)
class Delivery:
    """A feed in order of delivery: the day on which each row comes, and how late that is.

    `flaw` is a code into the flaws that the source may have, -1 for none.
    """

    feed: Feed
    day: Ints  # since the opening; 0 for all where there is one delivery
    days_late: Ints
    flaw: Ints

    def take(self, rows: Ints) -> Self:
        """These rows, copied."""
        return type(self)(
            self.feed.take(rows), self.day[rows], self.days_late[rows], self.flaw[rows]
        )

    def files(self) -> list[tuple[int, int, int]]:
        """(day, first row, row after the last) of each file."""
        days, first = np.unique(self.day, return_index=True)
        if not len(days):
            return []
        ends = [*first[1:].tolist(), len(self.day)]
        return list(zip(days.tolist(), first.tolist(), ends, strict=True))


def whole(feed: Feed) -> Delivery:
    """All rows in one delivery, as they stand."""
    nothing = np.zeros(len(feed), np.int64)
    return Delivery(feed, nothing, nothing, nothing - 1)


def daily(feed: Feed, span: Span, rng: Rng) -> Delivery:
    """Each row on its day, a few events days or weeks later."""
    day, late = span.day_of(feed.at), np.zeros(len(feed), np.int64)
    if feed.source in _LATE_SOURCES:
        draw = rng.random(len(feed))
        late = np.where(draw < _LATE_SHARE, rng.integers(*_LATE_DAYS, len(feed)), 0)
        beyond = draw < _LATE_SHARE / 10
        late = np.where(beyond, rng.integers(*_TOO_LATE_DAYS, len(feed)), late)
        late[day + late >= span.days] = 0
    rows = np.argsort(day + late, kind="stable")
    return replace(whole(feed.take(rows)), day=(day + late)[rows], days_late=late[rows])
