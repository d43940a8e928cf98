"""Watching: an alarm where what is said of a product has changed, within a budget of false ones.

Each series has a Shiryaev-Roberts e-detector for each change, M = (M before + 1) x the day's
likelihood ratio; their weighted mean over the series and changes of a product is an e-detector
again, and the mean time to a false alarm is at least the threshold in days, with no simulation
and whatever the number of aspects (Shin, Ramdas, Rinaldo 2023, "E-detectors", theorem 2.4). Here
the M before fades, so that a little of each of many months makes no alarm: that is never more, and
keeps the bound.

The bound is far from tight: evidence leaps over the threshold, and is taken to be less than it is
where the usual is little known. So the threshold lies below the budget, as far as
benchmarks/trends.py found that it may, also where texts clump and products drift.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from typing import Literal

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.evidence import CHANGES, Counts, Usual, log_evidence
from gpu_pipeline.trends.usual import Learnt, Surroundings, decay

__all__ = ["FALSE_ALARM_YEARS", "SETTLED_DAYS", "Event", "Watch", "series_weights", "watch"]

FALSE_ALARM_YEARS = 100  # of one product, at most one false alarm in so long, by count
_PROVEN_YEARS = 20  # the same where only the theorem is believed
SETTLED_DAYS = 28  # what lasts longer is the usual from then on
DAYS_PER_YEAR = 365.25
_EVIDENCE_HALF_LIFE_DAYS = 28
_WARM_UP_DAYS = 28  # of a new product, volumes tell nothing
_RETURN = 300.0  # evidence that all is as it was before
_ASPECTS_FORESEEN = 20
_MOST = 1e200
_MOST_LOG = 400.0

Closing = Literal["back", "settled"]


@dataclass
class Event:
    """A change of one product: days by their number, the series where it shows most.

    `evidence` is the most there was for it, as the e-detector counts: by chance alone a product
    comes so far once in that many days at most.
    """

    product: int
    series: int
    change: int  # place in CHANGES
    detected: int
    evidence: float
    closed: int | None = None
    closed_as: Closing | None = None


@dataclass(frozen=True)
class Watch:
    """What came of watching: events in the order of their alarms, and each day's usual."""

    events: list[Event]
    usual: list[Usual]


def series_weights(aspects: int, backend: Backend) -> Array:
    """How a product's budget is shared: half to the product as a whole, half to its aspects.

    As if there were twenty aspects where there are fewer, so that one more changes nothing.
    """
    xp = backend.xp
    weights = xp.full(1 + aspects, 0.5 / max(aspects, _ASPECTS_FORESEEN))
    weights[0] = 0.5
    return weights


def watch(days: Iterable[tuple[Counts, Surroundings]], first_day: Array, backend: Backend) -> Watch:
    """Goes through the days once, each with (products, series) counts; no day sees a later one.

    `first_day` (products,) is the number of each product's first day with a text.
    """
    guard: _Guard | None = None
    usuals = []
    for day, (counts, around) in enumerate(days):
        guard = guard or _Guard(counts.people.shape, backend)
        usuals.append(guard.pass_day(day, counts, around, first_day))
    return Watch([] if guard is None else guard.events, usuals)


