"""DemandForecaster: a frame in, a frame out."""

import doctest

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal

from forecasting.panels import CPU, MONDAY, frame_of
from gpu_pipeline.errors import NotFitted, PanelError
from gpu_pipeline.forecasting import DemandForecaster, Panel, forecaster


def test_a_forecast_has_a_row_for_each_series_and_period_to_come(rng) -> None:
    forecast = DemandForecaster(horizon=3).fit(frame_of(rng.poisson(5, (2, 70)))).predict()
    assert forecast.dtypes.astype("str").to_dict() == {
        "unique_id": "str",
        "ds": "datetime64[us]",
        **dict.fromkeys(("mean", "p10", "p50", "p90"), "float64"),
    }
    days = pd.date_range(MONDAY + pd.Timedelta(days=70), periods=3, unit="us")
    assert forecast["unique_id"].tolist() == ["s000"] * 3 + ["s001"] * 3
    assert forecast["ds"].tolist() == [*days, *days]


def test_the_order_of_rows_changes_nothing(rng) -> None:
    frame = frame_of(rng.poisson(5, (5, 90)))
    shuffled = frame.sample(frac=1, random_state=1)
    fitted, other = (DemandForecaster(horizon=7).fit(rows) for rows in (frame, shuffled))
    assert_frames_equal(fitted.predict(), other.predict())
    assert_frames_equal(fitted.models_, other.models_)


def test_a_panel_may_be_given_instead_of_a_frame(rng) -> None:
    frame = frame_of(rng.poisson(5, (5, 90)))
    panel = Panel.from_frame(frame, freq="D", backend=CPU)
    fitted = DemandForecaster(horizon=7, backend=CPU).fit(frame)
    assert_frames_equal(fitted.predict(), DemandForecaster(horizon=7).fit(panel).predict())


def test_every_series_has_a_model_with_its_errors(rng) -> None:
    noisy, same, young = rng.poisson(9, 140), np.full(140, 4), np.zeros(140)
    young[-3:] = 2
    models = DemandForecaster(horizon=14).fit(frame_of([noisy, same, young])).models_
    assert models["unique_id"].tolist() == ["s000", "s001", "s002"]
    assert models["model"].tolist() == ["smoothing", "seasonal_naive", "mean"]
    assert (models["error"] <= models["naive_error"]).tolist() == [True, True, True]
    assert models["error"].tolist()[1:] == pytest.approx([0, 3 * 2 / 14])


def test_the_evaluation_has_a_row_for_each_model(rng) -> None:
    table = DemandForecaster(horizon=14).fit(frame_of(rng.poisson(9, (40, 140)))).evaluation_
    assert list(table) == ["model", "mae", "wape", "mase", "bias"]
    assert table["model"].tolist() == ["seasonal_naive", "smoothing", "chosen"]
    naive, smoothing, chosen = table["wape"]
    assert smoothing < 0.8 * naive
    assert chosen < 0.8 * naive


def test_weekly_series_are_forecast_on_their_weekday(rng) -> None:
    yearly = 50 + 40 * np.sin(2 * np.pi * np.arange(208) / 52)
    frame = frame_of(rng.poisson(yearly, (20, 208)), "W")
    frame["ds"] += pd.Timedelta(days=6)
    fitted = DemandForecaster(horizon=13, freq="W").fit(frame)
    forecast = fitted.predict()
    assert set(forecast["ds"].dt.day_name()) == {"Sunday"}
    expected = 50 + 40 * np.sin(2 * np.pi * np.arange(208, 221) / 52)
    by_week = forecast.groupby("ds")["mean"].mean()
    np.testing.assert_allclose(by_week, expected, rtol=0.1)


def test_predict_before_fit_is_refused() -> None:
    with pytest.raises(NotFitted, match=r"call fit\(panel\) first"):
        DemandForecaster(horizon=7).predict()


def test_a_horizon_or_frequency_that_there_is_not_is_refused() -> None:
    frame = frame_of([[1] * 30])
    with pytest.raises(ValueError, match="horizon is 0: give the number of periods, at least 1"):
        DemandForecaster(horizon=0).fit(frame)
    with pytest.raises(ValueError, match="freq is 'M': it can be 'D' or 'W'"):
        DemandForecaster(horizon=1, freq="M").fit(frame)  # type: ignore[arg-type]
    panel = Panel.from_frame(frame, freq="D", backend=CPU)
    with pytest.raises(ValueError, match="The panel has freq 'D', the forecaster 'W'"):
        DemandForecaster(horizon=1, freq="W").fit(panel)


def test_a_frame_that_is_no_panel_is_refused() -> None:
    with pytest.raises(PanelError, match="columns y are missing"):
        DemandForecaster(horizon=1).fit(frame_of([[1]]).drop(columns="y"))


def test_the_example_in_the_docstring_runs() -> None:
    assert doctest.testmod(forecaster).attempted > 0
    assert doctest.testmod(forecaster).failed == 0
