"""Which language a short text is in: its script, a few common words, then byte n-grams."""

import re
import unicodedata
from collections.abc import Iterable
from copy import copy
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

__all__ = ["UNCODED", "UNDETERMINED", "language", "languages"]

UNDETERMINED = "und"
UNCODED = "mis"

# What is said about a text, not in it: links, handles, hashtags, entities, anything with a digit.
_NO_WORDS = re.compile(
    r"https?://\S+|www\.\S+|(?<!\w)[@#]\w+|&#?\w+;|[a-zA-Z]*\d[a-zA-Z\d]*|\bRT\b"
)
_WORD = re.compile(r"[a-z']+")
_NOT_ASCII_LETTERS = re.compile(r"[^\W\d_a-zA-Z]")
# English words that no other language here writes alike; two of them settle the question.
_ENGLISH = (
    "about after again and any anything are because been before but can't could didn't doesn't "
    "don't down every everything for from get getting going good great have he's his how i'm it's "
    "just know like love many more much my need never not now only other our out please really "
    "should than thank thanks that that's the their them then there they think this thought too "
    "very want was we were what when where which while who why will with won't work works would "
    "you you're your"
)
# A hit counts for this many words: one in eight is usual in the tersest English.
_WORDS_PER_HIT = 8
# Languages whose letters nobody else uses, by the first word of the letters' Unicode names.
_BY_SCRIPT = {
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CJK": "zh",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
# Scripts that several languages share: the usual one where n-grams don't tell them apart.
_SHARED = {
    "LATIN": (
        UNDETERMINED,
        "ca cs da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl sv tl tr vi",
    ),
    "CYRILLIC": ("ru", "be bg kk mk mn ru sr uk"),
    "ARABIC": ("ar", "ar fa ps ur"),
    "DEVANAGARI": ("hi", "hi mr ne"),
}
# Of Latin texts: how likely their languages must be. Two together, since neighbours (Danish and
# Norwegian, Spanish and Catalan) divide between them what is certain to be neither English.
_SURE = 0.7
# One or two words ("Two Stars", a name) have the letters of any language.
_SURE_OF_FEW = 0.85
_FEW_WORDS = 2
_ENGLISH_ENOUGH = 0.5
# Enough to tell; the n-grams cost by the character.
_CHARACTERS_READ = 300


def languages(texts: Iterable[str]) -> list[str]:
    """The `language` of each text."""
    return [language(text) for text in texts]


def language(text: str) -> str:
    """The language of a text as ISO 639-1 code; "und" where it can't be told.

    Links, handles, hashtags, emoji and whatever has a digit in it ("6s") don't count. A text that
    is too short to tell ("lol", "Samsung Galaxy") is "und": only a text that speaks clearly for
    another language than English gets that one's code. Letters of a script that none of the
    languages here is written in are "mis", the code of ISO 639-2 for such.

    >>> language("omg this is sooo good"), language("La pantalla es muy buena"), language("6s!")
    ('en', 'es', 'und')
    """
    words = _NO_WORDS.sub(" ", text[: 2 * _CHARACTERS_READ])[:_CHARACTERS_READ]
    has_others = _NOT_ASCII_LETTERS.search(words) is not None
    if not has_others and _is_plain_english(words):
        return "en"
    script = _script(words) if has_others else "LATIN"
    if script in _BY_SCRIPT:
        return _BY_SCRIPT[script]
    if script not in _SHARED:
        return UNCODED
    return _by_letters(words, script)


def _is_plain_english(words: str) -> bool:
    """Whether common English words are there, as most texts have them: no model is asked then."""
    found = _WORD.findall(words.replace("\u2019", "'").lower())
    hits = len(_english().intersection(found))
    return hits > 1 and hits * _WORDS_PER_HIT >= len(found)


def _script(words: str) -> str:
    """The first word of the Unicode name that most letters share; kana makes a text Japanese."""
    counts: dict[str, int] = {}
    for letter in filter(str.isalpha, words):
        name = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
        counts[name] = counts.get(name, 0) + 1
    if counts.keys() & {"HIRAGANA", "KATAKANA"}:
        counts["HIRAGANA"] = counts.get("HIRAGANA", 0) + counts.pop("CJK", 0)
    return max(counts, key=counts.__getitem__, default="LATIN")


def _by_letters(words: str, script: str) -> str:
    usual, _ = _SHARED[script]
    ranked = _identifier(script).rank(words.lower().strip())
    if script != "LATIN":
        code, probability = ranked[0]
        return str(code) if probability >= _ENGLISH_ENOUGH else usual
    probabilities: dict[str, float] = dict(ranked)
    if probabilities.pop("en") >= _ENGLISH_ENOUGH:
        return "en"
    likeliest, second = list(probabilities)[:2]
    sure = _SURE if len(words.split()) > _FEW_WORDS else _SURE_OF_FEW
    return likeliest if probabilities[likeliest] + probabilities[second] >= sure else usual


@cache
def _english() -> frozenset[str]:
    return frozenset(_ENGLISH.split())


@cache
def _identifier(script: str) -> "LanguageIdentifier":
    """py3langid (naive Bayes over byte n-grams: Lui and Baldwin 2012), for one script's languages.

    Its model lies in its wheel, as plain arrays; it takes a second and 30 MB.
    """
    identifier = copy(_model())
    identifier.set_languages(_SHARED[script][1].split())
    return identifier


@cache
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
