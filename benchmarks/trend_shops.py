"""Simulated voices: who says what about which product, day by day, with shifts planted in them.

Texts clump as real ones do: a product's volume varies from day to day beyond Poisson's, its mood
beyond a coin's, weekends are busy, products differ in all of this. A text is about one aspect or
about none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["ASPECTS", "CLUMPING", "KNOWN", "POSITIVE_OF_REST", "START", "Shift", "Voices", "voices"]

Floats = npt.NDArray[np.float64]
START = datetime(2025, 1, 1)  # noqa: DTZ001
ASPECTS = 12
CATEGORIES = 8
CLUMPING = 0.15  # the squared relative spread of a day's volume beyond Poisson's
KNOWN = 49.0  # a day's share of negative texts is a beta variable of so many texts
LEVEL = 0.2  # of negative texts, where a shift is planted
POSITIVE_OF_REST = 0.75
_TALK = 0.8 * np.arange(1, ASPECTS + 1) ** -1.0  # a text is about each aspect
_TALK = 0.8 * _TALK / _TALK.sum()
_WEEK = np.array([0.8, 0.8, 0.8, 0.9, 1.0, 1.4, 1.3])


@dataclass(frozen=True)
class Shift:
    """From the day `since` on, texts about `aspect` (0: all texts) are `factor` as many.

    So large a `share` of them is negative.
    """

    since: int
    share: float
    factor: float
    aspect: int
    days: int = 21


@dataclass(frozen=True)
class Voices:
    """Counts (days, products, 1 + ASPECTS), the first series the product as a whole.

    `rate` (days, products) is how many texts there were to be expected, `level` (products,) the
    share of negative ones, `talk` (ASPECTS,) the share about each aspect, before any shift.
    """

    people: Floats
    negative: Floats
    positive: Floats
    rate: Floats
    level: Floats
    shifts: Mapping[int, Shift] = field(default_factory=dict)
    talk: Floats = field(default_factory=lambda: _TALK)

    @property
    def product_years(self) -> float:
        return float(self.people.shape[0] * self.people.shape[1] / 365.25)

    def table(self) -> pd.DataFrame:
        """The rows that `daily_counts` gives: no row where there is no text."""
        day, product, series = np.nonzero(self.people)
        at = (day, product, series)
        people, negative, positive = self.people[at], self.negative[at], self.positive[at]
        names = np.array(["", *(f"aspect {i:02}" for i in range(ASPECTS))])
        products = np.array([f"P{i:06}" for i in range(self.people.shape[1])])
        columns: dict[str, Any] = {
            "product_id": pd.Series(products[product], dtype="str"),
            "aspect": pd.Series(names[series], dtype="str"),
            "day": np.datetime64(START, "us") + day.astype("timedelta64[D]"),
            "texts": people.astype("int64"),
            "negative_texts": negative.astype("int64"),
            "positive_texts": positive.astype("int64"),
            "mood_sum": 0.8 * (positive - negative),
            "people": people.astype("int64"),
            "negative_people": negative.astype("int64"),
            "positive_people": positive.astype("int64"),
        }
        return pd.DataFrame(columns)

    def categories(self) -> pd.DataFrame:
        ids = [f"P{i:06}" for i in range(self.people.shape[1])]
        return pd.DataFrame(
            {"product_id": ids, "category": [f"c{i % CATEGORIES}" for i in range(len(ids))]}
        )

    @property
    def until(self) -> datetime:
        return START + timedelta(days=len(self.people) - 1)


def voices(
    seed: int,
    days: int,
    a_day: Floats,
    shifts: Mapping[int, Shift] | None = None,
    *,
    clumping: float = CLUMPING,
    known: float = KNOWN,
    drift: float = 0.0,
) -> Voices:
    """Products of so many texts `a_day` each (products,), with the shift of each that has one.

    By `drift` a day the odds of a negative text and the volume of each product wander off.
    """
    rng = np.random.default_rng(seed)
    products, planted = len(a_day), shifts or {}
    level = rng.beta(8, 32, products)
    level[list(planted)] = LEVEL
    steps = drift * rng.standard_normal((2, days, products))
    wander = np.exp(np.cumsum(steps, axis=1))
    rate = a_day[None, :] * _WEEK[np.arange(days) % 7, None] * wander[0]
    busy = rate * rng.gamma(1 / clumping, clumping, (days, products))
    odds = level / (1 - level) * wander[1]
    now = odds / (1 + odds)
    share = rng.beta(known * now, known * (1 - now))
    talk = np.concatenate([[1 - _TALK.sum()], _TALK])
    means = busy[:, :, None] * talk
    shares = np.broadcast_to(share[:, :, None], means.shape).copy()
    for product, shift in planted.items():
        own = np.s_[shift.since : shift.since + shift.days, product]
        part = slice(shift.aspect, shift.aspect + 1) if shift.aspect else slice(None)
        means[own][:, part] *= shift.factor
        new = rng.beta(known * shift.share, known * (1 - shift.share), (len(means[own]), 1))
        shares[own][:, part] = new
    people = rng.poisson(means)
    negative = rng.binomial(people, shares)
    positive = rng.binomial(people - negative, POSITIVE_OF_REST)
    for counts in (people, negative, positive):
        counts[:, :, 0] = counts.sum(axis=2)
    return Voices(
        *(c.astype("float64") for c in (people, negative, positive)), rate, level, planted
    )
