"""Units: how many may be asked for, as a distribution of which mean and variance are known."""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

from gpu_pipeline.backend import Array, Backend

__all__ = ["Units", "fewest"]

_FEW = 10.0  # so few units are never less spread than those of independent buyers
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
        whole, _, _ = self._beyond(units)
        normal, _, _ = self._normal_beyond(units + 0.5)
        return self.backend.xp.where(self._is_normal, normal, whole)

    def loss(self, units: Array) -> Array:
        """Mean number of units asked for beyond these: E[(D - units)+]."""
        share, sold, _ = self._partial(units)
        return self.backend.xp.maximum(sold - units * share, 0.0)

    def second_loss(self, units: Array) -> Array:
        """The sum of `loss` over all numbers above `units`: E[W (W - 1) / 2], W = (D - units)+."""
        share, sold, squared = self._partial(units)
        twice = squared - (2 * units + 1) * sold + units * (units + 1) * share
        return self.backend.xp.maximum(twice / 2, 0.0)

    def quantile(self, probability: float) -> Array:
        """The fewest units that suffice with that probability."""
        spread = self.backend.xp.sqrt(self.variance)
        # Cantelli's inequality: further out there is no more than what is left.
        bound = self.mean + spread / sqrt(1 - probability)
        return fewest(lambda units: self.exceeds(units) <= 1 - probability, bound, self.backend)

    @property
    def _is_normal(self) -> Array:
        return (self.variance < self.mean) & (self.mean >= _FEW)

    def _partial(self, units: Array) -> tuple[Array, Array, Array]:
        """Mean of 1, D and D squared where D is above `units`, and 0 elsewhere."""
        xp, is_normal = self.backend.xp, self._is_normal
        pairs = zip(self._normal_beyond(units), self._beyond(units), strict=True)
        share, sold, squared = (xp.where(is_normal, normal, whole) for normal, whole in pairs)
        return share, sold, squared

    def _beyond(self, units: Array) -> tuple[Array, Array, Array]:
        """The same of a negative binomial: its size-biased selves are of that kind too."""
        xp = self.backend.xp
        # More than 2.5 is 3 or more: so what follows is linear between whole numbers, as it is.
        units, mean = xp.floor(units), xp.maximum(self.mean, 1e-12)
        excess = xp.maximum(self.variance / mean - 1, _LEAST_EXCESS)
        shape, chance = mean / excess, excess / (1 + excess)
        share = self._survival(units, shape, chance)
        sold = mean * self._survival(units - 1, shape + 1, chance)
        pairs = mean * (mean + excess) * self._survival(units - 2, shape + 2, chance)
        return share, sold, pairs + sold

    def _survival(self, units: Array, shape: Array, chance: Array) -> Array:
        xp = self.backend.xp
        above = self.backend.special.betainc(xp.maximum(units + 1, 1e-12), shape, chance)
        return xp.where(units <= -1, 1.0, above)

    def _normal_beyond(self, units: Array) -> tuple[Array, Array, Array]:
        xp = self.backend.xp
        spread = xp.sqrt(xp.maximum(self.variance, 1e-12))
        place = (units - self.mean) / spread
        density = xp.exp(-0.5 * place**2) / sqrt(2 * pi)
        share = self.backend.special.ndtr(-place)
        sold = self.mean * share + spread * density
        squared = (self.mean**2 + self.variance) * share + spread * (units + self.mean) * density
        return share, sold, squared


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
