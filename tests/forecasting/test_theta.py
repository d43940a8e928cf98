"""Theta against statsforecast's figures, and against a slow twin of one series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting import theta as module
from gpu_pipeline.forecasting.lanes import path_spacing
from gpu_pipeline.forecasting.theta import ALPHAS, MINIMUM_AGE, seasonal_indices, theta

# fmt: off
EIGHT_WEEKS = [
    12, 15, 14, 18, 25, 31, 9, 13, 14, 17, 19, 27, 30, 10, 15, 17, 15, 20, 28, 35, 11, 14, 18, 18,
    22, 30, 33, 12, 17, 16, 19, 23, 29, 38, 12, 16, 19, 20, 24, 33, 36, 14, 18, 20, 19, 26, 32, 40,
    13, 19, 21, 22, 25, 35, 41, 15,
]
# fmt: on
WITH_ZEROS = [max(0, value - 11) for value in EIGHT_WEEKS]


# What statsforecast 2.1.1 (Nixtla, Apache-2.0), another implementation of the standard theta model,
# forecasts: forecast_theta(auto_theta(y, m, model="STM", alpha=0.3), h), m being 7 for days, 1 for
# the weeks, which are fewer than two years. Its first level is another, of which 0.7^56 is left.
# fmt: off
MULTIPLIED = [
    19.39570363, 21.50506456, 22.27867911, 27.10647084, 36.60291355, 43.49952523, 14.36076122,
    19.81984539, 21.97386892,
]
ADDED = [
    9.20770642, 10.93588482, 11.52120608, 15.5759151, 23.0796037, 28.60370047, 5.80126662,
    9.73352666, 11.46170506,
]
# fmt: on
WITHOUT_SEASON = [26.46102986, 26.54756438, 26.6340989, 26.72063342]


@pytest.mark.parametrize(
    ("y", "freq", "expected"),
    [
        pytest.param(EIGHT_WEEKS, "D", MULTIPLIED, id="a season that multiplies"),
        pytest.param(WITH_ZEROS, "D", ADDED, id="a season that is added"),
        pytest.param(EIGHT_WEEKS, "W", WITHOUT_SEASON, id="no season"),
    ],
)
def test_forecasts_are_those_of_another_implementation(y, freq, expected) -> None:
    panel = panel_of([y], freq)
    made = theta(panel, origins=(56,), steps=len(expected), alphas=(0.3,))
    np.testing.assert_allclose(made[0, 0], expected, rtol=1e-6)


def theta_slowly(y: np.ndarray, *, first: int, steps: int, season: int, alphas=ALPHAS) -> list:
    """(squares, forecast) of each alpha, of one series that lives from `first` on."""
    life, age = [float(value) for value in y[first:]], len(y) - first
    times, plus = indices_slowly(life, season) if age >= 2 * season else ([1.0], [0.0])
    flat = [(v - plus[i % len(plus)]) / times[i % len(times)] for i, v in enumerate(life)]
    slope = np.polyfit(range(age), flat, 1)[0]
    found = []
    for alpha in alphas:
        level, squares = sum(flat[:season]) / len(flat[:season]), 0.0
        for i, value in enumerate(flat):
            end = first + i + steps
            if end <= len(y) and (len(y) - end) % path_spacing(steps, 7) == 0:
                squares += sum((later - level) ** 2 for later in flat[i : i + steps])
            squares += (value - level) ** 2
            level += alpha * (value - level)
        drifts = [h + (1 - (1 - alpha) ** age) / alpha for h in range(steps)]
        forecast = [
            max(
                0.0,
                (level + slope / 2 * drift) * times[(age + h) % len(times)]
                + plus[(age + h) % len(plus)],
            )
            for h, drift in enumerate(drifts)
        ]
        found.append((squares, forecast))
    return found


def indices_slowly(life: list[float], season: int) -> tuple[list[float], list[float]]:
    """Phases count from the first period of the life; the season is odd."""
    mean = sum(life) / len(life)
    power = sum((v - mean) ** 2 for v in life)
    r = [
        sum((a - mean) * (b - mean) for a, b in zip(life[lag:], life, strict=False)) / (power or 1)
        for lag in range(1, season + 1)
    ]
    if abs(r[-1]) <= 1.6448536 * np.sqrt((1 + 2 * sum(v**2 for v in r[:-1])) / len(life)):
        return [1.0], [0.0]
    half = season // 2
    inner = range(half, len(life) - half)
    trend = {i: sum(life[i - half : i + half + 1]) / season for i in inner}

    def means(off: dict[int, float]) -> np.ndarray:
        return np.array(
            [np.mean([v for i, v in off.items() if i % season == p] or [0]) for p in range(season)]
        )

    if min(life) > 0:
        share = means({i: life[i] / trend[i] for i in inner})
        share /= share.mean()
        if share.min() >= 0.01:
            return share.tolist(), [0.0]
    above = means({i: life[i] - trend[i] for i in inner})
    return [1.0], (above - above.mean()).tolist()


def assert_as_the_twin(panel: Panel, *, origins: tuple[int, ...], steps: int) -> None:
    fast = theta(panel, origins=origins, steps=steps)
    for series, first in enumerate(panel.first.tolist()):
        for i, origin in enumerate(origins):
            if origin - first < MINIMUM_AGE:
                assert np.isnan(fast[i, series]).all()
                continue
            y = panel.y[series, :origin]
            lanes = theta_slowly(y, first=first, steps=steps, season=panel.season)
            limit = min(squares for squares, _ in lanes) + 1e-9 * (1 + float((y**2).sum()) * steps)
            gap = min(
                (np.abs(fast[i, series] - f) / np.maximum(np.abs(f), 1)).max()
                for squares, f in lanes
                if squares <= limit
            )
            assert gap <= 1e-6, (series, origin)


@given(
    arrays("float64", (4, 63), elements=st.integers(0, 40)),
    st.lists(st.integers(0, 45), min_size=4, max_size=4),
    st.booleans(),
    st.integers(1, 20),
)
@settings(deadline=None, max_examples=15)
def test_every_series_is_forecast_as_the_slow_twin_does(y, starts, positive, steps) -> None:
    weekly = np.tile([0, 9, 3, 0, 5, 20, 1], 9)
    for row, start in zip(y, starts, strict=True):
        row += weekly + positive
        row[:start] = 0
    assert_as_the_twin(panel_of(y), origins=(49, 63), steps=steps)


def test_weeks_of_more_than_two_years_have_a_season_of_an_even_length(rng) -> None:
    year = 10 + 5 * np.sin(2 * np.pi * np.arange(208) / 52)
    panel = panel_of([year, rng.permutation(year)], "W")
    times, plus, seasonal = seasonal_indices(panel.y.T.astype("float64"), panel.first, 52, panel)
    assert seasonal.tolist() == [True, False]
    assert (plus == 0).all()
    assert (times[:, 1] == 1).all()
    np.testing.assert_allclose(times[:, 0], year[:52] / 10, atol=0.01)


def test_a_day_without_trade_counts_as_the_one_a_week_before(rng) -> None:
    y = rng.poisson(20, (25, 63)) + 1
    closed, filled = y.copy(), y.copy()
    closed[:, 40] = 0
    filled[:, 40] = filled[:, 33]
    panel = panel_of(closed)
    assert not panel.open_periods()[40]
    made = theta(panel, origins=(63,), steps=7, alphas=(0.99,))
    np.testing.assert_allclose(
        made, theta(panel_of(filled), origins=(63,), steps=7, alphas=(0.99,)), rtol=1e-6
    )


def test_blocks_do_not_change_a_forecast(monkeypatch: pytest.MonkeyPatch, rng) -> None:
    panel = panel_of(rng.poisson(3, (9, 70)))
    whole = theta(panel, origins=(56, 70), steps=14)
    monkeypatch.setitem(module._BLOCK_BYTES, "cpu", 1)
    np.testing.assert_array_equal(theta(panel, origins=(56, 70), steps=14), whole)


def test_an_origin_knows_nothing_of_what_comes_after_it(rng) -> None:
    y = rng.poisson(3, (5, 70))
    other = y.copy()
    other[:, 56:] = 40
    before = theta(panel_of(y), origins=(56, 70), steps=7)
    after = theta(panel_of(other), origins=(56, 70), steps=7)
    assert before[0].tolist() == after[0].tolist()
    assert before[1].tolist() != after[1].tolist()
