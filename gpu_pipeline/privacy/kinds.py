"""Kind: one kind of identifier, as a row of the table that redaction goes through."""

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["GAP", "Kind", "Span", "in_any_case", "names_another_number", "whole"]

Span = tuple[int, int]
# What people type between the digits of a number: also the spaces and hyphens that don't break.
GAP = "[ .\\-()\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2014]"

# "order no. 0171 123456" is no telephone.
_ANOTHER_NUMBER = re.compile(
    r"(?:(?<!\w)(?:order|invoice|parcel|package|tracking|shipment|consignment|sku|item|article|"
    r"product|model|part|serial|s/n|ref|reference|ticket|case|claim|booking|confirmation|"
    r"transaction|upc|ean|gtin|isbn|asin|imei|lot|batch|account|customer|section|chapter|"
    r"bestell\w*|rechnungs?\w*|sendungs?\w*|artikel\w*|auftrags?\w*|kunden\w*|vorgangs?\w*|"
    r"commande|facture|colis|suivi|pedido|factura|ordine|fattura|bestelling|zamówieni\w+)s?"
    r"(?:[ \-]?(?:no|nr|num|number|nummer|id|code|n°|numéro|número|numero))?|#|№)"
    r"[.:#°]{0,2}[ \t]{0,2}(?:(?:is|was|of|ist|lautet)[ \t])?$",
    re.IGNORECASE,
)
_REACH = 40


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of identifier.

    `suspect` is a pattern of plain character classes, without look-around or flags (it runs on a
    GPU too), that every text with such an identifier matches. `pattern` finds candidates, and
    `span` says which part of one is the identifier: None where it is none.
    """

    name: str
    suspect: str
    pattern: re.Pattern[str]
    span: Callable[[re.Match[str]], Span | None]
    shown: str


def in_any_case(words: str) -> str:
    """A pattern of the words in capitals or not, for where there are no flags.

    (With flags, Python's patterns also take letters such as ſ and K for others.)
    """
    return re.sub(r"[^\W\d_]", lambda c: f"[{c[0].upper()}{c[0].lower()}]", words)


def whole(found: re.Match[str]) -> Span:
    """All of what the pattern found."""
    return found.span()


def names_another_number(found: re.Match[str]) -> bool:
    """Whether the words before say that it is an order's number, a part's, …"""
    start = found.start()
    return _ANOTHER_NUMBER.search(found.string, max(0, start - _REACH), start) is not None
