"""Hierarchy: the sums of series that their static columns define, and forecasts that agree.

A level is a way to part the series: by one column, by several, or not at all (the total). No
level need lie within another: sums by state and sums by category stand side by side. Nothing is a
dense matrix of nodes by series: a level is one code for each series, and a sum is a sorted run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, Self, TypeAlias

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.forecasting.reconciliation import (
    Groups,
    Levels,
    least_squares,
    structural_weights,
    top_down,
)

__all__ = ["METHODS", "MOST_COLUMNS", "Hierarchy", "Method", "Static"]

Method: TypeAlias = Literal["bottom_up", "top_down", "wls"]
Static: TypeAlias = Mapping[str, tuple[Array, Sequence[object]]]

MOST_COLUMNS = 6  # which make up to 64 levels
METHODS: tuple[Method, ...] = ("bottom_up", "top_down", "wls")
_TOTAL = "total"
_BLOCK_BYTES = 2**26  # that a copy of the series' values may take at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Hierarchy:
    """The levels over some series: `Hierarchy.of` makes one.

    `levels` are the columns of each, from none, the total, on. `nodes` is a frame with a row a
    node, level by level: `level` ("total", "state_id/cat_id"), `unique_id` ("total",
    "state_id=CA/cat_id=FOODS") and `series`, the number of series that it sums.

    >>> import numpy as np
    >>> static = {"shop": (np.array([0, 0, 1]), ["north", "south"])}
    >>> shops = Hierarchy.of(static, ["shop"])
    >>> shops.nodes["unique_id"].tolist()
    ['total', 'shop=north', 'shop=south']
    >>> shops.sums(np.array([[1.0], [2.0], [4.0]])).ravel().tolist()
    [7.0, 3.0, 4.0]
    """

    backend: Backend
    levels: tuple[tuple[str, ...], ...]
    nodes: Frame
    _over: Levels = field(repr=False)

    @classmethod
    def of(cls, static: Static, columns: Sequence[str]) -> Self:
        """The total, and every combination of the columns that parts the series differently.

        `static` holds for each column the code of every series, int (series,), and what the codes
        mean; -1 is for nothing known. Of combinations that part the series the same way the one
        of fewest columns is kept: where every store lies in one state, there is no level of
        states and stores.

        Raises:
            ValueError: there are no columns, more than six, or some that `static` lacks.
        """
        _check(static, columns)
        backend = Backend.of(static[columns[0]][0])
        series = len(static[columns[0]][0])
        kept: dict[tuple[str, ...], _Partition] = {}
        for count in range(len(columns) + 1):
            for names in combinations(columns, count):
                found = _Partition.by([static[name][0] for name in names], series, backend)
                if not any(found.is_same(other) for other in kept.values()):
                    kept[names] = found
        finest = _Partition.by([static[name][0] for name in columns], series, backend)
        over = Levels(
            cells=Groups.of(finest.codes),
            groups=tuple(Groups.of(one.codes[finest.first]) for one in kept.values()),
        )
        nodes = _nodes(static, kept, backend)
        return cls(backend=backend, levels=tuple(kept), nodes=nodes, _over=over)

    def sums(self, bottom: Array) -> Array:
        """What each node's series come to together, float64 (…, nodes, steps).

        `bottom` is (…, series, steps): forecasts, demand, samples, whatever adds up.
        """
        xp, steps = self.backend.xp, bottom.shape[-1]
        sums = xp.empty((*bottom.shape[:-2], len(self.nodes), steps), dtype="float64")
        width = max(1, _BLOCK_BYTES * steps // max(1, 8 * bottom.size))
        for begin in range(0, steps, width):
            some = slice(begin, begin + width)
            sums[..., some] = self._over.sums(bottom[..., some])
        return sums

    def reconcile(
        self,
        bottom: Array,
        upper: Array,
        *,
        method: Method = "wls",
        weights: Array | None = None,
    ) -> Array:
        """Forecasts of the series that agree with those of the nodes, of the type of `bottom`.

        `bottom` (…, series, steps) and `upper` (…, nodes, steps) were forecast apart. What comes
        back is never negative, and the nodes' forecasts are from now on its `sums`: so they agree
        whatever the method.

        - `bottom_up` keeps the series' forecasts: `upper` has no say.
        - `top_down` keeps the total and shares it out as the series' forecasts lie to one another.
        - `wls` moves every forecast as little as can be, by weighted least squares under the
          condition that none is negative. `weights` float (nodes + series,), nodes first, say how
          far each is to be trusted, usually 1 / variance of its errors: positive for series, from
          0 up for nodes. Without them a forecast is trusted as if its variance was the number of
          its series. Nodes of one series have no say where all of their level are such: those are
          the series, whose forecasts `bottom` holds.

        Raises:
            ValueError: the method is none of these, or shapes or weights do not fit.

        Sources: Wickramasuriya, Athanasopoulos & Hyndman (2019), Optimal forecast reconciliation
        for hierarchical and grouped time series through trace minimization, Journal of the
        American Statistical Association 114; the conditions of non-negative forecasts:
        Wickramasuriya, Turlach & Hyndman (2020), Optimal non-negative forecast reconciliation,
        Statistics and Computing 30; shares of a total: Athanasopoulos, Ahmed & Hyndman (2009),
        Hierarchical forecasts for Australian domestic tourism, International Journal of
        Forecasting 25.
        """
        xp = self.backend.xp
        _check_method(method)
        self._check_shapes(bottom, upper)
        if method == "bottom_up":
            return xp.maximum(bottom, 0)
        if method == "top_down":
            return top_down(bottom, upper[..., :1, :]).astype(bottom.dtype)
        given = structural_weights(self._over) if weights is None else self._checked(weights)
        reconciled = xp.empty_like(bottom)
        slabs = reconciled.reshape(-1, *bottom.shape[-2:])
        for i, (low, high) in enumerate(
            zip(
                bottom.reshape(slabs.shape),
                upper.reshape(-1, *upper.shape[-2:]),
                strict=True,
            )
        ):
            slabs[i] = least_squares(self._over, low, high, given)
        return reconciled

    def _checked(self, weights: Array) -> Array:
        xp, nodes = self.backend.xp, len(self.nodes)
        expected = (nodes + self._over.cells.members,)
        if weights.shape != expected:
            message = (
                f"weights have shape {weights.shape}: give {expected}, one for each of the {nodes} "
                f"nodes and then one for each of the {self._over.cells.members} series."
            )
            raise ValueError(message)
        wrong = ~xp.isfinite(weights) | (weights < 0)
        wrong[nodes:] |= weights[nodes:] == 0
        if bool(wrong.any()):
            message = (
                f"{int(wrong.sum())} of {len(weights)} weights are infinite, not a number, "
                "negative, or 0 for a series: bound the variances that they come from."
            )
            raise ValueError(message)
        return weights.astype("float64")

    def _check_shapes(self, bottom: Array, upper: Array) -> None:
        series, nodes = self._over.cells.members, len(self.nodes)
        lead, steps = bottom.shape[:-2], bottom.shape[-1]
        expected = {"bottom": (*lead, series, steps), "upper": (*lead, nodes, steps)}
        for name, values in (("bottom", bottom), ("upper", upper)):
            if values.shape != expected[name]:
                message = f"{name} has shape {values.shape}: it must be {expected[name]}."
                raise ValueError(message)


@dataclass(frozen=True)
class _Partition:
    """Which group each series is in: `codes` (series,) by the columns' order, `first` (groups,).

    `first` is the first series of each group, `by_first` the groups numbered in that order, which
    is the same for every way to make the same groups.
    """

    codes: Array
    first: Array
    by_first: Array

    @classmethod
    def by(cls, columns: Sequence[Array], series: int, backend: Backend) -> Self:
        xp = backend.xp
        codes = xp.zeros(series, dtype="int64")
        for column in columns:
            # -1 counts as a group of its own, the first.
            width = int(column.max()) + 2
            _, codes = xp.unique(codes * width + column + 1, return_inverse=True)
        _, first = xp.unique(codes, return_index=True)
        rank = xp.empty_like(first)
        rank[xp.argsort(first)] = xp.arange(len(first))
        return cls(codes, first, rank[codes])

    def is_same(self, other: Self) -> bool:
        return len(self.first) == len(other.first) and bool((self.by_first == other.by_first).all())


def _nodes(static: Static, kept: Mapping[tuple[str, ...], _Partition], backend: Backend) -> Frame:
    xp = backend.xp
    levels: list[str] = []
    ids: list[str] = []
    for names, found in kept.items():
        # Each node's categories are those of its first series.
        codes = [backend.to_host(static[name][0][found.first]).tolist() for name in names]
        rows = zip(*codes, strict=True) if names else [()]
        ids += [_node_id(static, names, row) for row in rows]
        levels += ["/".join(names) or _TOTAL] * len(found.first)
    sizes = xp.concatenate([xp.bincount(found.codes) for found in kept.values()])
    return backend.frames.DataFrame({"level": levels, "unique_id": ids, "series": sizes})


def _node_id(static: Static, names: Sequence[str], codes: Sequence[int]) -> str:
    parts = (
        f"{name}={static[name][1][code] if code >= 0 else 'unknown'}"
        for name, code in zip(names, codes, strict=True)
    )
    return "/".join(parts) or _TOTAL


def _check(static: Static, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in static]
    repeated = sorted({name for name in columns if list(columns).count(name) > 1})
    if missing or repeated:
        found = ", ".join(static) or "none"
        fault = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(repeated)} twice"
        message = f"The hierarchy {fault}: it can have each static column once, which are {found}."
        raise ValueError(message)
    if not 1 <= len(columns) <= MOST_COLUMNS:
        message = (
            f"A hierarchy of {len(columns)} columns: give 1 to {MOST_COLUMNS}, as every combination"
            " of them is a level."
        )
        raise ValueError(message)


def _check_method(method: str) -> None:
    if method not in METHODS:
        message = f"method is {method!r}: it can be {', '.join(METHODS)}."
        raise ValueError(message)
