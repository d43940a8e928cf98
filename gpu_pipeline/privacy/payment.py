"""Numbers that money is paid with: IBANs and cards, each with its check digits."""

import re
from collections.abc import Sequence

from gpu_pipeline.privacy.kinds import Kind, Span, names_another_number

__all__ = ["CARD", "IBAN", "is_luhn"]

# Characters in all, by country: SWIFT's registry of IBAN formats, release 99.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        33: "RU",
    }.items()
    for country in countries.split()
}
# First four digits from, to: how many digits there are. ISO/IEC 7812, as the issuers use it.
_CARD_LENGTHS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (2200, 2204, (16, 17, 18, 19)),  # Mir
    (2221, 2720, (16,)),  # Mastercard
    (3000, 3059, (14, 16)),  # Diners Club
    (3095, 3095, (14, 16)),
    (3400, 3499, (15,)),  # American Express
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (3600, 3699, (14, 16)),
    (3700, 3799, (15,)),
    (3800, 3999, (14, 16)),
    (4000, 4999, (13, 16, 19)),  # Visa
    (5000, 5099, (16, 17, 18, 19)),  # Maestro
    (5100, 5599, (16,)),
    (5600, 6999, (16, 17, 18, 19)),  # Maestro, Discover, UnionPay, RuPay
)
_CARD_GROUPS = ((4, 6, 5), (4, 6, 4))


def _iban(found: re.Match[str]) -> Span | None:
    """As much as the country's IBANs have, with ISO 7064 modulo 97."""
    text = found[0]
    wanted = _IBAN_LENGTHS.get(text[:2].upper(), 0)
    places = [at for at, character in enumerate(text) if character.isalnum()]
    if not wanted or len(places) < wanted:
        return None
    end = places[wanted - 1] + 1
    if found.string[found.start() + end : found.start() + end + 1].isalnum():
        return None
    number = "".join(text[at] for at in places[:wanted])
    turned = number[4:] + number[:4]
    is_valid = int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
    return (found.start(), found.start() + end) if is_valid else None


IBAN = Kind(
    name="iban",
    suspect="[A-Za-z][A-Za-z][0-9][0-9]",
    pattern=re.compile(
        r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ \-\u00a0]?[A-Za-z0-9]){11,30}(?![^\W_]{4})"
    ),
    span=_iban,
    shown="[iban]",
)


def _card(found: re.Match[str]) -> Span | None:
    """The longest start of the digits that is a card's number by issuer, grouping and Luhn."""
    text = found[0]
    places = [at for at, character in enumerate(text) if character.isdigit()]
    digits = "".join(text[at] for at in places)
    if len(text) == len(digits) and names_another_number(found):
        return None
    for length in sorted(_lengths_of(int(digits[:4])), reverse=True):
        if length > len(digits):
            continue
        end = places[length - 1] + 1
        follows = found.string[found.start() + end : found.start() + end + 1]
        if follows.isdigit() or not _is_grouped(text[:end]) or not is_luhn(digits[:length]):
            continue
        if length == 13 and _is_ean(digits[:13]):
            continue
        return found.start(), found.start() + end
    return None


CARD = Kind(
    name="card",
    suspect="[0-9][ .\\-\u00a0]?[0-9][ .\\-\u00a0]?[0-9][ .\\-\u00a0]?[0-9]",
    pattern=re.compile(r"(?<![0-9+])(?<![0-9][.,])[2-6][0-9]{3}(?:[ .\-\u00a0]?[0-9]){9,18}"),
    span=_card,
    shown="[card]",
)


def is_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in number][::-1]
    doubled = (d * 2 - 9 * (d > 4) for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _lengths_of(start: int) -> Sequence[int]:
    for first, last, lengths in _CARD_LENGTHS:
        if first <= start <= last:
            return lengths
    return ()


def _is_grouped(text: str) -> bool:
    """In one piece, or in groups as they stand on a card, with one kind of gap."""
    gaps = {character for character in text if not character.isdigit()}
    groups = tuple(len(group) for group in re.split(r"[^0-9]", text))
    in_fours = set(groups[:-1]) == {4} and groups[-1] <= 4
    return not gaps or (len(gaps) == 1 and (in_fours or groups in _CARD_GROUPS))


def _is_ean(number: str) -> bool:
    """Whether thirteen digits check out as those below a bar code do."""
    digits = [int(c) for c in number]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
