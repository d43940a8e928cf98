"""Pseudonym keys: one, or a chain of them after rotations, as one text.

A key is 64 hexadecimal digits. A chain is keys from the oldest to the newest with commas between
them; everything that takes a `key` takes a chain.
"""

import hashlib
import re
import secrets

from gpu_pipeline.errors import LakeError

__all__ = ["chained", "fingerprint", "first_key", "is_key", "new_key"]

_KEY_BYTES = 32
_BETWEEN = ","
_KEY = re.compile(r"[0-9a-fA-F]{64}")


def new_key() -> str:
    """A fresh pseudonym key: 64 hexadecimal digits from the system's random source."""
    return secrets.token_hex(_KEY_BYTES)


def is_key(text: str) -> bool:
    """Whether it is one key: 64 hexadecimal digits."""
    return _KEY.fullmatch(text) is not None


def chained(key: str, *later: str) -> str:
    """The chain with the later keys at its end."""
    return _BETWEEN.join((key, *later))


def keys_in(chain: str) -> tuple[str, ...]:
    """The keys of a chain, oldest first.

    Raises:
        LakeError: one of them is no key; the message doesn't show it.
    """
    keys = tuple(chain.split(_BETWEEN))
    broken = [str(place) for place, key in enumerate(keys, 1) if not is_key(key)]
    if broken:
        message = (
            f"Of {len(keys)} pseudonym keys, number {', '.join(broken)} is none: a key is 64 "
            "hexadecimal digits, and commas stand between keys, the oldest first."
        )
        raise LakeError(message)
    return keys


def first_key(chain: str) -> str:
    """The oldest key of a chain; ids of things are made with it, so that no rotation moves them."""
    return chain.partition(_BETWEEN)[0]


def fingerprint(key: str) -> str:
    """What a lake keeps of its key: enough to refuse another one, nothing to make tokens with."""
    return hashlib.sha256(f"fingerprint:{key}".encode()).hexdigest()[:16]
