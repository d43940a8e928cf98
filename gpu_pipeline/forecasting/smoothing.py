"""Exponential smoothing of all series at once: level, damped trend, additive season."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from types import ModuleType
from typing import Self

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["GRID", "MINIMUM_AGE", "Weights", "initial_periods", "path_spacing", "smooth"]

MINIMUM_AGE = 14  # periods that a series must have lived through to be smoothed
_INITIAL_PERIODS = (
    28  # from which the first level and season are taken, where that is whole seasons
)
_PATHS_AT_ONCE = 4  # whole forecasts being followed at a time, at most

# What the state of one block of series may take: on a processor about its second-level cache
# (of 256 KiB to 128 MiB none was faster), on a device enough to keep it busy.
_BLOCK_BYTES = {"cpu": 2**21, "gpu": 2**31}


@dataclass(frozen=True)
class Weights:
    """What one error moves the level (`alpha`), the trend (`beta`) and the season (`gamma`) by.

    `phi` damps the trend at each step. These are the weights of the error-correction form.
    """

    alpha: float
    beta: float
    gamma: float
    phi: float

    @classmethod
    def of(cls, alpha: float, beta_star: float, gamma_star: float, phi: float) -> Self:
        """From the parameters of the component form, each of which may be anything in [0, 1]."""
        return cls(alpha, alpha * beta_star, (1 - alpha) * gamma_star, phi)


GRID: tuple[Weights, ...] = tuple(
    Weights.of(alpha, beta_star, gamma_star, phi)
    for alpha, gamma_star, (beta_star, phi) in product(
        (0.02, 0.05, 0.1, 0.2, 0.35, 0.6), (0.0, 0.03, 0.1, 0.25), ((0.0, 1.0), (0.05, 0.95))
    )
)


def initial_periods(age: Array, panel: Panel) -> tuple[Array, Array]:
    """How many periods each series' first state is taken from, and whether it has a season.

    `age` is int (series,): the periods of its life before the first forecast that is judged.
    A series of two seasons or more has one, and its first state is taken from whole seasons.
    """
    xp, season = panel.backend.xp, panel.season
    seasonal = age >= 2 * season
    whole = xp.minimum(age // season, max(2, _INITIAL_PERIODS // season)) * season
    return xp.where(seasonal, whole, MINIMUM_AGE), seasonal


def path_spacing(steps: int, cycle: int) -> int:
    """Periods between the starts of the paths of `steps` periods that lanes are judged by."""
    return -(-steps // (_PATHS_AT_ONCE * cycle)) * cycle


def smooth(
    panel: Panel, *, age: Array, origins: Sequence[int], steps: int, grid: Sequence[Weights] = GRID
) -> Array:
    """The forecasts made at each origin, float64 (origins, series, steps), never negative.

    Every series runs through every lane of the grid, from its own first sale on. At each origin
    the forecast is that of its lane with the least squares so far: those of all one-step errors and
    of the errors of whole paths of `steps` periods, one started every few periods, that have ended
    by then. (Paths judge what is asked for; without them a level that chases the days before is
    often preferred. Young series have only single steps.) So one pass serves all origins, and
    none sees what comes after it. Nothing is learnt in periods without trade.

    The first level is the mean of the first periods, the first season their mean by phase less
    that, the first trend 0. What is forecast for a series that at an origin has not lived through
    those first periods means nothing: see `initial_periods`, which takes `age`. Origins ascend.

    Sources: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., ch. 8 (the
    additive method with damped trend, its error-correction form, first states); Gardner (1985),
    Exponential smoothing: the state of the art, Journal of Forecasting 4 (the damped trend).
    """
    xp = panel.backend.xp
    initial, seasonal = initial_periods(age, panel)
    season = panel.season if bool(seasonal.any()) else 1
    is_open = panel.backend.to_host(panel.open_periods()).tolist()
    forecasts = xp.empty((len(origins), len(panel.ids), steps), dtype="float64")
    lane_bytes = 8 * (season + 6 + _PATHS_AT_ONCE)  # its season, level, trend, squares, paths, …
    for rows in panel.blocks(
        bytes_per_series=len(grid) * lane_bytes, budget_bytes=_BLOCK_BYTES[panel.backend.device]
    ):
        block = _Block(
            y=xp.ascontiguousarray(panel.y[rows, : origins[-1]].T.astype("float64")),
            is_open=is_open,
            first=panel.first[rows],
            initial=initial[rows],
            seasonal=seasonal[rows],
        )
        lanes = _Lanes(block, grid, season=season, steps=steps, cycle=panel.cycle, xp=xp)
        for i, origin in enumerate(origins):
            lanes.advance(origin)
            forecasts[i, rows] = lanes.forecast()
    return forecasts


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Some of the series: y (periods, series), is_open (periods,), the others (series,)."""

    y: Array
    is_open: Sequence[bool]
    first: Array
    initial: Array
    seasonal: Array

    def first_state(self, season: int, xp: ModuleType) -> tuple[Array, Array]:
        """The level (series,) and the season (phases, series) of each series' first periods."""
        time, count = xp.arange(len(self.y))[:, None], self.y.shape[1]
        known = xp.where((time >= self.first) & (time < self.first + self.initial), self.y, 0.0)
        level = known.sum(axis=0) / self.initial
        rest = xp.zeros((-len(known) % season, count))
        by_phase = xp.concatenate([known, rest]).reshape(-1, season, count).sum(axis=0)
        profile = by_phase * season / self.initial - level
        return level, xp.where(self.seasonal, profile, 0.0)


