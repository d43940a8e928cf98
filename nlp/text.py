"""Plain-text preparation shared by training and scoring."""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["normalise", "windows"]

T = TypeVar("T")

_LINK = re.compile(r"https?://\S+|www\.\S+")
_HANDLE = re.compile(r"(?<![\w@.])@\w+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]+")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """The text as the model was trained to see it.

    HTML entities are decoded, Unicode is composed (NFC), links become ``http`` and handles
    ``@user`` (the TweetEval convention: who was mentioned says nothing about the mood),
    control characters and runs of white space become one space.
    """
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
