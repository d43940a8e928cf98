"""Drift is found where it was planted, and almost never where there is none."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpu_pipeline.quality.drift import (
    Comparison,
    categories_compared,
    drifted,
    numbers_compared,
)

Rng = np.random.Generator
SIZES = [(60, 60), (400, 2000), (5000, 500), (20_000, 20_000)]


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)


def numbers(before: np.ndarray, now: np.ndarray) -> Comparison:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, 512)))
    return numbers_compared("x", "numbers", counts(before, edges), counts(now, edges))


def categories(before: np.ndarray, now: np.ndarray) -> Comparison:
    size = int(max(before.max(), now.max())) + 1
    sides = (np.bincount(side, minlength=size) for side in (before, now))
    return categories_compared("x", "categories", *sides)


def table(rng: Rng, n: int, m: int, shift: float) -> list[Comparison]:
    """Six columns of a table, of which the shift moves one of each kind."""
    odds = np.array([0.4, 0.3, 0.2, 0.1])
    moved = odds + shift * np.array([-0.5, 0, 0, 0.5])
    return [
        numbers(rng.normal(0, 1, n), rng.normal(shift, 1, m)),
        numbers(rng.exponential(1, n), rng.exponential(1, m)),
        numbers(rng.poisson(2, n), rng.poisson(2, m)),
        categories(rng.choice(4, n, p=odds), rng.choice(4, m, p=moved)),
        categories(rng.geometric(0.05, n), rng.geometric(0.05, m)),
        categories(rng.integers(0, 2, n), rng.integers(0, 2, m)),
    ]


def false_alarms(draws: int) -> float:
    """The share of tables without any shift in which some column seems to have drifted."""
    rng = np.random.default_rng(1)
    sizes = [SIZES[i % 3] for i in range(draws)]
    return sum(any(drifted(table(rng, n, m, 0.0))) for n, m in sizes) / draws


def powers(draws: int) -> tuple[float, float]:
    """The share of shifted tables in which the number, and the category, is seen to have moved."""
    rng = np.random.default_rng(2)
    found = [drifted(table(rng, *SIZES[1 + i % 2], 0.4)) for i in range(draws)]
    return sum(one[0] for one in found) / draws, sum(one[3] for one in found) / draws


def test_there_are_few_false_alarms() -> None:
    assert false_alarms(300) <= 0.01


def test_planted_shifts_are_found() -> None:
    number, category = powers(100)
    assert number >= 0.9
    assert category >= 0.9


@pytest.mark.slow
def test_there_are_few_false_alarms_in_a_thousand_draws() -> None:
    assert false_alarms(1000) <= 0.01


@pytest.mark.slow
def test_planted_shifts_are_found_in_a_thousand_draws() -> None:
    assert min(powers(1000)) >= 0.9


def test_many_rows_do_not_make_a_drift_of_a_trifle() -> None:
    rng = np.random.default_rng(3)
    one = numbers(rng.normal(0, 1, 200_000), rng.normal(0.05, 1, 200_000))
    assert one.p_value is not None
    assert one.p_value < 1e-12
    assert drifted([one]) == [False]
    assert drifted([one], shift=0.01) == [True]


def test_few_rows_are_not_judged() -> None:
    one = numbers(np.zeros(1000), np.full(49, 9.0))
    assert one.p_value is None
    assert drifted([one]) == [False]


@pytest.mark.parametrize("draw", [lambda r, n: r.normal(size=n), lambda r, n: r.poisson(9, n)])
def test_the_distance_is_that_of_kolmogorov_and_smirnov(
    draw: Callable[[Rng, int], np.ndarray],
) -> None:
    rng = np.random.default_rng(4)
    before, now = draw(rng, 500), draw(rng, 300) + 1
    edges = np.unique(before)
    one = numbers_compared("x", "numbers", counts(before, edges), counts(now, edges))
    reference = stats.ks_2samp(before, now, method="asymp")
    assert one.distance == pytest.approx(reference.statistic, abs=0.01)
    assert one.p_value is not None
    assert np.log(one.p_value) == pytest.approx(np.log(reference.pvalue), rel=0.2)


def test_the_odds_of_categories_are_those_of_the_chi_squared_test() -> None:
    before, now = np.array([100, 200, 300, 0]), np.array([90, 150, 100, 0])
    reference = stats.chi2_contingency([before[:3], now[:3]], correction=False)
    one = categories_compared("x", "categories", before, now)
    assert one.p_value == pytest.approx(reference.pvalue)


def test_the_index_is_the_sum_over_ten_bins() -> None:
    rng = np.random.default_rng(5)
    before, now = rng.normal(0, 1, 50_000), rng.normal(0.5, 1, 50_000)
    edges = np.quantile(before, np.linspace(0.1, 0.9, 9))
    p, q = (np.bincount(np.searchsorted(edges, side)) / 50_000 for side in (before, now))
    assert numbers(before, now).psi == pytest.approx(
        float(((q - p) * np.log(q / p)).sum()), rel=0.05
    )


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=12))
def test_a_sample_beside_itself_has_not_drifted(cells: list[tuple[int, int]]) -> None:
    side = np.array([cell[0] for cell in cells])
    for compare in (numbers_compared, categories_compared):
        one = compare("x", "numbers", side, side)
        assert one.distance == 0
        assert one.psi == 0
        assert one.p_value in (None, 1.0)
        other = compare("x", "numbers", side, np.array([cell[1] for cell in cells]))
        assert 0 <= other.distance <= 1 + 1e-12
        assert other.psi >= 0
        assert other.p_value is None or 0 <= other.p_value <= 1
