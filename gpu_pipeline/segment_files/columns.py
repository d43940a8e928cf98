"""Which column of a file says what: the one that was named, or one whose name is usual for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.columns import check_there

__all__ = ["FeatureColumns", "OrderColumns", "columns_of"]

# Small letters and digits alone: InvoiceDate, invoice_date and INVOICE DATE are one name.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "time": (
        *("orderedat", "orderdate", "ordertime", "orderdatetime", "ordertimestamp"),
        *("purchasedate", "purchasedat", "purchasetime", "orderpurchasetimestamp"),
        *("invoicedate", "transactiondate", "transactiontime", "transactionat", "saledate"),
        *("date", "datetime", "timestamp", "time", "createdat"),
    ),
    "amount": (
        *("amount", "orderamount", "totalamount", "netamount", "lineamount"),
        *("total", "ordertotal", "linetotal", "totalprice", "paymentvalue"),
        *("ordervalue", "revenue", "sales", "spend", "spent"),
    ),
    "unit price": ("unitprice", "priceperunit", "itemprice", "price"),
    "quantity": ("quantity", "qty", "units"),
    "order": (
        *("orderid", "orderno", "ordernr", "ordernumber", "order"),
        *("invoiceid", "invoiceno", "invoicenr", "invoicenumber", "invoice"),
        *("transactionid", "basketid", "receiptid", "receiptno"),
    ),
    "currency": ("currency", "currencycode"),
}


@dataclass(frozen=True, kw_only=True)
class OrderColumns:
    """The columns of a file of orders or of their lines.

    With a `quantity`, `amount` is what one unit costs. Without an `order`, what a customer buys
    at one moment is an order.
    """

    customer: str
    time: str
    amount: str
    quantity: str | None = None
    order: str | None = None
    currency: str | None = None

    @property
    def names(self) -> list[str]:
        """All of them that there are."""
        optional = (self.quantity, self.order, self.currency)
        return [self.customer, self.time, self.amount, *(name for name in optional if name)]

    @property
    def said(self) -> str:
        """What was taken for what, in words."""
        paid = self.amount if self.quantity is None else f"{self.quantity} x {self.amount}"
        order = "all of a moment" if self.order is None else self.order
        return f"orders: time {self.time}, amount {paid}, order {order}"


@dataclass(frozen=True, kw_only=True)
class FeatureColumns:
    """The columns of a file with a row a customer; no `features` stand for all numeric columns."""

    customer: str
    features: tuple[str, ...] = ()


def columns_of(
    path: Path,
    names: Sequence[str],
    *,
    customer: str,
    time: str | None = None,
    amount: str | None = None,
    order: str | None = None,
    quantity: str | None = None,
    features: Sequence[str] = (),
) -> OrderColumns | FeatureColumns:
    """What the columns `names` of the file are, some of which the caller knows.

    It is a file of orders where a time is named or has a usual name, else one of features.

    Raises:
        IngestError: there is no such column, several have a usual name, or of a file of orders
            some can't be told.
    """
    asked = {"time": time, "amount": amount, "order": order, "quantity": quantity}
    named = {what: name for what, name in asked.items() if name is not None}
    options = [(f"--{what}", name) for what, name in {"customer": customer, **named}.items()]
    check_there(path, names, [*options, *(("--features", name) for name in features)])
    if features:
        if named:
            message = f"--features makes {path} a file of features: leave out --{min(named)}."
            raise IngestError(message)
        return FeatureColumns(customer=customer, features=tuple(dict.fromkeys(features)))
    others = [name for name in names if name != customer and name not in named.values()]
    time = time or _recognised(path, others, "time")
    if time is None:
        if named:
            raise _missing(path, names, "time")
        return FeatureColumns(customer=customer)
    amount, quantity = _paid(path, others, amount, quantity)
    if amount is None:
        raise _missing(path, names, "amount")
    return OrderColumns(
        customer=customer,
        time=time,
        amount=amount,
        quantity=quantity,
        order=order or _recognised(path, others, "order"),
        currency=_recognised(path, others, "currency"),
    )


def _paid(
    path: Path, names: Sequence[str], amount: str | None, quantity: str | None
) -> tuple[str | None, str | None]:
    """(amount, or price of a unit where there is a quantity; quantity)."""
    if amount is not None:
        return amount, quantity
    price = _recognised(path, names, "unit price")
    if quantity is not None:
        return price, quantity
    whole = _recognised(path, names, "amount")
    if whole is not None:
        return whole, None
    return price, None if price is None else _recognised(path, names, "quantity")


def _recognised(path: Path, names: Sequence[str], what: str) -> str | None:
    """The column with a name that is usual for it; None without one."""
    found = [name for name in names if _plain(name) in _USUAL[what]]
    if len(found) > 1:
        option = {"unit price": "amount", "currency": "amount"}.get(what, what)
        message = (
            f"{path} may have its {what} in {' or '.join(map(repr, found))}: say which with "
            f"--{option} COLUMN."
        )
        raise IngestError(message)
    return found[0] if found else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _missing(path: Path, names: Sequence[str], what: str) -> IngestError:
    message = (
        f"No column of {path} has a usual name for the {what} of an order; it has "
        f"{', '.join(names)}. Say which is it with --{what} COLUMN, or name the features of a "
        "file with one row a customer: --features COLUMN,COLUMN."
    )
    return IngestError(message)
