"""Terms: the words of a text, and two or three in a row, that may name what people talk about."""

import hashlib
import re
from collections.abc import Collection, Iterable
from functools import cache

__all__ = ["digest_of", "name_words", "terms_of"]

_LONGEST = 3
_SHORTEST_WORD = 3
# What stands for a person, or was put in place of an identifier, is no word.
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|[@\[<{][\w.:-]+[\]>}]?|&\w+;|\S*\d\S*")
_RETWEET = re.compile(r"^\s*rt\b[\s:]*", re.IGNORECASE)
_PHRASE_ENDS = re.compile(r"[.!?;:,()\"“”…\n|/]+|\s[-–—]+\s")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def terms_of(text: str, names: Collection[str] = ()) -> set[str]:
    """The terms of one text, each once.

    A term ends with its phrase, and neither begins nor ends with a stop word. Words alone have
    three letters or more; terms of `names` alone (`name_words`) are none.
    """
    found = set[str]()
    for words in _phrases(text):
        for first in range(len(words)):
            for last in range(first + 1, min(first + _LONGEST, len(words)) + 1):
                term = words[first:last]
                if _may_name(term) and not all(word in names for word in term):
                    found.add(" ".join(term))
    return found


def digest_of(text: str) -> int:
    """A number that copies of a text share: another handle, link, number, case or stop is none."""
    words = (word for words in _phrases(_RETWEET.sub("", text)) for word in words)
    plain = " ".join(words).encode()
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big", signed=True)


def name_words(names: Iterable[str]) -> frozenset[str]:
    """The words of products' names, which rise with each launch and say nothing of it."""
    return frozenset(word for name in names for words in _phrases(name) for word in words)


def _phrases(text: str) -> list[list[str]]:
    plain = _NO_WORDS.sub(" | ", text).replace("’", "'").lower()
    return [_WORD.findall(phrase) for phrase in _PHRASE_ENDS.split(plain)]


def _may_name(term: list[str]) -> bool:
    stops = _stop_words()
    if term[0] in stops or term[-1] in stops:
        return False
    return len(term) > 1 or len(term[0]) >= _SHORTEST_WORD


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    contracted = {"don't", "can't", "it's", "i'm", "i've", "doesn't", "didn't", "isn't", "won't"}
    return frozenset(ENGLISH_STOP_WORDS) | contracted | {"just", "really", "got", "rt", "amp"}
