"""Where people live and what they are called, as far as a pattern can tell. Precision first.

Names are found only where the words around them say that one comes: patterns know no names.
"""

import re
from collections.abc import Callable

from gpu_pipeline.privacy.kinds import Kind, Span, whole

__all__ = ["NAMES", "POSTAL_ADDRESSES"]

_CAPITAL = "A-ZÀ-ÖØ-ÞĀ-Ž"
_WORD = rf"[{_CAPITAL}][^\W\d_]['’.\-\w]*"
_BARE_WORD = rf"[{_CAPITAL}](?:[^\W\d_]|['’\-](?=[^\W\d_]))+"
_CITY = (
    rf"{_BARE_WORD}"
    rf"(?: (?:(?!.[A-Z]){_BARE_WORD}|am|an der|im|de|la|sur|upon|del|di)(?!\w)){{0,3}}"
)
_US_END = r"[A-Z]{2},? [0-9]{5}(?:-[0-9]{4})?"
_UK_END = r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}"
_OTHER_END = r"[A-Z]{2,3} [0-9]{4}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
_FLAT = (
    r"(?:,? (?:[Aa]pt|[Aa]partment|[Ss]uite|[Ss]te|[Uu]nit|[Ff]lat|#)\.? ?#?[0-9A-Za-z\-]{1,5})?"
)
_ENGLISH_TAIL = rf"(?:,? (?:{_CITY},? )?(?:{_US_END}|{_UK_END}|{_OTHER_END})(?!\w))"
_EUROPEAN_TAIL = rf"(?:,? ?\n?(?:[A-Z]{{1,2}}-)?[0-9]{{4,5}}(?: [A-Z]{{2}}(?= ))? {_CITY})"
_HOUSE = r"[0-9]{1,4} ?[a-zA-Z]?(?:[\-–/][0-9]{1,4}[a-z]?)?(?!\w)"
_SAYS_WHERE = re.compile(
    r"(?:live[sd]?|living|address|ship\w*|deliver\w*|sent|send|mail\w*|moved|parcel|located|"
    r"wohn\w*|anschrift|adresse|lieferadresse|liefer\w*|habite|livr\w+|vivo|dirección|direccion|"
    r"abito|indirizzo|woon|adres)\W(?:[\w']+\W+){0,4}$",
    re.IGNORECASE,
)
_STRONG = r"Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Parkway|Pkwy\.?|Crescent|Mews"
_WEAK = (
    r"Drive|Dr\.?|Lane|Ln\.?|Court|Ct\.?|Place|Pl\.?|Close|Square|Sq\.?|Way|Gardens|Grove|Row|"
    r"Circle|Cir\.?|Trail|Terrace|Highway|Hwy\.?|Hill|Walk|Park|View|Broadway"
)
_NO_STREET = re.compile(
    r"(?:Hard|Flash|Thumb|Disk|External|Solid|State|Tape|Pen|Portable|Test|Optical|Disc|Usb|"
    r"Star|Cell|Phone|Wall|Main) (?:Drive|Dr|Way|Court|Place|Row|Lane|Park|View)",
)


def _told(found: re.Match[str]) -> Span | None:
    """What looks like a street only with a postcode behind it or a word of living before it."""
    start = found.start()
    if _NO_STREET.search(found[0]):
        return None
    said = found["tail"] or _SAYS_WHERE.search(found.string, max(0, start - 50), start)
    return found.span() if said else None


def _street(pattern: str, suspect: str, span: Callable[[re.Match[str]], Span | None]) -> Kind:
    return Kind(
        name="address",
        suspect=suspect,
        pattern=re.compile(pattern),
        span=span,
        shown="[address]",
    )


