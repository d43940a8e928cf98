"""Days on which a product could not be had, told from counts of stock and from what was sold.

Counts are days apart: between the last that found stock and the next that does, nobody knows when
it ran out and when it came back. Sales tell: where nothing at all was to be had, nothing was sold.
"""

from dataclasses import dataclass

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.forecasting.frequency import DAY_US
from gpu_pipeline.forecasting.panel import Panel
from gpu_pipeline.kernels import order_of, run_starts, segment_sums
from gpu_pipeline.orders import business_day

__all__ = ["STOCK_COLUMNS", "days_out_of_stock"]

STOCK_COLUMNS = ("product_id", "location", "counted_at", "on_hand")

# Of a product's stock, on average: what customers miss when locations that hold less are empty is
# lost among the ups and downs of a day, and of fifty stores one is always empty.
_NOTABLE_SHARE = 0.25
_LONGEST_DAYS = 28  # between two counts with stock: a location that is empty longer sells no more


def days_out_of_stock(panel: Panel, stock: Frame, *, time_zone: str = "UTC") -> Array:
    """On which days of a daily panel demand was not seen, bool (series, days).

    `stock` has the `STOCK_COLUMNS` of the table `inventory` (counted_at in UTC, without zone), rows
    in any order; a day is one of the `time_zone`. Locations that never had stock
    don't count.

    - Out at all locations: from the last day on which it was sold before a count that found
      nothing, up to the first day on which it is sold after it. Both are left out too, for they
      are often half days, and for another reason: days without sales that were chosen by where
      sales begin would be too many in favour of high demand, with the day that ended the choice
      they are just right (a stopping time). Never beyond the counts that found stock.
    - Out at some, which hold at least a quarter of its stock: all days between the counts that
      found stock there, since there were sales all the same, but fewer. Not where these counts lie
      more than four weeks apart.

    Which days are left out depends on sales only as said: so demand on the others is as it was.
    """
    backend, shape = panel.backend, panel.y.shape
    counts = _counts(panel, stock, time_zone=time_zone)
    empty = _empty_spells(counts, days=shape[1], backend=backend)
    if not len(empty.product):
        return backend.xp.zeros(shape, dtype=bool)
    everywhere = counts.locations[:, None]
    out = _overlaps(empty, empty.begin, empty.end, panel) == everywhere
    out &= everywhere > 0
    known_out = _overlaps(empty, empty.first_day, empty.last_day + 1, panel) == everywhere
    short = empty.end - empty.begin < _LONGEST_DAYS
    shares = _overlaps(empty, empty.begin, empty.end, panel, weight=empty.share * short)
    return _unsold_around(out & known_out, out, panel) | ((shares >= _NOTABLE_SHARE) & ~out)


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Counts of stock by product, location and time: arrays (counts,).

    `share` is that of the location in the product's stock. `locations` is int (series,): how many
    of a product ever had stock.
    """

    product: Array
    location: Array
    day: Array
    is_empty: Array
    share: Array
    locations: Array


@dataclass(frozen=True, kw_only=True)
class _Spells:
    """Counts in a row that found nothing at one location: arrays (spells,) of days.

    They are the days `first_day` to `last_day`; those from `begin` up to, not including, `end` lie
    between the counts before and after that found stock.
    """

    product: Array
    share: Array
    first_day: Array
    last_day: Array
    begin: Array
    end: Array


def _counts(panel: Panel, stock: Frame, *, time_zone: str) -> _Counts:
    """Those of the panel's products until its last day, at locations that ever had stock."""
    backend, xp, days = panel.backend, panel.backend.xp, panel.y.shape[1]
    day_us = business_day(stock["counted_at"], time_zone).astype("datetime64[us]").astype("int64")
    day = (xp.asarray(day_us.values) - panel.start_us) // DAY_US
    codes, found = stock["product_id"].factorize()
    place = xp.asarray(panel.ids.get_indexer(backend.frames.Index(found)))
    product = place[xp.asarray(codes)]
    location = xp.asarray(stock["location"].factorize()[0])
    on_hand = xp.asarray(stock["on_hand"].astype("int64").values)
    time = backend.as_bits(stock["counted_at"])

    mine = ((product >= 0) & (day < days)).nonzero()[0]
    mine = mine[order_of((product[mine], location[mine], time[mine]), xp)]
    product, location, day, on_hand = (v[mine] for v in (product, location, day, on_hand))
    starts = run_starts((product, location), xp)
    mean = segment_sums(on_hand, starts, xp) / xp.diff(xp.append(starts, len(mine)))
    held = xp.bincount(product[starts], weights=mean, minlength=len(panel.ids))
    stocked = xp.bincount(product[starts], weights=mean > 0, minlength=len(panel.ids))
    begins = xp.zeros(len(mine), dtype="int64")
    begins[starts] = 1
    mean = mean[xp.cumsum(begins) - 1]
    used = (mean > 0).nonzero()[0]
    return _Counts(
        product=product[used],
        location=location[used],
        day=day[used],
        is_empty=on_hand[used] == 0,
        share=mean[used] / held[product[used]],
        locations=stocked.astype("int64"),
    )


