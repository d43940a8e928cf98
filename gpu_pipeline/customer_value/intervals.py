"""What customers will be worth: intervals that hold both how often they buy and for how much."""

from collections.abc import Callable
from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.customer_value.beta_geo import BetaGeoModel
from gpu_pipeline.customer_value.distinct import distinct_rows
from gpu_pipeline.customer_value.fitting import Floats
from gpu_pipeline.customer_value.gamma_gamma import GammaGammaModel
from gpu_pipeline.customer_value.inputs import (
    check_histories,
    check_horizon,
    check_level,
    check_spend,
    columns_of,
)
from gpu_pipeline.customer_value.purchases import PurchaseCounts
from gpu_pipeline.customer_value.totals import Totals
from gpu_pipeline.errors import HistoryError

__all__ = ["value_interval", "value_probability"]

_ROWS_AT_ONCE = 1 << 18  # each has some dozens of numbers of purchases


def value_interval(
    buying: BetaGeoModel,
    spending: GammaGammaModel,
    horizon: float,
    frequency: Array | Series,
    recency: Array | Series,
    age: Array | Series,
    average: Array | Series,
    *,
    averaged_over: Array | Series | None = None,
    level: float = 0.8,
) -> tuple[Array, Array]:
    """(low, high): what each one spends within the next `horizon`, in the unit of `average`.

    The quantiles that leave half of 1 - `level` on each side, computed from the distribution
    itself: nothing is drawn, so they are the same for a customer alone and among others. Who may
    well buy nothing has a low of 0, and where 0 alone has more probability than the level needs,
    high is 0 too; such intervals hold more than that share of the outcomes. The uncertainty of the
    models' parameters is left out.

    `average` is the mean amount of each one's purchases, of which there are `averaged_over`: by
    default the `frequency`, that is without the first one. It is not looked at where these are 0.

    Raises:
        NotFitted: a model before its `fit`.
        HistoryError: histories or averages that nobody can have, no horizon, or no level.
    """
    outside = (1 - check_level(level)) / 2
    past = _Past.of(buying, spending, frequency, recency, age, average, averaged_over)
    low, high = past.asked(
        horizon, lambda totals: (totals.quantile(outside), totals.quantile(1 - outside))
    )
    return past.unit * low, past.unit * high


def value_probability(
    buying: BetaGeoModel,
    spending: GammaGammaModel,
    horizon: float,
    frequency: Array | Series,
    recency: Array | Series,
    age: Array | Series,
    average: Array | Series,
    *,
    at_most: Array | Series,
    averaged_over: Array | Series | None = None,
) -> Array:
    """The probability that each one spends `at_most` so much (0 or more) in the next `horizon`.

    With what was spent then, these are the probability integral transform: spread evenly from 0
    to 1 where the models are right, once a value at 0 is drawn between 0 and its probability.
    The other arguments are those of `value_interval`.

    Raises:
        NotFitted: a model before its `fit`.
        HistoryError: histories, averages or values that nobody can have, or no horizon.
    """
    past = _Past.of(buying, spending, frequency, recency, age, average, averaged_over)
    (value,) = columns_of({"at_most": at_most}, past.backend)
    if len(value) != len(past.unit) or bool((value < 0).any()):
        message = f"Give one value of 0 or more for each of the {len(past.unit)} customers."
        raise HistoryError(message)
    (found,) = past.asked(
        horizon, lambda totals, total: (totals.at_most(total),), value / past.unit
    )
    return found


@dataclass(frozen=True)
class _Past:
    """What is known of customers, a row each: their purchases, and the unit of their totals."""

    backend: Backend
    parameters: Floats
    p: float
    q: float
    histories: tuple[Array, ...]
    unit: Array

    @classmethod
    def of(
        cls,
        buying: BetaGeoModel,
        spending: GammaGammaModel,
        frequency: Array | Series,
        recency: Array | Series,
        age: Array | Series,
        average: Array | Series,
        averaged_over: Array | Series | None,
    ) -> "_Past":
        backend, parameters = buying.device(frequency), buying.values()
        p, q, v = (float(one) for one in spending.values())
        over = frequency if averaged_over is None else averaged_over
        x, t, ages, mean, purchases = columns_of(
            {
                "frequency": frequency,
                "recency": recency,
                "age": age,
                "average": average,
                "averaged_over": over,
            },
            backend,
        )
        check_histories(x, t, ages, backend.xp)
        check_spend(purchases, mean, least=0, xp=backend.xp)
        return cls(backend, parameters, p, q, (x, t, ages, purchases), v + purchases * mean)

    def asked(
        self, horizon: float, question: Callable[..., tuple[Array, ...]], *more: Array
    ) -> list[Array]:
        """What is asked of the totals of customers with different purchases, a piece at a time.

        `more` are columns that the question takes too.
        """
        xp, length = self.backend.xp, check_horizon(horizon)
        columns, pieces = (*self.histories, *more), []
        for first in range(0, max(1, len(self.unit)), _ROWS_AT_ONCE):
            equal = distinct_rows([one[first : first + _ROWS_AT_ONCE] for one in columns], xp)
            x, t, age, purchases, *rest = equal.columns
            counts = PurchaseCounts.of(self.parameters, length, x, t, age, self.backend)
            found = question(Totals(counts, self.p, self.q + self.p * purchases), *rest)
            pieces.append([equal.spread(one, xp) for one in found])
        return [xp.concatenate(parts) for parts in zip(*pieces, strict=True)]
