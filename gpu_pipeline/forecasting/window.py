"""Window average: what a series sold of late, spread over the week as all series together."""

from collections.abc import Sequence

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["MINIMUM_AGE", "cycle_profile", "window_average"]

MINIMUM_AGE = 14  # periods that a series must have lived through
# Six to ten said about as much of the next four weeks of real and made shops, four mostly less.
_LEVEL_CYCLES = 8
_PROFILE_CYCLES = 52


def window_average(panel: Panel, *, origins: Sequence[int], steps: int) -> Array:
    """The forecasts made at each origin, float32 (origins, series, steps), never negative.

    The mean of the last eight weeks times the weekday's share in what all series sold: one product
    sells too little to tell its own weekdays apart, the shop does not. Of weekly data the mean
    alone. Not a number for a series that at an origin is younger than `MINIMUM_AGE`, or of which
    nothing was observed in those weeks.
    """
    xp, cycle = panel.backend.xp, panel.cycle
    made = xp.empty((len(origins), len(panel.ids), steps), dtype="float32")
    total, is_open = panel.y.sum(axis=0, dtype="float64"), panel.open_periods()
    for i, origin in enumerate(origins):
        profile = cycle_profile(total[:origin], is_open[:origin], panel)
        recent = slice(max(0, origin - _LEVEL_CYCLES * cycle), origin)
        teaches = panel.observed[:, recent] & is_open[recent]
        usual = (teaches * profile[xp.arange(recent.start, origin) % cycle]).sum(axis=1)
        sold = (panel.y[:, recent] * teaches).sum(axis=1, dtype="float64")
        speaks = (origin - panel.first >= MINIMUM_AGE) & (usual > 0)
        level = xp.where(speaks, xp.maximum(sold, 0.0) / xp.where(speaks, usual, 1.0), xp.nan)
        made[i] = level[:, None] * profile[(origin + xp.arange(steps)) % cycle]
    return made


def cycle_profile(total: Array, is_open: Array, panel: Panel) -> Array:
    """How much more is sold in each period of a cycle than on average, (cycle,), mean 1.

    From what all series sold in each period, `total`, over the last year of those with trade;
    phases count from period 0. A phase without trade has 0 and does not count towards the mean.
    """
    xp, cycle = panel.backend.xp, panel.cycle
    begin = max(0, len(total) - _PROFILE_CYCLES * cycle)
    phases = xp.arange(begin, len(total)) % cycle
    is_phase = (phases == xp.arange(cycle)[:, None]) & is_open[begin:]
    mean = (is_phase * total[begin:]).sum(axis=1) / xp.maximum(is_phase.sum(axis=1), 1)
    usual = xp.maximum(mean, 0.0)
    sold = (usual > 0).sum()
    return xp.where(sold > 0, usual * sold / xp.maximum(usual.sum(), 1e-30), 1.0)