def _empty_spells(counts: _Counts, *, days: int, backend: Backend) -> _Spells:
    xp = backend.xp
    starts = run_starts((counts.product, counts.location, counts.is_empty), xp)
    last = xp.append(starts[1:], len(counts.day)) - 1
    is_empty = counts.is_empty[starts].nonzero()[0]
    first, last = starts[is_empty], last[is_empty]
    before, after = xp.maximum(first - 1, 0), xp.minimum(last + 1, max(len(counts.day) - 1, 0))
    # The count before an empty one of the same place found stock, and so did the one after it.
    had = _same_place(counts, before, first) & (before < first)
    has = _same_place(counts, after, last) & (after > last)
    return _Spells(
        product=counts.product[first],
        share=counts.share[first],
        first_day=counts.day[first],
        last_day=counts.day[last],
        begin=xp.where(had, counts.day[before] + 1, 0),
        end=xp.where(has, counts.day[after], days),
    )


def _same_place(counts: _Counts, one: Array, other: Array) -> Array:
    same: Array = counts.product[one] == counts.product[other]
    return same & (counts.location[one] == counts.location[other])


def _overlaps(
    spells: _Spells, begin: Array, end: Array, panel: Panel, weight: Array | int = 1
) -> Array:
    """The sum of `weight` over the spells that are on each day, (series, days)."""
    xp, (series, days) = panel.backend.xp, panel.y.shape
    change = xp.zeros((series, days + 1))
    begin, end = xp.clip(begin, 0, days), xp.clip(end, 0, days)
    some = end > begin
    weights = xp.broadcast_to(xp.asarray(weight, dtype="float64"), begin.shape)[some]
    xp.add.at(change, (spells.product[some], begin[some]), weights)
    xp.add.at(change, (spells.product[some], end[some]), -weights)
    # Sums of what was added and taken away again may be a little off.
    return xp.cumsum(change, axis=1)[:, :days].round(9)


def _unsold_around(known: Array, possible: Array, panel: Panel) -> Array:
    """The `possible` days around the `known` ones up to those with a sale, and these too."""
    xp, (series, days) = panel.backend.xp, panel.y.shape
    # A day at each end of a series that is not possible.
    can = xp.zeros((series, days + 2), dtype=bool)
    can[:, 1:-1] = possible
    stops = ~can
    stops[:, 1:-1] |= panel.y != 0
    at = xp.flatnonzero(stops)
    row, day = known.nonzero()
    cell = row * (days + 2) + day + 1
    first = at[xp.searchsorted(at, cell, side="right") - 1]
    last = at[xp.searchsorted(at, cell, side="left")]
    change = xp.zeros(series * (days + 2) + 1, dtype="int64")
    xp.add.at(change, first, 1)
    xp.add.at(change, last + 1, -1)
    around = (xp.cumsum(change)[:-1] > 0).reshape(series, days + 2)
    found: Array = (around & can)[:, 1:-1]
    return found
