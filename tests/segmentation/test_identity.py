from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_customers import KINDS, customers, drifted, planted, scattered
from retail_customers import retail_customers

from gpu_pipeline.segmentation import FEATURES, SegmentModel
from gpu_pipeline.segmentation.identity import LastTime, Refit, ids_by_worth

FACTORS = st.floats(0.9, 1.1)


@settings(deadline=None, max_examples=8)
@given(
    st.integers(0, 10**6),
    st.floats(0.3, 0.6),
    st.floats(0, 0.05),
    st.fixed_dictionaries(
        {"days_since_last_order": FACTORS, "revenue": FACTORS, "orders": FACTORS}
    ),
)
def test_who_does_not_move_keeps_the_segment_from_week_to_week(
    seed: int, spread: float, noise: float, factors: dict[str, float]
) -> None:
    frame = planted(each=80, noise=spread, seed=seed)[0]
    before = SegmentModel(n_segments=4).fit(frame)
    for week in range(2):
        frame = drifted(frame, noise=noise, seed=week, **factors)
        after = SegmentModel(n_segments=4, seed=seed % 97).fit(frame, previous=before)
        refit = after.refit_of(before, frame)
        assert refit.agreement >= 0.95
        assert refit.is_good
        assert list(after.segments_) == [0, 1, 2, 3]
        before = after


def test_a_real_shop_keeps_its_segments_from_month_to_month() -> None:
    months = [datetime(2011, month, 1) for month in (8, 9, 10, 11, 12)]  # noqa: DTZ001
    models = [SegmentModel().fit(retail_customers(months[0]))]
    for month in months[1:]:
        again = SegmentModel(n_segments=len(models[0].segments_))
        models.append(again.fit(retail_customers(month), previous=models[-1]))
    for (before, after), month in zip(pairwise(models), months[1:], strict=True):
        refit = after.refit_of(before, retail_customers(month))
        assert refit.agreement >= 0.95
        assert refit.is_good
        assert after.segments_.tolist() == models[0].segments_.tolist()


def test_without_the_last_model_a_refit_would_number_at_will() -> None:
    frame, kind = planted()
    before = SegmentModel(n_segments=4).fit(frame)
    # Of those who came once everyone buys for a fortune now.
    rich = frame.assign(revenue=np.where(kind == 3, 10**8, frame["revenue"]))
    alone = SegmentModel(n_segments=4).fit(rich)
    assert (alone.predict(rich) == before.predict(frame)).mean() < 0.5
    again = SegmentModel(n_segments=4).fit(rich, previous=before)
    same = (again.predict(rich) == before.predict(frame))[kind != 3]
    assert same.all()


def test_the_same_customers_give_the_same_model_again() -> None:
    frame = retail_customers(datetime(2011, 9, 1))  # noqa: DTZ001
    before = SegmentModel(n_segments=5).fit(frame)
    after = SegmentModel(n_segments=5, seed=9).fit(frame, previous=before)
    assert after.refit_of(before, frame).agreement > 0.99
    assert after.next_id_ == 5


def test_a_refit_after_a_disruption_says_so() -> None:
    frame = planted()[0]
    before = SegmentModel().fit(frame)
    other = KINDS[[0, 1, 1]] * np.array([[100, 0.1, 0.01, 1, 9, 0], [1] * 6, [1, 1, 9, 30, 1, 3]])
    rng = np.random.default_rng(5)
    turned = customers(np.repeat(other, 80, axis=0) * rng.lognormal(0, 0.15, (240, len(FEATURES))))
    refit = SegmentModel().fit(turned, previous=before).refit_of(before, turned)
    assert not refit.is_good
    assert "of the customers keep their segment, of at least 95 %" in refit.reasons[0]
    noise = scattered(seed=3)
    lost = SegmentModel(n_segments=9).fit(noise, previous=before).refit_of(before, noise)
    assert len(lost.reasons) >= 2


@pytest.mark.parametrize(
    ("refit", "reasons"),
    [
        (Refit(0.95, 0.6, 0.36, 0.4), []),
        (
            Refit(0.949, 0.9, 0.4, 0.4),
            ["94.9 % of the customers keep their segment, of at least 95 %"],
        ),
        (
            Refit(1.0, 0.59, 0.4, 0.4),
            ["fits on half of the customers agree to 0.59, of at least 0.60"],
        ),
        (
            Refit(1.0, 0.9, 0.34, 0.4),
            ["the silhouette is 0.34, the last model's 0.40: worse by more"],
        ),
        (Refit(0.5, 0.1, 0.1, 0.4), ["50.0 %", "0.10, of at least", "silhouette is 0.10"]),
    ],
)
def test_every_reason_against_a_refit_is_said(refit: Refit, reasons: list[str]) -> None:
    assert len(refit.reasons) == len(reasons)
    assert all(part in said for part, said in zip(reasons, refit.reasons, strict=True))
    assert refit.is_good == (not reasons)