class _Guard:
    """The detectors of some products, and which of them are in an event."""

    def __init__(self, shape: tuple[int, ...], backend: Backend) -> None:
        xp = backend.xp
        products, series = shape
        self.events: list[Event] = []
        self._backend = backend
        self._learnt = Learnt((products, series), backend)
        self._weights = series_weights(series - 1, backend) / len(CHANGES)
        self._detectors = xp.zeros((products, series, len(CHANGES)))
        self._of_late = _OfLate((products, series), backend)
        self._current: dict[int, _Running] = {}
        self._is_in_event = xp.zeros(products, dtype=bool)

    def pass_day(self, day: int, counts: Counts, around: Surroundings, first_day: Array) -> Usual:
        """Takes in one day; returns what would have been usual."""
        usual = self._learnt.usual(around)
        age = day - first_day
        is_old = (age >= _WARM_UP_DAYS)[:, None]
        gained = log_evidence(counts, usual, is_old, self._backend)
        self._follow(day, gained)
        watched = (age > 0) & ~self._is_in_event
        self._accumulate(gained, watched)
        self._of_late.add(counts, around, self._is_in_event)
        self._raise(day)
        self._learnt.learn(counts, usual, around, self._is_in_event)
        return usual

    def _accumulate(self, gained: Array, watched: Array) -> None:
        xp, fade = self._backend.xp, decay(_EVIDENCE_HALF_LIFE_DAYS)
        grown = xp.minimum((fade * self._detectors + 1) * xp.exp(gained), _MOST)
        self._detectors = xp.where(watched[:, None, None], grown, 0.0)

    def _raise(self, day: int) -> None:
        """Opens an event of each product whose detectors reach the threshold."""
        xp = self._backend.xp
        strength = self._detectors.sum(axis=2)
        total = strength @ self._weights
        for product in self._backend.to_host(
            xp.flatnonzero(total >= _PROVEN_YEARS * DAYS_PER_YEAR)
        ).tolist():
            series = int(strength[product].argmax())  # unweighted: what is about an aspect names it
            detector = self._detectors[product, series]
            event = Event(
                product=product,
                series=series,
                change=int(detector.argmax()),
                detected=day,
                evidence=float(total[product]),
            )
            self.events.append(event)
            self._current[product] = _Running(event, xp.log(detector))
            self._is_in_event[product] = True
            self._of_late.begin(product)

    def _follow(self, day: int, gained: Array) -> None:
        """Adds the day to the events that are on, and closes those that are over."""
        xp = self._backend.xp
        over = []
        for product, running in self._current.items():
            running.add(gained[product, running.event.series], self._weights)
            if running.returned >= _RETURN:
                running.close(day, "back")
            elif day - running.event.detected >= SETTLED_DAYS:
                running.close(day, "settled")
            if running.event.closed is not None:
                over.append(running.event)
        settled = [event.product for event in over if event.closed_as == "settled"]
        if settled:
            chosen = xp.zeros(len(self._is_in_event), dtype=bool)
            chosen[xp.asarray(settled)] = True
            self._learnt.settle(self._of_late.moods, self._of_late.volumes, chosen)
        for event in over:
            del self._current[event.product]
            self._is_in_event[event.product] = False


class _Running:
    """An event that is on: the evidence for each change so far, and that all is as before."""

    def __init__(self, event: Event, log_detector: Array) -> None:
        self.event = event
        self.returned = 0.0
        self._log_detector = log_detector

    def add(self, gained: Array, weights: Array) -> None:
        """Takes in a day's evidence in the event's series."""
        back = float(gained[self.event.change])
        self.returned = (self.returned + 1) * _capped_exp(-back)
        self._log_detector = self._log_detector + gained
        best = int(self._log_detector.argmax())
        evidence = float(weights[self.event.series]) * _capped_exp(float(self._log_detector[best]))
        if evidence > self.event.evidence:
            self.event.evidence, self.event.change = evidence, best

    def close(self, day: int, how: Closing) -> None:
        self.event.closed, self.event.closed_as = day, how


class _OfLate:
    """What happened in each product since its event began: sums as `Learnt` keeps them."""

    def __init__(self, shape: tuple[int, int], backend: Backend) -> None:
        xp = backend.xp
        self._xp = xp
        self.moods = xp.zeros((3, *shape))
        self.volumes = xp.zeros((2, *shape))

    def begin(self, product: int) -> None:
        """Forgets what was before, of one product."""
        self.moods[:, product] = 0
        self.volumes[:, product] = 0

    def add(self, counts: Counts, around: Surroundings, is_in_event: Array) -> None:
        """Takes in a day of those that are in an event."""
        xp, mask = self._xp, is_in_event[:, None]
        exposure = xp.broadcast_to(around.exposure, counts.people.shape)
        self.moods += xp.stack([counts.people, counts.negative, counts.positive]) * mask
        self.volumes += xp.stack([counts.people, exposure]) * mask


def _capped_exp(log_value: float) -> float:
    return exp(min(log_value, _MOST_LOG))
