from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from shoppers import in_segments, shoppers

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.profiles import segment_profiles
from gpu_pipeline.segmentation.traits import SHOWN_TRAITS, all_traits, segment_traits

CPU = Backend.choose("cpu")
ORACLES = Path(__file__).parent.parent / "oracle"
NAMES = ("days_since_last_order", "orders", "revenue")


def scattered(*, rows: int = 300, seed: int = 2) -> pd.DataFrame:
    """Customers without any groups."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.3, rows)
    return shoppers(
        days_since_last_order=rng.exponential(90, rows),
        tenure_days=rng.uniform(0, 700, rows),
        orders=orders,
        revenue=rng.lognormal(9, 1.2, rows).round(),
        return_rate=rng.uniform(0, 0.3, rows),
        discount_share=np.where(rng.random(rows) < 0.2, np.nan, rng.random(rows)),
    )


def prepared(frame: pd.DataFrame) -> Any:
    """The features in standard deviations, as simply as may be."""
    values = frame[list(NAMES)].to_numpy("float64")
    return (values - values.mean(axis=0)) / values.std(axis=0)


def asked(query: str, **tables: pd.DataFrame) -> pd.DataFrame:
    """What DuckDB answers."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.execute((ORACLES / query).read_text()).df()


@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
@pytest.mark.parametrize("segments", [(0, 1, 2), (-1, 0, 5)], ids=str)
def test_profiles_are_those_of_plain_sql(segments: tuple[int, ...], is_first: bool) -> None:
    frame = scattered()
    found = in_segments(frame, np.array(segments)[frame["orders"].clip(upper=3) - 1])
    previous = segment_profiles(frame[:100], in_segments(frame[:100], [1, 2] * 50))
    before = previous[:0] if is_first else previous
    profiles = segment_profiles(
        frame, found.sample(frac=1, random_state=1), previous=None if is_first else previous
    )
    wanted = asked("segment_profiles.sql", features=frame, segments=found, previous=before)
    assert list(profiles.columns) == list(contract("segment_profiles").names)
    wanted = wanted.assign(name=profiles["name"], description=profiles["description"])
    profiles, wanted = (CPU.cast(t, contract("segment_profiles")) for t in (profiles, wanted))
    assert_frames_equal(profiles, wanted)
    assert profiles["revenue_share"].sum() == pytest.approx(1)
    assert profiles["customers_before"].isna().all() == is_first


def test_growth_is_measured_from_the_run_before_segment_by_segment() -> None:
    frame = shoppers(days_since_last_order=[5.0] * 10)
    before = segment_profiles(frame, in_segments(frame, [0] * 4 + [1] * 4 + [2] * 2))
    after = segment_profiles(
        frame, in_segments(frame, [0] * 6 + [1] * 1 + [3] * 3), previous=before
    )
    assert after["customers_before"].tolist() == [4, 4, 0]
    assert after["growth"][:2].tolist() == [0.5, -0.75]
    assert np.isnan(after["growth"][2])


def test_profiles_made_before_growth_was_measured_are_enough_to_measure_it() -> None:
    frame = shoppers(days_since_last_order=[5.0] * 4)
    old = pd.DataFrame({"segment": [0], "name": ["loyal"], "customers": [8]})
    profiles = segment_profiles(frame, in_segments(frame, [0] * 4), previous=old)
    assert profiles["growth"].tolist() == [-0.5]


def test_where_returns_ate_up_all_sales_there_is_no_share() -> None:
    frame = shoppers(days_since_last_order=[1.0, 50.0, 300.0], revenue=[500, 0, -500])
    profiles = segment_profiles(frame, in_segments(frame, [0, 1, 2]))
    assert profiles["revenue_share"].tolist() == [0.0, 0.0, 0.0]


def test_what_is_missing_is_named() -> None:
    frame = shoppers(orders=[1, 2])
    with pytest.raises(
        PipelineError, match=r"without tenure_days, orders: features have .*revenue"
    ):
        segment_profiles(frame.drop(columns=["orders", "tenure_days"]), in_segments(frame, [0, 1]))
    others = in_segments(frame, [0, 1]).assign(customer_key=[-5, -6])
    with pytest.raises(PipelineError, match="None of 2 customers with features is among the 2"):
        segment_profiles(frame, others)


