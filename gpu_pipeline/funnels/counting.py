"""Counts of journeys: how many reached each step, by the day of their entry and what else is asked.

Counted in parts, added up, and shown as one tidy frame. Sums and medians of times are made of all
parts in one order, so that neither pieces nor partitions change a digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.event_columns import times_of
from gpu_pipeline.funnels.periods import first_moments
from gpu_pipeline.funnels.tracing import Inquiry, Journeys
from gpu_pipeline.kernels import order_of, run_starts, segment_sums
from gpu_pipeline.labels import Labels

__all__ = ["Tally"]

_SECOND = 1e6  # microseconds


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Journeys in groups of one entry period and one value of each column they are counted by.

    `period` and `values` say of each group what it is; `reached[n]` how many of its journeys
    reached step n + 1, `censored[n]` how many did not, and yet may. Each time from one step to
    the next is kept: `waits[n]` are (groups, seconds) of step n + 2.
    """

    period: Array
    values: dict[str, Series]
    reached: list[Array]
    censored: list[Array]
    waits: list[tuple[Array, Array]]

    @classmethod
    def of(cls, journeys: Journeys, values: dict[str, Series], backend: Backend) -> Self:
        """The journeys of one part; `values` has one entry a journey."""
        xp = backend.xp
        group, first = _groups(journeys.period, values, backend)
        count, steps = len(first), len(journeys.onward) + 1
        undecided = journeys.is_censored
        came, waits = journeys.entered_at, []
        for which, when in journeys.onward:
            waits.append((group[which], (when - came[which]) / _SECOND))
            came = came.copy()
            came[which] = when
        sizes = [group, *(group[which] for which, _ in journeys.onward)]
        waiting = [group[undecided & (journeys.depth <= step)] for step in range(steps)]
        return cls(
            period=journeys.period[first],
            values={name: one.take(first).reset_index(drop=True) for name, one in values.items()},
            reached=[xp.bincount(some, minlength=count) for some in sizes],
            censored=[xp.bincount(some, minlength=count) for some in waiting],
            waits=waits,
        )

    @classmethod
    def sum_of(cls, parts: Sequence[Self], backend: Backend) -> Self:
        """The groups of all parts."""
        xp = backend.xp
        period = xp.concatenate([part.period for part in parts])
        values = {
            name: backend.frames.concat([part.values[name] for part in parts], ignore_index=True)
            for name in parts[0].values
        }
        group, first = _groups(period, values, backend)
        before = [0]
        for part in parts:
            before.append(before[-1] + len(part.period))
        order = xp.argsort(group, kind="stable")
        starts = run_starts([group[order]], xp)
        waits = []
        for step in range(len(parts[0].waits)):
            pairs = [part.waits[step] for part in parts]
            some = [group[number + n] for (number, _), n in zip(pairs, before, strict=False)]
            waits.append((xp.concatenate(some), xp.concatenate([long for _, long in pairs])))
        steps = range(len(parts[0].reached))
        return cls(
            period=period[first],
            values={name: one.take(first).reset_index(drop=True) for name, one in values.items()},
            reached=[_added([p.reached[step] for p in parts], order, starts, xp) for step in steps],
            censored=[
                _added([p.censored[step] for p in parts], order, starts, xp) for step in steps
            ],
            waits=waits,
        )

    def table(self, asked: Inquiry, backend: Backend) -> Frame:
        """The rows that `funnel` gives, in order of period, values and step."""
        xp, names = backend.xp, asked.funnel.names
        groups, steps = len(self.period), len(names)
        group = xp.repeat(xp.arange(groups), steps)
        step = xp.arange(groups * steps) % steps
        reached = xp.stack(self.reached, axis=1).ravel()
        entries = self.reached[0][group]
        before = xp.stack([self.reached[0], *self.reached[:-1]], axis=1).ravel()
        means, medians = zip(*(_means(wait, groups, xp) for wait in self.waits), strict=True)
        none = xp.full(groups, float("nan"))
        day = times_of(first_moments(self.period[group]), backend)
        return backend.frames.DataFrame(
            {
                **({} if asked.per is None else {f"entry_{asked.per}": day}),
                **{name: _repeated(one, group) for name, one in self.values.items()},
                "step": step + 1,
                "name": _repeated(backend.frames.Series(names, dtype="str"), step),
                "entries": entries,
                "reached": reached,
                "share_of_entries": _shares(reached, entries, xp),
                "share_of_previous": _shares(reached, before, xp),
                "mean_seconds": xp.stack([none, *means], axis=1).ravel(),
                "median_seconds": xp.stack([none, *medians], axis=1).ravel(),
                "censored": xp.stack(self.censored, axis=1).ravel(),
            }
        )


def _groups(period: Array, values: Mapping[str, Series], backend: Backend) -> tuple[Array, Array]:
    """(the group of each row, in order of period and values; a row of each group)."""
    xp = backend.xp
    combined = period - period.min() if len(period) else period
    for one in values.values():
        labels = Labels.of(one, backend)
        combined = combined * (len(labels.texts) + 1) + labels.codes
    codes, known = backend.frames.Series(combined).factorize()
    codes, known = xp.asarray(codes), xp.asarray(known.values)
    rank = xp.empty(len(known), dtype=xp.int64)
    rank[xp.argsort(known, kind="stable")] = xp.arange(len(known))
    group = rank[codes]
    member = xp.empty(len(known), dtype=xp.int64)
    member[group] = xp.arange(len(group))
    return group, member


def _added(counts: list[Array], order: Array, starts: Array, xp: ModuleType) -> Array:
    return segment_sums(xp.concatenate(counts)[order], starts, xp)


def _repeated(values: Series, places: Array) -> Series:
    return values.take(places).reset_index(drop=True)


def _shares(some: Array, of: Array, xp: ModuleType) -> Array:
    """The one as a part of the other; of nothing, not a number."""
    shares: Array = xp.where(of > 0, some / xp.maximum(of, 1), float("nan"))
    return shares


def _means(wait: tuple[Array, Array], groups: int, xp: ModuleType) -> tuple[Array, Array]:
    """(mean, median) seconds of each group; not a number where it has none."""
    group, seconds = wait
    order = order_of([group, seconds], xp)
    group, seconds = group[order], seconds[order]
    starts = run_starts([group], xp)
    sizes = xp.diff(xp.concatenate([starts, xp.asarray([len(group)], dtype=starts.dtype)]))
    low, high = starts + (sizes - 1) // 2, starts + sizes // 2
    mean, median = xp.full(groups, float("nan")), xp.full(groups, float("nan"))
    mean[group[starts]] = segment_sums(seconds, starts, xp) / sizes
    median[group[starts]] = (seconds[low] + seconds[high]) / 2
    return mean, median
