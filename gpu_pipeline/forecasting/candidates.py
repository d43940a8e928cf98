"""Candidates: the models that a backtest lets speak, and what each says."""

from collections.abc import Sequence

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.naive import seasonal_naive
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.smoothing import exponential_smoothing
from gpu_pipeline.forecasting.theta import theta

__all__ = ["NAIVE", "candidates"]

NAIVE = "seasonal_naive"


def candidates(
    panel: Panel, *, origins: Sequence[int], steps: int, seed: int
) -> dict[str, Array]:
    """What each model forecasts at the origins, by its name: float32 (origins, series, steps).

    Not a number where a model can't speak of a series yet; seasonal naive always can.
    """
    xp = panel.backend.xp
    naive = xp.stack([seasonal_naive(panel, origin=at, steps=steps) for at in origins])
    return {
        NAIVE: naive.astype("float32"),
        "exponential_smoothing": exponential_smoothing(panel, origins=origins, steps=steps),
        "theta": theta(panel, origins=origins, steps=steps),
    }
