"""A stalled feed and one of half its size are seen; chance and closed days are not taken for it."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from quality_tables import put

from gpu_pipeline.contracts import contract
from gpu_pipeline.quality.promises import (
    Volume,
    day_counts,
    latest_event,
    usual_volume,
)
from gpu_pipeline.store import Lake

NOON = datetime(2026, 3, 4, 12)  # noqa: DTZ001
YESTERDAY = date(2026, 3, 3)
CLICKS = contract("clickstream")


def test_the_days_of_five_weeks_are_counted_up_to_the_moment(lake: Lake) -> None:
    times = ["2026-03-04 11:00", "2026-03-04 13:00", "2026-03-03 00:00", "2026-03-03 23:59:59"]
    put(lake, "clickstream", [{"occurred_at": time} for time in [*times, "2025-12-01"]])
    assert day_counts(lake, CLICKS, as_of=NOON) == {date(2026, 3, 4): 1, YESTERDAY: 2}


def test_the_latest_event_is_not_later_than_the_moment(lake: Lake) -> None:
    put(lake, "clickstream", [{"occurred_at": t} for t in ("2026-03-01", "2026-03-05")])
    assert latest_event(lake, CLICKS, as_of=NOON) == datetime(2026, 3, 1)  # noqa: DTZ001
    assert latest_event(lake, CLICKS, as_of=NOON + timedelta(days=9)) == datetime(2026, 3, 5)  # noqa: DTZ001
    assert latest_event(lake, CLICKS, as_of=datetime(2026, 2, 1)) is None  # noqa: DTZ001


def test_a_day_is_held_against_the_same_weekdays() -> None:
    weeks = {YESTERDAY - timedelta(weeks=n): rows for n, rows in enumerate([40, 100, 110, 90, 500])}
    others = {YESTERDAY - timedelta(days=n): 10 for n in range(1, 7)}
    volume = usual_volume({**others, **weeks}, first=date(2026, 1, 1), as_of=NOON)
    assert volume == Volume(40, 105)
    assert volume.is_below(0.5)


def test_a_young_table_is_held_against_the_days_before() -> None:
    counts = {YESTERDAY - timedelta(days=n): rows for n, rows in enumerate([9, 30, 40, 50])}
    assert usual_volume(counts, first=date(2026, 2, 28), as_of=NOON) == Volume(9, 40)
    assert usual_volume(counts, first=date(2026, 3, 1), as_of=NOON) is None


def test_a_day_that_is_always_closed_is_no_fault() -> None:
    counts = {YESTERDAY - timedelta(days=n): 100 for n in range(40) if n % 7}
    volume = usual_volume(counts, first=date(2026, 1, 1), as_of=NOON)
    assert volume == Volume(0, 0)
    assert not volume.is_below(0.5)


@pytest.mark.parametrize(
    ("rows", "usual", "is_below"),
    [(0, 3, False), (0, 10, True), (4, 10, False), (49, 100, True), (50, 100, False)],
)
def test_what_chance_explains_is_no_fault(rows: int, usual: float, is_below: bool) -> None:
    assert Volume(rows, usual).is_below(0.5) is is_below


def test_feeds_as_they_are_raise_no_alarm_and_halved_ones_do() -> None:
    rng = np.random.default_rng(0)
    days = [YESTERDAY - timedelta(days=n) for n in range(35)]
    mean = {day: 400 if day.weekday() < 5 else 700 for day in days}
    alarms = {1.0: 0, 0.4: 0}
    for _ in range(500):
        counts = {day: int(rng.poisson(mean[day])) for day in days}
        for factor in alarms:
            seen = {**counts, YESTERDAY: int(rng.poisson(mean[YESTERDAY] * factor))}
            volume = usual_volume(seen, first=days[-1], as_of=NOON)
            assert volume is not None
            alarms[factor] += volume.is_below(0.5)
    assert alarms == {1.0: 0, 0.4: 500}
