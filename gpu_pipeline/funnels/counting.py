"""Counts of journeys: how many reached each step, by the day of their entry and what else is asked.

Counted in parts, added up, and shown as one tidy frame. Sums and medians of times are made of all
parts in one order, so that neither pieces nor partitions change a digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.event_columns import times_of
from gpu_pipeline.funnels.periods import first_moments
from gpu_pipeline.funnels.rule import Funnel
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

        def added(counts: list[Array]) -> Array:
            return segment_sums(xp.concatenate(counts)[order], starts, xp)

        waits = []
        for step in range(len(parts[0].waits)):
            pairs = [part.waits[step] for part in parts]
            some = [group[number + n] for (number, _), n in zip(pairs, before, strict=False)]
            waits.append((xp.concatenate(some), xp.concatenate([long for _, long in pairs])))
        steps = range(len(parts[0].reached))
        return cls(
            period=period[first],
            values={name: one.take(first).reset_index(drop=True) for name, one in values.items()},
            reached=[added([part.reached[step] for part in parts]) for step in steps],
            censored=[added([part.censored[step] for part in parts]) for step in steps],
            waits=waits,
        )
