"""Reconciliation: forecasts of series moved as little as can be, so that they add up.

The unknowns are not the series, of which there may be a hundred thousand, but one price for each
node: what a unit more of it is worth. Series that lie in the same node of every level, a cell,
see the same prices, so everything but the first and the last step runs on cells.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.kernels import stable_order

__all__ = ["Groups", "Levels", "least_squares", "structural_weights", "top_down"]

_ROUNDS = 30  # of who is held at zero; a few are usual
_ITERATIONS = 300  # of conjugate gradients; a few dozen are usual
_TOLERANCE = 1e-10  # of the residual, as a share of what was asked for


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Members parted into groups: `codes` int (members,), no group empty, and their sorted runs."""

    codes: Array
    order: Array
    starts: Array

    @classmethod
    def of(cls, codes: Array) -> Self:
        """The groups that codes 0, 1, … make, each of which there is."""
        xp = Backend.of(codes).xp
        order = stable_order(codes, xp)
        ordered = codes[order]
        starts = xp.flatnonzero(xp.concatenate([xp.ones(1, dtype=bool), xp.diff(ordered) != 0]))
        return cls(codes=codes, order=order, starts=starts)

    @property
    def members(self) -> int:
        """How many there are of what is grouped."""
        return len(self.codes)

    def sums(self, values: Array) -> Array:
        """The sums (…, groups, steps) of the values (…, members, steps), float64."""
        xp = Backend.of(values).xp
        ordered = values[..., self.order, :].astype("float64", copy=False)
        return xp.add.reduceat(ordered, self.starts, axis=-2)


@dataclass(frozen=True)
class Levels:
    """Series parted into cells, and on every level cells parted into nodes."""

    cells: Groups
    groups: tuple[Groups, ...]

    @cached_property
    def nodes(self) -> tuple[slice, ...]:
        """Where each level's nodes lie among all."""
        ends = [0]
        for one in self.groups:
            ends.append(ends[-1] + len(one.starts))
        return tuple(slice(begin, end) for begin, end in pairwise(ends))

    def sums(self, bottom: Array) -> Array:
        """Sums of series (…, series, steps) over every node, float64 (…, nodes, steps)."""
        return self.sums_of_cells(self.cells.sums(bottom))

    def sums_of_cells(self, values: Array) -> Array:
        """Sums of cells (…, cells, steps) over every node, float64 (…, nodes, steps)."""
        xp = Backend.of(values).xp
        return xp.concatenate([one.sums(values) for one in self.groups], axis=-2)

    def spread(self, prices: Array) -> Array:
        """For each cell the sum of what its nodes have, (cells, steps) of (nodes, steps)."""
        total = Backend.of(prices).xp.zeros((self.groups[0].members, prices.shape[1]))
        for one, rows in zip(self.groups, self.nodes, strict=True):
            total += prices[rows][one.codes]
        return total


def structural_weights(over: Levels) -> Array:
    """1 / the number of series, (nodes + series,): right where all series' errors are alike.

    Source: Athanasopoulos, Hyndman, Kourentzes & Petropoulos (2017), Forecasting with temporal
    hierarchies, European Journal of Operational Research 262, section 3.
    """
    one = Backend.of(over.cells.codes).xp.ones((over.cells.members, 1))
    return 1.0 / Backend.of(one).xp.concatenate([over.sums(one), one])[:, 0]


def top_down(bottom: Array, total: Array) -> Array:
    """The total (…, 1, steps) shared out as the forecasts (…, series, steps) lie to one another.

    Where all of those are 0, each series gets the same. Float64.
    """
    xp = Backend.of(bottom).xp
    kept = xp.maximum(bottom, 0).astype("float64")
    whole = kept.sum(axis=-2, keepdims=True)
    share = xp.where(whole > 0, kept / xp.where(whole > 0, whole, 1.0), 1.0 / kept.shape[-2])
    return share * xp.maximum(total, 0)


def least_squares(over: Levels, bottom: Array, upper: Array, weights: Array) -> Array:
    """The non-negative series (series, steps) with the least weighted squared changes.

    `bottom` (series, steps), `upper` (nodes, steps), `weights` (nodes + series,), as
    `Hierarchy.reconcile` says. With the prices p of the nodes, a series becomes its forecast plus
    variance times the prices of its nodes, or 0 where that is negative: those are the conditions
    of the least squares. Who is at 0 is found by trying: hold those at 0 that came out negative,
    solve for the prices of the rest, let go of those that would come out positive.

    Source of that search: Hintermüller, Ito & Kunisch (2002), The primal-dual active set strategy
    as a semismooth Newton method, SIAM Journal on Optimization 13.
    """
    xp, nodes = Backend.of(bottom).xp, len(upper)
    expected = bottom.astype("float64")
    variance = 1.0 / weights[nodes:, None]
    trusted = weights[:nodes] * _has_say(over)
    free = xp.ones(bottom.shape, dtype=bool)
    for _ in range(_ROUNDS):
        gap = upper - over.sums(xp.where(free, expected, 0.0))
        stiffness = over.cells.sums(xp.where(free, variance, 0.0))
        prices = _prices(over, gap, stiffness, trusted)
        moved = expected + variance * over.spread(prices)[over.cells.codes]
        if bool(((moved > 0) == free).all()):
            break
        free = moved > 0
    return xp.maximum(moved, 0.0)


def _has_say(over: Levels) -> Array:
    """False for the nodes of a level on which every node is one series, (nodes,)."""
    xp = Backend.of(over.cells.codes).xp
    sizes = [len(one.starts) for one in over.groups]
    return xp.concatenate([xp.full(size, size < over.cells.members) for size in sizes])


def _prices(over: Levels, gap: Array, stiffness: Array, trusted: Array) -> Array:
    """The p with p / trusted + sums(stiffness * spread(p)) = gap, all (nodes, steps).

    By conjugate gradients, all steps at once; p is 0 where `trusted` (nodes,) is. Source:
    Hestenes & Stiefel (1952), Methods of conjugate gradients for solving linear systems.
    """
    xp = Backend.of(gap).xp
    say = (trusted > 0)[:, None]
    variance = 1.0 / xp.where(say, trusted[:, None], 1.0)
    diagonal = variance + over.sums_of_cells(stiffness)
    prices, residual = xp.zeros_like(gap), gap * say
    direction = residual / diagonal
    steepness = (residual * direction).sum(axis=0)
    aim = _TOLERANCE**2 * steepness
    for _ in range(_ITERATIONS):
        if bool((steepness <= aim).all()):
            break
        pushed = (variance * direction + _along(over, stiffness, direction)) * say
        length = steepness / _not_zero((direction * pushed).sum(axis=0))
        prices += length * direction
        residual -= length * pushed
        ready = residual / diagonal
        before, steepness = steepness, (residual * ready).sum(axis=0)
        direction = ready + steepness / _not_zero(before) * direction
    return prices


def _along(over: Levels, stiffness: Array, direction: Array) -> Array:
    return over.sums_of_cells(stiffness * over.spread(direction))


def _not_zero(values: Array) -> Array:
    """The values, 1 in place of 0: a step that is solved has nothing left to divide."""
    return Backend.of(values).xp.where(values == 0, 1.0, values)
