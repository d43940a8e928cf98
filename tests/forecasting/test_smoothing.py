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
from gpu_pipeline.forecasting.lanes import DAMPING, Weights, path_spacing
from gpu_pipeline.forecasting.smoothing import (
    GRID,
    exponential_smoothing,
    first_periods,
)

FEW = (
    Weights.of("none", 0.3, 0.0, 0.0),
    Weights.of("additive", 0.1, 0.0, 0.0),
    Weights.of("additive", 0.5, 0.2, 0.3),
    Weights.of("multiplicative", 0.9, 0.0, 0.1),
    Weights.of("multiplicative", 0.2, 0.1, 0.2),
)


@dataclass
class Lane:
    """One series under one lane's weights, period by period."""

    weights: Weights
    level: float
    season: list[float]
    trend: float = 0.0
    squares: float = 0.0

    def __post_init__(self) -> None:
        self.least_level = 0.2 * self.level if self.level > 0 else float("inf")

    def base(self, ahead: int) -> float:
        return self.level + sum(DAMPING**k for k in range(1, ahead + 1)) * self.trend

    def expected(self, time: int, ahead: int) -> float:
        season = self.season[(time + ahead - 1) % len(self.season)]
        if self.weights.season == "multiplicative":
            return self.base(ahead) * season
        return self.base(ahead) + season

    def learn(self, time: int, value: float, *, teaches: bool) -> None:
        error, phase = value - self.expected(time, 1), time % len(self.season)
        if not teaches:
            error = 0.0
        self.squares += error**2
        by_level, by_season = 1.0, 1.0
        if self.weights.season == "multiplicative":
            by_level = max(self.base(1), self.least_level)
            by_season = max(self.season[phase], 0.2)
        self.level = self.base(1) + self.weights.alpha * error / by_season
        self.trend = DAMPING * self.trend + self.weights.beta * error / by_season
        self.season[phase] += self.weights.gamma * error / by_level


def first_lane(weights: Weights, begun: Sequence[float], first: int, season: int) -> Lane:
    level = sum(begun) / len(begun)
    means = [
        np.mean([v for i, v in enumerate(begun, first) if i % season == p]) for p in range(season)
    ]
    if weights.season == "none":
        return Lane(weights, level, [0.0] * season)
    if weights.season == "additive":
        return Lane(weights, level, [float(mean - level) for mean in means])
    return Lane(weights, level, [float(mean / level) if level > 0 else 1.0 for mean in means])


