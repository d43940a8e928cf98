"""Which aspects a text speaks of, and in what mood of each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nlp.clauses import Span, clauses, sentences
from nlp.run_ons import run_ons
from nlp.taxonomy import Found, Taxonomy
from nlp.text import normalise

if TYPE_CHECKING:
    from nlp.model import SentimentModel

__all__ = ["AspectScores", "Mention", "Taxonomy", "aspect_scores", "find_aspects"]


class Mention(NamedTuple):
    """One aspect in one text: by which words, and the clause and sentence they stand in.

    Judgements side by side with no mark between them count as sentences (see `nlp.run_ons`).
    """

    text: int
    aspect: str
    words: str
    clause: str
    sentence: str


class AspectScores(NamedTuple):
    """One row a text and aspect, in the order of the texts.

    `text` (n,) numbers into the texts; `aspect` (n,) keys of the taxonomy; `words` (n,) what it
    was mentioned by, of several mentions the first; `probabilities` (n, 3) of negative, neutral,
    positive.
    """

    text: npt.NDArray[np.int64]
    aspect: list[str]
    words: list[str]
    probabilities: npt.NDArray[np.float32]


def find_aspects(texts: Sequence[str | None], taxonomy: Taxonomy) -> list[Mention]:
    """All mentions of the taxonomy's aspects, text by text, from left to right.

    A word that only implies an aspect ("overpriced") counts where its clause names none. A
    missing text has no mentions.

    Example:
        >>> found = find_aspects(["Great screen, awful battery."], Taxonomy.load())
        >>> [(mention.aspect, mention.clause) for mention in found]
        [('screen', 'Great screen'), ('battery', 'awful battery.')]
    """
    return [
        mention
        for number, text in enumerate(texts)
        if isinstance(text, str)
        for mention in _mentions(number, normalise(text), taxonomy)
    ]


def aspect_scores(
    model: "SentimentModel", texts: Sequence[str | None], taxonomy: Taxonomy
) -> AspectScores:
    """The mood of every aspect in every text; several mentions of one are averaged.

    A model that knows targets (`model.knows_targets`) is asked about the words of the mention in
    their sentence, any other one scores the clause.
    """
    mentions = find_aspects(texts, taxonomy)
    groups: dict[tuple[int, str], int] = {}
    group = np.array(
        [groups.setdefault((each.text, each.aspect), len(groups)) for each in mentions],
        dtype=np.int64,
    )
    sums = np.zeros((len(groups), 3))
    np.add.at(sums, group, mention_scores(model, mentions))
    _, first = np.unique(group, return_index=True)
    return AspectScores(
        np.array([text for text, _ in groups], dtype=np.int64),
        [aspect for _, aspect in groups],
        [mentions[i].words for i in first],
        (sums / np.bincount(group, minlength=len(groups))[:, None]).astype(np.float32),
    )


def mention_scores(model: "SentimentModel", mentions: Sequence[Mention]) -> npt.NDArray[np.float32]:
    """Probabilities of each mention, float32 of shape (len(mentions), 3)."""
    if model.knows_targets:
        return model.score(
            [mention.sentence for mention in mentions],
            about=[mention.words for mention in mentions],
        )
    return model.score([mention.clause for mention in mentions])


def _mentions(number: int, text: str, taxonomy: Taxonomy) -> Iterator[Mention]:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters grow when they become small: "İ"
        text = lower
    if not taxonomy.mentions_any(lower):
        return
    for sentence in sentences(text):
        found = taxonomy.find(lower[sentence.start : sentence.end])
        if found:
            yield from _in_sentence(number, text[sentence.start : sentence.end], found, taxonomy)


def _in_sentence(
    number: int, sentence: str, found: list[Found], taxonomy: Taxonomy
) -> Iterator[Mention]:
    for part in run_ons(sentence, [Span(each.start, each.end) for each in found if each.is_name]):
        said = sentence[part.start : part.end]
        for clause in clauses(said, taxonomy.name_words):
            here = [each for each in found if clause.start <= each.start - part.start < clause.end]
            names = [each for each in here if each.is_name]
            for each in names or here:
                yield Mention(
                    number,
                    each.aspect,
                    sentence[each.start : each.end],
                    said[clause.start : clause.end],
                    said,
                )
