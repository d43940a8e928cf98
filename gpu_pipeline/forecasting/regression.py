"""Global regression: one model for all series, over what is known of each some weeks ahead.

The horizon is cut into blocks, and a block's model sees demand up to just before its forecasts
begin: so the first week is forecast from yesterday's sales, not from those of a month ago.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.calendar import Calendar
from gpu_pipeline.forecasting.lags import SHAPES, LagTable
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["LEARNERS", "Regression", "learn", "step_blocks"]

LEARNERS = ("random_forest", "boosted_trees")
_HISTORY = {"D": 900, "W": 156}  # periods before an origin that are learnt from
_MOST_ROWS = 64_000  # that a model is fitted on, which bounds the time that it takes
_MOST_BLOCKS = 4
_FEWEST_ROWS = 4_000
_MOST_NUMBERED = 1000  # series that a regressor can tell apart by their number
_MOST_TIMES = 20.0  # its level that a series may sell in a period, to learn from
_BLOCK_BYTES = {"cpu": 2**27, "gpu": 2**31}
_BYTES_A_CELL = 40  # of features and their sums, for each period of a series


@dataclass(frozen=True)
class Regression:
    """Regressors fitted on what was known at an origin, one of each learner for each block.

    Blocks are (first step, last step + 1) from an origin; `fitted` has the regressors of each.
    """

    blocks: tuple[tuple[int, int], ...]
    fitted: tuple[Mapping[str, Any], ...]

    def forecasts(self, panel: Panel, *, origin: int) -> dict[str, Array]:
        """By learner the forecasts from `origin` on, float32 (series, steps), never negative.

        Not a number for a series that is too young. The origin may be later than the one that was
        learnt at: features are of the periods before the former. `panel` is the one that was learnt
        from, with its columns known ahead for all steps.
        """
        xp, steps = panel.backend.xp, self.blocks[-1][1]
        calendar = Calendar.of(panel, periods=origin + steps)
        made = {
            name: xp.full((len(panel.ids), steps), xp.nan, dtype="float32") for name in LEARNERS
        }
        for rows, table in _tables(panel, calendar, origin):
            first = panel.first[rows]
            for (begin, end), regressors in zip(self.blocks, self.fitted, strict=True):
                least = max(SHAPES[panel.freq].minimum_age, end - begin)
                old = (origin - first >= least).nonzero()[0]
                series = xp.repeat(old, end - begin)
                period = xp.tile(xp.arange(origin + begin, origin + end), len(old))
                if not len(series):
                    continue
                features, level = table.rows(series, period, lag=end)
                for name, regressor in regressors.items():
                    ratio = xp.asarray(regressor.predict(features))
                    values = xp.maximum(ratio * level, 0.0).reshape(len(old), end - begin)
                    made[name][rows.start + old, begin:end] = values
        return made


def learn(panel: Panel, *, origin: int, steps: int, seed: int) -> Regression:
    """Regressors that forecast the `steps` periods from `origin` on, fitted on those before it.

    Where there are too few rows to learn from, there are none, and forecasts are not numbers.
    """
    blocks = step_blocks(steps, panel.cycle)
    calendar = Calendar.of(panel, periods=origin)

    def fitted(block: tuple[int, int]) -> Mapping[str, Any]:
        begin, end = block
        draw = _drawn(panel, origin, lag=end, seed=seed + begin)
        if len(draw[0]) < _FEWEST_ROWS:
            return {}
        features, target, weight = _learnt_from(panel, calendar, origin, draw, lag=end)
        return {
            name: _learner(name, panel.backend, seed).fit(features, target, sample_weight=weight)
            for name in LEARNERS
        }

    with ThreadPoolExecutor(panel.backend.fits_at_once) as pool:
        return Regression(blocks, tuple(pool.map(fitted, blocks)))


def step_blocks(steps: int, cycle: int) -> tuple[tuple[int, int], ...]:
    """The steps in at most four blocks of whole weeks, as (first step, last step + 1)."""
    length = -(-steps // (_MOST_BLOCKS * cycle)) * cycle
    return tuple((begin, min(begin + length, steps)) for begin in range(0, steps, length))


def _learner(name: str, backend: Backend, seed: int) -> Any:  # noqa: ANN401
    """A regressor to fit, of the library of the device."""
    if name == "random_forest":
        return backend.estimator(
            "RandomForestRegressor",
            n_estimators=50,
            max_depth=16,
            min_samples_leaf=3,
            max_features=0.35,
            max_samples=0.4,
            random_state=seed,
        )
    return backend.estimator(
        "BoostedTrees",
        n_estimators=300,
        learning_rate=0.05,
        max_depth=6,
        min_child_weight=20,
        colsample_bytree=0.4,
        subsample=0.8,
        random_state=seed,
    )


def _drawn(panel: Panel, origin: int, *, lag: int, seed: int) -> tuple[Array, Array]:
    """(series, period) pairs to learn from, by series: all that there are, or a sample."""
    xp = panel.backend.xp
    begin = xp.maximum(
        panel.first + SHAPES[panel.freq].minimum_age + lag, origin - _HISTORY[panel.freq]
    )
    ends = xp.cumsum(xp.maximum(origin - begin, 0))
    total = int(ends[-1])
    if total > _MOST_ROWS:
        places = np.random.default_rng(seed).integers(0, total, _MOST_ROWS)
        cell = xp.asarray(np.sort(places))
    else:
        cell = xp.arange(total)
    series = xp.searchsorted(ends, cell, side="right")
    period = origin - (ends[series] - cell)
    use = panel.observed[series, period] & panel.open_periods()[period]
    return series[use], period[use]


def _learnt_from(
    panel: Panel, calendar: Calendar, origin: int, draw: tuple[Array, Array], *, lag: int
) -> tuple[Array, Array, Array]:
    """Features (rows, features), targets and weights (rows,), all float32."""
    xp, (series, period) = panel.backend.xp, draw
    features, levels = [], []
    for rows, table in _tables(panel, calendar, origin):
        edges = xp.searchsorted(series, xp.asarray([rows.start, rows.stop]))
        begin, end = (int(at) for at in edges)
        found, level = table.rows(series[begin:end] - rows.start, period[begin:end], lag=lag)
        features.append(found)
        levels.append(level)
    level = xp.concatenate(levels)
    target = xp.clip(panel.y[series, period] / level, 0.0, _MOST_TIMES)
    weight = level / level.mean()
    return xp.concatenate(features), target.astype("float32"), weight.astype("float32")


def _tables(panel: Panel, calendar: Calendar, origin: int) -> Iterator[tuple[slice, LagTable]]:
    """The lag tables of some series after the other, within a budget of bytes."""
    numbered, is_open = len(panel.ids) <= _MOST_NUMBERED, panel.open_periods()
    for rows in panel.blocks(
        bytes_per_series=_BYTES_A_CELL * origin, budget_bytes=_BLOCK_BYTES[panel.backend.device]
    ):
        first_row = rows.start if numbered else None
        part = panel.rows(rows)
        table = LagTable(part, calendar, origin=origin, first_row=first_row, is_open=is_open)
        yield rows, table