def smooth_slowly(
    panel: Panel,
    series: int,
    *,
    age: int,
    origin: int,
    last: int,
    steps: int,
    grid: Sequence[Weights],
) -> list[tuple[float, list[float]]]:
    """Each lane's squares at the origin and its forecast from there; `age` decides its start."""
    y, first = [float(value) for value in panel.y[series]], int(panel.first[series])
    teaches = (panel.open_periods() & panel.observed[series]).tolist()
    season = panel.season if age >= 2 * panel.season else 1
    if season == 1:
        grid = [Weights("none", one.alpha, one.beta, 0.0) for one in grid]
    initial = min(age // season, max(2, 28 // season)) * season
    lanes = []
    for weights in grid:
        lane = first_lane(weights, y[first : first + initial], first, season)
        paths = 0.0
        for time in range(first, origin):
            end = time + steps
            if (last - end) % path_spacing(steps, panel.cycle) == 0 and end <= origin:
                paths += sum(
                    (y[time + k] - lane.expected(time, k + 1)) ** 2
                    for k in range(steps)
                    if teaches[time + k]
                )
            lane.learn(time, y[time], teaches=teaches[time])
        forecast = [lane.expected(origin, k) for k in range(1, steps + 1)]
        lanes.append((lane.squares + paths, forecast))
    return lanes


def age_at_first_forecast(panel: Panel, series: int, origins: Sequence[int], origin: int) -> int:
    """Of those of the origins where the series has as many seasons as it has at this one."""
    ages = [at - int(panel.first[series]) for at in origins]
    now = origin - int(panel.first[series])
    seasonal = now >= 2 * panel.season
    return next(age for age in ages if age >= 14 and (age >= 2 * panel.season) == seasonal)


def mean_of_best(
    lanes: list[tuple[float, list[float]]], grid: Sequence[Weights]
) -> tuple[list[float], bool]:
    """The forecast of the best five of the best form, and whether rounding may decide which."""
    forms: dict[tuple[bool, str], list[tuple[float, list[float]]]] = {}
    for weights, lane in zip(grid, lanes, strict=True):
        forms.setdefault((weights.beta > 0, weights.season), []).append(lane)
    ranked = sorted((sorted(form) for form in forms.values()), key=lambda form: form[0][0])
    best = ranked[0]
    rivals = [(best[4][0], best[5][0])] if len(best) > 5 else []
    rivals += [(best[0][0], other[0][0]) for other in ranked[1:]]
    is_close = any(second - first <= 1e-7 * (1 + first) for first, second in rivals)
    mean = np.mean([forecast for _, forecast in best[:5]], axis=0)
    return np.maximum(mean, 0.0).tolist(), is_close


def assert_as_the_twin(panel: Panel, *, origins: Sequence[int], steps: int, grid=FEW) -> int:
    """Each lane alone forecasts what the twin does, and so do the best; how often that was clear.

    Lanes that come to the same but for rounding may be taken one for the other.
    """
    for weights in grid[:: max(1, len(grid) // 5)]:
        assert assert_best_as_the_twin(panel, origins=origins, steps=steps, grid=[weights])
    return assert_best_as_the_twin(panel, origins=origins, steps=steps, grid=grid)


def assert_best_as_the_twin(
    panel: Panel, *, origins: Sequence[int], steps: int, grid: Sequence[Weights]
) -> int:
    fast = exponential_smoothing(panel, origins=origins, steps=steps, grid=grid)
    compared = 0
    for series in range(len(panel.ids)):
        for i, origin in enumerate(origins):
            if origin - panel.first[series] < smoothing.MINIMUM_AGE:
                assert np.isnan(fast[i, series]).all()
                continue
            lanes = smooth_slowly(
                panel,
                series,
                age=age_at_first_forecast(panel, series, origins, origin),
                origin=origin,
                last=origins[-1],
                steps=steps,
                grid=grid,
            )
            expected, is_close = mean_of_best(lanes, grid)
            if not is_close:
                np.testing.assert_allclose(fast[i, series], expected, rtol=1e-6, atol=1e-6)
                compared += 1
    return compared


@given(
    arrays("float64", (4, 70), elements=st.integers(0, 50)),
    st.lists(st.integers(0, 40), min_size=4, max_size=4),
    st.integers(1, 30),
)
@settings(deadline=None, max_examples=8)
def test_every_series_is_smoothed_as_the_slow_twin_does(y, starts, steps) -> None:
    for row, start in zip(y, starts, strict=True):
        row[:start] = 0
    assert_as_the_twin(panel_of(y), origins=(55, 62, 70), steps=steps)


def test_the_whole_grid_is_searched_as_the_slow_twin_does(rng) -> None:
    weekly = 8 + 5 * np.sin(2 * np.pi * np.arange(120) / 7) + 0.05 * np.arange(120)
    y = rng.poisson(np.maximum(weekly, 0) * np.array([[0.1], [1], [30]]))
    assert assert_as_the_twin(panel_of(y), origins=(64, 92, 120), steps=28, grid=GRID) == 9


def test_weeks_without_two_years_are_smoothed_without_season_as_the_slow_twin_does(rng) -> None:
    panel = panel_of(rng.poisson(9, (3, 60)), "W")
    grid = [one for one in GRID if one.season == "none"]
    assert assert_as_the_twin(panel, origins=(40, 60), steps=13, grid=grid) == 6


def test_weeks_with_and_without_two_years_are_smoothed_side_by_side(rng) -> None:
    y = rng.poisson(9, (2, 170))
    y[1, :60] = 0
    grid = [one for one in FEW if one.season != "none"]
    for weights in grid:
        panel = panel_of(y, "W")
        assert assert_best_as_the_twin(panel, origins=(144, 170), steps=13, grid=[weights]) == 4


def test_closed_days_teach_nothing(rng) -> None:
    y = rng.poisson(20, (25, 84)) + 1
    y[:, 5::7] = 0
    y[:, 50:54] = 0
    panel = panel_of(y)
    assert not panel.open_periods()[50:54].any()
    for weights in FEW:
        assert assert_best_as_the_twin(panel, origins=(70, 84), steps=7, grid=[weights]) == 50
    assert assert_best_as_the_twin(panel, origins=(70, 84), steps=7, grid=GRID[::4]) > 40


def forecasts_of(y: np.ndarray, *, origins: Sequence[int], steps: int = 14) -> np.ndarray:
    return exponential_smoothing(panel_of(y), origins=origins, steps=steps)


def test_blocks_do_not_change_a_forecast(monkeypatch: pytest.MonkeyPatch, rng) -> None:
    y = rng.poisson(3, (9, 90)) + np.arange(90) / 3
    y[2, 40:60] = np.nan
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
    np.testing.assert_allclose(forecasts_of(late, origins=(93, 107)), early, rtol=1e-6)


def test_a_weekly_pattern_is_learnt_and_its_zeros_are_zeros() -> None:
    week = [5, 6, 7, 8, 9, 0, 2]
    forecast = forecasts_of(np.tile(week, (1, 10)), origins=(70,))
    np.testing.assert_allclose(forecast[0, 0], week * 2, atol=1e-6)


def test_a_trend_goes_on_and_is_damped() -> None:
    forecast = forecasts_of(np.arange(1, 141)[None] * 3.0, origins=(140,), steps=28)[0, 0]
    growth = np.diff(forecast.reshape(4, 7).mean(axis=1))
    assert forecast[0] > 3 * 135
    assert growth[0] > growth[1] > growth[2] > 0


def test_a_level_that_follows_every_sale_is_the_last_one_and_one_that_does_not_the_first() -> None:
    y, every = [[*[4] * 28, *[8] * 7]], {"origins": (35,), "steps": 1}
    panel = panel_of(y)
    for alpha, expected in ((1.0, 8), (0.0, 4)):
        grid = [Weights.of("none", alpha, 0.0, 0.0)]
        assert exponential_smoothing(panel, grid=grid, **every).item() == expected


def test_forecasts_are_never_negative() -> None:
    falling = np.maximum(100 - 2 * np.arange(60), 0)[None]
    assert forecasts_of(falling, origins=(60,), steps=28).min() == 0


def test_first_states_are_of_whole_seasons_and_only_of_what_was_lived_through() -> None:
    panel = panel_of([[1]])
    assert first_periods(np.array([14, 27, 28, 400]), 7, panel).tolist() == [14, 21, 28, 28]
    assert first_periods(np.array([104, 400]), 52, panel).tolist() == [104, 104]


def test_what_was_not_observed_teaches_nothing_as_the_slow_twin_has_it(rng) -> None:
    y = rng.poisson(20, (3, 84)) + 1.0
    y[:, 40:43] = np.nan
    y[1, 60:75] = np.nan
    panel = panel_of(y)
    assert not panel.observed[1, 60:75].any()
    assert assert_as_the_twin(panel, origins=(70, 84), steps=7) == 6


def test_a_week_that_grows_with_the_level_is_forecast_as_one_that_multiplies() -> None:
    week = np.tile([0.6, 0.8, 0.9, 1.0, 1.2, 1.5, 1.0], 30)
    y = week * np.repeat([20.0, 20.0, 80.0], 70)
    errors = {}
    for season in ("additive", "multiplicative"):
        grid = [one for one in GRID if one.season == season]
        made = exponential_smoothing(panel_of(y[None]), origins=(182,), steps=28, grid=grid)
        errors[season] = np.abs(made[0, 0] - y[182:]).mean()
    assert errors["multiplicative"] < 0.2 * errors["additive"]


@given(arrays("float64", (3, 60), elements=st.sampled_from([-3, 0, 0, 1, 5000])))
@settings(deadline=None, max_examples=25)
def test_whatever_was_sold_forecasts_are_finite_and_never_negative(y: np.ndarray) -> None:
    panel = panel_of(y)
    forecast = exponential_smoothing(panel, origins=(60,), steps=14)[0]
    old = 60 - panel.first >= smoothing.MINIMUM_AGE
    assert (np.isfinite(forecast).all(axis=1) == old).all()
    assert (forecast[old] >= 0).all()
