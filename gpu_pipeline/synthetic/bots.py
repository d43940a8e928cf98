"""Bots: visitors that are programs. They click at fixed intervals and never fill a cart."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pipeline.synthetic.columns import DAY, HOUR, Ints, Rng, Rows
from gpu_pipeline.synthetic.world import World


class _Habit(NamedTuple):
    """How one kind of bot goes about it."""

    name: str
    clicks: tuple[int, int]  # of one bot, from and below
    seconds: tuple[int, int]  # between two clicks of a burst, from and below
    a_day: int  # clicks of one burst, one burst a day; 0 for one burst that doesn't end


_HABITS = (
    _Habit("crawler", (300, 900), (1, 5), 0),  # page after page
    _Habit("scraper", (240, 600), (4, 9), 60),  # every night at the same time
    _Habit("monitor", (150, 400), (300, 1_200), 0),  # one product, day and night
)
BOT_KINDS = tuple(habit.name for habit in _HABITS)
_MONITOR = BOT_KINDS.index("monitor")


@dataclass(frozen=True)
class Bots(Rows):
    """One entry a bot."""

    kind: Ints
    clicks: Ints
    interval_seconds: Ints
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
    at = bots.starts[bot] + day * DAY + step * bots.interval_seconds[bot]
    first = rng.integers(len(world.shop), size=len(bots.kind))[bot]
    product = (first + np.where(bots.kind[bot] == _MONITOR, 0, step)) % len(world.shop)
    inside = at < world.span.closes
    return Clicks(bot, at, product).take(inside)
