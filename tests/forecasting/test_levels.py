"""Levels: sums that agree with their series, by the method that past windows chose."""

from math import isnan

import numpy as np
import pandas as pd
import pytest

from forecasting.panels import CPU, frame_of
from forecasting.planted_shop import KNOWN_AHEAD
from gpu_pipeline.forecasting import DemandForecaster, Panel
from gpu_pipeline.forecasting.backtest import Backtest, backtest
from gpu_pipeline.forecasting.hierarchy import METHODS
from gpu_pipeline.forecasting.levels import Levels, _errors
from gpu_pipeline.forecasting.metrics import recent_weights, squared_scale, wrmsse

KNOWN = ["unique_id", "ds", *KNOWN_AHEAD]


def backtest_of(y: np.ndarray, shops: int = 2, windows: int = 3) -> Backtest:
    frame = frame_of(y)
    frame["shop"] = frame["unique_id"].str[-1].astype("int64").mod(shops).map(lambda i: f"shop{i}")
    panel = Panel.from_frame(frame, freq="D", backend=CPU, static=["shop"])
    return backtest(panel, horizon=14, windows=windows, regress=False)


def levels_of(tested: Backtest) -> Levels:
    return Levels.of(tested, ["shop"], horizon=14, seed=0)


def test_sums_are_those_of_the_forecasts_of_their_series(planted, planted_forecaster) -> None:
    future = planted[1]
    forecast = planted_forecaster.predict(future[KNOWN])
    forecast[["group", "city"]] = future[["group", "city"]]
    sums = planted_forecaster.predict_levels(future[KNOWN])
    assert list(sums) == ["level", "unique_id", "ds", "mean", "p10", "p50", "p90"]
    assert sums["level"].unique().tolist() == ["total", "group", "city", "group/city"]
    assert len(sums) == (1 + 3 + 2 + 6) * 14
    for level, part in sums.groupby("level"):
        names = [] if level == "total" else level.split("/")
        node = pd.Series("total", index=forecast.index)
        if names:
            named = [f"{name}=" + forecast[name] for name in names]
            node = named[0].str.cat(named[1:], sep="/") if named[1:] else named[0]
        expected = forecast["mean"].groupby([node, forecast["ds"]]).sum()
        found = part.set_index(["unique_id", "ds"])["mean"].sort_index()
        np.testing.assert_allclose(found, expected.sort_index(), rtol=1e-6)
    assert (sums["p10"] <= sums["p50"]).all()
    assert (sums["p50"] <= sums["p90"]).all()
    assert (forecast[["mean", "p10"]] >= 0).all(axis=None)


def test_sums_are_forecast_about_right(planted, planted_forecaster) -> None:
    future = planted[1]
    sums = planted_forecaster.predict_levels(future[KNOWN])
    total = sums[sums["level"] == "total"].set_index("ds")
    expected = future.groupby("ds")["expected"].sum()
    assert abs(total["mean"] - expected).sum() < 0.08 * expected.sum()
    assert ((total["p90"] - total["p10"]) < 0.6 * total["mean"]).mean() > 0.8


def test_the_method_is_the_one_with_the_least_error(planted_forecaster) -> None:
    levels = planted_forecaster._levels
    assert set(levels.errors) == set(METHODS)
    assert all(len(errors) == 3 for errors in levels.errors.values())
    means = {method: np.mean(errors) for method, errors in levels.errors.items()}
    assert planted_forecaster.method_ == min(means, key=means.__getitem__)
    assert len(set(means.values())) == 3


def test_sums_see_what_is_known_of_all_series_alone(planted_forecaster) -> None:
    panel = planted_forecaster._levels.tested.panel
    assert panel.known.names == ("holiday",)
    assert len(panel.ids) == 12
    np.testing.assert_allclose(
        panel.y[0], planted_forecaster._panel.y.sum(axis=0, dtype="float64"), rtol=1e-6
    )


def test_an_error_is_the_mean_of_all_levels(rng) -> None:
    y = rng.poisson(9, (4, 126))
    tested = backtest_of(y)
    levels, panel = levels_of(tested), tested.panel
    for window, origin in enumerate(tested.origins[:-1]):
        made = tested.forecasts[window].astype("float64")
        steps = slice(origin, origin + 14)
        sums = [
            (
                values.sum(axis=0)[None],
                np.stack([values[::2].sum(axis=0), values[1::2].sum(axis=0)]),
            )
            for values in (y, made)
        ]
        errors = [
            wrmsse(
                panel.y[:, steps],
                made,
                squared_scale(panel, origin),
                recent_weights(panel, origin),
            )
        ]
        for actual, forecast in zip(*sums, strict=True):
            scale = (np.diff(actual[:, :origin]) ** 2).mean(axis=1)
            weight = actual[:, origin - 28 : origin].sum(axis=1)
            missed = ((actual[:, steps] - forecast) ** 2).mean(axis=1)
            errors.append((np.sqrt(missed / scale) * weight).sum() / weight.sum())
        assert levels.errors["bottom_up"][window] == pytest.approx(np.mean(errors), rel=1e-5)


def test_what_only_the_sums_can_tell_is_not_left_to_the_series(rng) -> None:
    """Each series is sold now and then; together they follow a course that none shows alone."""
    course = 6 + 4 * np.sin(2 * np.pi * np.arange(168) / 7) + np.linspace(0, 8, 168)
    y = rng.poisson(course / 40, (40, 168))
    levels = levels_of(backtest_of(y))
    means = {method: np.mean(errors) for method, errors in levels.errors.items()}
    assert levels.method in ("wls", "top_down")
    assert means[levels.method] < means["bottom_up"]


def test_trust_in_a_window_does_not_come_from_it(rng) -> None:
    y = rng.poisson(9, (6, 126))
    y[0, 112:] *= 4  # not foreseeable, in the last window
    tested = backtest_of(y)
    levels = levels_of(tested)
    squares = []
    for panel, made in (
        (levels.tested.panel, levels.tested.forecasts),
        (tested.panel, tested.forecasts),
    ):
        missed = [
            ((panel.y[:, at : at + 14] - made[i]).astype("float64") ** 2).mean(axis=1)
            for i, at in enumerate(tested.origins[:-2])
        ]
        squares.append(np.mean(missed, axis=0))
    trust = 1 / (np.concatenate(squares) + 1e-6 * max(part.max() for part in squares))

    def error(trust: np.ndarray) -> float:
        return _errors(levels.hierarchy, tested, levels.tested, 2, trust=trust)["wls"]

    expected = error(trust)
    assert levels.errors["wls"][2] == pytest.approx(expected, rel=1e-6)
    assert error(levels.trust) != pytest.approx(expected, rel=1e-3)
    assert levels.trust[3] < 0.5 * trust[3]  # after the total and two shops


def test_forecasts_of_nothing_agree_too() -> None:
    frame = frame_of(np.zeros((4, 70)))
    frame["shop"] = frame["unique_id"]
    fitted = DemandForecaster(horizon=7, hierarchy=["shop"]).fit(frame)
    assert not any(isnan(error) for errors in fitted._levels.errors.values() for error in errors)
    assert fitted.predict_levels()["mean"].abs().max() < 1e-4
