"""Global regression: what it learns from, what it knows, and that it finds what was planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor

from forecasting.panels import CPU, panel_of
from forecasting.planted_shop import KNOWN_AHEAD, planted_shop
from gpu_pipeline.forecasting import Panel, regression
from gpu_pipeline.forecasting.calendar import Calendar
from gpu_pipeline.forecasting.regression import LEARNERS, Regression, learn, step_blocks


def small_shop(rng: np.random.Generator, *, series: int = 6, days: int = 110) -> Panel:
    shop = planted_shop(rng, series=series, days=days)
    return Panel.from_frame(shop, freq="D", backend=CPU, known_ahead=KNOWN_AHEAD)


def always(ratio: float, *blocks: tuple[int, int]) -> Regression:
    """A regression that says of every row so many times its level."""
    regressor = DummyRegressor(strategy="constant", constant=ratio).fit([[0]], [0])
    return Regression(blocks, tuple({"boosted_trees": regressor} for _ in blocks))


@pytest.mark.parametrize(
    ("steps", "cycle", "expected"),
    [
        (28, 7, ((0, 7), (7, 14), (14, 21), (21, 28))),
        (30, 7, ((0, 14), (14, 28), (28, 30))),
        (10, 7, ((0, 7), (7, 10))),
        (1, 7, ((0, 1),)),
        (13, 1, ((0, 4), (4, 8), (8, 12), (12, 13))),
    ],
)
def test_steps_are_cut_into_at_most_four_blocks_of_whole_weeks(steps, cycle, expected) -> None:
    assert step_blocks(steps, cycle) == expected


@given(st.integers(1, 400), st.sampled_from([1, 7]))
def test_blocks_hold_every_step_once(steps: int, cycle: int) -> None:
    blocks = step_blocks(steps, cycle)
    assert [step for block in blocks for step in range(*block)] == list(range(steps))
    assert len(blocks) <= 4
    assert all(begin % cycle == 0 for begin, _ in blocks)


def test_what_moves_demand_is_found(planted, planted_forecaster) -> None:
    """Price, promotion, holiday and weekday: either learner misses less than half of each."""
    panel, future = planted_forecaster._panel, planted[1]
    ahead = panel.with_future(future[["unique_id", "ds", *KNOWN_AHEAD]])
    tested = planted_forecaster._tested
    made = tested.candidates.regression.forecasts(ahead, origin=panel.y.shape[1])
    assert set(made) == set(LEARNERS)
    usual = future["price"].groupby(future["unique_id"]).transform("max")
    effects = [
        (future["price"] < 0.8 * usual, 0.7**-2),
        (future["promotion"], 1.8),
        (future["holiday"].notna(), 0.3),
        (future["ds"].dt.weekday == 5, 1.6),
    ]
    for name in LEARNERS:
        said = made[name].reshape(-1)
        off = abs(said - future["expected"]).sum() / future["expected"].sum()
        assert off < 0.2
        for part, effect in effects:
            share = said[part.to_numpy()].sum() / future["expected"][part].sum()
            assert abs(share - 1) < 0.5 * abs(1 / effect - 1)


def test_nothing_from_the_origin_on_is_learnt_and_a_seed_says_all(monkeypatch, rng) -> None:
    monkeypatch.setattr(regression, "_FEWEST_ROWS", 100)
    panel = small_shop(rng)
    y, observed = panel.y.copy(), panel.observed.copy()
    y[:, 96:] = 5 * y[:, 96:] + 3
    observed[:, 96:] = False
    other = replace(panel, y=y, observed=observed)
    before, after = (
        learn(one, origin=96, steps=7, seed=3).forecasts(one, origin=96) for one in (panel, other)
    )
    reseeded = learn(panel, origin=96, steps=7, seed=4).forecasts(panel, origin=96)
    for name in LEARNERS:
        assert before[name].shape == (6, 7)
        np.testing.assert_array_equal(before[name], after[name])
        assert (before[name] != reseeded[name]).any()


def test_a_later_origin_knows_the_demand_until_then_and_no_more(rng) -> None:
    panel = small_shop(rng)
    flat = always(1.0, (0, 7), (7, 14))
    made = flat.forecasts(panel, origin=90)["boosted_trees"]
    for step in range(14):
        seen = 90 + step - (7 if step < 7 else 14)
        level = (panel.y[:, seen - 27 : seen + 1].sum(axis=1) + 0.5) / 28
        np.testing.assert_allclose(made[:, step], level, rtol=1e-5)
    y = panel.y.copy()
    y[:, 90:] = 77
    later = flat.forecasts(replace(panel, y=y), origin=90)["boosted_trees"]
    np.testing.assert_array_equal(made, later)


def test_forecasts_are_never_negative(rng) -> None:
    made = always(-2.0, (0, 7)).forecasts(small_shop(rng), origin=90)["boosted_trees"]
    assert (made == 0).all()


def test_too_young_series_are_not_spoken_of(rng) -> None:
    y = rng.poisson(9, (3, 120)) + 1
    y[1, :93], y[2, :86] = 0, 0  # 27 and 34 days old
    made = always(1.0, (0, 7)).forecasts(panel_of(y), origin=120)["boosted_trees"]
    assert np.isnan(made).all(axis=1).tolist() == [False, True, False]
    # The last rows of a block of 35 days know what was before the third began.
    made = always(1.0, (0, 35)).forecasts(panel_of(y), origin=120)["boosted_trees"]
    assert np.isnan(made).all(axis=1).tolist() == [False, True, True]
    assert np.isfinite(made[0]).all()


def test_of_few_rows_nothing_is_learnt(rng) -> None:
    panel = small_shop(rng, series=3, days=60)
    learnt = learn(panel, origin=60, steps=7, seed=1)
    assert learnt.fitted == ({},)
    made = learnt.forecasts(panel_of(panel.y), origin=60)
    assert all(np.isnan(made[name]).all() for name in LEARNERS)


def test_rows_to_learn_from_are_all_that_were_observed_and_old_enough(rng) -> None:
    panel = small_shop(rng, series=4, days=80)
    y = panel.y.copy()
    y[1, :20] = 0
    panel = replace(panel, y=y, first=np.array([0, 20, 0, 0]))
    series, period = regression._drawn(panel, 70, lag=7, seed=1)
    expected = [
        (one, time)
        for one in range(4)
        for time in range(int(panel.first[one]) + 28 + 7, 70)
        if panel.observed[one, time]
    ]
    assert list(zip(series.tolist(), period.tolist(), strict=True)) == expected
    assert 0 < len(expected) < 35 * 3 + 15


def test_of_many_rows_a_sample_is_taken(rng, monkeypatch) -> None:
    panel = panel_of(rng.poisson(9, (30, 140)) + 1)
    monkeypatch.setattr(regression, "_MOST_ROWS", 500)
    series, period = regression._drawn(panel, 130, lag=7, seed=1)
    assert len(series) == 500
    assert (np.diff(series) >= 0).all()
    assert (period.min() >= 35, period.max() <= 129) == (True, True)
    assert len(set(series.tolist())) == 30
    again, other = (regression._drawn(panel, 130, lag=7, seed=seed)[1] for seed in (1, 2))
    assert again.tolist() == period.tolist() != other.tolist()


def test_no_period_older_than_what_is_learnt_from_is_drawn(rng, monkeypatch) -> None:
    monkeypatch.setitem(regression._HISTORY, "D", 30)
    _, period = regression._drawn(panel_of(rng.poisson(9, (2, 140)) + 1), 130, lag=7, seed=1)
    assert (period.min(), period.max()) == (100, 129)


def test_series_are_worked_on_in_blocks_with_the_same_result(rng, monkeypatch) -> None:
    panel = small_shop(rng)
    calendar = Calendar.of(panel, periods=96)
    draw = regression._drawn(panel, 96, lag=7, seed=1)
    whole = regression._learnt_from(panel, calendar, 96, draw, lag=7)
    made = always(1.0, (0, 7)).forecasts(panel, origin=96)["boosted_trees"]
    monkeypatch.setitem(regression._BLOCK_BYTES, "cpu", 2 * 40 * 96)
    parts = regression._learnt_from(panel, calendar, 96, draw, lag=7)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
    again = always(1.0, (0, 7)).forecasts(panel, origin=96)["boosted_trees"]
    np.testing.assert_array_equal(made, again)


def test_targets_are_bounded_ratios_to_the_level_which_weighs_them(rng) -> None:
    panel = small_shop(rng)
    y = panel.y.copy()
    y[2, 95] = 1e5  # such as an order by a shop
    panel = replace(panel, y=y)
    calendar = Calendar.of(panel, periods=96)
    series, period = regression._drawn(panel, 96, lag=7, seed=1)
    _, target, weight = regression._learnt_from(panel, calendar, 96, (series, period), lag=7)
    level = np.array(
        [
            (y[one, time - 34 : time - 6].sum() + 0.5) / 28
            for one, time in zip(series, period, strict=True)
        ]
    )
    np.testing.assert_allclose(target, np.minimum(y[series, period] / level, 20), rtol=1e-5)
    assert target.max() == 20
    np.testing.assert_allclose(weight, level / level.mean(), rtol=1e-5)


def test_a_closed_day_is_one_whatever_the_blocks_of_series(rng, monkeypatch) -> None:
    y = rng.poisson(20, (40, 120)) + 1
    y[:, 110] = 0  # which few series alone would not tell
    panel = panel_of(y)
    calendar = Calendar.of(panel, periods=120)

    def features() -> np.ndarray:
        found = []
        for rows, table in regression._tables(panel, calendar, 120):
            series = np.arange(rows.stop - rows.start)
            found.append(table.rows(series, np.full(len(series), 118), lag=7)[0])
        return np.concatenate(found)

    whole = features()
    monkeypatch.setattr(regression, "_BLOCK_BYTES", {"cpu": 5 * 40 * 120})
    np.testing.assert_array_equal(features(), whole)
