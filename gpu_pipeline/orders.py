"""What counts as a sale, and on which day: order lines with entry errors set aside."""

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.kernels import mixed_hash, reversed_pairs

__all__ = [
    "LINE_COLUMNS",
    "business_day",
    "entry_errors",
    "mondays",
    "of_type",
    "one_currency",
    "settled",
]

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
_GOODS = ("customer_key", "key_kind", "product_id", "quantity", "unit_price", "currency")
_MICROSECONDS_PER_HOUR = 3_600_000_000
_MONDAY = 3  # days from a Monday to 1970-01-01
_SLOTS_OF_A_RETURN = 32
_SPREAD = -7046029254386353131  # 2**64 over the golden ratio, odd, as a signed integer


def settled(lines: Frame, backend: Backend, *, within_hours: int = 24) -> Frame:
    """The lines with a sale that was taken back whole soon after, and its return, as cancelled.

    A customer's return of the same product, quantity and price within `within_hours` of the sale,
    with no other sale or return of it between them, is an order that was entered wrong: neither
    demand nor a returned product. Rows keep their order, which changes nothing else; `lines`
    holds whole customers (a bucket).
    """
    wrong = entry_errors(
        lines,
        of_type(lines, "sale", backend),
        of_type(lines, "return", backend),
        backend,
        within_hours=within_hours,
    )
    if not bool(wrong.any()):
        return lines
    kept = backend.frames.Series(~wrong, index=lines.index)
    return lines.assign(line_type=lines["line_type"].where(kept, "cancelled"))


def of_type(lines: Frame, line_type: str, backend: Backend) -> Array:
    """Which lines are of the type."""
    found: Array = backend.xp.asarray((lines["line_type"] == line_type).values)
    return found


def entry_errors(
    lines: Frame, is_sale: Array, is_return: Array, backend: Backend, *, within_hours: int = 24
) -> Array:
    """Which lines `settled` cancels, where it is known which are sales and returns."""
    xp = backend.xp
    wrong = xp.zeros(len(lines), dtype=bool)
    place = _places_near_returns(lines, is_sale, is_return, backend)
    if not len(place):
        return wrong
    some = lines[list(_GOODS)].iloc[place]
    quantity, goods = backend.as_bits(some["quantity"]), _codes_of_goods(some, backend)
    # Most goods never come back: only those that do are put in order.
    codes = backend.frames.Series(goods)
    returned = xp.flatnonzero(xp.asarray(codes.isin(codes[quantity < 0].unique()).values))
    place, goods, quantity = place[returned], goods[returned], quantity[returned]
    time = backend.as_bits(lines["ordered_at"])[place]
    order = _in_order(lines, place, goods, time, backend)
    within = within_hours * _MICROSECONDS_PER_HOUR
    pairs = reversed_pairs(goods[order], time[order], quantity[order], within=within, xp=xp)
    wrong[place[order]] = pairs
    return wrong


def _in_order(lines: Frame, place: Array, goods: Array, time: Array, backend: Backend) -> Array:
    """What puts lines at these places in order of goods and time, whatever order they came in.

    At one moment a sale comes before its return, then counts the order number, then the discount.
    """
    xp = backend.xp
    order = xp.lexsort(xp.stack([time, goods]))
    same = (goods[order][1:] == goods[order][:-1]) & (time[order][1:] == time[order][:-1])
    is_tied = xp.zeros(len(order), dtype=bool)
    is_tied[1:] |= same
    is_tied[:-1] |= same
    tied = order[is_tied]
    if len(tied):
        some = lines[["order_id", "quantity", "discount"]].iloc[place[tied]]
        quantity, discount = (backend.as_bits(some[name]) for name in ("quantity", "discount"))
        number = _places_in_order(some["order_id"], backend)
        keys = [discount, number, -quantity, time[tied], goods[tied]]
        order[is_tied] = tied[xp.lexsort(xp.stack(keys))]
    return order


def business_day(times: Series, time_zone: str) -> Series:
    """The day of each time (UTC) by the clocks of the zone, as its midnight, without zone."""
    if time_zone == "UTC":
        return times.dt.floor("D")
    local = times.dt.tz_localize("UTC").dt.tz_convert(time_zone).dt.tz_localize(None)
    return local.dt.floor("D")


def mondays(days: Array) -> Array:
    """The Monday of the week of each day; days are counted from 1970 on."""
    return days - (days + _MONDAY) % 7


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


def _places_near_returns(lines: Frame, is_sale: Array, is_return: Array, backend: Backend) -> Array:
    """Which lines are goods that came back, or that their customer may have sent back.

    A table of hashes tells most others apart: a few more do no harm.
    """
    xp = backend.xp
    quantity = backend.as_bits(lines["quantity"])
    came_back = xp.flatnonzero(is_return & (quantity < 0))
    if not len(came_back):
        return came_back
    customer, price = (backend.as_bits(lines[name]) for name in ("customer_key", "unit_price"))
    bits = (_SLOTS_OF_A_RETURN * len(came_back)).bit_length()
    # Multiplication spreads them over the highest bits (Knuth, TAOCP 6.4).
    slot = (((customer ^ (price * _SPREAD)) * _SPREAD) >> (64 - bits)) & ((1 << bits) - 1)
    is_near = xp.zeros(1 << bits, dtype=bool)
    is_near[slot[came_back]] = True
    near = is_sale & (quantity > 0) & is_near[slot]
    near[came_back] = True
    return xp.flatnonzero(near)


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
