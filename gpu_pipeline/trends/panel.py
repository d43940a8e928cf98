"""Panel: daily counts as arrays over days, products and series, a block of products at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.daily import WHOLE
from gpu_pipeline.trends.evidence import Counts
from gpu_pipeline.trends.shop import Shop
from gpu_pipeline.trends.usual import Surroundings

__all__ = ["PRODUCTS_AT_ONCE", "Block", "Panel"]

PRODUCTS_AT_ONCE = 256
_PEOPLE = ("people", "negative_people", "positive_people")


@dataclass(frozen=True)
class Block:
    """Some products' arrays (days, products, series), and where they stand in the panel's rows.

    `rows` are the places in the panel's table, `at` the (days, products, series) of each.
    """

    first: int  # of its products, the place among all
    rows: Array
    at: tuple[Array, Array, Array]
    counts: Counts
    mood: Array
    texts: Array
    category: Array
    first_day: Array

    def days(self, shop: Shop, backend: Backend) -> Iterator[tuple[Counts, Surroundings]]:
        """Each day's counts and what is usual around them."""
        xp = backend.xp
        category = xp.asarray(self.category)
        for day in range(len(self.counts.people)):
            counts = Counts(
                xp.asarray(self.counts.people[day]),
                xp.asarray(self.counts.negative[day]),
                xp.asarray(self.counts.positive[day]),
            )
            yield counts, shop.around(day, counts.people[:, 0], category, backend)


@dataclass(frozen=True)
class Panel:
    """The table of daily counts, its days, products, series and categories as numbers.

    Series are a product as a whole and then its aspects, in order of their names.
    """

    table: pd.DataFrame
    first_day: datetime
    days: int
    products: Sequence[str]
    series: Sequence[str]
    categories: int
    category: Array  # of each product
    _day: Array
    _product: Array
    _series: Array

    @classmethod
    def of(cls, table: pd.DataFrame, categories: pd.DataFrame, until: datetime) -> "Panel":
        """From `daily_counts` of all customers, and product_id and category of the catalogue.

        `until` is the last day; rows after it are no part of it. Products that are in no
        category are one together.
        """
        known = table[table["day"] <= until].reset_index(drop=True)
        day = known["day"].to_numpy().astype("datetime64[D]").astype("int64")
        first = int(day.min())
        product, products = pd.factorize(known["product_id"], sort=True)
        aspects = sorted(set(known["aspect"]) - {WHOLE})
        places = {aspect: place for place, aspect in enumerate((WHOLE, *aspects))}
        of_product = categories.drop_duplicates("product_id").set_index("product_id")["category"]
        category, found = pd.factorize(of_product.reindex(products), use_na_sentinel=False)
        return cls(
            table=known,
            first_day=datetime(1970, 1, 1) + timedelta(days=first),  # noqa: DTZ001
            days=(until - datetime(1970, 1, 1)).days - first + 1,  # noqa: DTZ001
            products=products.tolist(),
            series=(WHOLE, *aspects),
            categories=len(found),
            category=category,
            _day=day - first,
            _product=product,
            _series=known["aspect"].map(places).to_numpy(),
        )

    def moods(self) -> Array:
        """(people, negative, positive) by day, category and series: (3, days, …)."""
        shape = (self.days, self.categories, len(self.series))
        at = np.ravel_multi_index((self._day, self.category[self._product], self._series), shape)
        size = int(np.prod(shape))
        sums = [np.bincount(at, self.table[name], minlength=size) for name in _PEOPLE]
        return np.stack(sums).reshape(3, *shape)

    def blocks(self) -> Iterator[Block]:
        """All products, some at a time."""
        for first in range(0, len(self.products), PRODUCTS_AT_ONCE):
            yield self._block(first, min(first + PRODUCTS_AT_ONCE, len(self.products)))

    def _block(self, first: int, last: int) -> Block:
        rows = np.flatnonzero((self._product >= first) & (self._product < last))
        at = (self._day[rows], self._product[rows] - first, self._series[rows])
        shape = (self.days, last - first, len(self.series))

        def dense(name: str) -> Array:
            values = np.zeros(shape)
            values[at] = self.table[name].to_numpy()[rows]
            return values

        people = dense("people")
        has_text = people[:, :, 0] > 0
        first_day = np.where(has_text.any(axis=0), has_text.argmax(axis=0), self.days)
        return Block(
            first=first,
            rows=rows,
            at=at,
            counts=Counts(people, dense("negative_people"), dense("positive_people")),
            mood=dense("mood_sum"),
            texts=dense("texts"),
            category=self.category[first:last],
            first_day=first_day,
        )
