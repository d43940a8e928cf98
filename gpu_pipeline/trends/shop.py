"""What is usual around a product: its category's moods, and how much is written in all.

Every value of a day comes from the days before it, but for the day's texts about the other
products, which tell a busy day from a burst.
"""

from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.usual import MOOD_HALF_LIFE_DAYS, Surroundings, decay

__all__ = ["Shop"]

_LEVEL_DAYS = 28
_WEEKS = 8
_FEW_PEOPLE = 50.0  # of so many a day, the day's own count and the usual one tell as much
_LEAST_EXPOSURE = 5.0  # people a day: in a shop of one product its volume is its own measure
_LEAN_PEOPLE = 20.0
# Shares before anything is known, of texts that sound negative and positive.
_NEGATIVE, _POSITIVE = 0.25, 0.5
_ASPECT = 0.1


@dataclass(frozen=True)
class Shop:
    """A shop day by day; `negative`, `positive` and `aspect` are (days, categories, series).

    `busy` (days,) is what there would be of the texts about all products, by the weekday and the
    weeks before; `people` (days,) what there was.
    """

    negative: Array
    positive: Array
    aspect: Array
    busy: Array
    people: Array
    products: int

    @classmethod
    def of(cls, moods: Array, products: int, backend: Backend) -> "Shop":
        """From (people, negative, positive) by day, category and series: (3, days, …)."""
        people = moods[0, :, :, 0].sum(axis=1)
        negative, positive, aspect = _shares(moods, backend)
        return cls(negative, positive, aspect, _busy(people, backend), people, products)

    def around(self, day: int, own: Array, category: Array, backend: Backend) -> Surroundings:
        """The surroundings of some products (`category` each) with their `own` (products,) people.

        What there is about the others on the day counts the more, the more there usually is.
        """
        xp = backend.xp
        expected = float(self.busy[day])
        trust = expected / (expected + _FEW_PEOPLE)
        others = trust * (self.people[day] - own) + (1 - trust) * expected
        return Surroundings(
            negative=self.negative[day][category],
            positive=self.positive[day][category],
            aspect=self.aspect[day][category],
            exposure=(_LEAST_EXPOSURE + xp.maximum(others, 0.0))[:, None],
            products=self.products,
        )


def _busy(people: Array, backend: Backend) -> Array:
    """How many texts a day the weeks before it promise: their level times the weekday's."""
    xp = backend.xp
    so_far = xp.concatenate([xp.zeros(1), xp.cumsum(people)])
    day = xp.arange(len(people))
    level = _mean_before(so_far, day, _LEVEL_DAYS)
    week = _mean_before(so_far, day, 7 * _WEEKS)
    same, weeks = xp.zeros(len(people)), xp.zeros(len(people))
    for back in range(7, 7 * _WEEKS + 1, 7):
        same[back:] += people[:-back]
        weeks[back:] += 1
    weekday = (same + _FEW_PEOPLE) / (weeks * week + _FEW_PEOPLE)
    promised: Array = level * weekday
    return promised


def _mean_before(so_far: Array, day: Array, days: int) -> Array:
    first = day - days
    first = first * (first > 0)
    count = day - first
    return (so_far[day] - so_far[first]) / (count + (count == 0))


def _shares(moods: Array, backend: Backend) -> tuple[Array, Array, Array]:
    """Shares of negative, positive and aspect's texts by day, category and series, as of before.

    A category leans on all categories, and these on the shop as a whole.
    """
    xp = backend.xp
    fade = decay(MOOD_HALF_LIFE_DAYS)
    days = moods.shape[1]
    shares = xp.zeros((3, *moods.shape[1:]))
    sums = xp.zeros((3, *moods.shape[2:]))
    start = xp.asarray([_NEGATIVE, _POSITIVE])[:, None]
    for day in range(days):
        series = sums.sum(axis=1)  # (3, series)
        shop = (series[1:, :1] + _LEAN_PEOPLE * start) / (series[0, :1] + _LEAN_PEOPLE)
        everywhere = (series[1:] + _LEAN_PEOPLE * shop) / (series[0] + _LEAN_PEOPLE)
        shares[:2, day] = (sums[1:] + _LEAN_PEOPLE * everywhere[:, None]) / (sums[0] + _LEAN_PEOPLE)
        told = (series[0] + _LEAN_PEOPLE * _ASPECT) / (series[0, 0] + _LEAN_PEOPLE)
        whole = sums[0, :, :1]
        shares[2, day] = (sums[0] + _LEAN_PEOPLE * told) / (whole + _LEAN_PEOPLE)
        sums = sums * fade + moods[:, day]
    shares[2, :, :, 0] = 1.0
    return shares[0], shares[1], shares[2]
