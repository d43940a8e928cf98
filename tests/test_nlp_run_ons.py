"""Run-ons: judgements without a mark between them fall apart, one over several things doesn't."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.aspects import Taxonomy, find_aspects
from nlp.clauses import Span
from nlp.run_ons import run_ons

NAMES = re.compile(r"battery life|screen|battery|keyboard|sound|price", re.IGNORECASE)


def pieces(text: str) -> list[str]:
    """The parts as texts."""
    names = [Span(*found.span()) for found in NAMES.finditer(text)]
    return [text[start:end] for start, end in run_ons(text, names)]


@pytest.mark.parametrize(
    "parts",
    [
        "Great screen | awful battery",
        "screen great | battery awful",
        "love the screen | hate the battery",
        "I like the screen | I don't like the battery life",
        "The screen is really great | the battery is bad | sound ok",
        "the sound is good | the battery never lasts a day",
        "awful battery | screen great | keyboard ok",
        "my phone has great screen | bad battery",
        "screen and sound great | battery and keyboard awful",
        "not a great screen | not a good battery",
        "awesome laptop | great screen | terrible keyboard",
        "no idea why but good sound | bad screen for that price",
    ],
)
def test_each_of_several_judged_things_is_a_part(parts: str) -> None:
    assert pieces(parts.replace(" |", "")) == parts.split(" | ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "battery dies fast but screen is great and sound ok",
            ["battery dies fast", "but screen is great", "sound ok"],
        ),
        ("Great screen, awful battery!", ["Great screen", "awful battery!"]),
        ("The screen is great; the sound is ok", ["The screen is great", "the sound is ok"]),
    ],
)
def test_a_link_between_two_judgements_is_no_part_of_them(text: str, parts: list[str]) -> None:
    assert pieces(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "great screen and battery",
        "great screen, keyboard and battery",
        "The screen, the keyboard and the battery are great",
        "battery life great for the price",
        "the keyboard feels like the screen is loose",
        "love the price the screen has",
        "a screen with good battery",
        "screen keyboard battery",
        "great and awful, bad but good",
        "good screen",
        "",
    ],
)
def test_one_judgement_is_not_torn_apart(text: str) -> None:
    assert pieces(text) == [text]


_WORDS = "screen battery great bad the is not I love don't like but and , ; . ( x İ"
_TEXTS = st.lists(st.sampled_from(_WORDS.split()), max_size=30).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(_TEXTS)
def test_the_parts_hold_all_words_but_links_and_each_names_something(text: str) -> None:
    names = [Span(*found.span()) for found in NAMES.finditer(text)]
    found = run_ons(text, names)
    assert all(a.end <= b.start for a, b in pairwise(found))
    between = [text[a.end : b.start] for a, b in pairwise(found)]
    assert all(re.fullmatch(r" ?[,;]? ?(?:and )?", link) for link in between)
    assert (found[0].start, found[-1].end) == (0, len(text))
    assert len(found) == 1 or all(NAMES.search(text[start:end]) for start, end in found)


def test_aspects_of_a_run_on_are_asked_about_in_their_own_parts() -> None:
    found = find_aspects(["Great screen awful battery, cheap. Overpriced"], Taxonomy.load())
    assert [(each.aspect, each.sentence, each.clause) for each in found] == [
        ("screen", "Great screen", "Great screen"),
        ("battery", "awful battery, cheap.", "awful battery, cheap."),
        ("price", "Overpriced", "Overpriced"),
    ]
