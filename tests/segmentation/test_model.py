import json
import warnings
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.segmentation import FEATURES, SegmentModel, segment_profiles
from gpu_pipeline.segmentation.model import CANDIDATES

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parent.parent / "oracle" / "segment_profiles.sql").read_text()
AS_OF = pd.Timestamp("2026-06-30T18:00")
# Median days since the last order, days of tenure, orders and revenue of four kinds of customer.
KINDS = np.array(
    [[3, 900, 40, 900_000], [5, 30, 2, 9_000], [300, 800, 12, 90_000], [400, 410, 1, 500]]
)


def customers(
    *, days: Any, tenure: Any = None, orders: Any = None, revenue: Any = None
) -> pd.DataFrame:
    """Rows of contract `customer_features`, with what segments are made of."""
    days = np.asarray(days, dtype="float64")
    orders = np.ones(len(days)) if orders is None else np.asarray(orders)
    revenue = np.full(len(days), 1000) if revenue is None else np.asarray(revenue)
    frame = pd.DataFrame(
        {
            "customer_key": np.arange(len(days)) * 7919 - 10**6,
            "as_of": AS_OF,
            "first_order_at": AS_OF,
            "last_order_at": AS_OF,
            "days_since_last_order": days,
            "tenure_days": days if tenure is None else np.asarray(tenure),
            "orders": orders,
            "units": orders,
            "products": orders,
            "revenue": revenue,
            "average_order": revenue / orders,
            "returned_units": 0,
            "return_rate": 0.0,
            "currency": "EUR",
        }
    )
    return CPU.cast(frame, contract("customer_features"), list(frame.columns))


def planted(
    *, each: int = 60, noise: float = 0.15, seed: int = 1
) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Four kinds of customer, and which kind each is of."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(KINDS)), each)
    values = KINDS[kind] * rng.lognormal(0, noise, (len(kind), 4))
    days, tenure, orders, revenue = values.T
    frame = customers(
        days=days, tenure=tenure, orders=orders.round().clip(1).astype(int), revenue=revenue.round()
    )
    shuffled = rng.permutation(len(frame))
    return frame.iloc[shuffled].reset_index(drop=True), kind[shuffled]


def scattered(*, rows: int = 400, seed: int = 2) -> pd.DataFrame:
    """Customers without any groups."""
    rng = np.random.default_rng(seed)
    return customers(
        days=rng.exponential(90, rows),
        tenure=rng.uniform(0, 700, rows),
        orders=rng.geometric(0.3, rows),
        revenue=rng.lognormal(9, 1.2, rows).round(),
    )


