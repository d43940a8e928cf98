"""The likelihood of average spend under Gamma-Gamma, with exact first and second derivatives."""

from dataclasses import dataclass

import numpy as np

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.customer_value.distinct import distinct_rows
from gpu_pipeline.customer_value.fitting import Curve, Floats

__all__ = ["GammaGammaLikelihood"]

# The places of the parameters.
P, Q, V = range(3)


@dataclass(frozen=True)
class GammaGammaLikelihood:
    """The mean over customers of -ln L in Fader & Hardie (2013, brucehardie.com/notes/025), eq. 1a.

    With s = x m, all that was spent in x purchases of mean m, and y = s / (v + s):
    L = y^(p x) (1 - y)^q / (m B(p x, q)). Gamma functions are taken once for each frequency.
    """

    backend: Backend
    frequency: Array
    spent: Array
    weights: Array
    frequencies: Array
    frequency_weights: Array
    mean_of_log: float

    @classmethod
    def of(
        cls, frequency: Array, average: Array, weights: Array | None, backend: Backend
    ) -> "GammaGammaLikelihood":
        """Of customers with purchases; the weights count customers, 1 each without."""
        xp = backend.xp
        rows = distinct_rows([frequency, average], xp)
        counts = rows.counts(xp).astype(xp.float64) if weights is None else rows.sums(weights, xp)
        counts = counts / counts.sum()
        x, mean = rows.columns
        frequencies = distinct_rows([x], xp)
        by_frequency = frequencies.columns[0], frequencies.sums(counts, xp)
        return cls(backend, x, x * mean, counts, *by_frequency, float(counts @ xp.log(mean)))

    def __call__(self, logarithms: Floats) -> Curve:
        """The curve at the logarithms of p, q - 1 and v, in these."""
        over = np.exp(logarithms)
        p, q, v = (float(one) for one in over + np.array([0.0, 1.0, 0.0]))
        value, gradient, hessian, scale = self._of_frequencies(p, q)
        step = self.backend.rows_at_once
        for first in range(0, len(self.weights), step):
            more = self._of_rows(p, q, v, slice(first, first + step))
            value += more.value
            gradient = gradient + more.gradient
            hessian = hessian + more.hessian
        slopes = over * gradient
        bends = np.outer(over, over) * hessian + np.diag(slopes)
        return Curve(self.mean_of_log - value, -slopes, -bends, scale)

    def _of_frequencies(self, p: float, q: float) -> Curve:
        """The mean of -ln B(p x, q).

        zeta(2, z), Hurwitz's function, is the second derivative of ln Gamma(z).
        """
        special, xp = self.backend.special, self.backend.xp
        x, weights = self.frequencies, self.frequency_weights
        k, one = p * x, xp.asarray([q])
        of_q = [special.gammaln(one), special.digamma(one), special.zeta(2.0, one)]
        both = [special.gammaln(k + q), special.digamma(k + q), special.zeta(2.0, k + q)]
        sums = xp.stack(
            [
                weights @ (both[0] - special.gammaln(k) - of_q[0]),
                weights @ (x * (both[1] - special.digamma(k))),
                weights @ (both[1] - of_q[1]),
                weights @ (x**2 * (both[2] - special.zeta(2.0, k))),
                weights @ (x * both[2]),
                weights @ (both[2] - of_q[2]),
                weights @ xp.abs(both[0]),
            ]
        )
        value, by_p, by_q, by_pp, by_pq, by_qq, scale = (
            float(one) for one in self.backend.to_host(sums)
        )
        hessian = np.array([[by_pp, by_pq, 0.0], [by_pq, by_qq, 0.0], [0.0, 0.0, 0.0]])
        return Curve(value, np.array([by_p, by_q, 0.0]), hessian, scale)

    def _of_rows(self, p: float, q: float, v: float, part: slice) -> Curve:
        """The sum of w (p x ln y + q ln(1 - y))."""
        xp = self.backend.xp
        x, spent, weights = self.frequency[part], self.spent[part], self.weights[part]
        of_spent, of_rest, left = -xp.log1p(v / spent), -xp.log1p(spent / v), 1 / (v + spent)
        events = p * x + q
        sums = xp.stack(
            [
                weights @ (x * of_spent),
                weights @ of_rest,
                weights @ (q / v - events * left),
                weights @ (x * left),
                weights @ (spent * left / v),
                weights @ (events * left**2 - q / v**2),
            ]
        )
        by_p, by_q, by_v, by_pv, by_qv, by_vv = (float(one) for one in self.backend.to_host(sums))
        hessian = np.array([[0.0, 0.0, -by_pv], [0.0, 0.0, by_qv], [-by_pv, by_qv, by_vv]])
        return Curve(p * by_p + q * by_q, np.array([by_p, by_q, by_v]), hessian, 0.0)
