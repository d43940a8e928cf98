"""Gamma-Gamma against lifetimes, a planted truth and a twin that goes customer by customer."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from buyers import SPEND, Floats, buyers
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_data
from sklearn.base import clone

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value import GammaGammaModel
from gpu_pipeline.customer_value.gamma_gamma_likelihood import GammaGammaLikelihood
from gpu_pipeline.errors import HistoryError, NotFitted

CPU = Backend.choose("cpu")

spends = st.lists(
    st.tuples(st.integers(1, 40), st.floats(0.05, 20), st.integers(1, 5)), min_size=1, max_size=12
)
logarithms = st.lists(st.floats(-2, 3), min_size=3, max_size=3).map(np.array)


def slow_log_likelihood(p: float, q: float, v: float, x: float, mean: float) -> float:
    """Of a customer, as the note writes it (eq. 1a)."""
    start = math.lgamma(p * x + q) - math.lgamma(p * x) - math.lgamma(q)
    powers = q * math.log(v) + (p * x - 1) * math.log(mean) + p * x * math.log(x)
    return start + powers - (p * x + q) * math.log(v + mean * x)


@settings(deadline=None, max_examples=60)
@given(spends, logarithms)
def test_the_likelihood_is_that_of_its_slow_twin(
    rows: list[tuple[int, float, int]], at: Floats
) -> None:
    x, mean, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    p, over, v = np.exp(at).tolist()
    total = sum(w * slow_log_likelihood(p, 1 + over, v, n, m) for n, m, w in rows)
    fast = GammaGammaLikelihood.of(x, mean, weights, CPU)
    assert fast(at).value == pytest.approx(-total / weights.sum(), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(spends, logarithms)
def test_gradient_and_hessian_are_those_of_finite_differences(
    rows: list[tuple[int, float, int]], at: Floats
) -> None:
    x, mean, _ = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    likelihood, width = GammaGammaLikelihood.of(x, mean, None, CPU), 1e-5
    here = likelihood(at)
    size = 1 + np.abs(here.hessian).max()
    for place in range(3):
        step = np.zeros(3)
        step[place] = width
        ahead, behind = likelihood(at + step), likelihood(at - step)
        slope = (ahead.value - behind.value) / (2 * width)
        assert here.gradient[place] == pytest.approx(slope, abs=1e-7 * size)
        bends = (ahead.gradient - behind.gradient) / (2 * width)
        assert here.hessian[place] == pytest.approx(bends, abs=1e-7 * size)


def test_cdnow_gives_the_fit_and_the_averages_of_lifetimes() -> None:
    log = pd.read_parquet(real_data("customers/cdnow_purchases.parquet"))
    days = log.assign(day=log["date"].dt.floor("D"))
    sales = days.groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    sales = sales[sales["day"] <= pd.Timestamp("1997-09-30")]
    repeats = sales[sales["day"] > sales.groupby("customer_id")["day"].transform("min")]
    spent = repeats.groupby("customer_id")["amount"].agg(["size", "mean"])
    spent = spent[spent["mean"] > 0]
    assert len(spent) == 9450
    model = GammaGammaModel().fit(spent["size"], spent["mean"])
    # lifetimes 0.11.3: GammaGammaFitter().fit(frequency, monetary_value) of these customers.
    assert model.params_ == pytest.approx({"p": 6.275359, "q": 3.624450, "v": 14.983689}, rel=2e-6)
    assert model.log_likelihood_ == pytest.approx(-40763.476261)
    errors = {"p": 0.3996975, "q": 0.0905534, "v": 1.3440364}
    assert model.standard_errors_ == pytest.approx(errors, rel=1e-5)
    averages = model.expected_average([1, 2, 9], [10.0, 80.0, 30.0])
    assert averages == pytest.approx([17.61628937, 72.36067764, 30.25877872], rel=1e-6)


def test_planted_parameters_are_found_in_any_currency_unit() -> None:
    known = buyers(20_000, seed=1)
    cents = GammaGammaModel().fit(known.averaged_over, known.average)
    for name, planted in SPEND.items():
        error = cents.standard_errors_[name]
        assert error is not None
        assert abs(cents.params_[name] - planted) < 3 * error < 0.3 * planted
    euros = GammaGammaModel().fit(known.averaged_over, known.average / 100)
    assert euros.params_["v"] * 100 == pytest.approx(cents.params_["v"])
    assert euros.params_["q"] == pytest.approx(cents.params_["q"])


def test_weights_stand_for_rows() -> None:
    known = buyers(400, seed=2)
    twice = (np.repeat(one, 2) for one in (known.averaged_over, known.average))
    weights = np.full(400, 2)
    weighted = GammaGammaModel().fit(known.averaged_over, known.average, weights=weights)
    repeated = GammaGammaModel().fit(*twice)
    assert weighted.params_ == pytest.approx(repeated.params_, rel=1e-6)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_)


def test_an_expected_average_goes_from_that_of_all_to_the_customers_own() -> None:
    model = GammaGammaModel.of_document(
        {
            "params": {"p": 6, "q": 4, "v": 1500},
            **{"log_likelihood": -1, "standard_errors": {}, "at_limits": [], "customers": 9},
            "evaluations": 3,
        }
    )
    assert model.expected_average([0, 0], [0.0, 777.0]).tolist() == [3000, 3000]
    few, more, many = model.expected_average([1, 5, 10_000], [9000.0] * 3)
    assert 3000 < few < more < many == pytest.approx(9000, rel=1e-3)


def test_strange_spend_has_finite_fits_and_averages() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size, unit = int(rng.choice([1, 2, 3, 10, 60])), 10 ** rng.uniform(-6, 9)
        kinds = [np.ones(size), rng.poisson(2, size), rng.poisson(2000, size)]
        frequency = np.maximum(1.0, kinds[seed % 3])
        average = (
            unit
            * [np.ones(size), rng.lognormal(0, 1, size), rng.lognormal(0, 5, size)][seed // 3 % 3]
        )
        model = GammaGammaModel().fit(frequency, average)
        for found in (model.expected_average(frequency, average), model.expected_average([0], [0])):
            assert np.isfinite(found).all(), seed
            assert (found > 0).all(), seed


@pytest.mark.parametrize(
    ("frequency", "average", "message"),
    [
        ([1, 0, 0], [5.0, 5.0, 5.0], r"no whole number from 1: 2 rows, the first is row 1"),
        ([1, 2], [5.0, 0.0], r"the average must be more than 0: 1 rows, the first is row 1"),
        ([1.5], [5.0], r"no whole number from 1: 1 rows"),
        ([1], [np.nan], r"average is no finite number: 1 rows"),
        ([], [], r"no customers to learn from"),
    ],
)
def test_spend_that_tells_nothing_is_refused(
    frequency: list[float], average: list[float], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        GammaGammaModel().fit(np.array(frequency), np.array(average))


def test_the_model_has_the_manners_of_scikit_learn(tmp_path: Path) -> None:
    model = GammaGammaModel()
    assert clone(model).get_params() == {"backend": None}
    with pytest.raises(NotFitted, match="GammaGammaModel has no parameters yet"):
        model.expected_average([1], [1.0])
    known = buyers(50, seed=3)
    assert model.fit(known.averaged_over, known.average) is model
    with pytest.raises(HistoryError, match="average must be 0 or more: 1 rows"):
        model.expected_average([1], [-1.0])
    model.save(tmp_path)
    assert GammaGammaModel.load(tmp_path).document() == model.document()
