"""When a session ends, and when it is no person's: one small value that travels with the data."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from gpu_pipeline.durations import MICROSECOND, length_of
from gpu_pipeline.errors import PipelineError

__all__ = ["SessionRule"]


@dataclass(frozen=True, kw_only=True)
class SessionRule:
    """A visitor's events belong to one session until one of these says otherwise.

    A pause longer than `gap` ends it. So do its caps: an event more than `longest` after the
    first one, and the one after `most_events`, open the next session. Events of one moment stay
    together; only a moment that alone has more of them makes a larger session.

    The rest tells machines from people (`machines.py`): from `machine_events` on, a session
    without a cart is a machine's where `regular_share` of its pauses repeat the pause before.

    >>> SessionRule.of("30min").gap_microseconds
    1800000000
    """

    gap: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=24)
    most_events: int = 10_000
    machine_events: int = 10
    regular_share: float = 0.9
    most_views_without_cart: int = 500
    fastest_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not MICROSECOND <= self.gap <= self.longest:
            message = (
                f"A gap of {self.gap} can't end sessions: take one from a microsecond to the "
                f"longest session, {self.longest}."
            )
            raise PipelineError(message)
        if self.most_events < 1:
            message = f"A session holds at least one event, not {self.most_events}."
            raise PipelineError(message)

    @classmethod
    def of(cls, gap: str | timedelta) -> Self:
        """The usual caps around a gap such as "30min", "45 s" or "1.5h".

        Where the gap is over a day, so is the longest session.

        Raises:
            PipelineError: the text is no length of time, or that of nothing.
        """
        length = length_of(gap, "gap between sessions")
        return cls(gap=length, longest=max(cls.longest, length))

    @property
    def gap_microseconds(self) -> int:
        """The gap as an exact number."""
        return self.gap // MICROSECOND

    @property
    def longest_microseconds(self) -> int:
        """The cap on length as an exact number."""
        return self.longest // MICROSECOND
