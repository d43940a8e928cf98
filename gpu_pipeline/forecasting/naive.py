"""Seasonal naive: the last whole season again, the baseline of every comparison."""

from collections.abc import Sequence

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["seasonal_naive"]

# A series begins with a sale by definition, so the mean of its first days says too much: on a real
# shop twice what the next four weeks brought, and about right with two empty days thought of.
_EMPTY_PERIODS = 2
_SEASONS_BACK = 4  # after which a period of the season is one without trade


def seasonal_naive(panel: Panel, *, origins: Sequence[int], steps: int) -> Array:
    """What would be sold if the last season came again, float32 (origins, series, steps).

    Never negative, and always a number: a series that at an origin is younger than a season gets
    its mean so far, somewhat lowered; one that has not begun gets 0. A period without trade says
    nothing of the next: the one a season earlier stands in for it.

    Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2.
    """
    xp, season = panel.backend.xp, panel.season
    made = xp.empty((len(origins), len(panel.ids), steps), dtype="float32")
    is_open = panel.open_periods()
    for i, origin in enumerate(origins):
        last = _last_season(panel, is_open, origin)
        age = origin - panel.first
        mean = last.sum(axis=1, dtype="float64") / (xp.maximum(age, 0) + _EMPTY_PERIODS)
        # A series of that age began in the last season or later: its mean needs no older period.
        young = (age < season)[:, None]
        repeated = last[:, xp.arange(steps) % last.shape[1]]
        made[i] = xp.maximum(xp.where(young, mean[:, None], repeated), 0.0)
    return made


def _last_season(panel: Panel, is_open: Array, origin: int) -> Array:
    """The demand of the season before `origin`, (series, periods), or of all that there is."""
    begin = max(0, origin - panel.season)
    last, missing = panel.y[:, begin:origin], ~is_open[begin:origin]
    for _ in range(_SEASONS_BACK - 1):
        begin -= panel.season
        if begin < 0:
            break
        earlier = slice(begin, begin + panel.season)
        found = missing & is_open[earlier]
        last = panel.backend.xp.where(found, panel.y[:, earlier], last)
        missing &= ~found
    return last
