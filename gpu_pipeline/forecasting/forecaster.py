"""DemandForecaster: fit on a long frame, get a frame of forecasts with intervals."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Self

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.charts import series_fan
from gpu_pipeline.errors import NotFitted, PanelError
from gpu_pipeline.forecasting.backtest import WINDOWS, Backtest, Forecasts, backtest
from gpu_pipeline.forecasting.frequency import FREQUENCIES, Freq, moment_of
from gpu_pipeline.forecasting.intervals import QUANTILES, quantile_forecasts
from gpu_pipeline.forecasting.levels import Levels
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.totals import total_spread

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["DemandForecaster"]


class DemandForecaster:
    """Forecasts of many series at once, combined from models by what past windows taught.

    `horizon` is how many periods to forecast, `freq` whether they are days or weeks. `known_ahead`
    names columns whose values are known for the future too (prices, promotions, holidays, events),
    `static` those that never change in a series (category, store), `hierarchy` the static ones over
    which forecasts are to add up. `windows` is how many past windows teach and judge, `seed` what
    the random parts of models start from. Without a `backend` the device is the one that the fitted
    frame lies on.

    `models_` says for each series (`unique_id`) which `model` counts most in its forecast, how much
    (`weight`), the mean absolute `error` in the last window and that of seasonal naive,
    `naive_error`. `evaluation_` has one row a model, and one of their combination, with its
    metrics over all series in that window: its weights were learnt in earlier ones.

    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=70, unit="us")
    >>> sold = [5 if day.weekday() < 5 else 0 for day in days]
    >>> panel = pd.DataFrame({"unique_id": "phone", "ds": days, "y": sold})
    >>> forecast = DemandForecaster(horizon=7).fit(panel).predict()
    >>> forecast["mean"].round(2).tolist()
    [5.0, 5.0, 0.0, 0.0, 5.0, 5.0, 5.0]
    """

    def __init__(
        self,
        *,
        horizon: int,
        freq: Freq = "D",
        known_ahead: Sequence[str] = (),
        static: Sequence[str] = (),
        hierarchy: Sequence[str] = (),
        windows: int = WINDOWS,
        seed: int = 0,
        backend: Backend | None = None,
    ) -> None:
        self.horizon = horizon
        self.freq = freq
        self.known_ahead = known_ahead
        self.static = static
        self.hierarchy = hierarchy
        self.windows = windows
        self.seed = seed
        self.backend = backend

    def fit(self, panel: "Frame | Panel") -> Self:
        """Learn from a frame `unique_id, ds, y`, as `Panel.from_frame` describes it, or a Panel.

        Raises:
            PanelError: the frame is not such a panel, with every fault found, or is too short.
            ValueError: the horizon, the frequency or the windows are not ones that there are.
        """
        self._check()
        if not isinstance(panel, Panel):
            panel = self._panel_of(panel)
        if panel.freq != self.freq:
            message = (
                f"The panel has freq {panel.freq!r}, the forecaster {self.freq!r}: make them one."
            )
            raise ValueError(message)
        self._panel = panel
        self._finished: Forecasts | None = None
        self._tested = backtest(panel, horizon=self.horizon, windows=self.windows, seed=self.seed)
        self._levels = (
            Levels.of(self._tested, self.hierarchy, horizon=self.horizon, seed=self.seed)
            if self.hierarchy
            else None
        )
        self.models_ = _models(panel, self._tested)
        self.evaluation_ = _evaluation(panel, self._tested)
        return self

    def predict(self, future: Frame | None = None) -> Frame:
        """The periods after the last one: `unique_id, ds, mean, p10, p50, p90`, by series and time.

        `mean` is the point forecast; p10 <= p50 <= p90 are quantiles, none of them below 0. On
        one day in ten less than p10 should be sold, on nine days in ten less than p90. `future` has
        `unique_id`, `ds` and the columns known ahead for these periods.

        Raises:
            NotFitted: there was no fit.
            PanelError: `future` is missing, or not what it should be.
        """
        panel, made = self._ahead(future)
        quantiles = quantile_forecasts(panel, made, quantiles=QUANTILES)
        return self._frame({"mean": made.forecasts[-1], **_named(quantiles)})

    def predict_levels(self, future: Frame | None = None) -> Frame:
        """The sums that the hierarchy defines: `level, unique_id, ds, mean, p10, p50, p90`.

        A level is named by its columns, `total` first; a sum by what it is of, such as
        "store=north/category=phones". Means are the sums of what `predict` gives, exactly.

        Raises:
            NotFitted: there was no fit.
            PanelError: `future` is missing, or not what it should be.
            ValueError: the forecaster has no hierarchy.
        """
        self._check_fitted()
        if self._levels is None:
            message = "There are no levels: name static columns as the forecaster's hierarchy."
            raise ValueError(message)
        panel, made = self._combined(future)
        _, nodes, sums = self._levels.settled(panel, made)
        quantiles = quantile_forecasts(nodes, sums, quantiles=QUANTILES)
        columns = {"mean": sums.forecasts[-1], **_named(quantiles)}
        ids = self._levels.hierarchy.nodes[["level", "unique_id"]]
        return self._frame(columns, ids=ids)

    @property
    def method_(self) -> str | None:
        """How forecasts of series and of their sums are made to agree; None without a hierarchy."""
        self._check_fitted()
        return None if self._levels is None else self._levels.method

    def total_spread(self, future: Frame | None = None) -> Frame:
        """How far sums may be off: `unique_id, ds, total_sd`, by series and time.

        `total_sd` is the standard deviation of the error of the sum of all periods up to this one,
        in units: what stock for the time of a delivery has to allow for.

        Raises:
            NotFitted: there was no fit.
            PanelError: `future` is missing, or not what it should be.
        """
        panel, made = self._ahead(future)
        return self._frame({"total_sd": total_spread(panel, made)})

    def backtest(self) -> Frame:
        """The metrics of every model and of their combination in each past window, latest last.

        Columns `window` (its first period), `model`, `mae`, `wape`, `mase`, `bias`, `rmsse`, …

        Raises:
            NotFitted: there was no fit.
        """
        self._check_fitted()
        rows = [
            {"window": start, "model": name, **asdict(metrics)}
            for window, start in enumerate(self._starts())
            for name, metrics in self._tested.evaluation(window).items()
        ]
        return self._panel.backend.frames.DataFrame(
            {name: [row[name] for row in rows] for name in rows[0]}
        )

    def plot(self, unique_id: str, future: Frame | None = None) -> "go.Figure":
        """What one series was, what it is expected to be, and how sure that is.

        Raises:
            NotFitted: there was no fit.
            PanelError: there is no such series, or `future` is missing or not what it should be.
        """
        self._check_fitted()
        panel, backend = self._panel, self._panel.backend
        place = backend.to_host(panel.ids == unique_id).nonzero()[0]
        if not len(place):
            message = f"No series is called {unique_id!r}: models_ has a row for each."
            raise PanelError(message)
        row = int(place[0])
        lived = slice(int(panel.first[row]), None)
        history = backend.frames.DataFrame(
            {
                "ds": backend.frames.Series(panel.past()[lived]).astype("datetime64[us]"),
                "y": panel.y[row, lived],
                "observed": panel.observed[row, lived],
            }
        )
        forecast = self.predict(future)
        ahead = forecast[forecast["unique_id"] == unique_id]
        return series_fan(backend.to_pandas(history), backend.to_pandas(ahead), name=str(unique_id))

    def _starts(self) -> list[datetime]:
        moments = self._panel.backend.to_host(self._panel.past())
        return [moment_of(int(moments[at])) for at in self._tested.origins[:-1]]

    def _ahead(self, future: Frame | None) -> tuple[Panel, Forecasts]:
        """The panel with what is known ahead, and the forecasts that are put out."""
        panel, made = self._combined(future)
        return panel, made if self._levels is None else self._levels.settled(panel, made)[0]

    def _combined(self, future: Frame | None) -> tuple[Panel, Forecasts]:
        """The same before series and sums agree."""
        self._check_fitted()
        panel = self._panel
        if future is not None:
            ahead = panel.with_future(self._there(future), steps=self.horizon)
            _check_shared(panel, ahead)
            return ahead, self._tested.finished(ahead)
        if panel.known.names and panel.known.periods < panel.y.shape[1] + self.horizon:
            message = (
                f"The forecaster was fitted with {', '.join(panel.known.names)} known ahead: give "
                f"predict a future with these columns for the {self.horizon} periods to come."
            )
            raise PanelError(message)
        if self._finished is None:
            self._finished = self._tested.finished(panel)
        return panel, self._finished

    def _frame(self, columns: dict[str, Array], ids: Frame | None = None) -> Frame:
        """Arrays (series, horizon) as a long frame of the series, or of what `ids` names."""
        panel, xp = self._panel, self._panel.backend.xp
        frames = panel.backend.frames
        ids = frames.DataFrame({"unique_id": panel.ids}) if ids is None else ids
        ds_us = xp.tile(panel.future(self.horizon), len(ids))
        row = xp.repeat(xp.arange(len(ids)), self.horizon)
        made = ids.take(row).reset_index(drop=True)
        made["ds"] = frames.Series(ds_us).astype("datetime64[us]")
        for name, values in columns.items():
            made[name] = values.reshape(-1).astype("float64")
        return made

    def _panel_of(self, frame: Frame) -> Panel:
        return Panel.from_frame(
            self._there(frame),
            freq=self.freq,
            backend=self._device(frame),
            known_ahead=list(self.known_ahead),
            static=list(dict.fromkeys([*self.static, *self.hierarchy])),
        )

    def _device(self, frame: Frame) -> Backend:
        on_host = not hasattr(frame, "to_pandas")  # which only a cuDF frame has
        return self.backend or Backend.choose("cpu" if on_host else "gpu")

    def _there(self, frame: Frame) -> Frame:
        on_host = not hasattr(frame, "to_pandas")
        return self._device(frame).from_pandas(frame) if on_host else frame

    def _check_fitted(self) -> None:
        if not hasattr(self, "models_"):
            message = "This DemandForecaster has not been fitted: call fit(panel) first."
            raise NotFitted(message)

    def _check(self) -> None:
        if self.horizon < 1:
            message = f"horizon is {self.horizon}: give the number of periods, at least 1."
            raise ValueError(message)
        if self.freq not in FREQUENCIES:
            message = f"freq is {self.freq!r}: it can be {' or '.join(map(repr, FREQUENCIES))}."
            raise ValueError(message)
        if self.windows < 2:
            message = f"windows is {self.windows}: at least 2, one to learn from and one to judge."
            raise ValueError(message)


def _check_shared(panel: Panel, ahead: Panel) -> None:
    pairs = zip(panel.known.names, panel.known.values, ahead.known.values, strict=True)
    wrong = [name for name, past, now in pairs if len(past) == 1 < len(now)]
    if wrong:
        message = (
            f"{', '.join(wrong)} said the same for all series on every date of the panel, but the "
            "future differs between series: what that does was not learnt. Make it the same for "
            "all, or fit without it."
        )
        raise PanelError(message)


def _named(quantiles: Array) -> dict[str, Array]:
    return {f"p{round(100 * q)}": one for q, one in zip(QUANTILES, quantiles, strict=True)}


def _models(panel: Panel, tested: Backtest) -> Frame:
    frames = panel.backend.frames
    error, naive_error = tested.errors()
    names = frames.Series(list(tested.models), dtype="str")
    return frames.DataFrame(
        {
            "unique_id": panel.ids,
            "model": names.iloc[tested.choice].reset_index(drop=True),
            "weight": tested.weights.max(axis=1).astype("float64"),
            "error": error,
            "naive_error": naive_error,
        }
    )


def _evaluation(panel: Panel, tested: Backtest) -> Frame:
    metrics = {name: asdict(one) for name, one in tested.evaluation().items()}
    columns = {key: [row[key] for row in metrics.values()] for key in next(iter(metrics.values()))}
    return panel.backend.frames.DataFrame({"model": list(metrics), **columns})
