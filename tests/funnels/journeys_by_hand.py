"""The slow twin: journeys found by trying every chain of a customer's events, in plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gpu_pipeline.funnels import Funnel, FunnelStep

LATER = 1  # microseconds: the first moment of which nothing is known


@dataclass(frozen=True)
class Event:
    """One event of a customer, or of a customer and product."""

    time: int  # microseconds
    kind: str
    channel: str | None = None


@dataclass(frozen=True)
class Journey:
    """One journey: when it was at each step, and whether it may go on."""

    times: tuple[int, ...]
    channel: str | None
    is_censored: bool


def journeys_by_hand(
    events: Sequence[Event], funnel: Funnel, *, as_of: int, period: int
) -> list[Journey]:
    """The journeys of one customer; periods are of so many microseconds, from 0 on."""
    ordered = sorted((e for e in events if e.time <= as_of), key=lambda e: _place(e, funnel))
    entries = [n for n, event in enumerate(ordered) if _begins(event, funnel)]
    found = []
    for _, places in groupby(entries, key=lambda n: ordered[n].time // period):
        some = list(places)
        # The longest; of these the one whose events come first.
        best = min((_best(ordered, n, funnel) for n in some), key=lambda way: (-len(way), way))
        times = tuple(ordered[n].time for n in best)
        may_go_on = len(best) < len(funnel.steps) and any(
            _may_complete(ordered, n, funnel, as_of) for n in some
        )
        found.append(Journey(times, ordered[best[0]].channel, may_go_on))
    return found


def _best(events: Sequence[Event], entry: int, funnel: Funnel) -> tuple[int, ...]:
    return min(_ways(events, (entry,), funnel), key=lambda way: (-len(way), way))


def _ways(
    events: Sequence[Event], way: tuple[int, ...], funnel: Funnel
) -> Iterator[tuple[int, ...]]:
    """This way, and every one that begins with it."""
    yield way
    if len(way) < len(funnel.steps):
        for n in range(way[-1] + 1, len(events)):
            if _goes_on(events, way, n, funnel):
                yield from _ways(events, (*way, n), funnel)


def _goes_on(events: Sequence[Event], way: tuple[int, ...], n: int, funnel: Funnel) -> bool:
    before, event, step = events[way[-1]], events[n], funnel.steps[len(way)]
    between = [other.kind for other in events[way[-1] + 1 : n]]
    if funnel.mode == "any":
        done = {_steps(events[other], funnel)[0] for other in way}
        fits = bool(_steps(event, funnel)) and _steps(event, funnel)[0] not in done
    else:
        fits = _takes(event, step)
    in_time = event.time - events[way[0]].time <= funnel.within_microseconds
    if step.within_microseconds is not None:
        in_time = in_time and event.time - before.time <= step.within_microseconds
    barred = {*funnel.exclude, *step.exclude}.intersection(between)
    return fits and in_time and not barred and not (funnel.mode == "strict" and between)


def _may_complete(events: Sequence[Event], entry: int, funnel: Funnel, as_of: int) -> bool:
    """Whether it gets to the end if what is left of the steps comes as soon as it can."""
    if as_of + LATER - events[entry].time > funnel.within_microseconds:
        return False
    for first in range(len(funnel.steps)):
        if funnel.mode != "any" and not first:
            continue
        later = [_example(step, as_of + LATER) for step in funnel.steps[first:]]
        if len(_best([*events, *later], entry, funnel)) == len(funnel.steps):
            return True
    return False


def _example(step: FunnelStep, time: int) -> Event:
    return Event(time, step.types[0], str(step.where.get("channel", "")))


def _begins(event: Event, funnel: Funnel) -> bool:
    return bool(_steps(event, funnel)) and (funnel.mode == "any" or _takes(event, funnel.steps[0]))


def _takes(event: Event, step: FunnelStep) -> bool:
    return event.kind in step.types and step.where.get("channel", event.channel) == event.channel


def _steps(event: Event, funnel: Funnel) -> list[int]:
    return [n for n, step in enumerate(funnel.steps) if _takes(event, step)]


def _place(event: Event, funnel: Funnel) -> tuple[int, int, int, bool, str]:
    """Time, then the first step taken, excluded ones, others; then the channel."""
    steps = _steps(event, funnel)
    excluded = any(event.kind in barrier for barrier in funnel.barriers)
    first = steps[0] if steps else len(funnel.steps) + (not excluded)
    more = sum(1 << n for n in steps)
    return event.time, first, more, event.channel is None, event.channel or ""
