"""Units against sums over every number that may be asked for, one distribution at a time."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, norm, poisson

from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory import Units

CPU = Backend.choose("cpu")
FAR = np.arange(4000)


def units(mean: float, variance: float) -> Units:
    return Units(np.array([mean]), np.array([variance]), CPU)


def chances(mean: float, variance: float) -> npt.NDArray[np.float64]:
    """The probability of each number of units, by SciPy's distributions."""
    if variance <= mean * 1.0001:
        return np.asarray(poisson.pmf(FAR, mean))
    return np.asarray(nbinom.pmf(FAR, mean**2 / (variance - mean), mean / variance))


def slow(mean: float, variance: float, value: Callable[..., npt.NDArray[np.float64]]) -> float:
    """The mean of a value over all numbers of units."""
    return float((chances(mean, variance) * value(FAR)).sum())


@settings(deadline=None, max_examples=60)
@given(
    mean=st.floats(0.01, 60.0),
    ratio=st.sampled_from([1.0, 1.05, 2.0, 9.0]),
    limit=st.integers(0, 150),
)
def test_counts_are_those_of_a_negative_binomial(mean: float, ratio: float, limit: int) -> None:
    made, at = units(mean, ratio * mean), np.array([float(limit)])
    beyond = (
        (made.exceeds(at), lambda n: n > limit),
        (made.loss(at), lambda n: np.maximum(n - limit, 0)),
        (made.second_loss(at), lambda n: np.maximum(n - limit, 0) * (n - limit - 1) / 2),
    )
    for found, value in beyond:
        assert found[0] == pytest.approx(slow(mean, ratio * mean, value), rel=2e-3, abs=1e-7)


def test_a_second_loss_adds_up_the_losses_above() -> None:
    for variance in (40.0, 90.0):
        made = units(40.0, variance)
        each = [made.loss(np.array([float(limit)]))[0] for limit in range(45, 400)]
        assert made.second_loss(np.array([44.0]))[0] == pytest.approx(sum(each), rel=1e-6)


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize(("mean", "variance"), [(0.02, 0.02), (3.0, 3.0), (7.5, 40.0), (900, 5e4)])
def test_a_quantile_is_the_fewest_units_that_suffice(
    mean: float, variance: float, probability: float
) -> None:
    found = int(units(mean, variance).quantile(probability)[0])
    enough = np.cumsum(chances(mean, variance))
    assert found == int(np.searchsorted(enough, probability - 1e-9))


def test_many_units_that_vary_less_than_those_of_single_buyers_are_normal() -> None:
    made = units(400.0, 25.0)
    assert made.quantile(0.95)[0] == np.ceil(norm.ppf(0.95, 400, 5) - 0.5)
    assert made.loss(np.array([400.0]))[0] == pytest.approx(5 * norm.pdf(0))


def test_few_units_are_never_surer_than_chance() -> None:
    assert units(2.0, 0.1).quantile(0.95)[0] == poisson.ppf(0.95, 2.0)


def test_nothing_is_asked_for_where_nothing_is_expected() -> None:
    made, none = units(0.0, 0.0), np.array([0.0])
    assert made.quantile(0.99)[0] == 0
    assert made.loss(none)[0] == pytest.approx(0.0, abs=1e-9)
