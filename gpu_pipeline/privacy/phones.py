"""Telephone numbers, as people of many countries write them."""

import re

from gpu_pipeline.privacy.kinds import GAP, Kind, Span, names_another_number

__all__ = ["NAMED_PHONE", "PHONE"]

# ITU-T E.164, list of assigned country codes.
_COUNTRY = (
    r"(?:1|7|20|21[1-368]|22[0-9]|23[0-9]|24[0-9]|25[0-8]|26[0-9]|27|29[0-1789]|3[0-469]|35[0-9]|"
    r"37[0-8]|38[0-35-79]|4[013-9]|42[013]|5[1-8]|50[0-9]|59[0-9]|6[0-6]|67[02-9]|68[0-35-9]|"
    r"69[0-2]|8[1246]|80[08]|85[02356]|87[0-9]|88[0-368]|9[0-58]|96[0-8]|97[0-79]|99[2-68])"
)
_AREA_IN_BRACKETS = rf"\((?:0[0-9 \-\u00a0]{{1,5}}|[2-9][0-9]{{1,3}}|1[1-9])\){GAP}?"
_EXTENSION = r"(?: ?(?:[xX]|[eE]xt\.?|[dD]w\.?) ?[0-9]{1,5})?"
# Layouts that need no trunk 0 to be told: groups of digits, where # is any and the rest itself.
_LAYOUTS = (
    "[2-9]##_###_####",
    "[2-9]#_####_####",
    "[6-9]##_##_##_##",
    "[2-9]##_###_###",
    "[2-9]#_###_##_##",
    "[49]##_##_###",
    "[6-9]####_#####",
    "1[3-9]#_####_####",
    "[1-9]#_9####_####",
    "[78]_?[(]?[3489]##[)]?_?###_##_##",
    "1[38]00_###_###",
    "3##_#######",
    "[(][2-9][)]_?####_####",
)
_BLANKS = r" \u00a0\u2009\u202f"


def _layout(text: str) -> str:
    """The pattern of a layout: one kind of gap, then nothing that goes on as a number does."""
    return text.replace("#", "[0-9]").replace("_", rf"[{_BLANKS}.\-\u2010-\u2013]")


PHONE_PATTERN = (
    # No decimals, no seconds; no dates such as 01.06.2026.
    r"(?=[+\uff0b(0-9])(?<!\w)(?<![0-9][.:])(?<![0-9A-Fa-f]-)"
    r"(?![0-9]{1,2}([./\-])[0-9]{1,2}\1[0-9]{2,4}(?![0-9]|\1[0-9]))(?:"
    # With a country code; or a trunk 0, in all eight digits or more.
    rf"[+\uff0b]{_COUNTRY}{GAP}{{0,2}}[0-9](?:{GAP}{{0,3}}[0-9]){{4,13}}(?:/[0-9]{{3,9}})?"
    rf"|00[1-9](?:{GAP}{{0,3}}[0-9]){{7,13}}"
    rf"|0[1-9][0-9]{{1,5}}{GAP}?/{GAP}?[0-9](?:{GAP}?[0-9]){{3,9}}"
    rf"|0[1-9](?:{GAP}{{0,3}}[0-9]){{6,13}}"
    rf"|{_AREA_IN_BRACKETS}[0-9](?:{GAP}?[0-9]){{4,11}}"
    # North America, where area and exchange start with 2 to 9.
    rf"|(?:1{GAP}{{1,2}})?(?:\([2-9][0-9]{{2}}\){GAP}?|[2-9][0-9]{{2}}{GAP}{{1,2}})"
    rf"[2-9][0-9]{{2}}{GAP}[0-9]{{4}}"
    rf"|(?<![0-9][ .,\-])(?:{'|'.join(map(_layout, _LAYOUTS))})(?![ .,\-]?[0-9])"
    rf"){_EXTENSION}(?!\w|-[0-9A-Fa-f]{{4}})"
)
_IN_A_DATE = re.compile(r"(?<![0-9])(?:[0-9]{1,2}|[0-9]{4})[./\-]$")
_DATE = re.compile(
    r"[0-9]{1,2}[ ./\-][0-9]{1,2}[ ./\-](?:19|20)[0-9]{2}(?![0-9])"
    r"|(?:19|20)[0-9]{2}([ ./\-])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])"
)
_ROUND = re.compile(r"[ .\u00a0]000$")
_MONEY_BEFORE = re.compile(r"(?:[$€£¥₹]|EUR|USD|GBP|CHF|Rs\.?) ?$")
_MONEY_AFTER = re.compile(r" ?(?:[€$£¥₹%]|EUR|USD|GBP|CHF|euros?\b|dollars?\b)")
_SMALL_WORDS = (
    "me|us|him|her|them|back|at|on|under|via|now|today|to|by|my|our|your|his|the|is|no|nr|number|"
    "home|office|work|mobile|cell|phone|please|directly|and|or|line|"
    "sie|mich|uns|an|unter|auf|meine|mein|nummer|ist|lautet|bitte|"
    "moi|nous|au|sur|le|mon|numéro|est|me|nos|al|en|el|mi|número|es|il|mio|numero|è|op|mijn"
)
_SAYS_PHONE = re.compile(
    r"(?<!\w)(?:(?:my|your|our|his|her|meine|ihre|mio|mi|mon|mijn) "
    r"(?:number|nummer|numero|número|numéro)|"
    r"call|calling|called|ring|dial|text|texted|sms|reach|contact|whats ?app|viber|"
    r"telegram|signal|phone|tele?phone|tel|mobile|cell|fax|hotline|number|landline|"
    r"telefon|telefonnummer|handy|handynummer|mobil|mobilnummer|rückruf|ruf\w*|anruf\w*|"
    r"erreich\w+|fon|"
    r"tél|téléphone|portable|appel\w*|joindre|fixe|teléfono|telefono|móvil|ll[aá]m\w+|celular|tlf|"
    r"cellulare|chiam\w+|telefoon|bel|gsm|telefonu?|komórk\w+|телефон\w*|тел|звон\w*)"
    rf"(?:[ .:\-]{{1,2}}(?:{_SMALL_WORDS})){{0,5}}[ .:(\-\u00a0]{{0,3}}$"
    r"|(?:电话|手机|電話|전화)\W{0,2}$",
    re.IGNORECASE,
)
_SAYS_PHONE_AFTER = re.compile(
    r"[ ,]{0,2}(?:\((?:mobile|cell|phone|tel|home|office|work|mobil|handy|landline)\)"
    r"|is my (?:number|phone|mobile|cell)|\(whatsapp\))",
    re.IGNORECASE,
)
_REACH = 60
_LEAST_BARE = 10  # fewer digits in one piece are as often a number of something else


