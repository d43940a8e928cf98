"""What counts as a sale: order lines with entry errors set aside."""

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.kernels import mixed_hash, reversed_pairs

__all__ = ["LINE_COLUMNS", "settled"]

LINE_COLUMNS = (
    "order_id",
    "customer_key",
    "key_kind",
    "ordered_at",
    "product_id",
    "quantity",
    "unit_price",
    "discount",
    "currency",
    "line_type",
)
_MICROSECONDS_PER_HOUR = 3_600_000_000


def settled(lines: Frame, backend: Backend, *, within_hours: int = 24) -> Frame:
    """The lines with a sale that was taken back whole soon after, and its return, as cancelled.

    A customer's return of the same product, quantity and price within `within_hours` of the sale
    is an order that was entered wrong: neither demand nor a returned product. Rows keep their
    order; `lines` holds whole customers (a bucket).
    """
    moving = lines["line_type"].isin(["sale", "return"])
    movements = lines[moving].reset_index(drop=True)
    if not len(movements):
        return lines
    xp = backend.xp
    product, _ = movements["product_id"].factorize()
    group = mixed_hash(
        [
            backend.as_bits(movements["customer_key"]),
            xp.asarray(product).astype("int64"),
            backend.as_bits(movements["unit_price"]),
        ],
        xp,
    )
    time = backend.as_bits(movements["ordered_at"])
    order = xp.lexsort(xp.stack([time, group]))
    pairs = reversed_pairs(
        group[order],
        time[order],
        backend.as_bits(movements["quantity"])[order],
        within=within_hours * _MICROSECONDS_PER_HOUR,
        xp=xp,
    )
    marked = xp.zeros(len(movements), dtype=bool)
    marked[order] = pairs
    cancelled = xp.zeros(len(lines), dtype=bool)
    cancelled[xp.flatnonzero(xp.asarray(moving.values))] = marked
    mask = backend.frames.Series(~cancelled, index=lines.index)
    return lines.assign(line_type=lines["line_type"].where(mask, "cancelled"))
