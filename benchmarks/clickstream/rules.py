"""What the contract of the clickstream says, for those who check by hand."""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

BUCKETS = 16
KEY = "5f" * 32
TEXTS = ("event_id", "customer_id", "visitor_id", "event_type", "product_id", "channel", "device")
KINDS = ("view", "search", "cart", "remove", "checkout", "purchase")
LONGEST = {"event_id": 200, "product_id": 100, "channel": 200, "device": 500}
PEOPLE = {"customer_id": "customer", "visitor_id": "visitor"}
FREE_TEXTS = ("channel", "device")
EARLIEST = "1990-01-01"
SAID = (
    "event_id",
    "customer_key",
    "key_kind",
    "occurred_at",
    "event_type",
    "product_id",
    "channel",
    "device",
)
NO_CODE = r"[^0-9A-Za-z._/#-]"
SUSPECT = r"@|[0-9][0-9 ().-]{5,}[0-9]"
IDENTIFIERS = {
    "[email]": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "[phone]": re.compile(r"(?<![\w+])(?:\+|0)[0-9][0-9 ().-]{6,}[0-9]"),
}


class Counts(NamedTuple):
    """What became of the rows of a file."""

    accepted: int
    rejected: int
    duplicates: int


def redacted(text: str) -> str:
    """The text without e-mail addresses and telephones."""
    for shown, pattern in IDENTIFIERS.items():
        text = pattern.sub(shown, text)
    return text


def names_somebody(code: str) -> bool:
    """Whether what should be a number of something is an identifier of a person."""
    return redacted(code) != code


def tokens(ids: Iterable[str], kind: str) -> list[int]:
    """The first 64 bits of the keyed sha256 of each id, signed."""
    start = hashlib.sha256(f"{KEY}{kind}:".encode())
    found = []
    for one in ids:
        digest = start.copy()
        digest.update(one.encode())
        found.append(int.from_bytes(digest.digest()[:8], "big", signed=True))
    return found