def _phone(found: re.Match[str]) -> Span | None:
    number = found[0]
    if number[0] in "+\uff0b":
        return None if _ROUND.search(number) else found.span()
    if _is_no_phone(found):
        return None
    if number.isdigit() and not _is_said(found):
        in_a_link = found.string[: found.start()].endswith(("/", "="))
        return None if in_a_link or len(number) < _LEAST_BARE else found.span()
    return found.span()


def _named_phone(found: re.Match[str]) -> Span | None:
    return found.span() if _is_said(found) and not _is_no_phone(found) else None


def _is_said(found: re.Match[str]) -> bool:
    """Whether the words around it say that it is a telephone's."""
    text, (start, end) = found.string, found.span()
    before = _SAYS_PHONE.search(text, max(0, start - _REACH), start)
    return before is not None or _SAYS_PHONE_AFTER.match(text, end) is not None


def _is_no_phone(found: re.Match[str]) -> bool:
    """Whether it is a date, an amount, or the number of an order."""
    text, (start, end) = found.string, found.span()
    return (
        _IN_A_DATE.search(text, max(0, start - 5), start) is not None
        or _DATE.match(text, start) is not None
        or _ROUND.search(found[0]) is not None
        or _MONEY_BEFORE.search(text, max(0, start - 5), start) is not None
        or _MONEY_AFTER.match(text, end) is not None
        or names_another_number(found)
    )


_FOUR_DIGITS = rf"[0-9]{GAP[:-1]}/]{{0,3}}" * 3 + "[0-9]"
PHONE = Kind(
    name="phone",
    suspect=_FOUR_DIGITS,
    pattern=re.compile(PHONE_PATTERN),
    span=_phone,
    shown="[phone]",
)
# Digits that nothing but the words around them tells: "call me at 5123 4567".
NAMED_PHONE = Kind(
    name="phone",
    suspect=_FOUR_DIGITS,
    pattern=re.compile(
        rf"(?=[(0-9])(?<!\w)(?<![0-9]{GAP})(?<![0-9][:,])\(?[0-9](?:{GAP}{{0,2}}[0-9]){{5,14}}(?!\w)"
    ),
    span=_named_phone,
    shown="[phone]",
)
