"""Aspects: what is found, what isn't, whose mood it is, and a taxonomy of one's own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.aspects import Taxonomy, aspect_scores, find_aspects
from nlp.errors import TaxonomyError
from nlp.model import SentimentModel

TAXONOMY = Taxonomy.load()


def aspects(text: str) -> list[str]:
    """The aspects of one text, in order."""
    return [mention.aspect for mention in find_aspects([text], TAXONOMY)]


@pytest.fixture(scope="module")
def model(bundled: SentimentModel) -> SentimentModel:
    return bundled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The battery life is great", ["battery"]),
        ("Both speakers crackle; the hinges wobble", ["sound", "build"]),
        ("They charged me twice", ["price"]),
        ("It takes an hour to charge", ["battery"]),
        ("There is an extra charge", ["price"]),
        ("Sounds good to me", []),
        ("The sound is good", ["sound"]),
        ("I bought it just in case", []),
        ("The case cracked", ["build"]),
        ("Please support my petition", []),
        ("Their support is useless", ["service"]),
        ("It looks like rain", []),
        ("Touch-pad and wi-fi", ["keyboard", "connectivity"]),
        ("#BatteryLife matters", ["battery"]),
        ("It is so slow", ["performance"]),
        ("Delivery was fast", ["delivery"]),
        ("Nothing of the kind", []),
        ("The batterys drainpipe screening", []),
        ("", []),
    ],
)
def test_aspects_are_found_by_the_longest_phrase_between_word_ends(
    text: str, expected: list[str]
) -> None:
    assert aspects(text) == expected


def test_each_mention_has_its_clause_and_missing_texts_have_none() -> None:
    found = find_aspects([None, "Great screen, awful battery. Cheap!"], TAXONOMY)
    assert [(each.text, each.aspect, each.words, each.clause) for each in found] == [
        (1, "screen", "screen", "Great screen"),
        (1, "battery", "battery", "awful battery."),
        (1, "price", "Cheap", "Cheap!"),
    ]


def test_two_aspects_of_one_sentence_have_moods_of_their_own(model: SentimentModel) -> None:
    texts = ["I love the screen but the battery is terrible.", "Nothing here."]
    scores = aspect_scores(model, texts, TAXONOMY)
    assert scores.text.tolist() == [0, 0]
    assert scores.aspect == ["screen", "battery"]
    assert scores.probabilities.argmax(axis=1).tolist() == [2, 0]
    assert scores.probabilities.dtype == np.float32


def test_mentions_of_the_same_aspect_are_averaged(model: SentimentModel) -> None:
    first, second = "The screen is wonderful.", "The display is awful."
    both = aspect_scores(model, [f"{first} {second}"], TAXONOMY)
    apart = aspect_scores(model, [first, second], TAXONOMY)
    assert both.words == ["screen"]
    np.testing.assert_allclose(both.probabilities[0], apart.probabilities.mean(0), atol=0.01)


def test_without_any_mention_the_arrays_are_empty(model: SentimentModel) -> None:
    scores = aspect_scores(model, ["Hello", None], TAXONOMY)
    assert scores.text.shape == (0,)
    assert scores.probabilities.shape == (0, 3)


def test_a_taxonomy_of_ones_own_is_read_with_its_plurals(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    cup = "{title: Cups, names: [cup, mug, tea dish], implies: [leaks]}"
    file.write_text(f"aspects:\n  cup: {cup}\n")
    mine = Taxonomy.load(file)
    assert mine.titles == {"cup": "Cups"}
    found = find_aspects(["two cups, three tea dishes. It leaks! The mug leaks."], mine)
    assert [each.words for each in found] == ["cups", "tea dishes", "leaks", "mug"]


def test_the_faults_of_a_taxonomy_are_all_told(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    with pytest.raises(TaxonomyError, match="can't be read"):
        Taxonomy.load(file)
    file.write_text("a: 1")
    with pytest.raises(TaxonomyError, match="needs `aspects`"):
        Taxonomy.load(file)
    file.write_text("aspects:\n  a: {title: A}\n  b: {names: [1], name: x}\nmore: []\n")
    with pytest.raises(TaxonomyError) as raised:
        Taxonomy.load(file)
    for part in ("a has no names", "unknown name ", "[1]", "unknown more", str(file)):
        assert part in str(raised.value)
    file.write_text("aspects:\n  a: {names: [x y]}\n  b: {names: [X-Y]}\n")
    with pytest.raises(TaxonomyError, match="stands in a and in b"):
        Taxonomy.load(file)


def slowly_found(words: Sequence[str], phrases: dict[tuple[str, ...], str]) -> list[str]:
    """What a reader with a list would find: at each place the longest phrase."""
    found, i = [], 0
    while i < len(words):
        fits = [p for p in phrases if tuple(words[i : i + len(p)]) == p]
        longest = max(fits, key=len, default=None)
        if longest and phrases[longest]:
            found.append(phrases[longest])
        i += len(longest) if longest else 1
    return found


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(tuple),
        st.sampled_from(["x", "y", ""]),
        min_size=1,
    ),
    st.lists(st.sampled_from("abcde"), max_size=12),
)
def test_the_matcher_finds_what_a_slow_reader_finds(
    phrases: dict[tuple[str, ...], str], words: list[str]
) -> None:
    entries = {phrase: (aspect, True) for phrase, aspect in phrases.items()}
    found = Taxonomy({"x": "X", "y": "Y"}, entries).find(" ".join(words))
    assert [each.aspect for each in found] == slowly_found(words, phrases)
