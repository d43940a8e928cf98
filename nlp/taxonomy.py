"""A taxonomy of aspects: what people may judge, and the words that tell."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

from nlp.errors import TaxonomyError

__all__ = ["BUNDLED", "Found", "Taxonomy"]

BUNDLED = Path(__file__).parent / "aspects.yaml"

_WORD = re.compile(r"[a-z0-9]+|[^\W_]+")
_LISTS = ("names", "implies")
_SHORTEST_INFLECTED = 3


class _Entry(NamedTuple):
    """What a phrase stands for: an aspect, or "" for none; and whether it names it outright."""

    aspect: str
    is_name: bool


class Found(NamedTuple):
    """A phrase of the taxonomy in a text: the aspect, and where it stands."""

    aspect: str
    is_name: bool
    start: int
    end: int


class Taxonomy:
    """Aspects with their titles, and a matcher for the phrases that tell of them.

    >>> taxonomy = Taxonomy.load()
    >>> [found.aspect for found in taxonomy.find("great battery life, poor sound")]
    ['battery', 'sound']
    """

    def __init__(
        self, titles: Mapping[str, str], phrases: Mapping[tuple[str, ...], tuple[str, bool]]
    ) -> None:
        self.titles = dict(titles)
        self._entries = {words: _Entry(*entry) for words, entry in phrases.items()}
        self._longest = _longest_by_first_word(self._entries)
        self.name_words = frozenset(
            word for words, entry in self._entries.items() if entry.is_name for word in words
        )

    @property
    def aspects(self) -> tuple[str, ...]:
        """The aspects' keys, in the file's order."""
        return tuple(self.titles)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """The taxonomy in a YAML file, by default the bundled one.

        The file has `aspects`, a mapping from a key to `title`, `names` (phrases that name the
        aspect) and `implies` (phrases that judge it without naming it), and `ignored`, phrases
        that tell of none. Plurals are added by themselves.

        Raises:
            TaxonomyError: the file is missing or no such file; the message lists all its faults.
        """
        file = BUNDLED if path is None else Path(path)
        content = _content(file)
        faults = list(_shape_faults(content))
        if not faults:
            faults = list(_clashes(content))
        if faults:
            message = f"{file} is no taxonomy: {'; '.join(faults)}. Mend it or leave it out."
            raise TaxonomyError(message)
        titles = {key: str(of.get("title", key)) for key, of in content["aspects"].items()}
        phrases: dict[tuple[str, ...], tuple[str, bool]] = {}
        for aspect, is_name, phrase in _phrases(content):
            for words in _inflected(_words(phrase)):
                phrases.setdefault(words, (aspect, is_name))
        # What is written in the file goes before what was derived from something else in it.
        phrases |= {_words(phrase): (key, is_name) for key, is_name, phrase in _phrases(content)}
        return cls(titles, phrases)

    def mentions_any(self, text: str) -> bool:
        """Whether a lower-case text may hold a phrase at all: a quick no for most that don't."""
        return not self._longest.keys().isdisjoint(_WORD.findall(text))

    def find(self, text: str) -> list[Found]:
        """The phrases in a lower-case text from left to right, of several the longest."""
        tokens = list(_WORD.finditer(text))
        words = [token.group() for token in tokens]
        found: list[Found] = []
        end = 0
        for i, word in enumerate(words):
            if i >= end and word in self._longest:
                length, entry = self._match(words, i)
                end = i + length
                if entry and entry.aspect:
                    found.append(Found(*entry, tokens[i].start(), tokens[end - 1].end()))
        return found

    def _match(self, words: list[str], i: int) -> tuple[int, _Entry | None]:
        """How many words from the i-th on belong together, and what they stand for."""
        for length in range(min(self._longest[words[i]], len(words) - i), 0, -1):
            entry = self._entries.get(tuple(words[i : i + length]))
            if entry:
                return length, entry
        return 1, None


def _longest_by_first_word(entries: Mapping[tuple[str, ...], _Entry]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for words in entries:
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return longest


def _content(file: Path) -> Any:  # noqa: ANN401 - whatever a YAML file may hold
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"The taxonomy {file} can't be read: {error}"
        raise TaxonomyError(message) from error


def _shape_faults(content: object) -> Iterator[str]:
    if not isinstance(content, dict) or not isinstance(content.get("aspects"), dict):
        yield "it needs `aspects`, a mapping from a key to title, names and implies"
        return
    if unknown := sorted(map(str, content.keys() - {"aspects", "ignored"})):
        yield f"unknown {', '.join(unknown)} (allowed: aspects, ignored)"
    yield from _list_faults("ignored", content.get("ignored", []))
    for key, of in content["aspects"].items():
        if not isinstance(of, dict) or not of.get("names"):
            yield f"{key} has no names"
            continue
        if unknown := sorted(map(str, of.keys() - {"title", *_LISTS})):
            yield f"{key} has unknown {', '.join(unknown)} (allowed: title, names, implies)"
        for part in _LISTS:
            yield from _list_faults(f"{key}.{part}", of.get(part, []))


def _list_faults(name: str, phrases: object) -> Iterator[str]:
    if not isinstance(phrases, list):
        yield f"{name} is no list"
        return
    wrong = [phrase for phrase in phrases if not isinstance(phrase, str) or not _words(phrase)]
    if wrong:
        yield f"{name} holds {wrong!r}, not words in quotes"


def _clashes(content: Mapping[str, Any]) -> Iterator[str]:
    """Phrases that are listed twice."""
    owners: dict[tuple[str, ...], str] = {}
    for aspect, _, phrase in _phrases(content):
        before = owners.setdefault(_words(phrase), aspect)
        if before != aspect:
            yield f'"{phrase}" stands in {before or "ignored"} and in {aspect or "ignored"}'


def _phrases(content: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    """(aspect, whether it names it, phrase) of the whole file."""
    for phrase in content.get("ignored", []):
        yield "", False, phrase
    for key, of in content["aspects"].items():
        for part in _LISTS:
            for phrase in of.get(part, []):
                yield str(key), part == "names", phrase


def _words(phrase: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(phrase.lower()))


def _inflected(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The phrase, and with its last word in the plural (of verbs: with an -s)."""
    yield words
    last = words[-1]
    if last.endswith("s") or (len(last) < _SHORTEST_INFLECTED and len(words) == 1):
        return
    if last.endswith(("ch", "sh", "x", "z")):
        plural = f"{last}es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        plural = f"{last[:-1]}ies"
    else:
        plural = f"{last}s"
    yield (*words[:-1], plural)
