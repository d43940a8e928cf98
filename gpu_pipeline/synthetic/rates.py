"""Exchange rates: what a unit of each currency is worth in the shop's own, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from gpu_pipeline.money import USUAL_DIGITS, minor_digits
from gpu_pipeline.synthetic.columns import DAY, Ints, Rng, decimals, labels, moments
from gpu_pipeline.synthetic.delivery import Feed
from gpu_pipeline.synthetic.shop import CURRENCY
from gpu_pipeline.synthetic.span import Span

_PLACES = 7  # decimals of a rate
WORTH = MappingProxyType(  # at the opening, in units of the last decimal
    {
        CURRENCY: 10_000_000,
        "USD": 9_200_000,
        "GBP": 11_700_000,
        "CHF": 10_600_000,
        "JPY": 61_500,
        "KWD": 29_900_000,
    }
)
_ALWAYS_QUOTED = (CURRENCY, "USD", "GBP")


@dataclass(frozen=True)
class Rates:
    """Rates of some currencies, the shop's own first."""

    currencies: tuple[str, ...]
    worth: Ints  # (days, currencies), ten-millionths of the own currency

    def digits(self, currency: Ints) -> Ints:
        """Decimals of the currencies with these codes, by ISO 4217."""
        each = [minor_digits(name) for name in self.currencies]
        return np.array(each, np.int64)[currency]

    def converted(self, cents: Ints, currency: Ints, day: Ints) -> Ints:
        """Amounts of the own currency in the minor units of others, at the day's rate."""
        scale = 10.0 ** (_PLACES + self.digits(currency) - USUAL_DIGITS)
        foreign = np.round(cents * scale / self.worth[day, currency]).astype(np.int64)
        return np.where(currency == 0, cents, foreign)


def draw_rates(span: Span, currencies: Sequence[str], rng: Rng) -> Rates:
    """A random walk for each of the `currencies` and of those that are always quoted."""
    names = tuple(dict.fromkeys([*_ALWAYS_QUOTED, *currencies]))
    steps = rng.normal(0, 0.003, (span.days, len(names)))
    steps[:, 0] = 0
    walk = np.cumprod(1 + steps, axis=0) * [WORTH[name] for name in names]
    return Rates(names, np.round(walk).astype(np.int64))


def rate_feed(span: Span, rates: Rates) -> Feed:
    """A rate a day and currency."""
    day, currency = (i.ravel() for i in np.indices(rates.worth.shape))
    at = span.opens + day * DAY
    columns = {
        "currency": labels(rates.currencies, currency),
        "day": moments(at),
        "rate": decimals(rates.worth.ravel(), _PLACES),
    }
    return Feed("fx_rates", pa.table(columns), at)
