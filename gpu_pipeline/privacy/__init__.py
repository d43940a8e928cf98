"""Privacy at the door: keyed pseudonyms for ids, redaction for texts, as pure functions.

A person's id becomes the first 64 bits of sha256(key ‖ kind ‖ ":" ‖ value): the same on every
device and machine that has the key, joinable across tables, and meaningless without the key.
(Odds of one collision: nothing below 100 million people, 2.7 % at a billion.)
"""

from gpu_pipeline.privacy.keys import chained, fingerprint, first_key, is_key, keys_in, new_key
from gpu_pipeline.privacy.pseudonyms import as_hex, keys_of, rotated, rotated_all, token, tokens
from gpu_pipeline.privacy.redaction import redact, redacted, redacted_with_counts

__all__ = [
    "as_hex",
    "chained",
    "fingerprint",
    "first_key",
    "is_key",
    "keys_in",
    "keys_of",
    "new_key",
    "redact",
    "redacted",
    "redacted_with_counts",
    "rotated",
    "rotated_all",
    "token",
    "tokens",
]
