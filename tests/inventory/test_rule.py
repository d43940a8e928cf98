"""The reorder rule against every position, demand and delivery, counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory import Periods, ReorderRule, Units, order_quantity, reorder_rule

CPU = Backend.choose("cpu")


def poisson_periods(rate: float, review: int, lead: float) -> Periods:
    """Independent buyers: what is asked for in two periods is the sum of two independent ones."""
    of = [Units(np.array([rate * d]), np.array([rate * d]), CPU) for d in (review, lead)]
    both = np.array([rate * (review + lead)])
    return Periods(review=of[0], lead=of[1], both=Units(both, both, CPU))


def rule(
    rate: float, *, lead: float = 10, lot: int = 1, service: float = 0.95, review: int = 7
) -> ReorderRule:
    periods = poisson_periods(rate, review, lead)
    return reorder_rule(periods, np.array([float(lot)]), service_level=service)


def counted(rate: float, lead: float, lot: int, point: int, review: int = 7) -> dict[str, float]:
    """Cycle service, fill rate and safety stock of a rule, by going through all that may happen."""
    numbers = np.arange(400)
    asked = poisson.pmf(numbers, rate * review)
    later = poisson.pmf(numbers, rate * lead)
    orders = served = left = missing = 0.0
    for position in range(point + 1, point + lot + 1):
        for first, chance in enumerate(asked):
            rest = position - first
            short_now = np.maximum(numbers - position, 0) @ later
            short_then = np.maximum(numbers - rest, 0) @ later
            missing += chance * (short_then - short_now)
            if rest <= point:  # an order is placed
                orders += chance
                served += chance * later[: max(rest + 1, 0)].sum()
                left += chance * (rest - rate * lead)
    return {
        "cycle_service": served / orders,
        "safety_stock": left / orders,
        "fill_rate": 1 - missing / (lot * rate * review),
    }


@settings(deadline=None, max_examples=25)
@given(
    rate=st.sampled_from([0.03, 0.3, 1.0, 4.0]),
    lead=st.sampled_from([1.0, 7.0, 21.0]),
    lot=st.sampled_from([1, 3, 12, 60]),
    service=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_the_point_is_the_lowest_that_serves_and_says_how_well(
    rate: float, lead: float, lot: int, service: float
) -> None:
    found = rule(rate, lead=lead, lot=lot, service=service)
    point = int(found.reorder_point[0])
    true = counted(rate, lead, lot, point)
    for name, value in true.items():
        assert getattr(found, name)[0] == pytest.approx(value, abs=0.006 + 0.002 * abs(value)), name
    assert found.cycle_service[0] >= service
    if point > 0:
        assert counted(rate, lead, lot, point - 1)["cycle_service"] < service + 0.006


def test_higher_targets_longer_leads_and_rarer_reviews_need_more_stock() -> None:
    points = [
        rule(2.0).reorder_point[0],
        rule(2.0, service=0.99).reorder_point[0],
        rule(2.0, service=0.99, lead=30).reorder_point[0],
        rule(2.0, service=0.99, lead=30, review=28).reorder_point[0],
    ]
    assert points == sorted(set(points))


def test_an_order_is_the_fewest_lots_that_lift_the_position_above_the_point() -> None:
    position = np.array([30.0, 21.0, 20.0, 11.0, 10.0, 0.0])
    found = order_quantity(position, np.array([20.0]), np.array([10.0]))
    assert found.tolist() == [0, 0, 10, 10, 20, 30]


def test_nothing_is_kept_of_what_nobody_wants() -> None:
    found = rule(0.0)
    assert (found.reorder_point[0], found.cycle_service[0], found.fill_rate[0]) == (0, 1, 1)
