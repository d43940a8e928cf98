"""The world of one cell of customers: what every source is derived from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import Ints, numbered
from gpu_pipeline.synthetic.orders import Orders
from gpu_pipeline.synthetic.people import Accounts, People
from gpu_pipeline.synthetic.rates import Rates
from gpu_pipeline.synthetic.sales import Sales
from gpu_pipeline.synthetic.shop import Catalogue, Demand
from gpu_pipeline.synthetic.span import Span

_IDS_PER_CELL = 10_000_000  # of one kind: more than a cell ever has


@dataclass(frozen=True, kw_only=True)
class Market:
    """What all cells share: the shop, the demand for what it sells, and the rates."""

    span: Span
    shop: Catalogue
    demand: Demand
    rates: Rates
    currencies: tuple[int, ...]  # codes of those that orders are paid in


@dataclass(frozen=True, kw_only=True)
class World:
    """The customers of one cell, and what they ordered."""

    cell: int
    market: Market
    people: People
    accounts: Accounts
    orders: Orders
    sales: Sales
    lost: Ints  # units, of each stock-out

    @property
    def span(self) -> Span:
        """The days that the shop is open."""
        return self.market.span

    @property
    def shop(self) -> Catalogue:
        """What is sold."""
        return self.market.shop

    @property
    def demand(self) -> Demand:
        """How much of it people want."""
        return self.market.demand

    def lines_of_orders(self) -> Ints:
        """How many lines each order has."""
        return np.bincount(self.sales.order, minlength=len(self.orders.at))

    def ids(self, prefix: str, numbers: Ints, digits: int) -> pa.Array:
        """Ids that no other cell gives; null where the number is -1."""
        own = np.where(numbers < 0, -1, numbers + self.cell * _IDS_PER_CELL)
        return numbered(prefix, own, digits)

    def order_ids(self, order: Ints) -> pa.Array:
        """Order numbers; null where there is none."""
        return self.ids("O", order, 8)
