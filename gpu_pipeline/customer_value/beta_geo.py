"""BetaGeoModel: who is still a customer, and how often each will buy."""

import math
from collections.abc import Callable
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Series
from gpu_pipeline.customer_value.beta_geo_likelihood import BetaGeoLikelihood
from gpu_pipeline.customer_value.distinct import distinct_rows
from gpu_pipeline.customer_value.estimator import MaximumLikelihoodModel
from gpu_pipeline.customer_value.fitting import Limits, minimise
from gpu_pipeline.customer_value.inputs import (
    check_histories,
    check_horizon,
    check_level,
    check_weights,
    columns_of,
)
from gpu_pipeline.customer_value.purchases import PurchaseCounts
from gpu_pipeline.errors import HistoryError

__all__ = ["BetaGeoModel"]

# Of r, alpha (in units of the largest age), a and b. Where the likelihood rises without end (all
# customers buy at the same rate, nobody ever leaves, nobody ever comes back), the fit ends here.
_LIMITS = Limits(np.log([1e-4, 1e-6, 1e-4, 1e-4]), np.log([1e4, 1e6, 1e4, 1e4]))
_STARTS = [np.log(start) for start in ([0.5, 0.2, 1, 2], [1, 1, 0.2, 1], [5, 5, 1, 10])]
_WHAT = "the BG/NBD model of repeat purchases"


class BetaGeoModel(MaximumLikelihoodModel):
    """BG/NBD (Fader, Hardie & Lee 2005, Marketing Science 24): buy at a rate, leave at random.

    A customer buys at a rate of her own, Gamma(r, alpha) among customers, and after each repeat
    purchase leaves for good with a probability of her own, Beta(a, b) among customers. Times are
    of any one unit: that of alpha and of horizons is the same. All methods take NumPy or CuPy
    arrays or series, a row a customer, and give arrays of the same device:

    - frequency: how often she came back after the first purchase
    - recency: her age at the last purchase, 0 without a repeat purchase
    - age: the time since the first purchase

    Learnt: `params_`, `log_likelihood_` (as of lifetimes and the paper: without constants that no
    parameter changes), `standard_errors_` (None for a parameter that is not determined),
    `at_limits_`, the parameters that ended at a limit because the likelihood has no maximum in
    between, `customers_` and `evaluations_`.

    >>> import numpy as np
    >>> frequency, recency = np.array([0, 1, 1, 2, 6]), np.array([0, 5, 30, 20, 36])
    >>> customers = np.array([60, 8, 12, 10, 10])
    >>> model = BetaGeoModel().fit(frequency, recency, np.full(5, 40), weights=customers)
    >>> sixth_in_week = np.array([36, 12])
    >>> model.p_alive(np.array([6, 6]), sixth_in_week, np.array([40, 40])).round(2)
    array([1.  , 0.94])
    """

    _parameters = ("r", "alpha", "a", "b")

    def fit(
        self,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
        weights: Array | Series | None = None,
    ) -> Self:
        """Learns the four parameters by maximum likelihood; `weights` count equal customers.

        The order of the rows changes nothing. Time and memory are linear in the customers.

        Raises:
            HistoryError: histories that nobody can have, or no customers.
            FitError: no maximum was found.
        """
        backend = self.device(frequency)
        given = {"frequency": frequency, "recency": recency, "age": age}
        counted = {} if weights is None else {"weights": weights}
        x, t, ages, *counts = columns_of({**given, **counted}, backend)
        check_histories(x, t, ages, backend.xp)
        customers = check_weights(counts[0], backend.xp) if counts else float(len(x))
        if not customers:
            message = "There are no customers to learn from: give at least one history."
            raise HistoryError(message)
        unit = float(ages.max()) or 1.0
        weighted = counts[0] if counts else None
        likelihood = BetaGeoLikelihood.of(x, t, ages, weighted, backend, unit=unit)
        found = minimise(likelihood, _STARTS, _LIMITS, what=_WHAT)
        purchases = customers * float(likelihood.frequencies @ likelihood.frequency_weights)
        self._learn(found, (1, unit, 1, 1), customers, -purchases * math.log(unit))
        return self

    def p_alive(
        self, frequency: Array | Series, recency: Array | Series, age: Array | Series
    ) -> Array:
        """The probability that each is still a customer; 1 for who never came back.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have.
        """
        # The horizon plays no part in it.
        (found,) = self._predicted(lambda counts: (counts.p_alive,), 1.0, frequency, recency, age)
        return found

    def expected_purchases(
        self,
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
    ) -> Array:
        """How many purchases each will make within the next `horizon`, in the mean.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have, or no horizon.
        """
        (found,) = self._predicted(
            lambda counts: (counts.mean(),), horizon, frequency, recency, age
        )
        return found

    def no_purchase_probability(
        self,
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
    ) -> Array:
        """The probability that each buys nothing within the next `horizon`.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have, or no horizon.
        """
        (found,) = self._predicted(
            lambda counts: (counts.none(),), horizon, frequency, recency, age
        )
        return found

    def purchases_probability(
        self,
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
        *,
        at_least: int,
    ) -> Array:
        """The probability that each buys `at_least` times within the next `horizon`.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have, or no horizon.
        """
        (found,) = self._predicted(
            lambda counts: (counts.at_least(float(at_least)),), horizon, frequency, recency, age
        )
        return found

    def purchases_interval(
        self,
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
        *,
        level: float = 0.8,
    ) -> tuple[Array, Array]:
        """(low, high), both included: the quantiles that leave half of 1 - `level` on each side.

        Purchases are whole numbers, so an interval holds at least that share of the outcomes, and
        for who hardly buys it holds more.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have, no horizon, or no level.
        """
        outside = (1 - check_level(level)) / 2
        low, high = self._predicted(
            lambda counts: (counts.quantile(outside), counts.quantile(1 - outside)),
            *(horizon, frequency, recency, age),
            is_dear=True,
        )
        return low, high

    def counts(
        self,
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
    ) -> PurchaseCounts:
        """The distribution of each one's purchases within the next `horizon`.

        Raises:
            NotFitted: before `fit`.
            HistoryError: histories that nobody can have, or no horizon.
        """
        backend, parameters = self.device(frequency), self.values()
        length = check_horizon(horizon)
        given = {"frequency": frequency, "recency": recency, "age": age}
        x, t, ages = columns_of(given, backend)
        check_histories(x, t, ages, backend.xp)
        return PurchaseCounts.of(parameters, length, x, t, ages, backend)

    def _predicted(
        self,
        asked: Callable[[PurchaseCounts], tuple[Array, ...]],
        horizon: float,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
        *,
        is_dear: bool = False,
    ) -> list[Array]:
        """What is asked of the customers' purchases, a piece of the rows at a time.

        What `is_dear` is asked once of customers with equal histories.
        """
        backend, parameters = self.device(frequency), self.values()
        length, xp = check_horizon(horizon), backend.xp
        x, t, ages = columns_of({"frequency": frequency, "recency": recency, "age": age}, backend)
        check_histories(x, t, ages, xp)
        pieces = []
        for first in range(0, max(1, len(x)), backend.rows_at_once):
            part = slice(first, first + backend.rows_at_once)
            rows = [x[part], t[part], ages[part]]
            equal = distinct_rows(rows, xp) if is_dear else None
            some, last, now = rows if equal is None else equal.columns
            found = asked(PurchaseCounts.of(parameters, length, some, last, now, backend))
            pieces.append(found if equal is None else [equal.spread(one, xp) for one in found])
        return [xp.concatenate(parts) for parts in zip(*pieces, strict=True)]
