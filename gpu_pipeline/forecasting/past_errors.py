"""Past errors: how far a backtest's forecasts were off, without unit, and which series are alike.

An error is divided by the scale of its forecast, which is known when the forecast is made: how
much the series varies, how large the forecast is, and how well this series was forecast in the
other windows. What is left is so much the same for alike series that they can learn from one
another: a product with three sales in a year has intervals that hold.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Self

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.panel import Panel

if TYPE_CHECKING:
    # Which learns its weights from the kinds that there are here.
    from gpu_pipeline.forecasting.backtest import Forecasts

__all__ = ["KINDS", "PastErrors", "kinds", "spread", "stretched"]

_LOOK_BACK = 56  # periods that tell how a series is sold
_KNOWN = 26  # periods after which they do, where two seasons are longer
_YOUNG = 13  # periods, less than which say little, where a season is longer
_OFTEN = (0.05, 0.15, 0.35, 0.7)  # shares of them with a sale, that part rare from frequent series
KINDS = len(_OFTEN) + 2  # the last are series too young to be told apart
# A forecast twice the mean is off by a factor of this power of two more: 0 for errors that are
# the same whatever is sold, 0.5 for counts, 1 for shares. Half had the least pinball loss on sets
# of gifts by day and by week, and of a grocer by day and by week.
_POWER = 0.5
_LIFE_LONG = 0.3  # of the spread over its life, that a series has at least: it may wake up again
_ADDED = 1.0  # of the mean, to a forecast: where it is for nothing that is not certain
_MOST_TIMES = 30.0  # the mean, that a forecast counts as at most
_OWN_WINDOWS = 2.0  # how many windows of its own a series must have to be half believed
_BLOCK_BYTES = 2**26  # that a copy of the series' values may take at a time
_MOST = 5.0  # scales that an error counts as at most where one series is compared with others


@dataclass(frozen=True, kw_only=True)
class PastErrors:
    """Demand less its forecast, over scale, and the scales of the forecasts made at the end.

    `scaled`, float32, `squares` and `seen`, bool, are (windows, series, window): the errors, the
    squared scales that they were divided by, and which of them there are. `kinds` (windows,
    series) says who was alike then, `kinds_now` (series,) who is at the end. `scale` (series,
    horizon) is that of the forecasts made at the end, 0 on weekdays without trade. `step`
    (horizon,) says whose errors each step takes: its own, beyond the window those of the last
    step of its weekday.
    """

    scaled: Array
    squares: Array
    seen: Array
    kinds: Array
    kinds_now: Array
    scale: Array
    step: Array

    @classmethod
    def of(cls, panel: Panel, tested: "Forecasts") -> Self:
        """The errors of every window of the backtest."""
        xp, end, window = panel.backend.xp, panel.y.shape[1], tested.window
        horizon, starts = tested.forecasts.shape[2], tested.origins[:-1]
        scale = xp.stack(
            [
                _scale(panel, origin, made[:, :window])
                for origin, made in zip(starts, tested.forecasts, strict=False)
            ]
        )
        actual = xp.stack([panel.y[:, at : at + window] for at in starts])
        observed = xp.stack([panel.observed[:, at : at + window] for at in starts])
        seen = tested.known[:, :, None] & (scale > 0) & observed
        errors = actual - tested.forecasts[:-1, :, :window]
        scaled = xp.where(seen, errors / xp.where(seen, scale, 1.0), 0.0).astype("float32")
        then = xp.stack([kinds(panel, at) for at in starts])
        own, own_now = _own_factors(scaled, seen, then, xp)
        return cls(
            scaled=scaled / own[:, :, None].astype("float32"),
            squares=(scale * own[:, :, None]) ** 2,
            seen=seen,
            kinds=then,
            kinds_now=kinds(panel, end),
            scale=_scale(panel, end, tested.forecasts[-1]) * own_now[:, None],
            step=_step_of_window(panel, window, horizon),
        )

    def alike(self, kind: int | None) -> tuple[Array, Array]:
        """The windows and the series that errors of a kind are of; of every kind for None."""
        usable: Array = self.seen.max(axis=2)
        if kind is not None:
            usable[self.kinds != kind] = False
        windows, series = usable.nonzero()
        return windows, series


def stretched(errors: Array, seen: Array, windows: Array) -> Array:
    """The errors (errors, columns) with the means of their `windows` (errors,) moved apart.

    What alike series were off by together in a window is one observation, however many series
    there are. The variance of n such means about their own mean is (n - 1) / n of what it is in
    truth, and what a next one is off by has (n + 1) / n of that: so their distances are stretched
    by the root of (n + 1) / (n - 1). With a single window nothing is known and nothing done.
    """
    xp = Backend.of(errors).xp
    if not len(windows):
        return errors
    _, group = xp.unique(windows, return_inverse=True)
    groups = range(int(group.max()) + 1)
    count = xp.stack([seen[group == one].sum(axis=0) for one in groups])
    total = xp.stack([xp.where(seen, errors, 0.0)[group == one].sum(axis=0) for one in groups])
    means, known = total / xp.maximum(count, 1), count > 0
    number = known.sum(axis=0)
    middle = (means * known).sum(axis=0) / xp.maximum(number, 1)
    further = xp.sqrt((number + 1) / xp.maximum(number - 1, 1)) - 1
    return errors + ((means - middle) * known * further * (number > 1))[group]


def spread(panel: Panel, origin: int) -> Array:
    """How much each series varied in its last periods before `origin`, (series,), in its unit.

    The standard deviation about the mean of each weekday, or about the mean where a period is a
    week; at least three tenths of that of its whole life. A series younger than two seasons (of
    weeks: than 26) gets its mean times the ratio of the two that is usual.
    """
    xp, age = panel.backend.xp, origin - panel.first
    own, mean = xp.zeros((2, len(panel.ids)))
    for rows in panel.blocks(bytes_per_series=40 * max(origin, 1), budget_bytes=_BLOCK_BYTES):
        life_long, _ = _about_weekdays(panel, rows, 0, origin)
        lately, mean[rows] = _about_weekdays(panel, rows, max(0, origin - _LOOK_BACK), origin)
        own[rows] = xp.maximum(lately, _LIFE_LONG * life_long)
    old = age >= min(2 * panel.season, _KNOWN)
    known = old & (mean > 0)
    ratio = float(xp.median(own[known] / mean[known])) if bool(known.any()) else 1.0
    return xp.where(old, own, ratio * abs(mean))


def kinds(panel: Panel, origin: int) -> Array:
    """Which series are alike at `origin`: by how often they were sold in their life, int (series,).

    From 0, the rarest, to `KINDS` - 1, those less than a season old (of weeks: than 13).
    """
    xp, age = panel.backend.xp, origin - panel.first
    recent = _recent(panel, origin)
    share = (recent != 0).sum(axis=1) / xp.clip(age, 1, recent.shape[1])
    often = sum((share >= edge).astype("int64") for edge in _OFTEN)
    return xp.where(age < min(panel.season, _YOUNG), KINDS - 1, often)


def _about_weekdays(panel: Panel, rows: slice, begin: int, end: int) -> tuple[Array, Array]:
    """The standard deviation about the mean of each weekday, and the mean, both (series,)."""
    xp, cycle = panel.backend.xp, panel.cycle
    missing = -(end - begin) % cycle  # periods before the first, to make whole weeks
    periods = xp.arange(begin - missing, end)
    alive = (periods >= panel.first[rows, None]) & (periods >= begin)
    padded = xp.pad(panel.y[rows, begin:end].astype("float64"), ((0, 0), (missing, 0)))
    values = (padded * alive).reshape(len(padded), -1, cycle)
    alive = alive.reshape(values.shape)
    by_weekday = alive.sum(axis=1)
    usual = values.sum(axis=1) / xp.maximum(by_weekday, 1)
    squares = (((values - usual[:, None]) * alive) ** 2).sum(axis=(1, 2))
    count = by_weekday.sum(axis=1)
    deviation = xp.sqrt(squares / xp.maximum(count - (cycle if cycle > 1 else 0), 1))
    return deviation, values.sum(axis=(1, 2)) / xp.maximum(count, 1)


def _recent(panel: Panel, origin: int) -> Array:
    return panel.y[:, max(0, origin - _LOOK_BACK) : origin].astype("float64")


def _scale(panel: Panel, origin: int, made: Array) -> Array:
    """What an error of each forecast (series, steps) made at `origin` is to be measured by.

    0 on weekdays without trade.
    """
    xp, recent, steps = panel.backend.xp, _recent(panel, origin), made.shape[1]
    age = xp.clip(origin - panel.first, 1, recent.shape[1])
    mean = abs(recent.sum(axis=1) / age)[:, None]
    usual = xp.where(mean > 0, mean, 1.0)
    relative = (xp.clip(made, 0, _MOST_TIMES * usual) + _ADDED * usual) / ((1 + _ADDED) * usual)
    size = xp.where(mean > 0, relative, 1.0) ** _POWER
    return spread(panel, origin)[:, None] * size * panel.open_steps(origin=origin, steps=steps)


def _own_factors(scaled: Array, seen: Array, then: Array, xp: ModuleType) -> tuple[Array, Array]:
    """How much worse each series is forecast than those alike, (windows, series) and (series,).

    The root of its mean squared error over theirs, drawn towards 1: for a window from the other
    windows only, for the forecasts made at the end from all.
    """
    count = seen.sum(axis=2)
    squares = (xp.minimum(abs(scaled), _MOST) ** 2).sum(axis=2)
    relative = xp.zeros(count.shape)
    for kind in range(KINDS):
        alike = (then == kind) & (count > 0)
        usual = float(squares[alike].sum()) / max(int(count[alike].sum()), 1)
        if usual > 0:
            relative[alike] = squares[alike] / count[alike] / usual
    known = (count > 0).astype("float64")
    total, windows = relative.sum(axis=0), known.sum(axis=0)
    others = (_OWN_WINDOWS + total - relative) / (_OWN_WINDOWS + windows - known)
    return xp.sqrt(others), xp.sqrt((_OWN_WINDOWS + total) / (_OWN_WINDOWS + windows))


def _step_of_window(panel: Panel, window: int, horizon: int) -> Array:
    xp, cycle = panel.backend.xp, min(panel.cycle, window)
    step = xp.arange(horizon)
    beyond = window - cycle + (step - window) % cycle
    return xp.where(step < window, step, beyond)
