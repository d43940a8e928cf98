"""Exponential smoothing of all series at once: level, damped trend, season added or multiplied."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.lanes import (
    DAMPING,
    PATHS_AT_ONCE,
    Block,
    Lanes,
    Race,
    Season,
    Weights,
    path_spacing,
)
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["GRID", "MINIMUM_AGE", "exponential_smoothing", "first_periods"]

MINIMUM_AGE = 14  # periods that a series must have lived through to be smoothed
_AVERAGED = 5  # lanes that a forecast is the mean of; one alone is taken by chance now and then
_FIRST_PERIODS = 28  # from which the first level and season are taken, or as many whole seasons

# What the state of one block of series may take: on a processor what its caches hold (of 512 KiB
# to 8 MiB none was faster), on a device enough to keep it busy.
_BLOCK_BYTES = {"cpu": 2**22, "gpu": 2**31}

_SEASONS: tuple[Season, ...] = ("additive", "multiplicative")
_ALPHAS = (0.01, 0.02, 0.04, 0.07, 0.11, 0.17, 0.26, 0.45)
_GAMMA_STARS = (0.0, 0.02, 0.05, 0.1)
_TRENDS = ((0.05, 0.05), (0.15, 0.1), (0.4, 0.2))  # alpha and beta_star
GRID: tuple[Weights, ...] = (
    *(Weights.of("none", alpha, 0.0, 0.0) for alpha in _ALPHAS),
    *(
        Weights.of(season, alpha, beta_star, gamma_star)
        for season in _SEASONS
        for alpha, beta_star in (*((alpha, 0.0) for alpha in _ALPHAS), *_TRENDS)
        for gamma_star in _GAMMA_STARS
    ),
)


def exponential_smoothing(
    panel: Panel, *, origins: Sequence[int], steps: int, grid: Sequence[Weights] = GRID
) -> Array:
    """The forecasts made at each origin, float32 (origins, series, steps), never negative.

    Not a number for a series that at an origin is younger than `MINIMUM_AGE`; one that is younger
    than two seasons is forecast without a season. Origins ascend.

    Every series runs through every lane of the grid, from its own first sale on. Lanes are judged
    by the squares so far: those of all one-step errors and of the errors of whole paths of `steps`
    periods, one started every few periods, that have ended. (Paths judge what is asked for;
    without them a level that chases the days before is often preferred. Young series have only
    single steps.) At each origin the form of season and trend is that of the best lane, and the
    forecast the mean of the best five lanes of that form. So one pass serves all origins, and none
    sees what comes after it. Nothing is learnt in periods without trade or not observed.

    The first level is the mean of the first periods, the first season their mean by phase beside
    it, the first trend 0. States are float64: a lane is within a millionth of one computed alone.

    Sources: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., ch. 8 (both
    seasons with damped trend, their error-correction forms, first states); Gardner (1985),
    Exponential smoothing: the state of the art, Journal of Forecasting 4 (the damped trend).
    """
    made = panel.backend.xp.full(
        (len(origins), len(panel.ids), steps), float("nan"), dtype="float32"
    )
    is_short = 2 * panel.season <= MINIMUM_AGE
    for season in (panel.season,) if is_short else (1, panel.season):
        _forecast_into(made, panel, season=season, origins=origins, grid=grid)
    return made


def first_periods(age: Array, season: int, panel: Panel) -> Array:
    """How many periods the first states of series of that age are taken from: whole seasons."""
    most = max(2, _FIRST_PERIODS // season) * season
    return panel.backend.xp.minimum(age // season * season, most)


def _forecast_into(
    made: Array, panel: Panel, *, season: int, origins: Sequence[int], grid: Sequence[Weights]
) -> None:
    """Overwrite what is forecast for series that have lived through two of these seasons."""
    xp, steps = panel.backend.xp, made.shape[2]
    is_old, initial = _beginnings(panel, season=season, origins=origins)
    spacing, last = path_spacing(steps, panel.cycle), origins[-1]
    damping = xp.cumsum(DAMPING ** xp.arange(1, steps + 1))
    is_open = panel.open_periods()[:last, None]
    groups = _groups(grid, season)

    def fill(rows: slice) -> None:
        block = _block(panel.rows(rows), is_open, initial[rows], season)
        race = Race([Lanes(block, group, xp) for group in groups], block, damping, xp)
        for i, origin in enumerate(origins):
            race.advance(origin, starts=range(last - steps, -1, -spacing))
            found = xp.maximum(race.forecast(lanes=_AVERAGED), 0.0)
            made[i, rows] = xp.where(is_old[i, rows][:, None], found, made[i, rows])

    lane_bytes = 8 * (season + 6 + PATHS_AT_ONCE)  # its season, level, trend, squares, paths, …
    blocks = panel.blocks(
        bytes_per_series=sum(map(len, groups)) * lane_bytes,
        budget_bytes=_BLOCK_BYTES[panel.backend.device],
    )
    with ThreadPoolExecutor(panel.backend.fits_at_once) as pool:
        list(pool.map(fill, blocks))


def _beginnings(panel: Panel, *, season: int, origins: Sequence[int]) -> tuple[Array, Array]:
    """Which series are old enough at each origin, and the periods of their first states.

    Those lie before the first forecast of a series, which may know of no later ones.
    """
    xp = panel.backend.xp
    least = max(MINIMUM_AGE, 2 * season)
    age = xp.asarray(origins)[:, None] - panel.first
    is_old = age >= least
    first_age = xp.where(is_old, age, max(least, origins[-1])).min(axis=0)
    return is_old, first_periods(first_age, season, panel)


def _groups(grid: Sequence[Weights], season: int) -> list[list[Weights]]:
    """The weights that agree on season and trend; where there is no season, all without one."""
    if season == 1:
        grid = [*dict.fromkeys(replace(one, season="none", gamma=0.0) for one in grid)]
    groups: dict[tuple[str, bool], list[Weights]] = {}
    for one in grid:
        groups.setdefault((one.season, one.beta > 0), []).append(one)
    return [*groups.values()]


def _block(panel: Panel, is_open: Array, initial: Array, season: int) -> Block:
    """The series up to the end of `is_open` (periods, 1), with their first states."""
    xp, periods = panel.backend.xp, len(is_open)
    y = xp.ascontiguousarray(panel.y[:, :periods].T.astype("float64"))
    teaches = panel.observed[:, :periods].T & is_open
    time = xp.arange(periods)[:, None]
    begun = xp.where((time >= panel.first) & (time < panel.first + initial), y, 0.0)
    level = begun.sum(axis=0) / initial
    rest = xp.zeros((-periods % season, y.shape[1]))
    by_phase = xp.concatenate([begun, rest]).reshape(-1, season, y.shape[1]).sum(axis=0)
    usual = xp.where(level > 0, level, 1.0)
    profile = xp.where(level > 0, by_phase * season / initial / usual - 1, 0.0)
    return Block.of(
        y, teaches, first=panel.first, level=level, profile=profile, backend=panel.backend
    )
