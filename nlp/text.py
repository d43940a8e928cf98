"""Plain-text preparation shared by training and scoring."""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeVar

import emoji

__all__ = ["normalise", "windows"]

T = TypeVar("T")

_LINK = re.compile(r"https?://\S+|www\.\S+")
# Accents that stand alone belong to the handle, or they would be set on the word in its place.
_HANDLE = re.compile(r"(?<![\w@.])@\w[\w\u0300-\u036f]*")
_HASHTAG = re.compile(r"#\w+")
_NEW_WORD = re.compile(r"(?<=[a-z][a-z])(?=[A-Z])|(?<=\w)_+(?=\w)")
# Control characters, zero-width and direction marks, halves of surrogate pairs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")
# What exports of JSON and CSV leave behind: \u2019, \", "".
_UNICODE_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_QUOTES = re.compile(r'(?:\\*")+')
_LENGTHENED = re.compile(r"([^\W\d]|[^\w\s])\1{3,}")
_TYPEWRITER = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2013": "-"}
    | {"\u2014": "-", "\ufe0f": None, "\u00a0": " "}
    | dict.fromkeys("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")  # skin tones
)
_MOST_ESCAPES = 3


def normalise(text: str) -> str:
    """The text as the model was trained to see it; what has been normalised stays as it is.

    HTML entities and the escapes of JSON and CSV are decoded (also where they were escaped twice
    or three times over), Unicode is composed (NFC), typographic quotes and dashes become those of
    a typewriter, links become ``http`` and handles ``@user`` (the TweetEval convention: who was
    mentioned says nothing about the mood). Hashtags are split where a new word begins, emoji are
    spelt by their names in the Unicode CLDR without skin tones, a character that stands more than
    three times in a row stands three times (digits excepted), control characters and runs of
    white space become one space.
    """
    for _ in range(_MOST_ESCAPES + 1):
        before, text = text, _cleaned(text)
        if text == before:
            break
    return text


def _cleaned(text: str) -> str:
    if "\\" in text:
        text = _UNICODE_ESCAPES.sub(_decoded, text)
    text = _QUOTES.sub('"', html.unescape(text))
    text = unicodedata.normalize("NFC", text).translate(_TYPEWRITER)
    text = _HANDLE.sub("@user", _LINK.sub("http", text))
    text = _LENGTHENED.sub(r"\1\1\1", text)
    text = _HASHTAG.sub(lambda tag: _NEW_WORD.sub(" ", tag.group()), text)
    if not text.isascii():
        text = emoji.replace_emoji(text, _spelt)
    return _SPACES.sub(" ", _UNPRINTABLE.sub(" ", text)).strip()


def _decoded(escapes: re.Match[str]) -> str:
    r"""The characters behind \uXXXX escapes, surrogate pairs joined."""
    units = [int(unit, 16) for unit in escapes.group().split("\\u")[1:]]
    raw = b"".join(unit.to_bytes(2, "little") for unit in units)
    return raw.decode("utf-16-le", errors="ignore")


def _spelt(_: str, names: dict[str, str]) -> str:
    """An emoji's English name in the Unicode CLDR, in words."""
    return f" {names['en'].strip(':').replace('_', ' ')} "


def windows(tokens: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The tokens in consecutive windows of nearly equal length, none longer than `size`.

    A short text is one window; an empty one is one empty window, so that every text gets a score.
    """
    count = max(1, -(-len(tokens) // size))
    for i in range(count):
        yield tokens[i * len(tokens) // count : (i + 1) * len(tokens) // count]
