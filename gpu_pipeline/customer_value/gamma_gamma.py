"""GammaGammaModel: what a customer spends on a purchase."""

import math
from typing import Self

import numpy as np

from gpu_pipeline.backend import Array, Series
from gpu_pipeline.customer_value.estimator import MaximumLikelihoodModel
from gpu_pipeline.customer_value.fitting import Limits, minimise
from gpu_pipeline.customer_value.gamma_gamma_likelihood import GammaGammaLikelihood
from gpu_pipeline.customer_value.inputs import check_spend, check_weights, columns_of
from gpu_pipeline.errors import HistoryError

__all__ = ["GammaGammaModel"]

# Of p, q - 1 and v (in units of the mean): where all spend the same, or amounts have no finite
# mean, the fit ends here.
_LIMITS = Limits(np.log([1e-3, 0.05, 1e-6]), np.log([1e4, 1e4, 1e6]))
_LEAST = (0.0, 1.0, 0.0)
_STARTS = [np.log(start) for start in ([4, 3, 0.75], [1, 10, 10], [20, 1, 0.05])]
_WHAT = "the Gamma-Gamma model of spend"


class GammaGammaModel(MaximumLikelihoodModel):
    """Gamma-Gamma (Fader & Hardie 2013, brucehardie.com/notes/025): each spends about her mean.

    An amount is Gamma(p, nu) with a nu of the customer's own, Gamma(q, v) among customers,
    independent of how often she buys. q > 1: the mean over all customers is finite.

    >>> import numpy as np
    >>> model = GammaGammaModel().fit(np.array([2, 1, 9, 3, 2]), np.array([10, 80, 30, 32.5, 21.0]))
    >>> bool(10 < model.expected_average([2], [10.0])[0] < model.expected_average([0], [0.0])[0])
    True
    """

    _parameters = ("p", "q", "v")

    def fit(
        self,
        frequency: Array | Series,
        average: Array | Series,
        weights: Array | Series | None = None,
    ) -> Self:
        """Learns p, q and v by maximum likelihood from customers with purchases.

        `average` is the mean amount of each one's `frequency` purchases, in any currency unit.

        Raises:
            HistoryError: rows without a purchase or with an average of 0 or less, with their
                count, or no rows.
            FitError: no maximum was found.
        """
        backend = self.device(frequency)
        counted = {} if weights is None else {"weights": weights}
        x, mean, *counts = columns_of(
            {"frequency": frequency, "average": average, **counted}, backend
        )
        check_spend(x, mean, least=1, xp=backend.xp)
        customers = check_weights(counts[0], backend.xp) if counts else float(len(x))
        if not customers:
            message = "There are no customers to learn from: give at least one with a purchase."
            raise HistoryError(message)
        sums = counts[0] if counts else None
        unit = float(mean.mean() if sums is None else mean @ sums / customers)
        likelihood = GammaGammaLikelihood.of(x, mean / unit, sums, backend)
        found = minimise(likelihood, _STARTS, _LIMITS, what=_WHAT)
        self._learn(found, (1, 1, unit), customers, -customers * math.log(unit), least=_LEAST)
        return self

    def expected_average(self, frequency: Array | Series, average: Array | Series) -> Array:
        """The mean amount that each one's purchases tend to: between her own and that of all.

        For who has no purchase yet (frequency 0, whatever the average) that of all.

        Raises:
            NotFitted: before `fit`.
            HistoryError: a frequency that is no whole number from 0, or a negative average.
        """
        p, q, v = (float(one) for one in self.values())
        backend = self.device(frequency)
        x, mean = columns_of({"frequency": frequency, "average": average}, backend)
        check_spend(x, mean, least=0, xp=backend.xp)
        return p * (v + x * mean) / (p * x + q - 1)
