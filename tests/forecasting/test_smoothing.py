"""Exponential smoothing against a slow twin that knows one series and one lane at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting import Panel, smoothing
from gpu_pipeline.forecasting.smoothing import (
    GRID,
    Weights,
    initial_periods,
    path_spacing,
    smooth,
)

FEW = (
    Weights.of(0.1, 0.0, 0.0, 1.0),
    Weights.of(0.5, 0.2, 0.3, 0.9),
    Weights.of(0.9, 0.0, 0.1, 1.0),
)


@dataclass
class Lane:
    """One series under one lane's weights, period by period."""

    weights: Weights
    level: float
    season: list[float]
    trend: float = 0.0
    squares: float = 0.0

    def expected(self, time: int, ahead: int) -> float:
        damping = sum(self.weights.phi**k for k in range(1, ahead + 1))
        return (
            self.level + damping * self.trend + self.season[(time + ahead - 1) % len(self.season)]
        )

    def learn(self, time: int, value: float) -> None:
        error = value - self.expected(time, 1)
        self.squares += error**2
        self.level += self.weights.phi * self.trend + self.weights.alpha * error
        self.trend = self.weights.phi * self.trend + self.weights.beta * error
        if len(self.season) > 1:
            self.season[time % len(self.season)] += self.weights.gamma * error


