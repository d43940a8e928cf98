"""Demand of shops whose rules are known: what is expected of each day, and what is then asked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gpu_pipeline.synthetic.shop import CATEGORIES, catalogue, expected_demand
from gpu_pipeline.synthetic.span import Span

Numbers = npt.NDArray[np.float64]
Process = Literal["poisson", "negative binomial", "weekly", "planted"]

_WEEK = np.array([0.6, 0.7, 0.8, 1.0, 1.2, 1.7, 1.0])
_SIZE = 1.5  # of the negative binomial: its variance is mean + mean^2 / size
_OPENS = 1_735_689_600  # 2025-01-01, a Wednesday


@dataclass(frozen=True)
class World:
    """Some products and days: mean and variance of each day, and a draw, (products, days) each."""

    mean: Numbers
    variance: Numbers
    demand: Numbers


def world(process: Process, products: int, days: int, rng: np.random.Generator) -> World:
    """A shop of that kind; but for the planted one, its products sell 1 to 25 units a day."""
    if process == "planted":
        return _planted(products, days, rng)
    mean = np.repeat(np.geomspace(1.0, 25.0, products)[:, None], days, axis=1)
    if process == "weekly":
        mean = mean * _WEEK[np.arange(days) % 7]
    if process == "poisson":
        return World(mean, mean, rng.poisson(mean).astype(float))
    drawn = rng.negative_binomial(_SIZE, _SIZE / (_SIZE + mean)).astype(float)
    return World(mean, mean + mean**2 / _SIZE, drawn)


def _planted(products: int, days: int, rng: np.random.Generator) -> World:
    """The synthetic shop's popularity, week, year, trend, launches, promotions and noise.

    It asks for lines of 1 + min(Poisson, 4) units; what a day's noise will be nobody knows.
    """
    span = Span(_OPENS, days)
    shop = catalogue(span, 3_000 * (products // 60 + 1) ** 4, rng)
    several = np.stack([expected_demand(span, shop, rng).weight.T for _ in range(24)])
    usual = several.mean(axis=0)[:products]
    scale = 6.0 / usual.mean()
    lines = several[0, :products] * scale
    extra = np.array([CATEGORIES[code].extra_units for code in shop.category[:products]])[:, None]
    pieces = 1 + np.minimum(rng.poisson(extra, (products, 100_000)), 4)
    mean, square = pieces.mean(axis=1)[:, None], (pieces**2.0).mean(axis=1)[:, None]
    count = rng.poisson(lines)
    drawn = count.astype(float)
    for most in range(int(count.max())):
        own = 1 + np.minimum(rng.poisson(extra, count.shape), 4)
        drawn += np.where(count > most, own - 1, 0)
    expected = usual * scale
    noise = 1 / 30  # of the shop's gamma distribution, its variance
    return World(expected * mean, expected * square + noise * (expected * mean) ** 2, drawn)
