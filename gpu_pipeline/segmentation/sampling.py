"""Which customers a model is fitted on, where there are very many."""

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.kernels import mixed_hash, text_hash

__all__ = ["fair_order"]

SAMPLE_ROWS = 200_000
_HASHES = 1 << 63


def fair_order(features: Frame, backend: Backend) -> Array:
    """Places of at most about `SAMPLE_ROWS` rows; any first so many are a fair sample.

    By the keys alone: the same customers in any order of rows, and next week.
    """
    xp, keys = backend.xp, features["customer_key"]
    if keys.dtype.kind in "iu":
        hashes = mixed_hash([xp.asarray(keys.astype("int64").values)], xp)
    else:
        hashes = text_hash(*backend.utf8(keys.astype("str")), xp)
    places = xp.arange(len(hashes))
    if len(hashes) > SAMPLE_ROWS:
        places = xp.flatnonzero(hashes < int(SAMPLE_ROWS / len(hashes) * _HASHES))
    order: Array = places[xp.argsort(hashes[places], kind="stable")]
    return order
