"""Plain-text preparation shared by training and scoring."""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["normalise", "windows"]

T = TypeVar("T")

_LINK = re.compile(r"https?://\S+|www\.\S+")
# Accents that stand alone belong to the handle, or they would be set on the word in its place.
_HANDLE = re.compile(r"(?<![\w@.])@\w[\w\u0300-\u036f]*")
# Control characters, zero-width and direction marks, halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")
_MOST_ESCAPES = 3


def normalise(text: str) -> str:
    """The text as the model was trained to see it; what has been normalised stays as it is.

    HTML entities are decoded (also where they were escaped twice or three times over), Unicode
    is composed (NFC), links become ``http`` and handles ``@user`` (the TweetEval convention: who
    was mentioned says nothing about the mood), control characters and runs of white space become
    one space.
    """
    for _ in range(_MOST_ESCAPES + 1):
        before, text = text, _cleaned(text)
        if text == before:
            break
    return text


def _cleaned(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = _HANDLE.sub("@user", _LINK.sub("http", text))
    return _SPACES.sub(" ", _UNPRINTABLE.sub(" ", text)).strip()


def windows(tokens: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The tokens in consecutive windows of nearly equal length, none longer than `size`.

    A short text is one window; an empty one is one empty window, so that every text gets a score.
    """
    count = max(1, -(-len(tokens) // size))
    for i in range(count):
        yield tokens[i * len(tokens) // count : (i + 1) * len(tokens) // count]
