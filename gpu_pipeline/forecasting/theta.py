"""Theta: half the trend of a series' whole life, and a level that follows it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.lanes import Block, Lanes, Race, Weights, path_spacing
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["ALPHAS", "MINIMUM_AGE", "seasonal_indices", "theta"]

MINIMUM_AGE = 14  # periods that a series must have lived through
ALPHAS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.99)

_Z_95 = 1.6448536269514722  # the normal quantile that an autocorrelation must pass
_LEAST_INDEX = 0.01  # below which a season is added, not multiplied
_COPIES = 10  # of a block's demand that are in memory at a time
_BLOCK_BYTES = {"cpu": 2**25, "gpu": 2**31}


def theta(
    panel: Panel, *, origins: Sequence[int], steps: int, alphas: Sequence[float] = ALPHAS
) -> Array:
    """The forecasts made at each origin, float32 (origins, series, steps), never negative.

    Not a number for a series that at an origin is younger than `MINIMUM_AGE`. Simple exponential
    smoothing with a drift of half the slope of the line through the series, which is what the Theta
    method comes to. The `alpha` of a series is judged as in `exponential_smoothing`: by one-step
    errors alone it chases the days before (and the next four weeks of Walmart's departments were
    off by a seventh more).
    Where its autocorrelation at the season's lag is significant, a series is first freed of its
    season, and forecasts get it back: multiplied, or added where the demand was ever zero. A
    period without trade counts as the one a season before it.

    Sources: Assimakopoulos & Nikolopoulos (2000), The theta model, Int. J. Forecasting 16; Hyndman
    & Billah (2003), Unmasking the Theta method, Int. J. Forecasting 19, whose form this is, with
    the test of R's forecast::thetaf.
    """
    xp = panel.backend.xp
    made = xp.full((len(origins), len(panel.ids), steps), xp.nan, dtype="float32")
    is_open = panel.open_periods()
    closed = panel.backend.to_host((~is_open).nonzero()[0]).tolist()

    def fill(rows: slice) -> None:
        part = panel.rows(rows)
        y = xp.ascontiguousarray(part.y[:, : origins[-1]].T.astype("float64"))
        for time in closed:
            if panel.season <= time < origins[-1]:
                y[time] = y[time - panel.season]
        for i, origin in enumerate(origins):
            is_old = (origin - part.first >= MINIMUM_AGE)[:, None]
            teaches = part.observed[:, :origin].T & is_open[:origin, None]
            found = _forecast(part, y[:origin], teaches, steps, alphas)
            made[i, rows] = xp.where(is_old, found, xp.nan)

    blocks = panel.blocks(
        bytes_per_series=8 * _COPIES * origins[-1], budget_bytes=_BLOCK_BYTES[panel.backend.device]
    )
    with ThreadPoolExecutor(panel.backend.fits_at_once) as pool:
        list(pool.map(fill, blocks))
    return made


def seasonal_indices(
    y: Array, first: Array, season: int, panel: Panel
) -> tuple[Array, Array, Array]:
    """(multiplied by, added to the level in each phase, both (phases, series); whether seasonal).

    Classical decomposition of `y` (periods, series) from `first` (series,) on; a series without a
    significant season, or younger than two of them, has 1 and 0. Phases count from period 0.
    """
    xp = panel.backend.xp
    time = xp.arange(len(y))[:, None]
    alive = time >= first
    age = xp.maximum(len(y) - first, 1)
    seasonal = (age >= 2 * season) & _repeats(y, alive, age, season, panel)
    half = season // 2
    inside = (time >= first + half) & (time < len(y) - half)
    trend = _centred_mean(y, season, panel)
    positive = xp.where(alive, y, 1.0).min(axis=0) > 0
    share = _phase_means(y / xp.where(inside & positive, trend, 1.0), inside, season, panel)
    above = _phase_means(y - trend, inside, season, panel)
    share = share / xp.where(share.mean(axis=0) > 0, share.mean(axis=0), 1.0)
    above = above - above.mean(axis=0)
    multiplies = seasonal & positive & (share.min(axis=0) >= _LEAST_INDEX)
    return (
        xp.where(multiplies, share, 1.0),
        xp.where(seasonal & ~multiplies, above, 0.0),
        seasonal,
    )


def _forecast(panel: Panel, y: Array, teaches: Array, steps: int, alphas: Sequence[float]) -> Array:
    """What is expected after the periods `y` (periods, series), (series, steps)."""
    xp, season, periods = panel.backend.xp, panel.season, len(y)
    first = xp.minimum(panel.first, periods - 1)
    times, plus, _ = seasonal_indices(y, first, season, panel)
    phases = xp.arange(periods) % season
    alive = xp.arange(periods)[:, None] >= first
    flat = xp.where(alive, (y - plus[phases]) / times[phases], 0.0)
    level, alpha = _smoothed(flat, teaches, first, steps=steps, alphas=alphas, panel=panel)
    age = periods - first
    drift = _slope(flat, alive, age, panel) / 2
    ahead = xp.arange(steps)[:, None] + (1 - (1 - alpha) ** age) / alpha
    phases = (periods + xp.arange(steps)) % season
    expected = (level + drift * ahead) * times[phases] + plus[phases]
    return xp.maximum(expected, 0.0).T


def _smoothed(
    flat: Array,
    teaches: Array,
    first: Array,
    *,
    steps: int,
    alphas: Sequence[float],
    panel: Panel,
) -> tuple[Array, Array]:
    """The last level of each series and the alpha it came about by, both (series,).

    The first level is the mean of the first season.
    """
    xp, season = panel.backend.xp, panel.season
    time, periods = xp.arange(len(flat))[:, None], len(flat)
    begun = (time >= first) & (time < first + season)
    block = Block.of(
        flat,
        teaches,
        first=first,
        level=(flat * begun).sum(axis=0) / begun.sum(axis=0),
        profile=xp.zeros((1, flat.shape[1])),
        backend=panel.backend,
    )
    lanes = Lanes(block, [Weights("none", alpha, 0.0, 0.0) for alpha in alphas], xp)
    race = Race([lanes], block, xp.zeros(steps), xp)
    spacing = path_spacing(steps, panel.cycle)
    race.advance(periods, starts=range(periods - steps, -1, -spacing))
    return race.forecast()[:, 0], xp.asarray(alphas)[lanes.squares.argmin(axis=0)]


def _slope(flat: Array, alive: Array, age: Array, panel: Panel) -> Array:
    """Of the line through each series since it lives, (series,)."""
    time = panel.backend.xp.arange(len(flat))[:, None]
    since = (time - (len(flat) - (age + 1) / 2)) * alive
    return (since * flat).sum(axis=0) / panel.backend.xp.maximum((since**2).sum(axis=0), 1.0)


def _repeats(y: Array, alive: Array, age: Array, season: int, panel: Panel) -> Array:
    """Whether the autocorrelation at the season's lag is significant, bool (series,)."""
    xp = panel.backend.xp
    off = (y - (y * alive).sum(axis=0) / age) * alive
    power = xp.maximum((off**2).sum(axis=0), 1e-12)
    lags = [(off[lag:] * off[:-lag]).sum(axis=0) / power for lag in range(1, season + 1)]
    below = xp.stack(lags[:-1]) ** 2
    limit = _Z_95 * xp.sqrt((1 + 2 * below.sum(axis=0)) / age)
    return xp.abs(lags[-1]) > limit


def _centred_mean(y: Array, season: int, panel: Panel) -> Array:
    """Of the season around each period, (periods, series); 0 near the ends.

    Of an even season the two periods at its ends count half.
    """
    xp, half = panel.backend.xp, season // 2
    sums = xp.concatenate([xp.zeros_like(y[:1]), xp.cumsum(y, axis=0)])
    mean = xp.zeros_like(y)
    if len(y) <= 2 * half:
        return mean
    inner = slice(half, len(y) - half)
    around = sums[2 * half + 1 :] - sums[: len(y) - 2 * half]
    if season % 2 == 0:
        around -= (y[: len(y) - 2 * half] + y[2 * half :]) / 2
    mean[inner] = around / season
    return mean


def _phase_means(values: Array, inside: Array, season: int, panel: Panel) -> Array:
    """The mean of each phase over the periods inside, (phases, series); 0 where there is none."""
    xp, rest = panel.backend.xp, -len(values) % season
    padded = [
        xp.concatenate([part, xp.zeros((rest, part.shape[1]))]).reshape(-1, season, part.shape[1])
        for part in (xp.where(inside, values, 0.0), inside.astype("float64"))
    ]
    total, count = (part.sum(axis=0) for part in padded)
    return total / xp.maximum(count, 1.0)
