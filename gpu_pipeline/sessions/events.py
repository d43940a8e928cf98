"""The events of a frame as arrays: who, when, and what else is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds
from gpu_pipeline.labels import Labels

__all__ = ["COUNTED", "Columns", "Events", "check_currencies", "check_event_types"]

# What a session counts, by the event type of contract clickstream.
COUNTED = {"views": "view", "carts": "cart", "checkouts": "checkout", "purchases": "purchase"}
_ENTRY = ("channel", "device")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a frame say what; `kept` ones come along from a session's first event."""

    customer: str = "customer_key"
    time: str = "occurred_at"
    event: str | None = None
    product: str | None = None
    entry: tuple[str, ...] = ()
    price: str | None = None
    currency: str | None = None
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: list[str], *, customer: str, time: str, event: str | None) -> Self:
        """Those that were named; with events also the usual ones that are there.

        Raises:
            PipelineError: the frame has not all that were named.
        """
        missing = [name for name in (customer, time, event) if name and name not in names]
        if missing:
            message = f"No column {', '.join(missing)} among the events' {', '.join(names)}."
            raise PipelineError(message)
        if event is None:
            return cls(customer=customer, time=time)
        return cls(
            customer=customer,
            time=time,
            event=event,
            product="product_id" if "product_id" in names else None,
            entry=tuple(name for name in _ENTRY if name in names),
            price="price" if "price" in names else None,
            currency="currency" if {"price", "currency"} <= set(names) else None,
        )

    @property
    def names(self) -> list[str]:
        """All of them."""
        named = (self.customer, self.time, self.event, self.product, *self.entry)
        named = (*named, self.price, self.currency, *self.kept)
        return list(dict.fromkeys(name for name in named if name is not None))


@dataclass(frozen=True)
class Events:
    """One entry a row of the frame: `customer` as int64 codes, `time` in microseconds.

    `kind` is 1 + the place in COUNTED of what the event is counted as, 0 where it is none.
    """

    customer: Array
    time: Array
    kind: Array | None
    product: Labels | None
    entry: Mapping[str, Labels]
    price: Array | None = None
    currency: Labels | None = None

    @classmethod
    def of(cls, frame: Frame, columns: Columns, backend: Backend) -> Self:
        """The rows of the frame.

        Raises:
            PipelineError: a row has no customer or no time, or they are of a type that is none,
                or purchases are paid in several currencies.
        """
        product = None if columns.product is None else frame[columns.product]
        return cls(
            customer=customer_codes(frame[columns.customer], columns.customer, backend),
            time=microseconds(frame[columns.time], columns.time, backend),
            kind=None if columns.event is None else _kinds(frame[columns.event], backend),
            product=None if product is None else Labels.of(product, backend),
            entry={name: _texts(frame[name], backend) for name in columns.entry},
            price=_amounts(frame, columns, backend),
            currency=_currencies(frame, columns, backend),
        )

    @property
    def of_all(self) -> dict[str, Array]:
        """What is asked of every event of a session, by name; the entry is asked of its first."""
        found = {
            "kind": self.kind,
            "price": self.price,
            # These are moved about: half as wide, they are moved twice as fast.
            "currency": None if self.currency is None else self.currency.codes.astype("int32"),
            "product": None if self.product is None else self.product.codes.astype("int32"),
        }
        return {name: values for name, values in found.items() if values is not None}


def check_event_types(frame: Frame, columns: Columns) -> None:
    """Refuses events of which none is of a type that counts for anything.

    Raises:
        PipelineError: there are events, and all are of types that contract clickstream lacks.
    """
    if columns.event is None or not len(frame):
        return
    known = contract("clickstream")["event_type"].allowed
    if not bool(frame[columns.event].isin(known).any()):
        message = (
            f"Column {columns.event!r} has no event of type {', '.join(known)}: give its values "
            "these names first, or leave the event column out."
        )
        raise PipelineError(message)


def check_currencies(codes: Sequence[str], columns: Columns) -> None:
    """Refuses purchases in several currencies.

    Raises:
        PipelineError: there are more than one.
    """
    if len(codes) > 1:
        message = (
            f"Purchases are paid in {', '.join(codes)}: amounts of different currencies are not "
            f"added. Convert {columns.price!r} to one of them first, or leave it out."
        )
        raise PipelineError(message)


def _kinds(values: Series, backend: Backend) -> Array:
    said = Labels.of(values, backend)
    known = backend.to_pandas(said.texts.to_frame("text"))["text"].tolist()
    counted = list(COUNTED.values())
    codes = [1 + counted.index(text) if text in counted else 0 for text in (*known, None)]
    return backend.xp.asarray(codes, dtype="uint8")[said.codes]


def _texts(values: Series, backend: Backend) -> Labels:
    """The labels of a column that may have no text at all, and so another type."""
    is_category = str(values.dtype) == "category"
    return Labels.of(values if is_category else values.astype("str"), backend)


def _amounts(frame: Frame, columns: Columns, backend: Backend) -> Array | None:
    """Whole numbers as int64, others and texts as float64; 0 where there is none."""
    if columns.price is None:
        return None
    values = frame[columns.price]
    if values.dtype.kind in "iu":
        return backend.as_bits(values.fillna(0).astype("int64"))
    numbers = backend.frames.to_numeric(values, errors="coerce").astype("float64")
    unread = int((numbers.isna() & values.notna()).sum())
    if unread:
        message = (
            f"{unread:,} of {len(values):,} amounts in column {columns.price!r} are no numbers: "
            "write them as 1234.5, or leave the column out."
        )
        raise PipelineError(message)
    amounts: Array = numbers.fillna(0).values
    return amounts


def _currencies(frame: Frame, columns: Columns, backend: Backend) -> Labels | None:
    """What purchases are paid in, one currency; null is what other events and unpaid ones have."""
    if columns.currency is None:
        return None
    paid = frame[columns.currency].where(frame[columns.event] == COUNTED["purchases"], None)
    found = Labels.of(paid.astype("str"), backend)
    check_currencies(backend.to_pandas(found.texts.to_frame("code"))["code"].tolist(), columns)
    return found
