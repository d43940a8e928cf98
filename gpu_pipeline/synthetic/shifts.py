"""Shifts: products about which people begin to speak otherwise, from a day on or for a while."""

from dataclasses import dataclass

import numpy as np

from gpu_pipeline.synthetic.columns import DAY, Floats, Ints, Rng, Rows
from gpu_pipeline.synthetic.span import Span

TURN_DAYS = 14
BURST = 4  # as many texts as usual about a product whose mood has shifted
_PRODUCTS_PER_SHIFT = 12  # of those that sell well
_DIP_DAYS = (8, 15)


@dataclass(frozen=True)
class Shifts(Rows):
    """One entry a shift, at most one a product; `until` is the first second after it."""

    product: Ints
    since: Ints
    until: Ints
    level: Floats  # positive texts among the positive and negative ones
    aspect: Ints  # code into ASPECTS: what people then talk about

    def at(self, product: Ints, moments: Ints) -> Ints:
        """Which shift is on for a product at a moment, else -1."""
        if not len(product):
            return np.zeros(0, np.int64)
        own = np.full(max(product.max(), self.product.max()) + 2, -1)
        own[self.product] = np.arange(len(self.product))
        shift = own[product]  # where the product is none (-1), the last entry: none
        is_on = (shift >= 0) & (self.since[shift] <= moments) & (moments < self.until[shift])
        return np.where(is_on, shift, -1)


def draw_shifts(
    span: Span, turned: int, liked: Ints, rng: Rng, *, breaks: int, mends: int
) -> Shifts:
    """The product that turns bad for good, and a few that become better or dip for some days.

    They are among the `liked` products, which sell well. `breaks` and `mends` are codes of the
    aspects that people then talk about.
    """
    count = len(liked) // _PRODUCTS_PER_SHIFT
    others = rng.permutation(liked[liked != turned])[:count]
    dips = np.arange(count) % 2 == 0
    since = span.opens + rng.integers(span.days // 3, span.days // 2, count) * DAY
    until = np.where(dips, since + rng.integers(*_DIP_DAYS, count) * DAY, span.closes)
    return Shifts(
        np.concatenate([[turned], others]),
        np.concatenate([[span.closes - TURN_DAYS * DAY], since]),
        np.concatenate([[span.closes], np.minimum(until, span.closes)]),
        np.concatenate([[0.05], np.where(dips, 0.12, 0.97)]),
        np.concatenate([[breaks], np.full(count, mends)]),
    )
