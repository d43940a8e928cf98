"""The step that says what each customer will be worth, and how likely they are to buy nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.customer_value.churn import buying_traits
from gpu_pipeline.customer_value.histories import histories_of
from gpu_pipeline.customer_value.judging import Judged, judged_model
from gpu_pipeline.customer_value.past import Past, pasts
from gpu_pipeline.customer_value.valuing import CustomerValueModel
from gpu_pipeline.errors import FitError
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.models import ModelCard, ModelRegistry
from gpu_pipeline.orders import LINE_COLUMNS, one_currency
from gpu_pipeline.pipeline import Step, Work, code_digest
from gpu_pipeline.steps.rates import exchange_rates
from gpu_pipeline.store import Part

__all__ = ["VALUE"]

KIND = "customer_value"
_TABLE = "customer_value"
# Of whom a churn model learns and everything is judged; more would tell the same.
_MOST_IN_FULL = 200_000


def _value(work: Work) -> None:
    """Every bucket by itself, twice: a model is fitted on all customers' histories, counted.

    Where there is no model to predict with, the table has no rows and the facts say why.
    """
    rates = delayed(exchange_rates(work))
    buckets = range(work.lake.buckets)
    seen = compute(*(delayed(_pasts_of_bucket)(work, bucket, rates) for bucket in buckets))
    found = _model(work, [Past.merged(parts) for parts in zip(*seen, strict=True)])
    work.facts.update(found.facts)
    written: list[_Written] = []
    if found.model is not None:
        model = delayed(found.model)
        made = compute(*(delayed(_written)(work, bucket, rates, model) for bucket in buckets))
        written.extend(made)
    work.facts.update(
        customers=sum(one.customers for one in written),
        expected_value=sum(one.expected_value for one in written),
        churning=sum(one.churning for one in written),
    )
    work.commit(
        _TABLE,
        [part for one in written for part in one.parts],
        overwrite=True,
        note={"model": found.model_id},
    )


@dataclass(frozen=True)
class _Found:
    """The model that makes the table and the id it has in the registry; None without one."""

    model: CustomerValueModel | None
    model_id: str | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Written:
    """The parts of a bucket, and what they add up to."""

    parts: list[Part]
    customers: int
    churning: int
    expected_value: float


def _pasts_of_bucket(
    work: Work, bucket: int, rates: ExchangeRates | None
) -> tuple[Past, Past, Past]:
    return pasts(
        _lines(work, bucket),
        work.as_of,
        work.config.value_horizon,
        work.lake.backend,
        rates=rates,
        time_zone=work.lake.time_zone,
        most=_MOST_IN_FULL // work.lake.buckets,
    )


def _model(work: Work, seen: list[Past]) -> _Found:
    """A model of now or, where that can't be fitted or is no better than none, the one before."""
    now, cut, earlier = seen
    one_currency(now.currencies, now.backend)
    try:
        judged = judged_model(now, cut, earlier, work.config.value_horizon)
    except FitError as error:
        return _model_before(work, {}, str(error))
    why = _why_not_published(judged)
    registry = ModelRegistry(work.lake.path / "models")
    registry.save(judged.model.document(), _card(work, judged, why))
    facts = _facts(judged)
    if why is not None:
        return _model_before(work, facts, why)
    return _Found(judged.model, work.run_id, facts)


def _why_not_published(judged: Judged) -> str | None:
    if judged.trial is None or judged.trial.is_better:
        return None
    model, last = (judged.trial.value[name] for name in ("model", "last_period"))
    return (
        f"Over the last {judged.model.horizon_days} days, its value of a customer was off by "
        f"{model.mean_absolute_error:,.0f} minor units; that each repeats what they did in as "
        f"many days before, by {last.mean_absolute_error:,.0f}."
    )


