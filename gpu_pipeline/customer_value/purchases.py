"""How many purchases a customer will make until a horizon: the whole distribution, given her past.

Alive, she buys at a rate distributed Gamma(r + x, alpha + T) and leaves after a purchase with a
probability distributed Beta(a, b + x), independent of each other. So she makes n purchases or
more if the process would bring n in the time, and she doesn't leave after any of the first n - 1:
P(N >= n) = P(alive) E[(1 - p)^(n-1)] P(n or more of a gamma-mixed Poisson). Both factors are known
functions, all terms positive: nothing cancels, whatever the history.
"""

from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.customer_value.beta_geo_likelihood import log_odds_of_being_gone
from gpu_pipeline.customer_value.distinct import distinct_rows
from gpu_pipeline.customer_value.fitting import Floats
from gpu_pipeline.customer_value.special import beta_rule

__all__ = ["PurchaseCounts"]

_MOST_DOUBLINGS = 53  # whole numbers beyond are none in float64


@dataclass(frozen=True)
class PurchaseCounts:
    """The purchases of some customers until a horizon, a row each.

    Alive, the rate is Gamma(`events`, `exposure`) and the probability of leaving Beta(`a`, `b`).
    """

    backend: Backend
    horizon: float
    a: float
    p_alive: Array
    events: Array
    exposure: Array
    b: Array

    @classmethod
    def of(
        cls,
        parameters: Floats,
        horizon: float,
        frequency: Array,
        recency: Array,
        age: Array,
        backend: Backend,
    ) -> "PurchaseCounts":
        """Given r, alpha, a, b and histories, in one unit of time."""
        odds = log_odds_of_being_gone(parameters, frequency, recency, age, backend)
        p_alive = backend.xp.exp(-backend.xp.logaddexp(0.0, odds))
        r, alpha, a, b = (float(one) for one in parameters)
        return cls(backend, horizon, a, p_alive, r + frequency, alpha + age, b + frequency)

    def none(self) -> Array:
        """The probability of no purchase."""
        return 1 - self.p_alive * self.one_if_alive()

    def one_if_alive(self) -> Array:
        """The probability of a purchase or more of who is alive now."""
        xp = self.backend.xp
        return -xp.expm1(-self.events * xp.log1p(self.horizon / self.exposure))

    def mean(self) -> Array:
        """The expected number: P(alive) E[(1 - (1 + p u)^-s) / p], u = horizon / exposure.

        The same as Fader, Hardie & Lee's (2005, eq. 10), whose difference of a Gaussian
        hypergeometric function cancels for large frequencies and long horizons, and isn't defined
        for a = 1. Who is equal in frequency and age is equal in all but P(alive).
        """
        xp = self.backend.xp
        if not len(self.b):
            return self.p_alive
        equal = distinct_rows([self.events, self.exposure, self.b], xp)
        events, exposure, b = equal.columns
        times = self.horizon / exposure
        frequencies = distinct_rows([b], xp)
        reach = float(events.max()) * float(times.max())
        rule = beta_rule(self.a, frequencies.columns[0], reach=reach, backend=self.backend)
        place = frequencies.spread(xp.arange(len(frequencies.starts)), xp)
        total = xp.zeros(len(events))
        for node in range(rule.nodes.shape[1]):
            p, weight = rule.nodes[:, node], rule.weights[:, node]
            total -= (weight / p)[place] * xp.expm1(-events * xp.log1p(p[place] * times))
        return self.p_alive * equal.spread(total, xp)

    def at_least(self, count: Array | float) -> Array:
        """The probability of `count` purchases or more; `count` is 0 or more, for each row."""
        xp = self.backend.xp
        some = self.p_alive * self.at_least_if_alive(xp.maximum(count, 1.0))
        return xp.where(xp.asarray(count) > 0, some, 1.0)

    def at_least_if_alive(self, count: Array | float) -> Array:
        """The same for 1 purchase or more of who is alive now."""
        special = self.backend.special
        stays = special.gammaln(self.b + count - 1) - special.gammaln(self.b)
        stays += special.gammaln(self.a + self.b) - special.gammaln(self.a + self.b + count - 1)
        share = self.horizon / (self.exposure + self.horizon)
        return self.backend.xp.exp(stays) * special.betainc(count, self.events, share)

    def quantile(self, probability: float) -> Array:
        """The least number that the purchases don't exceed with at least that probability."""
        xp = self.backend.xp
        tail = 1 - probability
        found = xp.zeros(len(self.b))
        rows = xp.flatnonzero(self.at_least(1.0) > tail)
        if len(rows):
            found[rows] = self.taken(rows)._quantile_above_0(tail)
        return found

    def taken(self, rows: Array) -> "PurchaseCounts":
        """These rows alone."""
        p_alive, events, exposure, b = (
            column[rows] for column in (self.p_alive, self.events, self.exposure, self.b)
        )
        return PurchaseCounts(self.backend, self.horizon, self.a, p_alive, events, exposure, b)

    def _quantile_above_0(self, tail: float) -> Array:
        """The least n with P(N >= n + 1) <= tail, where that is not 0: by doubling and halving."""
        xp = self.backend.xp
        low, high = xp.zeros(len(self.b)), xp.ones(len(self.b))
        rows = xp.arange(len(self.b))
        for _ in range(_MOST_DOUBLINGS):
            rows = rows[self.taken(rows).at_least(high[rows] + 1) > tail]
            if not len(rows):
                break
            low[rows] = high[rows]
            high[rows] *= 2
        rows = xp.flatnonzero(high - low > 1)
        while len(rows):
            middle = xp.floor((low[rows] + high[rows]) / 2)
            is_low = self.taken(rows).at_least(middle + 1) > tail
            low[rows] = xp.where(is_low, middle, low[rows])
            high[rows] = xp.where(is_low, high[rows], middle)
            rows = rows[high[rows] - low[rows] > 1]
        return high
