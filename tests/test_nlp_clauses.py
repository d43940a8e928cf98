"""Sentences and clauses: what belongs together, and that no word is lost."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.clauses import clauses, sentences

NAMES = frozenset(("screen", "battery", "keyboard", "sound", "price", "camera", "life"))


def pieces(text: str) -> list[str]:
    """The clauses as texts."""
    return [text[start:end] for start, end in clauses(text, NAMES)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great screen, awful battery.", ["Great screen", "awful battery."]),
        ("great screen and awful battery", ["great screen", "awful battery"]),
        ("The screen, keyboard and battery are great", None),
        ("I love the screen, the keyboard and the battery.", None),
        ("The screen is bright and sharp", None),
        ("Nothing but trouble with the battery", None),
        ("It was fine for a while", None),
        (
            "I love the screen, the keyboard and battery are awful",
            ["I love the screen", "the keyboard and battery are awful"],
        ),
        (
            "For the price, the screen is great but the keyboard sucks; buy it",
            ["For the price, the screen is great", "but the keyboard sucks", "buy it"],
        ),
        ("The screen is nice, however, it dies", ["The screen is nice", "however, it dies"]),
        (
            "Screen great - battery bad (sound so so)",
            ["Screen great", "battery bad", "sound so so"],
        ),
    ],
)
def test_clauses_end_where_another_thing_is_judged(text: str, expected: list[str] | None) -> None:
    assert pieces(text) == (expected or [text])


def test_sentences_end_at_their_marks_but_not_inside_numbers_and_abbreviations() -> None:
    text = "It is 2.5 cm, e.g. this! Really?? Yes, said Mr. Hall. "
    found = [text[start:end] for start, end in sentences(text)]
    assert found == ["It is 2.5 cm, e.g. this!", "Really??", "Yes, said Mr. Hall."]


_PIECES = re.split(" ", "screen battery great bad the and or but is , ; - . ( ) while ...")
_TEXTS = st.lists(
    st.sampled_from(
        re.split(" ", "screen battery great bad the and or but is , ; - . ( ) while ...")
    ),
    max_size=25,
).map(" ".join)


@settings(deadline=None, max_examples=200)
@given(_TEXTS)
def test_no_word_but_conjunctions_is_lost_or_doubled(text: str) -> None:
    found = clauses(text, NAMES)
    assert all(a.end <= b.start for a, b in pairwise(found))
    kept = " ".join(text[start:end] for start, end in found)
    links = {"and", "or", "plus"}
    words = [word for word in re.findall(r"\w+", text) if word not in links]
    assert [word for word in re.findall(r"\w+", kept) if word not in links] == words
