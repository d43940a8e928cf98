"""Moves: what customers bought and sent back until a moment, as arrays."""

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.features.histories import in_place
from gpu_pipeline.kernels import mixed_hash, run_starts, segment_sums, text_hash
from gpu_pipeline.orders import one_currency, settled

__all__ = ["Lines", "Moves"]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Order lines, a customer's together and in order of time; one entry a line.

    `customer` are places among the customers of the moves, `time` microseconds, `product` codes,
    `gross` and `discount` minor units; `rows` are where the lines lie in the frame.
    """

    rows: slice | Array
    customer: Array
    time: Array
    product: Array
    quantity: Array
    gross: Array
    discount: Array

    @property
    def amount(self) -> Array:
        """What was paid for each line, minor units."""
        return self.gross - self.discount


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Sales and returns of `customers`, ascending: all who bought something until `moment`.

    `frame` has the lines of everybody, settled; `products` are the texts of the product codes.
    All amounts are of one `currency`.
    """

    frame: Frame
    customers: Array
    sales: Lines
    returns: Lines
    products: Series
    currency: str
    moment: np.datetime64
    backend: Backend

    @classmethod
    def of(
        cls, lines: Frame, moment: np.datetime64, backend: Backend, rates: ExchangeRates | None
    ) -> Self:
        """From order lines of whole customers; entry errors are found at the prices paid.

        Raises:
            PipelineError: there are several currencies, and no rates.
        """
        xp = backend.xp
        known = _settled(lines, moment, rates, backend)
        is_sale = xp.asarray((known["line_type"] == "sale").values)
        rows = _rows(known, is_sale, backend)
        sold = rows if bool(is_sale[rows].all()) else _places(rows, is_sale, backend)
        back = _places(rows, ~is_sale, backend)
        key = backend.as_bits(known["customer_key"])
        customers = key[sold][run_starts([key[sold]], xp)]
        back = back[xp.isin(key[back], customers)]
        codes, products = known["product_id"].factorize()
        code = xp.asarray(codes)
        return cls(
            frame=known,
            customers=customers,
            sales=_lines(known, sold, customers, code, backend),
            returns=_lines(known, back, customers, code, backend),
            products=backend.frames.Series(products),
            currency=_currency(known, rows, backend),
            moment=moment,
            backend=backend,
        )

    @cached_property
    def starts(self) -> Array:
        """The first sale of each customer."""
        return run_starts([self.sales.customer], self.backend.xp)

    @cached_property
    def last(self) -> Array:
        """The last sale of each customer."""
        ends = self.backend.xp.asarray([len(self.sales.time)])
        return self.backend.xp.concatenate([self.starts[1:], ends])[: len(self.starts)] - 1

    @cached_property
    def orders(self) -> Array:
        """The first sale of each order of each customer, in order of customer and time."""
        xp, sales = self.backend.xp, self.sales
        order = text_hash(*self.backend.utf8(self.frame["order_id"]), xp)[sales.rows]
        starts = run_starts([sales.customer, order], xp)
        # Orders of one customer may run beside each other: each counts at its earliest line.
        codes = mixed_hash([sales.customer[starts], order[starts]], xp)
        first = self.backend.frames.Series(codes).drop_duplicates().index
        found: Array = starts[xp.sort(xp.asarray(first.values))]
        return found

    def sold(self, values: Array) -> Array:
        """The sum of each customer's values, one a sale."""
        return segment_sums(values, self.starts, self.backend.xp)

    def sent_back(self, values: Array) -> Array:
        """The sum of each customer's values, one a return; exact for integers."""
        found = self.backend.xp.zeros(len(self.customers), dtype=values.dtype)
        self.backend.xp.add.at(found, self.returns.customer, values)
        return found

    def since(self, days: int) -> int:
        """The moment that many days before, in microseconds."""
        return int((self.moment - np.timedelta64(days, "D")).astype("int64"))


def _settled(
    lines: Frame, moment: np.datetime64, rates: ExchangeRates | None, backend: Backend
) -> Frame:
    """What had been ordered by the moment, without entry errors, in one currency."""
    is_late = lines["ordered_at"] > moment
    known = settled(lines[~is_late] if bool(is_late.any()) else lines, backend)
    if rates is not None:
        known, _ = in_reporting_currency(known, rates, backend)
    return known


def _rows(lines: Frame, is_sale: Array, backend: Backend) -> slice | Array:
    """The sales and returns of customers, in order of (customer, time)."""
    xp = backend.xp
    counts = is_sale | xp.asarray((lines["line_type"] == "return").values)
    counts &= xp.asarray((lines["key_kind"] == "customer").values)
    rows = slice(None) if bool(counts.all()) else xp.flatnonzero(counts)
    customer, time = (backend.as_bits(lines[name])[rows] for name in ("customer_key", "ordered_at"))
    place = in_place(customer, time, backend)
    if isinstance(place, slice):
        return rows
    return place if isinstance(rows, slice) else rows[place]


def _places(rows: slice | Array, holds: Array, backend: Backend) -> Array:
    """Those of the rows that it holds for."""
    found = backend.xp.flatnonzero(holds[rows])
    return found if isinstance(rows, slice) else rows[found]


def _lines(
    lines: Frame, rows: slice | Array, customers: Array, product: Array, backend: Backend
) -> Lines:
    xp = backend.xp
    key, time, quantity, price, discount = (
        backend.as_bits(lines[name])[rows]
        for name in ("customer_key", "ordered_at", "quantity", "unit_price", "discount")
    )
    return Lines(
        rows=rows,
        customer=_places_of(key, customers, xp),
        time=time,
        product=product[rows],
        quantity=quantity,
        gross=quantity * price,
        discount=discount,
    )


def _places_of(key: Array, customers: Array, xp: ModuleType) -> Array:
    """The place of each key among the customers; keys of one customer lie together."""
    starts = run_starts([key], xp)
    lengths = xp.diff(xp.concatenate([starts, xp.asarray([len(key)])]))
    return xp.repeat(xp.searchsorted(customers, key[starts]), lengths)


def _currency(lines: Frame, rows: slice | Array, backend: Backend) -> str:
    """What the amounts of these rows are in; nothing where there are none."""
    xp = backend.xp
    codes, texts = lines["currency"].factorize()
    used = xp.flatnonzero(xp.bincount(xp.asarray(codes)[rows], minlength=len(texts)))
    found = backend.frames.DataFrame({"currency": texts.take(used)})
    one_currency(found, backend)
    return "".join(backend.to_pandas(found)["currency"])
