"""The events of a frame as arrays: whose, when, and which steps of a funnel they take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds
from gpu_pipeline.funnels.rule import Funnel
from gpu_pipeline.labels import Labels

__all__ = ["Columns", "Events", "check_event_types"]

# The narrowest type that has a bit for every step and for everything that breaks a journey.
_WIDTHS = {"uint8": 8, "uint16": 16, "int64": 62}
_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a frame say what; those in `by` come along from a journey's entry."""

    customer: str = "customer_key"
    time: str = "occurred_at"
    event: str = "event_type"
    by: tuple[str, ...] = ()

    def names(self, funnel: Funnel) -> list[str]:
        """All that a funnel needs of a frame."""
        named = (self.customer, self.time, self.event, *funnel.columns, *self.by)
        return list(dict.fromkeys(named))

    def check(self, found: Sequence[str], funnel: Funnel) -> None:
        """Holds the columns of a frame to those that are needed.

        Raises:
            PipelineError: some are not there.
        """
        missing = [name for name in self.names(funnel) if name not in found]
        if missing:
            message = f"No column {', '.join(missing)} among the events' {', '.join(found)}."
            raise PipelineError(message)


@dataclass(frozen=True)
class Events:
    """The rows of a frame that matter to a funnel, one entry each.

    `row` are their places in the frame, `subject` int64 codes of customer and `Funnel.same`,
    `time` microseconds, `flags` as in `Trail`.
    """

    row: Array
    subject: Array
    time: Array
    flags: Array

    @classmethod
    def of(
        cls, frame: Frame, funnel: Funnel, columns: Columns, as_of: int, backend: Backend
    ) -> Self:
        """The rows of the frame until `as_of` (microseconds).

        Raises:
            PipelineError: a row has no customer or no time, or they are of a type that is none.
        """
        xp = backend.xp
        customer = customer_codes(frame[columns.customer], columns.customer, backend)
        time = microseconds(frame[columns.time], columns.time, backend)
        flags = _flags(frame, funnel, columns.event, backend)
        is_kept = time <= as_of
        if funnel.mode != "strict":
            # Where only steps and what breaks them matter, the rest is not even sorted.
            is_kept &= flags != 0
        for name in funnel.same:
            is_kept &= xp.asarray(frame[name].notna().values)
        row = xp.flatnonzero(is_kept)
        subject = _subjects(frame, funnel.same, customer, row, backend)
        return cls(row, subject, time[row], flags[row])


def check_event_types(frame: Frame, funnel: Funnel, columns: Columns, backend: Backend) -> None:
    """Refuses events of which none can take any step: the steps are then called otherwise.

    Raises:
        PipelineError: there are events, and none of a type that takes a step.
    """
    wanted = sorted({kind for step in funnel.steps for kind in step.types})
    if not len(frame) or bool(frame[columns.event].isin(wanted).any()):
        return
    _, texts = _types(frame[columns.event], backend)
    message = (
        f"No event in column {columns.event!r} is of type {', '.join(wanted)}, so there are no "
        f"journeys. Its types are {', '.join(sorted(texts)[:_MOST_NAMED])}."
    )
    raise PipelineError(message)


def _subjects(
    frame: Frame, same: tuple[str, ...], customer: Array, row: Array, backend: Backend
) -> Array:
    """Codes that are equal where the customer and all columns of `same` are."""
    subject = customer[row]
    for name in same:
        labels = Labels.of(frame[name].take(row).astype("str"), backend)
        codes, _ = backend.frames.Series(subject).factorize()
        subject = backend.xp.asarray(codes).astype("int64") * (len(labels.texts) + 1) + labels.codes
    return subject


def _flags(frame: Frame, funnel: Funnel, event: str, backend: Backend) -> Array:
    xp = backend.xp
    codes, texts = _types(frame[event], backend)
    taken = [*(frozenset(step.types) for step in funnel.steps), *funnel.barrier_kinds]
    kind = next(name for name, bits in _WIDTHS.items() if len(taken) <= bits)
    of_type = [sum(1 << bit for bit, types in enumerate(taken) if text in types) for text in texts]
    # A missing type has the code -1: the place at the end.
    flags = xp.asarray([*of_type, 0], dtype=kind)[codes]
    for bit, step in enumerate(funnel.steps):
        for name, wanted in step.where.items():
            meets = xp.asarray(frame[name].isin(_values(wanted)).values)
            flags = xp.where(meets, flags, flags & ~xp.asarray(1 << bit, dtype=kind))
    return flags


def _types(values: Series, backend: Backend) -> tuple[Array, list[str]]:
    """(the code of each value, the texts that the codes stand for)."""
    xp = backend.xp
    if str(values.dtype) == "category":
        codes, texts = (
            xp.asarray(values.cat.codes.values),
            backend.frames.Series(values.cat.categories),
        )
    else:
        places, known = values.factorize()
        codes, texts = xp.asarray(places), backend.frames.Series(known)
    host = backend.to_pandas(texts.astype("str").to_frame("text"))
    return codes, host["text"].tolist()


def _values(wanted: object) -> list[object]:
    return list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
