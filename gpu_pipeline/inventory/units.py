"""Units: how many may be asked for, as a distribution of which mean and variance are known."""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

from gpu_pipeline.backend import Array, Backend

__all__ = ["Units", "fewest"]

_FEW = 10.0  # so few units are never less spread than those of independent buyers
_NOTHING = 1e-12  # stands for 0 where 0 can't be divided by
_LEAST_EXCESS = 1e-6  # of the variance over the mean: from here on it is a Poisson distribution


@dataclass(frozen=True)
class Units:
    """Whole numbers of units, a distribution an entry; `mean` and `variance` are float64 arrays.

    Negative binomial where the variance is above the mean, Poisson where it is not and the units
    are few; else normal, which is what many units come to. Source: Silver, Pyke & Thomas (2017),
    Inventory and Production Management in Supply Chains, section 6.7 (which distribution fits).

    >>> from gpu_pipeline.backend import Backend
    >>> import numpy as np
    >>> Units(np.array([4.0]), np.array([4.0]), Backend.choose("cpu")).quantile(0.95)
    array([8.])
    """

    mean: Array
    variance: Array
    backend: Backend

    def exceeds(self, units: Array) -> Array:
        """Probability that more than these are asked for."""
        # A normal distribution stands for whole numbers: each from half below to half above.
        return self._share(units + self.backend.xp.where(self._is_normal, 0.5, 0.0))

    def loss(self, units: Array) -> Array:
        """Mean number of units asked for beyond these: E[(D - units)+]."""
        beyond = self._sold(units) - units * self._share(units)
        return self.backend.xp.maximum(beyond, 0.0)

    def second_loss(self, units: Array) -> Array:
        """The sum of `loss` over all numbers above `units`: E[W (W - 1) / 2], W = (D - units)+."""
        once, twice = (2 * units + 1) * self._sold(units), units * (units + 1) * self._share(units)
        return self.backend.xp.maximum((self._squared(units) - once + twice) / 2, 0.0)

    def quantile(self, probability: float) -> Array:
        """The fewest units that suffice with that probability."""
        spread = self.backend.xp.sqrt(self.variance)
        # Cantelli's inequality: further out there is no more than what is left.
        bound = self.mean + spread / sqrt(1 - probability)
        return fewest(lambda units: self.exceeds(units) <= 1 - probability, bound, self.backend)

    @property
    def _is_normal(self) -> Array:
        return (self.variance < self.mean) & (self.mean >= _FEW)

    def _share(self, units: Array) -> Array:
        """P(D > units)."""
        share, _ = self._normal(units)
        return self.backend.xp.where(self._is_normal, share, self._survival(units, 0))

    def _sold(self, units: Array) -> Array:
        """The mean of D where it is above `units`, and 0 elsewhere."""
        share, density = self._normal(units)
        normal = self.mean * share + density
        return self.backend.xp.where(
            self._is_normal, normal, self.mean * self._survival(units - 1, 1)
        )

    def _squared(self, units: Array) -> Array:
        """The mean of D squared where it is above `units`, and 0 elsewhere."""
        share, density = self._normal(units)
        normal = (self.mean**2 + self.variance) * share + (units + self.mean) * density
        pairs = self.mean * (self.mean + self._excess) * self._survival(units - 2, 2)
        whole = pairs + self.mean * self._survival(units - 1, 1)
        return self.backend.xp.where(self._is_normal, normal, whole)

    @property
    def _excess(self) -> Array:
        """Variance over mean, less 1: of a negative binomial above 0."""
        xp = self.backend.xp
        return xp.maximum(self.variance / xp.maximum(self.mean, _NOTHING) - 1, _LEAST_EXCESS)

    def _survival(self, units: Array, biased: int) -> Array:
        """P(D > units) of the negative binomial, its shape raised by `biased`.

        Weighted by its units, or its pairs of units, it is a negative binomial of a higher shape.
        """
        xp, excess = self.backend.xp, self._excess
        shape = xp.maximum(self.mean, _NOTHING) / excess + biased
        # More than 2.5 is 3 or more: so what follows is linear between whole numbers, as it is.
        least = xp.floor(units) + 1
        above = self.backend.special.betainc(
            xp.maximum(least, _NOTHING), shape, excess / (1 + excess)
        )
        return xp.where(least <= 0, 1.0, above)

    def _normal(self, units: Array) -> tuple[Array, Array]:
        """P(D > units) of the normal distribution, and its density there times the variance."""
        xp = self.backend.xp
        spread = xp.sqrt(xp.maximum(self.variance, _NOTHING))
        place = (units - self.mean) / spread
        density = spread * xp.exp(-0.5 * place**2) / sqrt(2 * pi)
        return self.backend.special.ndtr(-place), density


def fewest(suffices: Callable[[Array], Array], bound: Array, backend: Backend) -> Array:
    """The smallest whole number from 0 on, an entry each, from which on `suffices` holds.

    `bound` is a number that is large enough, or somewhat too small.
    """
    xp = backend.xp
    below = xp.full(bound.shape, -1.0)
    largest = float(bound.max()) if bound.size else 0.0
    for bit in reversed(range(int(largest).bit_length() + 2)):
        tried = below + 2.0**bit
        below = xp.where(suffices(tried), below, tried)
    return below + 1
