"""Seasonal naive: the last season again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting.naive import seasonal_naive


def test_the_last_season_comes_again_and_again() -> None:
    panel = panel_of([[9, 1, 2, 3, 4, 5, 6, 7]])
    forecast = seasonal_naive(panel, origins=(8,), steps=9)[0]
    assert forecast.tolist() == [[1, 2, 3, 4, 5, 6, 7, 1, 2]]


def test_a_season_of_weekly_data_is_a_year() -> None:
    panel = panel_of([range(1, 61)], "W")
    assert seasonal_naive(panel, origins=(60,), steps=2)[0].tolist() == [[9, 10]]


def test_a_young_series_gets_its_mean_with_two_empty_periods_thought_of() -> None:
    panel = panel_of([[0, 0, 0, 0, 0, 0, 0, 4, 4, 2]])
    assert seasonal_naive(panel, origins=(10,), steps=2)[0].tolist() == [[2, 2]]
    assert seasonal_naive(panel, origins=(7,), steps=1)[0].tolist() == [[0]]
    assert seasonal_naive(panel, origins=(3,), steps=1)[0].tolist() == [[0]]


def test_what_came_back_is_no_forecast() -> None:
    assert seasonal_naive(panel_of([[-3] * 7]), origins=(7,), steps=1)[0].tolist() == [[0]]


def test_several_origins_are_as_each_alone(rng) -> None:
    panel = panel_of(rng.poisson(4, (3, 40)))
    both = seasonal_naive(panel, origins=(20, 33), steps=10)
    for made, origin in zip(both, (20, 33), strict=True):
        np.testing.assert_array_equal(made, seasonal_naive(panel, origins=(origin,), steps=10)[0])


def test_a_day_without_trade_is_no_forecast_the_same_day_before_is() -> None:
    y = np.arange(1, 36) + np.zeros((25, 1))
    y[:, [21, 28, 30]] = 0
    panel = panel_of(y)
    assert not panel.open_periods()[[21, 28, 30]].any()
    forecast = seasonal_naive(panel, origins=(35,), steps=7)[0, 0]
    assert forecast.tolist() == [15, 30, 24, 32, 33, 34, 35]


@given(arrays("float64", (3, 30), elements=st.integers(0, 9)), st.integers(1, 29))
@settings(deadline=None, max_examples=30)
def test_nothing_from_the_origin_on_is_used(y: np.ndarray, origin: int) -> None:
    known = y.copy()
    known[:, origin:] = 7
    begun = (y[:, :origin] != 0).any(axis=1)
    full = seasonal_naive(panel_of(y), origins=(origin,), steps=9)[0]
    assert (
        full[begun].tolist()
        == seasonal_naive(panel_of(known), origins=(origin,), steps=9)[0][begun].tolist()
    )
