"""Reading texts: what one says and how sure that is, or why it can't be told."""

import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Self

from nlp.aspects import aspect_scores
from nlp.irony import is_marked_ironic
from nlp.language import UNDETERMINED, language
from nlp.model import LABELS, Device, SentimentModel, version_of
from nlp.taxonomy import Taxonomy
from nlp.text import normalise

__all__ = [
    "EVERY_LANGUAGE",
    "AspectReading",
    "Reader",
    "Reading",
    "Unscored",
    "reader_version",
]

Unscored = Literal["language", "empty"]

EVERY_LANGUAGE = "*"
# Models whose kind says that they were made for many languages, as long as nobody says otherwise.
_MULTILINGUAL_KINDS = ("xlm", "xlm-roberta", "xlm-roberta-xl")
# To be raised whenever the same weights would answer otherwise: another way to normalise, to
# find the language or what is asked about an aspect, to weigh the windows of a long text, or to
# decide what is certain. Scores of before then count as another model's.
RULES = 3
# Links and handles: who was told where says nothing.
_POINTERS = re.compile(r"https?://\S+|www\.\S+|(?<![\w@.])@\w+")


class Reading(NamedTuple):
    """What one text says: probabilities and the likeliest label, or why there are none.

    `certain` says whether the label can be relied on: the model is sure enough of it, and the text
    doesn't mark itself as sarcastic. `language` is an ISO 639-1 code or "und" (see
    `nlp.language`). `unscored` is "language" where the model doesn't know the text's, "empty"
    where there is nothing to read; probabilities and label are then None, and nothing is certain.
    """

    negative: float | None
    neutral: float | None
    positive: float | None
    label: str | None
    certain: bool
    language: str
    unscored: Unscored | None


class AspectReading(NamedTuple):
    """What a text says of one aspect: `text` is the text's number, `mention` the aspect's words."""

    text: int
    aspect: str
    mention: str
    negative: float
    neutral: float
    positive: float
    label: str
    certain: bool


class Reader:
    """Reads texts with a model: the one way, wherever a text is scored.

    >>> (reading,) = Reader.load().read(["La pantalla es muy buena"])
    >>> reading.label, reading.language, reading.unscored
    (None, 'es', 'language')
    """

    def __init__(self, model: SentimentModel, *, languages: Iterable[str] | None = None) -> None:
        """`languages` are those that the model knows, by default what it says of itself."""
        self.model = model
        self.languages = known_languages(model) if languages is None else frozenset(languages)
        self.version = _versioned(model.version)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, device: Device = "auto") -> Self:
        """A reader with the model in the folder, by default the bundled one.

        Raises:
            ModelError: the model can't be used.
        """
        return cls(SentimentModel.load(path, device))

    def read(self, texts: Sequence[str | None]) -> list[Reading]:
        """What each of the texts says; None is read as an empty one."""
        found = [self._unscored(text or "") for text in texts]
        read = [i for i, (_, why) in enumerate(found) if why is None]
        wanted = [texts[i] or "" for i in read]
        scores = self.model.score(wanted)
        certain = self.model.certain(scores)
        readings = [
            Reading(None, None, None, None, certain=False, language=code, unscored=why)
            for code, why in found
        ]
        labels = scores.argmax(axis=1)
        for i, place in enumerate(read):
            negative, neutral, positive = scores[i].tolist()
            readings[place] = Reading(
                negative=negative,
                neutral=neutral,
                positive=positive,
                label=LABELS[labels[i]],
                certain=bool(certain[i]) and not is_marked_ironic(wanted[i]),
                language=found[place][0],
                unscored=None,
            )
        return readings

    def aspects(
        self, texts: Sequence[str | None], readings: Sequence[Reading]
    ) -> list[AspectReading]:
        """What the texts say of each aspect that they speak of, in the order of the texts.

        `readings` are those of the same texts: one that could not be scored speaks of nothing.
        """
        wanted = [
            text if reading.unscored is None else None
            for text, reading in zip(texts, readings, strict=True)
        ]
        found = aspect_scores(self.model, wanted, self._taxonomy)
        certain = self.model.certain(found.probabilities)
        labels = found.probabilities.argmax(axis=1)
        return [
            AspectReading(
                text=text,
                aspect=found.aspect[i],
                mention=found.words[i],
                negative=float(found.probabilities[i, 0]),
                neutral=float(found.probabilities[i, 1]),
                positive=float(found.probabilities[i, 2]),
                label=LABELS[labels[i]],
                certain=bool(certain[i]) and not is_marked_ironic(texts[text] or ""),
            )
            for i, text in enumerate(found.text.tolist())
        ]

    @cached_property
    def _taxonomy(self) -> Taxonomy:
        return Taxonomy.load()

    def _unscored(self, text: str) -> tuple[str, Unscored | None]:
        """(the text's language, why it can't be scored)."""
        if _says_nothing(text):
            return UNDETERMINED, "empty"
        code = language(text)
        is_known = code in self.languages or EVERY_LANGUAGE in self.languages
        # What can't be told is too short to be another language's for sure: mostly "lol", "iPhone".
        return code, None if is_known or code == UNDETERMINED else "language"


def known_languages(model: SentimentModel) -> frozenset[str]:
    """The languages that a model knows: its card says so, or its config, or its kind.

    Without a word of it a model is taken for English, one of a multilingual kind (XLM-R) for one
    of every language ("*").
    """
    config = model.module.config
    said = model.card.get("languages") or getattr(config, "languages", None)
    if said is not None:
        return frozenset([said] if isinstance(said, str) else said)
    return frozenset([EVERY_LANGUAGE if config.model_type in _MULTILINGUAL_KINDS else "en"])


def reader_version(path: str | os.PathLike[str] | None = None) -> str:
    """The `version` of a reader with the model in the folder, without loading it.

    Raises:
        ModelError: there are no weights.
    """
    return _versioned(version_of(None if path is None else Path(path)))


def _says_nothing(text: str) -> bool:
    rest = _POINTERS.sub("", text)
    return not any(map(str.isalnum, rest)) and not normalise(rest)


def _versioned(weights: str) -> str:
    return f"{weights}.{RULES}"
