"""Keyed pseudonyms and text redaction, as pure functions.

A person's id becomes the first 64 bits of sha256(key ‖ kind ‖ ":" ‖ value): the same on every
device and machine that has the key, joinable across tables, and meaningless without the key.
(Odds of one collision: nothing below 100 million people, 2.7 % at a billion.)
"""

import hashlib
import re
import secrets
import string
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu_pipeline.backend import Backend, Frame, Series
    from gpu_pipeline.contracts import Pseudonym

__all__ = ["as_hex", "fingerprint", "keys_of", "new_key", "redact", "redacted", "token", "tokens"]

_KEY_BYTES = 32
_BLANK = " \t\n\v\f\r"
_NUMERIC = r"^[0-9]+\.0+$"
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# What people type between the digits of a number: also the spaces and hyphens that don't break.
_GAP = "[ .\\-/()\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2014]"
# Character classes alone, no look-around: the prefilter runs on the GPU too.
_SUSPECT = (
    rf"@|[0-9]{_GAP}{{0,3}}[0-9]{_GAP}{{0,3}}[0-9]{_GAP}{{0,3}}[0-9]"
    "|[A-Za-z][A-Za-z][0-9][0-9]|::|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:"
)

# The look-behind starts a match at the start of a word alone: long words take linear time.
_EMAIL = re.compile(r"(?<![\w.%+\-'])[\w.%+\-']+@[\w\-]+(?:\.[\w\-]+)+")
_IBAN = re.compile(
    r"\b(?:[A-Z]{2}[0-9]{2}([ \-]?)[A-Z0-9]{4}(?:\1[A-Z0-9]{4}){1,6}(?:\1[A-Z0-9]{1,3})?"
    r"|[a-z]{2}[0-9]{2}[a-z0-9]{11,30})\b"
)
_CARD = re.compile(
    r"(?<![0-9+])(?:4[0-9]{12}|3[0-9]{13,14}|2[2-7][0-9]{14}|[3-6][0-9]{15,18}"
    r"|3[0-9]{3}[ \-][0-9]{6}[ \-][0-9]{4,5}"
    r"|[2-6][0-9]{3}([ .\-])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,3})?)(?![0-9])"
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9.]*[0-9])")
# Every address that is given to anyone starts with 2, 3 or f and four digits (RFC 4291).
_IPV6 = re.compile(
    r"(?<!\w)(?=[a-f:]{0,38}[0-9])[23f][0-9a-f]{3}"
    r"(?:(?::[0-9a-f]{1,4}){7}"
    r"|(?::[0-9a-f]{1,4}){0,6}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?)(?![\w:])",
    re.IGNORECASE,
)
_PHONE = re.compile(
    # No decimals, no seconds; no dates such as 01.06.2026.
    r"(?<!\w)(?<![0-9][.:])"
    r"(?![0-9]{1,2}([./\-])[0-9]{1,2}\1[0-9]{2,4}(?![0-9]|\1[0-9]))(?:"
    # With a country code; or a trunk 0, in all nine digits or more.
    rf"\+[0-9]{{1,3}}{_GAP}{{0,2}}[0-9](?:{_GAP}{{0,3}}[0-9]){{5,13}}"
    rf"|\(0[0-9]{{1,4}}\){_GAP}?[0-9](?:{_GAP}?[0-9]){{4,11}}"
    rf"|00?[1-9](?:{_GAP}{{0,3}}[0-9]){{7,13}}"
    # North America, where area and exchange start with 2 to 9.
    rf"|(?:1{_GAP})?(?:\([2-9][0-9]{{2}}\){_GAP}?|[2-9][0-9]{{2}}{_GAP})"
    rf"[2-9][0-9]{{2}}{_GAP}[0-9]{{4}}"
    r")(?!\w)"
)


def new_key() -> str:
    """A fresh pseudonym key: 64 hexadecimal digits from the system's random source."""
    return secrets.token_hex(_KEY_BYTES)


def fingerprint(key: str) -> str:
    """What a lake keeps of its key: enough to refuse another one, nothing to make tokens with."""
    return hashlib.sha256(f"fingerprint:{key}".encode()).hexdigest()[:16]