def test_without_discounts_all_other_numbers_are_told() -> None:
    frame = shoppers(orders=[1, 2]).drop(columns="discount_share")
    profiles = segment_profiles(frame, in_segments(frame, [0, 1]))
    assert profiles["discount_share"].isna().all()
    assert profiles["orders"].tolist() == [1, 2]


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(-1, 3),
            st.sampled_from([0.0, 0.5, 40.0, 800.0]),
            st.sampled_from([1, 2, 90]),
            st.sampled_from([-(10**9), -1, 0, 5000, 10**12]),
            st.sampled_from([0.0, 1.0, np.nan]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_customers_are_like_each_segment_has_a_name_and_all_numbers(
    rows: list[tuple[int, float, int, int, float]],
) -> None:
    segments, days, orders, revenue, discount = zip(*rows, strict=True)
    frame = shoppers(
        days_since_last_order=days, orders=orders, revenue=revenue, discount_share=discount
    )
    found = in_segments(frame, segments)
    profiles = segment_profiles(frame, found)
    required = [column.name for column in contract("segment_profiles").columns if column.required]
    assert not profiles[[*required, "description"]].isna().any(axis=None)
    assert not np.isinf(profiles.select_dtypes("number")).any(axis=None)
    assert profiles["name"].is_unique
    assert profiles["customers"].sum() == len(rows)
    again = segment_profiles(frame, found, previous=profiles)
    assert again["name"].tolist() == profiles["name"].tolist()


def test_traits_are_those_of_plain_sql() -> None:
    frame = scattered()
    found = in_segments(frame, np.where(frame["orders"] > 6, -1, frame["orders"] % 3))
    points = prepared(frame)
    shuffled = found.sample(frac=1, random_state=3)
    traits = all_traits(frame, shuffled, points, NAMES)
    long = pd.concat(
        [
            frame[["customer_key"]].assign(
                feature=name, value=frame[name].astype("float64"), point=points[:, place]
            )
            for place, name in enumerate(NAMES)
        ]
    )
    wanted = asked("segment_traits.sql", features=long, segments=found)
    numbers = ["segment", "rank", "feature", "value", "usual", "effect"]
    assert_frames_equal(traits[numbers], wanted[numbers].astype(dict(traits[numbers].dtypes)))
    shown = segment_traits(frame, found, points, NAMES)
    assert list(shown.columns) == list(contract("segment_traits").names)
    assert (shown.groupby("segment").size() == SHOWN_TRAITS).all()


def test_traits_are_told_in_words_with_their_units() -> None:
    frame = shoppers(
        days_since_last_order=[2.0, 200.0, 200.0],
        orders=[12, 4, 4],
        revenue=[90_000, 2_000, 2_000],
    )
    traits = all_traits(frame, in_segments(frame, [0, 1, 1]), prepared(frame), NAMES)
    first = traits[traits["segment"] == 0].set_index("feature")
    assert first["text"].to_dict() == {
        "days_since_last_order": "last order 2 days ago, the usual is 200 days",
        "orders": "12 orders, 3x the usual",
        "revenue": "EUR 900.00 spent, 45x the usual",
    }
    assert first["label"].tolist() == ["2 days", "12 orders", "EUR 900.00"]
    assert sorted(first["rank"]) == [1, 2, 3]


def test_what_customers_lack_is_the_trait_where_their_values_are_not() -> None:
    days = [*(np.nan, np.nan, 9.0), *(30.0, 30.0), *(np.nan, 60.0, 60.0)]
    frame = shoppers(mean_days_between_orders=days, orders=1)
    found = in_segments(frame, [0, 0, 0, 1, 1, 2, 2, 2])
    points = np.array([[1.0], [1.0], [-1.0], [-0.5], [-0.5], [1.0], [0.5], [0.5]])
    traits = all_traits(frame, found, points, ["mean_days_between_orders"])
    assert traits["text"].tolist() == [
        "mostly ordered only once",
        "0% ordered only once, the usual is 38%",
        "60 days between orders, 2x the usual",
    ]
    assert traits["label"].tolist() == ["mostly none", "0% ordered only once", "60 days"]
    assert traits["value"].tolist() == [9.0, 30.0, 60.0]


def test_points_of_other_rows_and_unknown_features_are_refused() -> None:
    frame = shoppers(orders=[1, 2])
    found = in_segments(frame, [0, 1])
    with pytest.raises(PipelineError, match=r"shape \(1, 3\): .*2 customers .* 3 features"):
        segment_traits(frame, found, np.zeros((1, 3)), NAMES)
    with pytest.raises(PipelineError, match=r"shoe_size can't be told: features have"):
        segment_traits(frame, found, np.zeros((2, 1)), ["shoe_size"])
    with pytest.raises(PipelineError, match="1 of 2 customers with features have no segment"):
        segment_traits(frame, found[:1], np.zeros((2, 3)), NAMES)
