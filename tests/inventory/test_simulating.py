"""The plan against days that are lived through: does it serve as well as it was asked to?"""

import numpy as np
import numpy.typing as npt
import pytest
from demand_worlds import Process, World, world

from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory import Holdings, Simulated, planned_points, simulated_service

CPU = Backend.choose("cpu")
REVIEW_DAYS, HORIZON = 7, 28


def holdings(shop: World, rng: np.random.Generator) -> Holdings:
    """One location: lead times of one to five weeks, some of them uncertain, lots of 1 to 30."""
    count = len(shop.mean)
    lead = rng.choice([7.0, 10.0, 14.0, 21.0, 35.0], count)
    nothing = np.zeros(count)
    return Holdings(
        on_hand=nothing,
        on_order=nothing,
        lot=rng.choice([1.0, 5.0, 30.0], count),
        unit_cost=nothing,
        lead_days=lead,
        lead_days_spread=np.minimum(lead * rng.choice([0.0, 0.15], count), 2.5),
        demand_share=np.ones(count),
        product=np.arange(count),
        backend=CPU,
    )


def lived_through(process: Process, service_level: float) -> Simulated:
    """What becomes of the plan; the reviews of all but the planted shop are alike."""
    rng, products, days = np.random.default_rng(11), 60, 840 if process == "planted" else 5040
    shop = world(process, products, days + HORIZON, rng)
    stock, reviews = holdings(shop, rng), days // REVIEW_DAYS
    points = planned_points(
        stock,
        shop.mean,
        shop.variance,
        reviews=reviews if process == "planted" else 1,
        horizon=HORIZON,
        service_level=service_level,
        review_days=REVIEW_DAYS,
    )
    points = np.broadcast_to(points, (products, reviews))
    shape = stock.lead_days**2 / np.maximum(stock.lead_days_spread, 0.01) ** 2
    lead = rng.gamma(shape[:, None], (stock.lead_days / shape)[:, None], (products, reviews))
    return simulated_service(
        shop.demand[:, :days], points, stock.lot, lead, review_days=REVIEW_DAYS, warm_up_days=140
    )


@pytest.mark.parametrize("process", ["poisson", "negative binomial", "weekly", "planted"])
@pytest.mark.parametrize("service_level", [0.9, 0.95, 0.99])
def test_the_service_that_was_asked_for_is_the_service_that_comes(
    process: Process, service_level: float
) -> None:
    found = lived_through(process, service_level)
    assert found.cycles.sum() > 4_000
    assert found.cycle_service == pytest.approx(service_level, abs=0.01)


def simulated(
    demand: list[int], *, point: int, lot: int, lead: list[float], are_lost: bool = False
) -> Simulated:
    """One product whose stock is looked at every third day."""
    of_one: list[npt.NDArray[np.float64]] = [np.array([demand], float), np.array([lead])]
    points = np.full((1, len(lead)), float(point))
    stocks = np.array([float(lot)])
    return simulated_service(of_one[0], points, stocks, of_one[1], review_days=3, are_lost=are_lost)


def test_days_go_by_as_they_do_in_a_shop() -> None:
    # It begins with 4 + 3. Day 0: nothing is due. Day 3: 7 - 6 = 1 left, two lots are ordered and
    # come on day 5. By then 1 - 3 - 1: three are missing. Day 6: 3 left, a lot, there on day 7.
    found = simulated([1, 2, 3, 3, 1, 0, 1, 0], point=4, lot=3, lead=[1.0, 2.0, 1.0])
    assert (found.cycles.tolist(), found.stockouts.tolist()) == ([2], [1])
    # Of eleven units, the three could not be had at once.
    assert found.fill_rate == pytest.approx(8 / 11)
    on_hand = [6, 4, 1, 0, 0, 3, 2, 5]
    assert found.mean_on_hand == pytest.approx(np.mean(on_hand))


def test_an_order_does_not_overtake_the_one_before_it() -> None:
    # Two are ordered on day 3 for day 9, one on day 6 for day 7: all come on day 9.
    slow = simulated([1] * 10, point=1, lot=1, lead=[1.0, 6.0, 1.0, 1.0])
    assert (slow.cycles.tolist(), slow.stockouts.tolist()) == ([1], [1])


def test_lead_times_are_a_day_at_least() -> None:
    found = simulated([1] * 9, point=3, lot=1, lead=[0.0, 0.0, 0.0])
    assert (found.cycles.tolist(), found.stockouts.tolist()) == ([2], [0])


def test_demand_that_is_lost_leaves_more_for_those_who_come_later() -> None:
    shop = {"point": 4, "lot": 3, "lead": [1.0, 2.0, 1.0]}
    lost = simulated([1, 2, 3, 3, 1, 0, 1, 0], are_lost=True, **shop)
    # Three find nothing and leave: of the six that come on day 5 nobody waits for any.
    assert (lost.cycles.tolist(), lost.stockouts.tolist()) == ([1], [1])
    assert lost.fill_rate == pytest.approx(8 / 11)
    assert lost.mean_on_hand == pytest.approx(np.mean([6, 4, 1, 0, 0, 6, 5, 5]))
