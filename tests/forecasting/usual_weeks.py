"""A forecaster of a line and its backtest, for tests of what is made of any backtest."""

import numpy as np

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.backtest import Forecasts, window_origins

_USUAL_PERIODS = 28


def usual_weeks(panel: Panel, *, horizon: int, windows: int = 3) -> Forecasts:
    """Every weekday forecast as its mean in the four weeks before."""
    origins, window = window_origins(panel, horizon=horizon, windows=windows)
    forecasts = []
    for origin in origins:
        means = [_mean_before(panel, origin, step % panel.cycle) for step in range(horizon)]
        is_open = panel.open_steps(origin=origin, steps=horizon)
        forecasts.append(np.stack(means, axis=1) * is_open)
    known = np.asarray(origins[:-1])[:, None] > panel.first
    return Forecasts(origins=origins, window=window, forecasts=np.stack(forecasts), known=known)


def _mean_before(panel: Panel, origin: int, phase: int) -> Array:
    """Of the periods that are whole cycles before `origin` + `phase`, or else of all."""
    periods = np.arange(max(0, origin - _USUAL_PERIODS), origin)
    alive = periods >= panel.first[:, None]
    alike = alive & ((periods - origin - phase) % panel.cycle == 0)
    counted = np.where(alike.any(axis=1)[:, None], alike, alive)
    return (panel.y[:, periods] * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
