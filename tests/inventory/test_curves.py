"""Demand curves between days, beyond them, and the other way round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory import DemandCurves

CPU = Backend.choose("cpu")
DAILY = np.array([[1.0, 0.0, 4.0, 3.0], [0.0, 0.0, 0.0, 0.0]])


def curves(variance: list[float]) -> DemandCurves:
    return DemandCurves(np.cumsum(DAILY, axis=1), np.array([variance, variance]), CPU)


def test_days_between_and_beyond_those_of_the_forecast_are_straight_lines() -> None:
    made, days = curves([1, 2, 3, 4]), np.array([0.0, 0.5, 1.0, 2.0, 2.25, 4.0, 6.0])
    found = made.mean_over(days, np.zeros(7, np.int64))
    assert found.tolist() == [0, 0.5, 1, 1, 2, 8, 12]


@pytest.mark.parametrize(
    ("variance", "power"), [([1, 2, 3, 4], 1), ([1, 4, 9, 16], 2), ([4, 4, 4, 4], 1)]
)
def test_the_variance_goes_on_as_it_grew(variance: list[float], power: int) -> None:
    found = curves(variance).variance_over(np.array([1.5, 8.0]), np.zeros(2, np.int64))
    assert found[0] == (variance[0] + variance[1]) / 2
    assert found[1] == pytest.approx(variance[3] * 2**power)


@settings(deadline=None, max_examples=50)
@given(units=st.floats(0.0, 40.0), share=st.floats(0.05, 1.0))
def test_stock_lasts_until_what_is_expected_comes_to_it(units: float, share: float) -> None:
    made, first = curves([1, 2, 3, 4]), np.array([0])
    days = made.days_until(np.array([units]), first, np.array([share]))
    assert made.mean_over(days, first)[0] * share == pytest.approx(units, abs=4 / 64)


def test_stock_of_what_nobody_wants_lasts_for_ever_and_none_lasts_no_day() -> None:
    made = curves([1, 2, 3, 4])
    found = made.days_until(np.array([5.0, 0.0]), np.array([1, 0]), np.ones(2))
    assert np.isnan(found[0])
    assert found[1] == 0


def test_a_forecast_of_one_day_goes_on_as_that_day() -> None:
    made = DemandCurves(np.array([[3.0]]), np.array([[4.0]]), CPU)
    days, first = np.array([3.0]), np.array([0])
    assert (made.mean_over(days, first)[0], made.variance_over(days, first)[0]) == (9, 12)
