import doctest
import json
import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_customers import KINDS, customers, planted, scattered
from retail_customers import retail_customers
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import NotFitted, PipelineError
from gpu_pipeline.segmentation import FEATURES, SegmentModel, choosing, identity, model
from gpu_pipeline.segmentation.choosing import CANDIDATES

CPU = Backend.choose("cpu")
LOADED = datetime(2011, 12, 10)  # noqa: DTZ001
METHODS = ("kmeans", "hdbscan")


def of_days(*days: float) -> pd.DataFrame:
    """Customers who differ in the days since their last order alone."""
    values = np.tile(KINDS[1], (len(days), 1))
    values[:, 0] = days
    return customers(values)


def segments_of(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return SegmentModel(**options).fit(frame).assign(frame)


def test_the_examples_run() -> None:
    for module in (model, choosing, identity):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0


def test_planted_groups_are_found_and_their_number_too() -> None:
    frame, kind = planted()
    found = segments_of(frame)["segment"]
    assert found.nunique() == len(KINDS)
    assert adjusted_rand_score(kind, found) == 1
    noisy, kind = planted(noise=0.5)
    assert adjusted_rand_score(kind, segments_of(noisy, n_segments=4)["segment"]) > 0.9


def test_segments_are_numbered_by_their_revenue() -> None:
    frame, kind = planted()
    found = segments_of(frame, n_segments=4)["segment"]
    assert list(pd.Series(kind).groupby(found.to_numpy()).first()) == [0, 2, 1, 3]
    for method in METHODS:
        frame = planted(noise=0.4)[0]
        found = segments_of(frame, method=method)
        inside = found["segment"] >= 0
        revenue = frame["revenue"][inside].groupby(found["segment"][inside]).sum()
        assert revenue.is_monotonic_decreasing


def test_where_nothing_is_known_of_revenue_the_larger_segment_comes_first() -> None:
    frame = of_days(*[300] * 20, *[1] * 50, *[40] * 30).drop(columns="revenue")
    names = [name for name in FEATURES if name != "revenue"]
    assert list(segments_of(frame, n_segments=3, features=names)["segment"].value_counts()) == [
        50,
        30,
        20,
    ]
    assert segments_of(frame, n_segments=3, features=names)["segment"].iloc[
        [0, 20, 70]
    ].tolist() == [
        2,
        0,
        1,
    ]


@pytest.mark.parametrize("options", [{}, {"n_segments": 5}, {"method": "hdbscan"}])
def test_row_order_and_threads_change_no_label_and_no_number(options: Any) -> None:
    frame = planted(noise=0.5)[0]
    first = SegmentModel(seed=3, **options).fit(frame)
    labels = first.assign(frame).set_index("customer_key")
    for threads in (1, 4):
        permuted = frame.sample(frac=1, random_state=threads)
        with threadpool_limits(threads):
            again = SegmentModel(seed=3, **options).fit(permuted)
        assert again.document() == first.document()
        found = again.assign(permuted).set_index("customer_key").loc[labels.index]
        assert_frames_equal(found, labels, rtol=0)


def test_another_seed_starts_elsewhere() -> None:
    frame = scattered()
    first, second = (SegmentModel(n_segments=8, seed=s).fit(frame) for s in (0, 1))
    assert not np.array_equal(first.centres_, second.centres_)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_a_customer_is_the_same_alone_in_any_company_and_in_any_layout(
    method: str, data: st.DataObject
) -> None:
    # To the bit, whatever the instructions that the processor takes for many or for a rest.
    frame, known = scattered(), fitted(method)
    rows = data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=40))
    company = frame.iloc[rows]
    wanted = known.assign(frame).iloc[rows]
    assert_frames_equal(known.assign(company), wanted, rtol=0)
    points = known.points(frame)[rows].view("int64")
    np.testing.assert_array_equal(known.points(company).view("int64"), points)
    # Every other row of a table that has its columns side by side.
    spread = np.repeat(company[list(FEATURES)].to_numpy(), 2, axis=0)[::2]
    strided = pd.DataFrame(spread, columns=list(FEATURES), copy=False)
    np.testing.assert_array_equal(known.points(strided).view("int64"), points)


def test_one_customer_may_come_as_a_row_of_nothing_but_known_numbers_and_nulls() -> None:
    frame = planted()[0]
    known = fitted("kmeans")
    lacking = frame[frame["mean_days_between_orders"].isna()].head(1)
    (row,) = lacking.astype(object).where(lacking.notna(), None).to_dict("records")
    assert row["mean_days_between_orders"] is None
    assert list(known.predict(pd.DataFrame([row]))) == list(known.predict(lacking))


_FITTED: dict[str, SegmentModel] = {}


def fitted(method: Any) -> SegmentModel:
    """One model of each method, fitted once."""
    if method not in _FITTED:
        _FITTED[method] = SegmentModel(method=method).fit(planted(noise=0.3, each=80)[0])
    return _FITTED[method]