def segments_of(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return SegmentModel(backend=CPU, **options).fit(frame).assign(frame)


def test_planted_groups_are_found_and_their_number_too() -> None:
    frame, kind = planted()
    found = segments_of(frame)["segment"]
    assert found.nunique() == len(KINDS)
    assert adjusted_rand_score(kind, found) > 0.9


def test_segments_are_numbered_by_their_revenue() -> None:
    frame, kind = planted()
    found = segments_of(frame, n_segments=4)["segment"]
    assert list(pd.Series(kind).groupby(found.to_numpy()).first()) == [0, 2, 1, 3]
    frame = scattered()
    revenue = frame["revenue"].groupby(segments_of(frame)["segment"].to_numpy()).sum()
    assert revenue.is_monotonic_decreasing


@pytest.mark.parametrize("n_segments", [0, 5])
def test_row_order_and_threads_change_no_label_and_no_number(n_segments: int) -> None:
    frame = scattered()
    first = SegmentModel(n_segments=n_segments, seed=3, backend=CPU).fit(frame)
    labels = first.assign(frame).set_index("customer_key")["segment"]
    for threads in (1, 2, 4):
        permuted = frame.sample(frac=1, random_state=threads)
        with threadpool_limits(threads):
            model = SegmentModel(n_segments=n_segments, seed=3, backend=CPU).fit(permuted)
        np.testing.assert_array_equal(model.centres_, first.centres_)
        assert model.silhouettes_ == first.silhouettes_
        found = model.assign(permuted).set_index("customer_key")["segment"]
        assert_frames_equal(found.loc[labels.index], labels)


def test_another_seed_starts_elsewhere() -> None:
    frame = scattered()
    first, second = (SegmentModel(n_segments=8, seed=s, backend=CPU).fit(frame) for s in (0, 1))
    assert not np.array_equal(first.centres_, second.centres_)


def test_assigning_in_parts_is_assigning_at_once() -> None:
    frame = scattered()
    model = SegmentModel(backend=CPU).fit(frame)
    parts = [frame.iloc[start::7] for start in range(7)]
    found = pd.concat([model.assign(part) for part in parts]).sort_index()
    assert_frames_equal(found, model.assign(frame), rtol=0)
    assert model.assign(frame.iloc[:0]).empty


def test_the_segment_is_that_of_the_nearest_centre() -> None:
    frame = scattered()
    model = SegmentModel(backend=CPU).fit(frame)
    points = model.preparation_.points(frame[list(FEATURES)].to_numpy("float64"), CPU)
    distances = np.linalg.norm(points[:, None] - model.centres_[None], axis=2)
    found = model.assign(frame)
    np.testing.assert_array_equal(found["segment"], distances.argmin(axis=1))
    np.testing.assert_allclose(found["distance"], distances.min(axis=1))
    assert model.inertia_ == pytest.approx((distances.min(axis=1) ** 2).sum())


@pytest.mark.parametrize(
    ("frame", "n_segments", "room"),
    [
        (planted()[0], 3, 1.001),
        (planted()[0], 4, 1.001),
        (planted(noise=0.6)[0], 4, 1.001),
        (planted(noise=0.6)[0], 5, 1.001),
        # Where there are no groups to find, who comes out a hair ahead is luck.
        (scattered(), 3, 1.01),
        (scattered(), 5, 1.01),
        (scattered(), 8, 1.01),
    ],
)
def test_the_fit_is_as_tight_as_ten_starts_of_scikit_learn(
    frame: pd.DataFrame, n_segments: int, room: float
) -> None:
    model = SegmentModel(n_segments=n_segments, backend=CPU).fit(frame)
    points = model.preparation_.points(frame[list(FEATURES)].to_numpy("float64"), CPU)
    peer = KMeans(n_segments, n_init=10, random_state=0).fit(points)
    assert model.inertia_ <= peer.inertia_ * room


def test_a_shop_larger_than_the_sample_is_fitted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, kind = planted(noise=0.4)
    whole = SegmentModel(n_segments=4, backend=CPU).fit(frame)
    monkeypatch.setattr("gpu_pipeline.segmentation.model.SAMPLE_ROWS", 100)
    model = SegmentModel(n_segments=4, backend=CPU).fit(frame)
    assert model.inertia_ == pytest.approx(whole.inertia_, rel=1e-3)
    assert adjusted_rand_score(kind, model.assign(frame)["segment"]) > 0.9


def test_a_saved_model_gives_the_same_labels_and_is_plain_json(tmp_path: Path) -> None:
    frame = scattered()
    model = SegmentModel(seed=4, backend=CPU).fit(frame)
    model.save(tmp_path / "segments", card={"run": "r1"})
    again = SegmentModel.load(tmp_path / "segments", backend=CPU)
    assert_frames_equal(again.assign(frame), model.assign(frame), rtol=0)
    assert (again.seed, again.inertia_, again.silhouettes_) == (
        4,
        model.inertia_,
        model.silhouettes_,
    )
    again.save(tmp_path / "again", card={"run": "r1"})
    (first,), (second,) = ([*(tmp_path / name).iterdir()] for name in ("segments", "again"))
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text())["card"] == {"run": "r1"}


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    SegmentModel(n_segments=3, backend=CPU).fit(scattered()).save(tmp_path, card={})
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace("tenure_days", "shoe_size"))
    with pytest.raises(
        PipelineError, match=r"fitted on .*shoe_size.*; this version takes .*tenure"
    ):
        SegmentModel.load(tmp_path, backend=CPU)


