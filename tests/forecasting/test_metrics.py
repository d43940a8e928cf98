"""Metrics: worked examples, masks, and the competition's own scales and scores."""

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from real_data import real_data

from forecasting.panels import panel_of
from gpu_pipeline.forecasting.metrics import (
    coverage,
    measure,
    naive_scale,
    pinball,
    recent_weights,
    rmsse,
    squared_scale,
    wrmsse,
)
from gpu_pipeline.forecasting.naive import seasonal_naive

ACTUAL, FORECAST = np.array([[2, 4], [0, 0]]), np.array([[3, 2], [0, 1]])
LEVELS = ("", "state_id", "store_id", "cat_id", "dept_id")
PAIRS = ("state_id cat_id", "state_id dept_id", "store_id cat_id", "store_id dept_id")
TRAINED_DAYS = 1913


def test_metrics_are_those_of_a_worked_example() -> None:
    found = measure(ACTUAL, FORECAST, np.array([0.5, 0.0]))
    assert (found.mae, found.wape, found.mase, found.bias) == (1.0, 4 / 6, 3.0, 0.0)
    assert math.isnan(found.rmsse)
    assert math.isnan(found.coverage)


def test_squared_and_quantile_metrics_are_those_of_a_worked_example() -> None:
    found = measure(
        ACTUAL,
        FORECAST,
        np.array([0.5, 0.0]),
        squared=np.array([10.0, 0.5]),
        weights=np.array([3.0, 1.0]),
        quantiles={0.9: FORECAST + 1, 0.1: FORECAST - 1},
    )
    # Mean squared errors are 2.5 and 0.5: roots of a quarter and of one.
    assert found.rmsse == pytest.approx((0.5 + 1.0) / 2)
    assert found.wrmsse == pytest.approx((3 * 0.5 + 1 * 1.0) / 4)
    # Above p90 lies one cell, by 1; within lie the others, 2, 1 and 2 below p90; 1 above p10 twice.
    above, below = 0.9 * 1 + 0.1 * (2 + 1 + 2), 0.1 * (0 + 3 + 1 + 0)
    assert found.pinball == pytest.approx((above + below) / 8)
    assert found.coverage == 3 / 4


def test_metrics_of_no_demand_are_not_a_number() -> None:
    found = measure(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1), squared=np.zeros(1))
    assert found.mae == 1
    assert all(math.isnan(value) for name, value in asdict(found).items() if name != "mae")


def test_cells_that_were_not_observed_count_nowhere(rng) -> None:
    actual = rng.poisson(3, (5, 14))
    forecast, observed = rng.random((5, 14)) * 6, rng.random((5, 14)) < 0.7
    observed[4] = False
    scales = rng.random((3, 5))
    quantiles = {0.2: forecast - 1, 0.8: forecast + 1}
    wrong = np.where(observed, actual, 99)
    found = [
        measure(
            y,
            forecast,
            scales[0],
            squared=scales[1],
            weights=scales[2],
            quantiles=quantiles,
            observed=observed,
        )
        for y in (actual, wrong)
    ]
    assert found[0] == found[1]
    # By hand, a series at a time.
    rows = [(actual[i][observed[i]], forecast[i][observed[i]]) for i in range(4)]
    missed = np.concatenate([made - y for y, made in rows])
    assert found[0].mae == pytest.approx(np.abs(missed).mean())
    assert found[0].bias == pytest.approx(missed.sum() / actual[observed].sum())
    mase = [np.abs(made - y).mean() / scales[0][i] for i, (y, made) in enumerate(rows)]
    assert found[0].mase == pytest.approx(np.mean(mase))
    roots = [math.sqrt(((made - y) ** 2).mean() / scales[1][i]) for i, (y, made) in enumerate(rows)]
    assert found[0].wrmsse == pytest.approx(np.average(roots, weights=scales[2][:4]))
    assert found[0].coverage == pytest.approx((np.abs(missed) <= 1).mean())


def test_the_true_quantile_has_the_least_pinball_loss(rng) -> None:
    y = rng.normal(10, 2, (1, 5000))
    costs = {q: pinball(y, {0.8: np.full_like(y, np.quantile(y, q))}) for q in (0.7, 0.8, 0.9)}
    assert min(costs, key=lambda q: costs[q]) == 0.8
    median = np.full_like(y, 9.0)
    assert pinball(y, {0.5: median}) == pytest.approx(np.abs(y - median).mean() / 2)


def test_bounds_are_within_the_interval() -> None:
    y = np.array([[1, 2, 3, 4]])
    assert coverage(y, np.full((1, 4), 2), np.full((1, 4), 3)) == 0.5
    assert coverage(y, np.full((1, 4), 5), np.full((1, 4), 6)) == 0


def test_the_naive_scale_is_one_season_ahead_since_the_first_sale() -> None:
    row = [0, 0, 1, 1, 1, 1, 1, 1, 1, 4, 0, 99]
    assert naive_scale(panel_of([row]), 11).tolist() == [(3 + 1) / 2]
    assert naive_scale(panel_of([row]), 9).tolist() == [0]


def test_the_squared_scale_is_one_period_ahead_since_the_first_sale() -> None:
    row = [0, 0, 5, 2, 2, 6, 99]
    assert squared_scale(panel_of([row]), 6).tolist() == [(9 + 0 + 16) / 3]
    assert squared_scale(panel_of([row]), 3).tolist() == [0]


def test_weights_are_shares_of_the_last_four_weeks() -> None:
    y = np.ones((3, 60))
    y[0, 40:] = 3
    y[1, :28] = 1000
    panel = panel_of(y)
    sold = np.array([12 + 3 * 16, 28, 28])
    np.testing.assert_allclose(recent_weights(panel, 56), sold / sold.sum())
    price = np.array([1.0, 0.0, 2.0])
    assert recent_weights(panel, 56, price=price).tolist() == pytest.approx([60 / 116, 0, 56 / 116])
    assert recent_weights(panel_of(np.zeros((2, 30))), 30).tolist() == [0, 0]


def test_scales_and_scores_on_walmart_sales_are_the_competitions_own() -> None:
    """Scales as published; WRMSSE of seasonal naive as another program computed it."""
    sales = pd.read_parquet(real_data("demand/m5_store_dept_daily.parquet"))
    official = pd.read_parquet(real_data("demand/m5_val_scale.parquet")).iloc[:, 0].to_numpy()
    weights = pd.read_parquet(real_data("demand/m5_val_weights.parquet"))["Weights"].to_numpy()
    found, begin = [], 0
    for level in (*LEVELS, *PAIRS):
        wide = sales.assign(all="all").pivot_table(
            index=level.split() or ["all"], columns="date", values="units", aggfunc="sum"
        )
        panel = panel_of(wide.to_numpy())
        scale, rows = squared_scale(panel, TRAINED_DAYS), slice(begin, begin + len(wide))
        np.testing.assert_allclose(scale, official[rows], rtol=1e-5)
        naive = seasonal_naive(panel, origins=(TRAINED_DAYS,), steps=28)[0]
        actual = panel.y[:, TRAINED_DAYS:]
        found.append(wrmsse(actual, naive, scale, weights[rows]))
        assert found[-1] == pytest.approx(
            12 * (weights[rows] * rmsse(actual, naive, official[rows])).sum(), abs=1e-4
        )
        begin += len(wide)
    expected = [0.751, 0.754, 0.799, 0.762, 0.817, 0.783, 0.830, 0.839, 0.892]
    assert [round(value, 3) for value in found] == expected
    assert np.mean(found) == pytest.approx(0.803, abs=5e-4)
