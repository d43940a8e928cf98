"""BG/NBD against published figures, lifetimes, planted truths and worlds that no model fits."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from buyers import TRUTH, Floats, buyers
from real_data import real_data
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value import BetaGeoModel, beta_geo
from gpu_pipeline.customer_value.fitting import Limits
from gpu_pipeline.errors import FitError, HistoryError, NotFitted, PipelineError

CPU = Backend.choose("cpu")
HISTORIES = (np.array([0, 0, 1, 2, 6.0]), np.array([0, 0, 5, 20, 36.0]), np.full(5, 40.0))


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    return pd.read_parquet(real_data("customers/cdnow_summary_2357.parquet"))


def test_cdnow_gives_the_published_fit(cdnow: pd.DataFrame) -> None:
    model = BetaGeoModel().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    # Fader, Hardie & Lee (2005, Marketing Science 24), table 2.
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    assert {name: round(value, 3) for name, value in model.params_.items()} == published
    assert round(model.log_likelihood_, 1) == -9582.4
    # lifetimes 0.11.3: BetaGeoFitter().fit(frequency, recency, T, tol=1e-9), standard_errors_.
    errors = {"r": 0.0125573, "alpha": 0.3782214, "a": 0.1857191, "b": 0.7053458}
    assert model.standard_errors_ == pytest.approx(errors, rel=1e-5)
    assert model.at_limits_ == ()
    assert (model.customers_, model.evaluations_) == (2357, pytest.approx(6, abs=4))


def test_cdnow_predictions_are_those_of_lifetimes(cdnow: pd.DataFrame) -> None:
    model = BetaGeoModel().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    past = (
        np.array([0, 1, 2, 7, 29.0]),
        np.array([0, 1.71, 30.43, 29.43, 37.0]),
        np.array([38.86, 38.86, 38.86, 38.86, 38.0]),
    )
    # lifetimes 0.11.3 for the same customers: conditional_probability_alive, and
    # conditional_expected_number_of_purchases_up_to_time(39, …).
    alive = [1.0, 0.21222741, 0.72660915, 0.64180061, 0.95024663]
    expected = [0.19478085, 0.20325064, 1.22591045, 3.33723943, 19.66284861]
    assert model.p_alive(*past) == pytest.approx(alive, rel=1e-6)
    assert model.expected_purchases(39, *past) == pytest.approx(expected, rel=1e-6)


def test_time_may_be_of_any_unit(cdnow: pd.DataFrame) -> None:
    weeks = BetaGeoModel().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    second = 1 / (7 * 86400)
    seconds = BetaGeoModel().fit(cdnow["frequency"], cdnow["recency"] / second, cdnow["T"] / second)
    assert seconds.params_.pop("alpha") * second == pytest.approx(weeks.params_.pop("alpha"))
    assert seconds.params_ == pytest.approx(weeks.params_)
    assert seconds.evaluations_ == weeks.evaluations_


def test_planted_parameters_are_found_within_their_errors() -> None:
    model = BetaGeoModel().fit(*buyers(30_000, seed=2).histories)
    for name, planted in TRUTH.items():
        error = model.standard_errors_[name]
        assert error is not None
        assert abs(model.params_[name] - planted) < 3 * error
        assert error < 0.1 * planted


def test_order_of_rows_changes_nothing_and_weights_stand_for_rows() -> None:
    frequency, recency, age = buyers(500, seed=3).histories
    whole = BetaGeoModel().fit(frequency, recency, age)
    order = np.random.default_rng(0).permutation(500)
    mixed = BetaGeoModel().fit(frequency[order], recency[order], age[order])
    assert mixed.document() == whole.document()
    twice = BetaGeoModel().fit(*(np.repeat(one, 2) for one in (frequency, recency, age)))
    weighted = BetaGeoModel().fit(frequency, recency, age, weights=np.full(500, 2))
    assert weighted.params_ == pytest.approx(twice.params_, rel=1e-6)
    assert weighted.log_likelihood_ == pytest.approx(2 * whole.log_likelihood_, rel=1e-9)
    assert weighted.customers_ == twice.customers_ == 1000


def test_the_number_of_threads_changes_no_digit() -> None:
    rng = np.random.default_rng(5)
    age = rng.uniform(0.5, 1, 40_000)
    frequency = rng.poisson(rng.gamma(0.5, 4, 40_000)).astype(float)
    recency = np.where(frequency > 0, age * rng.uniform(0.1, 1, 40_000), 0)
    documents = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            documents.append(BetaGeoModel().fit(frequency, recency, age).document())
    assert documents[0] == documents[1]


@pytest.mark.parametrize(
    ("rows", "at_limits", "p_alive", "expected"),
    [
        # Nobody ever comes back: they buy at no rate.
        ([(0, 0, 30), (0, 0, 40)], {"r", "alpha"}, (1, 1), (0, 0.02)),
        # Everybody keeps coming: nobody leaves, all buy alike.
        ([(10, 40, 40)] * 5, {"r", "a", "b"}, (0.99, 1), (9, 11)),
        # All come back once, at once, and never again: everybody leaves.
        ([(1, 0.1, 40)] * 50, {"r", "b"}, (0, 0.01), (0, 0.01)),
        ([(0, 0, 0)], set(), (1, 1), (0, math.inf)),
    ],
)
def test_without_a_maximum_the_fit_ends_at_limits_and_predicts_what_was_seen(
    rows: list[tuple[float, float, float]],
    at_limits: set[str],
    p_alive: tuple[float, float],
    expected: tuple[float, float],
) -> None:
    past = [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
    model = BetaGeoModel().fit(*past)
    assert at_limits & set(model.at_limits_) == at_limits
    assert all(model.standard_errors_[name] is None for name in model.at_limits_)
    assert p_alive[0] <= model.p_alive(*past)[0] <= p_alive[1]
    assert expected[0] <= model.expected_purchases(40, *past)[0] <= expected[1]


def strange_world(seed: int) -> tuple[Floats, Floats, Floats]:
    """Customers who buy as no model says: once, always, at once, thousands of times."""
    rng = np.random.default_rng(seed)
    size, unit = int(rng.choice([1, 2, 3, 10, 60])), 10 ** rng.uniform(-3, 8)
    age = unit * (rng.random(size) if rng.random() < 0.5 else np.ones(size))
    frequency = [
        np.zeros(size),
        rng.integers(1, 5, size),
        rng.poisson(1000, size),
        rng.integers(0, 2, size),
        rng.poisson(rng.gamma(0.3, 3, size)),
        np.full(size, 7),
        np.where(rng.random(size) < 0.9, 0, rng.integers(1, 3000, size)),
        rng.geometric(0.2, size) - 1,
    ][seed % 8].astype(float)
    part = [rng.random(size), 1.0, 1e-6, frequency / (frequency + 1)][seed // 8 % 4]
    recency = np.where(frequency > 0, np.maximum(age * part, np.finfo(float).tiny), 0.0)
    return frequency, recency, age


def test_strange_worlds_have_finite_fits_and_predictions() -> None:
    assert_finite(range(100))


@pytest.mark.slow
def test_a_thousand_strange_worlds_have_finite_fits_and_predictions() -> None:
    assert_finite(range(1000))


def assert_finite(seeds: range) -> None:
    for seed in seeds:
        past = strange_world(seed)
        horizon = float(past[2].max() * [1e-3, 1, 50][seed % 3])
        model = BetaGeoModel().fit(*past)
        alive, none = model.p_alive(*past), model.no_purchase_probability(horizon, *past)
        expected = model.expected_purchases(horizon, *past)
        low, high = model.purchases_interval(horizon, *past)
        for found in (alive, expected, none, low, high):
            assert np.isfinite(found).all(), seed
            assert (found >= 0).all(), seed
        assert max(alive.max(), none.max()) <= 1, seed
        assert (low <= high).all(), seed
        # At least one purchase is less likely than the mean is large (Markov's inequality).
        assert (1 - none <= expected * (1 + 1e-9) + 1e-15).all(), seed


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([-1.0], [0.0], [1.0]), r"no whole number from 0: 1 rows, the first is row 0"),
        (([0, 1.5, 2.5], [0, 1, 1], [2, 2, 2]), r"no whole number from 0: 2 rows, .* row 1 \(f"),
        (([1.0], [-1.0], [1.0]), r"recency, the age at the last purchase, is negative: 1 rows"),
        (
            ([0, 1], [0, 3], [5, 2]),
            r"recency > age\): 1 rows, the first is row 1 \(freq",
        ),
        (([1.0], [0.0], [1.0]), r"at the very moment of the first purchase \(recency 0\)"),
        (([0.0], [1.0], [1.0]), r"never came back, and yet has a recency: 1 rows"),
        (
            ([0, 1], [0, np.nan], [1, 1]),
            r"recency is no finite number: 1 rows, .* row 1 \(rec",
        ),
        (([0.0], [0.0], [np.inf]), r"age is no finite number"),
        (
            ([0, 0], [0], [1]),
            r"columns of one length.*frequency \(2,\), recency \(1,\), age",
        ),
        (([], [], []), r"no customers to learn from"),
    ],
)
def test_histories_that_nobody_can_have_are_refused(
    columns: tuple[list[float], ...], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        BetaGeoModel().fit(*(np.array(column, dtype=float) for column in columns))


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(HistoryError, match=r"no whole number.*recency > age.*yet has a recency"):
        BetaGeoModel().fit(np.array([0.5, 2, 0]), np.array([1.0, 9, 1]), np.array([2.0, 2, 2]))
    with pytest.raises(HistoryError, match=r"a weight is negative: 1 rows, the first is row 4"):
        BetaGeoModel().fit(*HISTORIES, weights=np.array([1, 1, 1, 1, -1]))


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_pipeline.customer_value.fitting._MOST_STEPS", 3)
    with pytest.raises(FitError, match=r"BG/NBD model .* did not converge from any of 3 starts"):
        BetaGeoModel().fit(*HISTORIES)


@pytest.mark.parametrize("horizon", [0.0, -1.0, math.nan, math.inf])
def test_a_horizon_is_a_length_of_time(horizon: float) -> None:
    model = BetaGeoModel().fit(*HISTORIES)
    with pytest.raises(HistoryError, match="must be more than 0, in the unit of the ages"):
        model.expected_purchases(horizon, *HISTORIES)


def test_predictions_are_the_same_in_pieces_and_for_one_customer_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = buyers(200, seed=4)
    model = BetaGeoModel().fit(*known.histories)

    def predicted(rows: slice) -> list[Floats]:
        past = [column[rows] for column in known.histories]
        return [
            model.p_alive(*past),
            model.expected_purchases(90, *past),
            model.no_purchase_probability(90, *past),
            *model.purchases_interval(90, *past),
        ]

    whole = predicted(slice(None))
    assert all(len(column) == 200 for column in whole)
    assert [len(column) for column in predicted(slice(0))] == [0] * 5
    for row in range(0, 200, 20):
        alone = predicted(slice(row, row + 1))
        assert [one[0] for one in alone] == pytest.approx([one[row] for one in whole], rel=1e-11)
    monkeypatch.setattr(Backend, "rows_at_once", property(lambda _: 7))
    for one, other in zip(whole, predicted(slice(None)), strict=True):
        assert other == pytest.approx(one, rel=1e-11)


def test_the_model_has_the_manners_of_scikit_learn(tmp_path: Path) -> None:
    model = BetaGeoModel(backend=CPU)
    assert clone(model).get_params() == {"backend": CPU}
    assert repr(BetaGeoModel()) == "BetaGeoModel()"
    with pytest.raises(NotFitted, match="BetaGeoModel has no parameters yet"):
        model.p_alive(*HISTORIES)
    with pytest.raises(NotFitted):
        model.document()
    fitted = model.fit(*HISTORIES, weights=np.array([40, 20, 8, 10, 9]))
    assert fitted is model
    assert not hasattr(clone(fitted), "params_")
    fitted.save(str(tmp_path / "bg"))
    loaded = BetaGeoModel.load(str(tmp_path / "bg"))
    assert loaded.document() == fitted.document()
    assert loaded.expected_purchases(10, *HISTORIES).tolist() == (
        fitted.expected_purchases(10, *HISTORIES).tolist()
    )
    with pytest.raises(PipelineError, match=r"There is no .*model\.json"):
        BetaGeoModel.load(tmp_path)
    with pytest.raises(PipelineError, match=r"no document of a BetaGeoModel: its params are p, q"):
        BetaGeoModel.of_document({"params": {"p": 1, "q": 2}})


def test_starts_lie_within_the_limits() -> None:
    limits: Limits = beta_geo._LIMITS
    assert all(((limits.low < start) & (start < limits.high)).all() for start in beta_geo._STARTS)
