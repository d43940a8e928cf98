"""The day or week that a moment belongs to, by the clocks of a time zone."""

from typing import Literal

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.event_columns import times_of
from gpu_pipeline.orders import business_day, mondays

__all__ = ["Period", "first_moments", "periods_of"]

# None is all of time at once.
Period = Literal["day", "week"] | None

_MICROSECONDS_PER_MINUTE = 60_000_000
_MICROSECONDS_PER_DAY = 86_400_000_000
_MINUTES_PER_DAY = 24 * 60


def periods_of(time: Array, per: Period, time_zone: str, backend: Backend) -> Array:
    """The number of the day, or of the first day of the week, that each time belongs to.

    Times are microseconds of UTC, days are counted from 1970 on.
    """
    if per is None:
        return backend.xp.zeros(len(time), dtype=backend.xp.int64)
    days = _days(time, time_zone, backend)
    return days if per == "day" else mondays(days)


def first_moments(days: Array) -> Array:
    """The midnights with which days begin, in microseconds."""
    return days * _MICROSECONDS_PER_DAY


def _days(time: Array, time_zone: str, backend: Backend) -> Array:
    if time_zone == "UTC":
        return time // _MICROSECONDS_PER_DAY
    xp = backend.xp
    # Clocks change at whole minutes: of many times, the day of each minute is asked once.
    minute = time // _MICROSECONDS_PER_MINUTE
    asked = minute
    if len(time):
        first, last = int(minute.min()), int(minute.max())
        if last - first < len(time):
            asked = xp.arange(first, last + 1)
            minute = minute - first
        else:
            minute = xp.arange(len(time))
    midnights = business_day(times_of(asked * _MICROSECONDS_PER_MINUTE, backend), time_zone)
    return (backend.as_bits(midnights.astype("int64")) // _MICROSECONDS_PER_DAY)[minute]
