"""Sentences and clauses: which stretch of a text says what about which thing.

Rules on the surface of the text, no parser. A clause ends where a sentence does, at semicolons,
dashes and words of contrast, and at a comma or an "and" between two parts that each name
something and say something about it. Parts that only name ("the screen, the keyboard and ...")
stay with the part that judges them.
"""

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

__all__ = ["Span", "clauses", "sentences"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


class Span(NamedTuple):
    """Where a stretch of text starts and ends."""

    start: int
    end: int


# The patterns begin with few different characters: that is what lets `re` skip all others.
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|mr|mrs|dr|no|vs|etc|approx)\.$", re.IGNORECASE)
_CONTRAST = (
    r"(?<!nothing )(?<!anything )(?<! all )but|however|although|(?<! as )though|whereas|except|"
    r"despite|unlike|nevertheless|(?<! not )(?<! as )yet(?! another)|(?<! a )while"
)
# Always between clauses; a word of contrast belongs to what follows it.
_STRONG = re.compile(
    rf" ?;+ ?|,? -+ | ?\.\.+ ?| ?[()] ?|[ ,]+(?=(?:and )?(?:{_CONTRAST})\b)", re.IGNORECASE
)
# Between clauses if what stands on both sides is one.
_WEAK = re.compile(r" ?, ?(?:(?:and|plus|or) )?| (?:and|plus|&) ", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# Words that judge nothing: a part of these and of names only names.
_EMPTY_WORDS = _set(
    "a an the this that these those my your his her its our their it's i it of for with on in at "
    "to from by about and or plus also too both all new old own even only"
)
_DETERMINERS = _set("the this that these those my your his her its our their")
_VERBS = _set(
    "is isn't are aren't was wasn't were weren't has hasn't have haven't had hadn't does doesn't "
    "do don't did didn't can can't could couldn't will won't would wouldn't works feels looks "
    "sounds seems gets got lasts takes took came keeps stopped broke never always just"
)


def sentences(text: str) -> list[Span]:
    """The sentences of a normalised text, without the white space around them."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    ends = [end for end in ends if not _ABBREVIATION.search(text, max(0, end - 8), end)]
    return list(_trimmed(text, [0, *ends, len(text)]))


def clauses(text: str, names: Container[str] = frozenset()) -> list[Span]:
    """The clauses of a normalised sentence, in order: all its words but the "and"s between clauses.

    `names` are the lower-case words that merely name things: what is no name and no little word
    is taken as a judgement.

    Example:
        >>> sentence = "Great screen, awful battery."
        >>> [sentence[start:end] for start, end in clauses(sentence, {"screen", "battery"})]
        ['Great screen', 'awful battery.']
    """
    found: list[Span] = []
    for strong in _between(text, _STRONG, Span(0, len(text))):
        found += _joined(text, list(_between(text, _WEAK, strong)), names)
    return found


def _trimmed(text: str, cuts: list[int]) -> Iterator[Span]:
    for i in range(len(cuts) - 1):
        piece = text[cuts[i] : cuts[i + 1]]
        if stripped := piece.strip():
            start = cuts[i] + piece.index(stripped)
            yield Span(start, start + len(stripped))


def _between(text: str, separator: re.Pattern[str], within: Span) -> Iterator[Span]:
    """The stretches between separators, none of them without a word."""
    start = within.start
    for match in separator.finditer(text, within.start, within.end):
        if _WORD.search(text, start, match.start()):
            yield Span(start, match.start())
            start = match.end()
    if _WORD.search(text, start, within.end):
        yield Span(start, within.end)


def _joined(text: str, parts: list[Span], names: Container[str]) -> list[Span]:
    """The parts, those that are no clause of their own put to the neighbour they belong to."""
    if len(parts) < 2:
        return parts
    done: list[Span] = []
    waiting: Span | None = None  # what began, and has no judgement of its own yet
    for part in parts:
        words = _WORD.findall(text[part.start : part.end].lower())
        named = any(word in names for word in words)
        judges = any(word not in names and word not in _EMPTY_WORDS for word in words)
        if named and judges and waiting and done and not _starts_with_subject(words, names):
            done[-1] = Span(done[-1].start, waiting.end)
            done.append(part)
            waiting = None
        elif named and judges:
            done.append(Span(waiting.start if waiting else part.start, part.end))
            waiting = None
        elif named or not done or waiting:
            waiting = Span(waiting.start if waiting else part.start, part.end)
        else:
            done[-1] = Span(done[-1].start, part.end)
    if waiting:
        done.append(waiting) if not done else done.append(Span(done.pop().start, waiting.end))
    return done


def _starts_with_subject(words: list[str], names: Container[str]) -> bool:
    """Whether the part begins with a name and a verb: "the keyboard is ..."."""
    rest = words[1:] if words[0] in _DETERMINERS else words
    length = next((i for i, word in enumerate(rest) if word not in names), len(rest))
    return 0 < length < len(rest) and rest[length] in _VERBS
