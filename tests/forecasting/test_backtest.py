"""Backtest: where forecasts start, what each of them knows, and what is reported."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panels import CPU, MONDAY, panel_of
from forecasting.planted_shop import KNOWN_AHEAD, planted_shop
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting import Panel, regression
from gpu_pipeline.forecasting.backtest import COMBINATION, Backtest, backtest, window_origins
from gpu_pipeline.forecasting.candidates import NAIVE
from gpu_pipeline.forecasting.metrics import measure, naive_scale
from gpu_pipeline.forecasting.naive import seasonal_naive

WEEK = np.array([2, 4, 6, 8, 10, 12, 14])


def weight_of(tested: Backtest, *models: str) -> np.ndarray:
    return tested.weights[:, [tested.models.index(name) for name in models]].sum(axis=1)


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


@given(st.integers(5, 200), st.integers(1, 60), st.integers(2, 4))
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
    with pytest.raises(PanelError, match=r"3 periods is too short .* at least 5 periods"):
        backtest(panel_of([[1, 2, 3]]), horizon=7)


def test_models_that_were_better_get_the_weight_and_the_combination_is_better_for_it(rng) -> None:
    tested = backtest(panel_of(rng.poisson(10, (60, 168))), horizon=28, regress=False)
    assert weight_of(tested, NAIVE).max() < 0.1
    metrics = tested.evaluation()
    assert metrics[COMBINATION].rmsse < 0.8 * metrics[NAIVE].rmsse
    assert metrics[COMBINATION].rmsse < 1.01 * min(one.rmsse for one in metrics.values())


def test_what_was_exact_in_all_windows_gets_all_the_weight_whatever_alike_series_say(rng) -> None:
    y = rng.poisson(10, (40, 140))
    y[:2] = np.tile(WEEK, 20)
    tested = backtest(panel_of(y), horizon=14, regress=False)
    exact = [
        name
        for name, made in tested.candidates.past.items()
        if abs(made[:, 0] - np.tile(WEEK, 2)).max() < 0.01
    ]
    assert NAIVE in exact
    assert weight_of(tested, *exact)[:2] == pytest.approx([1, 1])
    np.testing.assert_allclose(tested.forecasts[-1, 0], np.tile(WEEK, 2), atol=0.01)
    assert weight_of(tested, NAIVE)[2:].max() < 0.2


def test_where_nothing_is_better_than_seasonal_naive_it_gets_all_the_weight(rng) -> None:
    """Weeks of which each is the last one and something new."""
    weeks = 500 + rng.normal(0, 20, (3, 24, 7)).cumsum(axis=1)
    panel = panel_of(weeks.reshape(3, -1))
    tested = backtest(panel, horizon=7, windows=3, regress=False)
    metrics = tested.evaluation()
    assert min(metrics, key=lambda name: metrics[name].rmsse) in (NAIVE, COMBINATION)
    assert weight_of(tested, NAIVE).tolist() == [1, 1, 1]
    naive = tested.candidates.past[NAIVE]
    np.testing.assert_array_equal(tested.forecasts, naive)


def test_the_forecasts_are_the_weighted_sums_of_the_models(rng) -> None:
    panel = panel_of([rng.poisson(10, 140), np.tile(WEEK, 20)])
    tested = backtest(panel, horizon=14, regress=False)
    ends = tested.candidates.at_the_end(panel)
    slowly = np.zeros((2, 14))
    for series in range(2):
        for place, name in enumerate(tested.models):
            slowly[series] += tested.weights[series, place] * ends[name][series]
    finished = tested.finished(panel)
    np.testing.assert_allclose(finished.forecasts[-1], slowly, rtol=1e-5)
    assert finished.forecasts[:-1].tolist() == tested.forecasts.tolist()
    assert (finished.origins, finished.window) == (tested.origins, tested.window)
    assert [tested.models[place] for place in tested.choice] == [
        tested.models[int(row.argmax())] for row in tested.weights
    ]


def test_no_forecast_and_no_weight_knows_the_window_that_it_is_judged_by(monkeypatch) -> None:
    """Demand, which days had stock and how often a series is sold change in the last window."""
    monkeypatch.setattr(regression, "_FEWEST_ROWS", 100)
    shop = planted_shop(np.random.default_rng(5), series=12, days=140)
    panel = Panel.from_frame(shop, freq="D", backend=CPU, known_ahead=KNOWN_AHEAD)
    y, observed = panel.y.copy(), panel.observed.copy()
    y[::2, 126:], y[1::2, 126:] = 3 * y[::2, 126:] + 50, 0
    observed[:4, 130:] = ~observed[:4, 130:]
    other = replace(panel, y=y, observed=observed)
    before, after = (backtest(one, horizon=14, windows=3) for one in (panel, other))
    assert before.origins[-2] == 126
    assert "boosted_trees" in before.models
    for name in before.models:
        np.testing.assert_array_equal(before.candidates.past[name], after.candidates.past[name])
    np.testing.assert_array_equal(before.forecasts[-1], after.forecasts[-1])
    # Whereas earlier windows and the future are forecast by weights that it taught.
    assert abs(before.forecasts[0] - after.forecasts[0]).max() > 0.01
    assert abs(before.weights - after.weights).max() > 0.01


def test_errors_are_those_of_the_last_window_on_what_was_observed(rng) -> None:
    y = rng.poisson(9, (3, 84)).astype("float64")
    observed = np.ones((3, 84), dtype=bool)
    observed[0, 75:80] = False
    panel = Panel.from_matrix([*"abc"], y, start=MONDAY, freq="D", backend=CPU, observed=observed)
    tested = backtest(panel, horizon=14, regress=False)
    naive = seasonal_naive(panel, origins=(70,), steps=14)[0]
    for made, found in zip((tested.forecasts[-1], naive), tested.errors(), strict=True):
        expected = [
            abs(y[i, 70:] - made[i])[observed[i, 70:]].sum() / observed[i, 70:].sum()
            for i in range(3)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_evaluated_is_the_same_demand_for_every_model(rng) -> None:
    old, young, unborn = rng.poisson(5, 84), rng.poisson(5, 84), np.zeros(84)
    young[:52] = 0
    young[52] = 3
    unborn[80:] = 9
    panel = panel_of([old, young, unborn])
    tested = backtest(panel, horizon=14, windows=3)
    assert set(tested.evaluation()) == {*tested.models, COMBINATION}
    for window, origin in enumerate((42, 56, 70)):
        alive = [0, 1] if origin > 52 else [0]
        naive = seasonal_naive(panel, origins=(origin,), steps=14)[0][alive]
        actual = panel.y[alive, origin : origin + 14]
        expected = measure(actual, naive, naive_scale(panel, origin)[alive])
        found = tested.evaluation(window)[NAIVE]
        assert (found.mae, found.mase) == (expected.mae, expected.mase)
    assert tested.evaluation(2) == tested.evaluation()
    # Nothing was known of the third: 0 was forecast of the four days of its life.
    error, naive_error = tested.errors()
    assert error[2] == naive_error[2] == 9
    assert tested.finished(panel).known.T.tolist() == [
        [True, True, True],
        [False, True, True],
        [False, False, False],
    ]


def test_a_weekday_without_trade_is_forecast_as_such_for_young_series_too(rng) -> None:
    y = rng.poisson(20, (30, 84)) + 1
    y[0, :80] = 0
    y[:, 6::7] = 0
    panel = panel_of(y)
    forecasts = backtest(panel, horizon=14, windows=3).finished(panel).forecasts
    assert (forecasts[-1, :, 6::7] == 0).all()
    assert (forecasts[-1, 0, :6] > 0).all()


def test_a_rare_seller_is_forecast_by_its_mean_not_by_the_empty_week_before() -> None:
    y = np.zeros((1, 168))
    y[0, [7 * week + 2 for week in range(1, 24, 4)]] = 10.0  # never in a week before an origin
    panel = panel_of(y)
    tested = backtest(panel, horizon=28, windows=3)
    error, naive_error = tested.errors()
    assert naive_error[0] < error[0]  # which absolute errors would have preferred
    assert weight_of(tested, NAIVE)[0] < 0.5
    assert tested.finished(panel).forecasts[-1].sum() == pytest.approx(10.0, rel=0.6)


def test_a_series_that_never_sold_is_forecast_as_nothing() -> None:
    panel = panel_of([[0] * 84, [3] * 84])
    made = backtest(panel, horizon=7).finished(panel).forecasts[-1]
    np.testing.assert_allclose(made, [[0] * 7, [3] * 7], atol=1e-4)


def test_windows_shorter_than_the_horizon_need_nothing_known_beyond_the_end(rng) -> None:
    shop = planted_shop(rng, series=3, days=60)
    panel = Panel.from_frame(shop, freq="D", backend=CPU, known_ahead=KNOWN_AHEAD)
    tested = backtest(panel, horizon=28)
    assert tested.window == 12
    assert np.isfinite(tested.forecasts).all()
