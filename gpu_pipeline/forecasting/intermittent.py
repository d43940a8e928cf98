"""Demand that comes now and then: Croston, SBA, TSB and ADIDA, and which of them for whom.

Each forecasts a rate, the same in all periods to come. Sizes of sales and the gaps between them
are smoothed apart, so that a sale does not look like a level that is to stay.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Self

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.panel import Panel

__all__ = [
    "ALPHA",
    "CLASSES",
    "MINIMUM_AGE",
    "adida",
    "croston",
    "demand_class",
    "intermittent",
    "sba",
    "tsb",
]

MINIMUM_AGE = 14  # periods that a series must have lived through
ALPHA = 0.1  # what a new size, gap or chance counts for: the published default of all of them
CLASSES = ("smooth", "erratic", "intermittent", "lumpy")

_GAP_LIMIT, _VARIATION_LIMIT = 1.32, 0.49
_DYING = 0.05  # the chance below which a silence is no accident

_COPIES = 4  # of a block's demand that are in memory at a time
_BLOCK_BYTES = {"cpu": 2**24, "gpu": 2**31}


def croston(panel: Panel, *, origins: Sequence[int], steps: int, alpha: float = ALPHA) -> Array:
    """Smoothed size over smoothed gap, float32 (origins, series, steps).

    Not a number for a series that at an origin is younger than `MINIMUM_AGE`. A series begins with
    a sale, so its first gap is the one after that; until it is over, the rate is what was sold over
    the periods lived.

    Source: Croston (1972), Forecasting and stock control for intermittent demands, Operational
    Research Quarterly 23.
    """
    return _forecast(panel, origins, steps, alpha, lambda now: now.croston)


def sba(panel: Panel, *, origins: Sequence[int], steps: int, alpha: float = ALPHA) -> Array:
    """Croston's rate less its bias, of which a share of alpha / 2 is expected; as `croston`.

    Source: Syntetos & Boylan (2005), The accuracy of intermittent demand estimates, Int. J.
    Forecasting 21.
    """
    return _forecast(panel, origins, steps, alpha, lambda now: now.croston * (1 - alpha / 2))


def tsb(panel: Panel, *, origins: Sequence[int], steps: int, alpha: float = ALPHA) -> Array:
    """Smoothed size times the smoothed chance of a sale, which falls with every period without.

    As `croston` else. Source: Teunter, Syntetos & Babai (2011), Intermittent demand: linking
    forecasting to inventory obsolescence, European Journal of Operational Research 214.
    """
    return _forecast(panel, origins, steps, alpha, lambda now: now.size * now.chance)


def intermittent(
    panel: Panel, *, origins: Sequence[int], steps: int, alpha: float = ALPHA
) -> Array:
    """Croston for smooth demand, SBA for any other, TSB for what dies out; as `croston` else.

    The class is of the periods before the origin, as in `demand_class`. Demand dies out where a
    silence as long as the one before the origin would come about in less than one of twenty cases.

    Sources: Syntetos, Boylan & Croston (2005), On the categorization of demand patterns, Journal of
    the Operational Research Society 56 (their rule, whose regions meet where the errors of Croston
    and SBA do); for what dies out as in `tsb`.
    """
    return _forecast(panel, origins, steps, alpha, lambda now: now.routed(alpha))


def demand_class(panel: Panel, origin: int) -> Array:
    """Each series' place in `CLASSES` by what it sold before `origin`, int8 (series,).

    By the mean gap between sales, more than 1.32 periods or not, and the squared coefficient of
    variation of their sizes, more than 0.49 or not. Source: as for `intermittent`.
    """
    found = panel.backend.xp.zeros(len(panel.ids), dtype="int8")
    for rows, _, state in _states(panel, (origin,), ALPHA):
        found[rows] = state.demand_class
    return found


def adida(panel: Panel, *, origins: Sequence[int], steps: int, alpha: float = ALPHA) -> Array:
    """What was sold in whole mean gaps up to the origin, smoothed, per period; as `croston` else.

    Source: Nikolopoulos, Syntetos, Boylan, Petropoulos & Assimakopoulos (2011), An
    aggregate-disaggregate intermittent demand approach (ADIDA) to forecasting, Journal of the
    Operational Research Society 62.
    """
    xp = panel.backend.xp
    rates = xp.zeros((len(origins), len(panel.ids)))
    for rows, i, state in _states(panel, origins, alpha):
        before = xp.cumsum(panel.y[rows, : origins[i]], axis=1, dtype="float64")
        before = xp.concatenate([xp.zeros_like(before[:, :1]), before], axis=1)
        width = xp.maximum(xp.rint(state.mean_gap), 1).astype("int64")
        rates[i, rows] = _bucketed(before, origins[i] - panel.first[rows], width, alpha, xp)
    return _flat(panel, rates, origins, steps)


@dataclass
class _State:
    """What some series have shown so far, float64 (series,) each.

    `size`, `gap` and `chance` are smoothed; `sales` and `seen` count periods with a sale and
    periods that taught, `since` those after the last sale; `total` and `squares` are sums of
    sizes and of their squares.
    """

    xp: ModuleType
    size: Array
    gap: Array
    chance: Array
    sales: Array
    seen: Array
    since: Array
    total: Array
    squares: Array

    @classmethod
    def empty(cls, series: int, xp: ModuleType) -> Self:
        """Of series that have not begun."""
        return cls(xp, *(xp.zeros(series) for _ in range(8)))

    def learn(self, y: Array, teaches: Array, alpha: float) -> None:
        """Take in one period: what was sold, and whether it counts, (series,) each."""
        where, sold = self.xp.where, teaches & (y > 0)
        self.since += teaches
        change = where(self.seen == 0, 1.0, alpha)
        self.chance += where(teaches, change * (sold - self.chance), 0.0)
        change = where(self.sales == 0, 1.0, alpha)
        self.size += where(sold, change * (y - self.size), 0.0)
        change = where(self.sales == 1, 1.0, alpha)
        self.gap += where(sold & (self.sales > 0), change * (self.since - self.gap), 0.0)
        self.since *= ~sold
        self.seen += teaches
        self.sales += sold
        self.total += where(sold, y, 0.0)
        self.squares += where(sold, y * y, 0.0)

    @property
    def mean_gap(self) -> Array:
        """Periods for each one with a sale; all that were seen where there was none."""
        return self.seen / self.xp.maximum(self.sales, 1)

    @property
    def demand_class(self) -> Array:
        """Places in `CLASSES`."""
        mean = self.total / self.xp.maximum(self.sales, 1)
        deviations = self.xp.maximum(self.squares - self.total * mean, 0.0)
        variance = deviations / self.xp.maximum(self.sales - 1, 1)
        is_variable = variance > _VARIATION_LIMIT * mean**2
        return is_variable + 2 * (self.mean_gap > _GAP_LIMIT).astype("int8")

    @property
    def croston(self) -> Array:
        """Croston's rate per period."""
        gap = self.xp.where(self.sales >= 2, self.gap, self.seen)
        return self.size / self.xp.maximum(gap, 1.0)

    def routed(self, alpha: float) -> Array:
        """The rate by the method that suits a series' demand."""
        where = self.xp.where
        usual = self.croston * where(self.demand_class == 0, 1.0, 1 - alpha / 2)
        silence = (1 - 1 / self.xp.maximum(self.mean_gap, 1.0)) ** self.since
        return where(silence < _DYING, self.size * self.chance, usual)