class _Lanes:
    """The states of a block's series under every weight of the grid: arrays (lanes, series)."""

    def __init__(
        self,
        block: _Block,
        grid: Sequence[Weights],
        *,
        season: int,
        steps: int,
        cycle: int,
        xp: ModuleType,
    ) -> None:
        weights = xp.asarray([[w.alpha, w.beta, w.gamma, w.phi] for w in grid])
        self._alpha, self._beta, gamma, self._phi = weights.T[:, :, None]
        self._gamma = gamma * block.seasonal
        shape = self._gamma.shape
        level, profile = block.first_state(season, xp)
        self._level = xp.broadcast_to(level, shape).copy()
        self._trend = xp.zeros(shape)
        self._season = xp.broadcast_to(profile[:, None, :], (season, *shape)).copy()
        self._squares = xp.zeros(shape)
        # The sum of the trend's dampings up to each step ahead, (lanes, steps).
        self._damping = xp.cumsum(self._phi ** xp.arange(1, steps + 1), axis=1)
        self._paths: list[tuple[int, Array]] = []
        self._spacing = path_spacing(steps, cycle)
        self._block, self._steps, self._xp = block, steps, xp
        self._time = int(block.first.min())

    def advance(self, until: int) -> None:
        """Learn from the periods up to, not including, `until`."""
        error, scratch = self._xp.empty_like(self._level), self._xp.empty_like(self._level)
        for time in range(self._time, until):
            left = len(self._block.y) - time
            if left >= self._steps and left % self._spacing == 0:
                self._start_path(time)
            if self._block.is_open[time]:
                self._learn(time, error, scratch)
        self._time = max(self._time, until)
        while self._paths and self._paths[0][0] <= until:
            self._squares += self._paths.pop(0)[1]

    def forecast(self) -> Array:
        """What each series' best lane so far expects next, (series, steps)."""
        xp, best = self._xp, self._squares.argmin(axis=0)
        series = xp.arange(len(best))
        phases = (self._time + xp.arange(self._steps)) % len(self._season)
        level, trend = self._level[best, series], self._trend[best, series]
        season = self._season[:, best, series][phases].T
        expected = level[:, None] + self._damping[best] * trend[:, None] + season
        return xp.maximum(expected, 0.0)

    def _learn(self, time: int, error: Array, scratch: Array) -> None:
        """One period; `error` and `scratch` are overwritten."""
        xp, block, season = self._xp, self._block, self._season[time % len(self._season)]
        xp.multiply(self._trend, self._phi, out=self._trend)
        xp.add(self._level, self._trend, out=self._level)
        xp.subtract(block.y[time], self._level, out=error)
        xp.subtract(error, season, out=error)
        # A series that does not live yet has no errors, and its state stays the first one.
        xp.multiply(error, time >= block.first, out=error)
        for state, weight in (
            (self._squares, error),
            (self._level, self._alpha),
            (self._trend, self._beta),
            (season, self._gamma),
        ):
            xp.add(state, xp.multiply(error, weight, out=scratch), out=state)

    def _start_path(self, time: int) -> None:
        """Sum the squared errors of the whole forecast made now, to count when it has ended.

        Those of a series that does not live yet are the same in all its lanes: they decide nothing.
        """
        xp, block = self._xp, self._block
        squares, error = xp.zeros_like(self._level), xp.empty_like(self._level)
        for step in range(self._steps):
            if not block.is_open[time + step]:
                continue
            xp.multiply(self._trend, self._damping[:, step, None], out=error)
            xp.add(error, self._level, out=error)
            xp.add(error, self._season[(time + step) % len(self._season)], out=error)
            xp.subtract(error, block.y[time + step], out=error)
            xp.add(squares, xp.multiply(error, error, out=error), out=squares)
        self._paths.append((time + self._steps, squares))
