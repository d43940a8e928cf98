"""Combination: weights that past errors teach, against brute force and a slow twin."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import CPU, MONDAY, panel_of
from gpu_pipeline.forecasting import Panel, combination
from gpu_pipeline.forecasting.combination import beats, combined, error_products, weights_of

NAMES = ("one", "two", "three")


def sold_daily(series: int, periods: int = 70) -> Panel:
    """Which are all of one kind, so that each listens to all others."""
    return panel_of(np.random.default_rng(1).poisson(20, (series, periods)) + 1)


def weights(products: list[np.ndarray], names=NAMES) -> np.ndarray:
    panel = sold_daily(len(products[0]))
    made = [one.astype("float32") for one in products]
    return weights_of(panel, made, names, origin=panel.y.shape[1])


def products_of(errors: np.ndarray) -> np.ndarray:
    """Mean products (series, models, models) of errors (series, models, periods)."""
    return errors @ errors.transpose(0, 2, 1) / errors.shape[2]


def best_by_brute_force(costs: np.ndarray, steps: int = 100) -> float:
    """The least cost of any weights of three models on a fine grid."""
    grid = [(a, b, steps - a - b) for a, b in product(range(steps + 1), repeat=2) if a + b <= steps]
    shares = np.array(grid) / steps
    return float(np.einsum("wi,ij,wj->w", shares, costs, shares).min())


@given(
    arrays("float64", (2, 3, 12), elements=st.floats(-9, 9, width=32)),
    arrays("float64", (2, 3, 12), elements=st.floats(-9, 9, width=32)),
)
@settings(deadline=None, max_examples=60)
def test_weights_are_shares_whatever_the_errors(first, second) -> None:
    found = weights([products_of(first), products_of(second)])
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("together", [0.0, 1.0, 3.0])
def test_weights_cost_the_least_that_any_do(together: float, rng) -> None:
    """Of errors that the models share in part, each model with its own size of the rest."""
    for size in rng.uniform(0.2, 2.0, (6, 3, 1)):
        errors = rng.normal(0, size, (3, 200)) + together * rng.normal(size=200)
        costs = products_of(errors[None])
        found = weights([costs] * 3)[0].astype("float64")
        stiffened = costs[0] * (1 + combination._RIDGE * np.eye(3))
        assert found @ stiffened @ found <= 1.003 * best_by_brute_force(stiffened)


def test_models_that_are_alike_get_the_same(rng) -> None:
    same = products_of(np.repeat(rng.normal(size=(1, 1, 50)), 3, axis=1))
    np.testing.assert_allclose(weights([same]), 1 / 3, atol=1e-4)
    unrelated = np.eye(3)[None]
    np.testing.assert_allclose(weights([unrelated]), 1 / 3, atol=1e-4)


def test_models_whose_errors_offset_each_other_share_the_weight(rng) -> None:
    error = rng.normal(size=400)
    errors = np.stack([error, -error, 0.9 * rng.normal(size=400)])
    found = weights([products_of(errors[None])])[0]
    np.testing.assert_allclose(found[:2], 0.5, atol=0.06)


def test_the_unit_of_a_series_does_not_matter(rng) -> None:
    costs = products_of(rng.normal(size=(1, 3, 30)) * [[[1.0], [1.5], [2.0]]])
    np.testing.assert_allclose(weights([1e-6 * costs]), weights([1e6 * costs]), atol=1e-3)


def test_a_model_that_was_exact_takes_all_though_alike_series_say_otherwise(rng) -> None:
    costs = products_of(rng.normal(size=(30, 3, 60)) * [[[3.0], [1.0], [2.0]]])
    costs[0, 0, :] = costs[0, :, 0] = 0
    found = weights([costs] * 4)
    assert found[0, 0] == pytest.approx(1)
    assert found[1:, 0].max() < 0.2
    assert (found[1:].argmax(axis=1) == 1).all()


def test_being_exact_on_what_hardly_ever_sells_says_little(rng) -> None:
    y = np.zeros((30, 140))
    y[:, 3] = 1
    y[1:, 60::7] = rng.poisson(3, (29, 12))
    y[0, 100] = 1  # once in the last weeks
    costs = products_of(rng.normal(size=(30, 3, 60)) * [[[3.0], [1.0], [2.0]]])
    costs[0] *= 1e-3
    costs[0, 0, :] = costs[0, :, 0] = 0
    found = weights_of(panel_of(y), [costs.astype("float32")] * 4, NAMES, origin=140)
    assert found[0].argmax() == 1


def test_own_windows_count_against_those_of_alike_series(rng) -> None:
    """The more often a series was another than the rest, the more it is believed."""
    usual = np.diag([1.0, 4.0, 4.0])
    costs = np.tile(usual, (40, 1, 1))
    costs[0] = np.diag([4.0, 1.0, 4.0])
    shares = [weights([costs] * windows)[0, 1] for windows in (1, 4, 16)]
    assert shares[0] < shares[1] < shares[2]
    assert shares[0] < weights([costs])[0, 0]
    assert shares[2] > weights([costs] * 16)[0, 0]


def test_a_series_of_which_nothing_is_known_gets_the_weights_of_those_alike(rng) -> None:
    costs = np.tile(np.diag([1.0, 4.0, 4.0]), (20, 1, 1))
    costs[0] = 0
    found = weights([costs] * 3)
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)


def test_series_are_alike_by_how_often_they_were_sold_before_the_origin(rng) -> None:
    y = rng.poisson(20, (20, 140)) + 1
    y[:10, :112] *= rng.random((10, 112)) < 0.2
    y[:, 0] = 1
    costs = np.tile(np.diag([1.0, 4.0]), (20, 1, 1)).astype("float32")
    costs[10:] = np.diag([4.0, 1.0])
    costs[0] = costs[10] = 0  # of which nothing is known but their kind
    early = weights_of(panel_of(y), [costs] * 4, NAMES[:2], origin=112)
    assert early[0, 0] > 0.6
    assert early[10, 0] < 0.4
    # What comes after the origin is no part of that.
    y[:, 112:] = 0
    np.testing.assert_array_equal(
        weights_of(panel_of(y), [costs] * 4, NAMES[:2], origin=112), early
    )


def test_a_random_forest_always_has_a_say(rng) -> None:
    costs = products_of(rng.normal(size=(5, 3, 60)) * [[[1.0], [9.0], [9.0]]])
    names = ("naive", "random_forest", "theta")
    found = weights([costs], names)
    np.testing.assert_allclose(found[:, 1], 0.05, atol=0.02)
    assert found[:, 2].max() < 0.03
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_products_are_those_of_a_slow_twin(rng) -> None:
    y = rng.poisson(5, (4, 40)).astype("float64")
    y[2, :25] = 0
    y[3] = 6  # which never changed: measured by what it sells
    observed = rng.random((4, 40)) < 0.8
    panel = Panel.from_matrix([*"abcd"], y, start=MONDAY, freq="D", backend=CPU, observed=observed)
    made = [rng.uniform(0, 9, (2, 4, 9)).astype("float32") for _ in range(3)]
    starts, window = (20, 30), 7
    found = error_products(panel, made, starts, window)
    for at, origin in enumerate(starts):
        for series in range(4):
            first, life = int(panel.first[series]), panel.y[series, :origin].astype("float64")
            expected = np.zeros((3, 3))
            steps = [t for t in range(origin, origin + window) if panel.observed[series, t]]
            if first < origin and steps:
                scale = np.mean(np.diff(life[first:]) ** 2) or life[-1] ** 2
                for one, other in product(range(3), repeat=2):
                    for t in steps:
                        left, right = (
                            panel.y[series, t] - made[k][at, series, t - origin]
                            for k in (one, other)
                        )
                        expected[one, other] += left * right / scale / len(steps)
            np.testing.assert_allclose(found[at][series], expected, rtol=1e-4, atol=1e-5)


def test_a_combination_is_better_than_a_model_by_their_squared_errors_in_all_windows(rng) -> None:
    errors = rng.normal(size=(2, 5, 3, 40)) * [[[1.0], [2.0], [3.0]]]
    products = [products_of(one) for one in errors]
    shares = rng.dirichlet([1, 1, 1], (2, 5))
    mean = float((np.einsum("wsm,wsmt->wst", shares, errors) ** 2).mean())
    for model in range(3):
        assert beats(products, list(shares), model) == (mean < (errors[:, :, model] ** 2).mean())
    alone = np.tile([1.0, 0.0, 0.0], (5, 1))
    assert [beats(products, [alone] * 2, model) for model in range(3)] == [False, True, True]


def test_combined_forecasts_are_weighted_sums_by_origin(rng) -> None:
    made = [rng.uniform(0, 9, (2, 4, 5)).astype("float32") for _ in range(3)]
    shares = rng.dirichlet([1, 1, 1], (2, 4)).astype("float32")
    found = combined(made, list(shares), np)
    expected = np.einsum("osm,mosh->osh", shares, np.stack(made))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
