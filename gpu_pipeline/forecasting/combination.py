"""Combination: how much each model counts in a series' forecast, learnt from past errors.

With weights that add up to 1, the error of a combination is the weighted sum of the models'
errors. So the mean products of these errors, one small matrix a series, say what any weights would
have cost, and the best ones are found without looking at a forecast again.
"""

from collections.abc import Sequence
from types import ModuleType

from gpu_pipeline.backend import Array
from gpu_pipeline.forecasting.metrics import squared_scale
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.forecasting.past_errors import KINDS, kinds

__all__ = ["beats", "combined", "error_products", "weights_of"]

_PRIOR_WINDOWS = 8.0  # of alike series, which a series' own windows are added to
_RIDGE = 0.01  # of a model's mean squared error, added to it: what draws weights together
_EXACT = 0.01  # of the usual error, below which a series' own windows say ever more
_LEAST_SHARE = 0.005  # that is still counted: what has less is on its way to 0
_ROUNDS = 200
_STEP, _STEEPEST = 1.0, 20.0  # down the logarithm of the cost: so its unit does not matter
_STAYS = {"random_forest": 0.05}  # the least that these count, wherever they can speak


def error_products(
    panel: Panel, made: Sequence[Array], starts: Sequence[int], window: int
) -> list[Array]:
    """For each window the mean products of the models' errors, float32 (series, models, models).

    `made` are the forecasts of each model (origins, series, horizon) at the `starts`, and maybe
    at later origins. Divided by `squared_scale`, so that products of all series can be added up,
    or by the square of what a series sold that never changed; 0 for one that had not begun.
    """
    xp = panel.backend.xp
    products = []
    for i, origin in enumerate(starts):
        steps = slice(origin, origin + window)
        seen = panel.observed[:, steps] & (panel.first < origin)[:, None]
        errors = xp.stack([panel.y[:, steps] - one[i, :, :window] for one in made], axis=1)
        errors *= seen[:, None, :]
        scale = squared_scale(panel, origin)
        is_flat = (scale == 0) & (origin - panel.first >= panel.cycle)
        scale = xp.where(is_flat, panel.y[:, origin - 1] ** 2, scale)
        weight = (scale > 0) / xp.where(scale > 0, scale, 1.0) / xp.maximum(seen.sum(axis=1), 1)
        found = xp.matmul(errors, errors.transpose(0, 2, 1)) * weight[:, None, None]
        products.append(found.astype("float32"))
    return products


def weights_of(
    panel: Panel, products: Sequence[Array], models: Sequence[str], *, origin: int
) -> Array:
    """The weights for forecasts from `origin` on, float32 (series, models): from 0 up, together 1.

    They have the least mean squared error in the windows of `products`, to which those of all
    series that until `origin` were sold about as often are added as if they were `_PRIOR_WINDOWS`
    windows more: two or three windows alone say little of one series. To a model that was exact
    there is nothing to add, unless the series is rarely sold: all models are exact on what never
    comes. A share of each model's mean squared error is added to it, which draws the weights
    together where models are much the same.

    Source: Bates & Granger (1969), The combination of forecasts, Operational Research Quarterly
    20; why they are drawn together: Timmermann (2006), Forecast combinations, Handbook of
    Economic Forecasting 1, section 2.
    """
    xp, count = panel.backend.xp, len(models)
    own = xp.stack(products).sum(axis=0, dtype="float64")
    lived = (xp.trace(xp.stack(products), axis1=2, axis2=3) > 0).sum(axis=0)
    total = own.sum(axis=0) / max(float(lived.sum()), 1.0)
    weights = xp.empty((len(own), count), dtype="float32")
    now = kinds(panel, origin)
    for kind in range(KINDS):
        here = (now == kind).nonzero()[0]
        windows = float(lived[here].sum())
        alike = (own[here].sum(axis=0) + _PRIOR_WINDOWS * total) / (windows + _PRIOR_WINDOWS)
        prior = xp.full(len(here), _PRIOR_WINDOWS)
        if kind > 0:
            prior *= _unlike_exact(own[here], lived[here], alike, xp)
        costs = own[here] + prior[:, None, None] * alike
        weights[here] = _best(costs, xp)
    for name, least in _STAYS.items():
        if name in models:
            weights *= 1 - least
            weights[:, models.index(name)] += least
    return weights


def combined(made: Sequence[Array], weights: Sequence[Array], xp: ModuleType) -> Array:
    """The models' forecasts by the weights (series, models) of each origin, like one of `made`."""
    total = xp.zeros_like(made[0])
    for origin, shares in enumerate(weights):
        for model, forecasts in enumerate(made):
            total[origin] += shares[:, model, None] * forecasts[origin]
    return total


def beats(products: Sequence[Array], weights: Sequence[Array], model: int) -> bool:
    """Whether combinations by the weights had less squared error in their windows than one model.

    Windows of `products` (series, models, models) and of `weights` (series, models) are the same;
    errors are scaled, so every series counts alike. A model without errors can't be beaten.
    """
    ours = theirs = 0.0
    for found, shares in zip(products, weights, strict=True):
        ours += float(((found @ shares[:, :, None])[:, :, 0] * shares).sum())
        theirs += float(found[:, model, model].sum())
    return ours < theirs


def _unlike_exact(own: Array, lived: Array, alike: Array, xp: ModuleType) -> Array:
    """How far alike series are listened to, (series,): 1, but 0 where a model was exact."""
    least = xp.diagonal(own, axis1=1, axis2=2).min(axis=1) / xp.maximum(lived, 1)
    usual = _EXACT * xp.diagonal(alike).min()
    share = least / usual if usual > 0 else xp.ones(len(own))
    return xp.where(lived > 0, xp.minimum(share, 1.0), 1.0)


def _best(costs: Array, xp: ModuleType) -> Array:
    """The shares (series, models) with the least cost, which costs (series, models, models) tell.

    Source: Kivinen & Warmuth (1997), Exponentiated gradient versus gradient descent for linear
    predictors, Information and Computation 132.
    """
    count = costs.shape[1]
    stiffened = costs * (1.0 + _RIDGE * xp.eye(count))
    shares = xp.full(costs.shape[:2], 1.0 / count)
    for done in range(_ROUNDS):
        step = _STEP * (1 - done / _ROUNDS)  # else errors that offset each other make it swing
        slope = xp.matmul(stiffened, shares[:, :, None])[:, :, 0]
        cost = (slope * shares).sum(axis=1, keepdims=True)
        steep = slope / xp.where(cost > 0, cost, 1.0) - (cost > 0)
        shares = shares * xp.exp(-step * xp.clip(steep, -_STEEPEST, _STEEPEST))
        shares = shares / shares.sum(axis=1, keepdims=True)
    shares = xp.where(shares < _LEAST_SHARE, 0.0, shares)
    return shares / shares.sum(axis=1, keepdims=True)
