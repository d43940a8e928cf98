"""Intermittent demand against statsforecast's figures, and against a slow twin of one series."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting import intermittent as module
from gpu_pipeline.forecasting.intermittent import (
    CLASSES,
    MINIMUM_AGE,
    adida,
    croston,
    demand_class,
    intermittent,
    sba,
    tsb,
)

SOLD = [3, 2, 0, 0, 5, 0, 0, 0, 1, 0, 4, 0, 0, 2, 2, 0, 0, 0, 0, 6, 0, 1, 0, 0, 3, 0, 0, 0, 0, 2]


# What statsforecast 2.1.1 (Nixtla, Apache-2.0), another implementation, forecasts: CrostonClassic,
# CrostonSBA and TSB(0.1, 0.1) of the first 20 periods and of all 30. (It counts the first sale as
# a gap of one period, which decides nothing here, where the first gap is one period too.)
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (croston, [1.6081592325066623, 1.2054251063046162]),
        (sba, [1.527751270881329, 1.1451538509893853]),
        (tsb, [1.420442021916233, 1.0214092056494988]),
    ],
)
def test_rates_are_those_of_another_implementation(model, expected) -> None:
    made = model(panel_of([SOLD]), origins=(20, 30), steps=2)
    np.testing.assert_allclose(made[:, 0], np.repeat([expected], 2, axis=0).T, rtol=1e-6)


def test_adida_smooths_sums_of_whole_gaps_by_hand() -> None:
    y = [4, 0, 1, 0, 0, 3, 2, 0, 0, 2, 0, 0, 0, 6, 0, 1, 0]
    # 17 periods, 7 sales: gaps of 2; the buckets are of the last 16 periods.
    level = 1.0
    for sold in (0, 5, 0, 2, 0, 6, 1):
        level += 0.1 * (sold - level)
    assert adida(panel_of([y]), origins=(17,), steps=1).item() == pytest.approx(level / 2)


def rates_slowly(y: Sequence[float], *, alpha: float = 0.1) -> dict[str, float]:
    """The rates after the periods of one life, which begins with a sale."""
    places = [i for i, value in enumerate(y) if value > 0]
    sizes, gaps = [y[i] for i in places], np.diff(places).tolist()

    def smoothed(values: Sequence[float]) -> float:
        level = values[0]
        for value in values[1:]:
            level += alpha * (value - level)
        return level

    if not sizes:
        return dict.fromkeys(("croston", "sba", "tsb", "adida", "intermittent"), 0.0)
    rate = smoothed(sizes) / (smoothed(gaps) if gaps else len(y))
    falling = smoothed(sizes) * smoothed([float(value > 0) for value in y])
    mean_gap = len(y) / len(sizes)
    variation = np.var(sizes, ddof=1) / np.mean(sizes) ** 2 if len(sizes) > 1 else 0.0
    is_smooth = mean_gap <= 1.32 and variation <= 0.49
    is_silent = (1 - 1 / mean_gap) ** (len(y) - 1 - places[-1]) < 0.05
    width = max(1, round(mean_gap))
    rest = list(y[len(y) % width :])
    buckets = [sum(rest[i : i + width]) for i in range(0, len(rest), width)]
    return {
        "croston": rate,
        "sba": 0.95 * rate,
        "tsb": falling,
        "adida": smoothed(buckets) / width,
        "intermittent": falling if is_silent else rate if is_smooth else 0.95 * rate,
    }


def assert_as_the_twin(panel: Panel, origins: Sequence[int]) -> None:
    teaches = panel.observed & panel.open_periods()
    for model in (croston, sba, tsb, intermittent):
        made = model(panel, origins=origins, steps=3)
        assert made.shape == (len(origins), len(panel.ids), 3)
        for series, first in enumerate(panel.first.tolist()):
            for i, origin in enumerate(origins):
                if origin - first < MINIMUM_AGE:
                    assert np.isnan(made[i, series]).all()
                    continue
                life = slice(first, origin)
                y = [float(v) for v in panel.y[series, life][teaches[series, life]]]
                rate = rates_slowly(y)[model.__name__]
                np.testing.assert_allclose(made[i, series], [rate] * 3, rtol=1e-6)


@given(
    arrays("float64", (5, 60), elements=st.sampled_from([0, 0, 0, 0, 1, 2, 30])),
    st.lists(st.integers(0, 50), min_size=5, max_size=5),
)
@settings(deadline=None, max_examples=40)
def test_every_series_has_the_rates_of_the_slow_twin(y: np.ndarray, starts: list[int]) -> None:
    for row, start in zip(y, starts, strict=True):
        row[:start] = 0
        row[-start // 2 :] = 0
    assert_as_the_twin(panel_of(y), origins=(40, 60))


@given(arrays("float64", 60, elements=st.sampled_from([0, 0, 0, 0, 1, 2, 30])))
@settings(deadline=None, max_examples=20)
def test_adida_is_that_of_the_slow_twin(y: np.ndarray) -> None:
    y[0] = 2
    made = adida(panel_of([y]), origins=(45, 60), steps=1)
    expected = [rates_slowly(y[:origin].tolist())["adida"] for origin in (45, 60)]
    np.testing.assert_allclose(made[:, 0, 0], expected, rtol=1e-6)


def test_what_was_not_observed_and_days_without_trade_teach_nothing(rng) -> None:
    y = rng.binomial(1, 0.8, (40, 60)) * rng.poisson(5, (40, 60)).astype("float64")
    y[3, 20:27] = np.nan
    y[:, 33] = 0
    panel = panel_of(y)
    assert not panel.observed[3, 20:27].any()
    assert not panel.open_periods()[33]
    assert_as_the_twin(panel, origins=(50, 60))


def test_demand_is_told_apart_by_its_gaps_and_by_how_its_sizes_vary() -> None:
    rows = {
        "smooth": [4, 5, 4, 6] * 7,
        "erratic": [1, 1, 1, 20] * 7,
        "intermittent": [4, 0, 5, 0] * 7,
        "lumpy": [1, 0, 1, 0, 1, 0, 20] * 4,
    }
    found = demand_class(panel_of(list(rows.values())), 28)
    assert [CLASSES[place] for place in found.tolist()] == list(rows)


def test_a_rate_falls_only_where_a_silence_is_no_accident() -> None:
    often, silence = [2, 0] * 20, [0] * 20
    panel = panel_of([often + silence])
    origins = (40, 42, 60)
    routed = intermittent(panel, origins=origins, steps=1)[:, 0, 0]
    np.testing.assert_array_equal(routed[:2], sba(panel, origins=origins, steps=1)[:2, 0, 0])
    assert routed[2] == tsb(panel, origins=origins, steps=1)[2, 0, 0]
    assert routed[2] < routed[1] / 4


@pytest.mark.parametrize("model", [croston, sba, tsb, intermittent, adida])
def test_alpha_is_what_a_new_size_and_gap_count_for(model) -> None:
    panel = panel_of([[1] * 14 + [9, 0, 0, 9]])
    slow, fast = (model(panel, origins=(18,), steps=1, alpha=a).item() for a in (0.0, 0.5))
    assert fast > slow


@pytest.mark.parametrize("model", [croston, sba, tsb, intermittent, adida])
def test_blocks_do_not_change_a_forecast(model, monkeypatch: pytest.MonkeyPatch, rng) -> None:
    panel = panel_of(rng.poisson(0.4, (9, 60)))
    whole = model(panel, origins=(50, 60), steps=2)
    monkeypatch.setitem(module._BLOCK_BYTES, "cpu", 1)
    np.testing.assert_array_equal(model(panel, origins=(50, 60), steps=2), whole)


@pytest.mark.parametrize("model", [croston, sba, tsb, intermittent, adida])
def test_an_origin_knows_nothing_of_what_comes_after_it(model, rng) -> None:
    y = rng.poisson(0.7, (5, 60))
    y[:, 0] = 1
    other = y.copy()
    other[:, 50:] = 40
    before, after = (model(panel_of(rows), origins=(50, 60), steps=1) for rows in (y, other))
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).all()
