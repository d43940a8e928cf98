"""Dynamic regression: every series on the calendar and what is known ahead, its errors smoothed.

What comes back by itself (weekdays, days of the month, the year, events, promotions) is learnt from
the whole history by ridge regression of the logarithm; where the series stands now is learnt from
the last weeks, by exponential smoothing of what the regression leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.calendar import event_distances, shown_events
from gpu_pipeline.forecasting.frequency import FREQUENCIES
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["DynamicRegression", "fit_dynamic_regression"]

MINIMUM_AGE = {"D": 56, "W": 26}  # periods that a series must have lived through
_HALF_LIFE_YEARS = 5.0  # after which a period counts half
_HARMONICS = 3  # of the year
_WHOLE_YEAR = 1.2  # years that a panel must span to know its course
_ALPHA, _GAMMA = 0.15, 0.03  # what one error moves the level and the season of the errors by
_ERRORS = 112  # of the last periods, which say what the logarithm hides of the mean
_LEAST = 0.02  # of a series' mean, added before the logarithm
_MOST = 1.0  # above the largest logarithm that was seen, that a forecast may lie
_NEAR = (-5, 4)  # periods around an event, which are told apart
_MOST_EVENTS = 30  # of a column: those on most dates
_YEAR_DAYS = 365.25
_RIDGE = 1.0
_RIDGE_OF_ALL = 0.3
# How strongly each kind of column is held towards 0.
_STIFF = {"weekday": 1e-3, "year": 0.1, "month_day": 1.0, "event": 0.3, "near": 3.0, "known": 0.1}
_STIFF_TREND = 1.0
_BLOCK_BYTES = {"cpu": 2**26, "gpu": 2**31}


@dataclass(frozen=True, kw_only=True)
class DynamicRegression:
    """What was learnt at an origin: coefficients (series, columns), and the errors' state then.

    `level` (series,) and `season` (series, cycle) are of the errors; `factor` (series,) makes a
    mean of what the logarithm's inverse gives; `offset` (series,) was added before the logarithm,
    `most` (series,) is the largest one that a forecast may have.
    """

    origin: int
    steps: int
    coefficients: Array
    level: Array
    season: Array
    factor: Array
    offset: Array
    most: Array
    is_old: Array

    def forecasts(self, panel: Panel) -> Array:
        """The forecasts from the origin on, float32 (series, steps), never negative.

        Not a number for a series that was too young. `panel` is the one that was learnt from,
        with its columns known ahead for all steps.
        """
        xp, begin, end = panel.backend.xp, self.origin, self.origin + self.steps
        made = xp.empty((len(panel.ids), self.steps), dtype="float32")
        shared, _ = _shared_columns(panel, begin, end)
        phase = xp.arange(begin, end) % panel.cycle
        for rows in _blocks(panel, shared.shape[1]):
            design = _design(panel, rows, shared, begin, end, self.origin)
            said = xp.matmul(design, self.coefficients[rows][:, :, None])[:, :, 0]
            said += self.level[rows, None] + self.season[rows][:, phase]
            said = xp.minimum(said, self.most[rows, None])
            mean = xp.exp(said) * self.factor[rows, None] - self.offset[rows, None]
            made[rows] = xp.where(self.is_old[rows, None], xp.maximum(mean, 0.0), xp.nan)
        return made


def fit_dynamic_regression(panel: Panel, *, origin: int, steps: int) -> DynamicRegression:
    """Regressions of all series on the periods before `origin`.

    Sources: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., ch. 10 (a
    regression whose errors are a time series themselves) and 7.4 (columns of the calendar); the
    mean from the logarithm: Duan (1983), Smearing estimate, J. American Statistical Ass. 78.
    """
    xp, series = panel.backend.xp, len(panel.ids)
    shared, stiff = _shared_columns(panel, 0, origin)
    columns = shared.shape[1] + _own_columns(panel)
    ridge = xp.asarray([*stiff, *[_STIFF["known"]] * (_own_columns(panel) - 1), _STIFF_TREND])
    offset, most = xp.empty(series), xp.empty(series)
    coefficients = xp.zeros((series, columns))
    level, season = xp.zeros(series), xp.zeros((series, panel.cycle))
    factor = xp.ones(series)
    half_life = _HALF_LIFE_YEARS * _periods_of_year(panel)
    recent = 0.5 ** ((origin - xp.arange(origin)) / half_life)
    centre = _of_all(panel, shared, xp.asarray(stiff), recent)
    usual = shared @ centre
    is_open = panel.open_periods()[:origin]
    for rows in _blocks(panel, columns, periods=origin):
        part = panel.rows(rows)
        teaches = part.observed[:, :origin] & is_open
        y = xp.where(teaches, part.y[:, :origin], 0.0).astype("float64")
        mean = xp.maximum(y.sum(axis=1), 0.0) / xp.maximum(teaches.sum(axis=1), 1)
        offset[rows] = _LEAST * mean + 1e-3
        logs = xp.log(xp.maximum(y, 0.0) + offset[rows, None])
        most[rows] = logs.max(axis=1) + _MOST
        logs = logs - usual
        design = _design(panel, rows, shared, 0, origin, origin)
        weighted = design * (teaches * recent)[:, :, None]
        products = xp.matmul(weighted.transpose(0, 2, 1), design) + _RIDGE * xp.diag(ridge)
        moments = xp.matmul(weighted.transpose(0, 2, 1), logs[:, :, None])
        found = xp.linalg.solve(products, moments)
        coefficients[rows] = found[:, :, 0]
        coefficients[rows, : len(centre)] += centre
        errors = (logs - xp.matmul(design, found)[:, :, 0]) * teaches
        level[rows], season[rows], factor[rows] = _smoothed(errors, teaches, panel)
    return DynamicRegression(
        origin=origin,
        steps=steps,
        coefficients=coefficients,
        level=level,
        season=season,
        factor=factor,
        offset=offset,
        most=most,
        is_old=origin - panel.first >= MINIMUM_AGE[panel.freq],
    )


def _of_all(panel: Panel, shared: Array, stiff: Array, recent: Array) -> Array:
    """The coefficients (columns,) of the sum of all series, which each is held towards."""
    xp, periods = panel.backend.xp, len(shared)
    total = panel.y[:, :periods].sum(axis=0, dtype="float64")
    total = xp.maximum(total, 0.0)
    logs = xp.log(total + _LEAST * total.mean() + 1e-3)
    trend = ((xp.arange(periods) - periods) / _periods_of_year(panel))[:, None]
    design = xp.concatenate([shared, trend], axis=1)
    weighted = design * (panel.open_periods()[:periods] * recent)[:, None]
    ridge = _RIDGE_OF_ALL * xp.diag(xp.concatenate([stiff, xp.asarray([_STIFF_TREND])]))
    found: Array = xp.linalg.solve(weighted.T @ design + ridge, weighted.T @ logs)
    return found[:-1]


def _smoothed(errors: Array, teaches: Array, panel: Panel) -> tuple[Array, Array, Array]:
    """The last level and season of the errors (series, periods), and the mean of their inverse."""
    xp, (series, periods) = panel.backend.xp, errors.shape
    level, season = xp.zeros(series), xp.zeros((panel.cycle, series))
    sums, count = xp.zeros(series), xp.zeros(series)
    errors, teaches = xp.ascontiguousarray(errors.T), xp.ascontiguousarray(teaches.T)
    for time in range(periods):
        phase = time % panel.cycle
        surprise = (errors[time] - level - season[phase]) * teaches[time]
        if time >= periods - _ERRORS:
            sums += xp.exp(surprise) * teaches[time]
            count += teaches[time]
        level += _ALPHA * surprise
        if panel.cycle > 1:
            season[phase] += _GAMMA * surprise
    return level, season.T, xp.where(count > 0, sums / xp.maximum(count, 1), 1.0)


def _blocks(panel: Panel, columns: int, periods: int = 64) -> Iterator[slice]:
    return panel.blocks(
        bytes_per_series=24 * columns * (periods + columns),
        budget_bytes=_BLOCK_BYTES[panel.backend.device],
    )


def _own_columns(panel: Panel) -> int:
    """How many columns a series has of its own: numbers known ahead, and its trend."""
    numbers = [name for name in panel.known.names if name not in panel.known.categories]
    return len(numbers) + 1


def _design(panel: Panel, rows: slice, shared: Array, begin: int, end: int, origin: int) -> Array:
    """The regressors of some series, float64 (series, periods, columns)."""
    xp, count = panel.backend.xp, len(panel.ids[rows])
    own = [
        xp.nan_to_num(values[rows if len(values) > 1 else slice(None), begin:end])
        for name, values in zip(panel.known.names, panel.known.values, strict=True)
        if name not in panel.known.categories
    ]
    own.append(((xp.arange(begin, end) - origin + 1) / _periods_of_year(panel))[None, :])
    design = xp.empty((count, end - begin, shared.shape[1] + len(own)))
    design[:, :, : shared.shape[1]] = shared
    for place, values in enumerate(own, start=shared.shape[1]):
        design[:, :, place] = values
    return design


def _periods_of_year(panel: Panel) -> float:
    return _YEAR_DAYS * FREQUENCIES["D"].step_us / FREQUENCIES[panel.freq].step_us


def _shared_columns(panel: Panel, begin: int, end: int) -> tuple[Array, list[float]]:
    """The regressors that all series share, float64 (periods, columns), and how stiff each is."""
    step, periods = FREQUENCIES[panel.freq].step_us, panel.y.shape[1]
    moments = (panel.start_us + step * np.arange(begin, end)).astype("datetime64[us]")
    days = moments.astype("datetime64[D]")
    columns: list[npt.NDArray[np.float64]] = []
    stiff: list[float] = []

    def add(kind: str, found: list[npt.NDArray[np.float64]]) -> None:
        columns.extend(found)
        stiff.extend([_STIFF[kind]] * len(found))

    weekday = (days.astype("int64") + 3) % 7
    if panel.freq == "D":
        add("weekday", [(weekday == day).astype("float64") for day in range(7)])
        month_day = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype("int64")
        add("month_day", [(month_day == day).astype("float64") for day in range(31)])
    else:
        add("weekday", [np.ones(end - begin)])
    if periods >= _WHOLE_YEAR * _periods_of_year(panel):
        angle = 2 * np.pi * days.astype("int64") / _YEAR_DAYS
        for harmonic in range(1, _HARMONICS + 1):
            add("year", [np.sin(harmonic * angle), np.cos(harmonic * angle)])
    for codes, shown in _events(panel, end):
        # Text that every date has, such as the name of a season, has no days around it.
        around = [at for at in range(*_NEAR) if at] if (codes < 0).any() else []
        for code in shown:
            distance = event_distances(codes, code)[begin:end]
            add("event", [(distance == 0).astype("float64")])
            add("near", [(distance == at).astype("float64") for at in around])
    return panel.backend.xp.asarray(np.stack(columns, axis=1)), stiff


def _events(panel: Panel, end: int) -> list[tuple[npt.NDArray[np.int64], list[int]]]:
    """Text columns that all series share: the codes by period, and which of them are looked at."""
    found = []
    for name, values in zip(panel.known.names, panel.known.values, strict=True):
        if name in panel.known.categories and len(values) == 1:
            codes = panel.backend.to_host(values[0, :end]).astype("int64")
            found.append((codes, shown_events(panel, name, most=_MOST_EVENTS)))
    return found
