"""Pseudonyms: a person's id as a keyed 64-bit number."""

import hashlib
import re
import string
from typing import TYPE_CHECKING

import numpy as np

from gpu_pipeline.privacy.keys import first_key, keys_in

if TYPE_CHECKING:
    import numpy.typing as npt

    from gpu_pipeline.backend import Backend, Frame, Series
    from gpu_pipeline.contracts import Pseudonym

__all__ = ["as_hex", "keys_of", "rotated", "token", "tokens"]

_BLANK = " \t\n\v\f\r"
_NUMERIC = r"^[0-9]+\.0+$"
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_KIND_OF_ROTATED = "token"  # of a token that is made of a token: whose it was is in it already
_NOBODY = 0


def token(value: str, *, key: str, kind: str) -> int:
    """The pseudonym of one raw id as a signed 64-bit integer.

    The first 64 bits of sha256(key ‖ kind ‖ ":" ‖ value), with the oldest key of a chain; each
    later key makes a token of the 16 hexadecimal digits of the one before.
    """
    oldest, *later = keys_in(key)
    made = _digest_start(f"{oldest}{kind}:{_canonical(value)}")
    for one in later:
        made = rotated(made, key=one)
    return made


def tokens(values: "Series", *, key: str, kind: str, backend: "Backend") -> "Series":
    """The pseudonyms of a column of raw ids, int64; a missing id gives 0 (mask it yourself)."""
    return _named(values, key=key, kind=kind, backend=backend)[0]


def keys_of(
    frame: "Frame", ways: "tuple[Pseudonym, ...]", *, key: str, backend: "Backend"
) -> "tuple[Series, Series]":
    """(customer_key, key_kind) of each row: the first way whose column has a value counts.

    The kind is null where none has, and the key 0.
    """
    xp = backend.xp
    found = xp.zeros(len(frame), dtype="int64") + _NOBODY
    chosen = xp.full(len(frame), len(ways))  # which way; the place behind the last is none
    for place, way in enumerate(ways):
        rows = xp.flatnonzero(chosen == len(ways))
        if way.of not in frame.columns or not len(rows):
            continue
        made, there = _named(frame[way.of].iloc[rows], key=key, kind=way.kind, backend=backend)
        is_there = xp.asarray(there.values)
        found[rows[is_there]] = backend.as_bits(made)[is_there]
        chosen[rows[is_there]] = place
    kinds = backend.frames.Series([*(way.kind for way in ways), None], dtype="str").take(chosen)
    kinds.index = frame.index
    return backend.frames.Series(found, index=frame.index), kinds


def rotated(token: int, *, key: str) -> int:
    """The token that stands in a token's place once `key` has been added to the chain.

    0, which is nobody, stays.
    """
    if token == _NOBODY:
        return _NOBODY
    return _digest_start(f"{key}{_KIND_OF_ROTATED}:{as_hex(token)}")


def rotated_all(tokens: "npt.NDArray[np.int64]", *, key: str) -> "npt.NDArray[np.int64]":
    """`rotated` over an array of the host; each distinct token is made once."""
    distinct, places = np.unique(tokens, return_inverse=True)
    start = hashlib.sha256(f"{key}{_KIND_OF_ROTATED}:".encode())
    digits = distinct.astype(">i8").tobytes().hex().encode()
    digests = bytearray()
    for place in range(0, len(digits), 16):
        digest = start.copy()
        digest.update(digits[place : place + 16])
        digests += digest.digest()[:8]
    made = np.frombuffer(digests, ">i8").astype(np.int64)
    return np.where(distinct == _NOBODY, _NOBODY, made)[places]


def as_hex(token: int) -> str:
    """A pseudonym as the world outside sees it: 16 hexadecimal digits."""
    return f"{token & 0xFFFFFFFFFFFFFFFF:016x}"


def _named(values: "Series", *, key: str, kind: str, backend: "Backend") -> "tuple[Series, Series]":
    """The tokens of a column, and which of its values name anybody; by way of distinct values."""
    xp, frames = backend.xp, backend.frames
    codes, unique = values.factorize()
    distinct = _canonical_column(frames.Series(unique, dtype="str"), backend)
    made = backend.sha64(distinct, prefix=f"{first_key(key)}{kind}:", distinct=True)
    for later in keys_in(key)[1:]:
        made = frames.Series(xp.asarray(rotated_all(backend.to_host(made), key=later)))
    # A missing value has the code -1, the place at the end.
    of_nobody = xp.zeros(1, dtype="int64")
    known = xp.concatenate([backend.as_bits(made), of_nobody])
    there = xp.concatenate([backend.as_bits(distinct != ""), of_nobody]) != 0
    return (
        frames.Series(known[codes], index=values.index),
        frames.Series(there[codes], index=values.index),
    )


def _canonical_column(values: "Series", backend: "Backend") -> "Series":
    """`_canonical` over a column."""
    text = values.str.strip(_BLANK)
    is_numeric = backend.contains(text, _NUMERIC)
    if bool(is_numeric.any()):
        text = text.where(~is_numeric, text.str.replace(r"\.0+$", "", regex=True))
    # E-mail addresses are lower-cased in ASCII; other ids keep their case.
    is_mail = backend.contains(text, "@")
    if bool(is_mail.any()):
        text = text.where(~is_mail, text.str.translate(_ASCII_LOWER))
    return text


def _canonical(value: str) -> str:
    text = value.strip(_BLANK)
    if re.fullmatch(_NUMERIC, text):
        return text[: text.index(".")]
    return text.translate(_ASCII_LOWER) if "@" in text else text


def _digest_start(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
