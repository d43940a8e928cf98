"""Evidence: how much likelier a day's texts are under each change than under what is usual.

A day's people are a negative binomial count; those of them who sound negative (or positive) are
beta-binomial among them. Both vary more than coins and counts do: what is known of the usual
level is little, and days clump. Under the usual level each ratio has mean 1 given the past: it is
an e-value, which `watching` accumulates.
"""

from dataclasses import dataclass
from typing import Literal

from gpu_pipeline.backend import Array, Backend

__all__ = ["CHANGES", "Change", "Counts", "Kind", "Usual", "log_evidence"]

Kind = Literal["worse", "better", "burst"]
_ODDS = (2.5, 6.0)
_FACTORS = (1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Change:
    """What may happen to a series: other odds of one mood, and several times as many people.

    `odds` multiplies those of sounding negative where it gets worse, positive where better.
    """

    kind: Kind
    odds: float
    factor: float


# Between a level and the nearest of these lies room for a slow drift, which is no alarm.
CHANGES = (
    *(Change("worse", odds, factor) for odds in _ODDS for factor in _FACTORS),
    *(Change("better", odds, factor) for odds in _ODDS for factor in _FACTORS),
    *(Change("burst", 1.0, factor) for factor in _FACTORS[1:]),
)


@dataclass(frozen=True)
class Counts:
    """Who wrote about each series on a day: people, and those who sound negative and positive.

    Arrays of one shape, which ends in (products, series).
    """

    people: Array
    negative: Array
    positive: Array


@dataclass(frozen=True)
class Usual:
    """What a day would be like if nothing had changed; arrays in the shape of its counts.

    `expected` people, a negative binomial's mean, and its `size`; `negative` and `positive`: the
    shares of people who sound so, as the means of beta distributions whose two parameters add up
    to `known_people` each.
    """

    expected: Array
    size: Array
    negative: Array
    positive: Array
    known_people: Array


def log_evidence(counts: Counts, usual: Usual, is_volume_known: Array, backend: Backend) -> Array:
    """The logarithm of the likelihood of each of `CHANGES` against the usual, (…, changes).

    Where the usual volume is not known yet (`is_volume_known` is False), other volumes are no
    evidence either way.
    """
    xp = backend.xp
    seen = xp.flatnonzero(counts.people)
    moods = {
        "worse": _flat(counts.negative, counts.people, usual.negative, usual, seen),
        "better": _flat(counts.positive, counts.people, usual.positive, usual, seen),
    }
    found = xp.zeros((*counts.people.shape, len(CHANGES)))
    rows = found.reshape(-1, len(CHANGES))
    volume = {
        factor: xp.where(is_volume_known, _volume(counts.people, usual, factor, backend), 0.0)
        for factor in _FACTORS[1:]
    }
    share = {
        (kind, odds): _share(*moods[kind], odds, backend)  # on the days with people only
        for kind in moods
        for odds in _ODDS
    }
    for place, change in enumerate(CHANGES):
        if change.factor in volume:
            rows[:, place] += volume[change.factor].reshape(-1)
        if change.kind in moods:
            rows[seen, place] += share[change.kind, change.odds]
    return found


def _flat(
    hits: Array, people: Array, share: Array, usual: Usual, seen: Array
) -> tuple[Array, Array, Array, Array]:
    """(hits, misses, share, known people) of the entries with people, as flat arrays."""
    hit = hits.reshape(-1)[seen]
    return (
        hit,
        people.reshape(-1)[seen] - hit,
        share.reshape(-1)[seen],
        usual.known_people.reshape(-1)[seen],
    )


def _share(
    hits: Array, misses: Array, share: Array, known: Array, odds: float, backend: Backend
) -> Array:
    """log BB(hits; other odds) / BB(hits; the usual), both with the same two parameters' sum."""
    log_gamma = backend.special.gammaln
    other = odds * share / (1 - share + odds * share)
    here, there = known * share, known * other
    gone, left = known - here, known - there
    ratio: Array = (
        (log_gamma(hits + there) - log_gamma(there))
        - (log_gamma(hits + here) - log_gamma(here))
        + (log_gamma(misses + left) - log_gamma(left))
        - (log_gamma(misses + gone) - log_gamma(gone))
    )
    return ratio


def _volume(people: Array, usual: Usual, factor: float, backend: Backend) -> Array:
    """log NB(people; factor x expected) / NB(people; expected), both of the same size."""
    xp = backend.xp
    grown = xp.log((usual.size + factor * usual.expected) / (usual.size + usual.expected))
    ratio: Array = people * xp.log(xp.asarray(factor)) - (people + usual.size) * grown
    return ratio
