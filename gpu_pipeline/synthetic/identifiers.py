"""Identifiers of people, planted in texts: e-mails, phones, cards, IP addresses and IBANs.

All are of ranges that nobody owns: domains of RFC 2606, addresses of RFC 5737 and RFC 3849, phone
numbers that regulators keep for films and books, cards and accounts of which only the check digits
are right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpu_pipeline.synthetic.columns import Floats, Ints, Mask, Rng, integers, labels, numbered
from gpu_pipeline.synthetic.phrases import CARRIERS, FIRST_NAMES, LAST_NAMES

IDENTIFIERS = ("email", "phone", "card", "ip", "iban")
SHARE = 0.03  # of all texts
ENGRAVED_SHARE = 0.002  # of order lines, an identifier on the product
_HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Planted:
    """Which rows of a table have an identifier in one column, and which one."""

    column: str
    kind: Ints  # code into IDENTIFIERS; -1 for none
    value: pa.Array

    def take(self, rows: Ints) -> Self:
        """The same of these rows."""
        return type(self)(self.column, self.kind[rows], self.value.take(pa.array(rows)))


class _Phones(NamedTuple):
    """Numbers of one country that are kept for fiction: the last `digits` vary up to `below`."""

    start: str
    digits: int
    below: int


_PHONES = (
    _Phones("+44 20 7946 0", 3, 1_000),  # Ofcom: London
    _Phones("020 7946 0", 3, 1_000),
    _Phones("+1 212-555-01", 2, 100),  # North American numbering plan
    _Phones("(415) 555-01", 2, 100),
    _Phones("+49 30 23125 ", 3, 1_000),  # Bundesnetzagentur: Berlin
    _Phones("030 23125 ", 3, 1_000),
    _Phones("0049 171 39200", 2, 100),
    _Phones("+33 1 99 00 12 ", 2, 100),  # Arcep: Paris
    _Phones("06 39 98 41 ", 2, 100),
    _Phones("+61 2 5550 1", 3, 1_000),  # ACMA: Sydney
    _Phones("+46 8 465 004 ", 2, 100),  # PTS: Stockholm
    _Phones("+353 20 913 1", 3, 1_000),  # ComReg
)


def spoken(*parts: pa.Array) -> pa.Array:
    """The parts that are there, with a space between them."""
    return pc.binary_join_element_wise(*parts, " ", null_handling="skip")


def with_identifiers(
    parts: Sequence[pa.Array], rng: Rng, *, share: float | Floats = SHARE
) -> tuple[pa.Array, Planted]:
    """The parts as texts, a share of which ends with an identifier; what is planted in them."""
    count = len(parts[0])
    rows = np.flatnonzero(rng.random(count) < share)
    kind, value = _drawn(len(rows), rng)
    sizes = np.array([len(pool) for pool in CARRIERS.values()])
    pick = np.concatenate([[0], np.cumsum(sizes)[:-1]])[kind]
    pick += (rng.random(len(rows)) * sizes[kind]).astype(np.int64)
    carriers = [phrase.partition("{}") for pool in CARRIERS.values() for phrase in pool]
    before, after = (labels([part[end] for part in carriers], pick) for end in (0, 2))
    carrier = pc.binary_join_element_wise(before, value, after, "")
    planted = _placed(count, rows, kind, value, "text")
    return spoken(*parts, _spread(count, rows, carrier)), planted


def personalised(
    column: str, names: pa.Array, rng: Rng, *, share: float = ENGRAVED_SHARE
) -> tuple[pa.Array, Planted]:
    """Names of things, on a few of which an identifier is engraved."""
    count = len(names)
    rows = np.flatnonzero(rng.random(count) < share)
    kind, value = _drawn(len(rows), rng)
    engraved = pc.binary_join_element_wise(
        names.take(pa.array(rows)), " (engraving: ", value, ")", ""
    )
    texts = pc.replace_with_mask(names, pa.array(_mask(count, rows)), engraved)
    return texts, _placed(count, rows, kind, value, column)


def _drawn(count: int, rng: Rng) -> tuple[Ints, pa.Array]:
    """(kind, identifier), each kind as often as the others."""
    kind = rng.integers(len(IDENTIFIERS), size=count)
    value = pc.choose(pa.array(kind), *(_MAKERS[name](count, rng) for name in IDENTIFIERS))
    return kind, value


def _placed(count: int, rows: Ints, kind: Ints, value: pa.Array, column: str) -> Planted:
    kinds = np.full(count, -1)
    kinds[rows] = kind
    return Planted(column, kinds, _spread(count, rows, value))


def _spread(count: int, rows: Ints, values: pa.Array) -> pa.Array:
    """The values at these rows of `count`, null elsewhere."""
    return pc.replace_with_mask(pa.nulls(count, pa.string()), pa.array(_mask(count, rows)), values)


def _mask(count: int, rows: Ints) -> Mask:
    mask = np.zeros(count, bool)
    mask[rows] = True
    return mask


def _emails(count: int, rng: Rng) -> pa.Array:
    return pc.binary_join_element_wise(
        labels(FIRST_NAMES, rng.integers(len(FIRST_NAMES), size=count)),
        labels([f".{name}" for name in LAST_NAMES], rng.integers(len(LAST_NAMES), size=count)),
        integers(rng.integers(10, 100, count)),
        labels(["@example.com", "@example.org", "@example.net"], rng.integers(3, size=count)),
        "",
    )


def _phones(count: int, rng: Rng) -> pa.Array:
    country, draw = rng.integers(len(_PHONES), size=count), rng.random(count)
    numbers = [numbered(p.start, (draw * p.below).astype(np.int64), p.digits) for p in _PHONES]
    return pc.choose(pa.array(country), *numbers)


def _cards(count: int, rng: Rng) -> pa.Array:
    """Sixteen digits of which the last is the check digit of Luhn's formula (ISO/IEC 7812-1)."""
    digits = rng.integers(10, size=(count, 15))
    digits[:, 0] = rng.integers(4, 6, count)
    digits[digits[:, 0] == 5, 1] = 1 + digits[digits[:, 0] == 5, 1] % 5
    doubled = 2 * digits[:, ::2]
    check = -(digits[:, 1::2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)) % 10
    groups = np.column_stack([digits, check]).reshape(count, 4, 4) @ (1_000, 100, 10, 1)
    separator = labels([" ", "-", ""], rng.integers(3, size=count))
    return pc.binary_join_element_wise(*(numbered("", group, 4) for group in groups.T), separator)


