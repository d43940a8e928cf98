"""What a sentiment model can be relied on for: behavioural checks, by capability.

After Ribeiro et al. 2020, Beyond Accuracy: Behavioral Testing of NLP Models with CheckList: plain
sentences that any model must get right, changes that must not matter, and changes that may move
the mood one way only. The cases are made from templates.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Behaviour", "Kind", "behaviour"]

Scores = npt.NDArray[np.float32]
NEGATIVE, NEUTRAL, POSITIVE = range(3)
CASES_PER_CAPABILITY = 40
# How far the mood may move the wrong way, as in the paper.
TOLERANCE = 0.1

THINGS = ("phone", "laptop", "headset", "console", "charger", "screen", "keyboard", "tablet")
BRANDS = ("Samsung", "Apple", "Sony", "Lenovo", "Dell", "Nokia", "Asus", "Acer")
GOOD = ("great", "excellent", "fantastic", "wonderful", "amazing", "good")
BAD = ("terrible", "awful", "horrible", "useless", "bad", "disappointing")
MOODS = ((GOOD, POSITIVE), (BAD, NEGATIVE))


class Kind(StrEnum):
    """How a check judges: the label itself, that it stays, or which way the mood moves."""

    MINIMUM = "minimum functionality"
    INVARIANCE = "invariance"
    DIRECTION = "direction"


class Behaviour(NamedTuple):
    """A row of the table: of `cases` checks of a capability, `passed` came out as they must."""

    capability: str
    kind: Kind
    cases: int
    passed: int


class _Case(NamedTuple):
    """A text that must have the label `wanted`; or one that is changed, and what must follow.

    Of a direction, `wanted` is POSITIVE where the mood must not fall, NEGATIVE where it must not
    rise.
    """

    capability: str
    kind: Kind
    text: str
    changed: str
    wanted: int


def behaviour(score: Callable[[list[str]], Scores], seed: int = 0) -> list[Behaviour]:
    """How many cases of each capability `score` passes, in the order of the capabilities.

    `score` gives probabilities of negative, neutral, positive, (texts, 3), as
    `SentimentModel.score` does.

    >>> rows = behaviour(lambda texts: np.full((len(texts), 3), 1 / 3, np.float32))
    >>> all(row.passed == row.cases for row in rows if row.kind is not Kind.MINIMUM)
    True
    """
    cases = list(_cases(np.random.default_rng(seed)))
    texts = list(dict.fromkeys(text for case in cases for text in (case.text, case.changed)))
    scores = dict(zip(texts, score(texts), strict=True))
    made, passed = Counter[tuple[str, Kind]](), Counter[tuple[str, Kind]]()
    for case in cases:
        made[case.capability, case.kind] += 1
        passed[case.capability, case.kind] += _passes(case, scores[case.text], scores[case.changed])
    return [
        Behaviour(name, kind, count, passed[name, kind]) for (name, kind), count in made.items()
    ]


def _passes(case: _Case, before: Scores, after: Scores) -> bool:
    if case.kind is Kind.MINIMUM:
        return bool(after.argmax() == case.wanted)
    if case.kind is Kind.INVARIANCE:
        return bool(after.argmax() == before.argmax())
    rise = (after[POSITIVE] - after[NEGATIVE]) - (before[POSITIVE] - before[NEGATIVE])
    return bool(rise >= -TOLERANCE if case.wanted == POSITIVE else rise <= TOLERANCE)


def _cases(rng: np.random.Generator) -> Iterator[_Case]:
    for capability, make in _MINIMUM.items():
        for text, wanted in _drawn(make, rng):
            yield _Case(capability, Kind.MINIMUM, text, text, wanted)
    for capability, change in _INVARIANCE.items():
        for text, _ in _drawn(_review, rng):
            yield _Case(capability, Kind.INVARIANCE, text, change(text, rng), NEUTRAL)
    for capability, (change, wanted) in _DIRECTION.items():
        for text, _ in _drawn(_review, rng):
            yield _Case(capability, Kind.DIRECTION, text, change(text, rng), wanted)
    for text, mood in _drawn(_plain, rng):
        yield _Case("an intensifier or !", Kind.DIRECTION, text, _stronger(text, rng), mood)


Made = tuple[str, int]


def _drawn(make: Callable[[np.random.Generator], Made], rng: np.random.Generator) -> list[Made]:
    """As many different cases as there are to be, or as there are in a few tries for each."""
    found = dict(make(rng) for _ in range(CASES_PER_CAPABILITY * 4))
    return list(found.items())[:CASES_PER_CAPABILITY]


def _one(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def _mood(rng: np.random.Generator) -> tuple[str, int]:
    words, mood = MOODS[rng.integers(len(MOODS))]
    return _one(rng, words), mood


def _vocabulary(rng: np.random.Generator) -> Made:
    word, mood = _mood(rng)
    patterns = ("The {} is {}.", "This {} is {}.", "My new {} is {}.", "{} is {}")
    return _one(rng, patterns).format(_one(rng, THINGS), word), mood


def _fact(rng: np.random.Generator) -> Made:
    patterns = (
        "The {} arrived on Tuesday.",
        "Does the {} come with a cable?",
        "I ordered a {} and a case.",
        "The {} weighs 200 grams.",
        "Which {} do you sell in black?",
        "The {} is on the second floor.",
    )
    return _one(rng, patterns).format(_one(rng, THINGS)), NEUTRAL


def _negated_praise(rng: np.random.Generator) -> Made:
    patterns = ("The {} is not {}.", "This {} isn't {} at all.", "I don't think the {} is {}.")
    return _one(rng, patterns).format(_one(rng, THINGS), _one(rng, GOOD)), NEGATIVE


def _denied_fault(rng: np.random.Generator) -> Made:
    patterns = (
        "The {} has never let me down, I am happy with it.",
        "No complaints at all, the {} works perfectly.",
        "Nothing wrong with this {}, I would buy it again.",
        "I had no problem with the {}, it is all I wanted.",
    )
    return _one(rng, patterns).format(_one(rng, THINGS)), POSITIVE


def _intense(rng: np.random.Generator) -> Made:
    word, mood = _mood(rng)
    how = _one(rng, ("really", "absolutely", "incredibly", "so"))
    return f"The {_one(rng, THINGS)} is {how} {word}", mood


def _emoji(rng: np.random.Generator) -> Made:
    signs, mood = ((("😍", "🎉😊", "❤️", "👍"), POSITIVE), (("😡", "💔", "👎", "🤬"), NEGATIVE))[
        rng.integers(2)
    ]
    patterns = ("My new {} {}", "The {} {}", "Got the {} today {}", "this {} {}")
    return _one(rng, patterns).format(_one(rng, THINGS), _one(rng, signs)), mood


def _product(rng: np.random.Generator) -> Made:
    good = ("{} works perfectly, would buy again", "Best {} I ever had", "So happy with the {}")
    bad = ("The {} broke after two days", "Sent the {} back, waste of money", "Worst {} ever")
    patterns, mood = ((good, POSITIVE), (bad, NEGATIVE))[rng.integers(2)]
    return f"{_one(rng, patterns).format(_one(rng, THINGS))}.", mood


def _change_of_mind(rng: np.random.Generator) -> Made:
    thing, patterns = _one(rng, THINGS), ("I used to {} this {}, but now I {} it.",)
    verbs, mood = ((("hate", "love"), POSITIVE), (("love", "hate"), NEGATIVE))[rng.integers(2)]
    return _one(rng, patterns).format(verbs[0], thing, verbs[1]), mood


def _review(rng: np.random.Generator) -> Made:
    """A sentence on a brand's product that has a contraction, so that every change has a hold."""
    brand, thing, (word, mood) = _one(rng, BRANDS), _one(rng, THINGS), _mood(rng)
    patterns = (
        "The {} {} is {}, I don't regret saying so.",
        "It's been a month and my {} {} is still {}.",
        "My {} {} is {} and that's all.",
    )
    return _one(rng, patterns).format(brand, thing, word), mood


