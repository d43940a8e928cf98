"""Calendar: dates against pandas, distances from events against brute force."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import CPU, frame_of, panel_of
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.calendar import REACH, Calendar, event_distances, shown_events


def with_events(names: list[str | None], *, freq="D", series: int = 2) -> Panel:
    """A panel of as many periods, the events of which are `names`."""
    frame = frame_of(np.ones((series, len(names))), freq)
    frame["event"] = pd.Series(names * series, dtype="str")
    return Panel.from_frame(frame, freq=freq, backend=CPU, known_ahead=["event"])


def figures(panel: Panel, periods: int) -> dict[str, list[float]]:
    calendar = Calendar.of(panel, periods=periods)
    return dict(zip(calendar.names, calendar.values.tolist(), strict=True))


def test_dates_are_those_of_pandas() -> None:
    found = figures(panel_of(np.ones((1, 800))), 800)
    days = pd.date_range("2026-01-05", periods=800)
    assert set(found) == {"weekday", "day_of_month", "month"}
    assert found["weekday"] == days.weekday.tolist()
    assert found["day_of_month"] == days.day.tolist()
    assert found["month"] == days.month.tolist()


def test_weeks_have_a_place_in_the_year_and_no_weekday() -> None:
    found = figures(panel_of(np.ones((1, 120)), "W"), 120)
    weeks = pd.date_range("2026-01-05", periods=120, freq="7D")
    assert set(found) == {"day_of_month", "month", "week_of_year"}
    assert found["week_of_year"] == ((weeks.dayofyear - 1) // 7).tolist()


@given(arrays("int64", st.integers(1, 60), elements=st.integers(-1, 2)))
@settings(deadline=None, max_examples=60)
def test_distances_are_those_from_the_nearest_event(codes) -> None:
    when = [time for time, code in enumerate(codes) if code == 1]
    for time, found in enumerate(event_distances(codes, 1)):
        nearest = min((abs(time - at) for at in when), default=REACH)
        assert abs(found) == min(nearest, REACH)
        if 0 < nearest < REACH:
            assert time - found in when


def test_an_event_is_felt_before_and_after_it() -> None:
    names = [None] * 10 + ["fair"] + [None] * 29
    found = figures(with_events(names), 40)["event=fair"]
    assert found[8:13] == [-2, -1, 0, 1, 2]
    assert (found[0], found[39]) == (-8, 8)


def test_the_next_and_the_last_of_any_events_are_told() -> None:
    names = [None, None, "fair", None, "sale", None, None]
    found = figures(with_events(names), 7)
    assert found["event: until"] == [2, 1, 0, 1, 0, 16, 16]
    assert found["event: since"] == [16, 16, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("periods", [5, 12, 20, 24])
def test_the_figures_are_the_same_ones_whatever_is_asked_for(periods: int) -> None:
    """Else what was learnt of one event would be taken for another's."""
    names = [*["rare", None, "often", None] * 2, "often", *[None] * 9, "late", None]
    panel = with_events(names)
    longer = replace(
        panel, known=replace(panel.known, values=(np.pad(panel.known.values[0], ((0, 0), (0, 4))),))
    )
    found = Calendar.of(longer, periods=periods)
    assert found.names == Calendar.of(panel, periods=20).names
    assert found.values.shape == (len(found.names), periods)
    assert [name for name in found.names if "=" in name] == [
        "event=often", "event=rare", "event=late"
    ]  # fmt: skip


def test_the_events_on_most_dates_are_looked_at() -> None:
    panel = with_events(["a", "b", "b", None, "c", "c", "c"])
    categories = panel.known.categories["event"]
    assert [categories[code] for code in shown_events(panel, "event", most=2)] == ["c", "b"]


def test_text_that_differs_between_series_or_is_always_there_is_no_event() -> None:
    frame = frame_of(np.ones((2, 20)))
    frame["shelf"] = np.where((frame["unique_id"] == "s000") & (frame.index == 3), "top", None)
    frame["mood"] = "good"
    frame["price"] = 3.0
    known = ["shelf", "mood", "price"]
    panel = Panel.from_frame(frame, freq="D", backend=CPU, known_ahead=known)
    assert set(figures(panel, 20)) == {"weekday", "day_of_month", "month"}
