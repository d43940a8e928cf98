"""Demand curves: how much of each product will be asked for in its first days, and how surely."""

from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend

__all__ = ["DemandCurves"]


@dataclass(frozen=True)
class DemandCurves:
    """What is forecast of each product, summed from the first day on.

    mean: (products, days) float64, units expected in the first 1, 2, … days.
    variance: the same shape, the square of the standard deviation of that sum's error.

    Beyond the last day demand goes on at its mean rate, and the variance grows as it grew over
    the second half of the days: as the days where their errors are independent, as their square
    where they are the same.
    """

    mean: Array
    variance: Array
    backend: Backend

    @property
    def rate(self) -> Array:
        """Units a day over all days, (products,)."""
        return self.mean[:, -1] / self.mean.shape[1]

    def mean_over(self, days: Array, product: Array) -> Array:
        """Units expected of each of the `product` (rows) in the first `days`, parts of days too."""
        last = self.mean.shape[1]
        inside = self._inside(self.mean, days, product)
        beyond = self.backend.xp.maximum(days - last, 0.0)
        return inside + beyond * self.rate[product]

    def variance_over(self, days: Array, product: Array) -> Array:
        """The variance of the error of that sum."""
        xp, last = self.backend.xp, self.variance.shape[1]
        inside = self._inside(self.variance, days, product)
        return inside * xp.maximum(days / last, 1.0) ** self._growth()[product]

    def days_until(self, units: Array, product: Array, share: Array) -> Array:
        """Days in which that `share` of the demand is expected to come to `units`; NaN for never.

        Units of which there are none last 0 days.
        """
        xp, last = self.backend.xp, self.mean.shape[1]
        rate = self.rate[product] * share
        low, high = xp.zeros(units.shape), xp.full(units.shape, float(last))
        for _ in range(last.bit_length() + 6):  # to a 64th of a day
            middle = (low + high) / 2
            is_short = self.mean_over(middle, product) * share < units
            low, high = xp.where(is_short, middle, low), xp.where(is_short, high, middle)
        left = units - self.mean[product, -1] * share
        known = xp.where(rate > 0, rate, xp.nan)
        days = xp.where(left > 0, last + left / known, high)
        return xp.where(units > 0, xp.where(rate > 0, days, xp.nan), 0.0)

    def _inside(self, curve: Array, days: Array, product: Array) -> Array:
        """The curve at some point up to its last day, on straight lines from day to day."""
        xp, last = self.backend.xp, curve.shape[1]
        at = xp.clip(days, 0.0, last)
        before = xp.minimum(xp.floor(at), last - 1).astype("int64")
        start = xp.where(before > 0, curve[product, xp.maximum(before - 1, 0)], 0.0)
        return start + (at - before) * (curve[product, before] - start)

    def _growth(self) -> Array:
        """The power of the days that the variance grows with, 1 to 2, (products,)."""
        xp, last = self.backend.xp, self.variance.shape[1]
        half = max(last // 2, 1)
        if half == last:
            return xp.ones(len(self.variance))
        early, late = self.variance[:, half - 1], self.variance[:, -1]
        ratio = xp.where(early > 0, late / xp.where(early > 0, early, 1.0), 1.0)
        power = xp.log(xp.maximum(ratio, 1.0)) / xp.log(xp.asarray(last / half))
        return xp.clip(power, 1.0, 2.0)
