"""Past errors: what they are measured by, which series are alike, and means moved apart."""

import numpy as np
import pytest

from forecasting.panels import panel_of
from forecasting.usual_weeks import usual_weeks
from gpu_pipeline.forecasting.past_errors import KINDS, PastErrors, kinds, spread, stretched


def test_the_spread_is_about_each_weekday_of_the_last_eight_weeks() -> None:
    week = np.tile([1.0, 2, 3, 4, 5, 60, 70], 20)
    up_and_down = np.tile([1.0] * 7 + [-1.0] * 7, 10)
    noisier = week + np.where(np.arange(140) < 84, 2, 1) * up_and_down
    found = spread(panel_of([week, noisier]), 140)
    assert found.tolist() == pytest.approx([0, (56 / 49) ** 0.5])


def test_a_series_that_sleeps_keeps_three_tenths_of_its_spread() -> None:
    asleep = np.tile([0.0] * 7 + [8.0] * 7, 10)
    asleep[70:] = 0
    life_long = np.sqrt(((asleep - 2) ** 2).sum() / 133)
    assert spread(panel_of([asleep]), 140).tolist() == pytest.approx([0.3 * life_long], rel=0.05)


def test_the_spread_of_weeks_is_about_their_mean() -> None:
    assert spread(panel_of([np.tile([2.0, 4.0], 60)], "W"), 120).tolist() == [
        pytest.approx((56 / 56) ** 0.5, rel=0.02)
    ]


def test_a_young_series_borrows_its_spread_from_the_usual_ratio_to_the_mean() -> None:
    old = np.tile([2.0] * 7 + [4.0] * 7, 10)
    young = np.zeros(140)
    young[137:] = [3, 6, 9]
    first, second = spread(panel_of([old, young]), 140)
    assert second == pytest.approx(first / 3 * 6)


def test_series_are_alike_by_how_often_they_are_sold_in_their_life(rng) -> None:
    daily, rare, young, newborn = rng.poisson(9, 140) + 1, *np.zeros((3, 140))
    rare[[0, 100]] = 1
    young[-19::2] = 1
    newborn[-3:] = 1
    panel = panel_of([daily, rare, young, newborn])
    assert kinds(panel, 140).tolist() == [4, 0, 3, KINDS - 1]
    assert kinds(panel, 126).tolist() == [4, 0, KINDS - 1, KINDS - 1]


def test_errors_times_their_scales_are_demand_less_forecast(rng) -> None:
    panel = panel_of(rng.poisson(rng.lognormal(1, 1, (30, 1)), (30, 140)))
    tested = usual_weeks(panel, horizon=14)
    past = PastErrors.of(panel, tested)
    for i, origin in enumerate(tested.origins[:-1]):
        missed = panel.y[:, origin : origin + 14] - tested.forecasts[i]
        found = past.scaled[i] * np.sqrt(past.squares[i])
        np.testing.assert_allclose(found[past.seen[i]], missed[past.seen[i]], atol=1e-4)
    assert (past.scale > 0).any()


def test_a_window_is_measured_by_what_the_other_windows_taught(rng) -> None:
    y = rng.poisson(20, (400, 140))
    other = y.copy()
    other[0, 126:] = 60
    panel, leapt = panel_of(y), panel_of(other)
    tested = usual_weeks(panel, horizon=14)
    before, after = PastErrors.of(panel, tested), PastErrors.of(leapt, tested)
    ratio = (after.squares / before.squares).mean(axis=2)[:, 0]
    assert ratio[-1] == pytest.approx(1, rel=0.1)
    assert ratio[0] > 2


def test_means_of_windows_are_moved_apart_and_what_lies_about_them_is_not(rng) -> None:
    windows = np.repeat([0, 1, 2], 200)
    errors = rng.normal(0, 1, (600, 2)) + np.array([-1.0, 0, 1])[windows, None]
    found = stretched(errors, np.ones((600, 2), dtype=bool), windows)
    means, before = (v.reshape(3, 200, 2).mean(axis=1) for v in (found, errors))
    np.testing.assert_allclose(np.ptp(means, axis=0), 2**0.5 * np.ptp(before, axis=0))
    np.testing.assert_allclose(found.mean(axis=0), errors.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        found.reshape(3, 200, 2).std(axis=1), errors.reshape(3, 200, 2).std(axis=1)
    )
    alone = stretched(errors[:200], np.ones((200, 2), dtype=bool), windows[:200])
    assert alone.tolist() == errors[:200].tolist()


def test_stretched_means_vary_as_the_next_one_will(rng) -> None:
    """Over many draws of three windows: the variance about their mean, and of a fourth."""
    shocks = rng.normal(0, 1, (4000, 4))
    windows, seen = np.repeat([0, 1, 2], 2), np.ones((6, 4000), dtype=bool)
    errors = np.repeat(shocks[:, :3].T, 2, axis=0)
    found = stretched(errors, seen, windows)
    middle = shocks[:, :3].mean(axis=1)
    to_come = ((shocks[:, 3] - middle) ** 2).mean()
    assert ((found - middle) ** 2).mean() == pytest.approx(to_come, rel=0.06)
