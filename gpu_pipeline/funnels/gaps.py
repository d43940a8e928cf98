"""What may lie between two steps: who goes on from an event to a later one, and who still may."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal, NamedTuple, Self

from gpu_pipeline.backend import Array
from gpu_pipeline.funnels.rule import Funnel
from gpu_pipeline.kernels import run_starts

__all__ = ["Gap", "Trail", "gaps_of", "places_behind"]

# Above that many rows to one, counting steps is cheaper than a search for each row.
_FEW = 4


class Trail(NamedTuple):
    """Events in order: whose (int64), when (microseconds), and what they are.

    Bit k of `flags` says that an event takes step k, counted from 0; behind those comes a bit for
    each of `Funnel.barrier_kinds` that holds its type.
    """

    subject: Array
    time: Array
    flags: Array


@dataclass(frozen=True)
class Gap:
    """What must hold between a step's event and that of the step before.

    Both lie in one block: rows of one subject with nothing between that breaks a journey.
    `is_last` says of each block whether its subject's rows end with it. `within` are microseconds.
    """

    block: Array
    is_last: Array
    within: int | None
    is_strict: bool

    def lasting(self, within: int) -> Self:
        """The same gap with another time."""
        return replace(self, within=within)

    def next_among(
        self, here: Array, there: Array, time: Array, xp: ModuleType
    ) -> tuple[Array, Array]:
        """(which of the rows `here` can go on to the next of `there`, the place of that one)."""
        if not len(there):
            return xp.zeros(len(here), dtype=bool), xp.zeros(len(here), dtype=xp.int64)
        place = places_behind(here, there, xp)
        inside = xp.minimum(place, len(there) - 1)
        return (place < len(there)) & self.allows(here, there[inside], time), inside

    def allows(self, here: Array, row: Array, time: Array) -> Array:
        """Whether one can go on from a row to a later one, row by row."""
        can = self.block[row] == self.block[here]
        if self.is_strict:
            can &= row == here + 1
        if self.within is not None:
            can &= time[row] - time[here] <= self.within
        return can

    def can_wait(self, here: Array, time: Array, moment: int, xp: ModuleType) -> Array:
        """Whether one could go on from a row to an event of that moment, later than all rows."""
        can = self.is_last[self.block[here]]
        if self.is_strict:
            behind = xp.minimum(here + 1, len(self.block) - 1)
            can &= (here == behind) | (self.block[behind] != self.block[here])
        if self.within is not None:
            can &= moment - time[here] <= self.within
        return can


def gaps_of(trail: Trail, funnel: Funnel, xp: ModuleType) -> list[Gap]:
    """One for each step from the second on."""
    blocks = {kind: _blocks(trail, funnel, kind, xp) for kind in set(funnel.barriers)}
    pairs = zip(funnel.barriers, funnel.windows, strict=True)
    return [Gap(*blocks[kind], within, funnel.mode == "strict") for kind, within in pairs]


def places_behind(
    here: Array, there: Array, xp: ModuleType, *, side: Literal["left", "right"] = "right"
) -> Array:
    """For each of the rows `here` the place of the first of `there` behind it; both ascend.

    With "left" also at it.
    """
    if len(there) * _FEW > len(here):
        found: Array = xp.searchsorted(there, here, side=side)
        return found
    # Each of `there` moves the place on by one, for all rows from its own on.
    other = "left" if side == "right" else "right"
    moves = xp.bincount(xp.searchsorted(here, there, side=other), minlength=len(here) + 1)
    counted: Array = xp.cumsum(moves)[:-1]
    return counted


def _blocks(
    trail: Trail, funnel: Funnel, kind: frozenset[str], xp: ModuleType
) -> tuple[Array, Array]:
    """(the number of each row's block, for each block whether it is its subject's last)."""
    of_subject = xp.zeros(len(trail.time), dtype=bool)
    of_subject[run_starts([trail.subject], xp)] = True
    begins = of_subject
    if kind:
        bit = len(funnel.steps) + funnel.barrier_kinds.index(kind)
        begins = of_subject | (trail.flags >> bit & 1).astype(bool)
    is_last = xp.ones(int(begins.sum()), dtype=bool)
    is_last[:-1] = of_subject[begins][1:]
    return xp.cumsum(begins, dtype=xp.int32) - 1, is_last
