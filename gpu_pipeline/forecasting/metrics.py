"""Metrics: how far forecasts were off, in units, as shares of demand, and beside the naive.

Every function takes demand and its forecast as (series, periods). Cells that `observed` (bool,
the same shape) leaves out, as a day on which a product was out of stock, count nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.panel import Panel

__all__ = [
    "Metrics",
    "coverage",
    "measure",
    "naive_scale",
    "pinball",
    "recent_weights",
    "rmsse",
    "squared_scale",
    "wrmsse",
]

_RECENT_PERIODS = 28  # whose sales say what a series weighs, as in the M5 competition
_UNKNOWN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How far forecasts were off, over all series and periods of one window.

    `mae` is in units a period. `wape` is the sum of absolute errors over the sum of demand. `mase`
    is the mean over series of their mean absolute error over that of seasonal naive before the
    window (Hyndman & Koehler 2006); series for which that is 0 or unknown are left out. `bias` is
    what was forecast too much, over the sum of demand. `rmsse` is the mean over series, and
    `wrmsse` the mean by weight, of what the function `rmsse` says. `pinball` is in units a period,
    `coverage` the share of demand within the outermost quantiles. Not a number where nothing was
    sold or what it takes was not given.
    """

    mae: float
    wape: float
    mase: float
    bias: float
    rmsse: float = _UNKNOWN
    wrmsse: float = _UNKNOWN
    pinball: float = _UNKNOWN
    coverage: float = _UNKNOWN


def measure(
    actual: Array,
    forecast: Array,
    scale: Array,
    *,
    squared: Array | None = None,
    weights: Array | None = None,
    quantiles: Mapping[float, Array] | None = None,
    observed: Array | None = None,
) -> Metrics:
    """The metrics of one model: actual and forecast (series, periods), `naive_scale` (series,).

    `squared` is `squared_scale` (series,), `weights` any numbers from 0 up (series,), `quantiles`
    the forecasts (series, periods) by their level between 0 and 1.
    """
    seen = _mask(actual, observed)
    error = _errors(actual, forecast, observed)
    sold = float(actual[seen].sum(dtype="float64"))
    by_series, scored = _mean_by_series(abs(error), seen)
    scored &= scale > 0
    scaled = by_series[scored] / scale[scored]
    levels = sorted(quantiles or {})
    made = [(quantiles or {})[level] for level in levels]
    return Metrics(
        mae=_ratio(float(abs(error).sum()), int(seen.sum())),
        wape=_ratio(float(abs(error).sum()), sold),
        mase=_ratio(float(scaled.sum()), len(scaled)),
        bias=_ratio(float(error.sum()), sold),
        rmsse=_UNKNOWN
        if squared is None
        else wrmsse(actual, forecast, squared, squared > 0, observed=observed),
        wrmsse=_UNKNOWN
        if squared is None or weights is None
        else wrmsse(actual, forecast, squared, weights, observed=observed),
        pinball=pinball(actual, quantiles, observed=observed) if quantiles else _UNKNOWN,
        coverage=coverage(actual, made[0], made[-1], observed=observed) if made else _UNKNOWN,
    )


def rmsse(actual: Array, forecast: Array, scale: Array, *, observed: Array | None = None) -> Array:
    """Root mean squared scaled error of each series, (series,), without unit.

    `scale` is `squared_scale`: 1 is an error as large as from one period to the next before the
    window. Not a number where `scale` is 0 or nothing was observed.

    Source: Makridakis, Spiliotis & Assimakopoulos (2022), M5 accuracy competition: results,
    findings, and conclusions, International Journal of Forecasting 38, section 2.4.
    """
    xp = Backend.of(actual).xp
    squares = _errors(actual, forecast, observed) ** 2
    mean, scored = _mean_by_series(squares, _mask(actual, observed))
    scored &= scale > 0
    ratio = xp.sqrt(mean / xp.where(scored, scale, 1.0))
    return xp.where(scored, ratio, _UNKNOWN)


