"""Calendar: what a period's date says, and how far the next events are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.frequency import FREQUENCIES
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["REACH", "Calendar", "event_distances", "shown_events"]

REACH = 8  # periods before and after an event in which it may be felt
_MOST_EVENTS = 40  # of a column: those on most dates

Host = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Calendar:
    """Figures of each period, the same for all series: `values` float32 (names, periods)."""

    names: tuple[str, ...]
    values: Array

    @classmethod
    def of(cls, panel: Panel, *, periods: int) -> Self:
        """The first `periods` periods of the panel: their dates and the events known ahead.

        An event column is one of text that says the same for all series and is null at times. For
        each of its events there is the number of periods since the nearest one, negative before
        it, from -8 to 8; and for the column those until the next and since the last of any. Which
        events those are is the same whatever `periods` is.
        """
        columns = dict(_dates(panel, periods))
        for name, codes in _event_columns(panel):
            shown = shown_events(panel, name, most=_MOST_EVENTS)
            columns.update(_around(name, codes[:periods], shown, panel.known.categories[name]))
        values = panel.backend.xp.asarray(np.stack(list(columns.values())))
        return cls(tuple(columns), values)


def event_distances(codes: npt.NDArray[np.int64], code: int) -> npt.NDArray[np.int64]:
    """Periods since the nearest event of that code, negative before it, -REACH to REACH."""
    here = np.flatnonzero(codes == code)
    since = np.arange(len(codes))[:, None] - here if len(here) else np.full((len(codes), 1), REACH)
    nearest = since[np.arange(len(codes)), abs(since).argmin(axis=1)]
    clipped: npt.NDArray[np.int64] = np.clip(nearest, -REACH, REACH)
    return clipped


def shown_events(panel: Panel, name: str, *, most: int) -> list[int]:
    """The codes of an event column that are on most dates of the panel, at most so many."""
    values = panel.known.values[panel.known.names.index(name)]
    codes = panel.backend.to_host(values[0, : panel.y.shape[1]]).astype("int64")
    dates = np.bincount(codes[codes >= 0], minlength=len(panel.known.categories[name]))
    order = np.argsort(-dates, kind="stable")[:most]
    return [int(code) for code in order if dates[code]]


def _dates(panel: Panel, periods: int) -> Iterator[tuple[str, Host]]:
    step = FREQUENCIES[panel.freq].step_us
    moments = (panel.start_us + step * np.arange(periods)).astype("datetime64[us]")
    days, months = moments.astype("datetime64[D]"), moments.astype("datetime64[M]")
    if panel.freq == "D":
        yield "weekday", ((days.astype("int64") + 3) % 7).astype("float32")
    yield (
        "day_of_month",
        ((days - months.astype("datetime64[D]")).astype("int64") + 1.0).astype("float32"),
    )
    yield "month", (months.astype("int64") % 12 + 1.0).astype("float32")
    if panel.freq == "W":
        years = moments.astype("datetime64[Y]").astype("datetime64[D]")
        yield "week_of_year", ((days - years).astype("int64") // 7).astype("float32")


def _event_columns(panel: Panel) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    for name, values in zip(panel.known.names, panel.known.values, strict=True):
        if name not in panel.known.categories or len(values) > 1:
            continue
        codes = panel.backend.to_host(values[0]).astype("int64")
        past = codes[: panel.y.shape[1]]
        if (past < 0).any() and (past >= 0).any():
            yield name, codes


def _around(
    name: str, codes: npt.NDArray[np.int64], shown: list[int], categories: tuple[object, ...]
) -> Iterator[tuple[str, Host]]:
    for code in shown:
        yield f"{name}={categories[code]}", event_distances(codes, code).astype("float32")
    when, now = np.flatnonzero(codes >= 0), np.arange(len(codes))
    following = np.searchsorted(when, now)
    until = np.append(when, len(codes) + 2 * REACH)[following] - now
    since = now - np.append(-2 * REACH, when)[np.searchsorted(when, now, side="right")]
    yield f"{name}: until", np.minimum(until, 2 * REACH).astype("float32")
    yield f"{name}: since", np.minimum(since, 2 * REACH).astype("float32")
