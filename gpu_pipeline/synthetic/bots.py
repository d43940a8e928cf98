"""Bots: visitors that are programs. They click on and on, and never fill a cart."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pipeline.synthetic.columns import DAY, HOUR, Ints, Rng, Rows
from gpu_pipeline.synthetic.world import World


class _Habit(NamedTuple):
    """How one kind of bot goes about it."""

    name: str
    clicks: tuple[int, int]  # of one bot, from and below
    seconds: tuple[int, int]  # between two clicks of a burst, in the middle, from and below
    a_day: int = 0  # clicks of one burst, one burst a day; 0 for one burst that doesn't end
    jitter: float = 0.0  # how far a pause may be from the middle, a fraction
    spread: float = 0.0  # of a person's pauses: the deviation of their logarithm


_HABITS = (
    _Habit("crawler", (300, 900), (1, 5)),  # page after page
    _Habit("scraper", (240, 600), (4, 9), a_day=60),  # every night at the same time
    _Habit("monitor", (150, 400), (300, 1_200)),  # one product, day and night
    _Habit("checker", (150, 400), (20, 90), a_day=50, jitter=0.1),  # hides that it is a clock
    _Habit("reader", (700, 1_400), (40, 80), spread=0.8),  # as a person does, who never sleeps
)
BOT_KINDS = tuple(habit.name for habit in _HABITS)
_MONITOR = BOT_KINDS.index("monitor")
_LONGEST_PAUSE = 1_500  # seconds: it goes on with the same visit


@dataclass(frozen=True)
class Bots(Rows):
    """One entry a bot."""

    kind: Ints
    clicks: Ints
    interval_seconds: Ints  # where pauses differ, those in the middle
    starts: Ints


@dataclass(frozen=True)
class Clicks(Rows):
    """One entry a click of a bot."""

    bot: Ints
    at: Ints
    product: Ints


def draw_bots(world: World, clicks: int, rng: Rng) -> tuple[Bots, Clicks]:
    """Bots until they have made about that many clicks, at least one where there are any."""
    made: list[tuple[int, int, int, int]] = []
    while clicks > 0:
        kind = len(made) % len(_HABITS)
        habit = _HABITS[kind]
        count, interval = int(rng.integers(*habit.clicks)), int(rng.integers(*habit.seconds))
        lasts = (-(-count // habit.a_day) * DAY) if habit.a_day else count * interval
        latest = max(1, world.span.days * DAY - lasts)
        starts = world.span.opens + int(rng.integers(latest)) // HOUR * HOUR
        made.append((kind, count, interval, starts))
        clicks -= count
    bots = Bots(*np.array(made, np.int64).reshape(-1, 4).T)
    return bots, _clicks(world, bots, rng)


def _clicks(world: World, bots: Bots, rng: Rng) -> Clicks:
    bot = np.repeat(np.arange(len(bots.kind)), bots.clicks)
    number = np.arange(len(bot)) - np.repeat(np.cumsum(bots.clicks) - bots.clicks, bots.clicks)
    burst = np.array([habit.a_day or 2**31 for habit in _HABITS])[bots.kind[bot]]
    day, step = np.divmod(number, burst)
    at = bots.starts[bot] + day * DAY + _elapsed(bots, bot, step, rng)
    first = rng.integers(len(world.shop), size=len(bots.kind))[bot]
    product = (first + np.where(bots.kind[bot] == _MONITOR, 0, step)) % len(world.shop)
    inside = at < world.span.closes
    return Clicks(bot, at, product).take(inside)


def _elapsed(bots: Bots, bot: Ints, step: Ints, rng: Rng) -> Ints:
    """Seconds since the first click of each click's burst, where `step` is 0."""
    jitter, spread = (
        np.array([getattr(habit, name) for habit in _HABITS])[bots.kind[bot]]
        for name in ("jitter", "spread")
    )
    factor = np.exp(spread * rng.standard_normal(len(bot))) + jitter * rng.uniform(-1, 1, len(bot))
    pause = np.minimum(bots.interval_seconds[bot] * factor, _LONGEST_PAUSE)
    whole = np.cumsum(pause)
    first = np.flatnonzero(step == 0)
    return np.rint(whole - whole[first].repeat(np.diff(first, append=len(step)))).astype(np.int64)
