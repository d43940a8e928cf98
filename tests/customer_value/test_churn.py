import json

import numpy as np
import pandas as pd
import pytest
from churn_worlds import CPU, world
from frames import assert_frames_equal
from order_lines import START, lines
from sklearn.base import clone

from gpu_pipeline.customer_value.churn import (
    CHURN_FEATURES,
    TRAITS,
    ChurnModel,
    buying_traits,
    churn_features,
)
from gpu_pipeline.customer_value.evaluation import RiskQuality
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.features import customer_features
from gpu_pipeline.features.moves import Moves


@pytest.fixture(scope="module")
def fitted() -> ChurnModel:
    features, _, churned = world(6000, seed=0)
    return ChurnModel().fit(features, churned)


def risks(model: ChurnModel, features: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict_proba(features)[:, 1])


def test_the_risk_of_customers_it_has_not_seen_is_the_true_one(fitted: ChurnModel) -> None:
    features, risk, churned = world(6000, seed=1)
    found = risks(fitted, features)
    assert np.abs(found - risk).mean() < 0.03
    quality, best = RiskQuality.of(found, churned), RiskQuality.of(risk, churned)
    assert quality.calibration_error < 0.03
    assert quality.brier < best.brier + 0.002


def test_isotonic_steps_mend_what_a_straight_line_gets_wrong() -> None:
    # Whoever waited for very long is back: no line of odds has that shape.
    rng = np.random.default_rng(0)
    days = rng.uniform(0, 10, 8000)
    risk = np.where(days < 5, 0.1, np.where(days < 6, 0.9, 0.6))
    features = pd.DataFrame({"days": days})
    model = ChurnModel(features=("days",)).fit(features[:4000], rng.random(4000) < risk[:4000])
    found = risks(model, features[4000:])
    line = 1 / (1 + np.exp(-(model._points(days[4000:, None], CPU) @ model.weights_)))
    came = rng.random(4000) < risk[4000:]
    mended, straight = (RiskQuality.of(p, came).calibration_error for p in (found, line))
    assert mended < 0.03 < straight
    # The order of customers stays what it was: steps never go down.
    order = np.argsort(days[4000:])
    assert (np.diff(found[order]) >= -1e-12).all() or (np.diff(found[order]) <= 1e-12).all()


def test_probabilities_are_of_both_and_nobody_is_sure_to_leave(fitted: ChurnModel) -> None:
    features, _, _ = world(300, seed=2)
    # Nobody like this was there before: as of the most extreme one.
    extreme = features.assign(days_since_last_order=[-1e9, 1e9, *[0.0] * 298])
    found = fitted.predict_proba(extreme)
    assert found.shape == (300, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert ((found > 0) & (found < 1)).all()
    assert (fitted.predict(extreme) == (found[:, 1] > 0.5)).all()


def test_a_document_holds_all_that_was_learnt(fitted: ChurnModel) -> None:
    features, _, _ = world(300, seed=2)
    text = json.dumps(fitted.document(), allow_nan=False)
    again = ChurnModel.of_document(json.loads(text))
    np.testing.assert_array_equal(risks(again, features), risks(fitted, features))
    assert again.document() == fitted.document()
    assert len(fitted.knots_[0]) <= 20


def test_the_same_customers_give_the_same_model_and_rows_are_judged_alone(
    fitted: ChurnModel,
) -> None:
    features, _, churned = world(6000, seed=0)
    assert ChurnModel().fit(features, churned).document() == fitted.document()
    some = features.iloc[[7, 3, 5]].reset_index(drop=True)
    np.testing.assert_allclose(risks(fitted, some), risks(fitted, features)[[7, 3, 5]])


def test_it_is_an_estimator_as_scikit_learn_has_them(fitted: ChurnModel) -> None:
    short = ChurnModel(features=("days_since_last_order",), backend=CPU)
    assert clone(short).get_params() == {"features": ("days_since_last_order",), "backend": CPU}
    features, _, churned = world(500, seed=3)
    assert short.fit(features, churned) is short
    assert short.score(features, churned) > 0.6
    assert fitted.classes_.tolist() == [False, True]
    with pytest.raises(NotFitted, match="ChurnModel has no weights yet: call fit"):
        ChurnModel().predict(features)


@pytest.mark.parametrize("left", [0, 49, 452])
def test_too_few_of_a_kind_are_refused(left: int) -> None:
    features, _, _ = world(500, seed=3)
    churned = np.arange(500) < left
    with pytest.raises(PipelineError, match=rf"Of 500 customers {left} left and {500 - left} stay"):
        ChurnModel().fit(features, churned)


def test_traits_are_customer_features_of_the_moment() -> None:
    frame = lines(
        {"unit_price": 900, "discount": 90},
        {"order_id": "B", "ordered_at": START + pd.Timedelta(days=10)},
        {"order_id": "C", "ordered_at": START + pd.Timedelta(days=50)},
        {"customer_key": 2, "unit_price": 70},
    )
    moment = (START + pd.Timedelta(days=30)).to_pydatetime()
    moves = Moves.of(frame, np.datetime64(moment, "us"), CPU, None)
    wanted = customer_features(frame, moment, CPU)[["customer_key", *TRAITS]]
    assert_frames_equal(buying_traits(moves), wanted)


def test_features_in_numbers() -> None:
    traits = pd.DataFrame(
        {
            "days_since_last_order": [30.0, 30.0],
            "tenure_days": [100.0, 30.0],
            "orders": [3, 1],
            "revenue": [999, -50],
            "products": [2, 1],
            "return_rate": [0.0, 1.5],
            "discount_share": [0.1, np.nan],
            "orders_last_90_days": [1, 1],
            "revenue_last_90_days": [500, -50],
            "mean_days_between_orders": [10.0, np.nan],
            "sd_days_between_orders": [5.0, np.nan],
        }
    )
    found = churn_features(traits, np.array([0.5, 1.0]), CPU)
    assert list(found.columns) == list(CHURN_FEATURES)
    assert not found.isna().any(axis=None)
    some = found[
        [
            "no_purchase_odds",
            "revenue",
            "gaps_since_last_order",
            "spreads_overdue",
            "is_overdue",
            "is_single",
            "single_days_since_last_order",
            "return_rate",
            "single_discount_share",
        ]
    ]
    first, second = some.to_numpy().tolist()
    assert first == pytest.approx([0, np.log(1000), np.log(4), 4, 1, 0, 0, 0, 0])
    assert second == pytest.approx([np.log(1e6 - 1), 0, 0, 0, 0, 1, np.log(31), 1, 0])
