"""DemandForecaster: a frame in, a frame out."""

import doctest

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal

from forecasting.panels import CPU, MONDAY, frame_of
from forecasting.planted_shop import HORIZON, KNOWN_AHEAD
from gpu_pipeline.errors import NotFitted, PanelError
from gpu_pipeline.forecasting import DemandForecaster, Panel, forecaster

KNOWN = ["unique_id", "ds", *KNOWN_AHEAD]


def with_holidays(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(holiday=frame["ds"].dt.day.eq(24).map({True: "eve", False: None}))


def days_after(periods: int, names: list[str], horizon: int) -> pd.DataFrame:
    days = pd.date_range(MONDAY + pd.Timedelta(days=periods), periods=horizon, unit="us")
    return pd.DataFrame({"unique_id": np.repeat(names, horizon), "ds": np.tile(days, len(names))})


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
    frame = with_holidays(frame_of(rng.poisson(5, (5, 90))))
    future = with_holidays(days_after(90, [f"s{i:03d}" for i in range(5)], 7))
    fitted, other = (
        DemandForecaster(horizon=7, known_ahead=["holiday"]).fit(rows)
        for rows in (frame, frame.sample(frac=1, random_state=1))
    )
    shuffled = future.sample(frac=1, random_state=2)
    assert_frames_equal(fitted.predict(future), other.predict(shuffled))
    assert_frames_equal(fitted.models_, other.models_)


def test_a_panel_may_be_given_instead_of_a_frame(rng) -> None:
    frame = frame_of(rng.poisson(5, (5, 90)))
    panel = Panel.from_frame(frame, freq="D", backend=CPU)
    fitted = DemandForecaster(horizon=7, backend=CPU).fit(frame)
    assert_frames_equal(fitted.predict(), DemandForecaster(horizon=7).fit(panel).predict())


def test_a_panel_that_knows_its_future_needs_no_other(rng) -> None:
    frame = with_holidays(frame_of(rng.poisson(5, (2, 90))))
    future = with_holidays(days_after(90, ["s000", "s001"], 7))
    panel = Panel.from_frame(frame, freq="D", backend=CPU, known_ahead=["holiday"], future=future)
    fitted = DemandForecaster(horizon=7, known_ahead=["holiday"]).fit(frame)
    assert_frames_equal(
        DemandForecaster(horizon=7).fit(panel).predict(), fitted.predict(future), rtol=1e-5
    )


def test_every_series_has_a_model_with_its_weight_and_errors(rng) -> None:
    noisy, same, young = rng.poisson(9, 140), np.full(140, 4), np.zeros(140)
    young[-3:] = 2
    models = DemandForecaster(horizon=14).fit(frame_of([noisy, same, young])).models_
    assert list(models) == ["unique_id", "model", "weight", "error", "naive_error"]
    assert models["unique_id"].tolist() == ["s000", "s001", "s002"]
    assert models["model"][0] != "seasonal_naive"
    assert models["weight"].between(1 / 6, 1).all()
    assert models["error"][0] < models["naive_error"][0]
    assert models["error"].tolist()[1:] == pytest.approx([0, 2], abs=0.01)
    assert models["naive_error"].tolist()[1:] == [0, 2]


def test_the_evaluation_has_a_row_for_each_model(rng) -> None:
    fitted = DemandForecaster(horizon=14).fit(frame_of(rng.poisson(9, (40, 140))))
    table = fitted.evaluation_.set_index("model")
    assert {"mae", "wape", "mase", "bias", "rmsse", "wrmsse"} <= set(table)
    assert (table.index[0], table.index[-1]) == ("seasonal_naive", "combination")
    assert table["wape"]["combination"] < 0.8 * table["wape"]["seasonal_naive"]


def test_the_backtest_has_the_metrics_of_every_window_the_last_of_which_is_the_evaluation(
    rng,
) -> None:
    fitted = DemandForecaster(horizon=14, windows=3).fit(frame_of(rng.poisson(9, (5, 140))))
    table = fitted.backtest()
    starts = [MONDAY + pd.Timedelta(days=days) for days in (98, 112, 126)]
    assert table["window"].unique().tolist() == starts
    last = table[table["window"] == starts[-1]].drop(columns="window").reset_index(drop=True)
    assert_frames_equal(last, fitted.evaluation_)
    assert len(table) == 3 * len(last)


def test_windows_and_seed_are_the_callers(planted, monkeypatch) -> None:
    history = planted[0][planted[0]["unique_id"] < "s08"]
    monkeypatch.setattr("gpu_pipeline.forecasting.regression._FEWEST_ROWS", 100)
    one, same, other = (
        DemandForecaster(horizon=7, windows=2, seed=seed).fit(history) for seed in (1, 1, 2)
    )
    assert_frames_equal(one.predict(), same.predict())
    assert abs(one.predict()["mean"] - other.predict()["mean"]).max() > 0
    assert one.backtest()["window"].nunique() == 2


def test_weekly_series_are_forecast_on_their_weekday(rng) -> None:
    yearly = 50 + 40 * np.sin(2 * np.pi * np.arange(208) / 52)
    frame = frame_of(rng.poisson(yearly, (20, 208)), "W")
    frame["ds"] += pd.Timedelta(days=6)
    forecast = DemandForecaster(horizon=13, freq="W").fit(frame).predict()
    assert set(forecast["ds"].dt.day_name()) == {"Sunday"}
    expected = 50 + 40 * np.sin(2 * np.pi * np.arange(208, 221) / 52)
    by_week = forecast.groupby("ds")["mean"].mean()
    np.testing.assert_allclose(by_week, expected, rtol=0.1)


def test_on_planted_demand_it_beats_seasonal_naive_far_and_gives_it_no_weight(
    planted_forecaster,
) -> None:
    table = planted_forecaster.backtest().pivot(index="window", columns="model", values="wrmsse")
    assert (table["combination"] <= 0.85 * table["seasonal_naive"]).all()
    assert (table["combination"] <= 0.5 * table["seasonal_naive"]).iloc[-1]
    tested = planted_forecaster._tested
    worse = [name for name in tested.models if table[name].mean() >= table["seasonal_naive"].mean()]
    for name in {"seasonal_naive", *worse}:
        assert tested.weights[:, tested.models.index(name)].mean() < 0.02


def test_what_moved_demand_moves_the_forecast(planted, planted_forecaster) -> None:
    """Expected demand, of which each day has its own price, promotion and holiday."""
    future = planted[1]
    forecast = planted_forecaster.predict(future[KNOWN])
    future = future.assign(mean=forecast["mean"])
    for _, part in future.groupby("promotion"):
        assert part["mean"].sum() == pytest.approx(part["expected"].sum(), rel=0.05)
    feast = future[future["holiday"].notna()]
    assert feast["mean"].sum() == pytest.approx(feast["expected"].sum(), rel=0.15)
    off = abs(future["mean"] - future["expected"]).sum() / future["expected"].sum()
    assert off < 0.12
    inside = future["demand"].between(forecast["p10"], forecast["p90"])
    assert 0.7 < inside.mean() < 0.92


def test_days_without_stock_do_not_lower_forecasts(planted, planted_forecaster) -> None:
    future = planted[1]
    assert planted[0].query("stock == 0")["y"].eq(0).all()
    forecast = planted_forecaster.predict(future[KNOWN])
    bias = forecast["mean"].sum() / future["expected"].sum() - 1
    assert abs(bias) <= 0.02


def test_another_future_is_another_forecast(planted, planted_forecaster) -> None:
    future = planted[1][KNOWN]
    cheap = future.assign(price=0.7 * future["price"])
    first = planted_forecaster.predict(future)
    assert planted_forecaster.predict(cheap)["mean"].sum() > 1.2 * first["mean"].sum()
    assert_frames_equal(planted_forecaster.predict(future), first)


def test_sums_may_be_off_by_more_the_longer_they_are(planted, planted_forecaster) -> None:
    spread = planted_forecaster.total_spread(planted[1][KNOWN])
    assert list(spread) == ["unique_id", "ds", "total_sd"]
    by_step = spread["total_sd"].to_numpy().reshape(-1, HORIZON).mean(axis=0)
    assert by_step[-1] > 2 * by_step[0] > 0


def test_a_chart_shows_the_series_and_its_forecast(planted, planted_forecaster) -> None:
    figure = planted_forecaster.plot("s03", planted[1][KNOWN])
    assert "s03" in figure.layout.title.text
    shown = pd.concat([pd.Series(trace.x) for trace in figure.data if trace.x is not None])
    assert shown.max() == planted[1]["ds"].max()
    with pytest.raises(PanelError, match="No series is called 's99'"):
        planted_forecaster.plot("s99", planted[1][KNOWN])


def test_a_future_is_asked_for_where_columns_are_known_ahead(planted, planted_forecaster) -> None:
    with pytest.raises(PanelError, match=r"price, promotion, holiday known ahead: give predict a"):
        planted_forecaster.predict()
    with pytest.raises(PanelError, match="every series needs a row"):
        planted_forecaster.predict(planted[1][KNOWN].iloc[1:])


def test_a_future_that_tells_series_apart_where_the_past_did_not_is_refused(rng) -> None:
    frame = frame_of(rng.poisson(9, (2, 70))).assign(promotion=0.0)
    fitted = DemandForecaster(horizon=7, known_ahead=["promotion"]).fit(frame)
    future = days_after(70, ["s000", "s001"], 7).assign(promotion=0.0)
    assert len(fitted.predict(future)) == 14
    future.loc[3, "promotion"] = 1.0
    with pytest.raises(PanelError, match="promotion said the same for all series"):
        fitted.predict(future)


def test_levels_need_a_hierarchy(rng) -> None:
    fitted = DemandForecaster(horizon=7).fit(frame_of(rng.poisson(9, (2, 70))))
    assert fitted.method_ is None
    with pytest.raises(ValueError, match="There are no levels: name static columns"):
        fitted.predict_levels()


def test_predict_before_fit_is_refused() -> None:
    with pytest.raises(NotFitted, match=r"call fit\(panel\) first"):
        DemandForecaster(horizon=7).predict()
    with pytest.raises(NotFitted, match=r"call fit\(panel\) first"):
        DemandForecaster(horizon=7).backtest()


def test_a_horizon_frequency_or_number_of_windows_that_there_is_not_is_refused() -> None:
    frame = frame_of([[1] * 30])
    with pytest.raises(ValueError, match="horizon is 0: give the number of periods, at least 1"):
        DemandForecaster(horizon=0).fit(frame)
    with pytest.raises(ValueError, match="windows is 1: at least 2"):
        DemandForecaster(horizon=1, windows=1).fit(frame)
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
