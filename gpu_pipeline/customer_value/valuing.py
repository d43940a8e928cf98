"""CustomerValueModel: what each customer will be worth, and how likely they are to buy nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.customer_value.beta_geo import BetaGeoModel
from gpu_pipeline.customer_value.churn import ChurnModel, churn_features
from gpu_pipeline.customer_value.gamma_gamma import GammaGammaModel
from gpu_pipeline.customer_value.past import Past
from gpu_pipeline.customer_value.purchases import PurchaseCounts
from gpu_pipeline.customer_value.totals import Totals
from gpu_pipeline.errors import FitError

__all__ = ["FEWEST_REPEATERS", "LEVEL", "PREDICTIONS", "CustomerValueModel"]

PREDICTIONS = (
    "p_alive",
    "churn_risk",
    "is_churning",
    "expected_purchases",
    "expected_value",
    "value_low",
    "value_high",
)
FEWEST_REPEATERS = 10
LEVEL = 0.8
_ROWS_AT_ONCE = 1 << 16  # each has some dozens of numbers of purchases


@dataclass(frozen=True, kw_only=True)
class CustomerValueModel:
    """Three models of the next `horizon_days`, put together so that they don't contradict.

    Whether a customer buys at all is what `churn` says; with None, BG/NBD itself. How often,
    given that they do, is BG/NBD's (`purchases`); what for is Gamma-Gamma's (`spend`). So the
    expected number is (1 - churn_risk) E[N | N >= 1], and of who surely leaves it is 0. BG/NBD
    alone takes customers to buy at random: it is late to see that a regular one has stopped.
    """

    horizon_days: int
    purchases: BetaGeoModel
    spend: GammaGammaModel
    churn: ChurnModel | None
    backend: Backend

    @classmethod
    def fit(cls, past: Past, horizon_days: int) -> Self:
        """BG/NBD of all customers, Gamma-Gamma of those who paid something; no ChurnModel.

        Raises:
            FitError: fewer than 10 customers bought on more than one day, nobody paid anything,
                or a fit found no parameters.
        """
        repeaters = past.repeaters
        if repeaters < FEWEST_REPEATERS:
            message = (
                f"{repeaters} customers bought on more than one day: at least {FEWEST_REPEATERS} "
                "are needed to tell how often customers come back."
            )
            raise FitError(message)
        if not len(past.spend.customers):
            message = "No customer paid more than came back: there is no spend to learn from."
            raise FitError(message)
        backend = past.backend
        frequency, recency, age = past.histories.columns
        purchases, average = past.spend.columns
        return cls(
            horizon_days=horizon_days,
            purchases=BetaGeoModel(backend=backend).fit(
                frequency, recency, age, weights=past.histories.customers
            ),
            spend=GammaGammaModel(backend=backend).fit(
                purchases, average, weights=past.spend.customers
            ),
            churn=None,
            backend=backend,
        )

    def with_churn(self, churn: ChurnModel | None) -> Self:
        """The same with another model of who leaves."""
        return replace(self, churn=churn)

    def predicted(self, customers: Frame) -> Frame:
        """customer_key and `PREDICTIONS` of contract customer_value, a row for each row.

        `customers` has the columns of `purchase_histories` and, with a `churn` model, its TRAITS.
        """
        backend, xp = self.backend, self.backend.xp
        if not len(customers):
            return backend.empty(contract("customer_value"), ("customer_key", *PREDICTIONS))
        counts = self._counts(customers)
        churn_risk = self.churn_risk(customers, counts)
        agreed = self._agreed(counts, churn_risk)
        bought, average = self._spent(customers)
        expected = agreed.mean()
        low, high = self._asked(
            agreed,
            customers,
            lambda totals: [totals.quantile((1 + side * LEVEL) / 2) for side in (-1, 1)],
        )
        unit = self._unit(customers)
        columns = {
            # Who buys within the horizon has not left.
            "p_alive": xp.maximum(counts.p_alive, 1 - churn_risk),
            "churn_risk": churn_risk,
            "is_churning": churn_risk > 0.5,
            "expected_purchases": expected,
            "expected_value": expected * self.spend.expected_average(bought, average),
            "value_low": low * unit,
            "value_high": high * unit,
        }
        return backend.frames.DataFrame(
            {"customer_key": xp.asarray(customers["customer_key"].values), **columns}
        )

    def probability_at_most(self, customers: Frame, value: Array) -> Array:
        """The probability that each spends no more than that within the horizon.

        A value below 0, where more came back than was bought, counts as 0.
        """
        counts = self._counts(customers)
        agreed = self._agreed(counts, self.churn_risk(customers, counts))
        amount = self.backend.xp.maximum(value, 0) / self._unit(customers)
        (found,) = self._asked(
            agreed, customers, lambda totals, some: [totals.at_most(some)], amount
        )
        return found

    def churn_risk(self, customers: Frame, counts: PurchaseCounts | None = None) -> Array:
        """The probability that each buys nothing within the horizon."""
        counts = self._counts(customers) if counts is None else counts
        if self.churn is None:
            return counts.none()
        return self.churn.predict_proba(self.churn_features(customers, counts))[:, 1]

    def churn_features(self, customers: Frame, counts: PurchaseCounts | None = None) -> Frame:
        """What a ChurnModel takes, from TRAITS and what BG/NBD says of each."""
        counts = self._counts(customers) if counts is None else counts
        return churn_features(customers, counts.none(), self.backend)

    def document(self) -> dict[str, Any]:
        """Every learnt number, for JSON."""
        return {
            "horizon_days": self.horizon_days,
            "purchases": self.purchases.document(),
            "spend": self.spend.document(),
            "churn": None if self.churn is None else self.churn.document(),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], *, backend: Backend) -> Self:
        """The model that has this document, on this device whichever it was fitted on."""
        churn = document["churn"]
        return cls(
            horizon_days=int(document["horizon_days"]),
            purchases=BetaGeoModel.of_document(document["purchases"], backend=backend),
            spend=GammaGammaModel.of_document(document["spend"], backend=backend),
            churn=None if churn is None else ChurnModel.of_document(churn, backend=backend),
            backend=backend,
        )

    def _counts(self, customers: Frame) -> PurchaseCounts:
        names = ("frequency", "recency", "age")
        return self.purchases.counts(self.horizon_days, *(customers[name] for name in names))

    def _agreed(self, counts: PurchaseCounts, churn_risk: Array) -> PurchaseCounts:
        """The purchases, as if alive with what makes one as likely as the risk says."""
        if self.churn is None:
            return counts
        return replace(counts, p_alive=(1 - churn_risk) / counts.one_if_alive())

    def _asked(
        self,
        counts: PurchaseCounts,
        customers: Frame,
        question: Callable[..., list[Array]],
        *more: Array,
    ) -> list[Array]:
        """What is asked of the totals of these counts, in units of `_unit`, some rows at a time."""
        xp, (bought, _) = self.backend.xp, self._spent(customers)
        p, q = self.spend.params_["p"], self.spend.params_["q"]
        pieces = []
        for first in range(0, len(bought), _ROWS_AT_ONCE):
            rows = xp.arange(first, min(first + _ROWS_AT_ONCE, len(bought)))
            totals = Totals(counts.taken(rows), p, q + p * bought[rows])
            pieces.append(question(totals, *(column[rows] for column in more)))
        return [xp.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def _unit(self, customers: Frame) -> Array:
        """What `Totals` count in: Gamma-Gamma's v and all that was spent."""
        bought, average = self._spent(customers)
        return self.spend.params_["v"] + bought * average

    def _spent(self, customers: Frame) -> tuple[Array, Array]:
        """(purchases, average) as Gamma-Gamma takes them: who got all back has spent nothing."""
        xp = self.backend.xp
        average = xp.maximum(xp.asarray(customers["average"].values), 0.0)
        return xp.asarray(customers["frequency"].values) + 1, average
