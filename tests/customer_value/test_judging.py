"""What is said of a model is measured on days that it had not seen."""

import json
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from churn_worlds import CPU
from order_lines import lines
from real_data import real_data

from gpu_pipeline.customer_value.evaluation import AmountQuality
from gpu_pipeline.customer_value.judging import Judged, Trial, judged_model
from gpu_pipeline.customer_value.past import pasts

LAST = datetime(1998, 6, 30, 23)  # noqa: DTZ001


@pytest.fixture(scope="module")
def sold() -> pd.DataFrame:
    """Every fifth customer of CDNOW: all who first bought in the first quarter of 1997."""
    bought = pd.read_parquet(real_data("customers/cdnow_purchases.parquet"))
    bought = bought[bought["customer_id"].astype(int) % 5 == 0].reset_index(drop=True)
    return (
        lines({})
        .iloc[[0] * len(bought)]
        .assign(
            order_id=[str(number) for number in range(len(bought))],
            customer_key=bought["customer_id"].astype("int64").to_numpy(),
            ordered_at=bought["date"].astype("datetime64[us]").to_numpy(),
            unit_price=(bought["amount"] * 100).round().astype("int64").to_numpy(),
            currency="USD",
        )
    )


def judged(sold: pd.DataFrame, days: int = 90, as_of: datetime = LAST) -> Judged:
    frame = sold.reset_index(drop=True)
    return judged_model(*pasts(frame, as_of, days, CPU, most=100_000), days)


def test_on_cdnow_it_is_calibrated_and_beats_the_last_period(sold: pd.DataFrame) -> None:
    found = judged(sold)
    trial = found.trial
    assert trial is not None
    assert (found.notes, trial.customers, trial.is_better) == ((), 4714, True)
    assert trial.churn["served"].calibration_error <= 0.03
    curves = {name: quality.area_under_curve or 0 for name, quality in trial.churn.items()}
    assert curves["served"] > curves["recency"] + 0.01
    assert 0.77 <= trial.central_share <= 0.83
    assert trial.interval_coverage > 0.9
    shares = {name: quality.top_decile_share or 0 for name, quality in trial.value.items()}
    assert shares["model"] > shares["last_period"]
    assert shares["model"] == pytest.approx(trial.deciles[0]["share"])
    left = sum(row["actual"] for row in trial.churn_deciles) / trial.customers
    assert left == pytest.approx(trial.churn["served"].happened)
    model, last = (trial.value[name] for name in ("model", "last_period"))
    assert model.root_mean_squared_error < last.root_mean_squared_error


def test_a_trial_knows_nothing_of_the_days_it_is_held_to(sold: pd.DataFrame) -> None:
    """What comes in them is other: the predictions it is measured by are not."""
    is_later = sold["ordered_at"] > pd.Timestamp(LAST) - pd.Timedelta(days=90)
    others = sold.assign(unit_price=sold["unit_price"].where(~is_later, 7))
    others = others[~(is_later & (sold["customer_key"] % 2 == 0))]
    first, second = (judged(rows).trial for rows in (sold, others))
    assert first is not None
    assert second is not None
    assert second.churn["served"].happened > first.churn["served"].happened
    for name in ("bg_nbd", "recency", "logistic"):
        said = (trial.churn[name].predicted for trial in (first, second))
        assert next(said) == next(said)
    before, after = ([row["predicted"] for row in trial.deciles] for trial in (first, second))
    assert before == pytest.approx(after)
    assert sum(row["actual"] for row in second.deciles) < 1e-2 * sum(
        row["actual"] for row in first.deciles
    )


@pytest.mark.parametrize(
    ("day", "note"),
    [
        (150, "Not evaluated: orders reach back 149 days; 180 are needed."),
        (200, "BG/NBD alone says who leaves: a churn model needs 270 days of orders."),
    ],
)
def test_what_a_short_past_can_not_tell_is_said(sold: pd.DataFrame, day: int, note: str) -> None:
    as_of = datetime(1997, 1, 1) + pd.Timedelta(days=day - 1)  # noqa: DTZ001
    found = judged(sold, as_of=as_of)
    assert found.notes == (note,)
    assert found.model.churn is None
    assert (found.trial is None) == (day == 150)


def test_where_nothing_came_there_are_no_shares_and_the_card_can_be_written(
    sold: pd.DataFrame,
) -> None:
    found = judged(sold[sold["ordered_at"] <= pd.Timestamp(LAST) - pd.Timedelta(days=90)])
    assert found.trial is not None
    text = json.dumps(found.trial.metrics(), allow_nan=False)
    assert {row["share"] for row in json.loads(text)["deciles"]} == {None}
    assert found.trial.value["model"].bias is None
    assert {row["actual"] / row["customers"] for row in found.trial.churn_deciles} == {1.0}


def test_few_customers_are_not_judged(sold: pd.DataFrame) -> None:
    few = sold[sold["customer_key"] <= 5 * 90]
    assert judged(few).notes == (
        "Not evaluated: 90 customers were known 90 days ago; 100 are needed.",
    )
    more = judged(sold[sold["customer_key"] <= 5 * 150])
    assert more.trial is not None
    assert "a churn model needs 50 customers who left and as many who stayed" in more.notes[0]


@pytest.mark.parametrize(
    ("model", "last", "is_better"),
    [
        ((5, 9), (6, 8), True),
        ((7, 7), (6, 8), True),
        ((6, 8), (6, 8), True),
        ((7, 9), (6, 8), False),
    ],
)
def test_worse_is_who_is_worse_by_both_measures(
    model: tuple[float, float], last: tuple[float, float], is_better: Any
) -> None:
    def quality(errors: tuple[float, float]) -> AmountQuality:
        absolute, squared = errors
        return AmountQuality(
            mean_absolute_error=absolute,
            root_mean_squared_error=squared,
            bias=None,
            top_decile_share=None,
        )

    trial = Trial(
        customers=1,
        purchases={},
        value={"model": quality(model), "last_period": quality(last)},
        churn={},
        deciles=[],
        churn_deciles=[],
        interval_coverage=np.nan,
        central_share=np.nan,
    )
    assert trial.is_better == is_better
