"""Events in pieces of whole customers, each in order of (customer, time), at little cost.

Rows that lie in order already, as those of a bucketed file do, are only looked at.
"""

from itertools import pairwise

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.kernels import hash_buckets, is_in_order, radix_order

__all__ = ["in_order", "pieces"]

_MOST_BITS = 8


def pieces(customer: Array, time: Array, backend: Backend) -> list[slice | Array]:
    """Rows that share no customer, piece by piece: slices where all lie in order, else places.

    Customers are int64 codes, times int64 microseconds. Pieces by a hash have about
    `backend.rows_at_once` rows, up to 256 times that in all.
    """
    xp, rows = backend.xp, len(customer)
    count = -(-rows // backend.rows_at_once)
    if is_in_order([customer, time], xp):
        # A piece begins with the first row of a customer.
        inside = customer[[number * rows // count for number in range(1, count)]]
        edges = [0, *(int(row) for row in xp.searchsorted(customer, inside)), rows]
        return [slice(a, b) for a, b in pairwise(edges) if a < b]
    bits = min(_MOST_BITS, max(0, count - 1).bit_length())
    if not bits:
        return [xp.arange(rows)]
    bucket = hash_buckets(customer, bits, xp)
    order = xp.argsort(bucket, kind="stable")
    edges = [0, *(int(edge) for edge in xp.cumsum(xp.bincount(bucket, minlength=1 << bits)))]
    return [order[a:b] for a, b in pairwise(edges) if a < b]


def in_order(customer: Array, time: Array, backend: Backend) -> Array:
    """The places that put the rows of one piece in order of (customer, time); stable."""
    xp = backend.xp
    codes, unique = backend.frames.Series(customer).factorize()
    known = xp.asarray(unique.values)
    rank = xp.empty(len(known), dtype=xp.int32)
    rank[xp.argsort(known, kind="stable")] = xp.arange(len(known), dtype=xp.int32)
    codes = rank[codes]
    if is_in_order([time], xp):
        return radix_order(codes, len(known), xp)
    by_time = xp.argsort(time, kind="stable")
    order: Array = by_time[radix_order(codes[by_time], len(known), xp)]
    return order
