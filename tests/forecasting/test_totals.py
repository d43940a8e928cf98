"""Totals: spreads of sums over periods, and samples of what many series do together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from forecasting.usual_weeks import usual_weeks
from gpu_pipeline.forecasting.hierarchy import Hierarchy
from gpu_pipeline.forecasting.intervals import quantile_forecasts
from gpu_pipeline.forecasting.totals import sample_paths, total_spread


def spreads_of(y: np.ndarray, *, horizon: int, windows: int = 3) -> np.ndarray:
    panel = panel_of(y)
    return total_spread(panel, usual_weeks(panel, horizon=horizon, windows=windows))


def paths_of(y: np.ndarray, *, horizon: int, n: int = 60, seed: int = 1) -> np.ndarray:
    panel = panel_of(y)
    return sample_paths(panel, usual_weeks(panel, horizon=horizon), n, seed)


def test_sums_of_errors_that_have_nothing_in_common_grow_with_the_root_of_their_number(rng) -> None:
    spread = spreads_of(rng.poisson(50, (400, 168)), horizon=28).mean(axis=0)
    # Demand varies by the root of 50; its mean of four, which was forecast, by half of that.
    assert spread[0] == pytest.approx((50 * 1.25) ** 0.5, rel=0.1)
    assert spread[6] == pytest.approx(7**0.5 * spread[0], rel=0.1)


def test_sums_of_errors_that_go_together_grow_with_their_number(rng) -> None:
    """Weeks that are good or bad as a whole."""
    weeks = np.repeat(rng.uniform(20, 180, (400, 24)), 7, axis=1)
    spread = spreads_of(np.maximum(weeks + rng.normal(0, 2, weeks.shape), 0), horizon=28)
    ratio = (spread / spread[:, :1]).mean(axis=0)
    assert ratio[6] == pytest.approx(7, rel=0.1)


@pytest.mark.parametrize("mean", [0.4, 30.0])
def test_sums_of_later_windows_are_as_far_off_as_was_said(mean: float, rng) -> None:
    level = mean * rng.gamma(3, 1 / 3, (300, 1))
    drift = np.exp(rng.normal(0, 0.01, (300, 224)).cumsum(axis=1))
    y = rng.poisson(level * drift * rng.gamma(4, 0.25, (300, 224)))
    relative = []
    for end in (140, 168, 196):
        panel = panel_of(y[:, :end])
        tested = usual_weeks(panel, horizon=28)
        missed = (y[:, end : end + 28] - tested.forecasts[-1]).cumsum(axis=1)
        relative.append(missed / total_spread(panel, tested))
    off = np.sqrt((np.array(relative) ** 2).mean(axis=(0, 1)))
    for periods in (1, 7, 14, 28):
        assert 0.88 <= off[periods - 1] <= 1.14


def test_spreads_of_sums_are_in_the_unit_of_the_series_and_rest_on_closed_days(rng) -> None:
    y = rng.poisson(20, (40, 140)) + 1
    y[:, 5::7] = 0
    spread = spreads_of(y, horizon=14)
    np.testing.assert_allclose(spreads_of(y * 100, horizon=14), 100 * spread, rtol=1e-3)
    assert spread[:, 5].tolist() == spread[:, 4].tolist()
    assert (np.diff(spread[:, :5], axis=1) > 0).all()


def test_sums_beyond_the_windows_grow_on_as_within_them(rng) -> None:
    weeks = np.repeat(rng.uniform(20, 180, (200, 10)), 7, axis=1)
    spread = spreads_of(weeks[:, :60] + rng.normal(0, 2, (200, 60)), horizon=40).mean(axis=0)
    independent = spread[0] * np.arange(1, 41) ** 0.5
    growth = (spread / independent) ** 2
    assert spread[39] > spread[20] > spread[14]
    np.testing.assert_allclose(np.diff(growth[15:]), np.diff(growth[15:]).mean(), rtol=0.2)


def test_series_without_a_past_have_a_spread_and_samples() -> None:
    y = np.array([[0, 0, 0, 0, 7.0], [3, 0, 5, 1, 4]])
    spread, paths = spreads_of(y, horizon=3), paths_of(y, horizon=3)
    assert np.isfinite(spread).all()
    assert (spread[1] > 0).all()
    assert np.isfinite(paths).all()


@given(
    st.integers(4, 60).flatmap(
        lambda periods: arrays("float64", (4, periods), elements=st.integers(-3, 9))
    ),
    st.integers(1, 20),
)
@settings(deadline=None, max_examples=30)
def test_spreads_and_samples_of_any_panel_are_numbers_and_not_negative(y, horizon) -> None:
    spread, paths = spreads_of(y, horizon=horizon), paths_of(y, horizon=horizon, n=5)
    assert np.isfinite(spread).all()
    assert (spread >= 0).all()
    assert paths.shape == (5, 4, horizon)
    assert np.isfinite(paths).all()
    assert (paths >= 0).all()


def test_the_same_seed_draws_the_same_and_another_does_not(rng) -> None:
    y = rng.poisson(9, (20, 100))
    assert paths_of(y, horizon=7).tolist() == paths_of(y, horizon=7).tolist()
    assert paths_of(y, horizon=7).tolist() != paths_of(y, horizon=7, seed=2).tolist()
    with pytest.raises(ValueError, match="n is 0"):
        paths_of(y, horizon=7, n=0)


def test_samples_lie_about_the_forecasts_and_within_their_quantiles(rng) -> None:
    panel = panel_of(rng.poisson(rng.lognormal(2, 1, (200, 1)), (200, 168)))
    tested = usual_weeks(panel, horizon=14)
    paths = sample_paths(panel, tested, 200, 1)
    assert paths.mean() == pytest.approx(tested.forecasts[-1].mean(), rel=0.05)
    low, _, high = quantile_forecasts(panel, tested)
    assert 0.75 <= ((low <= paths) & (paths <= high)).mean() <= 0.88


def test_sums_over_periods_of_samples_are_as_unsure_as_the_spread_says(rng) -> None:
    weeks = np.repeat(rng.uniform(20, 180, (200, 24)), 7, axis=1)
    panel = panel_of(weeks + rng.normal(0, 2, weeks.shape))
    tested = usual_weeks(panel, horizon=14)
    sums = sample_paths(panel, tested, 200, 1).sum(axis=2)
    ratio = sums.std(axis=0).mean() / total_spread(panel, tested)[:, -1].mean()
    assert ratio == pytest.approx(1, abs=0.2)


def test_what_series_had_in_common_samples_of_their_sum_have(rng) -> None:
    """Days that are good or bad for all: the total is far less sure than of series apart."""
    apart = rng.poisson(60, (300, 168))
    together = rng.poisson(60 * rng.gamma(8, 1 / 8, 168), (300, 168))
    static = {"shop": (np.zeros(300, dtype="int32"), ["only"])}
    totals = Hierarchy.of(static, ["shop"])
    unsure = [
        totals.sums(paths_of(y, horizon=14))[:, 0].std(axis=0).mean() for y in (apart, together)
    ]
    assert unsure[0] < 0.02 * 300 * 60
    assert unsure[1] > 0.15 * 300 * 60