@pytest.mark.parametrize("method", METHODS)
def test_assigning_in_parts_is_assigning_at_once(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = scattered()
    known = fitted(method)
    parts = [frame.iloc[start::7] for start in range(7)]
    found = pd.concat([known.assign(part) for part in parts]).sort_index()
    assert_frames_equal(found, known.assign(frame), rtol=0)
    assert known.assign(frame.iloc[:0]).empty
    monkeypatch.setattr("gpu_pipeline.backend._ROWS_AT_ONCE", {"cpu": 33})
    assert_frames_equal(known.assign(frame), found, rtol=0)


def test_the_segment_is_that_of_the_nearest_centre() -> None:
    frame = planted(noise=0.5)[0]
    known = SegmentModel(n_segments=6).fit(frame)
    distances = np.linalg.norm(known.points(frame)[:, None] - known.centres_[None], axis=2)
    found = known.assign(frame)
    np.testing.assert_array_equal(found["segment"], distances.argmin(axis=1))
    np.testing.assert_allclose(found["distance"], distances.min(axis=1))
    np.testing.assert_array_equal(found["segment"], known.predict(frame))
    assert known.inertia_ == pytest.approx((distances.min(axis=1) ** 2).sum())


def test_typical_customers_are_those_of_the_centres_in_plain_units() -> None:
    frame, _ = planted()
    known = SegmentModel(n_segments=4).fit(frame)
    typical = known.typical().set_index("segment")
    usual = frame.groupby(known.predict(frame))[list(FEATURES)].median()
    for name in ("days_since_last_order", "orders", "revenue"):
        np.testing.assert_allclose(typical[name], usual[name], rtol=0.1)
    np.testing.assert_allclose(known.preparation_.undone(known.centres_), typical[list(FEATURES)])


@pytest.mark.parametrize(
    ("frame", "n_segments", "room"),
    [
        (planted()[0], 4, 1.001),
        (planted(noise=0.6)[0], 5, 1.001),
        (retail_customers(LOADED), 4, 1.001),
        (retail_customers(LOADED), 7, 1.001),
        # Where there are no groups to find, who comes out a hair ahead is luck.
        (scattered(), 8, 1.01),
    ],
    ids=["planted", "noisy", "real 4", "real 7", "scattered"],
)
def test_the_fit_is_as_tight_as_ten_starts_of_scikit_learn(
    frame: pd.DataFrame, n_segments: int, room: float
) -> None:
    known = SegmentModel(n_segments=n_segments).fit(frame)
    with threadpool_limits(1):
        peer = KMeans(n_segments, n_init=10, random_state=0).fit(known.points(frame))
    assert known.inertia_ <= peer.inertia_ * room


def test_two_hundred_fits_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the fifty k-means of each, a few will do.
    monkeypatch.setattr("gpu_pipeline.segmentation.kmeans.STARTS", 2)
    monkeypatch.setattr("gpu_pipeline.segmentation.kmeans._STARTS_OF_A_HALF", 1)
    monkeypatch.setattr("gpu_pipeline.segmentation.choosing._REFITS", 1)
    frame, kind = planted(each=12)
    found = {
        adjusted_rand_score(kind, segments_of(frame, n_segments=4, seed=seed)["segment"])
        for seed in range(200)
    }
    assert found == {1.0}


def test_of_a_large_shop_the_same_customers_are_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, _ = planted(noise=0.3, each=300)
    whole = SegmentModel(n_segments=4).fit(frame)
    monkeypatch.setattr("gpu_pipeline.segmentation.sampling.SAMPLE_ROWS", 300)
    monkeypatch.setattr("gpu_pipeline.segmentation.kmeans.TRIAL_ROWS", 100)
    known = SegmentModel(n_segments=4).fit(frame)
    assert adjusted_rand_score(whole.predict(frame), known.predict(frame)) > 0.98
    assert 0.15 * whole.inertia_ < known.inertia_ < 0.35 * whole.inertia_
    permuted = frame.sample(frac=1, random_state=1)
    assert SegmentModel(n_segments=4).fit(permuted).document() == known.document()


def test_customers_may_have_names_for_keys() -> None:
    frame, kind = planted()
    named = frame.assign(customer_key="Ünal " + frame["customer_key"].astype("str"))
    found = segments_of(named, n_segments=4)
    assert adjusted_rand_score(kind, found["segment"]) == 1
    assert list(found["customer_key"]) == list(named["customer_key"])


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_model_gives_the_same_labels_and_is_plain_json(tmp_path: Path, method: Any) -> None:
    known = fitted(method)
    known.save(tmp_path / "segments")
    again = SegmentModel.load(tmp_path / "segments")
    frame = scattered()
    assert_frames_equal(again.assign(frame), known.assign(frame), rtol=0)
    assert again.get_params() == {**known.get_params(), "features": tuple(FEATURES)}
    assert again.choice_ == known.choice_
    again.save(str(tmp_path / "again"))
    (first,), (second,) = ([*(tmp_path / name).iterdir()] for name in ("segments", "again"))
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text()) == known.document()


