"""The distribution of future purchases against exact values, sums, simulation and a slow twin."""

import numpy as np
import pytest
from buyers import TRUTH, Floats, buyers
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value import BetaGeoModel
from gpu_pipeline.customer_value.purchases import PurchaseCounts

CPU = Backend.choose("cpu")


def counts_of(parameters: Floats, horizon: float, *past: list[float]) -> PurchaseCounts:
    return PurchaseCounts.of(parameters, horizon, *(np.array(column) for column in past), CPU)


# r, alpha, a, b, horizon, frequency, age, and E(N | alive) = (a+b+x-1) / (a-1)
# [1 - ((alpha+T) / (alpha+T+h))^(r+x) 2F1(r+x, b+x; a+b+x-1; h / (alpha+T+h))], with mpmath 1.3
# in 80 digits.
EXACT = [
    (0.243, 4.414, 0.793, 2.426, 39, 0, 38.86, 0.19509805201126264),
    (0.243, 4.414, 0.793, 2.426, 39, 29, 38.86, 20.364166151784199),
    (0.243, 4.414, 0.793, 2.426, 5000, 2, 1, 51.840084555683338),
    (0.243, 4.414, 0.793, 2.426, 1e-06, 2, 38.86, 5.1832508832776799e-8),
    (1.5, 0.04, 2.04, 0.0001, 25, 3000, 0.7, 2813.6474996625374),
    (10000.0, 10000.0, 10000.0, 10000.0, 1, 5, 1, 0.78721264497065093),
    (0.0001, 1e-06, 0.0001, 10000.0, 1, 0, 1, 9.9999899500084338e-5),
    (2, 1, 1.0000001, 3, 2, 4, 1, 4.3166665461992195),
    (0.5, 1e-06, 0.5, 0.5, 1, 1, 0.001, 78.50666599812026),
    (100, 3, 0.0001, 50, 2, 7, 1, 53.498018286352821),
    (1, 1, 10000.0, 0.0001, 10, 0, 0.5, 0.86956522495339858),
]


@pytest.mark.parametrize("row", EXACT, ids=str)
def test_the_mean_is_exact_at_any_parameters(row: tuple[float, ...]) -> None:
    *parameters, horizon, frequency, age, exact = row
    recency = age if frequency else 0.0
    counts = counts_of(np.array(parameters), horizon, [frequency], [recency], [age])
    assert counts.mean() / counts.p_alive == pytest.approx([exact], rel=2e-10, abs=0)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(0, 30), st.floats(0.1, 1)), min_size=1, max_size=6),
    st.floats(0.05, 1),
)
def test_the_mean_is_the_sum_of_the_tails(
    logarithms: list[float], drawn: list[tuple[int, float]], horizon: float
) -> None:
    frequency = np.array([float(x) for x, _ in drawn])
    age = np.array([age for _, age in drawn])
    recency = np.where(frequency > 0, age / 2, 0)
    parameters = np.exp(logarithms)
    counts = PurchaseCounts.of(parameters, horizon, frequency, recency, age, CPU)
    # (numbers, customers)
    tails = counts.at_least(np.arange(1.0, 3000)[:, None])
    assert tails[-1].max() < 1e-13
    assert counts.mean() == pytest.approx(tails.sum(axis=0), rel=1e-8, abs=1e-12)
    assert counts.none() == pytest.approx(1 - tails[0], abs=1e-12)
    assert counts.at_least(0.0).tolist() == [1.0] * len(drawn)


def test_the_distribution_is_the_one_that_simulated_customers_have() -> None:
    known = buyers(60_000, seed=5)
    alike = (known.frequency == 2) & (known.recency < 90)
    past = [column[alike] for column in known.histories]
    assert alike.sum() > 2000
    counts = PurchaseCounts.of(np.array(list(TRUTH.values())), 90.0, *past, CPU)
    bought = known.purchases[alike]
    error = 4 / np.sqrt(len(bought))
    for number in (1, 2, 4):
        assert counts.at_least(number).mean() == pytest.approx((bought >= number).mean(), abs=error)
    assert counts.mean().mean() == pytest.approx(bought.mean(), abs=error * bought.std())


def slow_quantile(counts: PurchaseCounts, probability: float, row: int) -> int:
    number = 0
    while float(counts.at_least(float(number + 1))[row]) > 1 - probability:
        number += 1
    return number


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9, 0.999])
def test_quantiles_are_those_of_a_count_from_0(probability: float) -> None:
    known = buyers(120, seed=6)
    counts = PurchaseCounts.of(np.array([0.8, 5.0, 0.2, 2.5]), 90.0, *known.histories, CPU)
    slow = [slow_quantile(counts, probability, row) for row in range(120)]
    assert max(slow) > (1 if probability < 0.5 else 8)
    assert counts.quantile(probability).tolist() == slow


def test_an_interval_holds_at_least_its_level() -> None:
    known = buyers(20_000, seed=7)
    model = BetaGeoModel().fit(*known.histories)
    for level in (0.5, 0.8, 0.95):
        low, high = model.purchases_interval(90, *known.histories, level=level)
        is_within = (low <= known.purchases) & (known.purchases <= high)
        assert is_within.mean() > level - 0.01
    # Where the level falls between two numbers, the smaller interval holds less.
    narrower = (low <= known.purchases) & (known.purchases <= high - 1)
    assert narrower.mean() < 0.95


def test_the_model_answers_as_its_counts_do() -> None:
    known = buyers(50, seed=8)
    model = BetaGeoModel().fit(*known.histories)
    counts = model.counts(30.0, *known.histories)
    for number in (0, 1, 3):
        asked = model.purchases_probability(30.0, *known.histories, at_least=number)
        assert asked == pytest.approx(counts.at_least(float(number)))
    assert model.no_purchase_probability(30.0, *known.histories) == pytest.approx(counts.none())
