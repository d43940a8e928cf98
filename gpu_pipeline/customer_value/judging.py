"""Judging: models of customer value fitted at an earlier moment, and held to what then came."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.customer_value.churn import FEWEST_OF_A_KIND, ChurnModel
from gpu_pipeline.customer_value.evaluation import (
    AmountQuality,
    Floats,
    RiskQuality,
    central_share,
    covered_share,
    decile_table,
)
from gpu_pipeline.customer_value.past import Past
from gpu_pipeline.customer_value.valuing import LEVEL, CustomerValueModel
from gpu_pipeline.errors import FitError

__all__ = ["FEWEST_JUDGED", "Judged", "Trial", "judged_model"]

FEWEST_JUDGED = 100
_RECENCY = ("days_since_last_order",)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a model fitted one horizon before said of `customers`, beside what came.

    `purchases` and `value` compare the "model" with "last_period": that each customer repeats
    what they did in the horizon before. `churn` compares the risk that is "served" with those of
    "bg_nbd" alone and, where there is a ChurnModel, "logistic" and "recency", the same model that
    knows the days since the last order alone; all were learnt before the horizon. `deciles` and
    `churn_deciles` are the rows of `decile_table` of value, and of the served risk against who
    left; a share is None where nothing came. `interval_coverage` is the share of customers whose
    value lay in its interval of 80 %, which is more where many buy nothing; `central_share`
    (`evaluation.central_share`) is 80 % where the distributions are right.
    """

    customers: int
    purchases: dict[str, AmountQuality]
    value: dict[str, AmountQuality]
    churn: dict[str, RiskQuality]
    deciles: list[dict[Hashable, Any]]
    churn_deciles: list[dict[Hashable, Any]]
    interval_coverage: float
    central_share: float

    @property
    def is_better(self) -> bool:
        """Whether its values are off by no more than those of the last period, by either measure.

        The mean absolute error favours 0 for who mostly buys nothing, as the last period says;
        the squared one is made by a few large customers. Who is worse in both is worse.
        """
        model, last = (self.value[name] for name in ("model", "last_period"))
        return (
            model.mean_absolute_error <= last.mean_absolute_error
            or model.root_mean_squared_error <= last.root_mean_squared_error
        )

    def metrics(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model as of now, what came of the same at an earlier moment (None: not evaluated).

    `notes` say in words what is missing, and why.
    """

    model: CustomerValueModel
    trial: Trial | None
    notes: tuple[str, ...]


def judged_model(now: Past, cut: Past, earlier: Past, horizon_days: int) -> Judged:
    """The model of `now`, judged by one of `cut`, a horizon before, and what came after that.

    Who leaves is learnt at `earlier`, two horizons before, of what they did until the cut, and
    judged at the cut of what they did until now: not a day of the one is in the other. The
    ChurnModel that predicts from now on is then learnt at the cut, and so it knows the season of
    the last horizon alone. It stays away where it was no better than BG/NBD (by Brier score), or
    where the past is too short: it must reach a horizon beyond `earlier`, for BG/NBD to know
    anybody, and have 50 customers who left and 50 who stayed at either moment. BG/NBD alone then
    says who leaves.

    Nothing is judged where the past reaches less than a horizon beyond the cut, which then has no
    last period to compare with, or fewer than 100 customers were known at it.

    Raises:
        FitError: there is too little to fit a model of now.
    """
    model = CustomerValueModel.fit(now, horizon_days)
    try:
        then = _model_of_then(now, cut, horizon_days)
    except FitError as error:
        return Judged(model=model, trial=None, notes=(f"Not evaluated: {error}",))
    try:
        rules, notes = _churn_rules(cut, earlier, horizon_days), list[str]()
    except FitError as error:
        rules, notes = {}, [f"BG/NBD alone says who leaves: {error}"]
    is_gone = _is_gone(cut.some, cut.backend)
    found = _risk_qualities(then, rules, cut.some, is_gone)
    if rules and found["logistic"].brier <= found["bg_nbd"].brier:
        features = then.churn_features(cut.some)
        model = model.with_churn(ChurnModel(backend=cut.backend).fit(features, is_gone))
        then = then.with_churn(rules["logistic"])
    elif rules:
        notes.append("BG/NBD alone says who leaves: the churn model was no better.")
    served = found["bg_nbd" if then.churn is None else "logistic"]
    trial = _trial(then, cut.some, {"served": served, **found})
    return Judged(model=model, trial=trial, notes=tuple(notes))


def _model_of_then(now: Past, cut: Past, horizon_days: int) -> CustomerValueModel:
    """What would have been fitted at the cut; FitError where that tells nothing."""
    if cut.days < horizon_days:
        message = f"orders reach back {now.days} days; {2 * horizon_days} are needed."
        raise FitError(message)
    known = len(cut.some)
    if known < FEWEST_JUDGED:
        message = (
            f"{known} customers were known {horizon_days} days ago; {FEWEST_JUDGED} are needed."
        )
        raise FitError(message)
    return CustomerValueModel.fit(cut, horizon_days)


def _churn_rules(cut: Past, earlier: Past, horizon_days: int) -> dict[str, ChurnModel]:
    """Models of who leaves, learnt before the cut; FitError where the past is too short."""
    if earlier.days < horizon_days:
        message = f"a churn model needs {3 * horizon_days} days of orders."
        raise FitError(message)
    backend = cut.backend
    for past in (cut, earlier):
        gone = int(_is_gone(past.some, backend).sum())
        stayed = len(past.some) - gone
        if min(gone, stayed) < FEWEST_OF_A_KIND:
            message = (
                f"a churn model needs {FEWEST_OF_A_KIND} customers who left and as many who "
                f"stayed; there were {gone} and {stayed}."
            )
            raise FitError(message)
    before = CustomerValueModel.fit(earlier, horizon_days)
    features, is_gone = before.churn_features(earlier.some), _is_gone(earlier.some, backend)
    return {
        "logistic": ChurnModel(backend=backend).fit(features, is_gone),
        "recency": ChurnModel(features=_RECENCY, backend=backend).fit(features, is_gone),
    }


def _risk_qualities(
    then: CustomerValueModel, rules: Mapping[str, ChurnModel], some: Frame, is_gone: Array
) -> dict[str, RiskQuality]:
    """How good the risks of BG/NBD alone and of each rule were."""
    to_host = then.backend.to_host
    risks = {"bg_nbd": then.churn_risk(some)}
    risks |= {name: then.with_churn(rule).churn_risk(some) for name, rule in rules.items()}
    return {name: RiskQuality.of(to_host(risk), to_host(is_gone)) for name, risk in risks.items()}


def _is_gone(some: Frame, backend: Backend) -> Array:
    """Who bought nothing within the horizon."""
    return backend.as_bits(some["purchases"]) == 0


def _trial(then: CustomerValueModel, some: Frame, churn: dict[str, RiskQuality]) -> Trial:
    backend = then.backend
    predicted = then.predicted(some)

    def said(name: str) -> Floats:
        return backend.to_host(predicted[name])

    def came(name: str) -> Floats:
        return backend.to_host(some[name]).astype("float64")

    value, expected = came("value"), said("expected_value")
    is_gone = (came("purchases") == 0).astype("float64")
    return Trial(
        customers=len(some),
        purchases={
            "model": AmountQuality.of(said("expected_purchases"), came("purchases")),
            "last_period": AmountQuality.of(came("purchases_before"), came("purchases")),
        },
        value={
            "model": AmountQuality.of(expected, value),
            "last_period": AmountQuality.of(came("value_before"), value),
        },
        churn=churn,
        deciles=_rows(decile_table(expected, value)),
        churn_deciles=_rows(decile_table(said("churn_risk"), is_gone)),
        interval_coverage=covered_share(said("value_low"), said("value_high"), value),
        central_share=central_share(
            said("churn_risk"),
            backend.to_host(then.probability_at_most(some, backend.xp.asarray(value))),
            level=LEVEL,
        ),
    )


def _rows(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The rows, None where there is no number."""
    return table.astype(object).where(table.notna(), None).to_dict("records")