def _forecast(
    panel: Panel,
    origins: Sequence[int],
    steps: int,
    alpha: float,
    rate: Callable[[_State], Array],
) -> Array:
    rates = panel.backend.xp.zeros((len(origins), len(panel.ids)))
    for rows, i, state in _states(panel, origins, alpha):
        rates[i, rows] = rate(state)
    return _flat(panel, rates, origins, steps)


def _flat(panel: Panel, rates: Array, origins: Sequence[int], steps: int) -> Array:
    """The rates (origins, series) as forecasts of every step."""
    xp = panel.backend.xp
    age = xp.asarray(origins)[:, None] - panel.first
    spoken = xp.where(age >= MINIMUM_AGE, rates, xp.nan).astype("float32")
    return xp.repeat(spoken[:, :, None], steps, axis=2)


def _states(
    panel: Panel, origins: Sequence[int], alpha: float
) -> Iterator[tuple[slice, int, _State]]:
    """(series, place of an origin, their state there); it changes as the iteration goes on."""
    xp, last = panel.backend.xp, origins[-1]
    is_open = panel.open_periods()
    for rows in panel.blocks(
        bytes_per_series=8 * _COPIES * last, budget_bytes=_BLOCK_BYTES[panel.backend.device]
    ):
        part, time = panel.rows(rows), 0
        y = xp.ascontiguousarray(part.y[:, :last].T.astype("float64"))
        teaches = xp.ascontiguousarray((part.observed & is_open)[:, :last].T)
        state = _State.empty(len(part.ids), xp)
        for i, origin in enumerate(origins):
            for period in range(time, origin):
                state.learn(y[period], teaches[period], alpha)
            time = max(time, origin)
            yield rows, i, state


def _bucketed(sums: Array, age: Array, width: Array, alpha: float, xp: ModuleType) -> Array:
    """The smoothed demand per period, (series,), of buckets that end with the last period.

    `sums` are (series, periods + 1), what was sold before each period; a bucket is `width`
    (series,) periods, and what came before the first whole one in a series' `age` is left out.
    """
    series, end = xp.arange(len(sums)), sums.shape[1] - 1
    buckets = xp.maximum(age, 0) // width
    level = xp.zeros(len(sums))
    for back in range(int(buckets.max()), 0, -1):
        begin = xp.maximum(end - back * width, 0)
        sold = sums[series, begin + width] - sums[series, begin]
        change = xp.where(back == buckets, 1.0, xp.where(back < buckets, alpha, 0.0))
        level += change * (sold - level)
    return xp.maximum(level / width, 0.0)
