"""Whether partitions hold whole customers, told from a few customers of each."""

from collections.abc import Sequence

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import mixed_hash, run_starts, text_hash

__all__ = ["check_not_shared", "some_customers"]

_EVENTS_LOOKED_AT = 2_000


def some_customers(values: Series, backend: Backend) -> Array:
    """The hashes of a partition's customers that are lowest: the same ones in every partition.

    Of all its events, the two thousand lowest are looked at.
    """
    xp = backend.xp
    if values.dtype.kind in "iu":
        hashes = mixed_hash([backend.as_bits(values.astype("int64"))], xp)
    else:
        hashes = text_hash(*backend.utf8(values.astype("str")), xp)
    # In a partition in order, this leaves one event a customer.
    hashes = hashes[run_starts([hashes], xp)]
    if len(hashes) > _EVENTS_LOOKED_AT:
        hashes = xp.partition(hashes, _EVENTS_LOOKED_AT)[:_EVENTS_LOOKED_AT]
    return xp.unique(hashes)


def check_not_shared(found: Sequence[Array], backend: Backend) -> None:
    """Refuses partitions of which two hold events of one customer, by some customers of each.

    Raises:
        PipelineError: there are such customers.
    """
    xp = backend.xp
    known = xp.concatenate(list(found))
    shared = len(known) - len(xp.unique(known))
    if shared:
        message = (
            f"Partitions don't hold whole customers: of {len(known):,} looked at, {shared:,} have "
            "events in another one too. Without whole_customers, events are brought together."
        )
        raise PipelineError(message)
