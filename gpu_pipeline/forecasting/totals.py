"""Totals: how far the sums of forecasts may be off, over periods and over series.

Errors of one series go together in time (a level that was wrong stays wrong for weeks) and those
of many series go together at a time. Neither can be seen in the intervals of single periods: so
the errors of whole windows are kept in one piece.
"""

from types import ModuleType

import numpy as np

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.backtest import Forecasts
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.past_errors import KINDS, PastErrors, stretched

__all__ = ["sample_paths", "total_spread"]

_ENOUGH = 30  # windows of series that a kind should be judged by
_NEAREST = 10  # series on either side, that lend one their errors
_MOST = 50.0  # scales that an error counts as at most: beyond it says more of a tiny scale


def total_spread(panel: Panel, tested: Forecasts) -> Array:
    """The standard deviation of the error of the sum of the first h periods, (series, horizon).

    What a reorder plan needs: how far demand over a lead time of h periods may be from what was
    forecast for it, in the series' unit. If errors of periods had nothing to do with one another,
    it would be the root of the sum of squared scales. How often it was that in the backtest is
    learnt, for each h, from alike series; beyond the windows that grows on as it did within.
    Errors that all alike series share in a window count as one observation (see `past_errors`).
    """
    xp, past = panel.backend.xp, PastErrors.of(panel, tested)
    errors, horizon = _moved_apart(past), past.scale.shape[1]
    independent = xp.cumsum(past.scale.astype("float64") ** 2, axis=1)
    spread = xp.zeros(independent.shape)
    for kind in range(KINDS):
        here = (past.kinds_now == kind).nonzero()[0]
        if len(here) == 0:
            continue
        rows = past.alike(kind)
        rows = rows if len(rows[0]) >= _ENOUGH else past.alike(None)
        spread[here] = xp.sqrt(independent[here] * _growth(past, errors, rows, horizon))
    return spread


def sample_paths(panel: Panel, tested: Forecasts, n: int, seed: int) -> Array:
    """`n` ways the periods after the last may go, float32 (n, series, horizon), never negative.

    Each way takes the errors of one window of the backtest for all series, so what they have in
    common, up or down, they have in every sample, and sums over series are as unsure as they
    should be. Which series lends a series its errors is drawn anew, of those that were as rarely
    sold beside their spread: in one piece, so that sums over periods are right too. All windows
    are drawn equally often; the same seed draws the same on every device. Sums of samples
    (`Hierarchy.sums`) are samples of the sums.

    Raises:
        ValueError: `n` is less than 1.
    """
    if n < 1:
        message = f"n is {n}: give the number of samples, at least 1."
        raise ValueError(message)
    xp, final = panel.backend.xp, tested.forecasts[-1]
    past, rng = PastErrors.of(panel, tested), np.random.default_rng(seed)
    errors, levels = _centred(past, _moved_apart(past)), _levels(past, tested, xp)
    windows = panel.backend.to_host(past.seen.max(axis=(1, 2)).nonzero()[0]).tolist()
    level_now = final.sum(axis=1) / _not_zero(past.scale.sum(axis=1), xp)
    paths = xp.empty((n, *final.shape), dtype="float32")
    for i, turn in enumerate(rng.permutation(n).tolist()):
        if windows:
            window = windows[turn % len(windows)]
            seen = past.seen[window].max(axis=1).nonzero()[0]
            nearby = _near(levels[window, seen], level_now, rng, xp)
            lent = errors[window, seen[nearby]][:, past.step]
        else:
            lent = xp.asarray(rng.standard_normal(final.shape))
        paths[i] = xp.maximum(final + past.scale * lent, 0)
    return paths


def _moved_apart(past: PastErrors) -> Array:
    """The scaled errors with the means of windows moved apart, kind by kind; 0 where unseen."""
    xp, errors = Backend.of(past.scaled).xp, past.scaled.copy()
    for kind in range(KINDS):
        rows = past.alike(kind)
        errors[rows] = stretched(errors[rows], past.seen[rows], rows[0])
    return xp.where(past.seen, xp.clip(errors, -_MOST, _MOST), 0.0)


def _centred(past: PastErrors, errors: Array) -> Array:
    """The errors less their mean over a kind: samples lie about the forecasts."""
    for kind in range(KINDS):
        rows = past.alike(kind)
        seen = past.seen[rows]
        errors[rows] -= seen * (errors[rows].sum() / max(int(seen.sum()), 1))
    return errors


def _growth(past: PastErrors, errors: Array, rows: tuple[Array, Array], horizon: int) -> Array:
    """Squared errors of sums over those of independent errors, for sums of each length, (horizon,).

    1 where nothing is known.
    """
    xp = Backend.of(errors).xp
    squares = xp.where(past.seen[rows], past.squares[rows], 0.0)
    missed = xp.cumsum(errors[rows] * xp.sqrt(squares), axis=1)
    independent = xp.cumsum(squares, axis=1)
    known = independent > 0
    ratio = xp.where(known, missed**2 / xp.where(known, independent, 1.0), 0.0)
    growth = xp.where(known.any(axis=0), ratio.sum(axis=0) / xp.maximum(known.sum(axis=0), 1), 1.0)
    length = xp.arange(1, horizon + 1)
    window = errors.shape[2]
    a_period = xp.maximum(growth[-1] - growth[0], 0) / max(window - 1, 1)
    further = growth[-1] + a_period * (length - window)
    return xp.where(length <= window, growth[xp.minimum(length, window) - 1], further)


def _levels(past: PastErrors, tested: Forecasts, xp: ModuleType) -> Array:
    """Forecasts over their scales, (windows, series): small for what is rarely sold."""
    scale = xp.sqrt(past.squares).sum(axis=2)
    return tested.forecasts[:-1, :, : tested.window].sum(axis=2) / _not_zero(scale, xp)


def _near(levels: Array, wanted: Array, rng: np.random.Generator, xp: ModuleType) -> Array:
    """For each of `wanted` (series,) the place of a level near it, drawn from the nearest few."""
    order = xp.argsort(levels)
    middle = xp.searchsorted(levels[order], wanted)
    moved = middle + xp.asarray(rng.integers(-_NEAREST, _NEAREST, size=len(wanted)))
    # Beyond an end it turns back, so that the outermost is not drawn more than others.
    last = len(levels) - 1
    moved = xp.where(moved < 0, -1 - moved, xp.where(moved > last, 2 * last + 1 - moved, moved))
    return order[xp.clip(moved, 0, last)]


def _not_zero(values: Array, xp: ModuleType) -> Array:
    return xp.where(values > 0, values, 1.0)
