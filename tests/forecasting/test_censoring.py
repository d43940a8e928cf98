"""Demand that was not seen: what stands in for it, against a slow and obvious twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.panels import panel_of
from gpu_pipeline.forecasting.censoring import usual_demand

MATRICES = st.tuples(st.integers(1, 4), st.integers(1, 30)).flatmap(
    lambda shape: st.tuples(
        arrays("float32", shape, elements=st.integers(0, 9)), arrays("bool", shape)
    )
)


def twin(y: np.ndarray, observed: np.ndarray, series: int, period: int, season: int) -> float:
    """The mean of the last four seen of the same phase; else of any; else 0."""
    before = [t for t in range(period) if observed[series, t]]
    alike = [t for t in before if t % season == period % season]
    used = (alike or before)[-4:]
    return float(np.mean(y[series, used])) if used else 0.0


@given(MATRICES, st.sampled_from([1, 3, 7, 52]))
@settings(deadline=None, max_examples=60)
def test_what_is_usual_is_what_the_twin_says(made, season: int) -> None:
    y, observed = made
    cells = (~observed).nonzero()
    found = usual_demand(y, observed, cells, season=season, xp=np)
    wanted = [twin(y, observed, *cell, season) for cell in zip(*cells, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@given(MATRICES, st.data())
@settings(deadline=None, max_examples=40)
def test_nothing_after_a_period_changes_what_stands_in_for_it(made, data) -> None:
    y, observed = made
    y[:, 0] = 1
    origin = data.draw(st.integers(1, y.shape[1]))
    other = y.copy()
    other[:, origin:] += 50
    unseen = np.where(observed, y, np.nan), np.where(observed, other, np.nan)
    before, after = (panel_of(rows) for rows in unseen)
    # A series that was not seen before the origin may begin elsewhere.
    began = ((y != 0) & observed)[:, :origin].any(axis=1)
    assert before.y[began, :origin].tolist() == after.y[began, :origin].tolist()
    assert before.observed[began, :origin].tolist() == after.observed[began, :origin].tolist()


def test_a_period_without_a_value_is_as_the_same_weekdays_before_it() -> None:
    weeks = np.tile([5.0, 4, 3, 2, 1, 0, 9], 6)
    weeks[35] = np.nan
    weeks[28] = 9
    panel = panel_of([weeks])
    assert panel.y[0, 35] == (5 + 5 + 5 + 9) / 4
    assert not panel.observed[0, 35]
    assert panel.observed[0].sum() == 41
