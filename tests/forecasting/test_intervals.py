"""Intervals: p10, p50 and p90 from the errors of the backtest."""

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from forecasting.usual_weeks import usual_weeks
from gpu_pipeline.forecasting.hierarchy import Hierarchy
from gpu_pipeline.forecasting.intervals import _conformal, quantile_forecasts

SEVEN = (0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975)


def quantiles_of(y: np.ndarray, *, horizon: int, levels=(0.1, 0.5, 0.9)) -> np.ndarray:
    panel = panel_of(y)
    return quantile_forecasts(panel, usual_weeks(panel, horizon=horizon), quantiles=levels)


@given(
    st.integers(4, 60).flatmap(
        lambda periods: arrays("float64", (3, periods), elements=st.integers(-3, 9))
    ),
    st.integers(1, 20),
)
@settings(deadline=None, max_examples=40)
def test_quantiles_of_any_panel_are_ordered_and_not_negative(y: np.ndarray, horizon: int) -> None:
    made = quantiles_of(y, horizon=horizon, levels=SEVEN)
    assert (made >= 0).all()
    assert np.isfinite(made).all()
    assert (np.diff(made, axis=0) >= 0).all()


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


def test_a_panel_of_one_short_series_still_has_intervals() -> None:
    low, middle, high = quantiles_of(np.array([[3, 0, 5, 1, 4]]), horizon=7)
    assert (high > middle).all()
    assert low.shape == (1, 7)


