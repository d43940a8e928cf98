"""Recipes: how a shop is made, and the cells in which its customers are.

A cell depends on the seed, its number and what all cells share: not on the other cells, nor on
who makes it. So memory is bounded, and the files are the same on any number of workers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from gpu_pipeline.synthetic.columns import Rng
from gpu_pipeline.synthetic.span import Span

Part: TypeAlias = Literal[
    "catalogue", "demand", "rates", "stock", "people", "orders", "fraud", "accounts", "sales",
    "lines", "engravings", "visits", "reviews", "feedback", "social", "support", "delivery",
]  # fmt: skip
_PARTS: tuple[Part, ...] = get_args(Part)
# One catalogue, one stock: what all cells share has one file.
_SHARED = ("products", "inventory", "fx_rates", "promotions")
_MOST_CUSTOMERS, _MOST_CUSTOMER_DAYS = 10_000, 1_800_000


@dataclass(frozen=True)
class Cell:
    """Some of the customers of a shop, by number; `is_only` where they are all that it has."""

    number: int
    first_customer: int
    customers: int
    is_only: bool


def cells_of(customers: int, days: int) -> list[Cell]:
    """The customers in cells of nearly equal size."""
    most = max(1, min(_MOST_CUSTOMERS, _MOST_CUSTOMER_DAYS // days))
    count = -(-customers // most)
    edges = [number * customers // count for number in range(count + 1)]
    return [
        Cell(number, edges[number], edges[number + 1] - edges[number], is_only=count == 1)
        for number in range(count)
    ]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a shop is made: from which seed, into which files, and with what in them.

    `names` are those of the files of a shop of one cell, by source; the shares are of rows,
    clicks and orders.
    """

    directory: Path
    seed: int
    span: Span
    names: Mapping[str, str]
    damage_share: float
    bot_share: float
    fraud_share: float
    is_daily: bool

    def stream(self, part: Part, *numbers: int) -> Rng:
        """The random numbers of one part: of a cell, of a source, or of what all cells share.

        More draws in one part leave the others as they were.
        """
        key = (_PARTS.index(part), *numbers)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def delivery_stream(self, source: str, cell: Cell | None) -> Rng:
        """The random numbers of the delivery of a source."""
        number = 0 if cell is None else cell.number
        return self.stream("delivery", list(self.names).index(source), number)

    def every_name(self, cells: Sequence[Cell]) -> set[str]:
        """The names that the files of a shop with these cells may have."""
        days = range(self.span.days) if self.is_daily else range(1)
        return {
            self.name(source, cell, day)
            for source in self.names
            for cell in ([None] if source in _SHARED else cells)
            for day in days
        }

    def name(self, source: str, cell: Cell | None, day: int) -> str:
        """The file of a source in the landing folder; a cell of several has one of its own."""
        name = self.names[source]
        if cell is not None and not cell.is_only:
            name = name.replace(source, f"{source}-{cell.number + 1:05d}", 1)
        return f"{self.span.date(day)}/{name}" if self.is_daily else name