def smooth_slowly(
    panel: Panel, series: int, *, age: int, origin: int, steps: int, grid: Sequence[Weights]
) -> list[tuple[float, list[float]]]:
    """Each lane's squares at the origin and its forecast from there."""
    y, first = [float(value) for value in panel.y[series]], int(panel.first[series])
    is_open = panel.open_periods().tolist()
    season = panel.season if age >= 2 * panel.season else 1
    initial = 14 if season == 1 else min(age // season, max(2, 28 // season)) * season
    begun = y[first : first + initial]
    level = sum(begun) / initial
    by_phase = [[v for i, v in enumerate(begun, first) if i % season == p] for p in range(season)]
    profile = [sum(values) / (initial / season) - level for values in by_phase]
    lanes = []
    for weights in grid:
        lane = Lane(weights, level, list(profile) if season > 1 else [0.0])
        paths = 0.0
        for time in range(first, origin):
            left = len(y) - time
            if left % path_spacing(steps, panel.cycle) == 0 and time + steps <= origin:
                paths += sum(
                    (y[time + k] - lane.expected(time, k + 1)) ** 2
                    for k in range(steps)
                    if is_open[time + k]
                )
            if is_open[time]:
                lane.learn(time, y[time])
        forecast = [max(0.0, lane.expected(origin, k)) for k in range(1, steps + 1)]
        lanes.append((lane.squares + paths, forecast))
    return lanes


def assert_as_the_twin(panel: Panel, *, origins: Sequence[int], steps: int, grid=FEW) -> None:
    """Each lane alone forecasts what the twin does; of several, one with the least squares does.

    Least but for rounding: lanes that come to the same may be taken one for the other.
    """
    for weights in grid[:: max(1, len(grid) // 5)]:
        assert_best_as_the_twin(panel, origins=origins, steps=steps, grid=[weights])
    assert_best_as_the_twin(panel, origins=origins, steps=steps, grid=grid)


def assert_best_as_the_twin(
    panel: Panel, *, origins: Sequence[int], steps: int, grid: Sequence[Weights]
) -> None:
    age = origins[0] - panel.first
    fast = smooth(panel, age=age, origins=origins, steps=steps, grid=grid)
    for series in np.flatnonzero(age >= smoothing.MINIMUM_AGE):
        for i, origin in enumerate(origins):
            lanes = smooth_slowly(
                panel, series, age=int(age[series]), origin=origin, steps=steps, grid=grid
            )
            least = min(squares for squares, _ in lanes)
            best = [f for squares, f in lanes if squares <= least * (1 + 1e-9) + 1e-9]
            gap = min(np.abs(fast[i, series] - forecast).max() for forecast in best)
            assert gap <= 1e-6, (series, origin)


@given(
    arrays("float64", (4, 70), elements=st.integers(0, 50)),
    st.lists(st.integers(0, 40), min_size=4, max_size=4),
    st.integers(1, 30),
)
@settings(deadline=None, max_examples=25)
def test_every_series_is_smoothed_as_the_slow_twin_does(y, starts, steps) -> None:
    for row, start in zip(y, starts, strict=True):
        row[:start] = 0
    assert_as_the_twin(panel_of(y), origins=(55, 62, 70), steps=steps)


def test_the_whole_grid_is_searched_as_the_slow_twin_does(rng) -> None:
    weekly = 8 + 5 * np.sin(2 * np.pi * np.arange(120) / 7) + 0.05 * np.arange(120)
    y = rng.poisson(np.maximum(weekly, 0) * np.array([[0.1], [1], [30]]))
    assert_as_the_twin(panel_of(y), origins=(64, 92, 120), steps=28, grid=GRID)


def test_weeks_without_two_years_are_smoothed_without_season_as_the_slow_twin_does(rng) -> None:
    assert_as_the_twin(panel_of(rng.poisson(9, (3, 60)), "W"), origins=(40, 60), steps=13)


def test_weeks_with_and_without_two_years_are_smoothed_side_by_side(rng) -> None:
    y = rng.poisson(9, (2, 170))
    y[1, :60] = 0
    assert_as_the_twin(panel_of(y, "W"), origins=(144, 170), steps=13)


def test_closed_days_teach_nothing(rng) -> None:
    y = rng.poisson(20, (25, 84)) + 1
    y[:, 5::7] = 0
    y[:, 50:54] = 0
    panel = panel_of(y)
    assert not panel.open_periods()[50:54].any()
    assert_best_as_the_twin(panel, origins=(70, 84), steps=7, grid=GRID)


def forecasts_of(y: np.ndarray, *, origins: Sequence[int], steps: int = 14) -> np.ndarray:
    panel = panel_of(y)
    return smooth(panel, age=origins[0] - panel.first, origins=origins, steps=steps)


def test_blocks_do_not_change_a_forecast(monkeypatch: pytest.MonkeyPatch, rng) -> None:
    y = rng.poisson(3, (9, 90))
    whole = forecasts_of(y, origins=(76, 90))
    monkeypatch.setitem(smoothing._BLOCK_BYTES, "cpu", 1)
    assert forecasts_of(y, origins=(76, 90)).tolist() == whole.tolist()


def test_an_origin_knows_nothing_of_what_comes_after_it(rng) -> None:
    y = rng.poisson(3, (5, 90))
    other = y.copy()
    other[:, 76:] = rng.poisson(50, (5, 14))
    origins = (62, 76, 90)
    before, after = forecasts_of(y, origins=origins), forecasts_of(other, origins=origins)
    assert before[:2].tolist() == after[:2].tolist()
    assert before[2].tolist() != after[2].tolist()


def test_a_series_does_not_depend_on_when_the_panel_begins(rng) -> None:
    y = rng.poisson(3, (4, 90)) + 1
    late = np.hstack([np.zeros((4, 17)), y])
    early = forecasts_of(y, origins=(76, 90))
    np.testing.assert_allclose(forecasts_of(late, origins=(93, 107)), early, rtol=1e-9)


def test_a_weekly_pattern_is_learnt_and_its_zeros_are_zeros() -> None:
    week = [5, 6, 7, 8, 9, 0, 2]
    forecast = forecasts_of(np.tile(week, (1, 10)), origins=(70,))
    np.testing.assert_allclose(forecast[0, 0], week * 2, atol=1e-9)


def test_a_trend_goes_on_and_is_damped() -> None:
    forecast = forecasts_of(np.arange(1, 141)[None] * 3.0, origins=(140,), steps=28)[0, 0]
    growth = np.diff(forecast.reshape(4, 7).mean(axis=1))
    assert forecast[0] > 3 * 135
    assert growth[0] > growth[1] > growth[2] > 0


def test_a_level_that_follows_every_sale_is_the_last_one_and_one_that_does_not_the_first() -> None:
    y, every = [[*[4] * 14, *[8] * 7]], {"origins": (21,), "steps": 1}
    panel = panel_of(y)
    for alpha, expected in ((1.0, 8), (0.0, 4)):
        grid = [Weights.of(alpha, 0.0, 0.0, 1.0)]
        assert smooth(panel, age=np.array([14]), grid=grid, **every).item() == expected


def test_forecasts_are_never_negative() -> None:
    falling = np.maximum(100 - 2 * np.arange(60), 0)[None]
    assert forecasts_of(falling, origins=(60,), steps=28).min() == 0


def test_first_states_are_of_whole_seasons_and_only_of_what_was_lived_through() -> None:
    panel = panel_of([[1]] * 5)
    ages = np.array([13, 14, 27, 28, 400])
    periods, seasonal = initial_periods(ages, panel)
    assert periods.tolist() == [14, 14, 21, 28, 28]
    assert seasonal.tolist() == [False, True, True, True, True]
