"""How features become comparable: learnt as a few numbers, the same wherever they are applied."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array, Backend

__all__ = ["Floats", "Preparation"]

_QUANTILES = (0.01, 0.99)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Preparation:
    """How a feature becomes comparable: cut at the quantiles, log, centre, scale. A few numbers."""

    low: Floats
    high: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def learnt(cls, values: Floats) -> Self:
        """From a matrix (customers, features)."""
        low, high = np.quantile(values, _QUANTILES, axis=0)
        logged = np.log1p(np.clip(values, low, high) - low)
        spread = logged.std(axis=0)
        return cls(low, high, logged.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def points(self, values: Array, backend: Backend) -> Array:
        """The matrix in standard deviations, on the device."""
        xp = backend.xp
        low, high, mean, spread = (
            xp.asarray(a) for a in (self.low, self.high, self.mean, self.spread)
        )
        return (xp.log1p(xp.clip(values, low, high) - low) - mean) / spread