def test_segments_can_be_found_anew_and_keep_the_ids_of_those_that_are_there_again() -> None:
    frame = scattered(rows=300)
    before = SegmentModel(n_segments=6).fit(frame)
    later = drifted(frame, noise=0.5, seed=1)
    followed = SegmentModel(n_segments=6).fit(later, previous=before)
    anew = SegmentModel(n_segments=6).fit(later, previous=before, anew=True)
    alone = SegmentModel(n_segments=6).fit(later)
    assert anew.inertia_ == alone.inertia_ < followed.inertia_
    assert set(anew.segments_) & set(before.segments_)


def test_new_segments_get_ids_that_nobody_had_and_old_ones_never_come_back() -> None:
    frame, kind = planted()
    first = SegmentModel(n_segments=4).fit(frame)
    three = frame[kind != 3]
    second = SegmentModel(n_segments=3).fit(three, previous=first)
    gone = set(first.segments_) - set(second.segments_)
    assert list(gone) == [3]
    assert (second.predict(three) == first.predict(three)).all()
    third = SegmentModel(n_segments=4).fit(frame, previous=second)
    assert third.segments_.tolist() == [0, 1, 2, 4]
    assert third.next_id_ == 5
    again = SegmentModel.of_document(third.document())
    fourth = SegmentModel(n_segments=5).fit(frame, previous=again)
    assert fourth.segments_.max() == fourth.next_id_ - 1 == 5


def test_last_times_number_of_segments_stays_unless_another_is_clearly_better() -> None:
    frame = scattered(rows=150)
    before = SegmentModel(n_segments=11).fit(frame)
    free = len(SegmentModel().fit(frame).segments_)
    assert free != 11
    assert len(SegmentModel().fit(frame, previous=before).segments_) == 11
    clear = planted()[0]
    assert len(SegmentModel().fit(clear, previous=before).segments_) == 4


def test_a_model_of_other_features_or_another_method_is_followed_by_its_customers() -> None:
    frame = planted(each=80)[0]
    before = SegmentModel(n_segments=4, features=("orders", "revenue", "discount_share")).fit(frame)
    for after in (SegmentModel(n_segments=4), SegmentModel(method="hdbscan")):
        after.fit(frame, previous=before)
        assert (after.predict(frame) == before.predict(frame)).mean() > 0.95


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_ids_are_one_to_one_and_fresh_ones_are_fresh(new: int, old: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids, centres = rng.permutation(20)[:old], rng.normal(size=(new, 2))
    labels, before = rng.integers(0, new, 30), rng.integers(0, old, 30)
    last = LastTime(rng.normal(size=(old, 2)), ids[before], ids, 20)
    found, next_id = last.kept_ids(centres, labels)
    assert len(set(found.tolist())) == new
    fresh = sorted(set(found.tolist()) - set(ids.tolist()))
    assert fresh == list(range(20, next_id))
    # What lies where it lay, with the same customers, keeps its id, however it is numbered.
    order = rng.permutation(old)
    same, _ = last.kept_ids(last.places[order], np.argsort(order)[before])
    kept = np.isin(np.arange(old), before)[order]
    assert same[kept].tolist() == ids[order][kept].tolist()


def test_segments_are_carried_to_where_their_customers_are() -> None:
    points = np.array([[0.0, 1.0], [2.0, 1.0], [9.0, 9.0]])
    last = LastTime(points[:2], np.array([4, 4, 2]), np.array([2, 4]), 7)
    np.testing.assert_array_equal(last.centres(points), [[9.0, 9.0], [1.0, 1.0]])
    left = LastTime(points[:2], np.array([4, 4, -1]), np.array([2, 4]), 7)
    assert left.centres(points) is None
    members = LastTime.of_members(points, left.segments, left.ids, 7)
    assert members.places.tolist() == [[1.0, 1.0]]
    assert members.ids.tolist() == [4]
    found, next_id = left.kept_ids(points, np.array([0, 1, 2]))
    assert (found.tolist(), next_id) == ([7, 4, 8], 9)


@pytest.mark.parametrize(("common", "kept"), [(2, [5, 6]), (1, [6, 7])])
def test_a_match_with_less_than_a_fourth_in_common_is_none(common: int, kept: list[int]) -> None:
    # Eight customers are of the old segment, the new one, or both.
    before, labels = np.array([5] * 4 + [-1] * 4), np.array([1] * (4 - common) + [0] * (4 + common))
    last = LastTime(np.zeros((1, 1)), before, np.array([5]), 6)
    found, _ = last.kept_ids(np.array([[0.0], [9.0]]), labels)
    assert found.tolist() == kept


def test_ids_by_worth_count_from_the_greatest_and_leave_outliers_out() -> None:
    labels, worth = np.array([0, 1, 1, -1, 2]), np.array([5.0, 4.0, 4.0, 99.0, -1.0])
    assert ids_by_worth(labels, worth, 4).tolist() == [1, 0, 3, 2]
