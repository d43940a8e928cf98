"""Lags: what is known of a series some periods ahead of a period, as rows for a regressor."""

from dataclasses import dataclass

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.calendar import Calendar
from gpu_pipeline.forecasting.frequency import Freq
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["SHAPES", "LagTable", "Shape"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How far back the features of a frequency look, in periods.

    `level` is the window whose mean everything is divided by, `means` are further ones, `year` is
    a whole number of weeks; `same` is how many of the last periods of the same weekday are looked
    at one by one. A series must be `minimum_age` periods old.
    """

    level: int
    means: tuple[int, ...]
    year: int
    same: int
    minimum_age: int


SHAPES: dict[Freq, Shape] = {
    "D": Shape(level=28, means=(7, 14, 56, 112), year=364, same=8, minimum_age=28),
    "W": Shape(level=8, means=(2, 4, 13, 26), year=52, same=4, minimum_age=8),
}
_LATEST = 3  # of the last periods, looked at one by one
_FEW_UNITS = 0.5  # added to what a series sold, so that no level is 0


class LagTable:
    """Rows for a regressor: features of (series, period) pairs from demand `lag` periods before.

    Demand features are ratios to a series' recent level, so that one regressor learns from large
    and small series alike, and no row knows demand less than `lag` periods before its period. Where
    a series is too young for a feature, its level stands in. `first_row` is the number of the
    panel's first series where the regressor is to tell series apart, else None. `is_open` are the
    periods with trade, which only all series of a shop together can tell (`Panel.open_periods`).
    """

    def __init__(
        self,
        panel: Panel,
        calendar: Calendar,
        *,
        origin: int,
        first_row: int | None,
        is_open: Array,
    ) -> None:
        xp, self._panel, self._calendar = panel.backend.xp, panel, calendar
        self._y = panel.y[:, :origin].copy()
        closed = (~is_open[:origin]).nonzero()[0]
        for time in panel.backend.to_host(closed).tolist():
            if time >= panel.cycle:
                self._y[:, time] = self._y[:, time - panel.cycle]
        self._sums = xp.zeros((len(self._y), origin + 1))
        xp.cumsum(self._y, axis=1, dtype="float64", out=self._sums[:, 1:])
        self._shape, self._first_row = SHAPES[panel.freq], first_row

    def rows(self, series: Array, period: Array, *, lag: int) -> tuple[Array, Array]:
        """(features, float32 (rows, features); level, float64 (rows,), in units a period)."""
        xp, shape, cycle = self._panel.backend.xp, self._shape, self._panel.cycle
        seen = period - lag
        level = self._mean(series, seen, shape.level, plus=_FEW_UNITS)

        def ratio(found: Array) -> Array:
            return found / level

        last_same = seen - (-lag) % cycle
        same = [ratio(self._value(series, last_same - k * cycle, level)) for k in range(shape.same)]
        half = shape.same // 2
        columns = [
            *same[:half],
            sum(same[:half]) / half,
            sum(same) / shape.same,
            *(ratio(self._value(series, seen - k, level)) for k in range(_LATEST)),
            *(ratio(self._mean(series, seen, n)) for n in shape.means),
            *self._year(series, period, seen, lag),
            *(values[period] for values in self._calendar.values),
            *self._known(series, period, seen),
            *self._static(series),
        ]
        features = xp.empty((len(period), len(columns)), dtype="float32")
        for place, column in enumerate(columns):
            features[:, place] = column
        return features, level

    def _mean(self, series: Array, seen: Array, window: int, plus: float = 0.0) -> Array:
        """The mean of the last `window` periods up to `seen`, or of as many as a series has."""
        xp = self._panel.backend.xp
        begin = xp.maximum(xp.maximum(seen + 1 - window, self._panel.first[series]), 0)
        begin = xp.minimum(begin, seen)
        total = self._sums[series, seen + 1] - self._sums[series, begin]
        return xp.maximum(total + plus, plus) / (seen + 1 - begin)

    def _value(self, series: Array, period: Array, otherwise: Array) -> Array:
        xp = self._panel.backend.xp
        is_there = period >= self._panel.first[series]
        return xp.where(is_there, self._y[series, xp.maximum(period, 0)], otherwise)

    def _year(self, series: Array, period: Array, seen: Array, lag: int) -> list[Array]:
        """The day and the week around it a year before, as ratios to the level of then.

        Where the lag is too long for that, of the last year that is known.
        """
        xp, cycle = self._panel.backend.xp, self._panel.cycle
        year = -(-(lag + cycle // 2) // self._shape.year) * self._shape.year
        before = period - year
        old = seen - year - self._shape.level >= self._panel.first[series]
        then = xp.where(old, seen - year, seen)
        level = self._mean(series, then, self._shape.level, plus=_FEW_UNITS)
        day = xp.where(old, self._y[series, xp.maximum(before, 0)], level)
        around = self._mean(series, xp.where(old, before + cycle // 2, then), cycle)
        return [day / level, xp.where(old, around / level, 1.0)]

    def _known(self, series: Array, period: Array, seen: Array) -> list[Array]:
        """Columns known ahead: as they are, and numbers also beside what they were lately."""
        xp, known, found = self._panel.backend.xp, self._panel.known, list[Array]()
        for name, values in zip(known.names, known.values, strict=True):
            row = series if len(values) > 1 else xp.zeros_like(series)
            now = values[row, period]
            found.append(xp.where(xp.isnan(now), -1.0, now))
            if name not in known.categories and len(values) > 1:
                lately = values[row, seen]
                usable = (lately > 0) & (now > 0)
                found.append(xp.where(usable, now / xp.where(usable, lately, 1.0), 1.0))
        return found

    def _static(self, series: Array) -> list[Array]:
        codes = [column.codes[series] for column in self._panel.static.values()]
        return codes if self._first_row is None else [*codes, series + self._first_row]
