"""Order lines as the order system exports them: sales, cancelled ones, fees and returns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from gpu_pipeline.synthetic.columns import (
    DAY,
    Ints,
    Rng,
    Rows,
    amounts,
    integers,
    labels,
    moments,
    positions,
)
from gpu_pipeline.synthetic.identifiers import Planted, personalised
from gpu_pipeline.synthetic.orders import ORDER_CHANNELS, REFUND_ABUSE
from gpu_pipeline.synthetic.people import COUNTRIES
from gpu_pipeline.synthetic.world import World

_LINE_TYPES = ("sale", "cancelled", "fee", "return")
_SALE, _CANCELLED, _FEE, _RETURN = range(4)
_STATUSES = ("placed", "shipped", "delivered", "cancelled", "returned")
_CANCELLED_STATUS, _RETURNED_STATUS = 3, 4
_SHIPPING, _FREE_SHIPPING = 499, 5_000  # cents
_GOODWILL_SHARE = 0.015


@dataclass(frozen=True)
class Lines(Rows):
    """One entry a line of the order file."""

    order: Ints
    number: Ints
    at: Ints
    shipped: Ints
    delivered: Ints
    product: Ints  # the number of products where it is shipping
    quantity: Ints
    price: Ints
    discount: Ints
    refunded: Ints
    status: Ints
    kind: Ints

    def settled_at(self, closes: int) -> Ints:
        """When nothing more happens to a line: what is open at the end is settled then."""
        waits = ((self.kind == _SALE) | (self.kind == _FEE)) & (self.delivered < 0)
        return np.where(waits, closes - 1, np.maximum(self.at, self.delivered))


def draw_lines(world: World, rng: Rng) -> Lines:
    """Sales, fees and returns in order of time; a return continues the numbers of its order."""
    sold = _sold(world, rng)
    lines = Lines.stacked(sold, _fees(world, sold), _returns(world, sold, rng))
    lines = lines.take(np.argsort(lines.order, kind="stable"))
    lines.number[:] = positions(np.bincount(lines.order, minlength=len(world.orders.at))) + 1
    return lines.take(np.argsort(lines.at, kind="stable"))


def order_table(world: World, lines: Lines, rng: Rng) -> tuple[pa.Table, Planted]:
    """The lines, and the identifiers that stand in what is engraved on some products."""
    shop, orders, rates = world.shop, world.orders, world.market.rates
    customer, currency = orders.customer[lines.order], orders.currency[lines.order]
    digits = rates.digits(currency)
    # A return and a thief's order say where they go themselves, as a guest's does.
    own = world.accounts.country_at(customer, orders.at[lines.order])
    country = orders.country[lines.order]
    names = labels([*shop.names, "Shipping"], lines.product)
    names, planted = personalised("product_name", names, rng)
    table = pa.table(
        {
            "customer_id": world.people.ids(customer),
            "order_id": world.order_ids(lines.order),
            "line_no": integers(lines.number),
            "ordered_at": moments(lines.at),
            "shipped_at": moments(lines.shipped),
            "delivered_at": moments(lines.delivered),
            "product_id": labels([*shop.ids, "SHIPPING"], lines.product),
            "product_name": names,
            "quantity": integers(lines.quantity),
            "unit_price": amounts(lines.price, digits),
            "discount": amounts(lines.discount, digits),
            "refunded": amounts(lines.refunded, digits),
            "currency": labels(rates.currencies, currency),
            "channel": labels(ORDER_CHANNELS, orders.channel[lines.order]),
            "country": labels(COUNTRIES, np.where(country < 0, own, country)),
            "status": labels(_STATUSES, lines.status),
            "line_type": labels(_LINE_TYPES, lines.kind),
        }
    )
    return table, planted


def _sold(world: World, rng: Rng) -> Lines:
    span, orders, sales = world.span, world.orders, world.sales
    shipped, delivered = orders.shipped[sales.order], orders.delivered[sales.order]
    shipped = np.where(sales.cancelled | (shipped >= span.closes), -1, shipped)
    delivered = np.where(sales.cancelled | (delivered >= span.closes), -1, delivered)
    progress = (shipped >= 0).astype(np.int64) + (delivered >= 0)
    # Goodwill: a tenth is paid back and nothing comes back. A return's money is its quantity.
    arrived = delivered >= 0
    goodwill = arrived & (rng.random(len(shipped)) < _GOODWILL_SHARE)
    abused = arrived & (orders.fraud[sales.order] == REFUND_ABUSE)
    paid = sales.price * sales.quantity - sales.discount
    return Lines(
        order=sales.order,
        number=np.zeros_like(sales.order),
        at=orders.at[sales.order],
        shipped=shipped,
        delivered=delivered,
        product=sales.product,
        quantity=sales.quantity,
        price=sales.price,
        discount=sales.discount,
        refunded=np.where(abused, paid, np.where(goodwill, paid // 10, 0)),
        status=np.where(sales.cancelled, _CANCELLED_STATUS, progress),
        kind=np.where(sales.cancelled, _CANCELLED, _SALE),
    )


def _fees(world: World, sold: Lines) -> Lines:
    """Shipping of each small order, of which something is left."""
    orders, rates = world.orders, world.market.rates
    kept = sold.take(sold.kind == _SALE)
    worth = np.zeros(len(orders.at), np.int64)
    np.add.at(worth, kept.order, kept.price * kept.quantity - kept.discount)
    day = world.span.day_of(orders.at)
    limit, shipping = (
        rates.converted(np.full(len(day), cents), orders.currency, day)
        for cents in (_FREE_SHIPPING, _SHIPPING)
    )
    first = np.unique(kept.order, return_index=True)[1]
    fees = kept.take(first[(worth < limit)[kept.order[first]]])
    fees.product[:], fees.quantity[:], fees.price[:] = len(world.shop), 1, shipping[fees.order]
    fees.discount[:], fees.refunded[:], fees.kind[:] = 0, 0, _FEE
    return fees


def _returns(world: World, sold: Lines, rng: Rng) -> Lines:
    """What came back, within 30 days of the order; what was bought reduced can't."""
    rate = np.where(sold.discount == 0, world.shop.return_rate[sold.product], 0)
    rate[sold.refunded > 0] = 0  # who has the money back keeps the goods
    back_at = sold.delivered + rng.integers(DAY, 14 * DAY, len(rate))
    comes = (rng.random(len(rate)) < rate) & (sold.delivered >= 0) & (back_at < world.span.closes)
    back = sold.take(comes)
    back.at[:], back.shipped[:], back.delivered[:] = back_at[comes], -1, -1
    back.quantity[:] = -rng.integers(1, back.quantity, endpoint=True)
    back.refunded[:], back.status[:], back.kind[:] = 0, _RETURNED_STATUS, _RETURN
    return back
