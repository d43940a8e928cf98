"""Redaction: texts without the identifiers of people.

A prefilter of plain patterns runs over a column at once, on the device; the few texts that it
suspects are read one by one, kind by kind. What stands in an identifier's place names its kind:
``[email]``. A bare number without country code, trunk 0, gaps or a word before it that says so
is no telephone.

A handle (``@name``) becomes ``@user``, as `nlp.text.normalise` reads it anyway: the one who is
spoken to, or of, is a person as often as a brand, and no pattern tells which.
"""

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gpu_pipeline.privacy.addresses import EMAIL, HANDLE, IPV4, IPV6, MAC, SPELT_EMAIL
from gpu_pipeline.privacy.kinds import Kind
from gpu_pipeline.privacy.national_ids import NATIONAL_IDS
from gpu_pipeline.privacy.payment import CARD, IBAN
from gpu_pipeline.privacy.people import NAMES, POSTAL_ADDRESSES
from gpu_pipeline.privacy.phones import NAMED_PHONE, PHONE

if TYPE_CHECKING:
    import numpy.typing as npt

    from gpu_pipeline.backend import Backend, Series

__all__ = ["KINDS", "redact", "redacted", "redacted_with_counts"]

# In this order: digits of what has been told are not told again as something else.
KINDS: tuple[Kind, ...] = (
    EMAIL,
    SPELT_EMAIL,
    HANDLE,
    IBAN,
    CARD,
    IPV6,
    MAC,
    IPV4,
    *NATIONAL_IDS,
    *POSTAL_ADDRESSES,
    PHONE,
    NAMED_PHONE,
    *NAMES,
)
_SUSPECT = "|".join(dict.fromkeys(kind.suspect for kind in KINDS))
_HINTS = [(re.compile(kind.suspect), kind) for kind in KINDS]


def redact(text: str) -> str:
    """The text with each identifier replaced by the name of its kind."""
    counts: Counter[str] = Counter()
    for kind in [kind for hint, kind in _HINTS if hint.search(text)]:
        text = _without(kind, text, counts)
    return text


def redacted(texts: "Series", *, backend: "Backend") -> "Series":
    """`redact` over a column; only the few texts that a vectorised prefilter suspects are read."""
    return redacted_with_counts(texts, backend=backend)[0]


def redacted_with_counts(texts: "Series", *, backend: "Backend") -> "tuple[Series, Counter[str]]":
    """`redacted`, and how many identifiers of each kind were replaced."""
    counts: Counter[str] = Counter()
    suspect = backend.contains(texts, _SUSPECT)
    if not bool(suspect.any()):
        return texts, counts
    found = backend.to_pandas(texts[suspect].to_frame("text"))
    clean = found["text"].to_numpy(dtype=object, copy=True)
    for kind in KINDS:
        of_kind = _holds(found["text"], kind.suspect)
        clean[of_kind] = [_without(kind, text, counts) for text in clean[of_kind]]
    result = texts.copy()
    result[suspect] = backend.from_pandas(found.assign(text=pd.array(clean, dtype="str")))["text"]
    return result, counts


def _holds(texts: "pd.Series[str]", pattern: str) -> "npt.NDArray[np.bool_]":
    """Which texts of the host hold the pattern; pandas would parse it anew at every call."""
    import pyarrow as pa
    import pyarrow.compute as pac

    return np.asarray(pac.match_substring_regex(pa.array(texts, pa.large_string()), pattern))


def _without(kind: Kind, text: str, counts: Counter[str]) -> str:
    """The text without identifiers of one kind; what is none may still begin within what was."""
    kept, done, at = [], 0, 0
    while found := kind.pattern.search(text, at):
        span = kind.span(found)
        if span is None:
            at = found.start() + 1
            continue
        kept += [text[done : span[0]], kind.shown]
        done = at = span[1]
        counts[kind.name] += 1
    return "".join([*kept, text[done:]]) if kept else text
