"""Candidates: the models that a backtest lets speak, and what each says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.dynamic_regression import fit_dynamic_regression
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.regression import learn
from gpu_pipeline.forecasting.smoothing import exponential_smoothing
from gpu_pipeline.forecasting.theta import theta

__all__ = ["NAIVE", "Candidates"]

NAIVE = "seasonal_naive"


class _Learnt(Protocol):
    """What was learnt at an origin, and forecasts from there on with what is known ahead."""

    def forecasts(self, panel: Panel) -> Mapping[str, Array]: ...


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What the models say at past origins, and all they need to speak at the end.

    `past` holds by model float32 (origins, series, steps), and so does `final`, without the
    origins, for those models that look at nothing known ahead; `learnt` are the others.
    """

    past: Mapping[str, Array]
    final: Mapping[str, Array]
    learnt: Sequence[_Learnt]

    @classmethod
    def of(cls, panel: Panel, *, origins: Sequence[int], steps: int, seed: int) -> Self:
        """Every model at the `origins`, the last of which is the end of the panel.

        A model that can't speak of a series yet says what seasonal naive does. Nothing is sold on
        weekdays without trade.
        """
        xp = panel.backend.xp
        alone = {
            NAIVE: seasonal_naive(panel, origins=origins, steps=steps),
            "exponential_smoothing": exponential_smoothing(panel, origins=origins, steps=steps),
            "theta": theta(panel, origins=origins, steps=steps),
        }
        said: dict[str, list[Array]] = {name: list(made[:-1]) for name, made in alone.items()}
        for origin in origins[:-1]:
            for model in _learnt(panel, origin=origin, steps=steps, seed=seed):
                for name, forecasts in model.forecasts(panel).items():
                    said.setdefault(name, []).append(forecasts)
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
            learnt=_learnt(panel, origin=origins[-1], steps=steps, seed=seed),
        )

    def at_the_end(self, panel: Panel) -> dict[str, Array]:
        """By model the forecasts after the last period, float32 (series, steps).

        `panel` is the one that was given, with what is known of the steps ahead.
        """
        made = dict(self.final)
        for model in self.learnt:
            made |= model.forecasts(panel)
        end = panel.y.shape[1]
        return {
            name: _settled(panel, forecasts, made[NAIVE], origin=end)
            for name, forecasts in made.items()
        }


def _learnt(panel: Panel, *, origin: int, steps: int, seed: int) -> list[_Learnt]:
    return [
        fit_dynamic_regression(panel, origin=origin, steps=steps),
        learn(panel, origin=origin, steps=steps, seed=seed),
    ]


def _settled(panel: Panel, forecasts: Array, naive: Array, *, origin: int) -> Array:
    xp = panel.backend.xp
    said = xp.where(xp.isnan(forecasts), naive, forecasts)
    return said * panel.open_steps(origin=origin, steps=said.shape[1])
