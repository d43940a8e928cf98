"""Backtest: where forecasts start, which model is chosen on what, and what is reported."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import panel_of
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.backtest import backtest, measure, naive_scale, window_origins
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.smoothing import exponential_smoothing

WEEK = np.array([2, 4, 6, 8, 10, 12, 14])


@pytest.mark.parametrize(
    ("periods", "horizon", "freq", "origins", "window"),
    [
        (400, 28, "D", (316, 344, 372, 400), 28),
        (400, 30, "D", (295, 330, 365, 400), 30),  # five weeks apart
        (400, 1, "D", (379, 386, 393, 400), 1),
        (60, 28, "D", (15, 30, 45, 60), 15),  # no room for windows of 28, nor for whole weeks
        (4, 28, "D", (1, 2, 3, 4), 1),
        (160, 13, "W", (121, 134, 147, 160), 13),
    ],
)
def test_windows_are_the_horizon_and_whole_weeks_apart_where_there_is_room(
    periods, horizon, freq, origins, window
) -> None:
    panel = panel_of(np.ones((1, periods)), freq)
    assert window_origins(panel, horizon=horizon, windows=3) == (origins, window)


@given(st.integers(4, 200), st.integers(1, 60), st.integers(2, 3))
@settings(deadline=None, max_examples=40)
def test_windows_lie_within_the_panel_and_do_not_overlap(periods, horizon, windows) -> None:
    panel = panel_of(np.ones((1, periods)))
    origins, window = window_origins(panel, horizon=horizon, windows=windows)
    assert 1 <= window <= horizon
    assert origins[0] >= 1
    assert origins[-1] == periods
    assert len(origins) == windows + 1
    assert min(np.diff(origins)) >= window


def test_a_panel_too_short_for_the_windows_is_refused() -> None:
    with pytest.raises(PanelError, match=r"3 periods is too short .* at least 4 periods"):
        backtest(panel_of([[1, 2, 3]]), horizon=7)


def test_smoothing_is_chosen_where_it_was_better_and_seasonal_naive_where_it_was_not(rng) -> None:
    noisy = rng.poisson(10, 140)
    same = np.tile(WEEK, 20)
    leaping = same + np.where(np.arange(140) < 70, 0, 300)  # which a level takes time to follow
    tested = backtest(panel_of([noisy, leaping, same]), horizon=28)
    assert tested.smooths.tolist() == [True, False, False]
    assert tested.error[0] < tested.naive_error[0]
    assert tested.error[1:].tolist() == tested.naive_error[1:].tolist()


def test_the_forecasts_are_those_of_the_chosen_model(rng) -> None:
    panel = panel_of([rng.poisson(10, 140), np.tile(WEEK, 20)])
    tested = backtest(panel, horizon=14)
    smoothed = exponential_smoothing(panel, origins=tested.origins, steps=14)
    assert tested.forecasts[:, 0].tolist() == smoothed[:, 0].tolist()
    naive = seasonal_naive(panel, origins=tested.origins, steps=14)[:, 1].tolist()
    assert tested.forecasts[:, 1].tolist() == naive


def test_the_last_window_has_no_say_in_the_choice_and_alone_is_reported(rng) -> None:
    y = rng.poisson(0.1, (40, 140))
    other = y.copy()
    other[:, 112:] += 50
    before, after = backtest(panel_of(y), horizon=28), backtest(panel_of(other), horizon=28)
    assert 0 < before.smooths.sum() < 40
    assert before.smooths.tolist() == after.smooths.tolist()
    assert before.forecasts[:3].tolist() == after.forecasts[:3].tolist()
    actual, made = other[:, 112:], after.forecasts[2]
    np.testing.assert_allclose(after.error, np.abs(actual - made).mean(axis=1))
    earlier = y.copy()
    earlier[:, 56:84] = 0
    assert backtest(panel_of(earlier), horizon=28).smooths.tolist() != before.smooths.tolist()


def test_a_window_that_the_first_state_was_taken_from_has_no_say(rng) -> None:
    """Smoothing would know there what it should forecast."""
    repeating, noisy = np.zeros((2, 140))
    repeating[40:56], repeating[56:] = 50, np.tile(WEEK, 12)
    noisy[40:] = rng.poisson(9, 100) + 1
    tested = backtest(panel_of([repeating, noisy]), horizon=28)
    assert tested.smooths.tolist() == [False, True]
    assert tested.known.T.tolist() == [[True, True, True], [False, True, True]]


def test_what_is_evaluated_is_the_same_demand_for_every_model(rng) -> None:
    old, young, unborn = rng.poisson(5, 84), rng.poisson(5, 84), np.zeros(84)
    young[:52] = 0
    young[52] = 3
    unborn[80:] = 9
    panel = panel_of([old, young, unborn])
    tested = backtest(panel, horizon=14)
    naive = seasonal_naive(panel, origins=(70,), steps=14)[0]
    assert set(tested.evaluation) == {"seasonal_naive", "smoothing", "chosen"}
    expected = measure(panel.y[:2, 70:], naive[:2], naive_scale(panel, 70)[:2])
    assert tested.evaluation["seasonal_naive"] == expected
    assert tested.smooths.tolist()[1:] == [False, False]
    # Nothing was known of the third: 0 was forecast of four days of 9 in a window of fourteen.
    assert tested.error[2] == tested.naive_error[2] == pytest.approx(4 * 9 / 14)
    assert tested.known[:, 2].tolist() == [False, False, False]


def test_a_weekday_without_trade_is_forecast_as_such_for_young_series_too(rng) -> None:
    y = rng.poisson(20, (30, 84)) + 1
    y[0, :80] = 0
    y[:, 6::7] = 0
    forecasts = backtest(panel_of(y), horizon=14).forecasts
    assert (forecasts[-1, :, 6::7] == 0).all()
    assert (forecasts[-1, 0, :6] > 0).all()


def test_metrics_are_those_of_a_worked_example() -> None:
    actual, forecast = np.array([[2, 4], [0, 0]]), np.array([[3, 2], [0, 1]])
    found = measure(actual, forecast, np.array([0.5, 0.0]))
    assert (found.mae, found.wape, found.mase, found.bias) == (1.0, 4 / 6, 3.0, 0.0)


def test_metrics_of_no_demand_are_not_a_number() -> None:
    found = measure(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1))
    assert found.mae == 1
    assert all(math.isnan(value) for value in (found.wape, found.mase, found.bias))


def test_the_scale_is_the_naive_error_one_season_ahead_since_the_first_sale() -> None:
    row = [0, 0, 1, 1, 1, 1, 1, 1, 1, 4, 0, 99]
    assert naive_scale(panel_of([row]), 11).tolist() == [(3 + 1) / 2]
    assert naive_scale(panel_of([row]), 9).tolist() == [0]


def test_a_rare_seller_is_forecast_by_its_mean_not_by_the_empty_week_before() -> None:
    y = np.zeros((1, 168))
    y[0, [7 * week + 2 for week in range(1, 24, 4)]] = 10.0  # never in a week before an origin
    tested = backtest(panel_of(y), horizon=28)
    assert tested.smooths.tolist() == [True]
    assert tested.naive_error[0] < tested.error[0]  # which absolute errors would have preferred
    assert tested.forecasts[-1].sum() == pytest.approx(10.0, rel=0.5)
