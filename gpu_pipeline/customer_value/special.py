"""Means over a Beta distribution, by a rule that is as exact as float64 for any parameters."""

import math
from typing import NamedTuple

from gpu_pipeline.backend import Array, Backend

__all__ = ["BetaRule", "beta_rule"]

_STEP = 0.36  # of the trapezoidal rule, in log-odds
_STEP_OF_SPREAD = 0.5  # ... and at most this part of a standard deviation
_NEGLIGIBLE = 32.0  # -ln of what doesn't count any more
_SPREADS = 8.5  # a normal distribution has a part of e^-36 further out


class BetaRule(NamedTuple):
    """Nodes and weights, (distributions, nodes) each; the weights of a distribution add up to 1."""

    nodes: Array
    weights: Array


def beta_rule(a: float, b: Array, *, reach: float, backend: Backend) -> BetaRule:
    """Nodes and weights for means over Beta(a, b) of functions that are smooth in the log-odds.

    The trapezoidal rule in y = ln(p / (1 - p)): where a function's nearest singularity is p < 0
    or p > 1, that of the integrand lies at distance pi from the real line wherever it is, and
    the error falls as exp(-2 pi^2 / step) (Trefethen & Weideman 2014, SIAM Review 56, theorem 5.1).
    Beyond the last nodes the function must be flat and the weights fall as a geometric series,
    which is added to them. `reach`: below p = 1 / reach the function is flat.
    """
    xp = backend.xp
    b = b.reshape(-1, 1)
    spread, centre = xp.sqrt(1 / a + 1 / b), xp.log(a / b)
    falls = _NEGLIGIBLE / max(a - 1, 1e-9)
    low = xp.maximum(centre - _SPREADS * spread - falls, -_NEGLIGIBLE - math.log1p(reach))
    high = xp.minimum(centre + _SPREADS * spread + _NEGLIGIBLE / b, _NEGLIGIBLE)
    wanted = (high - low) / xp.minimum(_STEP, _STEP_OF_SPREAD * spread)
    count = int(xp.ceil(wanted.max()))
    step = (high - low) / count
    odds = low + step * xp.arange(count + 1)
    density = a * odds - (a + b) * xp.logaddexp(0.0, odds)
    weights = xp.exp(density - density.max(axis=1, keepdims=True))
    weights[:, :1] /= -xp.expm1(-a * step)
    weights[:, -1:] /= -xp.expm1(-b * step)
    return BetaRule(1 / (1 + xp.exp(-odds)), weights / weights.sum(axis=1, keepdims=True))
