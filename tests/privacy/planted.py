"""Texts with identifiers of known kinds planted in them, and texts with none that look alike.

Seeded: the same seed gives the same texts. Numbers of telephones are those that Google's
libphonenumber gives as examples, with other last digits, in the formats that it prints.
"""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phone_formats import PHONE_FORMATS

__all__ = ["SHOWN", "STRUCTURED", "UNSTRUCTURED", "Planted", "harmless", "planted"]

STRUCTURED = ("email", "phone", "card", "iban", "ip", "mac", "national id", "handle")
UNSTRUCTURED = ("address", "name", "phone, nothing says so")
SHOWN = {
    **{kind: f"[{kind}]" for kind in (*STRUCTURED, "address", "name")},
    "handle": "@user",
    "phone, nothing says so": "[phone]",
}
_NAMES = "Anna Ben Chloé Dmitri Émile Fatima Giulia Håkon Inés Jörg Keiko Liam Māra Noah Olu Priya"
_SURNAMES = "Smith Müller García O'Brien Rossi Kowalski Nguyễn Larsen de-Vries Öztürk Silva Ivanov"
_DOMAINS = (
    "example.com mail.example.co.uk example.de example.net bücher.example.de uni-x.example.edu"
)
_ANYWHERE = (
    "{}",
    "It is {}.",
    "Arrived broken, {} if you need it.",
    "Please use {}, thanks!",
    "({})",
    "Great sound, bad fit. {} – Tuesday is best",
    "Mine: {}\nBest",
    "Bitte an {} wenden.",
    "Voilà : {}, merci",
)
_TELEPHONE = (
    "Call me at {}.",
    "call me on {} after six",
    "My number is {}, thanks",
    "Tel.: {}",
    "phone {}",
    "Reach me on my mobile {} any time",
    "WhatsApp: {}",
    "You can text {} instead",
    "Rufen Sie mich unter {} an",
    "Meine Handynummer ist {}.",
    "Appelez-moi au {} svp",
    "Llámame al {}, gracias",
    "Il mio numero è {}.",
    "Bel me op {}",
    "{} is my number",
    "Fax {} if you must",
)


@dataclass(frozen=True)
class Planted:
    """A text and what stands in it: `identifier` of `kind` between `before` and `after`."""

    kind: str
    before: str
    identifier: str
    after: str

    @property
    def text(self) -> str:
        return self.before + self.identifier + self.after

    @property
    def wanted(self) -> str:
        """The text as it must be once it is redacted."""
        return self.before + SHOWN[self.kind] + self.after


def planted(kind: str, count: int, *, seed: int) -> list[Planted]:
    """That many texts with one identifier each."""
    rng = random.Random(f"{seed}/{kind}")
    make, sentences = _KINDS[kind]
    found = []
    for _ in range(count):
        before, after = rng.choice(sentences).split("{}")
        found.append(Planted(kind, before, make(rng), after))
    return found


