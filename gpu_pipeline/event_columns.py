"""Whose events, and when: columns of a frame as the whole numbers that array code works on."""

from datetime import UTC, datetime

import numpy as np

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.labels import Labels

__all__ = ["customer_codes", "microseconds", "moment_of", "times_of"]


def customer_codes(values: Series, name: str, backend: Backend) -> Array:
    """Whole numbers as they are, texts as their places among the sorted ones; int64.

    Raises:
        PipelineError: one is missing, or they are neither numbers nor text.
    """
    _refuse_missing(values, name, "customer")
    if values.dtype.kind in "iu":
        return backend.as_bits(values.astype("int64"))
    if values.dtype.kind == "O" or str(values.dtype) in ("str", "string", "category"):
        return Labels.of(values, backend).codes
    message = f"Column {name!r} is {values.dtype}: a customer is a whole number or a text."
    raise PipelineError(message)


def microseconds(values: Series, name: str, backend: Backend) -> Array:
    """Timestamps (of any zone) or ISO 8601 texts as microseconds of UTC; int64.

    Raises:
        PipelineError: one is missing, or they are no times.
    """
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


def moment_of(moment: datetime) -> int:
    """The microseconds of a moment; without a zone it is UTC."""
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return int(np.datetime64(utc, "us").astype(np.int64))


def times_of(values: Array, backend: Backend) -> Series:
    """Microseconds of UTC as a column of times, without zone."""
    return backend.frames.Series(values).astype(np.dtype("datetime64[us]"))


def _refuse_missing(values: Series, name: str, what: str) -> None:
    missing = int(values.isna().sum())
    if missing:
        message = (
            f"{missing:,} of {len(values):,} events have no {what} in column {name!r}: leave "
            "them out or mend them first, they belong to nobody."
        )
        raise PipelineError(message)
