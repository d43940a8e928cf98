"""Backtest: rolling origins, the choice between models, and what that choice is worth.

A series' model is chosen on the earlier windows; every error that is reported is one of the last
window, which the choice has not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gpu_pipeline.backend import Array
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.smoothing import MINIMUM_AGE, initial_periods, smooth

__all__ = ["WINDOWS", "Backtest", "Metrics", "backtest", "measure", "naive_scale", "window_origins"]

WINDOWS = 3


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How far forecasts were off, over all series and periods of one window.

    `mae` is in units a period. `wape` is the sum of absolute errors over the sum of demand. `mase`
    is the mean over series of their mean absolute error over that of seasonal naive before the
    window (Hyndman & Koehler 2006); series for which that is 0 or unknown are left out. `bias` is
    what was forecast too much, over the sum of demand. Not a number where nothing was sold.
    """

    mae: float
    wape: float
    mase: float
    bias: float


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What was forecast at each origin, the last of which is the end of the panel.

    A window is the first `window` periods from an origin on; the last origin has none yet.
    `forecasts` are float64 (origins, series, horizon) by the chosen model of each series; `smooths`
    is bool (series,): True where that is smoothing. `known` is bool (windows, series): whether the
    series had begun and its model could be fitted at the start of a window. `error` and
    `naive_error` are float64 (series,): mean absolute errors in the last window, 0 being the
    forecast for a series that had not begun. `evaluation` is over the series that had, by model.
    """

    origins: tuple[int, ...]
    window: int
    forecasts: Array
    smooths: Array
    known: Array
    error: Array
    naive_error: Array
    evaluation: Mapping[str, Metrics]


def backtest(panel: Panel, *, horizon: int, windows: int = WINDOWS) -> Backtest:
    """Forecast from `windows` earlier origins and from the end; choose each series' model.

    Smoothing is chosen where it had the smaller mean squared error on the windows before the
    last; seasonal naive where it had not, or where the series is too young for that comparison.
    Squared, because a mean is forecast: absolute errors would favour the median, which is zero
    for whatever sells on fewer than half of the days (Kolassa 2020, Int. J. Forecasting 36).
    Where smoothing can't be fitted, seasonal naive stands in for it in the evaluation, so that
    every model is measured on the same demand.

    Raises:
        PanelError: the panel is too short for so many windows of at least one period.
    """
    xp = panel.backend.xp
    origins, window = window_origins(panel, horizon=horizon, windows=windows)
    starts = xp.asarray(origins[:-1])[:, None]
    age = origins[-3] - panel.first
    smoothable = age >= MINIMUM_AGE
    fitted = smoothable & (starts >= panel.first + initial_periods(age, panel)[0])

    is_open = xp.stack([panel.open_steps(origin=at, steps=horizon) for at in origins])[:, None]
    naive = xp.stack([seasonal_naive(panel, origin=at, steps=horizon) for at in origins]) * is_open
    smoothed = smooth(panel, age=age, origins=origins, steps=horizon) * is_open
    smoothed = xp.where(smoothable[:, None], smoothed, naive)
    misses = _window_misses(panel, smoothed, origins, window)
    naive_misses = _window_misses(panel, naive, origins, window)
    gain = (naive_misses**2).mean(axis=2) - (misses**2).mean(axis=2)
    smooths = (gain * fitted)[:-1].sum(axis=0) > 0

    chosen = xp.where(smooths[:, None], smoothed, naive)
    models = {"seasonal_naive": naive[-2], "smoothing": smoothed[-2], "chosen": chosen[-2]}
    return Backtest(
        origins=origins,
        window=window,
        forecasts=chosen,
        smooths=smooths,
        known=xp.where(smooths, fitted, starts > panel.first),
        error=abs(xp.where(smooths[:, None], misses[-1], naive_misses[-1])).mean(axis=1),
        naive_error=abs(naive_misses[-1]).mean(axis=1),
        evaluation=_evaluation(panel, models, origins[-2], window),
    )


def window_origins(panel: Panel, *, horizon: int, windows: int) -> tuple[tuple[int, ...], int]:
    """Where forecasts start, ending with the end of the panel, and how long a window is.

    A window is as long as the horizon, or shorter where the panel is too short for that. Origins
    are whole weeks apart where there is room, so that a step is the same weekday in all windows.
    """
    periods = panel.y.shape[1]
    window = min(horizon, periods // (windows + 1))
    if window == 0:
        message = (
            f"A panel of {periods} periods is too short to backtest {windows} windows: at least "
            f"{windows + 1} periods are needed. Wait for more, or take a finer freq."
        )
        raise PanelError(message)
    apart = -(-window // panel.cycle) * panel.cycle
    if periods - windows * apart < window:
        apart = window
    return tuple(periods - back * apart for back in range(windows, -1, -1)), window


def naive_scale(panel: Panel, origin: int) -> Array:
    """Mean absolute error of seasonal naive one season ahead, before `origin`, (series,).

    0 where a series is not older than a season.
    """
    xp, season = panel.backend.xp, panel.season
    total = xp.zeros(len(panel.ids))
    for time in range(season, origin):
        change = xp.abs(panel.y[:, time] - panel.y[:, time - season])
        total += xp.where(time - season >= panel.first, change, 0.0)
    return total / xp.maximum(origin - season - panel.first, 1)


def measure(actual: Array, forecast: Array, scale: Array) -> Metrics:
    """The metrics of one model: actual and forecast (series, periods), `naive_scale` (series,)."""
    error = forecast - actual
    sold = float(actual.sum())
    by_series = abs(error).mean(axis=1)
    scaled = by_series[scale > 0] / scale[scale > 0]
    return Metrics(
        mae=_ratio(float(by_series.sum()), len(by_series)),
        wape=_ratio(float(abs(error).sum()), sold),
        mase=_ratio(float(scaled.sum()), len(scaled)),
        bias=_ratio(float(error.sum()), sold),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _evaluation(
    panel: Panel, models: Mapping[str, Array], origin: int, window: int
) -> dict[str, Metrics]:
    alive = (panel.first < origin).nonzero()[0]
    actual = panel.y[alive, origin : origin + window]
    scale = naive_scale(panel, origin)[alive]
    return {name: measure(actual, made[alive, :window], scale) for name, made in models.items()}


def _window_misses(panel: Panel, forecasts: Array, origins: tuple[int, ...], window: int) -> Array:
    """Demand less its forecast, (windows, series, periods of a window)."""
    return panel.backend.xp.stack(
        [
            panel.y[:, at : at + window] - made[:, :window]
            for at, made in zip(origins[:-1], forecasts, strict=False)
        ]
    )