def _model_before(work: Work, facts: dict[str, Any], why: str) -> _Found:
    """The model that made the table last, where it can speak of this moment and this horizon."""
    registry = ModelRegistry(work.lake.path / "models")
    model_id = work.lake.note(_TABLE).get("model")
    if model_id is not None:
        card = registry.card(KIND, model_id)
        document = registry.load(KIND, model_id)
        is_known = card.as_of <= work.as_of.isoformat()
        if is_known and document["horizon_days"] == work.config.value_horizon:
            model = CustomerValueModel.of_document(document, backend=work.lake.backend)
            told = {"horizon_days": model.horizon_days, **facts, "kept": model_id, "why": why}
            return _Found(model, model_id, told)
    return _Found(None, None, {**facts, "why": why})


def _card(work: Work, judged: Judged, why: str | None) -> ModelCard:
    lake = work.lake
    versions = {name: lake.version(name) for name in ("orders", "fx_rates")}
    return ModelCard(
        kind=KIND,
        model_id=work.run_id,
        as_of=work.as_of.isoformat(),
        device=lake.backend.reason,
        code=code_digest("gpu_pipeline", "nlp"),
        seed=work.config.seed,
        data_versions={name: version for name, version in versions.items() if version is not None},
        metrics={
            "horizon_days": judged.model.horizon_days,
            "notes": list(judged.notes),
            "trial": None if judged.trial is None else judged.trial.metrics(),
        },
        is_published=why is None,
        reasons=() if why is None else (why,),
    )


def _facts(judged: Judged) -> dict[str, Any]:
    """What a reader of the run wants to know of a model and how it was judged."""
    model, trial = judged.model, judged.trial
    facts: dict[str, Any] = {
        "horizon_days": model.horizon_days,
        "parameters": {**model.purchases.params_, **model.spend.params_},
        "churn_by": "bg_nbd" if model.churn is None else "logistic",
        "notes": list(judged.notes),
    }
    if trial is not None:
        share = trial.value["model"].top_decile_share
        served = trial.churn["served"]
        facts |= {
            "judged_on": trial.customers,
            "calibration_error": served.calibration_error,
            "area_under_curve": served.area_under_curve,
            "value_error": trial.value["model"].mean_absolute_error,
            "last_period_error": trial.value["last_period"].mean_absolute_error,
            "top_decile_lift": None if share is None else 10 * share,
            "interval_coverage": trial.interval_coverage,
            "central_share": trial.central_share,
        }
    return facts


def _written(
    work: Work, bucket: int, rates: ExchangeRates | None, model: CustomerValueModel
) -> _Written:
    backend, lake, table = work.lake.backend, work.lake, contract(_TABLE)
    moment = np.datetime64(work.as_of, "us")
    moves = Moves.of(_lines(work, bucket), moment, backend, rates)
    customers = histories_of(moves, time_zone=lake.time_zone)
    if not len(customers):
        return _Written([], 0, 0, 0.0)
    traits = buying_traits(moves).drop(columns="customer_key")
    predicted = model.predicted(backend.frames.concat([customers, traits], axis=1))
    whole = predicted.assign(
        as_of=moment,
        horizon_days=model.horizon_days,
        purchases=customers["frequency"] + 1,
        currency=customers["currency"],
    )
    return _Written(
        parts=work.writer.write(backend.cast(whole, table), table, number=bucket),
        customers=len(whole),
        churning=int(whole["is_churning"].sum()),
        expected_value=float(whole["expected_value"].sum()),
    )


def _lines(work: Work, bucket: int) -> Frame:
    """The order lines of a bucket that were known by the moment."""
    by_then = ("ordered_at", "<=", np.datetime64(work.as_of, "us"))
    return work.lake.read_bucket("orders", bucket, [by_then], columns=LINE_COLUMNS)


VALUE = Step(
    name="value",
    reads=("orders",),
    uses=("fx_rates",),
    writes=(_TABLE,),
    run=_value,
    settings=("value_horizon",),
)
