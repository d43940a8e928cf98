"""Stock-outs: days on which a product can't be had at a location, and the demand lost there."""

from dataclasses import dataclass

import numpy as np

from gpu_pipeline.synthetic.columns import Ints, Mask, Rng, Rows
from gpu_pipeline.synthetic.span import Span

LOCATIONS = ("Leipzig", "Rotterdam")
LOCATION_SHARES = (0.6, 0.4)  # of what is sold
_PRODUCTS_PER_STOCKOUT = 6  # of those that sell well
_DAYS = (8, 17)  # a weekly count lies within each
_LOCATIONS_OUT = ((0,), (1,), (0, 1))  # in turn


@dataclass(frozen=True)
class StockOuts(Rows):
    """One entry a product and location; `until_day` is the first day with stock again."""

    product: Ints
    location: Ints
    from_day: Ints
    until_day: Ints

    def out_on(self, span: Span, products: int) -> Mask:
        """Whether there is none, (days, products, locations)."""
        day = np.arange(span.days)[:, None]
        inside = (day >= self.from_day) & (day < self.until_day)
        out = np.zeros((span.days, products, len(LOCATIONS)), bool)
        days, which = np.nonzero(inside)
        out[days, self.product[which], self.location[which]] = True
        return out


def draw_stockouts(span: Span, liked: Ints, rng: Rng) -> StockOuts:
    """Of some of the `liked` products, which sell well, at one location or at both."""
    product = rng.permutation(liked)[: max(1, len(liked) // _PRODUCTS_PER_STOCKOUT)]
    from_day = rng.integers(span.days // 4, span.days // 2, len(product))
    until_day = from_day + rng.integers(*_DAYS, len(product))
    where = [_LOCATIONS_OUT[i % len(_LOCATIONS_OUT)] for i in range(len(product))]
    row = np.repeat(np.arange(len(product)), [len(locations) for locations in where])
    location = np.array([one for locations in where for one in locations], np.int64)
    return StockOuts(product[row], location, from_day[row], until_day[row])
