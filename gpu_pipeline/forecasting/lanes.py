"""Lanes: the states of many series under many weights of exponential smoothing, side by side."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, NamedTuple, Self, TypeAlias

from gpu_pipeline.backend import Array, Backend

__all__ = [
    "DAMPING",
    "PATHS_AT_ONCE",
    "Block",
    "Lanes",
    "Race",
    "Season",
    "Weights",
    "path_spacing",
]

Season: TypeAlias = Literal["none", "additive", "multiplicative"]

DAMPING = 0.95  # what is left of a trend a period later
PATHS_AT_ONCE = 4  # whole forecasts being followed at a time, at most

# With a season that multiplies, an error is divided by the season or the level it came about under,
# but by no less than this share of the usual: one sale on a dead weekday says little of the level.
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Weights:
    """What one error moves the level (`alpha`), the trend (`beta`) and the season (`gamma`) by.

    These are the weights of the error-correction form; with `beta` 0 there is no trend.
    """

    season: Season
    alpha: float
    beta: float
    gamma: float

    @classmethod
    def of(cls, season: Season, alpha: float, beta_star: float, gamma_star: float) -> Self:
        """From the parameters of the component form, each of which may be anything in [0, 1]."""
        return cls(season, alpha, alpha * beta_star, (1 - alpha) * gamma_star)


def path_spacing(steps: int, cycle: int) -> int:
    """Periods between the starts of the paths of `steps` periods that lanes are judged by."""
    return -(-steps // (PATHS_AT_ONCE * cycle)) * cycle


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some of the series, periods first, so that a period's values lie side by side.

    `y` and `teaches` are (periods, series), both numbers: `teaches` is 1 or 0. `all_teach` and
    `some_teach` say on the host whether a period teaches all series, or at least one. `first` is
    (series,), from when on they live; `level` (series,) and `profile` (phases, series) are the
    first states, the latter the share of the level by which a phase is above it.
    """

    y: Array
    teaches: Array
    all_teach: Sequence[bool]
    some_teach: Sequence[bool]
    first: Array
    level: Array
    profile: Array

    @classmethod
    def of(
        cls,
        y: Array,
        teaches: Array,
        *,
        first: Array,
        level: Array,
        profile: Array,
        backend: Backend,
    ) -> Self:
        """Of `teaches` as bool; asks the device once which periods teach whom."""
        taught = backend.to_host(teaches.sum(axis=1))
        return cls(
            y=y,
            teaches=teaches.astype("float64"),
            all_teach=(taught == y.shape[1]).tolist(),
            some_teach=(taught > 0).tolist(),
            first=first,
            level=level,
            profile=profile,
        )


class _PhaseSums(NamedTuple):
    """Sums over the periods of one phase on a path that teach, each (series,).

    `damping` is how often the trend is added until a period, less at each step.
    """

    phase: int
    periods: Array
    y: Array
    damping: Array
    damped_y: Array
    damping_2: Array


class _Ahead:
    """What the squared errors of all lanes over the path from `time` on have in common.

    A lane expects a + d b in a period, where a and b are its own and the same in all periods of a
    phase, and d is the sum of dampings. The square of its error is y² - 2ay - 2bdy + a² + 2abd +
    b²d²: so a few sums by phase and series do for all lanes, however long the path. A series that
    does not live yet has no path.
    """

    def __init__(self, block: Block, time: int, damping: Array) -> None:
        steps, season = len(damping), len(block.profile)
        teaches = block.teaches[time : time + steps] * (block.first <= time)
        now, damped = block.y[time : time + steps] * teaches, damping[:, None]
        terms = (teaches, now, damped * teaches, damped * now, damped**2 * teaches)
        self.squares = (now * now).sum(axis=0)
        self.phases = [
            _PhaseSums((time + step) % season, *(term[step::season].sum(axis=0) for term in terms))
            for step in range(min(season, steps))
        ]


