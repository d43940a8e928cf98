"""DemandForecaster: fit on a long frame, get a frame of forecasts with intervals."""

from dataclasses import asdict
from typing import Self

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.errors import NotFitted
from gpu_pipeline.forecasting.backtest import Backtest, backtest
from gpu_pipeline.forecasting.intervals import QUANTILES, quantile_forecasts
from gpu_pipeline.forecasting.panel import FREQUENCIES, Freq, Panel

__all__ = ["DemandForecaster"]


class DemandForecaster:
    """Forecasts of many series at once, each by the model that its backtest chose.

    `horizon` is how many periods to forecast, `freq` whether they are days or weeks. Without a
    `backend` the device is the one that the fitted frame lies on.

    `models_` says for each series (`unique_id`) which `model` was chosen, its mean absolute `error`
    in the last backtest window and that of seasonal naive, `naive_error`. `evaluation_` has one
    row a model with its `mae`, `wape`, `mase` and `bias` over all series in that window.

    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=70, unit="us")
    >>> sold = [5 if day.weekday() < 5 else 0 for day in days]
    >>> panel = pd.DataFrame({"unique_id": "phone", "ds": days, "y": sold})
    >>> forecast = DemandForecaster(horizon=7).fit(panel).predict()
    >>> forecast["mean"].round(2).tolist()
    [5.0, 5.0, 0.0, 0.0, 5.0, 5.0, 5.0]
    """

    def __init__(self, *, horizon: int, freq: Freq = "D", backend: Backend | None = None) -> None:
        self.horizon = horizon
        self.freq = freq
        self.backend = backend

    def fit(self, panel: "Frame | Panel") -> Self:
        """Learn from a frame `unique_id, ds, y`, as `Panel.from_frame` describes it, or a Panel.

        Raises:
            PanelError: the frame is not such a panel, with every fault found, or is too short.
            ValueError: the horizon or the frequency is not one that there is.
        """
        self._check()
        if not isinstance(panel, Panel):
            panel = self._panel_of(panel)
        if panel.freq != self.freq:
            message = (
                f"The panel has freq {panel.freq!r}, the forecaster {self.freq!r}: make them one."
            )
            raise ValueError(message)
        tested = backtest(panel, horizon=self.horizon)
        self._panel = panel
        self._mean = tested.forecasts[-1]
        self._quantiles = quantile_forecasts(panel, tested)
        self.models_ = _models(panel, tested)
        self.evaluation_ = _evaluation(panel, tested)
        return self

    def predict(self) -> Frame:
        """The periods after the last one: `unique_id, ds, mean, p10, p50, p90`, by series and time.

        `mean` is the point forecast; p10 <= p50 <= p90 are quantiles, none of them below 0. On
        one day in ten less than p10 should be sold, on nine days in ten less than p90.

        Raises:
            NotFitted: there was no fit.
        """
        if not hasattr(self, "models_"):
            message = "This DemandForecaster has not been fitted: call fit(panel) first."
            raise NotFitted(message)
        panel, xp = self._panel, self._panel.backend.xp
        frames, count = panel.backend.frames, len(panel.ids)
        ds_us = xp.tile(panel.future(self.horizon), count)
        return frames.DataFrame(
            {
                "unique_id": panel.ids.repeat(self.horizon),
                "ds": frames.Series(ds_us).astype("datetime64[us]"),
                "mean": self._mean.reshape(-1),
                **{
                    f"p{round(100 * quantile)}": values.reshape(-1)
                    for quantile, values in zip(QUANTILES, self._quantiles, strict=True)
                },
            }
        )

    def _panel_of(self, frame: Frame) -> Panel:
        on_host = not hasattr(frame, "to_pandas")  # which only a cuDF frame has
        backend = self.backend or Backend.choose("cpu" if on_host else "gpu")
        there = backend.from_pandas(frame) if on_host else frame
        return Panel.from_frame(there, freq=self.freq, backend=backend)

    def _check(self) -> None:
        if self.horizon < 1:
            message = f"horizon is {self.horizon}: give the number of periods, at least 1."
            raise ValueError(message)
        if self.freq not in FREQUENCIES:
            message = f"freq is {self.freq!r}: it can be {' or '.join(map(repr, FREQUENCIES))}."
            raise ValueError(message)


def _models(panel: Panel, tested: Backtest) -> Frame:
    xp, frames = panel.backend.xp, panel.backend.frames
    young = panel.y.shape[1] - panel.first < panel.season
    choice = xp.where(tested.smooths, 0, xp.where(young, 2, 1))
    names = frames.Series(["smoothing", "seasonal_naive", "mean"], dtype="str")
    return frames.DataFrame(
        {
            "unique_id": panel.ids,
            "model": names.iloc[choice].reset_index(drop=True),
            "error": tested.error,
            "naive_error": tested.naive_error,
        }
    )


def _evaluation(panel: Panel, tested: Backtest) -> Frame:
    rows = [asdict(metrics) for metrics in tested.evaluation.values()]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return panel.backend.frames.DataFrame({"model": list(tested.evaluation), **columns})