def wrmsse(
    actual: Array,
    forecast: Array,
    scale: Array,
    weights: Array,
    *,
    observed: Array | None = None,
) -> float:
    """Mean `rmsse` of the series by `weights` (series,), which need not add up to 1.

    Series without an rmsse are left out. Source: as for `rmsse`, section 2.4, whose weights are
    each series' share of revenue in the 28 days before; `recent_weights` gives such.
    """
    xp = Backend.of(actual).xp
    by_series = rmsse(actual, forecast, scale, observed=observed)
    scored = ~xp.isnan(by_series)
    return _ratio(float((by_series[scored] * weights[scored]).sum()), float(weights[scored].sum()))


def pinball(
    actual: Array, quantiles: Mapping[float, Array], *, observed: Array | None = None
) -> float:
    """Mean pinball loss over all levels, series and periods, in units a period.

    What was sold above a quantile costs its level, what was sold below it the rest to 1: the
    least is expected of the true quantiles, and for the median alone it is half of the `mae`.

    Source: Koenker & Bassett (1978), Regression quantiles, Econometrica 46.
    """
    xp, seen, total = Backend.of(actual).xp, _mask(actual, observed), 0.0
    for level, made in quantiles.items():
        error = _errors(actual, made, observed)
        total += float(xp.maximum(-level * error, (1 - level) * error).sum())
    return _ratio(total, len(quantiles) * int(seen.sum()))


def coverage(actual: Array, low: Array, high: Array, *, observed: Array | None = None) -> float:
    """Share of what was sold that lay between `low` and `high`, both included.

    Source: Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation,
    Journal of the American Statistical Association 102, section 6.
    """
    seen = _mask(actual, observed)
    inside = (low <= actual) & (actual <= high) & seen
    return _ratio(int(inside.sum()), int(seen.sum()))


def naive_scale(panel: Panel, origin: int) -> Array:
    """Mean absolute error of seasonal naive one season ahead, before `origin`, (series,).

    In units a period; 0 where a series is not older than a season. Source: Hyndman & Koehler
    (2006), Another look at measures of forecast accuracy, International Journal of Forecasting 22.
    """
    return _mean_change(panel, origin, apart=panel.season, power=1)


def squared_scale(panel: Panel, origin: int) -> Array:
    """Mean squared change from one period to the next, from the first sale to `origin`, (series,).

    In squared units; 0 where a series has not lived two periods. Source: as for `rmsse`.
    """
    return _mean_change(panel, origin, apart=1, power=2)


def recent_weights(panel: Panel, origin: int, *, price: Array | None = None) -> Array:
    """Each series' share of what was sold in the 28 periods before `origin`, (series,).

    Of revenue where `price` (series,) is given, else of units. They add up to 1, or are all 0
    where nothing was sold. Source: as for `rmsse`, section 2.4.
    """
    xp = panel.backend.xp
    recent = panel.y[:, max(0, origin - _RECENT_PERIODS) : origin]
    sold = xp.maximum(recent.sum(axis=1, dtype="float64"), 0.0)
    worth = sold if price is None else sold * price
    return worth / (worth.sum() or 1.0)


def _mean_change(panel: Panel, origin: int, *, apart: int, power: int) -> Array:
    """The mean of |y[t] - y[t - apart]| ** power over the life of each series, (series,)."""
    xp = panel.backend.xp
    total = xp.zeros(len(panel.ids))
    for time in range(apart, origin):
        change = xp.abs(panel.y[:, time] - panel.y[:, time - apart])
        total += xp.where(time - apart >= panel.first, change, 0.0) ** power
    return total / xp.maximum(origin - apart - panel.first, 1)


def _mask(actual: Array, observed: Array | None) -> Array:
    return Backend.of(actual).xp.ones(actual.shape, dtype=bool) if observed is None else observed


def _errors(actual: Array, forecast: Array, observed: Array | None) -> Array:
    """What was forecast too much, 0 where it was not observed."""
    xp = Backend.of(actual).xp
    error = xp.subtract(forecast, actual, dtype="float64")
    return error if observed is None else xp.where(observed, error, 0.0)


def _mean_by_series(values: Array, seen: Array) -> tuple[Array, Array]:
    """Means over the observed periods, and which series have any; both (series,)."""
    count = seen.sum(axis=1)
    return values.sum(axis=1) / Backend.of(values).xp.maximum(count, 1), count > 0


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else _UNKNOWN
