"""Lengths of time as people write them: 45 s, 30min, 1.5h, 7d, 2w."""

import re
from datetime import timedelta

from gpu_pipeline.errors import PipelineError

__all__ = ["MICROSECOND", "length_of"]

MICROSECOND = timedelta(microseconds=1)
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)


def length_of(given: str | timedelta, what: str) -> timedelta:
    """The length of time that was given; `what` says in the error what it is for.

    Raises:
        PipelineError: the text is no length of time.

    >>> length_of("1.5h", "gap")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(given, timedelta):
        return given
    match = _LENGTH.fullmatch(given)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        message = f"{given!r} is no {what}: a number and s, min, h, d or w, like 30min or 7d."
        raise PipelineError(message)
    return float(match[1]) * unit
