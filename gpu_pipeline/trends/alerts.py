"""Alerts: what the watching found, as rows that say since when, how large and how unlikely."""

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.evidence import CHANGES, Counts, Usual, log_evidence
from gpu_pipeline.trends.panel import Block, Panel
from gpu_pipeline.trends.watching import DAYS_PER_YEAR, SETTLED_DAYS, Event, Watch

__all__ = ["alert_rows"]

_MOST_YEARS = 1e9
NO_EXAMPLES = "[]"


def alert_rows(panel: Panel, block: Block, found: Watch) -> list[dict[str, Any]]:
    """A row of contract `trend_alerts` for each event of a block, without examples."""
    return [_row(panel, block, event, found) for event in found.events]


def _row(panel: Panel, block: Block, event: Event, found: Watch) -> dict[str, Any]:
    counts = _Days.of(block, found, event.product, event.series)
    gain = counts.gain(event.change)
    since = _start(gain, event.detected)
    until = panel.days - 1
    if event.closed is not None:
        until = event.closed
        if event.closed_as == "back":  # the days of the return are no part of it
            until = max(_start(-gain, event.closed) - 1, since)
    day = panel.first_day
    people = counts.people[since : until + 1].sum()
    exposed = counts.expected[since : until + 1].sum()
    return {
        "product_id": panel.products[block.first + event.product],
        "aspect": panel.series[event.series],
        "kind": CHANGES[event.change].kind,
        "opened_at": day + timedelta(days=since),
        "detected_at": day + timedelta(days=event.detected),
        "closed_at": day + timedelta(days=event.closed) if event.closed is not None else pd.NaT,
        "closed_as": event.closed_as,
        "people": int(people),
        "negative_share": counts.negative[since : until + 1].sum() / max(people, 1),
        "usual_negative_share": float(counts.usual_negative[since]),
        "positive_share": counts.positive[since : until + 1].sum() / max(people, 1),
        "usual_positive_share": float(counts.usual_positive[since]),
        "people_a_day": people / (until - since + 1),
        "usual_people_a_day": exposed / (until - since + 1),
        "years_between_chance_alarms": min(event.evidence / DAYS_PER_YEAR, _MOST_YEARS),
        "examples": NO_EXAMPLES,
    }


class _Days:
    """One series' counts and its usual, day by day, on the host."""

    def __init__(self, counts: Counts, usual: Usual, is_known: Array) -> None:
        self._counts, self._usual, self._is_known = counts, usual, is_known
        self.people, self.negative, self.positive = counts.people, counts.negative, counts.positive
        self.expected = usual.expected
        self.usual_negative, self.usual_positive = usual.negative, usual.positive

    @classmethod
    def of(cls, block: Block, found: Watch, product: int, series: int) -> "_Days":
        def usual(name: str) -> Array:
            return np.array([float(getattr(day, name)[product, series]) for day in found.usual])

        own = (slice(None), product, series)
        counts = Counts(
            block.counts.people[own], block.counts.negative[own], block.counts.positive[own]
        )
        names = ("expected", "size", "negative", "positive", "known_people")
        age = np.arange(len(counts.people)) - block.first_day[product]
        return cls(counts, Usual(*(usual(name) for name in names)), age >= SETTLED_DAYS)

    def gain(self, change: int) -> Array:
        """Each day's evidence for the change."""
        host = Backend.choose("cpu")
        found: Array = log_evidence(self._counts, self._usual, self._is_known, host)[:, change]
        return found


def _start(gain: npt.NDArray[Any], until: int) -> int:
    """The day from which on, up to `until`, there is most evidence; of the last four weeks."""
    first = max(0, until - SETTLED_DAYS)
    behind = np.cumsum(gain[first : until + 1][::-1])[::-1]
    return first + int(behind.argmax())