def token(value: str, *, key: str, kind: str) -> int:
    """The pseudonym of one raw id as a signed 64-bit integer."""
    digest = hashlib.sha256(f"{key}{kind}:{_canonical(value)}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def tokens(values: "Series", *, key: str, kind: str, backend: "Backend") -> "Series":
    """The pseudonyms of a column of raw ids, int64; a missing id gives 0 (mask it yourself)."""
    text = values.str.strip(_BLANK)
    is_numeric = text.str.contains(_NUMERIC, regex=True).fillna(value=False).astype("bool")
    if bool(is_numeric.any()):
        text = text.where(~is_numeric, text.str.replace(r"\.0+$", "", regex=True))
    # E-mail addresses are lower-cased in ASCII; other ids keep their case.
    is_mail = text.str.contains("@", regex=False).fillna(value=False).astype("bool")
    if bool(is_mail.any()):
        text = text.where(~is_mail, text.str.translate(_ASCII_LOWER))
    return backend.sha64(text, prefix=f"{key}{kind}:")


def keys_of(
    frame: "Frame", ways: "tuple[Pseudonym, ...]", *, key: str, backend: "Backend"
) -> "tuple[Series, Series]":
    """(customer_key, key_kind) of each row: the first way whose column has a value counts.

    The kind is null where none has, and the key 0.
    """
    found, kinds = None, None
    for way in ways:
        if way.of not in frame.columns:
            continue
        made = tokens(frame[way.of], key=key, kind=way.kind, backend=backend)
        there = frame[way.of].notna() & (frame[way.of].str.strip(_BLANK) != "")
        kind = there.map({True: way.kind, False: None}).astype("str")
        made = made.where(there, 0)
        if found is None or kinds is None:
            found, kinds = made, kind
        else:
            found, kinds = found.where(kinds.notna(), made), kinds.where(kinds.notna(), kind)
    if found is None or kinds is None:
        nothing = backend.frames.Series([None] * len(frame), dtype="str", index=frame.index)
        return nothing.isna().astype("int64") * 0, nothing
    return found, kinds


def as_hex(token: int) -> str:
    """A pseudonym as the world outside sees it: 16 hexadecimal digits."""
    return f"{token & 0xFFFFFFFFFFFFFFFF:016x}"


def redact(text: str) -> str:
    """The text with each e-mail, card number, IBAN, IP address and phone number replaced.

    The replacement names the kind: ``[email]``. Card numbers must pass the Luhn check, IBANs
    ISO 7064 modulo 97. A bare number without country code, trunk 0 or gaps is no phone number.
    """
    text = _EMAIL.sub("[email]", text)
    text = _IBAN.sub(lambda found: _checked(found, "[iban]", _is_iban), text)
    text = _CARD.sub(lambda found: _checked(found, "[card]", _is_luhn), text)
    text = _IPV6.sub("[ip]", _IPV4.sub("[ip]", text))
    return _PHONE.sub("[phone]", text)


def redacted(texts: "Series", *, backend: "Backend") -> "Series":
    """`redact` over a column; only the few texts that a vectorised prefilter suspects are read."""
    suspect = texts.str.contains(_SUSPECT, regex=True).fillna(value=False).astype("bool")
    if not bool(suspect.any()):
        return texts
    found = backend.to_pandas(texts[suspect].to_frame("text"))
    clean = found.assign(text=[redact(text) for text in found["text"]])
    result = texts.copy()
    result[suspect] = backend.from_pandas(clean)["text"]
    return result


def _canonical(value: str) -> str:
    text = value.strip(_BLANK)
    if re.fullmatch(_NUMERIC, text):
        return text[: text.index(".")]
    return text.translate(_ASCII_LOWER) if "@" in text else text


def _checked(found: re.Match[str], name: str, check: Callable[[str], bool]) -> str:
    """The name where the digits check out, also without what follows after a last gap."""
    number, gap = found[0], found[1] or ""
    ends = [len(number)] + [i for i in range(len(number) - 1, 12, -1) if gap and number[i] == gap]
    for end in ends:
        if check(re.sub(r"[ .\-]", "", number[:end])):
            return name + number[end:]
    return number


def _is_luhn(number: str) -> bool:
    digits = [int(c) for c in number][::-1]
    doubled = (d * 2 - 9 * (d > 4) for d in digits[1::2])
    return len(digits) >= 13 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(number: str) -> bool:
    turned = number[4:] + number[:4]
    return len(number) >= 15 and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
