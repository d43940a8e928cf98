"""Addresses on networks: e-mail, IP and MAC addresses, and the handles of social media."""

import re

from gpu_pipeline.privacy.kinds import Kind, Span, whole

__all__ = ["EMAIL", "HANDLE", "IPV4", "IPV6", "MAC", "SPELT_EMAIL"]

_TOP_DOMAIN = r"(?:xn--[\w\-]+|[^\W\d_]{2,})"
# The look-behind starts a match at the start of a word alone: long words take linear time.
EMAIL = Kind(
    name="email",
    suspect=r"[^ \n@]@[^ \n@]+\.",
    pattern=re.compile(rf"(?<![\w.%+\-'])[\w.%+\-']+@[\w\-]+(?:\.[\w\-]+)*\.{_TOP_DOMAIN}"),
    span=whole,
    shown="[email]",
)
_DOT = r" ?[(\[{] ?(?:dot|\.) ?[)\]}] ?| dot "
SPELT_EMAIL = Kind(
    name="email",
    suspect=r"[(\[{] ?(?:[Aa][Tt]|@) ?[)\]}]| [Dd][Oo][Tt] ",
    pattern=re.compile(
        r"(?<![\w.%+\-'])[\w.%+\-'’]{2,}"
        rf"(?: ?[(\[{{] ?(?:at|@) ?[)\]}}] ?[\w\-]+(?:(?:\.|{_DOT})[\w\-]+)+"
        r"| at [\w\-]+(?: dot [\w\-]+)* dot (?:com|org|net|info|io|co|edu|gov|de|fr|uk|es|it|nl))"
        r"(?!\w)",
        re.IGNORECASE,
    ),
    span=whole,
    shown="[email]",
)

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_VERSION = re.compile(
    r"(?:(?<!\w)(?:version|ver|v|release|rev|revision|firmware|fw|build|driver|bios|update[ds]?|"
    r"upgrade[ds]?|patch|section|chapter|software|ios|ipados|macos|android|windows|app|sdk|kernel|"
    r"os|chrome|firefox|php|java)(?: (?:to|is|version|from|no\.?))?)[ .:=]{0,2}$",
    re.IGNORECASE,
)


def _ipv4(found: re.Match[str]) -> Span | None:
    """No version such as 1.2.3.4: those have one digit a part, or a word that says so before."""
    parts, start = found[0].split("."), found.start()
    is_version = _VERSION.search(found.string, max(0, start - 24), start) is not None
    return None if is_version or len(found[0]) == 7 or int(parts[0]) == 0 else found.span()


IPV4 = Kind(
    name="ip",
    suspect=r"[0-9]\.[0-9]+\.[0-9]+\.[0-9]",
    pattern=re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9.]*[0-9])"),
    span=_ipv4,
    shown="[ip]",
)
# Every address that is given to anyone starts with 2, 3 or f and four digits (RFC 4291).
IPV6 = Kind(
    name="ip",
    suspect="::|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:",
    pattern=re.compile(
        r"(?<!\w)(?=[a-f:]{0,38}[0-9])[23f][0-9a-f]{3}"
        r"(?:(?::[0-9a-f]{1,4}){7}"
        r"|(?::[0-9a-f]{1,4}){0,6}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?)(?![\w:])",
        re.IGNORECASE,
    ),
    span=whole,
    shown="[ip]",
)
MAC = Kind(
    name="mac",
    suspect="[0-9A-Fa-f][0-9A-Fa-f][:\\-][0-9A-Fa-f][0-9A-Fa-f][:\\-][0-9A-Fa-f][0-9A-Fa-f][:\\-]",
    pattern=re.compile(
        r"(?<!\w)[0-9A-Fa-f]{2}([:\-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}"
        r"(?!\w|[:\-]\w)"
    ),
    span=whole,
    shown="[mac]",
)


def _handle(found: re.Match[str]) -> Span | None:
    return None if found[0] == "@user" else found.span()


HANDLE = Kind(
    name="handle",
    suspect="@",
    pattern=re.compile(r"(?<![\w@.])@[A-Za-z_]\w+"),
    span=_handle,
    shown="@user",
)
