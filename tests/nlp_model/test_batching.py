"""Batches are full, waste little, and change no answer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_data
from tiny_kinds import KINDS, kind_folder

from nlp import SentimentModel
from nlp.model import sentiment
from nlp.model.batching import MOST_PADDING, batches, padded
from nlp.model.encoding import Window


def window(length: int) -> Window:
    return Window(0, list(range(1, length + 1)), length)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 60), max_size=80), st.integers(16, 400))
def test_batches_hold_every_window_once_within_the_budget(lengths: list[int], budget: int) -> None:
    ordered = [window(length) for length in sorted(lengths)]
    made = [list(part) for part in batches(ordered, budget)]
    assert [one for part in made for one in part] == ordered
    for part in made:
        area = len(part) * len(part[-1].ids)
        assert area <= budget or len(part) == 1
        tokens = sum(len(one.ids) for one in part)
        before_last = tokens - len(part[-1].ids)
        assert tokens >= (1 - MOST_PADDING) * area or before_last < budget / 8


def test_padding_is_masked_and_a_second_segment_has_its_type() -> None:
    batch = padded([Window(0, [5, 6], 2), Window(1, [5, 6, 7, 8], 2)], 9)
    assert batch.ids.tolist() == [[5, 6, 9, 9], [5, 6, 7, 8]]
    assert batch.mask is not None
    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.types is not None
    assert batch.types.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]
    assert padded([window(3), window(3)], 0)[1:] == (None, None)


def test_at_most_a_tenth_of_real_batches_is_padding(bundled: SentimentModel) -> None:
    tweets = pd.read_parquet(real_data("text/tweeteval_sentiment_val.parquet"))["text"]
    reviews = pd.read_parquet(real_data("text/amazon_earphones_reviews.parquet"))
    longest = max(reviews.select_dtypes("str"), key=lambda c: reviews[c].str.len().mean())
    texts = [*tweets[:1000], *reviews[longest].dropna()[:1000]]
    found = list(bundled._encoder.windows(texts, [None] * len(texts)))
    ordered = sorted(found, key=lambda one: len(one.ids))
    area = sum(len(part) * len(part[-1].ids) for part in batches(ordered, 2048))
    assert 1 - sum(len(one.ids) for one in ordered) / area <= 0.1


def test_blocks_and_threads_change_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SentimentModel.load(kind_folder(tmp_path, KINDS[0]), "cpu", precision="float32")
    words = ["good", "the", "awful", "phone", "okay"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, rng.integers(0, 70))) for _ in range(600)]
    wanted = model.score(texts)
    before = torch.get_num_threads()
    monkeypatch.setattr(sentiment, "_TEXTS_PER_BLOCK", 250)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            np.testing.assert_allclose(model.score(texts), wanted, atol=1e-4)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
