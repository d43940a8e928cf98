"""Moves: what customers bought and sent back until a moment, as arrays."""

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.features.histories import in_place
from gpu_pipeline.kernels import mixed_hash, run_starts, segment_sums, text_hash
from gpu_pipeline.orders import entry_errors, of_type, one_currency

__all__ = ["Lines", "Moves"]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Some lines of a frame, a customer's together and in order of time; one entry a line.

    `rows` are where they lie in the frame, `customer` places among the customers of the moves.
    What is asked for is brought into this order, once.
    """

    frame: Frame
    rows: slice | Array
    customer: Array
    backend: Backend

    @cached_property
    def time(self) -> Array:
        """When each was ordered, in microseconds."""
        return self._whole("ordered_at")[self.rows]

    @cached_property
    def quantity(self) -> Array:
        """Units, negative where they came back."""
        return self._whole("quantity")[self.rows]

    @cached_property
    def discount(self) -> Array:
        """Taken off, minor units."""
        return self._whole("discount")[self.rows]

    @cached_property
    def amount(self) -> Array:
        """What was paid, minor units."""
        gross = self._whole("quantity") * self._whole("unit_price")
        return (gross - self._whole("discount"))[self.rows]

    def codes(self, name: str) -> Array:
        """An int64 of each text of a column, other texts having others (one in 2**63 may not).

        Lines of one order mostly come one after the other: a text is read once for such a run.
        """
        xp, texts = self.backend.xp, self.frame[name]
        is_new = xp.ones(len(texts), dtype=bool)
        here, before = (some.reset_index(drop=True) for some in (texts.iloc[1:], texts.iloc[:-1]))
        is_new[1:] = (here != before).values
        codes = text_hash(*self.backend.utf8(texts.iloc[xp.flatnonzero(is_new)]), xp)
        found: Array = codes[(xp.cumsum(is_new) - 1)[self.rows]]
        return found

    def _whole(self, name: str) -> Array:
        return self.backend.as_bits(self.frame[name])


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Sales and returns of `customers`, ascending: all who bought something until `moment`.

    All amounts are of one `currency`.
    """

    customers: Array
    sales: Lines
    returns: Lines
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
        known, is_sale, is_return = _counted(lines, moment, rates, backend)
        currency = _currency(known, is_sale | is_return, backend)
        key = backend.as_bits(known["customer_key"])
        sold = _in_order(known, is_sale, backend)
        customers = key[sold][run_starts([key[sold]], xp)]
        back = xp.arange(len(known))[_in_order(known, is_return, backend)]
        back = back[_is_among(key[back], customers, xp)]
        sales, returns = (
            Lines(
                frame=known,
                rows=rows,
                customer=_places_of(key[rows], customers, xp),
                backend=backend,
            )
            for rows in (sold, back)
        )
        return cls(
            customers=customers,
            sales=sales,
            returns=returns,
            currency=currency,
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
        order = sales.codes("order_id")
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


def _counted(
    lines: Frame, moment: np.datetime64, rates: ExchangeRates | None, backend: Backend
) -> tuple[Frame, Array, Array]:
    """(lines until the moment in one currency, which are sales of customers, which returns)."""
    is_late = lines["ordered_at"] > moment
    known = (lines[~is_late] if bool(is_late.any()) else lines).reset_index(drop=True)
    is_sale, is_return = (of_type(known, kind, backend) for kind in ("sale", "return"))
    is_wrong = entry_errors(known, is_sale, is_return, backend)
    counts = backend.xp.asarray((known["key_kind"] == "customer").values) & ~is_wrong
    masks = [is_sale & counts, is_return & counts]
    if rates is not None:
        # Lines whose rate is not known are left out.
        known, _ = in_reporting_currency(known, rates, backend)
        left = known.index.values
        masks = [mask[left] for mask in masks]
        known = known.reset_index(drop=True)
    return known, masks[0], masks[1]


def _in_order(lines: Frame, holds: Array, backend: Backend) -> slice | Array:
    """The lines that it holds for, in order of (customer, time)."""
    rows = slice(None) if bool(holds.all()) else backend.xp.flatnonzero(holds)
    customer, time = (backend.as_bits(lines[name])[rows] for name in ("customer_key", "ordered_at"))
    place = in_place(customer, time, backend)
    if isinstance(place, slice):
        return rows
    return place if isinstance(rows, slice) else rows[place]


def _currency(lines: Frame, counts: Array, backend: Backend) -> str:
    """What the amounts of these lines are in; nothing where there are none."""
    if not bool(counts.any()):
        return ""
    texts = lines["currency"]
    first: str = texts.iloc[int(counts.argmax())]
    is_other = backend.xp.asarray((texts != first).values) & counts
    if bool(is_other.any()):
        one_currency(lines[backend.frames.Series(counts)], backend)
    return first


def _is_among(key: Array, customers: Array, xp: ModuleType) -> Array:
    """Which keys are those of customers, who come in ascending order."""
    if not len(customers):
        return xp.zeros(len(key), dtype=bool)
    place = xp.minimum(xp.searchsorted(customers, key), len(customers) - 1)
    found: Array = customers[place] == key
    return found


def _places_of(key: Array, customers: Array, xp: ModuleType) -> Array:
    """The place of each key among the customers; keys of one customer lie together."""
    starts = run_starts([key], xp)
    lengths = xp.diff(xp.concatenate([starts, xp.asarray([len(key)])]))
    return xp.repeat(xp.searchsorted(customers, key[starts]), lengths)
