from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from shoppers import shoppers

from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.segmentation import SegmentModel, explained, segment_profiles
from gpu_pipeline.segmentation.reasons import REASONS

OF_ORDERS = ("days_since_last_order", "orders", "revenue")


def customers(*, seed: int = 1) -> pd.DataFrame:
    """Three kinds of customer: champions, new ones, and those who bought once long ago."""
    rng = np.random.default_rng(seed)
    kinds = np.array([[3, 900, 40, 900_000], [5, 30, 2, 9_000], [400, 410, 1, 500]])
    days, tenure, orders, revenue = (kinds[np.arange(90) % 3] * rng.lognormal(0, 0.1, (90, 4))).T
    return shoppers(
        days_since_last_order=days,
        tenure_days=tenure,
        orders=orders.round().clip(1).astype(int),
        revenue=revenue.round(),
    )


@pytest.fixture(scope="module")
def model() -> SegmentModel:
    return SegmentModel(n_segments=3, features=OF_ORDERS).fit(customers())


def test_segments_are_described_by_name_size_features_and_traits(model: SegmentModel) -> None:
    frame = customers()
    found = model.describe(frame)
    profiles = segment_profiles(frame, model.assign(frame))
    assert_frames_equal(found[list(profiles.columns[:1])], profiles[["segment"]])
    assert found["name"].tolist() == ["champions", "new", "one-off buyers"]
    assert found["customers"].tolist() == [30, 30, 30]
    assert found["revenue_share"].tolist() == profiles["revenue_share"].tolist()
    medians = frame.groupby(model.predict(frame))["revenue"].median()
    assert found["revenue"].tolist() == medians.tolist()
    assert found.columns[-3:].tolist() == ["trait_1", "trait_2", "trait_3"]
    assert "the usual" in found["trait_1"][0]


def test_what_was_described_before_gives_growth_and_keeps_names(model: SegmentModel) -> None:
    frame = customers()
    before = model.describe(frame[:60])
    assert model.describe(frame, previous=before)["growth"].tolist() == [0.5] * 3


def test_other_features_are_described_by_their_traits() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"customer_key": range(60), "shoe_size": [36.0, 45.0] * 30})
    frame = frame.assign(age=rng.uniform(20, 60, 60))
    model = SegmentModel(n_segments=2, features=("shoe_size", "age")).fit(frame)
    found = model.describe(frame)
    assert sorted(name.split(", ")[0] for name in found["name"]) == [
        "high shoe size",
        "low shoe size",
    ]
    assert "revenue_share" not in found
    assert found["customer_share"].tolist() == [0.5, 0.5]
    changed = found.assign(name=found["name"].str.split(", ").str[0])
    assert model.describe(frame, previous=changed)["name"].tolist() == changed["name"].tolist()


def test_each_customer_is_explained_in_the_order_of_the_rows(model: SegmentModel) -> None:
    frame = customers().sample(frac=1, random_state=2)
    found = explained(model, frame)
    columns = ["customer_key", "segment", "distance"]
    assert_frames_equal(found[columns], model.assign(frame).reset_index(drop=True))
    assert list(found.columns) == [*columns, "next_segment", *REASONS]
    names = model.describe(frame).set_index("segment")["name"]
    first = found.groupby(found["segment"].map(names))["reason_1"].agg(lambda r: r.mode()[0])
    assert first["champions"] in ("orders often", "spends much")
    assert (found["next_segment"] != found["segment"]).all()
    (alone,) = explained(model, frame.iloc[5:6]).to_dict("records")
    assert alone == found.iloc[5].to_dict()


@pytest.mark.parametrize(("kind", "mark"), [("map", "scatter"), ("heat map", "heatmap")])
def test_customers_can_be_seen(model: SegmentModel, kind: Any, mark: str) -> None:
    figure = model.plot(kind, customers())
    assert figure.data[0].type == mark
    assert "champions" in str(figure.data)


def test_the_choice_of_their_number_can_be_seen() -> None:
    chosen = SegmentModel(features=OF_ORDERS).fit(customers())
    figure = chosen.plot("choice")
    assert f"{len(chosen.segments_)} segments: silhouette" in figure.layout.title.text


def test_a_picture_that_can_not_be_drawn_says_why(model: SegmentModel) -> None:
    with pytest.raises(PipelineError, match="no picture 'pie': there are map, heat map, choice"):
        model.plot("pie")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="The heat map shows customers: give their features"):
        model.plot("heat map")
    with pytest.raises(PipelineError, match="can't be profiled without"):
        model.plot("map", customers()[["customer_key", "currency", *OF_ORDERS]])
    with pytest.raises(NotFitted):
        SegmentModel().plot("choice")
    with pytest.raises(NotFitted):
        SegmentModel().describe(customers())
