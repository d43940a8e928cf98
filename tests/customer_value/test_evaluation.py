from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from gpu_pipeline.customer_value.evaluation import (
    AmountQuality,
    RiskQuality,
    area_under_curve,
    calibration_error,
    central_share,
    covered_share,
    decile_table,
)

# Few different values, so that many customers are told apart by nothing.
drawn = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.6, 1.0]), st.booleans()), min_size=2, max_size=40
)
amounts = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 2.5, 9.0]), st.integers(-3, 20)), min_size=1, max_size=40
)


def columns(rows: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = zip(*rows, strict=True)
    return np.array(first), np.array(second)


@settings(deadline=None, max_examples=60)
@given(drawn)
def test_measures_of_risk_are_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    risk, happened = columns(rows)
    found = RiskQuality.of(risk, happened)
    assert found.brier == pytest.approx(brier_score_loss(happened, risk))
    if 0 < happened.sum() < len(rows):
        assert found.area_under_curve == pytest.approx(roc_auc_score(happened, risk))
    else:
        assert found.area_under_curve is None
    assert (found.customers, found.happened) == (len(rows), pytest.approx(happened.mean()))


def slow_calibration_error(risk: np.ndarray, happened: np.ndarray) -> float:
    """Customer by customer: each stands for the share of those with the same risk."""
    shares = {p: np.mean(happened[risk == p]) for p in set(risk.tolist())}
    ordered = sorted(risk.tolist())
    size, more = divmod(len(ordered), 10)
    lengths = [size + 1] * more + [size] * (10 - more)
    total, begin = 0.0, 0
    for length in lengths:
        some = ordered[begin : begin + length]
        total += abs(sum(some) - sum(shares[p] for p in some))
        begin += length
    return total / len(ordered)


@settings(deadline=None, max_examples=60)
@given(drawn, st.randoms(use_true_random=False))
def test_the_calibration_error_is_that_of_the_definition_in_any_order(
    rows: list[tuple[float, bool]], random: object
) -> None:
    wanted = slow_calibration_error(*columns(rows))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert calibration_error(*columns(rows)) == pytest.approx(wanted)


def test_the_calibration_error_in_numbers() -> None:
    risk = np.repeat([0.2, 0.8], 50)
    happened = np.tile([True, False, False, False, False], 20)
    # One in five all over: right for the first half, 0.6 too much for the second.
    assert calibration_error(risk, happened) == pytest.approx(0.3)
    right = np.concatenate([happened[:50], ~happened[:50]])
    assert calibration_error(risk, right) == pytest.approx(0)


@settings(deadline=None, max_examples=40)
@given(drawn)
def test_the_area_under_the_curve_counts_pairs(rows: list[tuple[float, bool]]) -> None:
    risk, happened = columns(rows)
    pairs = [(yes > no) + (yes == no) / 2 for yes in risk[happened] for no in risk[~happened]]
    wanted = pytest.approx(np.mean(pairs)) if pairs else None
    assert area_under_curve(risk, happened) == wanted


@settings(deadline=None, max_examples=60)
@given(amounts, st.randoms(use_true_random=False))
def test_deciles_hold_everybody_once_best_first_in_any_order(
    rows: list[tuple[float, int]], random: object
) -> None:
    predicted, actual = columns(rows)
    found = decile_table(predicted, actual.astype(float))
    assert found["customers"].sum() == len(rows)
    assert found["customers"].max() - found["customers"].min() <= 1
    assert found["predicted"].sum() == pytest.approx(predicted.sum())
    assert found["actual"].sum() == pytest.approx(actual.sum())
    means = found["predicted"] / found["customers"]
    assert (means.diff().dropna() <= 1e-9).all()
    random.shuffle(rows)  # type: ignore[attr-defined]
    mixed, came = columns(rows)
    again = decile_table(mixed, came.astype(float))
    np.testing.assert_allclose(again.to_numpy(), found.to_numpy(), atol=1e-9)


def test_who_is_not_told_apart_shares_what_came() -> None:
    # All that came is one customer's, who is one of five that look alike.
    predicted = np.repeat([3.0, 1.0], [5, 15])
    actual = np.zeros(20)
    actual[4] = 100.0
    found = decile_table(predicted, actual)
    assert found["actual"].tolist() == pytest.approx([40, 40, 20, 0, 0, 0, 0, 0, 0, 0])
    assert found["share"].tolist()[:3] == pytest.approx([0.4, 0.4, 0.2])


def test_amounts_in_numbers() -> None:
    predicted, actual = np.arange(20.0), np.arange(20.0) + np.tile([1.0, -1.0], 10)
    found = AmountQuality.of(predicted, actual)
    assert found == AmountQuality(
        mean_absolute_error=1.0,
        root_mean_squared_error=1.0,
        bias=0.0,
        top_decile_share=(18 + 19) / 190,
    )
    nothing = AmountQuality.of(predicted, np.zeros(20))
    assert (nothing.bias, nothing.top_decile_share) == (None, None)
    assert nothing.mean_absolute_error == 9.5


def test_the_central_share_is_that_of_many_draws_for_what_did_not_happen() -> None:
    rng = np.random.default_rng(0)
    nothing = rng.choice([0.0, 0.05, 0.5, 0.95, 1.0], 50)
    # Of some, nothing came; of the others, something between what is likely and what is not.
    at_most = np.where(rng.random(50) < 0.5, nothing, nothing + (1 - nothing) * rng.random(50))
    draws = np.where(at_most > nothing, at_most, nothing * rng.random((20_000, 50)))
    wanted = ((draws >= 0.1) & (draws <= 0.9)).mean()
    assert central_share(nothing, at_most, level=0.8) == pytest.approx(wanted, abs=0.005)


def test_the_central_share_of_right_distributions_is_their_level() -> None:
    rng = np.random.default_rng(1)
    nothing, even = rng.random(20_000), rng.random(20_000)
    for level in (0.5, 0.8):
        found = central_share(nothing, np.maximum(nothing, even), level=level)
        assert found == pytest.approx(level, abs=0.015)


def test_an_interval_covers_its_ends() -> None:
    low, high = np.array([0.0, 0.0, 2.0, 5.0]), np.array([0.0, 1.0, 3.0, 5.0])
    assert covered_share(low, high, np.array([0.0, 1.0, 1.9, 5.1])) == 0.5
