"""Backtest: rolling origins, what every model would have said there, and how they are combined.

Weights are learnt from errors. Every error that is reported or that intervals are made of is one
of a window whose own errors had no part in the weights; those of the last window come from
earlier windows alone. Only whether a combination is used at all is asked of all windows.
"""

from dataclasses import dataclass

from gpu_pipeline.backend import Array
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.candidates import NAIVE, Candidates
from gpu_pipeline.forecasting.combination import beats, combined, error_products, weights_of
from gpu_pipeline.forecasting.metrics import (
    Metrics,
    measure,
    naive_scale,
    recent_weights,
    squared_scale,
)
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["COMBINATION", "WINDOWS", "Backtest", "Forecasts", "backtest", "window_origins"]

WINDOWS = 4
COMBINATION = "combination"


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """What was forecast at each origin, the last of which is the end of the panel.

    A window is the first `window` periods from an origin on; the last origin has none yet.
    `forecasts` are float32 (origins, series, horizon). `known` is bool (windows, series): whether
    the series had begun before a window.
    """

    origins: tuple[int, ...]
    window: int
    forecasts: Array
    known: Array


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What every model forecast in past windows, and how their forecasts are combined.

    Windows start at all `origins` but the last, which is the end of the panel, and are the first
    `window` periods from there. `candidates.past` are the forecasts of each model, float32
    (windows, series, horizon); `forecasts` those of their combination, each by weights that other
    windows taught. `weights` float32 (series, models) are those for what comes after the end.
    """

    panel: Panel
    origins: tuple[int, ...]
    window: int
    candidates: Candidates
    forecasts: Array
    weights: Array

    @property
    def models(self) -> tuple[str, ...]:
        """The models by name, in the order of the weights."""
        return tuple(self.candidates.past)

    @property
    def choice(self) -> Array:
        """The model with the most weight in each series' forecast, int64 (series,)."""
        return self.weights.argmax(axis=1)

    def finished(self, panel: Panel) -> Forecasts:
        """The combination's forecasts, those after the end too.

        `panel` is the one that was backtested, with what is known of the steps ahead.
        """
        xp = panel.backend.xp
        made = self.candidates.at_the_end(panel)
        final = combined([made[name][None] for name in self.models], [self.weights], xp)
        return Forecasts(
            origins=self.origins,
            window=self.window,
            forecasts=xp.concatenate([self.forecasts, final]),
            known=xp.asarray(self.origins[:-1])[:, None] > panel.first,
        )

    def errors(self) -> tuple[Array, Array]:
        """Mean absolute errors in the last window, of the combination and of seasonal naive.

        Both float64 (series,), in units a period, over what was observed.
        """
        panel, origin = self.panel, self.origins[-2]
        window = slice(origin, origin + self.window)
        seen = panel.observed[:, window]
        count = panel.backend.xp.maximum(seen.sum(axis=1), 1)
        ours, naive = (
            (abs(panel.y[:, window] - made[-1, :, : self.window]) * seen).sum(axis=1) / count
            for made in (self.forecasts, self.candidates.past[NAIVE])
        )
        return ours.astype("float64"), naive.astype("float64")

    def evaluation(self, window: int = -1) -> dict[str, Metrics]:
        """The metrics of the combination and of every model over the series alive before a window.

        `window` counts as places in a sequence do: -1 is the last.
        """
        panel, origin = self.panel, self.origins[:-1][window]
        alive = (panel.first < origin).nonzero()[0]
        steps = slice(origin, origin + self.window)
        made = {**self.candidates.past, COMBINATION: self.forecasts}
        scale = naive_scale(panel, origin)[alive]
        squared = squared_scale(panel, origin)[alive]
        weights = recent_weights(panel, origin)[alive]
        return {
            name: measure(
                panel.y[alive, steps],
                forecasts[window][alive, : self.window],
                scale,
                squared=squared,
                weights=weights,
                observed=panel.observed[alive, steps],
            )
            for name, forecasts in made.items()
        }


def backtest(
    panel: Panel,
    *,
    horizon: int,
    windows: int = WINDOWS,
    seed: int = 0,
    regress: bool = True,
) -> Backtest:
    """Let every model forecast from `windows` earlier origins, and combine them.

    A combination that over all windows is no better than seasonal naive is none: all weight is then
    the latter's.

    `seed` is what the random parts of models start from. Without `regress` models see one series
    at a time.

    Raises:
        PanelError: the panel is too short for so many windows of at least one period.
    """
    xp = panel.backend.xp
    origins, window = window_origins(panel, horizon=horizon, windows=windows)
    candidates = Candidates.of(panel, origins=origins, steps=horizon, seed=seed, regress=regress)
    made, names = list(candidates.past.values()), tuple(candidates.past)
    products = error_products(panel, made, origins[:-1], window)
    others = [
        weights_of(
            panel, [products[i] for i in range(windows) if i != left], names, origin=origins[left]
        )
        for left in range(windows)
    ]
    weights = weights_of(panel, products, names, origin=origins[-1])
    if not beats(products, others, names.index(NAIVE)):
        weights = xp.zeros_like(weights)
        weights[:, names.index(NAIVE)] = 1
        others = [weights] * windows
    return Backtest(
        panel=panel,
        origins=origins,
        window=window,
        candidates=candidates,
        forecasts=combined(made, others, xp),
        weights=weights,
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
