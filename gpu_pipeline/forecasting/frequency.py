"""Frequency: what a period of a panel is, a day or a week."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np

__all__ = ["DAY_US", "FREQUENCIES", "Freq", "Frequency", "day_text", "moment_of"]

Freq: TypeAlias = Literal["D", "W"]

DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """What a period is: its length, the periods of a season, and what dates must share.

    Forecast origins lie a whole number of `cycle` periods apart, so that step k of every
    backtest window falls on the same weekday as step k of the forecast. A series without demand
    for `ended_periods` may have ended.
    """

    step_us: int
    season: int
    cycle: int
    grid: str
    word: str
    ended_periods: int


FREQUENCIES: dict[Freq, Frequency] = {
    "D": Frequency(
        step_us=DAY_US, season=7, cycle=7, grid="at midnight", word="day", ended_periods=56
    ),
    "W": Frequency(
        step_us=7 * DAY_US,
        season=52,
        cycle=1,
        grid="at midnight of one weekday",
        word="week",
        ended_periods=8,
    ),
}


def day_text(moment_us: int) -> str:
    """The day of a moment in microseconds since 1970, such as 2026-03-01."""
    return str(np.datetime64(moment_us, "us"))[:10]


def moment_of(moment_us: int) -> datetime:
    """The moment (UTC, without zone) that is so many microseconds after 1970 began."""
    moment: datetime = np.datetime64(moment_us, "us").item()
    return moment