def _addresses(count: int, rng: Rng) -> pa.Array:
    """IPv4, and IPv6 for every third."""
    blocks = ["192.0.2.", "198.51.100.", "203.0.113."]
    four = pc.binary_join_element_wise(
        labels(blocks, rng.integers(3, size=count)), integers(rng.integers(1, 255, count)), ""
    )
    digits = [labels(list(_HEX), rng.integers(1, 16, count)) for _ in range(6)]
    six = pc.binary_join_element_wise("2001:db8:", *digits[:3], "::", *digits[3:], "")
    return pc.if_else(pa.array(rng.random(count) < 1 / 3), six, four)


def _ibans(count: int, rng: Rng) -> pa.Array:
    """German ones, plain or in groups of four; 1 modulo 97 with their check digits (ISO 13616)."""
    high, low = rng.integers(10**9, size=(2, count))
    remainder = (high % 97 * 10**9 + low) % 97
    check = 98 - (remainder * 10**6 + 131_400) % 97
    plain = pc.binary_join_element_wise(
        numbered("DE", check, 2), numbered("", high, 9), numbered("", low, 9), ""
    )
    groups = [pc.utf8_slice_codeunits(plain, start, start + 4) for start in range(0, 22, 4)]
    grouped = pc.binary_join_element_wise(*groups, " ")
    return pc.if_else(pa.array(rng.random(count) < 0.5), plain, grouped)


_MAKERS: dict[str, Callable[[int, Rng], pa.Array]] = {
    "email": _emails,
    "phone": _phones,
    "card": _cards,
    "ip": _addresses,
    "iban": _ibans,
}
