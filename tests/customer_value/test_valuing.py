import json
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from churn_worlds import CPU, world
from frames import assert_frames_equal
from order_lines import START, lines

from gpu_pipeline.customer_value.beta_geo import BetaGeoModel
from gpu_pipeline.customer_value.churn import TRAITS, ChurnModel, buying_traits
from gpu_pipeline.customer_value.counting import Counted, counted_spend
from gpu_pipeline.customer_value.gamma_gamma import GammaGammaModel
from gpu_pipeline.customer_value.histories import histories_of, purchase_histories
from gpu_pipeline.customer_value.intervals import value_interval
from gpu_pipeline.customer_value.past import Past, pasts
from gpu_pipeline.customer_value.totals import Totals
from gpu_pipeline.customer_value.valuing import PREDICTIONS, CustomerValueModel
from gpu_pipeline.errors import FitError
from gpu_pipeline.features.moves import Moves

HORIZON = 30
MOMENT = (START + timedelta(days=200)).to_pydatetime()


def order_lines(customers: int = 60) -> pd.DataFrame:
    """Each buys at a pace of their own, some for a while only; now and then something returns."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for customer in range(customers):
        stays, pace = rng.uniform(0, 250), rng.gamma(2, 12)
        for day in np.cumsum(rng.exponential(pace, 30)) + rng.uniform(0, 60):
            if day > stays:
                break
            price = int(rng.gamma(3, 800 + 20 * customer)) + 1
            sale = {
                "customer_key": customer * 2**57 - 2**60,
                "order_id": f"{customer}-{day}",
                "ordered_at": START + timedelta(days=day),
                "unit_price": price,
            }
            rows.append(sale)
            if rng.random() < 0.1:
                back = {"line_type": "return", "quantity": -1}
                rows.append(sale | back | {"ordered_at": sale["ordered_at"] + timedelta(days=2)})
    return lines(*rows)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return order_lines()


def past_of(frame: pd.DataFrame, most: int = 1000) -> tuple[Past, Past, Past]:
    return pasts(frame, MOMENT, HORIZON, CPU, most=most)


@pytest.fixture(scope="module")
def customers(frame: pd.DataFrame) -> pd.DataFrame:
    moves = Moves.of(frame, np.datetime64(MOMENT, "us"), CPU, None)
    traits = buying_traits(moves).drop(columns="customer_key")
    return pd.concat([histories_of(moves, time_zone="UTC"), traits], axis=1)


@pytest.fixture(scope="module")
def plain(frame: pd.DataFrame) -> CustomerValueModel:
    return CustomerValueModel.fit(past_of(frame)[0], HORIZON)


@pytest.fixture(scope="module")
def whole(plain: CustomerValueModel) -> CustomerValueModel:
    features, _, churned = world(400, seed=5)
    return plain.with_churn(ChurnModel().fit(features, churned))


def test_a_fit_on_counted_histories_is_the_fit_on_all_of_them(
    plain: CustomerValueModel, customers: pd.DataFrame
) -> None:
    names = ("frequency", "recency", "age")
    buying = BetaGeoModel().fit(*(customers[name] for name in names))
    assert plain.purchases.params_ == pytest.approx(buying.params_, rel=1e-6)
    paid = customers[customers["average"] > 0]
    spending = GammaGammaModel().fit(paid["frequency"] + 1, paid["average"])
    # Averages are rounded by 0.14 % at most.
    assert plain.spend.params_ == pytest.approx(spending.params_, rel=0.02)


def test_alone_the_models_predict_what_they_say_themselves(
    plain: CustomerValueModel, customers: pd.DataFrame
) -> None:
    past = [customers[name] for name in ("frequency", "recency", "age")]
    average, bought = customers["average"].clip(lower=0), customers["frequency"] + 1
    buying, spending = plain.purchases, plain.spend
    expected = buying.expected_purchases(HORIZON, *past)
    low, high = value_interval(buying, spending, HORIZON, *past, average, averaged_over=bought)
    wanted = pd.DataFrame(
        {
            "customer_key": customers["customer_key"],
            "p_alive": buying.p_alive(*past),
            "churn_risk": buying.no_purchase_probability(HORIZON, *past),
            "is_churning": buying.no_purchase_probability(HORIZON, *past) > 0.5,
            "expected_purchases": expected,
            "expected_value": expected * spending.expected_average(bought, average),
            "value_low": low,
            "value_high": high,
        }
    )
    found = plain.predicted(customers)
    assert list(found.columns) == ["customer_key", *PREDICTIONS]
    assert_frames_equal(found, wanted, rtol=1e-6)


def test_with_a_churn_model_all_numbers_of_a_customer_agree(
    plain: CustomerValueModel, whole: CustomerValueModel, customers: pd.DataFrame
) -> None:
    alone, found = plain.predicted(customers), whole.predicted(customers)
    assert whole.churn is not None
    features = whole.churn_features(customers)
    risk = whole.churn.predict_proba(features)[:, 1]
    np.testing.assert_array_equal(found["churn_risk"], risk)
    np.testing.assert_array_equal(found["is_churning"], risk > 0.5)
    # Who buys within the horizon has not left.
    assert (1 - risk > alone["p_alive"]).any()
    np.testing.assert_array_equal(found["p_alive"], np.maximum(alone["p_alive"], 1 - risk))
    # How often who buys at all will buy, and for how much, is as it was.
    given = alone["expected_purchases"] / (1 - alone["churn_risk"])
    np.testing.assert_allclose(found["expected_purchases"], (1 - risk) * given, rtol=1e-9)
    each = alone["expected_value"] / alone["expected_purchases"]
    np.testing.assert_allclose(
        found["expected_value"], found["expected_purchases"] * each, rtol=1e-9
    )
    assert set(found["is_churning"]) == {True, False}


def test_with_a_churn_model_intervals_are_quantiles_of_the_mixture(
    plain: CustomerValueModel, whole: CustomerValueModel, customers: pd.DataFrame
) -> None:
    found = whole.predicted(customers)
    counts = plain.purchases.counts(
        HORIZON, *(customers[name] for name in ("frequency", "recency", "age"))
    )
    p, q, v = (plain.spend.params_[name] for name in ("p", "q", "v"))
    bought = customers["frequency"].to_numpy() + 1
    none, risk = counts.none(), found["churn_risk"].to_numpy()
    unit = v + bought * customers["average"].clip(lower=0).to_numpy()
    for row in range(len(customers)):
        total = Totals(counts.taken(np.array([row])), p, np.array([q + p * bought[row]]))
        for name, share in (("value_low", 0.1), ("value_high", 0.9)):
            # Of who buys, the share that is left of it; as much of BG/NBD's own distribution.
            left = (share - risk[row]) / (1 - risk[row])
            level = none[row] + left * (1 - none[row])
            wanted = float(total.quantile(level)[0]) * unit[row] if left > 0 else 0.0
            assert found[name][row] == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_the_ends_of_an_interval_have_the_probabilities_of_their_level(
    whole: CustomerValueModel, customers: pd.DataFrame
) -> None:
    found = whole.predicted(customers)
    for name, share in (("value_low", 0.1), ("value_high", 0.9)):
        value = found[name].to_numpy()
        # Where it is 0, no probability is too much.
        wanted = np.where(value > 0, share, found["churn_risk"])
        at_most = whole.probability_at_most(customers, value)
        np.testing.assert_allclose(at_most, wanted, atol=1e-6)
    assert (found["value_high"] > 0).any()
    below = whole.probability_at_most(customers, np.full(len(customers), -100.0))
    np.testing.assert_allclose(below, found["churn_risk"], atol=1e-12)


def test_who_sent_everything_back_has_a_value_and_not_a_high_one(
    plain: CustomerValueModel, customers: pd.DataFrame
) -> None:
    same = customers.iloc[[0, 0, 0]].assign(average=[-500.0, 0.0, 5000.0])
    value = plain.predicted(same.reset_index(drop=True))["expected_value"]
    assert 0 < value[0] == value[1] < value[2]


@pytest.mark.parametrize("kind", ["plain", "whole"])
def test_a_document_is_the_model(
    kind: str, customers: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    document = json.loads(json.dumps(model.document(), allow_nan=False))
    again = CustomerValueModel.of_document(document, backend=CPU)
    assert again.document() == model.document()
    found, wanted = (one.predicted(customers) for one in (again, model))
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def test_nobody_has_no_prediction(whole: CustomerValueModel, customers: pd.DataFrame) -> None:
    assert len(whole.predicted(customers.iloc[:0])) == 0


def test_too_few_who_came_back_and_nothing_paid_are_refused() -> None:
    def sold(customers: int, days: int, price: int) -> pd.DataFrame:
        return lines(
            *(
                {
                    "customer_key": customer,
                    "order_id": f"{customer}-{day}",
                    "ordered_at": START + timedelta(days=day),
                    "unit_price": price,
                }
                for customer in range(customers)
                for day in range(days)
            )
        )

    for frame, message in [
        (sold(30, 1, 500), "0 customers bought on more than one day: at least 10 are needed"),
        (sold(9, 2, 500), "9 customers bought on more than one day"),
        (sold(10, 2, 0), "No customer paid more than came back"),
    ]:
        with pytest.raises(FitError, match=message):
            CustomerValueModel.fit(past_of(frame)[0], HORIZON)


def test_the_past_of_all_is_that_of_its_parts_in_any_order(frame: pd.DataFrame) -> None:
    mixed = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    bucket = (mixed["customer_key"] // 2**57) % 3
    parts = [past_of(mixed[bucket == number].reset_index(drop=True)) for number in range(3)]
    for found, wanted in zip(
        map(Past.merged, zip(*parts, strict=True)), past_of(frame), strict=True
    ):
        for counted, other in ((found.histories, wanted.histories), (found.spend, wanted.spend)):
            for left, right in zip(counted.columns, other.columns, strict=True):
                np.testing.assert_array_equal(left, right)
            np.testing.assert_array_equal(counted.customers, other.customers)
        pd.testing.assert_frame_equal(found.some, wanted.some, check_exact=True)
        assert (found.days, found.repeaters) == (wanted.days, wanted.repeaters)


def test_a_past_holds_everybody_counted_and_at_most_so_many_in_full(frame: pd.DataFrame) -> None:
    now, cut, earlier = past_of(frame)
    for past, back in ((now, 0), (cut, 1), (earlier, 2)):
        moment = MOMENT - timedelta(days=back * HORIZON)
        histories = purchase_histories(frame, moment, CPU)
        rows = zip(histories["frequency"], histories["recency"], histories["age"], strict=True)
        counts = zip(*past.histories.columns, strict=True)
        assert dict(zip(counts, past.histories.customers, strict=True)) == Counter(rows)
        assert past.repeaters == (histories["frequency"] > 0).sum()
        assert past.days == histories["age"].max()
        if back:
            names = [n for n in histories.columns if n != "currency"]
            pd.testing.assert_frame_equal(past.some[names], histories[names], check_exact=True)
            assert set(TRAITS) <= set(past.some.columns)
    assert len(now.some) == 0
    # What came after one moment is what had come before the next.
    both = cut.some.merge(earlier.some, on="customer_key")
    assert len(both) == len(earlier.some)
    assert (both["purchases_before_x"] == both["purchases_y"]).all()
    assert (both["value_before_x"] == both["value_y"]).all()
    few = past_of(frame, most=7)[1].some
    again = past_of(frame.iloc[::-1].reset_index(drop=True), most=7)[1].some
    assert len(few) == 7
    pd.testing.assert_frame_equal(few, again, check_exact=True)
    assert set(few["customer_key"]) < set(cut.some["customer_key"])


def test_what_comes_later_changes_nothing_that_is_known(frame: pd.DataFrame) -> None:
    known = frame[frame["ordered_at"] <= MOMENT].reset_index(drop=True)
    assert len(known) < len(frame)
    for found, wanted in zip(past_of(frame), past_of(known), strict=True):
        pd.testing.assert_frame_equal(found.some, wanted.some, check_exact=True)
        np.testing.assert_array_equal(found.histories.columns, wanted.histories.columns)
    # Nor is there anything in an earlier past of what came after it, but the outcomes.
    cut = MOMENT - timedelta(days=HORIZON)
    until = frame[frame["ordered_at"] <= cut].reset_index(drop=True)
    found, wanted = past_of(frame)[1], pasts(until, cut, HORIZON, CPU, most=0)[0]
    np.testing.assert_array_equal(found.histories.columns, wanted.histories.columns)
    np.testing.assert_array_equal(found.spend.columns, wanted.spend.columns)
    blind = pasts(until, MOMENT, HORIZON, CPU, most=1000)[1]
    outcomes = ["purchases", "value"]
    assert_frames_equal(found.some.drop(columns=outcomes), blind.some.drop(columns=outcomes))
    assert (blind.some[outcomes] == 0).all(axis=None)


def test_averages_are_counted_to_a_seventh_of_a_percent_and_only_those_above_nothing() -> None:
    rng = np.random.default_rng(1)
    average = np.concatenate([[0.0, -3.5], rng.lognormal(8, 2, 5000)])
    frequency = np.concatenate([[1, 2], rng.integers(0, 2, 5000)])
    histories = pd.DataFrame({"frequency": frequency, "average": average})
    found = counted_spend(histories, CPU)
    purchases, rounded = found.columns
    assert found.customers.sum() == 5000
    assert len(rounded) < 4500
    assert (purchases @ found.customers) == (frequency[2:] + 1).sum()
    nearest = np.array([rounded[np.abs(np.log(rounded / one)).argmin()] for one in average[2:50]])
    np.testing.assert_allclose(nearest, average[2:50], rtol=0.0014)
    total = (rounded * found.customers).sum()
    assert total == pytest.approx(average[2:].sum(), rel=2e-4)


def test_nothing_counted_is_nothing() -> None:
    nothing = Counted.of([np.zeros(0), np.zeros(0)], CPU)
    assert len(Counted.merged([nothing, nothing], CPU).customers) == 0
    one = Counted.of([np.array([2.0, 2.0]), np.array([1.0, 1.0])], CPU)
    merged = Counted.merged([nothing, one, one], CPU)
    assert [column.tolist() for column in merged.columns] == [[2.0], [1.0]]
    assert merged.customers.tolist() == [4.0]