_NUMBER = r"(?=[0-9])(?<![\w.,$€£])[0-9]{1,5}[A-Za-z]?(?:[\-/][0-9]{1,4})?"
_NUMBER_AND_WORD = rf"[0-9][A-Za-z]? [0-9{_CAPITAL}]"
_DIRECTION = r"(?:[NSEW]{1,2}\.? |North |South |East |West )?"
_NAME = rf"(?:(?:{_WORD}|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,3}}"
_ROMANCE = (
    r"(?:de la |de l['’]|de los |de las |del |della |delle |dei |des |du |de |d['’]|la |le |l['’])*"
)
_STREET_ENDS = r"straße|strasse|str\.|gasse|allee|straat|gracht|laan|gatan|vägen|katu"
_MAYBE_STREET_ENDS = r"platz|ring|weg|damm|ufer|steig|gade|vej|plein|kade|singel|markt|hof"
_IN_ANY_CASE = r"[Rr]ue|[Aa]venue|[Bb]oulevard|[Ii]mpasse|[Aa]llée|[Qq]uai|[Bb]d\.?|[Aa]v\.?"
POSTAL_ADDRESSES: tuple[Kind, ...] = (
    _street(
        rf"{_NUMBER} {_DIRECTION}{_NAME}(?:{_STRONG})(?!\w)(?: [NSEW]{{1,2}}(?!\w))?{_FLAT}"
        rf"{_ENGLISH_TAIL}?",
        _NUMBER_AND_WORD,
        whole,
    ),
    _street(
        rf"{_NUMBER} {_DIRECTION}{_NAME}(?:{_WEAK})(?!\w)(?: [NSEW]{{1,2}}(?!\w))?{_FLAT}"
        rf"(?P<tail>{_ENGLISH_TAIL})?",
        _NUMBER_AND_WORD,
        _told,
    ),
    # German, Dutch, Nordic: the word for a street is the end of its name.
    _street(
        rf"(?<!\w)(?:(?:{_WORD} )?[A-ZÄÖÜ][\w\-]*(?:{_STREET_ENDS})"
        rf"|{_WORD} (?:Straße|Strasse|Str\.|Allee|Gasse)) ?{_HOUSE}{_EUROPEAN_TAIL}?",
        r"(?:tra(?:ss|ß)e|tr\.|asse|llee|straat|gracht|laan|gatan|vägen|katu) ?[0-9]",
        whole,
    ),
    _street(
        rf"(?<!\w)(?:{_WORD} ){{0,2}}(?:[A-ZÄÖÜ][\w\-]*(?:{_MAYBE_STREET_ENDS})"
        rf"|Markt|Linden|Graben|Hof|Platz|Ring|Weg|Damm|Ufer) {_HOUSE}(?P<tail>{_EUROPEAN_TAIL})?",
        r"(?:latz|[Rr]ing|[Ww]eg|[Dd]amm|[Uu]fer|teig|gade|vej|lein|kade|ingel|arkt|inden|raben|"
        r"[Hh]of) [0-9]",
        _told,
    ),
    # French: number, word for a street, name.
    _street(
        rf"(?<![\w.,])[0-9]{{1,4}}(?: ?(?:bis|ter))?,? (?:{_IN_ANY_CASE}) {_ROMANCE}{_BARE_WORD}"
        rf"(?: {_BARE_WORD}){{0,3}}{_EUROPEAN_TAIL}?",
        r"[0-9],? ?(?:bis|ter)?,? ?"
        r"(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Ii]mpasse|[Aa]ll|[Qq]uai|[Bb]d|[Aa]v)",
        whole,
    ),
    # Spanish, Italian, Portuguese: word for a street, name, number.
    _street(
        rf"(?<!\w)(?:Calle|C/|Avenida|Avda\.?|Paseo|Viale|Rua|Carrer|Travessa) ?{_ROMANCE}{_WORD}"
        rf"(?:[ \-](?:de |del |la )?{_WORD}){{0,3}},? (?:[nN][º°.]? ?)?{_HOUSE}{_EUROPEAN_TAIL}?",
        r"(?:Calle|C/|Avenida|Avda|Paseo|Viale|Rua|Carrer|Travessa)",
        whole,
    ),
    _street(
        rf"(?<!\w)(?:Via|Plaza|Piazza|Corso|Largo|Praça) {_ROMANCE}{_WORD}"
        rf"(?:[ \-]{_WORD}){{0,3}},? (?:[nN][º°.]? ?)?{_HOUSE}(?P<tail>{_EUROPEAN_TAIL})?",
        r"(?:Via|Plaza|Piazza|Corso|Largo|Praça) ",
        _told,
    ),
    _street(
        r"(?<!\w)(?:P\.? ?O\.? ?Box|Postfach|Apartado de Correos) (?:[0-9] ?){1,6}(?!\w)"
        rf"(?:{_ENGLISH_TAIL}|{_EUROPEAN_TAIL})?",
        r"(?:Box|Postfach|Correos) [0-9]",
        whole,
    ),
)

_PERSON = rf"{_BARE_WORD}(?: (?:[A-Z]\. )?(?:van |von |de |der )*{_BARE_WORD}){{0,2}}"


def _person(found: re.Match[str]) -> Span:
    return found.span("person")


def _name(pattern: str, suspect: str) -> Kind:
    return Kind(
        name="name", suspect=suspect, pattern=re.compile(pattern), span=_person, shown="[name]"
    )


NAMES: tuple[Kind, ...] = (
    _name(
        r"(?<!\w)(?:[Mm]y (?:full |first |last )?name is|[Mm]y name['’]s|[Ii]ch hei(?:ß|ss)e|"
        r"[Mm]ein Name ist|[Jj]e m['’]appelle|[Mm]e llamo|[Mm]i chiamo|[Mm]ijn naam is)"
        rf" (?P<person>{_PERSON})",
        r"[Nn]ame (?:is|ist) |name['’]s |hei(?:ß|ss)e |appelle |llamo |chiamo |naam is ",
    ),
    _name(
        r"(?<!\w)(?:Mr|Mrs|Ms|Herrn?|Frau|Mme|Monsieur|Madame|Señora?|Signora?)\.? "
        rf"(?!Coffee|Clean|Potato|Bean|Meyer|Robot)(?P<person>{_PERSON})",
        r"(?:Mr|Mrs|Ms|Herrn?|Frau|Mme|Monsieur|Madame|Señora?|Signora?)\.? [A-Z]",
    ),
    _name(
        r"(?<!\w)(?:[Rr]egards|[Ss]incerely(?: yours)?|[Bb]est wishes|[Gg]rüßen?|[Gg]rüssen?|"
        r"[Cc]ordialement|[Ss]aludos)[,!]?\s{1,3}"
        rf"(?P<person>{_PERSON})(?=[.\s]*$)",
        r"egards|ncerely|ishes|rüße|rüsse|ordialement|aludos",
    ),
)
