"""What a funnel asks for: its steps, their order, and how long a journey may take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, Self, get_args

from gpu_pipeline.durations import MICROSECOND, length_of
from gpu_pipeline.errors import PipelineError

__all__ = ["Funnel", "FunnelStep", "Length", "Mode"]

Mode = Literal["ordered", "strict", "any"]
Length = str | timedelta
_MOST_STEPS = 20


@dataclass(frozen=True)
class FunnelStep:
    """A step and the events that take it: those of a type in `events`, by default of its name.

    `where` asks for more: a column and the value, or one of the values, that an event has there.
    `within` is the longest time since the step before, `exclude` what must not lie between it
    and this one, besides what the whole funnel excludes.

    >>> FunnelStep("pay", events=("purchase",), where={"channel": "email"}, within="1h").types
    ('purchase',)
    """

    name: str
    events: tuple[str, ...] = ()
    where: Mapping[str, object] = field(default_factory=dict)
    within: Length | None = None
    exclude: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that take the step."""
        return self.events or (self.name,)

    @property
    def within_microseconds(self) -> int | None:
        """The longest time since the step before; None where only the funnel's counts."""
        return None if self.within is None else _microseconds(self.within, f"step {self.name!r}")


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """Steps that lead somewhere, and which events of a customer are a journey along them.

    A journey begins with an **entry**, an event of the first step, and reaches step n when events
    e1 (the entry), e2, … en of the same customer are of the steps 1 to n and

    - `ordered`: lie one after the other, whatever else lies between;
    - `strict`: follow each other, with no event of the customer between;
    - `any`: are of n different steps, in any order; the entry is an event of any step, and an
      event counts for the first step that takes it;
    - en lies at most `within` after the entry, and each at most its step's `within` after the
      one before;
    - no event of a type in `exclude` (or in a step's) lies between two of them.

    Events of one moment are taken in the order of the first steps that they take, excluded ones
    after those, others last: which of them arrived first changes nothing. `same` are columns,
    such as product_id, in which all events of a journey agree: events of one customer with other
    values there are as of another customer, those without a value of none.

    Of the ways that go equally far, a journey takes the earliest event at every step. Per customer
    (and values of `same`) and entry period there is **one journey**: of the entries in it the one
    that goes farthest, of these the first. It belongs to the day of its entry, whenever its later
    steps came; who looks on Monday and on Tuesday and buys on Wednesday makes two journeys, and
    over all of time (`per=None`) one. It is **censored** at the moment `as_of` when one of the
    period's entries could yet go on to the last step: its time has not passed, and nothing has
    broken it.

    These are the usual terms of the field: ordered, strict and unordered steps, conversion
    windows, exclusions, a property held constant, conversions counted on the day of entry
    (documentation of ClickHouse `windowFunnel`, PostHog, Mixpanel and Amplitude funnels).
    Censoring is that of survival analysis (Kaplan and Meier, 1958).

    >>> Funnel.of(["view", "cart", "purchase"], within="7d").steps[1].name
    'cart'
    """

    steps: tuple[FunnelStep, ...]
    mode: Mode = "ordered"
    within: Length = "7d"
    exclude: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for fault in (self._steps_fault(), self._mode_fault(), self._exclusion_fault()):
            if fault:
                raise PipelineError(fault)
        # Lengths that are none are named now, not in the middle of the work.
        _ = self.within_microseconds, self.windows

    @classmethod
    def of(
        cls,
        steps: Sequence[str | FunnelStep],
        *,
        mode: Mode = "ordered",
        within: Length = "7d",
        step_within: Length | Mapping[str, Length] | None = None,
        exclude: Sequence[str] = (),
        same: Sequence[str] = (),
    ) -> Self:
        """A funnel of steps of which some are just event types.

        `step_within` is for every step from the second on, or a mapping from the names of some.

        Raises:
            PipelineError: there is no such funnel.
        """
        named = [FunnelStep(step) if isinstance(step, str) else step for step in steps]
        return cls(
            steps=tuple(_timed(named, step_within)),
            mode=mode,
            within=within,
            exclude=tuple(exclude),
            same=tuple(same),
        )

    @property
    def within_microseconds(self) -> int:
        """The longest time from the entry to the last step."""
        return _microseconds(self.within, "funnel")

    @property
    def windows(self) -> tuple[int | None, ...]:
        """For each step from the second on, the longest time since the one before."""
        return tuple(step.within_microseconds for step in self.steps[1:])

    @property
    def names(self) -> tuple[str, ...]:
        """What its steps are called, from the first on; in any order, how many were taken."""
        count = len(self.steps)
        if self.mode == "any":
            return tuple(f"{number} of {count}" for number in range(1, count + 1))
        return tuple(step.name for step in self.steps)

    @property
    def barriers(self) -> tuple[frozenset[str], ...]:
        """For each step from the second on, what must not lie between it and the one before."""
        return tuple(frozenset((*self.exclude, *step.exclude)) for step in self.steps[1:])

    @property
    def barrier_kinds(self) -> tuple[frozenset[str], ...]:
        """The different ones of `barriers` that hold anything."""
        return tuple(dict.fromkeys(kind for kind in self.barriers if kind))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at besides customer, time and event type."""
        asked = (name for step in self.steps for name in step.where)
        return tuple(dict.fromkeys((*self.same, *asked)))

    def _steps_fault(self) -> str | None:
        names = [step.name for step in self.steps]
        if not 2 <= len(names) <= _MOST_STEPS:
            return f"A funnel has from 2 to {_MOST_STEPS} steps, not {len(names)}."
        if len(set(names)) < len(names):
            return (
                f"Steps {', '.join(names)}: two have one name. Give each its own, as in "
                "FunnelStep('second view', events=('view',))."
            )
        first = self.steps[0]
        if first.within is not None or first.exclude:
            return f"Nothing lies before the first step {first.name!r}: give it no within, exclude."
        return None

    def _mode_fault(self) -> str | None:
        if self.mode not in get_args(Mode):
            return f"Mode {self.mode!r} is none of {', '.join(get_args(Mode))}."
        if self.mode == "strict" and any(self.barriers):
            return "In a strict funnel any event between two steps ends it: leave exclude out."
        own = [step.name for step in self.steps if step.within is not None or step.exclude]
        if self.mode == "any" and own:
            return (
                f"Steps {', '.join(own)} have a within or exclude of their own, but in any order "
                "there is no step before them: give them to the funnel."
            )
        return None

    def _exclusion_fault(self) -> str | None:
        taken = {kind for step in self.steps for kind in step.types}
        both = sorted(taken & frozenset().union(*self.barriers))
        if both:
            return f"Events {', '.join(both)} take a step and are excluded: they can't do both."
        return None


def _timed(
    steps: list[FunnelStep], within: Length | Mapping[str, Length] | None
) -> list[FunnelStep]:
    if within is None:
        return steps
    if isinstance(within, str | timedelta):
        within = dict.fromkeys([step.name for step in steps[1:]], within)
    unknown = sorted(set(within) - {step.name for step in steps})
    if unknown:
        names = ", ".join(step.name for step in steps)
        message = f"step_within names {', '.join(unknown)}, but the steps are {names}."
        raise PipelineError(message)
    return [
        replace(step, within=within[step.name]) if step.name in within else step for step in steps
    ]


def _microseconds(given: Length, what: str) -> int:
    length = length_of(given, f"time for a {what}")
    if length < MICROSECOND:
        message = f"A time of {length} for a {what} lets nothing through: take a longer one."
        raise PipelineError(message)
    return length // MICROSECOND
