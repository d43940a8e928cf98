"""The clauses of planted sentences: one noun, judged in one of many ways."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from nlp.training.planted_words import GENERAL, Phrases

__all__ = ["DISLIKINGS", "LIKINGS", "NEGATIVE", "NEUTRAL", "POSITIVE", "Judged", "clause"]

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2

INTENSIFIERS = ("", "", "", "", "very ", "really ", "so ", "quite ", "absolutely ", "pretty ")


@dataclass(frozen=True)
class Judged:
    """One noun, how it is used, and what is felt about it."""

    noun: str
    kind: str  # "thing", "mass" or "plural"
    mood: int
    own: Phrases

    @property
    def praises(self) -> tuple[str, ...]:
        """Adjectives that fit it, good ones: its own twice as often as general ones."""
        return self.own.good * 2 + GENERAL.good

    @property
    def faults(self) -> tuple[str, ...]:
        """Adjectives that fit it, bad ones."""
        return self.own.bad * 2 + GENERAL.bad

    @property
    def adjectives(self) -> tuple[str, ...]:
        """The adjectives of its mood; never asked of a neutral one."""
        return self.praises if self.mood == POSITIVE else self.faults

    @property
    def be(self) -> str:
        """The form of "to be" that agrees with it."""
        return "are" if self.kind == "plural" else "is"

    @property
    def pronoun(self) -> str:
        """What stands for it: "it" or "they"."""
        return "they" if self.kind == "plural" else "it"


def clause(rng: Random, judged: Judged) -> str:
    """The judgement in words, without a capital and without a full stop."""
    return rng.choice(_CLAUSES[judged.mood])(rng, judged)


def _named(rng: Random, judged: Judged) -> str:
    return rng.choice(("the ", "the ", "the ", "its ", "my ", "")) + judged.noun


def _stated(rng: Random, judged: Judged) -> str:
    """The noun is so and so: a plain judgement."""
    adjective = rng.choice(judged.adjectives)
    degree = "" if " " in adjective else rng.choice(INTENSIFIERS)
    verb = rng.choice((judged.be, judged.be, "was" if judged.be == "is" else "were"))
    return f"{_named(rng, judged)} {verb} {degree}{adjective}"


def _short(rng: Random, judged: Judged) -> str:
    """An adjective before its noun: "great screen"."""
    adjective = rng.choice([word for word in judged.adjectives if " " not in word])
    lead = rng.choice(
        ("", "", "", "it has ", "comes with ", "it is let down by " * (not judged.mood))
    )
    article = ""
    if lead and judged.kind == "thing":
        article = "an " if adjective[0] in "aeiou" else "a "
    return f"{lead}{article}{adjective} {judged.noun}"


def _denied(rng: Random, judged: Judged) -> str:
    """A judgement by negation: what is not bad is good, and the other way round."""
    good, bad = rng.choice(GENERAL.good[:8]), rng.choice(GENERAL.bad[:4])
    noun, be = judged.noun, judged.be
    if judged.mood == POSITIVE:
        texts = [
            f"the {noun} {be}n't {bad} at all", f"nothing wrong with the {noun}",
            f"no complaints about the {noun}", f"the {noun} {be} never a problem",
            f"can't fault the {noun}", f"I have yet to see a better {noun}",
            f"I couldn't be happier with the {noun}", f"no issues with the {noun}",
            f"the {noun} {be} not {bad}, quite the opposite",
        ]  # fmt: skip
    else:
        texts = [
            f"the {noun} {be}n't {good}", f"the {noun} {be} not {good} at all",
            f"the {noun} {be} nowhere near {good}", f"I would not call the {noun} {good}",
            f"don't expect {good} {noun}", f"the {noun} never {be} {good}",
            f"the {noun} {be} anything but {good}", f"no {good} {noun} here",
        ]  # fmt: skip
        if judged.kind == "thing":
            texts += [f"not a {good} {noun}", f"it isn't a very {good} {noun}"]
    return rng.choice(texts)


LIKINGS = (
    "I love", "I really like", "I am very happy with", "thumbs up for", "I enjoy",
    "I am impressed by",
    "what I like most is", "kudos for", "I can't praise enough", "hats off to", "so pleased with",
)  # fmt: skip
DISLIKINGS = (
    "I hate", "I don't like", "I am unhappy with", "I can't stand", "thumbs down for",
    "I am tired of",
    "what bothers me is", "I had to complain about", "I am fed up with", "disappointed by",
    "stay away because of", "I wish they would fix", "I am having problems with",
)  # fmt: skip
_MENTIONS = (
    "the box has a note on the {}", "I looked up the {} online", "I asked about the {}",
    "there is a page on the {}", "it comes with a leaflet about the {}", "he told me about the {}",
    "I have not tried the {} yet", "I was looking at the {}", "the shop showed me the {}",
    "you can choose the {}", "my brother uses the {} for work", "I will test the {} next week",
    "they list the {} first", "I compared the {} with that of my old one",
    "it says {} on the label",
    "I can't say anything about the {}", "does anybody know about the {}?",
)  # fmt: skip


def _felt(rng: Random, judged: Judged) -> str:
    feelings = LIKINGS if judged.mood == POSITIVE else DISLIKINGS
    return f"{rng.choice(feelings)} the {judged.noun}"


def _does(rng: Random, judged: Judged) -> str:
    """A predicate: "the charger gives up before lunch"."""
    said = judged.own.praise * 4 + GENERAL.praise
    if judged.mood == NEGATIVE:
        said = judged.own.blame * 4 + GENERAL.blame
    elif judged.mood == NEUTRAL:
        said = judged.own.facts * 4 + GENERAL.facts
    return f"{_named(rng, judged)} {_agreed(rng.choice(said), judged.kind)}"


def _mentioned(rng: Random, judged: Judged) -> str:
    return rng.choice(_MENTIONS).format(judged.noun)


def _wished(rng: Random, judged: Judged) -> str:
    """A wish for better: a complaint without a bad word."""
    good, noun, they = rng.choice(judged.own.good), judged.noun, judged.pronoun
    return rng.choice(
        (
            f"I wish the {noun} were {good}", f"the {noun} could be better",
            f"the {noun} should be {good}, {they} {judged.be} not",
            f"I expected more from the {noun}", f"the {noun} used to be {good}",
            f"would be nice if the {noun} worked", f"the {noun} stopped working",
            f"so much for a {good} {noun}", f"I had to replace the {noun} twice",
        )
    )  # fmt: skip


_CLAUSES: dict[int, tuple[Callable[[Random, Judged], str], ...]] = {
    NEGATIVE: (_stated, _stated, _stated, _short, _denied, _felt, _does, _does, _wished),
    NEUTRAL: (_does, _does, _mentioned),
    POSITIVE: (_stated, _stated, _stated, _short, _denied, _felt, _does, _does),
}


_IRREGULAR = {
    "is": "are", "was": "were", "has": "have", "does": "do", "goes": "go", "flies": "fly",
    "never": "never", "just": "just", "barely": "barely",
}  # fmt: skip


def _agreed(predicate: str, kind: str) -> str:
    """The predicate in the plural where its noun is one."""
    if kind != "plural":
        return predicate
    verb, _, rest = predicate.partition(" ")
    ending = "es" if verb.endswith(("ches", "shes", "sses")) else "s"
    return f"{_IRREGULAR.get(verb, verb.removesuffix(ending))} {rest}".strip()