def test_before_the_fit_there_is_nothing_to_assign_or_save(tmp_path: Path) -> None:
    model = SegmentModel(backend=CPU)
    with pytest.raises(NotFitted, match="call fit, or load a saved model"):
        model.assign(scattered())
    with pytest.raises(NotFitted):
        model.save(tmp_path, card={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "n_segments", "message"),
    [
        (customers(days=[]), 0, "0 customers, 0 of them different, are too few to tell 3 segments"),
        (customers(days=[1, 2]), 0, "2 customers, 2 of them different"),
        (customers(days=[1, 2, 3]), 4, "3 customers, 3 of them different, .* 4 segments"),
        (customers(days=[5] * 50 + [9] * 50), 0, "100 customers, 2 of them different"),
        # Three kinds, of which the cut at the quantiles leaves one.
        (customers(days=[5] * 998 + [1, 9]), 0, "1000 customers, 1 of them different"),
    ],
)
def test_too_few_different_customers_are_one_clear_error(
    frame: pd.DataFrame, n_segments: int, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        SegmentModel(n_segments=n_segments, backend=CPU).fit(frame)


def test_a_fit_that_fails_leaves_the_model_as_it_was() -> None:
    frame = scattered()
    model = SegmentModel(backend=CPU).fit(frame)
    before = model.assign(frame)
    with pytest.raises(PipelineError):
        model.fit(customers(days=[1, 1]))
    assert_frames_equal(model.assign(frame), before, rtol=0)


def test_as_many_customers_as_segments_are_enough() -> None:
    assert sorted(segments_of(customers(days=[1, 50, 300]))["segment"]) == [0, 1, 2]
    assert segments_of(customers(days=[1] * 50 + [50] * 50 + [300] * 50))["segment"].nunique() == 3


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 40.0, 800.0]),
            st.sampled_from([1, 2, 90]),
            st.sampled_from([-(10**9), -1, 0, 0, 5000, 10**12]),
        ),
        min_size=3,
        max_size=40,
    )
)
def test_whatever_customers_are_like_no_number_is_missing(
    rows: list[tuple[float, int, int]],
) -> None:
    days, orders, revenue = zip(*rows, strict=True)
    frame = customers(days=days, tenure=[90] * len(rows), orders=orders, revenue=revenue)
    model = SegmentModel(backend=CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = model.fit(frame).assign(frame)
        except PipelineError:
            assert len({*rows}) < max(CANDIDATES)
            return
        profiles = segment_profiles(frame, found)
    assert not found.isna().any(axis=None)
    assert not profiles.isna().any(axis=None)
    assert not np.isinf(profiles.select_dtypes("number")).any(axis=None)
    assert profiles["name"].is_unique
    assert profiles["customers"].sum() == len(rows)


@pytest.mark.parametrize("frame", [planted()[0], scattered()], ids=["planted", "scattered"])
def test_profiles_are_those_of_plain_sql(frame: pd.DataFrame) -> None:
    found = segments_of(frame)
    profiles = segment_profiles(frame, found)
    with duckdb.connect() as connection:
        connection.register("features", frame)
        connection.register("segments", found)
        wanted = connection.execute(ORACLE).df()
    assert list(profiles.columns) == list(contract("segment_profiles").names)
    as_found = CPU.cast(wanted.assign(name=profiles["name"]), contract("segment_profiles"))
    assert_frames_equal(CPU.cast(profiles, contract("segment_profiles")), as_found)
    assert profiles["revenue_share"].sum() == pytest.approx(1)


def test_where_returns_ate_up_all_sales_there_is_no_share() -> None:
    frame = customers(days=[1, 50, 300] * 10, revenue=[500, 0, -500] * 10)
    assert list(segment_profiles(frame, segments_of(frame))["revenue_share"]) == [0.0, 0.0, 0.0]


def test_names_are_a_merchants_and_tell_segments_apart() -> None:
    frame, kind = planted()
    found = segments_of(frame)
    profiles = segment_profiles(frame, found)
    names = dict(zip(profiles["segment"], profiles["name"], strict=True))
    of_kind = [names[int(found["segment"][kind == number].mode()[0])] for number in range(4)]
    assert of_kind == ["champions", "new", "slipping away", "one-off buyers"]


def test_segments_of_one_name_differ_by_what_an_order_is_worth() -> None:
    frame = customers(days=[10] * 4, revenue=[100, 400, 300, 200])
    apart = frame.assign(segment=[3, 0, 1, 2])[["customer_key", "segment"]]
    names = segment_profiles(frame, apart)["name"].tolist()
    kind = names[0].split(",")[0]
    assert names == [f"{kind}, order value rank {rank}" for rank in (1, 2, 3, 4)]
    two = frame.assign(segment=[1, 0, 0, 1])[["customer_key", "segment"]]
    assert segment_profiles(frame, two)["name"].tolist() == [
        f"{kind}, larger orders",
        f"{kind}, smaller orders",
    ]
