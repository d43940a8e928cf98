"""Customers who buy as BG/NBD and Gamma-Gamma say, event by event: the truth to be found."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TRUTH = {"r": 0.8, "alpha": 20.0, "a": 0.8, "b": 2.5}
SPEND = {"p": 6.0, "q": 4.0, "v": 1500.0}


@dataclass(frozen=True)
class Buyers:
    """What was known of them at their ages, and what came in the horizon after."""

    frequency: Floats
    recency: Floats
    age: Floats
    average: Floats
    purchases: Floats
    value: Floats

    @property
    def histories(self) -> tuple[Floats, Floats, Floats]:
        return self.frequency, self.recency, self.age

    @property
    def averaged_over(self) -> Floats:
        return self.frequency + 1


def buyers(
    customers: int,
    *,
    seed: int,
    horizon: float = 90.0,
    truth: dict[str, float] = TRUTH,
    spend: dict[str, float] = SPEND,
    ages: tuple[int, int] = (30, 365),
) -> Buyers:
    """That many, of ages drawn in whole days; the average is over all purchases, the first too."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], customers)
    leaving = rng.beta(truth["a"], truth["b"], customers)
    age = rng.integers(*ages, customers).astype(float)
    amount_rate = rng.gamma(spend["q"], 1 / spend["v"], customers)
    frequency, recency, purchases, value, clock = np.zeros((5, customers))
    spent = rng.gamma(spend["p"], 1 / amount_rate)
    alive = np.ones(customers, dtype=bool)
    while alive.any():
        clock[alive] += rng.exponential(1 / rate[alive])
        amount = rng.gamma(spend["p"], 1 / amount_rate)
        alive &= clock < age + horizon
        now, later = alive & (clock <= age), alive & (clock > age)
        frequency[now] += 1
        recency[now] = clock[now]
        spent[now] += amount[now]
        purchases[later] += 1
        value[later] += amount[later]
        alive &= rng.random(customers) > leaving
    return Buyers(frequency, recency, age, spent / (frequency + 1), purchases, value)
