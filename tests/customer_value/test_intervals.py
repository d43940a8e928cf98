"""Intervals of value against simulated customers, seeded draws and their own definition."""

import numpy as np
import pytest
from buyers import Buyers, Floats, buyers
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value import BetaGeoModel, GammaGammaModel
from gpu_pipeline.customer_value import intervals as module
from gpu_pipeline.customer_value.intervals import value_interval, value_probability
from gpu_pipeline.customer_value.purchases import PurchaseCounts
from gpu_pipeline.customer_value.totals import Totals
from gpu_pipeline.errors import HistoryError, NotFitted

CPU = Backend.choose("cpu")
# They buy often and hardly leave: few buy nothing, so value is all but continuous.
STEADY = {"r": 6.0, "alpha": 60.0, "a": 1.0, "b": 1000.0}


@pytest.fixture(scope="module")
def known() -> Buyers:
    return buyers(4000, seed=1)


@pytest.fixture(scope="module")
def models(known: Buyers) -> tuple[BetaGeoModel, GammaGammaModel]:
    return fitted(known)


def fitted(known: Buyers) -> tuple[BetaGeoModel, GammaGammaModel]:
    spending = GammaGammaModel().fit(known.averaged_over, known.average)
    return BetaGeoModel().fit(*known.histories), spending


def interval(
    models: tuple[BetaGeoModel, GammaGammaModel],
    known: Buyers,
    level: float = 0.8,
    rows: slice = slice(None),
) -> tuple[Floats, Floats]:
    past = [column[rows] for column in (*known.histories, known.average)]
    over = known.averaged_over[rows]
    return value_interval(*models, 90, *past, averaged_over=over, level=level)


def test_eighty_percent_of_continuous_values_lie_within_their_intervals() -> None:
    steady = buyers(4000, seed=2, truth=STEADY, ages=(100, 200))
    models = fitted(steady)
    low, high = interval(models, steady)
    is_within = (low <= steady.value) & (steady.value <= high)
    assert (low > 0).mean() > 0.95
    assert 0.77 < is_within.mean() < 0.83
    assert 0.08 < (steady.value > high).mean() < 0.12


def test_with_a_mass_at_0_the_integral_transform_is_even(
    models: tuple[BetaGeoModel, GammaGammaModel], known: Buyers
) -> None:
    low, high = interval(models, known)
    is_within = (low <= known.value) & (known.value <= high)
    # Most buy nothing, which every interval holds: more than the level asks for.
    assert is_within.mean() > 0.85
    transform = value_probability(
        *models,
        90,
        *known.histories,
        known.average,
        at_most=known.value,
        averaged_over=known.averaged_over,
    )
    drawn = np.random.default_rng(0).random(len(transform))
    spread = np.where(known.value == 0, transform * drawn, transform)
    assert 0.77 < ((spread > 0.1) & (spread < 0.9)).mean() < 0.83
    tenths, _ = np.histogram(spread, 10, (0, 1))
    assert np.abs(tenths / len(spread) - 0.1).max() < 0.02


def test_bounds_are_the_quantiles_that_the_probability_says(
    models: tuple[BetaGeoModel, GammaGammaModel], known: Buyers
) -> None:
    past = (*known.histories, known.average)
    none = models[0].no_purchase_probability(90, *known.histories)
    for level in (0.2, 0.9):
        low, high = interval(models, known, level)
        assert 10 < (low > 0).sum() < (high > 0).sum() < 4000
        for bound, wanted in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
            found = value_probability(
                *models, 90, *past, at_most=bound, averaged_over=known.averaged_over
            )
            some = bound > 0
            assert found[some] == pytest.approx(wanted, abs=1e-7)
            assert found[~some] == pytest.approx(none[~some], abs=1e-7)
            assert (none[~some] >= wanted - 1e-12).all()


