"""The events of a frame as arrays: who, when, and what else is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.labels import Labels

__all__ = ["COUNTED", "Columns", "Events", "check_event_types", "times_of"]

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
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: list[str], *, customer: str, time: str, event: str | None) -> Self:
        """Those that were named; with events also product_id, channel and device where there.

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
        )

    @property
    def names(self) -> list[str]:
        """All of them."""
        named = (self.customer, self.time, self.event, self.product, *self.entry, *self.kept)
        return list(dict.fromkeys(name for name in named if name is not None))


@dataclass(frozen=True)
class Events:
    """One entry a row of the frame: `customer` as int64 codes, `time` in microseconds."""

    customer: Array
    time: Array
    kinds: Mapping[str, Array]
    product: Labels | None
    entry: Mapping[str, Labels]

    @classmethod
    def of(cls, frame: Frame, columns: Columns, backend: Backend) -> Self:
        """The rows of the frame.

        Raises:
            PipelineError: a row has no customer or no time, or they are of a type that is none.
        """
        kinds = {}
        if columns.event is not None:
            said = Labels.of(frame[columns.event], backend)
            known = backend.to_pandas(said.texts.to_frame("text"))["text"].tolist()
            for name, kind in COUNTED.items():
                code = known.index(kind) if kind in known else -1
                kinds[name] = said.codes == code
        product = None if columns.product is None else frame[columns.product]
        return cls(
            customer=_customers(frame[columns.customer], columns.customer, backend),
            time=_microseconds(frame[columns.time], columns.time, backend),
            kinds=kinds,
            product=None if product is None else Labels.of(product, backend),
            entry={name: Labels.of(frame[name].astype("str"), backend) for name in columns.entry},
        )


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


def _customers(values: Series, name: str, backend: Backend) -> Array:
    """Whole numbers as they are, texts as their places among the sorted ones."""
    _refuse_missing(values, name, "customer")
    if values.dtype.kind in "iu":
        return backend.as_bits(values.astype("int64"))
    if values.dtype.kind == "O" or str(values.dtype) in ("str", "string"):
        return Labels.of(values, backend).codes
    message = f"Column {name!r} is {values.dtype}: a customer is a whole number or a text."
    raise PipelineError(message)


def _microseconds(values: Series, name: str, backend: Backend) -> Array:
    if values.dtype.kind in "iufb":
        message = (
            f"Column {name!r} is {values.dtype}: times are timestamps or ISO 8601 texts. Unix "
            f"times become timestamps with pandas.to_datetime({name}, unit='s')."
        )
        raise PipelineError(message)
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    times = backend.to_times(values)
    _refuse_missing(times, name, "time")
    return backend.as_bits(times.astype("int64"))


def _refuse_missing(values: Series, name: str, what: str) -> None:
    missing = int(values.isna().sum())
    if missing:
        message = (
            f"{missing:,} of {len(values):,} events have no {what} in column {name!r}: leave "
            "them out or mend them first, they belong to no session."
        )
        raise PipelineError(message)


def times_of(microseconds: Array, backend: Backend) -> Series:
    """Times as a column."""
    return backend.frames.Series(microseconds).astype(np.dtype("datetime64[us]"))
