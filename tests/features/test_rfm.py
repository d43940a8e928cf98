from collections import Counter
from collections.abc import Sequence
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.errors import PipelineError
from gpu_pipeline.features import SCORES, rfm_scores
from gpu_pipeline.features.rfm import MEASURES

# Few different values, so that most are tied; whole numbers that no float can hold.
VALUES: dict[str, list[Any]] = {
    "days_since_last_order": [0.0, 0.5, 0.1 + 0.2, 0.3, 900.0],
    "orders": [1, 1, 1, 2, 9],
    "revenue": [-5, 0, 2**53, 2**53 + 1, 2**62],
}


def frame(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Customers 0, 1, … with their measures."""
    columns = dict(zip(MEASURES, zip(*rows, strict=True), strict=True)) if rows else {}
    found = pd.DataFrame({"customer_key": range(len(rows)), **columns}, index=range(len(rows)))
    types = {"customer_key": "int64", MEASURES[0]: "float64", "orders": "int64"}
    return found.reindex(columns=["customer_key", *MEASURES]).astype(types | {"revenue": "int64"})


customers = st.lists(st.tuples(*(st.sampled_from(of) for of in VALUES.values())), max_size=20).map(
    frame
)
CUTS = st.sampled_from(
    [5, 2, 9, {"orders": 3}, {"orders": (1, 3), "days_since_last_order": (0.3,)}, {"revenue": (0,)}]
)


def slowly(features: pd.DataFrame, measure: str, wanted: Any) -> list[int]:
    """The scores, one customer at a time."""
    values = features[measure].tolist()
    if isinstance(wanted, int):
        # The first value in order that k of so many parts of the customers do not exceed.
        ordered = sorted(values)
        points = [
            next(v for v in ordered if wanted * sum(w <= v for w in values) >= k * len(values))
            for k in range(1, wanted)
            if values
        ]
    else:
        points = list(wanted)
    classes = [sum(point < value for point in points) for value in values]
    if measure == "days_since_last_order":
        return [len(points) + 1 - below for below in classes]
    return [1 + below for below in classes]


@settings(deadline=None, max_examples=100)
@given(customers, CUTS)
def test_scores_are_those_of_counting_one_by_one(features: pd.DataFrame, cuts: Any) -> None:
    found = rfm_scores(features, cuts=cuts)
    assert list(found.columns) == ["customer_key", *SCORES, "rfm"]
    assert found["customer_key"].tolist() == features["customer_key"].tolist()
    for measure, name in zip(MEASURES, SCORES, strict=True):
        wanted = cuts if isinstance(cuts, int) else cuts.get(measure, 5)
        assert found[name].tolist() == slowly(features, measure, wanted)
    digits = found[list(SCORES)].astype("str").sum(axis=1).astype("int64")
    assert found["rfm"].tolist() == digits.tolist()


@settings(deadline=None, max_examples=60)
@given(customers, CUTS)
def test_who_buys_as_much_as_another_has_the_same_score(features: pd.DataFrame, cuts: Any) -> None:
    found = rfm_scores(features, cuts=cuts)
    for measure, name in zip(MEASURES, SCORES, strict=True):
        ordered = found[name].groupby(features[measure])
        assert (ordered.nunique() == 1).all()
        scores = ordered.first()
        best_low = measure == "days_since_last_order"
        assert scores.is_monotonic_decreasing if best_low else scores.is_monotonic_increasing


@settings(deadline=None, max_examples=15)
@given(customers, st.integers(1, 4), CUTS, st.randoms(use_true_random=False))
def test_neither_row_order_nor_partitions_change_a_score(
    features: pd.DataFrame, partitions: int, cuts: Any, random: Any
) -> None:
    places = list(range(len(features)))
    random.shuffle(places)
    mixed = features.iloc[places].reset_index(drop=True)
    ddf = dd.from_pandas(mixed, npartitions=partitions)
    found = rfm_scores(ddf, cuts=cuts).compute(scheduler="sync")
    found = found.sort_values("customer_key", ignore_index=True)
    assert_frames_equal(found, rfm_scores(features, cuts=cuts))


def test_classes_are_of_equally_many_where_no_values_are_tied() -> None:
    rng = np.random.default_rng(1)
    measures = [rng.permutation(1000) for _ in MEASURES]
    found = rfm_scores(frame(list(zip(*measures, strict=True))))
    for name in SCORES:
        assert Counter(found[name]) == dict.fromkeys(range(1, 6), 200)


def test_the_best_are_recent_frequent_and_spend_much() -> None:
    rows = [(200.0 - 40 * i, i + 1, 100 * i) for i in range(5)]
    assert rfm_scores(frame(rows))["rfm"].tolist() == [111, 222, 333, 444, 555]


def test_a_class_ends_with_its_custom_value() -> None:
    rows = [(30.0, 1, 0), (30.5, 2, 0), (90.0, 3, 0), (91.0, 4, 0)]
    cuts = {"days_since_last_order": (30, 90), "orders": (1, 3), "revenue": 2}
    found = rfm_scores(frame(rows), cuts=cuts)
    assert found["days_since_last_order_score"].tolist() == [3, 2, 2, 1]
    assert found["orders_score"].tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        (1, "can be cut into 2 to 9 classes, not 1"),
        ({"orders": 10}, "orders can be cut into 2 to 9 classes, not 10"),
        ({"recency": 3}, "no measure 'recency' to cut: there are days_since_last_order, orders"),
        ({"revenue": ()}, "revenue can't be cut at no value: give 1 to 8 numbers"),
        ({"revenue": (3, 3)}, "can't be cut at 3, 3: .* each above the one before"),
        ({"orders": (1, float("nan"))}, "can't be cut at 1, nan"),
        ({"orders": tuple(range(9))}, "give 1 to 8 numbers"),
    ],
)
def test_cuts_that_make_no_sense_are_refused(cuts: Any, said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        rfm_scores(frame([(1.0, 1, 1)]), cuts=cuts)


@pytest.mark.parametrize("cuts", [5, {"days_since_last_order": (30,)}])
def test_customers_who_lack_a_measure_are_refused(cuts: Any) -> None:
    features = frame([(1.0, 1, 1), (float("nan"), 1, 1)])
    with pytest.raises(PipelineError, match="1 of 2 customers lack days_since_last_order"):
        rfm_scores(features, cuts=cuts)
