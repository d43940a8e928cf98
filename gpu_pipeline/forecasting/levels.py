"""Levels: forecasts of the sums that a hierarchy defines, and how they move those of the series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Self

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.backtest import Backtest, Forecasts, backtest
from gpu_pipeline.forecasting.frequency import moment_of
from gpu_pipeline.forecasting.hierarchy import METHODS, Hierarchy, Method
from gpu_pipeline.forecasting.known_ahead import KnownAhead
from gpu_pipeline.forecasting.metrics import recent_weights, squared_scale, wrmsse
from gpu_pipeline.forecasting.panel import Panel

__all__ = ["Levels"]


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A hierarchy over a panel, its nodes' own backtest, and the way to make forecasts agree.

    `errors` has for each method its error in each window: the mean over all levels, the series
    among them, of their wrmsse. `method` is the one with the least over all windows.
    """

    hierarchy: Hierarchy
    tested: Backtest
    errors: dict[Method, list[float]]
    trust: Array

    @classmethod
    def of(cls, bottom: Backtest, columns: Sequence[str], *, horizon: int, seed: int) -> Self:
        """The levels by static columns of the panel that `bottom` backtested.

        Sums are forecast by the models of one series at a time, and methods compared in the same
        windows as these: `wls` trusts every forecast by its errors in the other windows.
        """
        panel = bottom.panel
        hierarchy = Hierarchy.of(panel.static, columns)
        nodes = _node_panel(panel, hierarchy)
        windows = len(bottom.origins) - 1
        tested = backtest(nodes, horizon=horizon, windows=windows, seed=seed, regress=False)
        parts = [
            _squares(bottom.panel, bottom.forecasts, bottom.origins, bottom.window),
            _squares(nodes, tested.forecasts, bottom.origins, bottom.window),
        ]
        by_window = [
            _errors(hierarchy, bottom, tested, window, trust=_trust(*parts, without=window))
            for window in range(windows)
        ]
        errors = {method: [found[method] for found in by_window] for method in METHODS}
        return cls(hierarchy=hierarchy, tested=tested, errors=errors, trust=_trust(*parts))

    @property
    def method(self) -> Method:
        """The method with the least error over all windows."""
        return min(self.errors, key=lambda method: sum(self.errors[method]))

    def settled(self, panel: Panel, made: Forecasts) -> tuple[Forecasts, Panel, Forecasts]:
        """The series' forecasts after they agree; the nodes, and the sums that are theirs now.

        `panel` and `made` are of the series, with what is known ahead and the forecasts of it.
        """
        nodes = _node_panel(panel, self.hierarchy)
        upper = self.tested.finished(nodes)
        agreed = self.hierarchy.reconcile(
            made.forecasts, upper.forecasts, method=self.method, weights=self.trust
        )
        sums = self.hierarchy.sums(agreed)
        return replace(made, forecasts=agreed), nodes, replace(upper, forecasts=sums)


@dataclass(frozen=True)
class _Window:
    """What was sold in a window of a panel, and what errors there are measured by."""

    panel: Panel
    steps: slice
    scale: Array
    weights: Array

    @classmethod
    def of(cls, tested: Backtest, window: int) -> Self:
        """The window of a backtest's panel."""
        panel, origin = tested.panel, tested.origins[window]
        steps = slice(origin, origin + tested.window)
        return cls(panel, steps, squared_scale(panel, origin), recent_weights(panel, origin))

    def wrmsse(self, forecasts: Array, here: Array) -> float:
        """That of the forecasts (series, horizon) of the series `here`."""
        return wrmsse(
            self.panel.y[here, self.steps],
            forecasts[here, : self.steps.stop - self.steps.start],
            self.scale[here],
            self.weights[here],
            observed=self.panel.observed[here, self.steps],
        )


def _errors(
    hierarchy: Hierarchy, bottom: Backtest, nodes: Backtest, window: int, *, trust: Array
) -> dict[Method, float]:
    """For each method the mean over all levels, the series among them, of their wrmsse."""
    xp = hierarchy.backend.xp
    of_series, of_sums = _Window.of(bottom, window), _Window.of(nodes, window)
    codes, names = hierarchy.nodes["level"].factorize()
    codes = xp.asarray(codes)
    levels = [(codes == level).nonzero()[0] for level in range(len(names))]
    every = xp.arange(len(bottom.panel.ids))
    found: dict[Method, float] = {}
    for method in METHODS:
        agreed = hierarchy.reconcile(
            bottom.forecasts[window], nodes.forecasts[window], method=method, weights=trust
        )
        sums = hierarchy.sums(agreed)
        errors = [*(of_sums.wrmsse(sums, here) for here in levels), of_series.wrmsse(agreed, every)]
        known = [error for error in errors if not isnan(error)]
        found[method] = sum(known) / len(known) if known else 0.0
    return found


def _node_panel(panel: Panel, hierarchy: Hierarchy) -> Panel:
    """The sums as a panel of their own, in the order of the nodes, with what all series share."""
    shared = [place for place, values in enumerate(panel.known.values) if len(values) == 1]
    known = KnownAhead(
        names=tuple(panel.known.names[place] for place in shared),
        values=tuple(panel.known.values[place] for place in shared),
        categories=panel.known.categories,
    )
    nodes = Panel.from_matrix(
        range(len(hierarchy.nodes)),
        hierarchy.sums(panel.y),
        start=moment_of(panel.start_us),
        freq=panel.freq,
        backend=panel.backend,
    )
    return replace(nodes, known=known)


def _squares(panel: Panel, forecasts: Array, origins: Sequence[int], window: int) -> Array:
    """Mean squared errors, float64 (windows, series)."""
    xp = panel.backend.xp
    found = []
    for i, origin in enumerate(origins[:-1]):
        steps = slice(origin, origin + window)
        errors = (panel.y[:, steps] - forecasts[i, :, :window]) * panel.observed[:, steps]
        found.append((errors.astype("float64") ** 2).mean(axis=1))
    return xp.stack(found)


def _trust(series: Array, nodes: Array, *, without: int | None = None) -> Array:
    """How far each forecast is trusted, nodes first: 1 / mean squared error, of other windows."""
    kept = [i for i in range(len(series)) if i != without]
    squares = [part[kept].mean(axis=0) for part in (nodes, series)]
    least = 1e-6 * max(float(part.max()) for part in squares) or 1.0
    trust: Array = Backend.of(series).xp.concatenate([1.0 / (part + least) for part in squares])
    return trust
