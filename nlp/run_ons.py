"""Judgements side by side, each whole by itself: "great screen awful battery but sound ok".

Who types in a hurry leaves the marks out. Each word of a sentence is given a kind, written as one
letter, and a run-on is looked for as a pattern of letters: things that are each judged, next to
each other. One judgement for several things ("great screen and battery") is none, nor is
anything in which a word of another kind stands between the two.
"""

import re
from collections.abc import Sequence

from nlp.clauses import Span

__all__ = ["run_ons"]

# The letters: N names something, J judges, F tells a feeling and L only does behind an "I" or a
# "don't", A is a degree or a denial, V a verb that a judgement follows and H another one, T a
# determiner, C a word of contrast.
_WORDS = {
    "N": "product laptop notebook computer tablet phone device console watch item thing",
    "J": "good great nice excellent amazing awesome superb fantastic wonderful brilliant perfect "
    "beautiful gorgeous lovely stunning outstanding impressive incredible fabulous marvellous "
    "splendid flawless solid decent fine ok okay alright average mediocre meh better best cool "
    "bad terrible awful horrible poor dreadful lousy pathetic crappy crap useless disappointing "
    "disgusting ugly weak worse worst atrocious abysmal mushy flimsy cheap expensive overpriced "
    "pricey affordable fast quick slow sluggish laggy smooth snappy responsive unresponsive "
    "bright dim dull sharp crisp clear blurry grainy vivid loud quiet tinny muffled noisy sturdy "
    "fragile wobbly loose stiff comfortable uncomfortable reliable unreliable faulty defective "
    "broken cracked dead buggy annoying horrendous rubbish garbage trash helpful unhelpful rude "
    "friendly sucks rocks dies died broke failed cracks well badly poorly perfectly",
    "F": "love loves loved adore adores enjoy enjoyed hate hates hated dislike dislikes disliked "
    "despise detest loathe",
    "L": "like likes liked",
    "A": "very really so too quite pretty super extremely absolutely totally fairly rather just "
    "not never isn't aren't wasn't weren't isnt arent wasnt don't doesn't didn't dont doesnt "
    "didnt still also always",
    "I": "i we they he she",
    "V": "is are was were look looks feel feels sound sounds seem seems work works",
    "H": "has hasn't have haven't had hadn't does doesn't did can can't cannot could couldn't will "
    "won't would wouldn't gets got keeps kept takes took lasts lasted stopped",
    "T": "a an the this that these those my your his her its our their",
    "C": "but while whereas though although yet",
    "&": "and plus &",
    ",": ", ; -",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_NAME, _OTHER_WORD, _OTHER_MARK = "N", "x", "."
_LINK = ",?&?"
# Repeats are bounded: that keeps looking ahead cheap in texts without end.
_NAMES = f"N(?:{_LINK}T?N){{0,3}}"  # "screen and the keyboard"
_JUDGING = "[AT]{0,4}J{1,4}"  # "a really great"
_FEELING = "(?:I?A{0,2}F|IA{0,2}L|A{1,2}L|^L)[AT]{0,4}J{0,4}"  # "I don't like this awful"
_BEFORE = f"{_JUDGING}{_NAMES}"  # "a really great screen"
_AFTER = f"T?{_NAMES}V?{_JUDGING}"  # "the screen is really great", "screen great"
_FELT = f"{_FEELING}{_NAMES}"  # "I don't like this screen"
_HAS = f"T{_NAMES}A{{0,2}}[VH][^.]"  # "the screen has ...": a judgement in words of its own


def _run(statement: str, end: str) -> str:
    """Statements of one form up to their end, of which the first eight are looked at."""
    linked = f"(?:{statement}{_LINK}C?)"
    return f"{linked}{{8}}|{linked}{{1,7}}{end}"


# In "great screen awful battery" both begin with their judgement, and no third judgement follows;
# in "screen great battery awful" both end with it, and no third name follows.
_RUN_ON = re.compile(
    f"({_BEFORE}|{_AFTER}|{_FELT}){_LINK}"
    f"(?=C?(?:{_run(_BEFORE, '(?!J)')}|{_run(_AFTER, '(?!N)')}|{_FELT}|{_HAS}))"
)
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]")


def run_ons(text: str, names: Sequence[Span]) -> list[Span]:
    """The parts of a normalised sentence that could be sentences; mostly there is one.

    `names` are the phrases that name something, in their order. The parts hold all the text but
    commas and "and"s between them.

    Example:
        >>> sentence = "great screen awful battery"
        >>> [sentence[start:end] for start, end in run_ons(sentence, [Span(6, 12), Span(19, 26)])]
        ['great screen', 'awful battery']
    """
    if len(names) < 2:
        return [Span(0, len(text))]
    gaps = _between(names, len(text))
    matches = list(_RUN_ON.finditer(_kinds(text, gaps)))
    places = _places(text, names, gaps) if matches else []
    starts = [0, *(places[match.end()].start for match in matches)]
    ends = [*(places[match.end(1) - 1].end for match in matches), len(text)]
    return list(map(Span, starts, ends))


def _between(names: Sequence[Span], length: int) -> list[Span]:
    """The stretches before, between and behind the names."""
    starts = [0, *(name.end for name in names)]
    return list(map(Span, starts, [*(name.start for name in names), length]))


def _kinds(text: str, gaps: Sequence[Span]) -> str:
    """A letter for each name, word and mark."""
    return _NAME.join("".join(map(_kind, _TOKEN.findall(text, start, end))) for start, end in gaps)


def _kind(word: str) -> str:
    return _KINDS.get(word.lower()) or (_OTHER_WORD if word[0].isalnum() else _OTHER_MARK)


def _places(text: str, names: Sequence[Span], gaps: Sequence[Span]) -> list[Span]:
    """Where each of them stands."""
    others = [Span(*found.span()) for gap in gaps for found in _TOKEN.finditer(text, *gap)]
    return sorted([*names, *others])
