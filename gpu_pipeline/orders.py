"""What counts as a sale, and on which day: order lines with entry errors set aside."""

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import mixed_hash, reversed_pairs

__all__ = ["LINE_COLUMNS", "business_day", "one_currency", "settled"]

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

    A customer's return of the same product, quantity and price within `within_hours` of the sale,
    with no other sale or return of it between them, is an order that was entered wrong: neither
    demand nor a returned product. Rows keep their order, which changes nothing else; `lines`
    holds whole customers (a bucket).
    """
    xp = backend.xp
    place = _places_near_returns(lines, backend)
    if not len(place):
        return lines
    some = lines.iloc[place]
    quantity, goods = backend.as_bits(some["quantity"]), _codes_of_goods(some, backend)
    time = backend.as_bits(some["ordered_at"])
    # At one moment a sale comes before its return; the rest makes the order of rows irrelevant.
    ties = [backend.as_bits(some["discount"]), _places_in_order(some["order_id"], backend)]
    order = xp.lexsort(xp.stack([*ties, -quantity, time, goods]))
    within = within_hours * _MICROSECONDS_PER_HOUR
    pairs = reversed_pairs(goods[order], time[order], quantity[order], within=within, xp=xp)
    kept = xp.ones(len(lines), dtype=bool)
    kept[place[order]] = ~pairs
    mask = backend.frames.Series(kept, index=lines.index)
    return lines.assign(line_type=lines["line_type"].where(mask, "cancelled"))


def business_day(times: Series, time_zone: str) -> Series:
    """The day of each time (UTC) by the clocks of the zone, as its midnight, without zone."""
    if time_zone == "UTC":
        return times.dt.floor("D")
    local = times.dt.tz_localize("UTC").dt.tz_convert(time_zone).dt.tz_localize(None)
    return local.dt.floor("D")


def one_currency(frame: Frame, backend: Backend, *, what: str = "Orders") -> None:
    """Holds the frame's column `currency` to one value: amounts of several are never added.

    Raises:
        PipelineError: there are several.
    """
    found = sorted(backend.to_pandas(frame[["currency"]].drop_duplicates())["currency"])
    if len(found) > 1:
        message = (
            f"{what} are in {', '.join(found)}: amounts of different currencies are not added. "
            f"Load them into a lake with a reporting currency (`gpu-pipeline ingest DIR --lake NEW "
            f"--currency {found[0]}`), with fx_rates that say what the others are worth."
        )
        raise PipelineError(message)


def _places_near_returns(lines: Frame, backend: Backend) -> Array:
    """Which lines are goods that came back, or that someone bought who sent back at that price.

    Numbers tell most lines apart: the texts of the others need not be looked at.
    """
    xp = backend.xp
    quantity = backend.as_bits(lines["quantity"])
    returned = xp.asarray((lines["line_type"] == "return").values) & (quantity < 0)
    if not bool(returned.any()):
        return xp.flatnonzero(returned)
    sold = xp.asarray((lines["line_type"] == "sale").values) & (quantity > 0)
    numbers = [backend.as_bits(lines[name]) for name in ("customer_key", "unit_price")]
    codes = backend.frames.Series(mixed_hash(numbers, xp))
    sent_back = codes[backend.frames.Series(returned)].unique()
    return xp.flatnonzero(returned | (sold & xp.asarray(codes.isin(sent_back).values)))


def _codes_of_goods(lines: Frame, backend: Backend) -> Array:
    """int64 that are equal for lines of one customer, product, price and currency."""
    xp = backend.xp
    texts = ("key_kind", "product_id", "currency")
    named = [xp.asarray(lines[name].factorize()[0]) for name in texts]
    numbers = [backend.as_bits(lines[name]) for name in ("customer_key", "unit_price")]
    return mixed_hash([*numbers, *(codes.astype("int64") for codes in named)], xp)


def _places_in_order(values: Series, backend: Backend) -> Array:
    """The place of each text among the distinct ones in ascending order."""
    xp = backend.xp
    codes, distinct = values.factorize()
    place = xp.empty(len(distinct), dtype="int64")
    place[xp.asarray(backend.frames.Index(distinct).argsort())] = xp.arange(len(distinct))
    return place[xp.asarray(codes)]
