"""Intervals: what the backtest's errors say about how wrong the forecasts may be."""

from math import ceil, floor

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.backtest import Backtest
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["QUANTILES", "quantile_forecasts", "spread"]

QUANTILES = (0.1, 0.5, 0.9)
_NORMAL = (-1.2816, 0.0, 1.2816)  # the same of a normal distribution, for want of errors
_LOOK_BACK = 56  # periods that tell how a series is sold
_OFTEN = (0.05, 0.15, 0.35)  # shares of them with a sale, that part rare from frequent series
_KINDS = 2 * (len(_OFTEN) + 1) + 1  # the last are series too young to be told apart
_ENOUGH = 30  # errors that quantiles should be taken from
_FEWEST = 9  # errors with which a tenth and nine tenths are not beyond their ends


def quantile_forecasts(panel: Panel, tested: Backtest) -> Array:
    """p10, p50 and p90 of the forecasts made at the end, (3, series, horizon).

    Each error of the backtest is divided by its series' spread before that forecast was made. The
    quantiles of these, for each step over all windows and all series of a kind, times the spread
    of a series now, are added to its forecast: so a series with little history has intervals too.
    Alike are series of the same model that are sold about as often, and those less than a season
    old. Kinds with few errors borrow those of all; steps with few take those of the same weekday
    together, or else all. The quantiles are split conformal ones: rounded outward, as if one more
    error was known. Never below 0, never crossing, and 0 on a weekday without trade.

    Source: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), Distribution-free predictive
    inference for regression, Journal of the American Statistical Association 113.
    """
    xp, end = panel.backend.xp, panel.y.shape[1]
    final, horizon = tested.forecasts[-1], tested.forecasts.shape[2]
    errors, kinds = _scaled_errors(panel, tested)
    place = _step_of_window(panel, tested.window, horizon)
    scale = spread(panel, end)[:, None] * panel.open_steps(origin=end, steps=horizon)
    quantiles = xp.empty((len(QUANTILES), *final.shape))
    now = _kinds(panel, tested, end)
    for kind in range(_KINDS):
        here, alike = (now == kind).nonzero()[0], errors[kinds == kind]
        offsets = _offsets(alike if len(alike) >= _ENOUGH else errors, panel)[:, None, place]
        quantiles[:, here] = final[here] + scale[here] * offsets
    return xp.maximum(quantiles, 0.0)


def spread(panel: Panel, origin: int) -> Array:
    """Standard deviation of each series in its last periods before `origin`, (series,).

    A series younger than two seasons gets its mean times the ratio of the two that is usual.
    """
    xp = panel.backend.xp
    recent = _recent(panel, origin).astype("float64")
    age = origin - panel.first
    alive = xp.arange(origin - recent.shape[1], origin) >= panel.first[:, None]
    count = xp.maximum(alive.sum(axis=1), 1)
    mean = recent.sum(axis=1) / count
    own = xp.sqrt((xp.where(alive, recent - mean[:, None], 0.0) ** 2).sum(axis=1) / count)
    old = age >= min(2 * panel.season, _LOOK_BACK)
    known = old & (mean > 0)
    ratio = float(xp.median(own[known] / mean[known])) if bool(known.any()) else 1.0
    return xp.where(old, own, ratio * abs(mean))


def _recent(panel: Panel, origin: int) -> Array:
    return panel.y[:, max(0, origin - _LOOK_BACK) : origin]


def _kinds(panel: Panel, tested: Backtest, origin: int) -> Array:
    """Which series are alike: by model and by how often they were sold, int (series,)."""
    xp, age = panel.backend.xp, origin - panel.first
    recent = _recent(panel, origin)
    share = (recent != 0).sum(axis=1) / xp.clip(age, 1, recent.shape[1])
    often = sum((share >= edge).astype("int64") for edge in _OFTEN)
    young = age < panel.season
    return xp.where(young, _KINDS - 1, tested.smooths * (len(_OFTEN) + 1) + often)


def _scaled_errors(panel: Panel, tested: Backtest) -> tuple[Array, Array]:
    """Errors over spread, (errors, window), and their kinds: one for each series and window."""
    errors, kinds = [], []
    for i, origin in enumerate(tested.origins[:-1]):
        scale = spread(panel, origin)
        use = (tested.known[i] & (scale > 0)).nonzero()[0]
        actual = panel.y[use, origin : origin + tested.window]
        errors.append((actual - tested.forecasts[i, use, : tested.window]) / scale[use, None])
        kinds.append(_kinds(panel, tested, origin)[use])
    return panel.backend.xp.concatenate(errors), panel.backend.xp.concatenate(kinds)


def _step_of_window(panel: Panel, window: int, horizon: int) -> Array:
    """Whose errors each step takes: its own, beyond the window the last of the same weekday."""
    xp, cycle = panel.backend.xp, min(panel.cycle, window)
    step = xp.arange(horizon)
    beyond = window - cycle + (step - window) % cycle
    return xp.where(step < window, step, beyond)


def _offsets(errors: Array, panel: Panel) -> Array:
    """The quantiles of scaled errors (errors, window) for each step of a window, (3, window)."""
    xp, window = panel.backend.xp, errors.shape[1]
    for width in (window, min(panel.cycle, window), 1):
        pooled = errors[:, : window - window % width].reshape(-1, width)
        if len(pooled) >= _ENOUGH:
            break
    offsets = _conformal(pooled, panel) if len(pooled) >= _FEWEST else xp.asarray(_NORMAL)[:, None]
    return offsets[:, xp.arange(window) % offsets.shape[1]]


def _conformal(errors: Array, panel: Panel) -> Array:
    """The quantiles of each column, (3, columns)."""
    ordered, count = panel.backend.xp.sort(errors, axis=0), len(errors)
    low, middle, high = QUANTILES
    ranks = (floor(low * (count + 1)), round(middle * (count + 1)), ceil(high * (count + 1)))
    return ordered[[rank - 1 for rank in ranks]]
