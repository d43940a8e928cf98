from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.segmentation.reasons import NO_OTHER, REASONS, assignment_reasons, known_features
from gpu_pipeline.segmentation.wording import wording

CPU = Backend.choose("cpu")
NAMES = ("days_since_last_order", "orders", "shoe_size")
GRID = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 3.0])


def reasons(
    points: Any, labels: Any, centres: Any, segments: Any = None, known: Any = None
) -> pd.DataFrame:
    centres, points = (np.asarray(values, dtype="float64") for values in (centres, points))
    return assignment_reasons(
        points,
        np.asarray(labels),
        known=np.ones(points.shape, dtype=bool) if known is None else known,
        centres=centres,
        segments=range(len(centres)) if segments is None else segments,
        names=NAMES[: centres.shape[1]],
        backend=CPU,
    )


def nearest(points: Any, centres: Any) -> Any:
    return ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)


def slow_reasons(point: Any, label: int, centres: Any, segments: Any) -> list[Any]:
    """The next segment and the phrases of one customer, feature by feature."""
    others = [i for i, segment in enumerate(segments) if segment != label]
    following = min(others, key=lambda i: sum((point - centres[i]) ** 2))
    speaks = []
    for j, x in enumerate(point):
        own = (x - centres[list(segments).index(label)][j]) ** 2 if label in segments else 0.0
        speaks.append((x - centres[following][j]) ** 2 - own)
    phrases = []
    for j in sorted(range(len(point)), key=lambda j: -speaks[j]):
        words, is_high = wording(NAMES[j]), point[j] > centres[following][j]
        if speaks[j] <= 0:
            phrases.append(None)
        elif is_high and point[j] >= 0.5:
            phrases.append(words.high)
        elif not is_high and point[j] <= -0.5:
            phrases.append(words.low)
        else:
            phrases.append(words.more if is_high else words.less)
    return [segments[following], *(*phrases, None, None)[:3]]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_reasons_are_those_of_a_slow_twin(data: st.DataObject) -> None:
    features, count = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 4))
    row = st.lists(GRID, min_size=features, max_size=features)
    centres = np.array(data.draw(st.lists(row, min_size=count, max_size=count)))
    points = np.array(data.draw(st.lists(row, min_size=1, max_size=6)))
    segments = [7, 0, 3, 5][:count]
    labels = np.array(segments)[nearest(points, centres)]
    labels[0] = data.draw(st.sampled_from([labels[0], -1]))
    found = reasons(points, labels, centres, segments).astype(object)
    wanted = [
        slow_reasons(point, label, centres, segments)
        for point, label in zip(points, labels, strict=True)
    ]
    assert found.where(found.notna(), None).to_numpy().tolist() == wanted


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_flipping_the_first_reason_flips_the_segment_or_the_reason(data: st.DataObject) -> None:
    """Mirrored at the middle between both centres, the feature speaks for the other one."""
    row = st.lists(st.floats(-3, 3), min_size=3, max_size=3)
    centres = np.array(data.draw(st.lists(row, min_size=2, max_size=2)))
    point = np.array([data.draw(row)])
    label = nearest(point, centres)
    first = reasons(point, label, centres)["reason_1"][0]
    assume(isinstance(first, str))
    gaps = centres[label[0]] - centres[1 - label[0]]
    margins = gaps * (2 * point[0] - centres.sum(axis=0))
    place = int(margins.argmax())
    assume(margins[place] > 1e-9)
    flipped = point.copy()
    flipped[0, place] = centres[:, place].sum() - point[0, place]
    again = nearest(flipped, centres)
    assert again[0] != label[0] or reasons(flipped, again, centres)["reason_1"][0] != first


def test_reasons_come_by_how_much_they_speak_and_say_what_stands_out() -> None:
    found = reasons(
        [[-1.0, 2.0, 0.5], [0.8, 0.2, 0.0]], [0, 1], [[-1.0, 2.0, 0.0], [1.0, -1.0, 0.0]]
    )
    assert found["next_segment"].tolist() == [1, 0]
    assert found.loc[0, list(REASONS)].tolist()[:2] == ["orders often", "bought lately"]
    assert found.loc[1, list(REASONS)].tolist()[:2] == [
        "hasn't bought for long",
        "fewer orders",
    ]
    assert found["reason_3"].isna().all()


def test_what_a_customer_lacks_is_said_as_such_or_not_at_all() -> None:
    frame = pd.DataFrame({"mean_days_between_orders": [np.nan, 40.0], "orders": [np.nan, 2.0]})
    known = known_features(frame, list(frame.columns))
    assert known.tolist() == [[False, False], [True, True]]
    found = assignment_reasons(
        np.array([[1.0, -0.5], [1.0, -0.5]]),
        np.array([0, 0]),
        known=known,
        centres=np.array([[1.0, -0.5], [-1.0, 0.5]]),
        segments=[0, 1],
        names=list(frame.columns),
        backend=CPU,
    )
    assert found["reason_1"].tolist() == ["ordered only once", "long waits between orders"]
    assert found["reason_2"].isna().tolist() == [True, False]


def test_who_is_in_no_segment_is_told_what_takes_them_from_the_nearest() -> None:
    found = reasons([[0.0, 9.0, 0.0]], [-1], [[0.0, 1.0, 0.0], [5.0, 1.0, 0.0]])
    assert found["next_segment"].tolist() == [0]
    assert found["reason_1"].tolist() == ["orders often"]
    assert found["reason_2"].isna().all()


def test_with_one_segment_alone_there_is_no_next_one_and_no_reason() -> None:
    found = reasons([[0.0, 9.0, 0.0]], [0], [[0.0, 1.0, 0.0]])
    assert found["next_segment"].tolist() == [NO_OTHER]
    assert found[list(REASONS)].isna().all(axis=None)


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_pieces_give_what_all_at_once_gives(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    points, centres = rng.normal(size=(20, 3)), rng.normal(size=(4, 3))
    whole = reasons(points, nearest(points, centres), centres)
    monkeypatch.setattr("gpu_pipeline.backend._ROWS_AT_ONCE", {"cpu": at_once})
    assert_frames_equal(reasons(points, nearest(points, centres), centres), whole)
    none = reasons(points[:0], nearest(points, centres)[:0], centres)
    assert_frames_equal(none, whole[:0])
