"""Planted sentences: repeatable, varied, and labelled as they are worded."""

from collections import Counter

import numpy as np

from nlp.training.planted import planted_pairs


def test_the_same_seed_plants_the_same_pairs_and_another_seed_others() -> None:
    texts, aspects, labels = planted_pairs(300, seed=3)
    again = planted_pairs(300, seed=3)
    assert (texts, aspects) == again[:2]
    np.testing.assert_array_equal(labels, again[2])
    assert planted_pairs(300, seed=4)[0] != texts


def test_every_aspect_is_written_in_its_text() -> None:
    texts, aspects, labels = planted_pairs(2000)
    assert len(texts) == len(aspects) == len(labels) == 2000
    assert [
        text for text, aspect in zip(texts, aspects, strict=True) if aspect not in text.lower()
    ] == []


def test_six_thousand_pairs_hardly_ever_repeat() -> None:
    texts, aspects, _ = planted_pairs(6000)
    assert len(set(zip(texts, aspects, strict=True))) > 5900


def test_all_three_moods_come_often_and_often_differ_inside_one_text() -> None:
    texts, _, labels = planted_pairs(6000)
    assert np.bincount(labels, minlength=3).min() > 1000
    moods: dict[str, set[int]] = {}
    for text, label in zip(texts, labels.tolist(), strict=True):
        moods.setdefault(text, set()).add(label)
    assert Counter(len(found) for found in moods.values())[1] < 0.65 * len(moods)


def test_predicates_agree_with_plural_nouns() -> None:
    texts, aspects, _ = planted_pairs(6000)
    plural = [
        f"the {aspect} is" for aspect in set(aspects) if aspect in {"speakers", "keys", "fees"}
    ]
    assert plural
    assert not any(wrong in text.lower() for text in texts for wrong in plural)
