import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_customers import KINDS, planted, scattered
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation import FEATURES, SegmentModel
from gpu_pipeline.segmentation.choosing import CANDIDATES, Candidate, chosen, silhouette, stability
from gpu_pipeline.segmentation.preparation import Preparation

CPU = Backend.choose("cpu")
Floats = npt.NDArray[np.float64]


@pytest.mark.parametrize(
    ("candidates", "before", "taken"),
    [
        # Of silhouettes that are alike the most stable.
        ([(3, 0.400, 0.9), (4, 0.415, 0.8), (5, 0.41, 0.7)], None, 3),
        # One that is worse counts for nothing, however stable.
        ([(3, 0.380, 1.0), (4, 0.415, 0.8), (5, 0.41, 0.7)], None, 4),
        # Of equally stable ones the better silhouette.
        ([(3, 0.40, 0.8), (4, 0.415, 0.8)], None, 4),
        # Last time's number stays,
        ([(3, 0.40, 0.9), (4, 0.36, 0.5)], 4, 4),
        # unless another is clearly better,
        ([(3, 0.42, 0.9), (4, 0.36, 0.5)], 4, 3),
        # or it is none that can be.
        ([(3, 0.40, 0.9), (4, 0.40, 0.5)], 13, 3),
        ([(5, -1.0, 1.0)], None, 5),
    ],
)
def test_the_number_is_chosen_by_both_figures(
    candidates: list[tuple[int, float, float]], before: int | None, taken: int
) -> None:
    assert chosen([Candidate(*one) for one in candidates], before=before) == taken


def test_both_figures_of_every_number_are_kept() -> None:
    frame, _ = planted()
    known = SegmentModel().fit(frame)
    assert [one.n_segments for one in known.choice_] == list(CANDIDATES)
    (taken,) = (one for one in known.choice_ if one.n_segments == len(KINDS))
    assert (known.silhouette_, known.stability_) == taken[1:]
    assert taken.stability > 0.99
    assert taken.silhouette == max(one.silhouette for one in known.choice_)
    wanted = silhouette_samples(known.points(frame), known.predict(frame)).mean()
    assert known.silhouette_ == pytest.approx(wanted)
    assert [one.n_segments for one in SegmentModel(n_segments=5).fit(frame).choice_] == [5]


def test_where_there_are_no_groups_stability_says_so() -> None:
    planted_stability = SegmentModel(n_segments=4).fit(planted(noise=0.4)[0]).stability_
    assert planted_stability > 0.95
    assert SegmentModel(n_segments=9).fit(scattered()).stability_ < 0.75 < planted_stability


def test_one_group_has_no_silhouette() -> None:
    points = np.arange(6.0)[:, None]
    assert silhouette(points, np.zeros(6, np.int64)) == -1
    assert silhouette(points, np.arange(6)) == -1
    assert silhouette(points, np.arange(6) // 3) > 0.3
    outliers = np.append(points, [[1e9]], axis=0), np.append(np.arange(6) // 3, -1)
    assert silhouette(*outliers) == silhouette(points, np.arange(6) // 3)


def test_stability_is_the_mean_agreement_of_fits_on_halves() -> None:
    points = np.arange(41.0)[:, None]
    labels = np.arange(41) % 3
    halves = []

    def refit(half: Floats, number: int) -> npt.NDArray[np.int64]:
        halves.append(half)
        return labels if number % 2 else np.arange(41) % 2

    wanted = (1 + adjusted_rand_score(labels, np.arange(41) % 2)) / 2
    assert stability(points, labels, refit, seed=3) == pytest.approx(wanted)
    assert [len(half) for half in halves] == [21] * 10
    assert len({tuple(half[:, 0]) for half in halves}) == 10
    again = halves.copy()
    halves.clear()
    stability(points, labels, refit, seed=3)
    np.testing.assert_array_equal(halves, again)


def slow_points(values: Floats, preparation: Preparation) -> Floats:
    """One number after the other, as the docstring of `Preparation` says it."""
    points = np.empty(values.shape)
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        if np.isnan(value):
            value = preparation.fill[column]
        cut = min(max(value, preparation.low[column]), preparation.high[column])
        logged = np.log1p(cut - preparation.low[column])
        points[row, column] = (logged - preparation.mean[column]) / preparation.spread[column]
    return points


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(*[st.floats(-1e12, 1e12) | st.just(np.nan) | st.integers(0, 3)] * 2),
        min_size=1,
        max_size=30,
    )
)
def test_points_are_those_of_the_slow_twin_and_undone_they_are_the_values(
    rows: list[tuple[float, float]],
) -> None:
    values = np.array(rows, dtype="float64")
    names = ("mean_days_between_orders", "days_since_last_session")
    learnt = Preparation.learnt(values, names)
    points = learnt.points(values, CPU)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points, slow_points(values, learnt), rtol=1e-12)
    assert Preparation.of_document(learnt.document()).document() == learnt.document()
    if len(rows) > 1 and not np.isnan(values).all(axis=0).any():
        assert (np.abs(points.mean(axis=0)) < 1e-6).all()
    inside = np.clip(np.where(np.isnan(values), learnt.fill, values), learnt.low, learnt.high)
    room = 1e-9 * (1 + learnt.high - learnt.low)
    assert (np.abs(learnt.undone(points) - inside) <= room).all()


def test_what_is_missing_is_the_usual_and_what_never_happened_is_the_longest() -> None:
    values = np.array([[1.0, 10.0], [2.0, 30.0], [9.0, np.nan], [np.nan, np.nan]])
    learnt = Preparation.learnt(values, ("return_rate", "mean_days_between_orders"))
    assert learnt.fill[0] == 2.0
    assert learnt.fill[1] == learnt.high[1] == pytest.approx(29.8)


def test_a_feature_that_most_customers_lack_is_refused_unless_its_lack_says_something() -> None:
    frame = scattered(rows=99)
    nobody = frame.assign(mean_days_between_orders=np.nan)
    assert SegmentModel(n_segments=3).fit(nobody).predict(frame).max() == 2
    known = np.where(np.arange(99) < 50, 0.1, np.nan)
    SegmentModel(n_segments=3).fit(frame.assign(discount_share=known))
    known[:2] = np.nan
    # Whole numbers of which some are missing, as pandas holds them.
    whole_numbers = pd.Series([None] * 60 + [3] * 39, dtype="Int64")
    scarce = frame.assign(discount_share=known, orders=whole_numbers)
    with pytest.raises(
        PipelineError, match=r"lack orders \(61%\), discount_share \(52%\): at most"
    ):
        SegmentModel(n_segments=3).fit(scarce)


def test_values_that_are_no_numbers_or_infinite_are_counted_and_named() -> None:
    frame = scattered(rows=1200)
    wrong = frame.assign(revenue=np.where(np.arange(1200) < 1100, np.inf, 1.0), orders=-np.inf)
    message = r"orders is infinite in 1,200 of 1,200 rows; revenue is infinite in 1,100 of 1,200"
    with pytest.raises(PipelineError, match=message):
        SegmentModel().fit(wrong)
    known = SegmentModel(n_segments=3).fit(frame)
    with pytest.raises(PipelineError, match=message):
        known.predict(wrong)
    texts = frame.drop(columns="revenue").assign(orders="many")
    with pytest.raises(PipelineError, match=r"revenue is not there; orders is no number. Mend"):
        known.assign(texts)


def test_features_of_the_default_are_columns_of_the_contract() -> None:
    assert set(FEATURES) <= set(contract("customer_features").names)
