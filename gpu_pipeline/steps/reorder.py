"""The step that says what to order now, at which location."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Frame
from gpu_pipeline.forecasting.demand import ENDED_AFTER_DAYS
from gpu_pipeline.inventory import Reason, reorder_plan
from gpu_pipeline.pipeline import Step, Work

__all__ = ["REORDER"]

_FORECAST = ("product_id", "horizon", "mean", "total_sd")
_DEMAND = ("product_id", "day", "units")


def _reorder(work: Work) -> None:
    """Without a forecast or a sale there are stocks all the same, and their rows say so."""
    backend = work.lake.backend
    forecast = _rows(work, "demand_forecast", _FORECAST)
    plan = reorder_plan(
        forecast,
        work.read("inventory").compute().reset_index(drop=True),
        _rows(work, "demand_daily", _DEMAND),
        as_of=work.as_of,
        service_level=work.config.service_level,
        review_days=work.config.review_days,
        ended_after_days=ENDED_AFTER_DAYS,
        backend=backend,
        time_zone=work.lake.time_zone,
    )
    work.facts.update(_facts(backend.to_pandas(plan)))
    work.facts["notes"] = list(_notes(backend.to_pandas(plan), backend.to_pandas(forecast)))
    work.replace("reorder_plan", plan)


def _rows(work: Work, table: str, columns: tuple[str, ...]) -> Frame:
    if not work.has(table):
        return work.empty(table)[list(columns)]
    found: Frame = work.read(table, columns).compute()
    return found.reset_index(drop=True)


def _facts(plan: pd.DataFrame) -> dict[str, Any]:
    """How many stocks there are and why, and what orders and overstock cost, by currency."""
    costs = plan.groupby("currency")[["order_cost", "overstock_cost"]].sum()
    return {
        "stocks": len(plan),
        "reasons": plan["reason"].value_counts().to_dict(),
        "order_cost": costs["order_cost"].to_dict(),
        "overstock_cost": costs["overstock_cost"].to_dict(),
    }


def _notes(plan: pd.DataFrame, forecast: pd.DataFrame) -> Iterator[str]:
    """What keeps stocks and products out of the plan, in words."""
    reasons = plan["reason"].value_counts()
    lacking = {
        Reason.NO_LEAD_TIME: "have no lead time: give one in `inventory`",
        Reason.OLD_COUNT: "were last counted more than 56 days ago",
    }
    for reason, why in lacking.items():
        if reason in reasons.index:
            yield f"{reasons[reason]:,} of {len(plan):,} stocks are not planned: they {why}."
    uncounted = np.setdiff1d(forecast["product_id"].unique(), plan["product_id"].unique())
    if len(uncounted):
        yield (
            f"{len(uncounted):,} products with a forecast are in no stock count, "
            f"such as {uncounted[0]}."
        )


REORDER = Step(
    name="reorder",
    reads=("inventory",),
    uses=("demand_forecast", "demand_daily"),
    writes=("reorder_plan",),
    run=_reorder,
    settings=("service_level", "review_days"),
)