class Lanes:
    """States of a block's series under weights that agree on season and trend: (lanes, series).

    `squares` are the sums of squared errors that a lane is judged by.
    """

    def __init__(self, block: Block, weights: Sequence[Weights], xp: ModuleType) -> None:
        shape = (len(weights), block.y.shape[1])
        table = xp.asarray([[one.alpha, one.beta, one.gamma] for one in weights])
        self._alpha, self._beta, self._gamma = table.T[:, :, None]
        self._form, self._has_trend = weights[0].season, weights[0].beta > 0
        self._block, self._xp = block, xp
        self.squares = xp.zeros(shape)
        self._level = xp.broadcast_to(block.level, shape).copy()
        self._trend = xp.zeros(shape)
        first = {
            "none": xp.zeros_like(block.profile),
            "additive": block.profile * block.level,
            "multiplicative": 1 + block.profile,
        }[self._form]
        self._season = xp.broadcast_to(first[:, None, :], (len(first), *shape)).copy()
        # Where there is no usual level, no season is learnt that multiplies it.
        self._least_level = xp.where(block.level > 0, _LEAST_SHARE * block.level, xp.inf)
        self._error, self._scratch, self._share = (xp.empty(shape) for _ in range(3))

    def learn(self, time: int) -> None:
        """Take in one period; where it does not teach, the trend goes on all the same."""
        xp, block, error = self._xp, self._block, self._error
        if self._has_trend:
            xp.multiply(self._trend, DAMPING, out=self._trend)
            xp.add(self._level, self._trend, out=self._level)
        if not block.some_teach[time]:
            return
        season = self._season[time % len(self._season)]
        combine = xp.multiply if self._form == "multiplicative" else xp.add
        xp.subtract(block.y[time], combine(self._level, season, out=error), out=error)
        if not block.all_teach[time]:
            xp.multiply(error, block.teaches[time], out=error)
        self._add(self.squares, error, error)
        change = error
        if self._form == "multiplicative":
            change = xp.maximum(self._level, self._least_level, out=self._share)
            xp.divide(error, change, out=change)
            xp.divide(error, xp.maximum(season, _LEAST_SHARE, out=self._scratch), out=error)
        self._add(self._level, error, self._alpha)
        if self._has_trend:
            self._add(self._trend, error, self._beta)
        if self._form != "none":
            self._add(season, change, self._gamma)

    def path_squares(self, ahead: _Ahead) -> Array:
        """The squared errors of the whole forecast made now, (lanes, series)."""
        level, trend = self._level, self._trend
        total = self._xp.zeros_like(level) + ahead.squares
        for sums in ahead.phases:
            season = self._season[sums.phase]
            if self._form == "multiplicative":
                square, cross = level * level * sums.periods, level * sums.y
                if self._has_trend:
                    square += trend * (2 * level * sums.damping + trend * sums.damping_2)
                    cross += trend * sums.damped_y
                total += season * (season * square - 2 * cross)
                continue
            base = level + season
            total += base * (base * sums.periods - 2 * sums.y)
            if self._has_trend:
                total += trend * (2 * (base * sums.damping - sums.damped_y))
                total += trend * trend * sums.damping_2
        return total

    def best_forecast(self, time: int, damping: Array, *, lanes: int) -> tuple[Array, Array]:
        """(the least squares (series,), what the best `lanes` on average expect from `time` on).

        The latter is (series, steps).
        """
        xp, series = self._xp, self._xp.arange(self.squares.shape[1])
        best = self.squares.argsort(axis=0)[:lanes]
        phases = (time + xp.arange(len(damping))) % len(self._season)
        season = self._season[:, best, series][phases]
        trend = damping[:, None, None] * self._trend[best, series]
        level = self._level[best, series] + trend
        expected = level * season if self._form == "multiplicative" else level + season
        return self.squares[best[0], series], expected.mean(axis=1).T

    def _add(self, state: Array, error: Array, weight: Array) -> None:
        xp = self._xp
        xp.add(state, xp.multiply(error, weight, out=self._scratch), out=state)


class Race:
    """The lanes of a block, led through time side by side."""

    def __init__(
        self, groups: Sequence[Lanes], block: Block, damping: Array, xp: ModuleType
    ) -> None:
        self._groups, self._block, self._damping, self._xp = groups, block, damping, xp
        self._time = next((t for t, teaches in enumerate(block.some_teach) if teaches), 0)
        self._paths: list[tuple[int, list[Array]]] = []

    def advance(self, until: int, *, starts: Container[int]) -> None:
        """Learn from the periods up to, not including, `until`; paths begin at the `starts`."""
        for time in range(self._time, until):
            if time in starts:
                ahead = _Ahead(self._block, time, self._damping)
                squares = [lanes.path_squares(ahead) for lanes in self._groups]
                self._paths.append((time + len(self._damping), squares))
            for lanes in self._groups:
                lanes.learn(time)
        self._time = max(self._time, until)
        while self._paths and self._paths[0][0] <= until:
            for lanes, of_path in zip(self._groups, self._paths.pop(0)[1], strict=True):
                lanes.squares += of_path

    def forecast(self, *, lanes: int = 1) -> Array:
        """What the best `lanes` of each series' best group on average expect, (series, steps)."""
        xp = self._xp
        found = [
            group.best_forecast(self._time, self._damping, lanes=lanes) for group in self._groups
        ]
        best = xp.stack([squares for squares, _ in found]).argmin(axis=0)
        return xp.stack([expected for _, expected in found])[best, xp.arange(len(best))]