def harmless(count: int, *, seed: int) -> list[str]:
    """That many texts with numbers and names that identify nobody."""
    rng = random.Random(f"{seed}/harmless")
    return [rng.choice(_HARMLESS)(rng) for _ in range(count)]


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _letters(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def _email(rng: random.Random) -> str:
    name, surname = rng.choice(_NAMES.split()).lower(), rng.choice(_SURNAMES.split()).lower()
    local = rng.choice(
        (
            name,
            f"{name}.{surname}",
            f"{name}{rng.randrange(99)}",
            f"{name}+shop",
            f"{name}_{surname}",
        )
    )
    address = f"{local}@{rng.choice(_DOMAINS.split())}"
    return rng.choice((address, address, address.upper(), address.replace("@", " [at] ")))


def _phone(rng: random.Random) -> str:
    international, national = rng.choice(PHONE_FORMATS)
    if rng.random() < 0.5:
        return _with_other_gaps(rng, _with_other_digits(rng, national))
    number = _with_other_digits(rng, international)
    bare = "+" + "".join(c for c in number if c.isdigit())
    ways = [number, number, bare, "00" + bare[1:], _with_other_gaps(rng, number)]
    if national.startswith("0"):
        code, rest = number.split(" ", 1)
        ways.append(f"{code} (0) {rest}")
    return rng.choice(ways)


def _plain_phone(rng: random.Random) -> str:
    """As it is printed in its country."""
    return _with_other_digits(rng, rng.choice(PHONE_FORMATS)[1])


def _with_other_digits(rng: random.Random, number: str) -> str:
    places = [at for at, character in enumerate(number) if character.isdigit()][-4:]
    return "".join(rng.choice("123456789") if i in places else c for i, c in enumerate(number))


def _with_other_gaps(rng: random.Random, number: str) -> str:
    gaps = (" ", " ", "-", "\u00a0", "." if number.count(" ") != 3 else " ")  # no IP address
    return number.replace(" ", rng.choice(gaps))


def _card(rng: random.Random) -> str:
    start, length, groups = rng.choice(
        (
            ("4", 16, (4, 4, 4, 4)),
            ("5" + rng.choice("12345"), 16, (4, 4, 4, 4)),
            (f"{rng.randrange(2221, 2721)}", 16, (4, 4, 4, 4)),
            ("34", 15, (4, 6, 5)),
            ("37", 15, (4, 6, 5)),
            ("6011", 16, (4, 4, 4, 4)),
            ("36", 14, (4, 6, 4)),
            (f"{rng.randrange(3528, 3590)}", 16, (4, 4, 4, 4)),
        )
    )
    body = start + _digits(rng, length - 1 - len(start))
    number = next(body + d for d in string.digits if luhn(body + d))
    return _grouped(number, groups, rng.choice((" ", " ", "-", "")))


def luhn(number: str) -> bool:
    """The check of a card, as its standard tells it: from the right, every second one doubled."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


def _grouped(number: str, groups: Sequence[int], gap: str) -> str:
    parts, at = [], 0
    for length in groups:
        parts.append(number[at : at + length])
        at += length
    return gap.join(part for part in [*parts, number[at:]] if part)


# Of each country: letters (a) and digits (n) after the check digits.
_IBANS = {
    **{"DE": "n" * 18, "GB": "aaaa" + "n" * 14, "FR": "n" * 23, "ES": "n" * 20, "NO": "n" * 11},
    **{"IT": "a" + "n" * 22, "NL": "aaaa" + "n" * 10, "AT": "n" * 16, "BE": "n" * 12},
    **{"CH": "n" * 17, "PL": "n" * 24, "SE": "n" * 20, "DK": "n" * 14, "PT": "n" * 21},
    **{"IE": "aaaa" + "n" * 14, "MT": "aaaa" + "n" * 23, "CZ": "n" * 20, "FI": "n" * 14},
    **{"SA": "n" * 20, "AE": "n" * 19, "TR": "n" * 22, "BR": "n" * 23 + "aa"},
}


def _iban(rng: random.Random) -> str:
    country, shape = rng.choice(list(_IBANS.items()))
    body = "".join(_digits(rng, 1) if one == "n" else _letters(rng, 1) for one in shape)
    rest = int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
    number = f"{country}{98 - rest:02d}{body}"
    way = rng.choice((str, str.lower, lambda n: _grouped(n, [4] * 9, " ")))
    return way(number)


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return ".".join(str(n) for n in (rng.randint(11, 223), *rng.choices(range(256), k=3)))
    groups = ["2001", *(f"{rng.randrange(65536):x}" for _ in range(7))]
    groups[1] = rng.choice(("db8", "0db8", groups[1]))
    if rng.random() < 0.4:
        return f"{':'.join(groups[:3])}::{':'.join(groups[5:])}"
    return ":".join(groups)


def _mac(rng: random.Random) -> str:
    pairs = [f"{rng.randrange(256):02x}" for _ in range(6)]
    return rng.choice((str, str.upper))(rng.choice((":", "-")).join(pairs))


def _national_id(rng: random.Random) -> str:
    return rng.choice((_ssn, _nino, _dni, _nir, _cpf, _personnummer, _codice_fiscale))(rng)


def _ssn(rng: random.Random) -> str:
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def _nino(rng: random.Random) -> str:
    start = rng.choice(("AB", "CE", "JK", "PR", "SW", "XY"))
    return f"{start} {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)} {rng.choice('ABCD')}"


def _dni(rng: random.Random) -> str:
    number = rng.randrange(10_000_000, 100_000_000)
    return f"{number}{rng.choice(('', '-'))}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _nir(rng: random.Random) -> str:
    body = (
        f"{rng.choice('12')}{_digits(rng, 2)}{rng.randint(1, 12):02d}{rng.randint(1, 95):02d}"
        f"{_digits(rng, 6)}"
    )
    whole = f"{body}{97 - int(body) % 97:02d}"
    return rng.choice((whole, _grouped(whole, (1, 2, 2, 2, 3, 3, 2), " ")))


def _cpf(rng: random.Random) -> str:
    digits = [int(c) for c in _digits(rng, 9)]
    for weights in (range(10, 1, -1), range(11, 1, -1)):
        digits.append(sum(d * w for d, w in zip(digits, weights, strict=True)) * 10 % 11 % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _personnummer(rng: random.Random) -> str:
    body = f"{_digits(rng, 2)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}{_digits(rng, 3)}"
    check = next(d for d in string.digits if luhn(body + d))
    return f"{rng.choice(('', '19'))}{body[:6]}-{body[6:]}{check}"


def _codice_fiscale(rng: random.Random) -> str:
    # The examples of the literature: their check letters don't come from our own code.
    return rng.choice(("RSSMRA85T10A562S", "MRTMTT91D08F205J", "MLLSNT82P65Z404U"))


def _handle(rng: random.Random) -> str:
    name, surname = rng.choice(_NAMES.split()), rng.choice(("smith", "_x", "1987", "TheGreat"))
    ascii_name = "".join(c for c in name if c.isascii())
    return f"@{ascii_name}{surname}"


def _address(rng: random.Random) -> str:
    number, flat = rng.randint(1, 250), rng.choice(("", ", Apt 4B", ""))
    return rng.choice(
        (
            f"{number} {rng.choice(('Baker', 'North Main', 'Old Mill', 'Elm'))} "
            f"{rng.choice(('Street', 'St', 'Road', 'Avenue', 'Ave.', 'Blvd'))}{flat}"
            + rng.choice(("", ", Springfield, IL 62701", ", London SW1A 2AA", ", Sydney NSW 2000")),
            f"{number} {rng.choice(('Oak', 'Sunset', 'Maple'))} "
            f"{rng.choice(('Drive', 'Lane', 'Court', 'Way'))}, Austin, TX 78701",
            f"{rng.choice(('Hauptstraße', 'Goethestr.', 'Berliner Straße', 'Seeallee'))} {number}"
            + rng.choice(("", f", {_digits(rng, 5)} Köln", "a, 10115 Berlin")),
            f"{rng.choice(('Am Markt', 'Ahornweg', 'Marienplatz'))} {number}, 80331 München",
            f"{number} {rng.choice(('rue', 'avenue', 'boulevard'))} "
            f"{rng.choice(('de la République', 'Victor Hugo', 'des Lilas', 'du Moulin'))}"
            + rng.choice(("", ", 75011 Paris", " 69002 Lyon")),
            f"{rng.choice(('Calle Mayor', 'Avenida de la Constitución'))} {number}, 28013 Madrid",
            f"Via {rng.choice(('Roma', 'Garibaldi', 'Dante Alighieri'))} {number}, 00184 Roma",
            f"{rng.choice(('Keizersgracht', 'Kerkstraat'))} {number}, 1015 CJ Amsterdam",
            f"P.O. Box {number}",
        )
    )


def _name(rng: random.Random) -> str:
    return f"{rng.choice(_NAMES.split())} {rng.choice(('Smith', 'Müller', 'García', 'Rossi'))}"


_SIGNED = (
    "My name is {}.",
    "my name is {} and it broke",
    "Mein Name ist {}.",
    "Je m'appelle {}, bonjour",
    "It broke. Regards, {}",
    "Dear Ms {}, where is it?",
    # What no pattern can tell.
    "I spoke to {} yesterday",
    "{} here, it never came",
    "Thanks {}!",
)
_LIVING = (
    "I live at {}.",
    "Please ship it to {}, thanks",
    "My address: {}",
    "{}",
    "Wrong address, it is {} now.",
)
_PLAIN_SENTENCES = ("{}", "{}, weekdays only", "try {} instead", "{} thanks")
_KINDS: dict[str, tuple[Callable[[random.Random], str], Sequence[str]]] = {
    "email": (_email, _ANYWHERE),
    "phone": (_phone, _TELEPHONE),
    "card": (_card, _ANYWHERE),
    "iban": (_iban, _ANYWHERE),
    "ip": (_ip, _ANYWHERE),
    "mac": (_mac, _ANYWHERE),
    "national id": (_national_id, _ANYWHERE),
    "handle": (_handle, _ANYWHERE),
    "address": (_address, _LIVING),
    "name": (_name, _SIGNED),
    "phone, nothing says so": (_plain_phone, _PLAIN_SENTENCES),
}

_PRODUCTS = "iPhone 15 Pro 256|Galaxy S24 512|ThinkPad X1 2024|Pixel 8a|PS5|Watch 9 45|WH-1000XM5"


def _price(rng: random.Random) -> str:
    amount = rng.uniform(1, 99_999)
    return rng.choice(
        (
            f"${amount:,.2f}",
            f"{amount:.2f} EUR",
            f"€{amount:,.0f}",
            f"{int(amount):,} yen".replace(",", " "),
        )
    )


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1999, 2026)
    return rng.choice(
        (
            f"{day:02d}.{month:02d}.{year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{month}/{day}/{year}",
            f"{year}-{month:02d}-{day:02d}T{day:02d}:{month:02d}:07.123456Z",
            f"{day:02d}-{month:02d}-{year} {day:02d}:{month:02d}",
        )
    )


def _unlucky(rng: random.Random, length: int, start: str) -> str:
    """Digits like a card's whose check fails."""
    body = start + _digits(rng, length - 1 - len(start))
    return rng.choice([body + d for d in string.digits if not luhn(body + d)])


_HARMLESS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"Order {_digits(rng, rng.randint(6, 14))} of {_date(rng)} is late",
    lambda rng: f"order no. {rng.randint(100, 999)}-{_digits(rng, 7)}-{_digits(rng, 7)}",
    lambda rng: f"Invoice #{_digits(rng, 8)} says {_price(rng)}",
    lambda rng: f"tracking 1Z{_letters(rng, 3)}{_digits(rng, 12)} since {_date(rng)}",
    lambda rng: f"tracking number {_digits(rng, 12)} shows nothing",
    lambda rng: f"SKU {_letters(rng, 2)}-{_digits(rng, 4)}-{_letters(rng, 1)}{_digits(rng, 2)}",
    lambda rng: f"part no. {_digits(rng, 3)}-{_digits(rng, 3)}-{_digits(rng, 4)} fits",
    lambda rng: f"serial {_letters(rng, 3)}{_digits(rng, 9)}, IMEI {_digits(rng, 15)}",
    lambda rng: f"EAN {_digits(rng, 13)} and UPC 0{_digits(rng, 11)}",
    lambda rng: f"ISBN 978-{_digits(rng, 1)}-{_digits(rng, 3)}-{_digits(rng, 5)}-{_digits(rng, 1)}",
    lambda rng: f"version {'.'.join(_digits(rng, 2).lstrip('0') or '1' for _ in range(4))} crashes",
    lambda rng: (
        f"after the update to {rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}.1"
    ),
    lambda rng: f"v{rng.randint(1, 20)}.{rng.randint(0, 99)}.{rng.randint(0, 9999)} is fine",
    lambda rng: f"paid {_price(rng)} instead of {_price(rng)} on {_date(rng)}",
    lambda rng: f"from {_date(rng)} to {_date(rng)}, 09:00 to 17:30",
    lambda rng: (
        f"{rng.choice(_PRODUCTS.split('|'))} GB, {rng.choice(('3840x2160', '1920 x 1080'))}"
    ),
    lambda rng: (
        f"{rng.randint(1, 9)} {rng.randint(1, 9)}00 000 000 units in {rng.randint(1990, 2026)}"
    ),
    lambda rng: f"card {_unlucky(rng, 16, '4')} was refused by the form",
    lambda rng: f"sizes {rng.randint(36, 38)} 39 40 41 42 and {rng.randint(43, 47)}",
    lambda rng: f"{rng.randint(2, 9)}x{rng.randint(10, 99)} = {rng.randint(100, 999)}, 24/7, 10/10",
    lambda rng: (
        f"seats {_digits(rng, 2)} {_digits(rng, 2)}, row {_digits(rng, 2)}, gate {_digits(rng, 1)}"
    ),
    lambda rng: f"a {rng.randint(1, 8)} TB Drive and {rng.randint(2, 9)} External Hard Drives",
    lambda rng: f"coordinates {rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}",
    lambda rng: f"bought {rng.randint(1, 9)} @ ${rng.uniform(1, 99):.2f} each",
    lambda rng: (
        f"IBAN {rng.choice(('DE', 'GB', 'FR'))}00 is no account, EN{_digits(rng, 5)} is a norm"
    ),
    lambda rng: f"C++::std::vector<{rng.randint(1, 9)}> dead::beef {rng.randint(10, 23)}:59:59",
    lambda rng: (
        f"battery {rng.randint(2, 9)}000 mAh, {rng.randint(100, 999)} nits, 2.4/5 GHz, 5 stars"
    ),
    lambda rng: f"checksum {rng.randrange(16**12):012x} id {rng.randrange(16**32):032x}",
)