def _plain(rng: np.random.Generator) -> Made:
    word, mood = _mood(rng)
    return f"The {_one(rng, BRANDS)} {_one(rng, THINGS)} is {word}", mood


def _with_typo(text: str, rng: np.random.Generator) -> str:
    """Two neighbouring letters swapped, inside a word that isn't the one with the mood."""
    words = text.split(" ")
    carries = {*GOOD, *BAD}
    long = [i for i, word in enumerate(words) if len(word) > 3 and word.strip(".,") not in carries]
    place = long[rng.integers(len(long))]
    word = words[place]
    at = int(rng.integers(1, len(word) - 2))
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _other_brand(text: str, rng: np.random.Generator) -> str:
    brand = next(name for name in BRANDS if name in text)
    return text.replace(brand, _one(rng, [name for name in BRANDS if name != brand]))


def _addressed(text: str, rng: np.random.Generator) -> str:
    handle, link = f"@user{rng.integers(1000)}", f"https://example.com/{rng.integers(1000)}"
    return _one(rng, (f"{handle} {text}", f"{text} {link}", f"{handle} {text} {link}"))


def _introduced(text: str, rng: np.random.Generator) -> str:
    return f"{_one(rng, ('For your information:', 'Update:', 'My review:'))} {text}"


def _spelt_out(text: str, _: np.random.Generator) -> str:
    for short, full in (("don't", "do not"), ("It's", "It has"), ("that's", "that is")):
        text = text.replace(short, full)
    return text


def _in_capitals(text: str, _: np.random.Generator) -> str:
    return text.upper()


def _praised(text: str, rng: np.random.Generator) -> str:
    return f"{text} {_one(rng, ('I love it.', 'I am very happy.', 'Best I ever had.'))}"


def _blamed(text: str, rng: np.random.Generator) -> str:
    return f"{text} {_one(rng, ('I hate it.', 'I am very angry.', 'Worst I ever had.'))}"


def _stronger(text: str, rng: np.random.Generator) -> str:
    return _one(rng, (f"{text}!", f"{text}!!!", text.replace(" is ", " is very ")))


Change = Callable[[str, np.random.Generator], str]
_MINIMUM: dict[str, Callable[[np.random.Generator], Made]] = {
    "vocabulary": _vocabulary,
    "facts and questions": _fact,
    "product sentences": _product,
    "negated praise": _negated_praise,
    "denied faults": _denied_fault,
    "intensity": _intense,
    "emoji": _emoji,
    "change of mind": _change_of_mind,
}
_INVARIANCE: dict[str, Change] = {
    "typos": _with_typo,
    "brand swapped": _other_brand,
    "handles and links": _addressed,
    "neutral prefix": _introduced,
    "contractions": _spelt_out,
    "capitals": _in_capitals,
}
_DIRECTION: dict[str, tuple[Change, int]] = {
    "praise added": (_praised, POSITIVE),
    "blame added": (_blamed, NEGATIVE),
}
