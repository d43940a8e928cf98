"""Window average: the level of late, the weekdays of the whole shop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.window import cycle_profile, window_average

WEEK = np.array([1, 1, 1, 1, 2, 3, 5]) / 2


def average_slowly(panel: Panel, series: int, *, origin: int, steps: int) -> list[float]:
    """Day by day, from the first origin's past alone."""
    is_open = panel.open_periods().tolist()
    shop = [[] for _ in range(7)]
    for time in range(max(0, origin - 364), origin):
        if is_open[time]:
            shop[time % 7].append(float(panel.y[:, time].sum()))
    means = [np.mean(sold) if sold else 0.0 for sold in shop]
    usual = [mean for mean in means if mean > 0]
    profile = [mean / np.mean(usual) if usual else 1.0 for mean in means]
    taught = [
        time
        for time in range(max(0, origin - 56), origin)
        if is_open[time] and panel.observed[series, time]
    ]
    expected = sum(profile[time % 7] for time in taught)
    sold = sum(float(panel.y[series, time]) for time in taught)
    if origin - panel.first[series] < 14 or expected == 0:
        return [np.nan] * steps
    return [sold / expected * profile[(origin + k) % 7] for k in range(steps)]


@given(
    arrays("float64", (4, 80), elements=st.sampled_from([0, 0, 1, 2, 30])),
    st.lists(st.integers(0, 75), min_size=4, max_size=4),
    st.booleans(),
)
@settings(deadline=None, max_examples=30)
def test_every_series_is_averaged_as_the_slow_twin_does(y, starts, some_unseen) -> None:
    for row, start in zip(y, starts, strict=True):
        row[:start] = 0
    if some_unseen:
        y[1, 20:80] = np.nan
        y[2, 60:64] = np.nan
    panel, origins = panel_of(y), (50, 80)
    made = window_average(panel, origins=origins, steps=9)
    for series in range(4):
        for i, origin in enumerate(origins):
            expected = average_slowly(panel, series, origin=origin, steps=9)
            np.testing.assert_allclose(made[i, series], expected, rtol=1e-5)


def test_a_product_that_seldom_sells_gets_the_weekdays_of_the_shop() -> None:
    shop = np.tile(100 * WEEK, 10)
    seldom = np.zeros(70)
    seldom[[0, 20, 40, 60]] = 7
    forecast = window_average(panel_of([shop, seldom]), origins=(70,), steps=7)[0]
    np.testing.assert_allclose(forecast[0], 100 * WEEK, rtol=2e-2)
    np.testing.assert_allclose(forecast[1] / forecast[1].mean(), WEEK, rtol=2e-2)
    assert 0.3 < forecast[1].mean() < 0.6


def test_a_weekday_without_trade_has_no_part_in_the_profile() -> None:
    panel = panel_of([[1]])
    is_open = np.tile([True] * 6 + [False], 3)
    profile = cycle_profile(np.tile([2.0, 2, 2, 2, 4, 6, 0], 3), is_open, panel)
    np.testing.assert_allclose(profile, np.array([2, 2, 2, 2, 4, 6, 0]) / 3)


def test_weeks_are_forecast_by_their_mean(rng) -> None:
    y = rng.poisson(9, (2, 60))
    made = window_average(panel_of(y, "W"), origins=(60,), steps=3)[0]
    np.testing.assert_allclose(made, np.repeat(y[:, -8:].mean(axis=1)[:, None], 3, 1), rtol=1e-6)


def test_an_origin_knows_nothing_of_what_comes_after_it(rng) -> None:
    y = rng.poisson(3, (5, 70)) + 1
    other = y.copy()
    other[:, 56:] = 40
    before, after = (window_average(panel_of(o), origins=(56, 70), steps=7) for o in (y, other))
    assert before[0].tolist() == after[0].tolist()
    assert (before[1] != after[1]).all()
