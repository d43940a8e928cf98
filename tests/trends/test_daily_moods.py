"""Daily counts are those of a slow count by hand, however the texts lie."""

from datetime import datetime, timedelta

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend
from gpu_pipeline.trends import MOOD_COLUMNS, daily_counts

CPU = Backend.choose("cpu")
START = datetime(2026, 1, 1)  # noqa: DTZ001
LABELS = {"negative": (0.75, 0.125), "positive": (0.125, 0.75), "neutral": (0.25, 0.25)}
TEXT = st.tuples(
    st.integers(0, 3),
    st.integers(0, 30 * 24),
    st.sampled_from(["lamp", "rug", None]),
    st.sampled_from(["", "battery"]),
    st.sampled_from([*LABELS, None]),
)
Text = tuple[int, int, str | None, str, str | None]


def slowly(texts: list[Text]) -> dict[tuple[str, str, datetime], list[float]]:
    """Texts, negative, positive, mood, people, negative and positive people of each series' day."""
    found: dict[tuple[str, str, datetime], list[float]] = {}
    last: dict[tuple[int, str, str], int] = {}
    for customer, hour, product, aspect, label in sorted(texts, key=lambda text: text[1]):
        if product is None or label is None:
            continue
        before = last.get((customer, product, aspect))
        is_voice = before is None or hour - before >= 7 * 24
        last[customer, product, aspect] = hour
        counts = found.setdefault((product, aspect, START + timedelta(days=hour // 24)), [0.0] * 7)
        negative, positive = LABELS[label]
        bad, good = label == "negative", label == "positive"
        mood = positive - negative
        for place, value in enumerate(
            (1, bad, good, mood, is_voice, is_voice and bad, is_voice and good)
        ):
            counts[place] += value
    return found


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(TEXT, max_size=40, unique_by=lambda text: text[1]))
def test_daily_counts_are_those_of_a_count_by_hand(texts: list[Text]) -> None:
    moods = [LABELS[label] if label else (None, None) for *_, label in texts]
    columns = {
        "source": "reviews",
        "text_id": [f"r{i}" for i in range(len(texts))],
        "customer_key": pd.Series([text[0] for text in texts], dtype="int64"),
        "created_at": pd.Series(
            [START + timedelta(hours=text[1]) for text in texts], dtype="datetime64[us]"
        ),
        "product_id": pd.Series([text[2] for text in texts], dtype="str"),
        "negative": pd.Series([mood[0] for mood in moods], dtype="float64"),
        "positive": pd.Series([mood[1] for mood in moods], dtype="float64"),
        "label": pd.Series([text[4] for text in texts], dtype="str"),
        "aspect": pd.Series([text[3] for text in texts], dtype="str"),
    }
    frame = pd.DataFrame(columns, index=range(len(texts)))[[*MOOD_COLUMNS, "aspect"]]
    counted = daily_counts(frame, CPU, time_zone="UTC")
    found = {
        (product, aspect, day.to_pydatetime()): counts
        for product, aspect, day, *counts in counted.itertuples(index=False)
    }
    assert found == slowly(texts)