def test_where_no_model_was_saved_none_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"There is no .*model\.json: save a fitted Segment"):
        SegmentModel.load(str(tmp_path))


def test_features_are_a_frame() -> None:
    with pytest.raises(PipelineError, match=r"no frame: give one .* columns days_since"):
        SegmentModel(n_segments=2).fit(np.ones((9, 6)))


def test_a_document_of_another_version_is_refused() -> None:
    document = {**fitted("kmeans").document(), "format": 0}
    with pytest.raises(PipelineError, match="format 0; this version reads 1"):
        SegmentModel.of_document(document)
    with pytest.raises(PipelineError, match="format None"):
        SegmentModel.of_document({"features": ["orders"], "centres": [[1]]})


def test_it_has_the_manners_of_scikit_learn() -> None:
    frame, kind = planted()
    known = SegmentModel(n_segments=4, seed=7, backend=CPU)
    assert repr(known).startswith("SegmentModel(backend=Backend(device='cpu'")
    copy = clone(known).set_params(seed=8)
    assert (copy.seed, copy.n_segments, known.seed) == (8, 4, 7)
    assert not hasattr(clone(known.fit(frame)), "centres_")
    labels = make_pipeline(copy).fit_predict(frame)
    assert labels.dtype == np.int64
    assert adjusted_rand_score(kind, labels) == 1


def test_before_the_fit_there_is_nothing_to_assign_or_save(tmp_path: Path) -> None:
    known = SegmentModel()
    for asked in (known.assign, known.predict, known.points):
        with pytest.raises(NotFitted, match="call fit, or load a saved model"):
            asked(scattered())
    with pytest.raises(NotFitted):
        known.save(tmp_path)
    with pytest.raises(NotFitted):
        known.typical()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "n_segments", "message"),
    [
        (of_days(), 0, "0 customers, 0 of them different, are too few to tell 3 segments"),
        (of_days(1, 2), 0, "2 customers, 2 of them different"),
        (of_days(1, 2, 3), 4, "3 customers, 3 of them different, .* 4 segments"),
        (of_days(*[5] * 50, *[9] * 50), 0, "100 customers, 2 of them different"),
        # Three kinds, of which the cut at the quantiles leaves one.
        (of_days(*[5] * 998, 1, 9), 0, "1000 customers, 1 of them different"),
    ],
)
def test_too_few_different_customers_are_one_clear_error(
    frame: pd.DataFrame, n_segments: int, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        SegmentModel(n_segments=n_segments).fit(frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dbscan"}, "method is 'dbscan': it is one of kmeans, hdbscan"),
        ({"method": "hdbscan", "n_segments": 3}, "hdbscan finds as many as there are: leave it 0"),
        ({"n_segments": -1}, "n_segments is -1"),
        ({"features": "orders"}, "features is 'orders': give a tuple of names"),
        ({"features": ()}, "features are 0"),
        ({"features": ("orders", "shoe_size")}, "shoe_size is not there"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_said(options: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        SegmentModel(**options).fit(scattered())


def test_a_fit_that_fails_leaves_the_model_as_it_was() -> None:
    frame = planted()[0]
    known = SegmentModel().fit(frame)
    before = known.document()
    with pytest.raises(PipelineError):
        known.fit(of_days(1, 1))
    assert known.document() == before


def test_as_many_customers_as_segments_are_enough() -> None:
    assert sorted(segments_of(of_days(1, 50, 300))["segment"]) == [0, 1, 2]
    assert segments_of(of_days(*[1] * 50, *[50] * 50, *[300] * 50))["segment"].nunique() == 3


@settings(deadline=None, max_examples=8)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 40.0, 800.0]),
            st.sampled_from([1, 2, 90]),
            st.sampled_from([-(10**9), -1, 0, 0, 5000, 10**12]),
            st.sampled_from([0.0, 0.0, 0.3]),
            st.sampled_from([np.nan, 1e-6, 30.0]),
            st.sampled_from([0, 1]),
        ),
        min_size=3,
        max_size=40,
    )
)
def test_whatever_customers_are_like_no_number_is_missing(rows: list[tuple[float, ...]]) -> None:
    frame = customers(np.array(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            known = SegmentModel().fit(frame)
        except PipelineError:
            assert len({*map(str, rows)}) < max(CANDIDATES)
            return
        found = known.assign(frame)
    assert not found.isna().any(axis=None)
    assert json.dumps(known.document(), allow_nan=False)
    # Nobody was told of another's segment.
    assert set(found["segment"]) <= set(known.segments_)


def test_it_runs_on_as_many_cores_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = scattered()
    wanted = fitted("kmeans").assign(frame)
    monkeypatch.setattr("gpu_pipeline.backend._ROWS_AT_ONCE", {"cpu": 16})
    for cores in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert_frames_equal(fitted("kmeans").assign(frame), wanted, rtol=0)
