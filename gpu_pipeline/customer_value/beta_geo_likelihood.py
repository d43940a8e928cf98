"""The likelihood of repeat purchases under BG/NBD, with exact first and second derivatives."""

import math
from dataclasses import dataclass

import numpy as np

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.customer_value.distinct import distinct_rows
from gpu_pipeline.customer_value.fitting import Curve, Floats

__all__ = ["ALPHA", "A", "B", "BetaGeoLikelihood", "R", "log_odds_of_being_gone"]

# The places of the parameters.
R, ALPHA, A, B = range(4)


def log_odds_of_being_gone(
    parameters: Floats, frequency: Array, recency: Array, age: Array, backend: Backend
) -> Array:
    """ln((1 - p) / p) for p, the probability of being alive; -inf for who never came back.

    Who never came back can't have gone: in BG/NBD people leave right after a repeat purchase.
    """
    xp = backend.xp
    r, alpha, a, b = (float(one) for one in parameters)
    has_repeats = frequency > 0
    odds = math.log(a) - xp.log(b + xp.maximum(frequency, 1) - 1)
    odds += (r + frequency) * xp.log((alpha + age) / (alpha + recency))
    return xp.where(has_repeats, odds, -np.inf)


@dataclass(frozen=True)
class BetaGeoLikelihood:
    """The mean over customers of -ln L in Fader, Hardie & Lee (2005, Marketing Science 24), eq. 6.

    L = G(x) [(alpha + T)^-(r+x) + 1{x>0} a / (b+x-1) (alpha + t)^-(r+x)], where G(x) holds all
    gamma functions: these are taken once for each frequency, logarithms once for each history.
    """

    backend: Backend
    columns: tuple[Array, Array, Array]
    weights: Array
    frequencies: Array
    frequency_weights: Array

    @classmethod
    def of(
        cls,
        frequency: Array,
        recency: Array,
        age: Array,
        weights: Array | None,
        backend: Backend,
        *,
        unit: float = 1.0,
    ) -> "BetaGeoLikelihood":
        """Of the distinct histories among these, with alpha in that unit of time.

        The weights count customers, 1 each without.
        """
        xp = backend.xp
        rows = distinct_rows([frequency, recency, age], xp)
        counts = rows.counts(xp).astype(xp.float64) if weights is None else rows.sums(weights, xp)
        counts = counts / counts.sum()
        frequencies = distinct_rows([rows.columns[0]], xp)
        x, t, ages = rows.columns
        by_frequency = frequencies.columns[0], frequencies.sums(counts, xp)
        return cls(backend, (x, t / unit, ages / unit), counts, *by_frequency)

    def __call__(self, logarithms: Floats) -> Curve:
        """The curve at the parameters with these logarithms, in these logarithms."""
        parameters = np.exp(logarithms)
        value, gradient, hessian, scale = self._of_frequencies(parameters)
        step = self.backend.rows_at_once
        for first in range(0, len(self.weights), step):
            part = slice(first, first + step)
            more = self._of_histories(parameters, part)
            value += more.value
            gradient = gradient + more.gradient
            hessian = hessian + more.hessian
        slopes = parameters * gradient
        bends = np.outer(parameters, parameters) * hessian + np.diag(slopes)
        return Curve(-value, -slopes, -bends, max(scale, abs(value)))

    def _of_frequencies(self, parameters: Floats) -> Curve:
        """The mean of ln G(x), by the parameters themselves.

        G = Gamma(r+x) / Gamma(r) alpha^r Gamma(a+b) Gamma(b+x) / Gamma(b) / Gamma(a+b+x).
        """
        r, alpha, a, b = (float(one) for one in parameters)
        of_r, of_b, of_both = (self._rises(start) for start in (r, b, a + b))
        value = of_r[0] + of_b[0] - of_both[0] + r * math.log(alpha)
        by_r, by_b = of_r[1] + math.log(alpha), of_b[1] - of_both[1]
        hessian = np.zeros((4, 4))
        hessian[R, R] = of_r[2]
        hessian[R, ALPHA] = hessian[ALPHA, R] = 1 / alpha
        hessian[ALPHA, ALPHA] = -r / alpha**2
        hessian[A, A] = hessian[A, B] = hessian[B, A] = -of_both[2]
        hessian[B, B] = of_b[2] - of_both[2]
        scale = max(of_r[0], of_b[0], of_both[0], key=abs)
        return Curve(value, np.array([by_r, r / alpha, -of_both[1], by_b]), hessian, abs(scale))

    def _rises(self, start: float) -> list[float]:
        """The means of ln(Gamma(start + x) / Gamma(start)) and of its two derivatives.

        zeta(2, z), Hurwitz's function, is the second derivative of ln Gamma(z).
        """
        special, xp = self.backend.special, self.backend.xp
        low, high = xp.asarray([start]), start + self.frequencies
        rises = (
            special.gammaln(high) - special.gammaln(low),
            special.digamma(high) - special.digamma(low),
            special.zeta(2.0, high) - special.zeta(2.0, low),
        )
        return [float(self.frequency_weights @ rise) for rise in rises]

    def _of_histories(self, parameters: Floats, part: slice) -> Curve:
        """The sum of w ln(alive + gone), the two terms of L's bracket, by the parameters."""
        xp, to_host = self.backend.xp, self.backend.to_host
        r, alpha, a, b = (float(one) for one in parameters)
        x, t, age, weights = (one[part] for one in (*self.columns, self.weights))
        odds = log_odds_of_being_gone(parameters, x, t, age, self.backend)
        more = xp.logaddexp(0.0, odds)
        gone = xp.where(x > 0, xp.exp(odds - more), 0.0)
        now, then, left = 1 / (alpha + age), 1 / (alpha + t), 1 / (b + xp.maximum(x, 1) - 1)
        events, logs = r + x, xp.log(alpha + age)
        apart = xp.where(x > 0, xp.log(alpha + t) - logs, 0.0)
        # How the logarithms of the two terms differ in their slopes: gone less alive.
        slopes = xp.stack([-apart, events * (now - then), xp.full_like(x, 1 / a), -left])
        by_gone, by_either = weights * gone, weights * gone * (1 - gone)
        value = weights @ (more - events * logs)
        gradient = slopes @ by_gone
        hessian = (slopes * by_either) @ slopes.T
        # The slopes and bends of each term's own logarithm: alive, then what gone has besides.
        squares = then**2 - now**2
        own = xp.stack(
            [
                weights @ logs,
                weights @ (events * now),
                weights @ now + by_gone @ (then - now),
                weights @ (events * now**2) + by_gone @ (events * squares),
                by_gone.sum() / a**2,
                by_gone @ left**2,
            ]
        )
        log_sum, rate, cross, bend, of_a, of_b = (float(one) for one in to_host(own))
        gradient, hessian = to_host(gradient), to_host(hessian)
        gradient[R] -= log_sum
        gradient[ALPHA] -= rate
        hessian[R, ALPHA] -= cross
        hessian[ALPHA, R] -= cross
        hessian[ALPHA, ALPHA] += bend
        hessian[A, A] -= of_a
        hessian[B, B] += of_b
        return Curve(float(value), gradient, hessian, 0.0)
