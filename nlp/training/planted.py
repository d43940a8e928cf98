"""Planted sentences: several things judged in one text, and the mood of each, known by design.

Real texts with a mood for each aspect are scarce. What a model has to learn from them is mostly
one skill: to tell which judgement belongs to which noun. A grammar can teach that.
"""

from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt

from nlp.training.planted_clauses import (
    DISLIKINGS,
    LIKINGS,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Judged,
    clause,
)
from nlp.training.planted_words import GENERAL, SUBJECTS, Subject

__all__ = ["planted_pairs"]

MOODS = (NEGATIVE, NEUTRAL, POSITIVE)
MOOD_SHARES = (0.38, 0.24, 0.38)
ASPECT_COUNTS, ASPECT_COUNT_SHARES = (1, 2, 3), (0.15, 0.6, 0.25)

TURNS = (", but ", " but ", ", however ", ". However, ", ", yet ", " though ", ", although ")
TURNS_ANYWAY = (", while ", "; ", ". ", ", ", " - ", ", whereas ", " ... ", ". On the other hand, ")
LINKS = (" and ", ", and ", ", ", "; ", ". ", ". Also, ", " plus ", ". Besides, ")
OPENINGS = (
    "Bought this last month. ", "My sister has one too. ", "Second week with it: ", "In short: ",
    "Had it since May. ", "To sum up, ", "So far ", "I work from home. ", "Update: ",
)  # fmt: skip
CLOSINGS = (
    " I use it every day.", " That is my view.", " Typed on a train.", " Just saying.",
    " Hope this helps.", " More when I know more.", " My son uses it now.",
)  # fmt: skip


def planted_pairs(count: int, seed: int = 0) -> tuple[list[str], list[str], npt.NDArray[np.int64]]:
    """`count` texts, an aspect named in each, and its label: 0 negative, 1 neutral, 2 positive.

    A text with several aspects comes once for each of them, next to each other.

    Example:
        >>> texts, aspects, labels = planted_pairs(3)
        >>> all(aspect in text.lower() for text, aspect in zip(texts, aspects, strict=True))
        True
    """
    rng = Random(seed)  # noqa: S311 - sentences, not secrets
    texts: list[str] = []
    aspects: list[str] = []
    labels: list[int] = []
    while len(texts) < count:
        text, judged = _sentence(rng)
        for each in judged:
            texts.append(text)
            aspects.append(each.noun.lower())
            labels.append(each.mood)
    return texts[:count], aspects[:count], np.asarray(labels[:count], dtype=np.int64)


def _sentence(rng: Random) -> tuple[str, list[Judged]]:
    subjects = rng.sample(SUBJECTS, rng.choices(ASPECT_COUNTS, ASPECT_COUNT_SHARES)[0])
    judged = [_judged(rng, subject) for subject in subjects]
    if len(judged) > 1 and rng.random() < 0.2:
        text, judged = _shared(rng, judged)
    elif len(judged) > 1 and rng.random() < 0.12:
        text, judged = _elliptical(rng, judged)
    else:
        text = clause(rng, judged[0])
        for before, after in pairwise(judged):
            text += _joint(rng, before.mood, after.mood) + clause(rng, after)
    return _dressed(rng, text), judged


def _judged(rng: Random, subject: Subject) -> Judged:
    nouns = (
        [(noun, "thing") for noun in subject.things]
        + [(noun, "mass") for noun in subject.masses]
        + [(noun, "plural") for noun in subject.plurals]
    )
    noun, kind = rng.choice(nouns)
    return Judged(noun, kind, rng.choices(MOODS, MOOD_SHARES)[0], subject.phrases)


def _shared(rng: Random, judged: list[Judged]) -> tuple[str, list[Judged]]:
    """One judgement over all: "the screen, the keyboard and the battery are great"."""
    mood = judged[0].mood
    judged = [Judged(each.noun, each.kind, mood, each.own) for each in judged]
    article = rng.choice(("the ", "the ", ""))
    names = [article + each.noun for each in judged]
    nouns = (
        ", ".join(names[:-1]) + rng.choice((" and ", " and ", " & ", " as well as ")) + names[-1]
    )
    if mood == NEUTRAL:
        said = rng.choice(
            ("are the same as last time", "are average", "are as described", "are okay")
        )
        return rng.choice((f"{nouns} {said}", f"I asked about {nouns}")), judged
    adjective = rng.choice(GENERAL.good if mood == POSITIVE else GENERAL.bad)
    feeling = rng.choice(LIKINGS if mood == POSITIVE else DISLIKINGS)
    return rng.choice((f"{nouns} are {adjective}", f"{feeling} {nouns}")), judged


def _elliptical(rng: Random, judged: list[Judged]) -> tuple[str, list[Judged]]:
    """The second judgement leans on the first: "the screen is great, the keyboard not so much"."""
    first, second = judged[:2]
    praised = Judged(first.noun, first.kind, POSITIVE, first.own)
    blamed = Judged(second.noun, second.kind, NEGATIVE, second.own)
    good, bad = rng.choice(praised.praises), rng.choice(blamed.faults)
    x, y = praised.noun, blamed.noun
    texts = (
        f"the {x} {praised.be} {good}, the {y} not so much",
        f"unlike the {y}, the {x} {praised.be} {good}",
        f"apart from the {y} I have no complaints, least of all about the {x}",
        f"the {x} {praised.be} {good}, can't say the same of the {y}",
        f"if only the {y} {blamed.be} as {good} as the {x}",
        f"great {x}, shame about the {y}",
        f"the only thing I don't like is the {y}, because the {x} {praised.be} {good}",
        f"apart from the {bad} {y}, the {x} {praised.be} {good}",
        f"even the {good} {x} can't make up for the {y}",
        f"I returned it because of the {y}, even though I liked the {x}",
        f"the {x} {praised.be} fine by me but fix the {y} already",
    )
    return rng.choice(texts), [praised, blamed]


def _joint(rng: Random, before: int, after: int) -> str:
    if before == after:
        return rng.choice(LINKS)
    opposed = NEUTRAL not in (before, after)
    return rng.choice(TURNS + TURNS_ANYWAY if opposed else TURNS_ANYWAY + LINKS)


def _dressed(rng: Random, text: str) -> str:
    """The text as somebody would type it: capitals, a frame around it, missing marks."""
    if rng.random() < 0.2:
        text = rng.choice(OPENINGS) + text
    text = ". ".join(part[0].upper() + part[1:] for part in text.split(". "))
    if not text.endswith("?"):
        text += rng.choice((".", ".", ".", "!", "", " ."))
    if rng.random() < 0.15 and text[-1] in ".!?":
        text += rng.choice(CLOSINGS)
    style = rng.random()
    if style < 0.2:
        text = text.lower()
    elif style < 0.28:
        text = text.lower().replace("'", "").rstrip(".")
    elif style < 0.36:
        text = text.replace(",", " ,").replace(". ", " . ")
    return text
