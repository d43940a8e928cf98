"""Numbers by which a state knows a person, where a strict form or a check digit tells them."""

import re
from collections.abc import Callable

from gpu_pipeline.privacy.kinds import Kind, Span, in_any_case, names_another_number, whole
from gpu_pipeline.privacy.payment import is_luhn

__all__ = ["NATIONAL_IDS"]

_SHOWN = "[national id]"
_SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
# Values of the odd places of a codice fiscale (Decreto ministeriale 23 December 1976).
_ITALIAN_ODD = {
    **dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)),
    **dict(zip("ABCDEFGHIJ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)),
    **dict(zip("KLMNOPQR", (2, 4, 18, 20, 11, 3, 6, 8), strict=True)),
    **dict(zip("STUVWXYZ", (12, 14, 16, 10, 22, 25, 24, 23), strict=True)),
}
_ITALIAN_DIGIT = "[0-9L-NP-Vl-np-v]"
_CODICE_FISCALE = (
    f"[A-Za-z]{{6}}[0-9]{{2}}[A-EHLMPRSTa-ehlmprst]{_ITALIAN_DIGIT}{{2}}"
    f"[A-Za-z]{_ITALIAN_DIGIT}{{3}}[A-Za-z]"
)
# Short ones are words in some language: only as they are usually written.
_NAMED = (
    "(?:SSN|ssn|NINO|BSN|PESEL|DNI|NIE|NIF|NIR|CPF|"
    + in_any_case(
        "social security|national insurance|social insurance|steuer-?id|"
        "steueridentifikationsnummer|sozialversicherungsnummer|burgerservicenummer|"
        "aadhaa?r|codice fiscale|numéro de sécurité sociale|personnummer|"
        "passport|reisepass|passeport|pasaporte|passaporto|personalausweis|ausweis|"
        "driver'?s licen(?:c|s)e|driving licen(?:c|s)e|führerschein|tax id"
    )
    + ")"
)


def _bare(text: str) -> str:
    return re.sub(r"[ .\-+]", "", text).upper()


def _is_spanish(number: str) -> bool:
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return _SPANISH_LETTERS[int(digits) % 23] == number[-1]


def _is_italian(number: str) -> bool:
    even = sum(int(c, 36) - 10 * c.isalpha() for c in number[1:15:2])
    odd = sum(_ITALIAN_ODD[c] for c in number[:15:2])
    return chr(ord("A") + (even + odd) % 26) == number[15]


def _is_french(number: str) -> bool:
    birth = number[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(birth) % 97 == int(number[13:])


def _is_brazilian(number: str) -> bool:
    digits = [int(c) for c in number]
    for length in (9, 10):
        weighted = sum(d * (length + 1 - i) for i, d in enumerate(digits[:length]))
        if weighted * 10 % 11 % 10 != digits[length]:
            return False
    return len(set(digits)) > 1


def _is_swedish(number: str) -> bool:
    return is_luhn(number[-10:])


def _unless_named(found: re.Match[str]) -> Span | None:
    return None if names_another_number(found) else found.span()


def _checked(check: Callable[[str], bool]) -> Callable[[re.Match[str]], Span | None]:
    return lambda found: _unless_named(found) if check(_bare(found[0])) else None


def _named(found: re.Match[str]) -> Span | None:
    """What follows the word, where enough of it are digits."""
    return found.span(1) if sum(c.isdigit() for c in found[1]) >= 5 else None


def _kind(suspect: str, pattern: str, span: Callable[[re.Match[str]], Span | None]) -> Kind:
    return Kind(
        name="national id",
        suspect=suspect,
        pattern=re.compile(pattern),
        span=span,
        shown=_SHOWN,
    )


NATIONAL_IDS: tuple[Kind, ...] = (
    # United States: SSN and, from 9, ITIN.
    _kind(
        "[0-9][0-9][0-9]-[0-9][0-9]-[0-9]",
        r"(?<![\w\-])(?!000|666)(?:[0-8][0-9]{2}-(?!00)[0-9]{2}|9[0-9]{2}-[5-9][0-9])"
        r"-(?!0000)[0-9]{4}(?!\w|-\w)",
        _unless_named,
    ),
    # United Kingdom: National Insurance number, in its pairs.
    _kind(
        "[A-Z][A-Z] ?[0-9][0-9] ",
        r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?"
        r"[0-9]{2} [0-9]{2} [0-9]{2} ?[A-D](?!\w)",
        whole,
    ),
    # Spain: DNI and NIE.
    _kind(
        "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][ \\-]?[A-Z]",
        r"(?<!\w)(?:[0-9]{8}|[XYZ][ \-]?[0-9]{7})[ \-]?[A-HJ-NP-TV-Z](?!\w)",
        _checked(_is_spanish),
    ),
    # Italy: codice fiscale, where the digits at its end may be letters.
    _kind(
        "[A-Za-z][A-Za-z][A-Za-z][0-9][0-9][A-Ta-t]",
        rf"(?<!\w){_CODICE_FISCALE}(?!\w)",
        _checked(_is_italian),
    ),
    # France: NIR, the number of the sécurité sociale.
    _kind(
        "[12] ?[0-9][0-9] ?[0-9][0-9]",
        r"(?<!\w)(?<![0-9] )[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?"
        r"[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?! ?[0-9]|\w)",
        _checked(_is_french),
    ),
    # Brazil: CPF.
    _kind(
        r"[0-9]\.[0-9][0-9][0-9]\.[0-9][0-9][0-9]-",
        r"(?<![\w.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?!\w)",
        _checked(_is_brazilian),
    ),
    # Sweden: personnummer.
    _kind(
        "[0-9][0-9][0-9][0-9][\\-+][0-9][0-9][0-9]",
        r"(?<![\w\-])(?:19|20)?[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[\-+][0-9]{4}"
        r"(?!\w|-\w)",
        _checked(_is_swedish),
    ),
    # Anywhere: a word that says what the number is.
    _kind(
        _NAMED,
        rf"(?<!\w){_NAMED}"
        rf"(?:{in_any_case('nummer')})?"
        rf"(?:[ \-]{in_any_case('(?:no|nr|number|num|card|id|n°)')}\.?)*"
        rf"[ :#=]*(?:{in_any_case('(?:is|ist|est|es|lautet|was)')}[ :]+)?"
        r"((?<!\w)[A-Za-z0-9](?:[ \-./]?[A-Za-z0-9]){5,15}(?!\w))",
        _named,
    ),
)
