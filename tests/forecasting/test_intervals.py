"""Intervals: p10, p50 and p90 from the errors of the backtest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting.backtest import backtest
from gpu_pipeline.forecasting.intervals import (
    _conformal,
    _kinds,
    _offsets,
    quantile_forecasts,
    spread,
)


def quantiles_of(y: np.ndarray, *, horizon: int) -> np.ndarray:
    panel = panel_of(y)
    return quantile_forecasts(panel, backtest(panel, horizon=horizon))


@given(
    st.integers(4, 60).flatmap(
        lambda periods: arrays("float64", (3, periods), elements=st.integers(-3, 9))
    ),
    st.integers(1, 20),
)
@settings(deadline=None, max_examples=40)
def test_quantiles_of_any_panel_are_ordered_and_not_negative(y: np.ndarray, horizon: int) -> None:
    low, middle, high = quantiles_of(y, horizon=horizon)
    assert (low >= 0).all()
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert np.isfinite(high).all()


@pytest.mark.parametrize("mean", [0.3, 20.0])
def test_four_of_five_days_to_come_lie_between_p10_and_p90(mean: float, rng) -> None:
    """Whole numbers that are rare may well equal a bound: then there are more than four."""
    levels = mean * rng.gamma(4, 0.25, (600, 1))
    y = rng.poisson(levels, (600, 168))
    low, middle, high = quantiles_of(y[:, :140], horizon=28)
    to_come = y[:, 140:]
    inside = (low <= to_come) & (to_come <= high)
    assert 0.77 <= inside.mean() <= (0.83 if mean > 1 else 0.95)
    assert (to_come < low).mean() <= 0.12
    assert (to_come > high).mean() <= 0.12
    assert 0.47 <= (to_come <= middle).mean() <= (0.53 if mean > 1 else 0.95)


def test_weekdays_that_are_surer_have_narrower_intervals(rng) -> None:
    unsure = np.where(np.arange(140) % 7 == 2, 15, 1)
    y = np.maximum(40 + rng.normal(0, 1, (50, 140)) * unsure, 1).round()
    low, _, high = quantiles_of(y, horizon=14)
    width = (high - low).mean(axis=0)
    assert width[[2, 9]].min() > 5 * np.delete(width, [2, 9]).max()


def test_a_series_of_a_few_days_has_an_interval_from_what_others_taught(rng) -> None:
    y = rng.poisson(6, (80, 140))
    y[0, :138] = 0
    y[0, 138:] = 8
    low, _, high = quantiles_of(y, horizon=14)
    assert (high[0] > low[0]).all()
    assert (high[0] > 4).all()


def test_each_kind_of_series_has_the_intervals_of_its_own_errors(rng) -> None:
    y = rng.poisson(30, (400, 168))
    y[:300] = rng.geometric(0.2, (300, 168)) * (rng.random((300, 168)) < 0.1)
    low, _, high = quantiles_of(y[:, :140], horizon=28)
    inside = (low <= y[:, 140:]) & (y[:, 140:] <= high)
    assert 0.77 <= inside[300:].mean() <= 0.84


def test_series_are_alike_by_model_and_by_how_often_they_are_sold_in_their_life(rng) -> None:
    noisy, same, rare, young, newborn = rng.poisson(9, 140), np.ones(140), *np.zeros((3, 140))
    rare[[0, 100]] = 1
    young[-19:] = 1
    newborn[-3:] = 1
    panel = panel_of([noisy, same, rare, young, newborn])
    tested = backtest(panel, horizon=14)
    assert _kinds(panel, tested, 140).tolist() == [7, 3, 0, 3, 8]
    assert _kinds(panel, tested, 126).tolist() == [7, 3, 0, 8, 8]


def test_the_only_one_of_its_kind_borrows_what_all_others_taught(rng) -> None:
    y = rng.poisson(30, (80, 140))
    y[0] = rng.poisson(30, 140) * (np.arange(140) % 7 == 0)
    panel = panel_of(y)
    tested = backtest(panel, horizon=7)
    above = quantile_forecasts(panel, tested)[2] - tested.forecasts[-1]
    above /= spread(panel, 140)[:, None]
    other = np.flatnonzero(tested.smooths[1:])[0] + 1
    np.testing.assert_allclose(above[0], above[other], rtol=0.1)


def test_a_panel_of_one_short_series_still_has_intervals() -> None:
    low, middle, high = quantiles_of(np.array([[3, 0, 5, 1, 4]]), horizon=7)
    assert (high > middle).all()
    assert low.shape == (1, 7)


def test_intervals_are_in_the_unit_of_the_series(rng) -> None:
    y = rng.poisson(3, (30, 100))
    np.testing.assert_allclose(
        quantiles_of(y * 1000, horizon=7), 1000 * quantiles_of(y, horizon=7), rtol=1e-6
    )


def test_a_closed_weekday_is_certain(rng) -> None:
    y = rng.poisson(20, (30, 100)) + 1
    y[:, 5::7] = 0
    is_saturday = (100 + np.arange(30)) % 7 == 5
    quantiles = quantiles_of(y, horizon=30)
    assert (quantiles[:, :, is_saturday] == 0).all()
    assert (quantiles[2][:, ~is_saturday] > 0).all()


def test_steps_beyond_the_windows_are_as_unsure_as_the_last_of_their_weekday(rng) -> None:
    y = rng.poisson(9, (50, 60))
    panel = panel_of(y)
    tested = backtest(panel, horizon=40)
    assert tested.window == 15
    quantiles = quantile_forecasts(panel, tested)
    above = quantiles[2] - tested.forecasts[-1]
    np.testing.assert_allclose(above[:, 15:36], above[:, [*range(8, 15)] * 3])


def test_quantiles_of_errors_are_rounded_outward(rng) -> None:
    errors = rng.permutation(np.arange(1.0, 10.0))[:, None]
    assert _conformal(errors, panel_of([[1]])).ravel().tolist() == [1, 5, 9]
    errors = rng.permutation(np.arange(1.0, 100.0))[:, None]
    assert _conformal(errors, panel_of([[1]])).ravel().tolist() == [10, 50, 90]


def test_few_errors_are_pooled_by_weekday_then_altogether_and_fewer_are_not_trusted() -> None:
    by_weekday = np.tile(np.arange(7.0), 4)
    panel = panel_of([[1]])
    assert _offsets(np.tile(by_weekday, (8, 1)), panel)[1].tolist() == by_weekday.tolist()
    assert set(_offsets(np.tile(by_weekday, (2, 1)), panel)[1].tolist()) == {3.0}
    assert _offsets(np.ones((8, 1)), panel).ravel().tolist() == [-1.2816, 0.0, 1.2816]
    assert _offsets(np.ones((9, 1)), panel).ravel().tolist() == [1, 1, 1]


def test_the_spread_is_of_the_last_periods_and_borrowed_where_there_are_too_few() -> None:
    steady = np.tile([2.0, 4.0], 50)
    steady[:44] = 100  # more than 56 days ago
    young = np.zeros(100)
    young[97:] = [3, 6, 9]
    assert spread(panel_of([steady, young]), 100).tolist() == pytest.approx([1, 6 / 3])
