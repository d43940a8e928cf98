"""Intervals: what the backtest's errors say about how wrong the forecasts may be."""

from collections.abc import Sequence
from math import ceil, floor
from statistics import NormalDist

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.backtest import Forecasts
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.past_errors import KINDS, PastErrors, stretched

__all__ = ["QUANTILES", "quantile_forecasts"]

QUANTILES = (0.1, 0.5, 0.9)
_ENOUGH = 30  # errors that quantiles should be taken from
_BEYOND = 2  # of them that should lie beyond the outermost quantile
_FEWEST = 9  # errors that say anything at all


def quantile_forecasts(
    panel: Panel, tested: Forecasts, *, quantiles: Sequence[float] = QUANTILES
) -> Array:
    """The quantiles of the forecasts made at the end, (quantiles, series, horizon).

    Each error of the backtest is divided by its scale (see `past_errors`). The quantiles of these,
    for each step over all windows and all series of a kind, times the scale now, are added to a
    series' forecast: so a series with little history has intervals too. Kinds with few errors
    borrow those of all; steps with few take those of the same weekday together, or else all. The
    quantiles are split conformal ones: rounded outward, as if one more error was known; beyond
    the outermost error the normal distribution goes on. Never below 0, never crossing, and 0 on a
    weekday without trade.

    Raises:
        ValueError: a quantile is not between 0 and 1.

    Source: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), Distribution-free predictive
    inference for regression, Journal of the American Statistical Association 113.
    """
    _check(quantiles)
    past, final = PastErrors.of(panel, tested), tested.forecasts[-1]
    outermost = min(min(level, 1 - level) for level in quantiles)
    enough = max(_ENOUGH, ceil(_BEYOND / outermost))
    made = panel.backend.xp.empty((len(quantiles), *final.shape), dtype=final.dtype)
    for kind in range(KINDS):
        here = (past.kinds_now == kind).nonzero()[0]
        if len(here) == 0:
            continue
        rows = past.alike(kind)
        rows = rows if len(rows[0]) >= enough else past.alike(None)
        errors, seen = _pooled(past, rows, cycle=panel.cycle, enough=enough)
        offsets = _conformal(errors, seen, quantiles)
        places = past.step % offsets.shape[1]
        made[:, here] = final[here] + past.scale[here] * offsets[:, None, places]
    return panel.backend.xp.maximum(made, 0)


def _pooled(
    past: PastErrors, rows: tuple[Array, Array], *, cycle: int, enough: int
) -> tuple[Array, Array]:
    """The errors and which there are, (errors, columns): steps, else weekdays, else one column."""
    windows, series = rows
    length = past.scaled.shape[2]
    for width in (length, min(cycle, length), 1):
        whole = length - length % width
        if len(windows) * (whole // width) >= enough:
            break
    errors = past.scaled[windows, series, :whole].reshape(-1, width)
    seen = past.seen[windows, series, :whole].reshape(-1, width)
    return stretched(errors, seen, windows.repeat(whole // width)), seen


def _conformal(errors: Array, seen: Array, levels: Sequence[float]) -> Array:
    """The quantiles of each column of errors (errors, columns), (levels, columns).

    A column of fewer than nine errors gets those of the standard normal distribution.
    """
    backend = Backend.of(errors)
    xp = backend.xp
    endless = xp.full((1, errors.shape[1]), xp.inf)  # so that there is one where none was seen
    ordered = xp.sort(xp.concatenate([xp.where(seen, errors, xp.inf), endless]), axis=0)
    counts = seen.sum(axis=0)
    deviation = xp.sqrt((xp.where(seen, errors, 0.0) ** 2).sum(axis=0) / xp.maximum(counts, 1))
    quantiles = xp.empty((len(levels), errors.shape[1]))
    for i, level in enumerate(levels):
        places = [_place(level, count) for count in backend.to_host(counts).tolist()]
        rank, further = xp.asarray(places).T
        known = ordered[rank.astype("int64"), xp.arange(len(places))] + deviation * further
        quantiles[i] = xp.where(counts < _FEWEST, _normal(level), known)
    return quantiles


def _place(level: float, count: int) -> tuple[int, float]:
    """Which of `count` errors in order the quantile is, from 0, and how many deviations beyond."""
    place = level * (count + 1)
    rank = floor(place) if level < 0.5 else ceil(place) if level > 0.5 else round(place)
    inside = max(1, min(rank, count))
    beyond = 0.0 if rank == inside else _normal(level) - _normal(inside / (max(count, 1) + 1))
    return inside - 1, beyond


def _normal(level: float) -> float:
    return NormalDist().inv_cdf(level)


def _check(quantiles: Sequence[float]) -> None:
    wrong = [level for level in quantiles if not 0 < level < 1]
    if wrong or not quantiles:
        found = ", ".join(map(str, wrong)) or "none"
        message = f"quantiles are to lie between 0 and 1, as 0.1 does, and one at least: {found}."
        raise ValueError(message)
