"""Dynamic regression: against a slow twin of one series, and on effects that were planted."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.panels import CPU, MONDAY, frame_of, panel_of
from gpu_pipeline.forecasting import Panel, dynamic_regression
from gpu_pipeline.forecasting.dynamic_regression import fit_dynamic_regression

WEEK = np.array([0.7, 0.8, 0.9, 1.0, 1.2, 1.6, 0.8])


def shop(y: np.ndarray, *, freq="D", every: int = 11, future: int = 0) -> Panel:
    """Series with a fair every so many periods and prices that change by the week."""
    frame = frame_of(np.pad(y, ((0, 0), (0, future))), freq)
    time = np.tile(np.arange(y.shape[1] + future), len(y))
    frame["fair"] = np.where(time % every == 5, "fair", None)
    series = np.repeat(np.arange(len(y)), y.shape[1] + future)
    frame["price"] = np.where((time // 7 + series) % 3 == 0, 2.0, 3.0)
    last = frame["ds"].unique()[y.shape[1] - 1]
    ahead = frame[frame["ds"] > last].drop(columns="y")
    return Panel.from_frame(
        frame[frame["ds"] <= last],
        freq=freq,
        backend=CPU,
        known_ahead=["fair", "price"],
        future=ahead if future else None,
    )


def forecasts_slowly(panel: Panel, origin: int, steps: int) -> np.ndarray:
    """Of the only series of a panel of days with a price and fairs, shorter than a year."""
    tuned = dynamic_regression
    y, observed = panel.y[0].astype("float64"), panel.observed[0]
    codes, price = panel.known.values[0][0], panel.known.values[1][0]
    fairs = [time for time in range(origin + steps) if codes[time] >= 0]

    def row(time: int, known: list[int]) -> list[float]:
        day = MONDAY + timedelta(days=time)
        near = min(known, key=lambda at: (abs(time - at), at)) if known else time - 99
        return [
            *(float(day.weekday() == one) for one in range(7)),
            *(float(day.day == one + 1) for one in range(31)),
            *(float(time - near == at) for at in (0, -5, -4, -3, -2, -1, 1, 2, 3)),
        ]

    counts = {"weekday": 7, "month_day": 31, "event": 1, "near": 8}
    stiff = [tuned._STIFF[kind] for kind, count in counts.items() for _ in range(count)]
    all_stiff = [tuned._RIDGE_OF_ALL * one for one in (*stiff, tuned._STIFF_TREND)]
    past = [time for time in fairs if time < origin]
    shared = np.array([row(time, past) for time in range(origin)])
    trend = (np.arange(origin) - origin) / 365.25
    recent = 0.5 ** ((origin - np.arange(origin)) / (tuned._HALF_LIFE_YEARS * 365.25))

    def ridge(design: np.ndarray, target: np.ndarray, weight: np.ndarray, held: list[float]):
        root = np.sqrt(weight)[:, None]
        tall = np.vstack([design * root, np.diag(np.sqrt(held))])
        long = np.concatenate([target * root[:, 0], np.zeros(design.shape[1])])
        return np.linalg.lstsq(tall, long)[0]

    total = np.maximum(y[:origin], 0)
    logs = np.log(total + tuned._LEAST * total.mean() + 1e-3)
    of_all = ridge(np.column_stack([shared, trend]), logs, recent, all_stiff)[:-1]
    taught = observed[:origin]
    offset = tuned._LEAST * total[taught].mean() + 1e-3
    logs = np.log(np.where(taught, total, 0) + offset)
    most = logs.max() + tuned._MOST
    own = np.column_stack([shared, price[:origin], trend + 1 / 365.25])
    held = [tuned._RIDGE * one for one in (*stiff, tuned._STIFF["known"], tuned._STIFF_TREND)]
    found = ridge(own, logs - shared @ of_all, recent * taught, held)
    errors = logs - shared @ of_all - own @ found
    level, season, surprises = 0.0, [0.0] * 7, []
    for time in range(origin):
        if taught[time]:
            surprise = errors[time] - level - season[time % 7]
            level += tuned._ALPHA * surprise
            season[time % 7] += tuned._GAMMA * surprise
            if time >= origin - tuned._ERRORS:
                surprises.append(surprise)
    made = []
    for time in range(origin, origin + steps):
        design = [*row(time, fairs), price[time], (time - origin + 1) / 365.25]
        said = row(time, fairs) @ of_all + design @ found + level + season[time % 7]
        said = min(said, most)
        made.append(max(np.exp(said) * np.mean(np.exp(surprises)) - offset, 0))
    return np.array(made)


def test_forecasts_are_those_of_a_slow_twin(rng) -> None:
    y = rng.poisson(9 * np.tile(WEEK, 26))[None]
    panel = shop(y)
    observed = panel.observed.copy()
    observed[0, 50:55] = False
    panel = replace(panel, observed=observed)
    made = fit_dynamic_regression(panel, origin=168, steps=14).forecasts(panel)
    np.testing.assert_allclose(made[0], forecasts_slowly(panel, 168, 14), rtol=1e-4)


def test_weekdays_fairs_and_prices_are_found(rng) -> None:
    """From what was sold with noise, what was expected of the days to come."""
    time = np.arange(392)
    expected = 60 * np.tile(WEEK, 56) * np.where(time % 11 == 5, 2.5, 1.0)
    expected = expected * np.where(time % 11 == 4, 1.4, 1.0)
    series = np.arange(4)[:, None]
    expected = expected * np.where((time // 7 + series) % 3 == 0, 1.5, 1.0)
    y = rng.poisson(expected)
    panel = shop(y[:, :364], future=28)
    made = fit_dynamic_regression(panel, origin=364, steps=28).forecasts(panel)
    np.testing.assert_allclose(made, expected[:, 364:], rtol=0.25)
    off = abs(made - expected[:, 364:]).sum() / expected[:, 364:].sum()
    assert off < 0.08


def test_the_course_of_the_year_is_found_once_it_was_seen(rng) -> None:
    yearly = 100 * np.exp(0.6 * np.sin(2 * np.pi * np.arange(182) / 52.18))
    y = rng.poisson(yearly, (3, 182))
    panel = panel_of(y[:, :156], "W")
    made = fit_dynamic_regression(panel, origin=156, steps=26).forecasts(panel)
    np.testing.assert_allclose(made.mean(axis=0), yearly[156:], rtol=0.15)


def test_where_a_series_stands_now_is_learnt_from_the_last_weeks() -> None:
    y = np.tile(20 * WEEK, 30)[None].repeat(2, axis=0)
    y[1, 175:] *= 3
    panel = panel_of(y)
    made = fit_dynamic_regression(panel, origin=210, steps=7).forecasts(panel)
    np.testing.assert_allclose(made[0], 20 * WEEK, rtol=0.05)
    assert 40 * 7 < made[1].sum() < 75 * 7


def test_nothing_from_the_origin_on_is_used(rng) -> None:
    panel = shop(rng.poisson(9, (3, 200)))
    y, observed = panel.y.copy(), panel.observed.copy()
    y[:, 150:], observed[:, 160:] = 400, False
    other = replace(panel, y=y, observed=observed)
    before, after = (
        fit_dynamic_regression(one, origin=150, steps=14).forecasts(one) for one in (panel, other)
    )
    np.testing.assert_array_equal(before, after)


def test_an_event_that_comes_for_the_first_time_after_the_origin_changes_little(rng) -> None:
    """And the others keep their own coefficients, though it is on more dates by then."""
    frame = frame_of(rng.poisson(50, (2, 160)))
    time = np.tile(np.arange(160), 2)
    names = np.where(time % 20 == 9, "old", None)
    frame["event"] = np.where(time >= 140, "new", names)
    frame.loc[names == "old", "y"] *= 4
    frame.loc[time == 149, "event"] = "old"
    panel = Panel.from_frame(frame, freq="D", backend=CPU, known_ahead=["event"])
    made = fit_dynamic_regression(panel, origin=140, steps=14).forecasts(panel)
    assert (made[:, 9] > 2 * np.delete(made, 9, axis=1).max(axis=1)).all()


def test_forecasts_are_bounded_by_what_was_seen(rng) -> None:
    """A price of a tenth of a cent is no reason to expect that millions are sold."""
    time = np.arange(154)
    y = rng.poisson(np.where((time // 7) % 3 == 0, 30, 10))[None]
    panel = shop(y[:, :140], future=14)
    price = panel.known.values[1].copy()
    price[:, 140:] = -40.0
    known = replace(panel.known, values=(panel.known.values[0], price))
    fitted = fit_dynamic_regression(panel, origin=140, steps=14)
    made = fitted.forecasts(replace(panel, known=known))
    assert np.isfinite(made).all()
    assert 30 < made.max() < 4 * y.max()


def test_returns_are_no_fault_and_forecasts_are_never_negative(rng) -> None:
    y = rng.integers(-6, 9, (4, 140)).astype("float64")
    y[3] = -2
    panel = panel_of(y)
    made = fit_dynamic_regression(panel, origin=140, steps=14).forecasts(panel)
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    assert made[3].max() < 0.1


@pytest.mark.parametrize(("freq", "age"), [("D", 56), ("W", 26)])
def test_a_series_that_is_too_young_is_not_spoken_of(freq, age, rng) -> None:
    y = rng.poisson(9, (3, 160)) + 1.0
    y[1, : 161 - age], y[2, : 160 - age] = 0, 0
    panel = panel_of(y, freq)
    made = fit_dynamic_regression(panel, origin=160, steps=3).forecasts(panel)
    assert np.isnan(made).all(axis=1).tolist() == [False, True, False]


def test_prices_may_be_missing(rng) -> None:
    panel = shop(rng.poisson(9, (2, 100)), future=7)
    price = panel.known.values[1].copy()
    price[0, ::3] = np.nan
    panel = replace(panel, known=replace(panel.known, values=(panel.known.values[0], price)))
    made = fit_dynamic_regression(panel, origin=100, steps=7).forecasts(panel)
    assert np.isfinite(made).all()


def test_series_are_worked_on_in_blocks_with_the_same_result(rng, monkeypatch) -> None:
    panel = shop(rng.poisson(9, (5, 100)), future=7)
    whole = fit_dynamic_regression(panel, origin=100, steps=7).forecasts(panel)
    monkeypatch.setitem(dynamic_regression._BLOCK_BYTES, "cpu", 1)
    parts = fit_dynamic_regression(panel, origin=100, steps=7).forecasts(panel)
    np.testing.assert_allclose(whole, parts, rtol=1e-6)
    assert len(pd.unique(whole[:, 0])) == 5
