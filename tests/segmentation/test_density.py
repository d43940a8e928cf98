import numpy as np
import pandas as pd
import pytest
from planted_customers import planted, scattered
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation import SegmentModel


def moons(
    *, customers: int = 1200, seed: int = 0
) -> tuple[pd.DataFrame, "np.ndarray[int, np.dtype[np.int64]]"]:
    """Two groups that lie in each other, as no centre can tell, and which each is of."""
    values, kind = make_moons(customers, noise=0.05, random_state=seed)
    frame = pd.DataFrame(np.exp(values), columns=["orders", "revenue"])
    return frame.assign(customer_key=range(customers)), kind


def test_groups_of_odd_shapes_are_found_where_k_means_fails() -> None:
    frame, kind = moons()
    known = SegmentModel(method="hdbscan", features=("orders", "revenue")).fit(frame)
    found = known.predict(frame)
    inside = found >= 0
    assert inside.mean() > 0.97
    assert adjusted_rand_score(kind[inside], found[inside]) == 1
    assert known.stability_ > 0.75
    other = SegmentModel(n_segments=2, features=("orders", "revenue")).fit(frame)
    assert adjusted_rand_score(kind, other.predict(frame)) < 0.7


def test_new_customers_go_where_they_belong() -> None:
    known = SegmentModel(method="hdbscan", features=("orders", "revenue")).fit(moons()[0])
    new, kind = moons(seed=1)
    found = known.predict(new)
    inside = found >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(kind[inside], found[inside]) > 0.99


def test_who_is_like_nobody_is_an_outlier() -> None:
    frame, kind = planted(each=80)
    known = SegmentModel(method="hdbscan").fit(frame)
    assert adjusted_rand_score(kind, known.predict(frame)) > 0.95
    odd = frame.head(1).assign(days_since_last_order=300, orders=40, discount_share=0.25)
    assert list(known.predict(odd)) == [-1]
    assert -1 not in known.segments_


def test_the_labels_are_nearly_those_of_hdbscan_itself() -> None:
    frame = planted(noise=0.5, each=200)[0]
    known = SegmentModel(method="hdbscan").fit(frame)
    points = known.points(frame)
    theirs = HDBSCAN(min_cluster_size=16, copy=True).fit_predict(points)
    ours = known.predict(frame)
    inside = theirs >= 0
    assert adjusted_rand_score(theirs[inside], ours[inside]) > 0.98
    # All members of the groups are within reach of a place that stands for theirs.
    assert (ours[inside] >= 0).all()
    assert (ours >= 0).mean() >= inside.mean()


def test_assignment_is_by_the_nearest_place_within_its_reach() -> None:
    frame = planted(noise=0.5, each=100)[0]
    known = SegmentModel(method="hdbscan").fit(frame)
    anchors = known.anchors_
    assert anchors.reach is not None
    distances = cdist(known.points(frame), anchors.places)
    nearest = distances.argmin(axis=1)
    wanted = np.where(
        distances.min(axis=1) <= anchors.reach[nearest], known.segments_[anchors.rows[nearest]], -1
    )
    found = known.assign(frame)
    np.testing.assert_array_equal(found["segment"], wanted)
    np.testing.assert_allclose(found["distance"], distances.min(axis=1))


def test_a_large_shop_is_fitted_on_some_and_traced_by_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_pipeline.segmentation.density.FITTED_ROWS", 400)
    monkeypatch.setattr("gpu_pipeline.segmentation.density._PLACES", 40)
    frame, kind = planted(each=400)
    known = SegmentModel(method="hdbscan").fit(frame)
    assert len(known.anchors_.places) <= 40
    found = known.predict(frame)
    assert (found >= 0).mean() > 0.9
    assert adjusted_rand_score(kind[found >= 0], found[found >= 0]) > 0.95


@pytest.mark.parametrize("rows", [4, 5, 60])
def test_where_nothing_is_dense_it_is_said(rows: int) -> None:
    with pytest.raises(PipelineError, match=f"no two dense groups in {rows} customers: use method"):
        SegmentModel(method="hdbscan", features=("revenue",)).fit(
            scattered(rows=rows).assign(revenue=np.linspace(0, 1, rows))
        )


def test_a_refit_keeps_the_ids() -> None:
    frame = planted(each=80)[0]
    first = SegmentModel(method="hdbscan").fit(frame)
    second = SegmentModel(method="hdbscan").fit(frame.head(280), previous=first)
    assert (first.predict(frame) == second.predict(frame)).mean() > 0.9
    assert list(second.segments_) == list(first.segments_)