def test_the_distribution_is_that_of_seeded_draws() -> None:
    parameters, rng = np.array([0.8, 20.0, 0.8, 2.5]), np.random.default_rng(3)
    p, shape, draws = 6.0, 22.0, 200_000
    past = (np.array([3.0]), np.array([110.0]), np.array([120.0]))
    counts = PurchaseCounts.of(parameters, 200.0, *past, CPU)
    rate = rng.gamma(3.8, 1 / 140, draws)
    leaving = rng.beta(0.8, 5.5, draws)
    alive = rng.random(draws) < counts.p_alive[0]
    clock, bought = np.zeros(draws), np.zeros(draws)
    while alive.any():
        clock += rng.exponential(1 / rate)
        alive &= clock < 200
        bought += alive
        alive &= rng.random(draws) > leaving
    amounts = rng.gamma(np.maximum(p * bought, 1e-300)) / rng.gamma(shape, 1, draws)
    totals = Totals(counts, p, np.array([shape]))
    for total in (0.0, 0.2, 0.5, 1.0, 2.0, 4.0):
        share = (np.where(bought > 0, amounts, 0) <= total).mean()
        assert totals.at_most(np.array([total]))[0] == pytest.approx(share, abs=0.005)
    for probability in (0.5, 0.8, 0.9, 0.99):
        exact = np.quantile(np.where(bought > 0, amounts, 0), probability)
        assert totals.quantile(probability)[0] == pytest.approx(exact, rel=0.03)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(-4, 4), min_size=4, max_size=4),
    st.lists(st.sampled_from([0, 1, 3, 40, 2000]), min_size=1, max_size=5),
    st.floats(0.3, 200),
    st.floats(1.05, 500),
    st.floats(0.01, 30),
    st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.999999]),
)
def test_quantiles_of_strange_customers_are_found(
    logarithms: list[float],
    drawn: list[int],
    p: float,
    q: float,
    horizon: float,
    probability: float,
) -> None:
    frequency = np.array(drawn, dtype=float)
    age = np.linspace(0.1, 1, len(drawn))
    recency = np.where(frequency > 0, 0.9 * age, 0)
    parameters = np.exp(logarithms)
    counts = PurchaseCounts.of(parameters, horizon, frequency, recency, age, CPU)
    totals = Totals(counts, p, q + p * frequency)
    found = totals.quantile(probability)
    assert np.isfinite(found).all()
    some = found > 0
    reached = totals.at_most(found)
    assert reached[some] == pytest.approx(probability, abs=1e-5)
    assert (counts.none()[~some] >= probability - 1e-9).all()


def test_intervals_are_the_same_alone_and_in_pieces(
    models: tuple[BetaGeoModel, GammaGammaModel],
    known: Buyers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = interval(models, known, rows=slice(0, 300))
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 17)
    pieces = interval(models, known, rows=slice(0, 300))
    alone = [interval(models, known, rows=slice(row, row + 1)) for row in range(40)]
    for place in range(2):
        assert pieces[place] == pytest.approx(whole[place], rel=1e-6)
        assert [one[place][0] for one in alone] == pytest.approx(whole[place][:40], rel=1e-6)
    assert [len(bound) for bound in interval(models, known, rows=slice(0))] == [0, 0]


def test_an_average_is_over_the_repeat_purchases_unless_said_otherwise(
    models: tuple[BetaGeoModel, GammaGammaModel], known: Buyers
) -> None:
    past = [column[:50] for column in (*known.histories, known.average)]
    usual = value_interval(*models, 90, *past)
    said = value_interval(*models, 90, *past, averaged_over=past[0])
    other = value_interval(*models, 90, *past, averaged_over=past[0] + 1)
    assert usual[1].tolist() == said[1].tolist() != other[1].tolist()


def test_what_nobody_can_have_is_refused(
    models: tuple[BetaGeoModel, GammaGammaModel], known: Buyers
) -> None:
    past = [column[:2] for column in known.histories]
    with pytest.raises(HistoryError, match=r"The level is 1.0; it must lie between 0 and 1"):
        value_interval(*models, 90, *past, [1.0, 1.0], level=1.0)
    with pytest.raises(HistoryError, match=r"average must be 0 or more: 1 rows, .* row 1"):
        value_interval(*models, 90, *past, [1.0, -1.0], averaged_over=[1, 1])
    with pytest.raises(HistoryError, match=r"one value of 0 or more for each of the 2 customers"):
        value_probability(*models, 90, *past, [1.0, 1.0], at_most=[1.0])
    with pytest.raises(NotFitted):
        value_interval(BetaGeoModel(), models[1], 90, *past, [1.0, 1.0])
