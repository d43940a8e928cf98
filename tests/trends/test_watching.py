"""The watch finds planted changes, keeps its budget and never looks ahead."""

from collections.abc import Iterator
from math import lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.evidence import CHANGES, Counts, Usual, log_evidence
from gpu_pipeline.trends.shop import Shop
from gpu_pipeline.trends.usual import Surroundings
from gpu_pipeline.trends.watching import Event, series_weights, watch

CPU = Backend.choose("cpu")
DAYS, PRODUCTS, ASPECTS = 160, 30, 3
Arrays = tuple[Array, Array, Array]


def a_shop(
    seed: int, *, per_day: float = 3.0, times: Array | float = 1.0, clumping: float = 0.15
) -> Arrays:
    """People, negative and positive ones, (days, products, series), with a weekly season.

    `times` as many people, (days, products).
    """
    rng = np.random.default_rng(seed)
    times = np.broadcast_to(times, (DAYS, PRODUCTS))
    level = rng.beta(6, 24, PRODUCTS)[:, None]
    people, negative, positive = (np.zeros((DAYS, PRODUCTS, 1 + ASPECTS)) for _ in range(3))
    for day in range(DAYS):
        busy = per_day * (1.4 if day % 7 < 2 else 0.8) * times[day]
        busy = busy * rng.gamma(1 / clumping, clumping, PRODUCTS)
        people[day, :, 1:] = rng.poisson(busy[:, None] / ASPECTS, (PRODUCTS, ASPECTS))
        day_level = rng.beta(49 * level, 49 * (1 - level))
        negative[day, :, 1:] = rng.binomial(people[day, :, 1:].astype(int), day_level)
        rest = (people - negative)[day, :, 1:].astype(int)
        positive[day, :, 1:] = rng.binomial(rest, 0.75)
    for counts in (people, negative, positive):
        counts[:, :, 0] = counts[:, :, 1:].sum(axis=2)
    return people, negative, positive


def plant(shop: Arrays, product: int, series: int, since: int, until: int, share: float) -> None:
    """Twelve more people a day about one series of a product; so many of them sound negative."""
    people, negative, positive = shop
    for place in (0, series):
        people[since:until, product, place] += 12
        negative[since:until, product, place] += round(12 * share)
        positive[since:until, product, place] += 12 - round(12 * share)


def days_of(shop: Arrays) -> Iterator[tuple[Counts, Surroundings]]:
    people, negative, positive = shop
    category = np.zeros(people.shape[1], dtype=int)
    around = Shop.of(np.stack(shop).sum(axis=2)[:, :, None], people.shape[1], CPU)
    for day in range(len(people)):
        counts = Counts(people[day], negative[day], positive[day])
        yield counts, around.around(day, people[day, :, 0], category, CPU)


def events(shop: Arrays) -> list[Event]:
    has_text = shop[0][:, :, 0] > 0
    return watch(days_of(shop), has_text.argmax(axis=0), CPU).events


@pytest.mark.parametrize(("share", "kind"), [(0.8, "worse"), (0.0, "better")])
def test_a_planted_shift_is_one_event_found_in_two_days_and_closed_after_its_end(
    share: float, kind: str
) -> None:
    shop = a_shop(3)
    plant(shop, 4, 2, 120, 132, share)
    (found,) = events(shop)
    assert (found.product, found.series) == (4, 2)
    assert found.detected <= 121
    assert kind == CHANGES[found.change].kind
    assert found.closed is not None
    assert 132 <= found.closed <= 137
    assert found.closed_as == "back"


def test_many_more_people_in_the_usual_mood_are_a_burst() -> None:
    times = np.ones((DAYS, PRODUCTS))
    times[125:, 7] = 6
    # Among 13 product-years a chance alarm of another product is within the budget.
    (found,) = [event for event in events(a_shop(2, times=times)) if event.product == 7]
    assert CHANGES[found.change].kind == "burst"
    assert found.closed_as == "settled"
    assert found.closed == found.detected + 28


def test_a_day_on_which_everything_is_busy_is_no_burst() -> None:
    times = np.ones((DAYS, PRODUCTS))
    times[130:137] = 4
    assert events(a_shop(3, times=times)) == []


def test_quiet_shops_stay_within_the_budget_of_false_alarms() -> None:
    found = [event for seed in range(4, 12) for event in events(a_shop(seed, per_day=2.0))]
    # 105 product-years: one false alarm is allowed, four or more of a mean of one come in 2 %.
    assert len(found) <= 3


def test_later_days_change_no_earlier_alarm() -> None:
    shop = a_shop(5)
    plant(shop, 2, 1, 90, 100, 0.9)
    plant(shop, 9, 1, 140, 150, 0.9)
    early = tuple(counts[:125] for counts in shop)
    first = events(early)
    assert [event.product for event in first] == [2]
    assert vars(first[0]) == vars(events(shop)[0])


def test_a_new_product_raises_no_alarm_by_its_launch() -> None:
    shop = a_shop(6)
    for counts in shop:
        counts[:130, 3] = 0
    assert [event for event in events(shop) if event.product == 3] == []


def test_the_budget_is_shared_whatever_the_number_of_aspects() -> None:
    for aspects in (0, 5, 60):
        assert series_weights(aspects, CPU).sum() <= 1 + 1e-12


def by_hand(people: int, hits: int, share: float, known: float, odds: float) -> float:
    """The log ratio of two beta-binomials, each written out."""

    def beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    def probability(p: float) -> float:
        a, b = known * p, known * (1 - p)
        return beta(hits + a, people - hits + b) - beta(a, b)

    other = odds * share / (1 - share + odds * share)
    return probability(other) - probability(share)


@settings(deadline=None, max_examples=60)
@given(
    people=st.integers(0, 40),
    part=st.floats(0, 1),
    share=st.floats(0.02, 0.95),
    known=st.floats(2, 60),
    expected=st.floats(0.01, 20),
    size=st.floats(0.2, 20),
)
def test_evidence_is_the_ratio_of_likelihoods(
    people: int, part: float, share: float, known: float, expected: float, size: float
) -> None:
    hits = round(people * part)
    counts = Counts(*(np.array([[float(n)]]) for n in (people, hits, hits)))
    usual = Usual(*(np.array([[v]]) for v in (expected, size, share, share, known)))
    found = log_evidence(counts, usual, np.array([[True]]), CPU)[0, 0]
    for change, value in zip(CHANGES, found, strict=True):
        volume = people * log(change.factor) - (people + size) * log(
            (size + change.factor * expected) / (size + expected)
        )
        mood = by_hand(people, hits, share, known, change.odds) if change.kind != "burst" else 0
        assert value == pytest.approx(volume + mood, abs=1e-6)


def test_evidence_has_mean_one_where_nothing_has_changed() -> None:
    rng = np.random.default_rng(0)
    share, known, expected, size, count = 0.2, 30.0, 4.0, 3.0, 200_000
    people = rng.poisson(expected * rng.gamma(size, 1 / size, count))
    level = rng.beta(known * share, known * (1 - share), count)
    hits = rng.binomial(people, level).astype(float)
    usual = Usual(*(np.full(count, v) for v in (expected, size, share, share, known)))
    found = log_evidence(Counts(people.astype(float), hits, hits), usual, np.full(count, True), CPU)
    mild = [place for place, change in enumerate(CHANGES) if change.odds < 6 and change.factor < 10]
    assert np.exp(found[:, mild]).mean(axis=0) == pytest.approx(1, abs=0.1)
