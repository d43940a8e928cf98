"""The likelihood of BG/NBD against a twin that goes customer by customer, and differences."""

import math

import numpy as np
import pytest
from buyers import Floats, buyers
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value.beta_geo_likelihood import BetaGeoLikelihood

CPU = Backend.choose("cpu")
histories = st.tuples(st.integers(0, 60), st.floats(0.01, 1), st.floats(0.01, 1)).map(
    lambda one: (float(one[0]), one[1] * one[2] if one[0] else 0.0, one[2])
)
logarithms = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(np.array)


def slow_log_likelihood(
    parameters: Floats, rows: list[tuple[float, float, float]], weights: list[float]
) -> float:
    """Customer by customer, as the paper writes it (eq. 6), with beta functions by lgamma."""

    def log_beta(one: float, other: float) -> float:
        return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)

    r, alpha, a, b = parameters.tolist()
    total = 0.0
    for (x, t, age), weight in zip(rows, weights, strict=True):
        start = math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha)
        alive = log_beta(a, b + x) - log_beta(a, b) - (r + x) * math.log(alpha + age)
        terms = [alive]
        if x > 0:
            gone = log_beta(a + 1, b + x - 1) - log_beta(a, b)
            terms.append(gone - (r + x) * math.log(alpha + t))
        top = max(terms)
        total += weight * (start + top + math.log(sum(math.exp(term - top) for term in terms)))
    return total


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(histories, st.integers(1, 9)), min_size=1, max_size=12), logarithms)
def test_the_likelihood_is_that_of_its_slow_twin(
    drawn: list[tuple[tuple[float, float, float], int]], at: Floats
) -> None:
    rows, weights = [row for row, _ in drawn], [float(weight) for _, weight in drawn]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    fast = BetaGeoLikelihood.of(*columns, np.array(weights), CPU)
    slow = slow_log_likelihood(np.exp(at), rows, weights) / sum(weights)
    assert fast(at).value == pytest.approx(-slow, rel=1e-10, abs=1e-10)


@settings(deadline=None, max_examples=40)
@given(st.lists(histories, min_size=1, max_size=12), logarithms)
def test_gradient_and_hessian_are_those_of_finite_differences(
    rows: list[tuple[float, float, float]], at: Floats
) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    likelihood = BetaGeoLikelihood.of(*columns, None, CPU)
    here, width = likelihood(at), 1e-5
    for place in range(4):
        step = np.zeros(4)
        step[place] = width
        ahead, behind = likelihood(at + step), likelihood(at - step)
        slope = (ahead.value - behind.value) / (2 * width)
        assert here.gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-6)
        bends = (ahead.gradient - behind.gradient) / (2 * width)
        assert here.hessian[place] == pytest.approx(bends, rel=1e-5, abs=1e-5)


def test_the_pieces_of_a_likelihood_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    known = buyers(300, seed=1)
    likelihood = BetaGeoLikelihood.of(*known.histories, None, CPU)
    whole = likelihood(np.zeros(4))
    monkeypatch.setattr(Backend, "rows_at_once", property(lambda _: 7))
    parts = likelihood(np.zeros(4))
    for one, other in zip(whole, parts, strict=True):
        assert other == pytest.approx(one, rel=1e-11)
