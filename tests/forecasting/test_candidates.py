"""Candidates: which models speak, and what they say where they can't."""

from dataclasses import replace

import numpy as np

from forecasting.panels import CPU, panel_of
from forecasting.planted_shop import KNOWN_AHEAD, planted_shop
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.candidates import NAIVE, Candidates
from gpu_pipeline.forecasting.dynamic_regression import MINIMUM_AGE, fit_dynamic_regression
from gpu_pipeline.forecasting.intermittent import intermittent
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.regression import LEARNERS
from gpu_pipeline.forecasting.smoothing import exponential_smoothing
from gpu_pipeline.forecasting.theta import theta
from gpu_pipeline.forecasting.window import window_average

ALONE = {
    NAIVE: seasonal_naive,
    "window_average": window_average,
    "exponential_smoothing": exponential_smoothing,
    "theta": theta,
    "intermittent": intermittent,
}


def test_every_model_speaks_at_every_origin_and_at_the_end(rng) -> None:
    panel, origins = panel_of(rng.poisson(9, (4, 140))), (112, 126, 140)
    found = Candidates.of(panel, origins=origins, steps=14, seed=0, regress=False)
    ends = found.at_the_end(panel)
    assert list(found.past) == list(ends) == [*ALONE, "dynamic_regression"]
    for name, model in ALONE.items():
        made = model(panel, origins=origins, steps=14)
        np.testing.assert_array_equal(found.past[name], made[:-1])
        np.testing.assert_array_equal(ends[name], made[-1])
    for origin, said in zip(
        origins,
        [*found.past["dynamic_regression"], ends["dynamic_regression"]],
        strict=True,
    ):
        made = fit_dynamic_regression(panel, origin=origin, steps=14).forecasts(panel)
        np.testing.assert_array_equal(said, made)


def test_where_a_model_is_silent_seasonal_naive_speaks_for_it(rng) -> None:
    y = rng.poisson(9, (3, 140)) + 1
    y[1, :130], y[2, :100] = 0, 0
    panel = panel_of(y)
    found = Candidates.of(panel, origins=(112, 126, 140), steps=7, seed=0, regress=False)
    dynamic, naive = found.past["dynamic_regression"], found.past[NAIVE]
    assert (dynamic[:, 1:] == naive[:, 1:]).all()
    assert (dynamic[:, 0] != naive[:, 0]).any()
    assert MINIMUM_AGE["D"] > 140 - 100
    assert all(np.isfinite(made).all() for made in found.at_the_end(panel).values())


def test_no_model_expects_sales_on_a_weekday_without_trade(rng) -> None:
    y = rng.poisson(20, (30, 112)) + 1
    y[:, 6::7] = 0
    panel = panel_of(y)
    found = Candidates.of(panel, origins=(84, 98, 112), steps=14, seed=0, regress=False)
    for made in (*found.past.values(), *found.at_the_end(panel).values()):
        assert (made[..., 6::7] == 0).all()
        assert (made[..., 5::7] > 0).all()


def test_regressors_are_candidates_only_where_there_is_enough_to_learn_from(rng) -> None:
    found = Candidates.of(
        panel_of(rng.poisson(9, (4, 140))), origins=(126, 133, 140), steps=7, seed=0, regress=True
    )
    assert found.regression is None
    assert not set(LEARNERS) & set(found.past)


def test_a_forest_and_boosted_trees_are_candidates_of_many_rows(planted_forecaster) -> None:
    candidates = planted_forecaster._tested.candidates
    assert set(candidates.past) == {*ALONE, "dynamic_regression", *LEARNERS}
    boosted, naive = candidates.past["boosted_trees"], candidates.past[NAIVE]
    assert boosted.shape == naive.shape == (3, 48, 14)
    assert (boosted != naive).mean() > 0.99


def test_what_is_not_known_beyond_the_end_stays_as_it_was(rng) -> None:
    """Windows shorter than the horizon are judged by their own steps alone."""
    shop = planted_shop(rng, series=3, days=90)
    panel = Panel.from_frame(shop, freq="D", backend=CPU, known_ahead=KNOWN_AHEAD)
    found = Candidates.of(panel, origins=(78, 84, 90), steps=10, seed=0, regress=False)
    longer = tuple(np.pad(one, ((0, 0), (0, 4)), mode="edge") for one in panel.known.values)
    ahead = replace(panel, known=replace(panel.known, values=longer))
    expected = fit_dynamic_regression(panel, origin=84, steps=10).forecasts(ahead)
    np.testing.assert_array_equal(found.past["dynamic_regression"][1], expected)
