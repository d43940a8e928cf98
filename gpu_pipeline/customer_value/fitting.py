"""Newton's method between limits: few parameters, with exact gradient and Hessian."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from gpu_pipeline.errors import FitError

__all__ = ["Curve", "Floats", "Limits", "Minimum", "minimise"]

Floats = npt.NDArray[np.float64]

_MOST_STEPS = 200
_FIRST_RADIUS, _SMALLEST_RADIUS = 1.0, 1e-10
# What a further step may still gain, as a part of the scale: rounding hides less.
_GAIN, _GAIN_WHERE_STUCK = 1e-14, 1e-11
_SUFFICIENT = 1e-4  # of the gain that the slope promises (Armijo's rule)
_ROUNDING = 8 * float(np.finfo(np.float64).eps)
_FLAT = 1e-13  # of the steepest curvature


class Curve(NamedTuple):
    """A function near a point: its value, gradient (n,) and Hessian (n, n).

    `scale` is the size of the terms that the value is the difference of: it is as exact as they.
    """

    value: float
    gradient: Floats
    hessian: Floats
    scale: float


class Limits(NamedTuple):
    """The least and the greatest that each parameter may be."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class Minimum:
    """Where a function is least between its limits, and what it looks like there."""

    point: Floats
    curve: Curve
    is_at_limit: npt.NDArray[np.bool_]
    evaluations: int


def minimise(
    function: Callable[[Floats], Curve], starts: Sequence[Floats], limits: Limits, *, what: str
) -> Minimum:
    """The minimum that the first start leads to; a further one is tried where it leads nowhere.

    A trust region with the eigenvalues of the Hessian taken absolutely, so a saddle repels
    (Dauphin et al. 2014, section 4). A parameter rests at a limit that the slope pushes it to.

    Raises:
        FitError: no start leads to a minimum; the message names `what` was to be fitted.
    """
    # More threads add the same numbers in another order: the last digits would differ.
    with threadpool_limits(1):
        for start in starts:
            found = _descended(function, np.clip(start, *limits), limits)
            if found is not None:
                return found
    message = (
        f"The fit of {what} did not converge from any of {len(starts)} starts in {_MOST_STEPS} "
        "steps each. Look for a few customers with impossible histories, or fit on more customers."
    )
    raise FitError(message)


def _descended(
    function: Callable[[Floats], Curve], point: Floats, limits: Limits
) -> Minimum | None:
    curve, radius, is_stuck = function(point), _FIRST_RADIUS, False
    for evaluations in range(1, _MOST_STEPS):
        newton, gain, free = _newton_step(point, curve, limits)
        if gain <= (_GAIN_WHERE_STUCK if is_stuck else _GAIN) * max(1.0, curve.scale):
            return Minimum(point, curve, ~free, evaluations)
        if is_stuck:
            return None
        length = float(np.linalg.norm(newton))
        trial = _moved(point, newton, min(1.0, radius / length), limits)
        ahead = function(trial)
        promised = -float(curve.gradient @ (trial - point))
        slack = _ROUNDING * max(1.0, curve.scale)
        if ahead.value <= curve.value - _SUFFICIENT * promised + slack:
            radius = max(radius, 2 * min(length, radius))
            point, curve = trial, ahead
        else:
            radius = float(np.linalg.norm(trial - point)) / 4
            is_stuck = radius < _SMALLEST_RADIUS
    return None


def _newton_step(
    point: Floats, curve: Curve, limits: Limits
) -> tuple[Floats, float, npt.NDArray[np.bool_]]:
    """(the step to where the curve is least, what it gains there, which parameters take part).

    A parameter that would leave its limits at once takes no part.
    """
    free = ~_leaves(point, -curve.gradient, limits)
    while True:
        step, gain = _step_of(curve, free)
        leaves = _leaves(point, step, limits)
        if not leaves.any():
            return step, gain, free
        free &= ~leaves


def _leaves(point: Floats, step: Floats, limits: Limits) -> npt.NDArray[np.bool_]:
    leaves: npt.NDArray[np.bool_] = ((point <= limits.low) & (step < 0)) | (
        (point >= limits.high) & (step > 0)
    )
    return leaves


def _step_of(curve: Curve, free: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
    step = np.zeros(len(free))
    if not free.any():
        return step, 0.0
    bends, axes = np.linalg.eigh(curve.hessian[np.ix_(free, free)])
    bends = np.abs(bends)
    slopes = axes.T @ curve.gradient[free]
    bends = np.maximum(bends, max(_FLAT * bends.max(), np.finfo(np.float64).tiny))
    step[free] = -axes @ (slopes / bends)
    return step, float(slopes @ (slopes / bends)) / 2


def _moved(point: Floats, step: Floats, part: float, limits: Limits) -> Floats:
    """That part of the step, or less: until a parameter meets its limit, where it is put exactly.

    Going on without that parameter would leave the direction that promised a gain.
    """
    ends = np.where(step > 0, limits.high, limits.low)
    room = np.full(len(step), np.inf)
    np.divide(ends - point, step, out=room, where=step != 0)
    nearest = float(room.min())
    if nearest > part:
        return np.asarray(point + part * step)
    return np.where(room <= nearest * (1 + _ROUNDING), ends, point + nearest * step)
