"""Lags: features against a slow twin of one row, and nothing known that is not yet."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import CPU, MONDAY, frame_of, panel_of
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.calendar import Calendar
from gpu_pipeline.forecasting.lags import SHAPES, LagTable

_BEFORE_CALENDAR = {"D": 4 + 2 + 3 + 4 + 2, "W": 2 + 2 + 3 + 4 + 2}


def shop(freq="D", periods: int = 860) -> Panel:
    """Three series, one of them young; a price of each and a discount for all; two groups."""
    rng = np.random.default_rng(7)
    y = rng.poisson([[4], [30], [9]], (3, periods))
    y[2, : periods - 60] = 0
    y[2, periods - 60] = 5
    frame = frame_of(y, freq)
    frame["price"] = rng.uniform(1, 3, len(frame))
    frame["discount"] = frame["ds"].dt.day.mod(5).astype("float64")
    frame["group"] = frame["unique_id"].map({"s000": "a", "s001": "b", "s002": "a"})
    return Panel.from_frame(
        frame, freq=freq, backend=CPU, known_ahead=["price", "discount"], static=["group"]
    )


def row_of(panel: Panel, series: int, period: int, lag: int) -> tuple[np.ndarray, float]:
    periods = panel.y.shape[1]
    calendar, is_open = Calendar.of(panel, periods=periods), panel.open_periods()
    table = LagTable(panel, calendar, origin=periods, first_row=None, is_open=is_open)
    features, level = table.rows(np.array([series]), np.array([period]), lag=lag)
    return features[0], float(level[0])


def demand_slowly(panel: Panel, series: int, period: int, lag: int) -> list[float]:
    """The features of demand, one period looked up after the other."""
    y, first = pd.Series(panel.y[series].astype("float64")), int(panel.first[series])
    shape, seen, cycle = SHAPES[panel.freq], period - lag, panel.cycle

    def lived(until: int, window: int) -> "pd.Series[float]":
        return y.loc[max(first, until - window + 1) : until]

    def level_at(until: int) -> float:
        part = lived(until, shape.level)
        return float((part.sum() + 0.5) / len(part))

    level = level_at(seen)
    alike = [at for at in range(seen, -9 * cycle, -1) if (period - at) % cycle == 0]
    same = [y[at] / level if at >= first else 1.0 for at in alike[: shape.same]]
    half = shape.same // 2
    latest = [y[seen - back] / level if seen - back >= first else 1.0 for back in range(3)]
    means = [lived(seen, window).mean() / level for window in shape.means]
    years = 1
    while period - years * shape.year + cycle // 2 > seen:
        years += 1
    before, then = period - years * shape.year, seen - years * shape.year
    year = [1.0, 1.0]
    if then - shape.level >= first:
        around = y.loc[before + cycle // 2 - cycle + 1 : before + cycle // 2].mean()
        year = [y[before] / level_at(then), around / level_at(then)]
    averages = [float(np.mean(same[:half])), float(np.mean(same))]
    return [*same[:half], *averages, *latest, *means, *year]


@pytest.mark.parametrize(
    ("freq", "series", "period", "lag"),
    [
        ("D", 0, 859, 1),
        ("D", 0, 850, 7),
        ("D", 1, 855, 28),
        ("D", 1, 700, 30),
        ("D", 1, 420, 14),  # a year before, the series was young
        ("D", 1, 858, 371),  # a year before is not known yet: two are
        ("D", 2, 858, 7),  # younger than most windows
        ("W", 0, 300, 4),
        ("W", 1, 299, 53),
        ("W", 2, 299, 13),
    ],
)
def test_features_of_demand_are_those_of_a_slow_twin(freq, series, period, lag) -> None:
    panel = shop(freq, 860 if freq == "D" else 301)
    features, level = row_of(panel, series, period, lag)
    expected = demand_slowly(panel, series, period, lag)
    assert len(expected) == _BEFORE_CALENDAR[freq]
    np.testing.assert_allclose(features[: len(expected)], expected, rtol=1e-5)
    begin = max(panel.first[series], period - lag - SHAPES[freq].level + 1)
    recent = panel.y[series, begin : period - lag + 1]
    assert level == pytest.approx((recent.sum() + 0.5) / len(recent))


def test_what_is_known_of_the_period_is_told_and_numbers_beside_what_they_were() -> None:
    panel = shop()
    features, _ = row_of(panel, 1, 855, 7)
    price, discount = panel.known.values
    place = _BEFORE_CALENDAR["D"]
    assert features[place : place + 3].tolist() == [
        (MONDAY + pd.Timedelta(days=855)).weekday(),
        (MONDAY + pd.Timedelta(days=855)).day,
        (MONDAY + pd.Timedelta(days=855)).month,
    ]
    expected = [price[1, 855], price[1, 855] / price[1, 848], discount[0, 855], 1]
    np.testing.assert_allclose(features[place + 3 :], expected, rtol=1e-6)  # 1: group b


def test_a_series_is_told_apart_by_its_number_where_that_is_wanted() -> None:
    panel = shop()
    calendar = Calendar.of(panel, periods=860)
    some, is_open = panel.rows(slice(1, 3)), panel.open_periods()
    table = LagTable(some, calendar, origin=860, first_row=1, is_open=is_open)
    features, _ = table.rows(np.array([0, 1]), np.array([850, 850]), lag=7)
    without, _ = row_of(panel, 1, 850, 7)
    assert features[:, -1].tolist() == [1, 2]
    np.testing.assert_array_equal(features[0, :-1], without)


def test_a_closed_day_looks_like_the_week_before(rng) -> None:
    y = rng.poisson(20, (40, 120)) + 1
    y[:, 110] = 0
    usual = y.copy()
    usual[:, 110] = y[:, 103]
    closed, opened = (row_of(panel_of(one), 3, 118, 7)[0] for one in (y, usual))
    np.testing.assert_allclose(closed, opened)


@given(
    st.sampled_from(["D", "W"]),
    st.integers(0, 2),
    st.integers(1, 70),
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=40)
def test_no_demand_within_the_lag_is_known(freq, series, lag, back, seed) -> None:
    panel = shop(freq, 500)
    period = 499 - back
    y = panel.y.copy()
    y[:, period - lag + 1 :] = np.random.default_rng(seed).poisson(50, (3, 499 - period + lag))
    other = replace(panel, y=y)
    before, after = (row_of(one, series, period, lag) for one in (panel, other))
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_the_last_demand_that_is_known_matters() -> None:
    panel = shop()
    y = panel.y.copy()
    y[0, 843] += 7
    before, after = (row_of(one, 0, 850, 7)[0] for one in (panel, replace(panel, y=y)))
    assert (before != after).any()
