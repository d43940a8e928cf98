"""Seasonal naive: the last whole season again, the baseline of every comparison."""

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["seasonal_naive"]

# A series begins with a sale by definition, so the mean of its first days says too much: on a real
# shop twice what the next four weeks brought, and about right with two empty days thought of.
_EMPTY_PERIODS = 2


def seasonal_naive(panel: Panel, *, origin: int, steps: int) -> Array:
    """What the periods `origin`, `origin` + 1, … would be if the last season came again.

    A series that at `origin` is younger than a season gets its mean so far, somewhat lowered; one
    that has not begun gets 0. Uses periods before `origin` only. Float64 (series, steps), never
    negative.

    Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2.
    """
    xp, season = panel.backend.xp, panel.season
    last = panel.y[:, max(0, origin - season) : origin].astype("float64")
    age = origin - panel.first
    mean = last.sum(axis=1) / (xp.maximum(age, 0) + _EMPTY_PERIODS)
    # A series of that age began in the last season or later: its mean needs no older period.
    young = (age < season)[:, None]
    repeated = last[:, xp.arange(steps) % last.shape[1]]
    return xp.maximum(xp.where(young, mean[:, None], repeated), 0.0)