def test_intervals_are_in_the_unit_of_the_series(rng) -> None:
    y = rng.poisson(3, (30, 100))
    np.testing.assert_allclose(
        quantiles_of(y * 1000, horizon=7), 1000 * quantiles_of(y, horizon=7), rtol=1e-3, atol=0.1
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
    tested = usual_weeks(panel, horizon=40)
    assert tested.window == 15
    quantiles = quantile_forecasts(panel, tested)
    above = quantiles[2] - tested.forecasts[-1]
    np.testing.assert_allclose(above[:, 15:36], above[:, [*range(8, 15)] * 3])


def test_quantiles_of_errors_are_rounded_outward(rng) -> None:
    errors = rng.permutation(np.arange(1.0, 10.0))[:, None]
    seen = np.ones_like(errors, dtype=bool)
    assert _conformal(errors, seen, (0.1, 0.5, 0.9)).ravel().tolist() == [1, 5, 9]
    errors = rng.permutation(np.arange(1.0, 100.0))[:, None]
    seen = np.ones_like(errors, dtype=bool)
    assert _conformal(errors, seen, (0.1, 0.5, 0.9)).ravel().tolist() == [10, 50, 90]
    assert _conformal(errors, seen, (0.105, 0.895)).ravel().tolist() == [10, 90]


def test_beyond_the_outermost_error_the_normal_distribution_goes_on() -> None:
    """Of nine errors the outermost stand for a tenth and nine tenths."""
    errors = np.linspace(-2, 2, 9)[:, None]
    found = _conformal(errors, np.ones((9, 1), dtype=bool), (0.05, 0.1, 0.9, 0.95)).ravel()
    deviation = math.sqrt((errors**2).mean())
    further = deviation * (NormalDist().inv_cdf(0.95) - NormalDist().inv_cdf(0.9))
    np.testing.assert_allclose(found, [-2 - further, -2, 2, 2 + further])


def test_errors_that_were_not_seen_have_no_say_and_a_few_say_nothing() -> None:
    errors = np.arange(20.0)[:, None] * np.ones(2)
    seen = np.ones((20, 2), dtype=bool)
    seen[9:, 0] = False
    errors[9:, 0] = -99
    assert _conformal(errors, seen, (0.1, 0.9))[:, 0].tolist() == [0, 8]
    seen[8:, 0] = False
    np.testing.assert_allclose(
        _conformal(errors, seen, (0.1, 0.9))[:, 0], [-1.28155, 1.28155], rtol=1e-5
    )


def test_the_only_one_of_its_kind_borrows_what_all_others_taught(rng) -> None:
    y = rng.poisson(30, (80, 140))
    y[0] = rng.poisson(30, 140) * (np.arange(140) % 7 == 0)
    low, _, high = quantiles_of(y, horizon=7)
    alone = quantiles_of(y[:1], horizon=7)
    assert (high[0] > low[0]).any()
    assert not np.allclose([low[0], high[0]], alone[[0, 2], 0])


def test_a_series_that_is_harder_than_others_has_wider_intervals(rng) -> None:
    """Weeks of which the level leaps: how much a series varies within them does not tell."""
    steady = rng.poisson(40, (60, 168))
    leaping = steady.copy()
    leaping[:6] += np.repeat(rng.integers(0, 60, (6, 6)), 28, axis=1)
    low, _, high = quantiles_of(leaping, horizon=28)
    usual, _, above = quantiles_of(steady, horizon=28)
    assert (high - low)[:6].mean() > 1.5 * (above - usual)[:6].mean()
    assert (high - low)[6:].mean() < 1.5 * (above - usual)[6:].mean()


def test_what_was_not_observed_teaches_nothing(rng) -> None:
    y = rng.poisson(20, (60, 140)).astype("float64")
    missing = y.copy()
    missing[:, 126:][rng.random((60, 14)) < 0.3] = np.nan
    panel, spoilt = panel_of(y), panel_of(np.nan_to_num(missing))
    gaps = replace(spoilt, y=panel.y, observed=~np.isnan(missing))
    low, _, high = quantile_forecasts(panel, usual_weeks(panel, horizon=14))
    for other, limits in ((gaps, (0.9, 1.1)), (spoilt, (1.2, 3.0))):
        made = quantile_forecasts(other, usual_weeks(other, horizon=14))
        wider = (made[2] - made[0]).mean() / (high - low).mean()
        assert limits[0] < wider < limits[1]


@pytest.mark.parametrize("levels", [(), (0.5, 1.0), (-0.1,), (float("nan"),)])
def test_levels_that_are_none_are_refused(levels) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantiles_of(np.ones((2, 30)), horizon=7, levels=levels)


@pytest.mark.parametrize("is_rare", [False, True])
def test_intervals_of_80_and_95_percent_hold_that_of_later_windows(is_rare: bool, rng) -> None:
    """Products of which the level drifts, with busy weekends, in each of three later windows.

    What is rarely sold is often as much as a bound: no more may be missed than one misses of
    continuous demand.
    """
    level = rng.lognormal(-1.5 if is_rare else 3, 0.7, (250, 1))
    drift = np.exp(rng.normal(0, 0.008, (250, 224)).cumsum(axis=1))
    week = 1 + 0.5 * (np.arange(224) % 7 >= 5)
    y = rng.poisson(level * drift * week * rng.gamma(4, 0.25, (250, 224)))
    inside = {0.8: [], 0.95: []}
    for end in (140, 168, 196):
        to_come = y[:, end : end + 28]
        made = quantiles_of(y[:, :end], horizon=28, levels=(0.025, 0.1, 0.9, 0.975))
        inside[0.8].append((made[1] <= to_come) & (to_come <= made[2]))
        inside[0.95].append((made[0] <= to_come) & (to_come <= made[3]))
    for nominal, found in inside.items():
        by_week = np.array(found).reshape(-1, 4, 7).mean(axis=(0, 2))
        assert nominal - 0.03 <= by_week.min()
        assert is_rare or by_week.max() <= nominal + 0.03


def test_intervals_of_sums_of_series_hold_too(rng) -> None:
    """Of 60 groups of five, whose errors no interval of a single series knows."""
    level = rng.lognormal(2, 0.7, (60, 1, 1))
    weeks = rng.gamma(10, 0.1, (60, 1, 32)).repeat(7, axis=2)
    y = rng.poisson(np.broadcast_to(level * weeks, (60, 5, 224))).reshape(300, 224)
    groups = Hierarchy.of({"group": (np.repeat(np.arange(60), 5), list(range(60)))}, ["group"])
    inside = []
    for end in (140, 168, 196):
        panel = panel_of(y[:, :end])
        tested = usual_weeks(panel, horizon=28)
        sums = panel_of(groups.sums(panel.y)[1:])
        told = replace(
            tested, forecasts=groups.sums(tested.forecasts)[:, 1:], known=tested.known[:, :60]
        )
        low, _, high = quantile_forecasts(sums, told)
        to_come = groups.sums(y[:, end : end + 28])[1:]
        inside.append((low <= to_come) & (to_come <= high))
    assert 0.77 <= np.mean(inside) <= 0.83
