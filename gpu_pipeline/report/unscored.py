"""Texts that have no sentiment: in which languages, and how much of all."""

import pandas as pd

__all__ = ["TEXT_COLUMNS", "unscored_languages", "unscored_line"]

TEXT_COLUMNS = ("language", "unscored")
_NAMED = 3


def unscored_languages(texts: pd.DataFrame) -> pd.DataFrame:
    """language, texts and share (of all texts) of those that have no label, most first.

    `texts` has the columns TEXT_COLUMNS of `text_sentiment`; without words a text is "und".
    """
    found = texts[texts["unscored"].notna()]
    counts = found.groupby("language").size().rename("texts").reset_index()
    table = counts.assign(share=counts["texts"] / max(1, len(texts)))
    return table.sort_values(["texts", "language"], ascending=[False, True], ignore_index=True)


def unscored_line(found: pd.DataFrame) -> str:
    """How many texts are left out of moods and shares, in one line; none where none is."""
    if not len(found):
        return ""
    some = zip(found["language"].head(_NAMED), found["texts"].head(_NAMED), strict=True)
    named = ", ".join(f"{language} {texts:,}" for language, texts in some)
    others = " and others" if len(found) > _NAMED else ""
    return (
        f"{found['texts'].sum():,} texts ({found['share'].sum():.1%}) have no sentiment and are "
        f"left out, since the model doesn't know their language or they have no words: "
        f"{named}{others}."
    )
