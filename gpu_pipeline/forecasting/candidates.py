"""Candidates: the models that a backtest lets speak, and what each says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.dynamic_regression import (
    DynamicRegression,
    fit_dynamic_regression,
)
from gpu_pipeline.forecasting.intermittent import intermittent
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.regression import Regression, learn
from gpu_pipeline.forecasting.smoothing import exponential_smoothing
from gpu_pipeline.forecasting.theta import theta
from gpu_pipeline.forecasting.window import window_average

__all__ = ["NAIVE", "Candidates"]

NAIVE = "seasonal_naive"
DYNAMIC = "dynamic_regression"


class _Model(Protocol):
    """Forecasts of each series from what it was, at several origins."""

    def __call__(self, panel: Panel, *, origins: Sequence[int], steps: int) -> Array: ...


_ALONE: Mapping[str, _Model] = {
    NAIVE: seasonal_naive,
    "window_average": window_average,
    "exponential_smoothing": exponential_smoothing,
    "theta": theta,
    "intermittent": intermittent,
}


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What the models say at past origins, and all they need to speak at the end.

    `past` holds by model float32 (origins, series, steps), and so does `final`, without the
    origins, for those models that look at nothing known ahead; `dynamic` and
    `regression` are the others.
    """

    past: Mapping[str, Array]
    final: Mapping[str, Array]
    dynamic: DynamicRegression
    regression: Regression | None

    @classmethod
    def of(
        cls, panel: Panel, *, origins: Sequence[int], steps: int, seed: int, regress: bool
    ) -> Self:
        """Every model at the `origins`, the last of which is the end of the panel.

        A model that can't speak of a series yet says what seasonal naive does. Nothing is sold on
        weekdays without trade. Global regressors are only there to `regress`, and where there is
        enough to learn from before the first origin.
        """
        xp, panel = panel.backend.xp, _reaching(panel, origins[-2] + steps)
        alone = {name: model(panel, origins=origins, steps=steps) for name, model in _ALONE.items()}
        said: dict[str, list[Array]] = {name: list(made[:-1]) for name, made in alone.items()}
        # Regressors take long to fit, and weeks later say much the same of newer demand.
        early = learn(panel, origin=origins[0], steps=steps, seed=seed) if regress else None
        early = early if early is not None and any(early.fitted) else None
        for origin in origins[:-1]:
            dynamic = fit_dynamic_regression(panel, origin=origin, steps=steps)
            made = {DYNAMIC: dynamic.forecasts(panel)}
            if early is not None:
                made |= early.forecasts(panel, origin=origin)
            for name, forecasts in made.items():
                said.setdefault(name, []).append(forecasts)
        late = learn(panel, origin=origins[-1], steps=steps, seed=seed) if early else None
        return cls(
            past={
                name: xp.stack(
                    [
                        _settled(panel, forecasts, said[NAIVE][i], origin=at)
                        for i, (at, forecasts) in enumerate(zip(origins, made, strict=False))
                    ]
                )
                for name, made in said.items()
            },
            final={name: made[-1] for name, made in alone.items()},
            dynamic=fit_dynamic_regression(panel, origin=origins[-1], steps=steps),
            regression=late,
        )

    def at_the_end(self, panel: Panel) -> dict[str, Array]:
        """By model the forecasts after the last period, float32 (series, steps).

        `panel` is the one that was given, with what is known of the steps ahead.
        """
        end = panel.y.shape[1]
        made = {**self.final, DYNAMIC: self.dynamic.forecasts(panel)}
        if self.regression is not None:
            made |= self.regression.forecasts(panel, origin=end)
        return {
            name: _settled(panel, forecasts, made[NAIVE], origin=end)
            for name, forecasts in made.items()
        }


def _reaching(panel: Panel, periods: int) -> Panel:
    """The panel with so many periods known ahead, those beyond its end as the last one was.

    Only steps beyond a window that is shorter than the horizon need them, which nothing judges.
    """
    missing, xp = periods - panel.known.periods, panel.backend.xp
    if not panel.known.names or missing <= 0:
        return panel
    values = tuple(xp.pad(one, ((0, 0), (0, missing)), mode="edge") for one in panel.known.values)
    return replace(panel, known=replace(panel.known, values=values))


def _settled(panel: Panel, forecasts: Array, naive: Array, *, origin: int) -> Array:
    xp = panel.backend.xp
    said = xp.where(xp.isnan(forecasts), naive, forecasts)
    return said * panel.open_steps(origin=origin, steps=said.shape[1])
