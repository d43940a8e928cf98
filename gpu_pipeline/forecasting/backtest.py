"""Backtest: rolling origins, what every model would have said there, and how they are combined.

Weights are learnt from errors. Every error that is reported or that intervals are made of is one
of a window whose own errors had no part in the weights; those of the last window come from
earlier windows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_pipeline.backend import Array, Frame
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.candidates import NAIVE, candidates
from gpu_pipeline.forecasting.combination import combined, error_products, weights_of
from gpu_pipeline.forecasting.metrics import (
    Metrics,
    measure,
    naive_scale,
    recent_weights,
    squared_scale,
)
from gpu_pipeline.forecasting.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMBINATION", "WINDOWS", "Backtest", "backtest", "evaluation", "window_origins"]

WINDOWS = 4
COMBINATION = "combination"


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What was forecast at each origin, the last of which is the end of the panel.

    A window is the first `window` periods from an origin on; the last origin has none yet.
    `made` are the forecasts of each model, float32 (origins, series, horizon); `forecasts` those
    of their combination, which are the ones put out. `weights` (series, models) are how they are
    combined at the end, `choice` int64 (series,) the model with the most weight, as a place in
    `models`. `known` is bool (windows, series): whether the series had begun before a window.
    """

    origins: tuple[int, ...]
    window: int
    models: tuple[str, ...]
    made: Mapping[str, Array]
    forecasts: Array
    weights: Array
    known: Array

    @property
    def choice(self) -> Array:
        """The model with the most weight in each series' forecast, int64 (series,)."""
        return self.weights.argmax(axis=1)

    def errors(self, panel: Panel) -> tuple[Array, Array]:
        """Mean absolute errors in the last window, of the combination and of seasonal naive.

        Both float64 (series,), in units a period, over what was observed.
        """
        origin = self.origins[-2]
        window = slice(origin, origin + self.window)
        seen = panel.observed[:, window]
        count = panel.backend.xp.maximum(seen.sum(axis=1), 1)
        ours, naive = (
            (abs(panel.y[:, window] - made[-2, :, : self.window]) * seen).sum(axis=1) / count
            for made in (self.forecasts, self.made[NAIVE])
        )
        return ours.astype("float64"), naive.astype("float64")


def backtest(panel: Panel, *, horizon: int, windows: int = WINDOWS, seed: int = 0) -> Backtest:
    """Forecast by every model from `windows` earlier origins and from the end, and combine them.

    A model that can't speak of a series yet says what seasonal naive does, so that all are
    measured on the same demand. `seed` is what the random parts of models start from.

    Raises:
        PanelError: the panel is too short for so many windows of at least one period.
    """
    xp = panel.backend.xp
    origins, window = window_origins(panel, horizon=horizon, windows=windows)
    is_open = xp.stack([panel.open_steps(origin=at, steps=horizon) for at in origins])[:, None]
    made = candidates(panel, origins=origins, steps=horizon, seed=seed)
    for forecasts in made.values():
        forecasts *= is_open
        unsaid = xp.isnan(forecasts)
        forecasts[unsaid] = made[NAIVE][unsaid]
    products = error_products(panel, list(made.values()), origins[:-1], window)
    others = [
        weights_of(panel, [products[i] for i in range(windows) if i != left], tuple(made))
        for left in range(windows)
    ]
    weights = [*others, weights_of(panel, products, tuple(made))]
    return Backtest(
        origins=origins,
        window=window,
        models=tuple(made),
        made=made,
        forecasts=combined(list(made.values()), weights, xp),
        weights=weights[-1],
        known=xp.asarray(origins[:-1])[:, None] > panel.first,
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


def evaluation(panel: Panel, tested: Backtest, *, window: int = -1) -> dict[str, Metrics]:
    """The metrics of the combination and of every model over the series alive before a window.

    `window` counts as places in a sequence do: -1 is the last.
    """
    origin = tested.origins[:-1][window]
    alive = (panel.first < origin).nonzero()[0]
    steps = slice(origin, origin + tested.window)
    made = {**tested.made, COMBINATION: tested.forecasts}
    return {
        name: measure(
            panel.y[alive, steps],
            forecasts[:-1][window][alive, : tested.window],
            naive_scale(panel, origin)[alive],
            squared=squared_scale(panel, origin)[alive],
            weights=recent_weights(panel, origin)[alive],
            observed=panel.observed[alive, steps],
        )
        for name, forecasts in made.items()
    }
