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
        levels = cls(hierarchy=hierarchy, tested=tested, errors={}, trust=_trust(*parts))
        for method in METHODS:
            levels.errors[method] = [
                levels._error(bottom, method, window, _trust(*parts, without=window))
                for window in range(windows)
            ]
        return levels

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

    def _error(self, bottom: Backtest, method: Method, window: int, trust: Array) -> float:
        agreed = self.hierarchy.reconcile(
            bottom.forecasts[window], self.tested.forecasts[window], method=method, weights=trust
        )
        xp, sums, origin = (
            self.hierarchy.backend.xp,
            self.hierarchy.sums(agreed),
            bottom.origins[window],
        )
        steps = slice(origin, origin + bottom.window)
        errors = []
        levels = self.hierarchy.nodes["level"]
        codes, names = levels.factorize()
        codes = xp.asarray(codes)
        for level in range(len(names)):
            here = (codes == level).nonzero()[0]
            errors.append(_wrmsse(self.tested.panel, sums[here], here, steps))
        every = xp.arange(len(bottom.panel.ids))
        errors.append(_wrmsse(bottom.panel, agreed, every, steps))
        known = [error for error in errors if not isnan(error)]
        return sum(known) / len(known) if known else 0.0


def _wrmsse(panel: Panel, forecasts: Array, here: Array, steps: slice) -> float:
    return wrmsse(
        panel.y[here, steps],
        forecasts[:, : steps.stop - steps.start],
        squared_scale(panel, steps.start)[here],
        recent_weights(panel, steps.start)[here],
        observed=panel.observed[here, steps],
    )


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
