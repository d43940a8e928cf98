"""The usual: what is known on a day, from the days before it alone, of each series' level.

A series is a product as a whole, or one aspect of it. Its share of negative texts leans on its
category's where it has few; its volume is a share of the shop's, so that a weekday, a season or
a sale, which moves all products, is no burst of one.
"""

from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.evidence import Counts, Usual

__all__ = ["Learnt", "Surroundings", "decay"]

MOOD_HALF_LIFE_DAYS = 90
VOLUME_HALF_LIFE_DAYS = 28
_LEAN_PEOPLE = 10.0  # how many people of the category stand beside a series' own
_MOST_KNOWN_PEOPLE = 60.0  # days clump: 1 / (60 + 1) is the correlation within a day
_CLUMPING = 0.25  # of volumes, the usual squared relative spread from day to day beyond Poisson
_CLUMPING_WEIGHT = 20.0
_LEAST_CLUMPING = 0.05
_FARTHEST_SPREADS = 25.0  # a day's square error counts as at most so many variances


def decay(half_life_days: float) -> float:
    """What a day's weight is multiplied by each day."""
    return float(0.5 ** (1 / half_life_days))


@dataclass(frozen=True)
class Surroundings:
    """What is known of the others by a day, each (products, series); `exposure` (products, 1).

    `negative` and `positive`: shares among the category's texts of that aspect; `aspect`: the
    aspect's share of the category's texts, 1 for a product as a whole; `exposure`: the texts a
    day about all other products, with a constant, of which a product's volume is a multiple.
    """

    negative: Array
    positive: Array
    aspect: Array
    exposure: Array
    products: int


class Learnt:
    """What was learnt of some series so far: sums that fade, (products, series) each."""

    def __init__(self, shape: tuple[int, int], backend: Backend) -> None:
        xp = backend.xp
        self._backend = backend
        self._mood = xp.zeros((3, *shape))  # people, negative, positive
        self._volume = xp.zeros((2, *shape))  # people, exposure
        self._clumping = xp.zeros((2, *shape))  # square errors beyond Poisson's, square means

    def usual(self, around: Surroundings) -> Usual:
        """What the day that has these surroundings would be like, if nothing had changed."""
        xp = self._backend.xp
        people, negative, positive = self._mood
        known = people + _LEAN_PEOPLE
        rate, counted = self._rates(around)
        excess, weight = self._clumping
        clumping = (_CLUMPING * _CLUMPING_WEIGHT + excess) / (_CLUMPING_WEIGHT + weight)
        return Usual(
            expected=rate * around.exposure,
            size=1 / (xp.maximum(clumping, _LEAST_CLUMPING) + 1 / counted),
            negative=(negative + _LEAN_PEOPLE * around.negative) / known,
            positive=(positive + _LEAN_PEOPLE * around.positive) / known,
            known_people=xp.minimum(known, _MOST_KNOWN_PEOPLE),
        )

    def _rates(self, around: Surroundings) -> tuple[Array, Array]:
        """(people per exposure, the people that this is known from), the prior's one with them."""
        xp = self._backend.xp
        people, exposure = self._volume
        whole = (1 + people[:, :1]) / (around.products + exposure[:, :1])
        prior = xp.concatenate(
            [xp.full_like(whole, 1 / around.products), whole * around.aspect[:, 1:]], axis=1
        )
        return (1 + people) / (1 / prior + exposure), 1 + people

    def learn(self, counts: Counts, usual: Usual, around: Surroundings, kept: Array) -> None:
        """Takes in a day of the products that are not `kept` (products,) as they are."""
        xp = self._backend.xp
        open_ = ~kept[:, None]
        moods = xp.stack([counts.people, counts.negative, counts.positive])
        volumes = xp.stack([counts.people, xp.broadcast_to(around.exposure, counts.people.shape)])
        variance = usual.expected + usual.expected**2 / usual.size
        error = xp.minimum((counts.people - usual.expected) ** 2, _FARTHEST_SPREADS * variance)
        clumps = xp.stack([error - usual.expected, usual.expected**2])
        slow, fast = decay(MOOD_HALF_LIFE_DAYS), decay(VOLUME_HALF_LIFE_DAYS)
        self._mood = xp.where(open_, self._mood * slow + moods, self._mood)
        self._volume = xp.where(open_, self._volume * fast + volumes, self._volume)
        self._clumping = xp.where(open_, self._clumping * slow + clumps, self._clumping)

    def settle(self, moods: Array, volumes: Array, products: Array) -> None:
        """Makes what happened of late the usual of these products: sums as this class keeps them.

        `moods` (3, products, series), `volumes` (2, products, series).
        """
        chosen = products[:, None]
        self._backend.xp.copyto(self._mood, moods, where=chosen)
        self._backend.xp.copyto(self._volume, volumes, where=chosen)
