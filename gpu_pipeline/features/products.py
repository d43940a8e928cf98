"""Product quality: what comes back, what people ask and complain about, against the category."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.orders import business_day, mondays, settled

__all__ = ["WEEKS", "product_quality", "weekly_contacts", "weekly_sales", "weekly_texts"]

# What a rate looks back on, the week itself included: a quarter.
WEEKS = 13
_COUNTS = ("units_sold", "units_returned", "contacts", "texts", "negative_texts")
_KEY = ["product_id", "week"]
_MICROSECONDS_PER_DAY = 86_400_000_000
# A 95 % interval of the normal distribution.
_Z = 1.959963984540054


def weekly_sales(lines: Frame, as_of: datetime, backend: Backend, *, time_zone: str) -> Frame:
    """product_id, week, units_sold and units_returned of order lines of whole customers."""
    known = settled(_until(lines, "ordered_at", as_of), backend)
    sold = known["line_type"] == "sale"
    returned = known["line_type"] == "return"
    counted = known.assign(
        units_sold=known["quantity"].where(sold, 0),
        units_returned=(-known["quantity"]).where(returned, 0),
    )
    return _weekly(counted[sold | returned], "ordered_at", time_zone, backend)


def weekly_contacts(cases: Frame, as_of: datetime, backend: Backend, *, time_zone: str) -> Frame:
    """product_id, week and contacts: the cases opened about each product."""
    return _weekly(
        _until(cases, "opened_at", as_of).assign(contacts=1), "opened_at", time_zone, backend
    )


def weekly_texts(scored: Frame, as_of: datetime, backend: Backend, *, time_zone: str) -> Frame:
    """product_id, week, texts and negative_texts of rows of `text_sentiment` that have a score."""
    said = _until(scored[scored["label"].notna()], "created_at", as_of)
    counted = said.assign(texts=1, negative_texts=(said["label"] == "negative").astype("int64"))
    return _weekly(counted, "created_at", time_zone, backend)


def product_quality(counts: Sequence[Frame], categories: Frame, backend: Backend) -> Frame:
    """The columns of contract `product_quality`, a row for each product and week with any count.

    `counts` are frames of `weekly_sales`, `weekly_contacts` and `weekly_texts` of any parts of
    the data; `categories` has product_id and category. Rates look back over `WEEKS` weeks. The
    interval of the return rate is Wilson's (1927) at 95 %: where it lies above the category's
    rate, more comes back than chance explains. Rows are sorted by product and week.
    """
    table = backend.frames.concat([part.reindex(columns=[*_KEY, *_COUNTS]) for part in counts])
    if not len(table):
        return backend.empty(contract("product_quality"))
    table = table.fillna(dict.fromkeys(_COUNTS, 0)).astype(dict.fromkeys(_COUNTS, "int64"))
    table = table.groupby(_KEY, sort=True)[list(_COUNTS)].sum().reset_index()
    table = table.merge(categories, on="product_id", how="left").sort_values(
        _KEY, ignore_index=True
    )
    own = _Rates.of(table, "product_id", backend)
    table = table.assign(
        units_sold_last_13_weeks=own.sold,
        units_returned_last_13_weeks=own.returned,
        return_rate=own.return_rate,
        contacts_per_1000_sold=own.contacts_per_1000_sold,
        negative_share=own.negative_share,
    )
    low, high = _interval(own.returned, own.sold, backend)
    table = table.assign(return_rate_low=low, return_rate_high=high)
    return backend.cast(_beside_category(table, backend), contract("product_quality"))


@dataclass(frozen=True, kw_only=True)
class _Rates:
    """One entry a row of a table of counts: sums and rates of the weeks up to its own."""

    sold: Array
    returned: Array
    return_rate: Array
    contacts_per_1000_sold: Array
    negative_share: Array

    @classmethod
    def of(cls, table: Frame, name: str, backend: Backend) -> "_Rates":
        """Those of a table in order of `name` and week, with each pair once."""
        xp = backend.xp
        codes, week = xp.asarray(table[name].factorize()[0]), backend.as_bits(table["week"])
        sums = _trailing_sums(
            codes.astype("int64"),
            week // (7 * _MICROSECONDS_PER_DAY),
            {count: backend.as_bits(table[count]) for count in _COUNTS},
            backend,
        )
        return cls(
            sold=sums["units_sold"],
            returned=sums["units_returned"],
            return_rate=_share(sums["units_returned"], sums["units_sold"], backend),
            contacts_per_1000_sold=1000 * _share(sums["contacts"], sums["units_sold"], backend),
            negative_share=_share(sums["negative_texts"], sums["texts"], backend),
        )


def _trailing_sums(
    group: Array, week: Array, counts: dict[str, Array], backend: Backend
) -> dict[str, Array]:
    """Each count, summed over the rows of the same group in the `WEEKS` weeks up to the row's.

    Rows lie in order of group and week, weeks as whole numbers.
    """
    xp = backend.xp
    span = int(week.max() - week.min()) + WEEKS + 1
    place = group * span + (week - week.min())
    # A group's places begin WEEKS behind the last of the group before: a look back stays inside.
    first = xp.searchsorted(place, place - (WEEKS - 1))
    found = {}
    for name, values in counts.items():
        so_far = xp.concatenate([xp.zeros(1, dtype=values.dtype), xp.cumsum(values)])
        found[name] = so_far[1:] - so_far[first]
    return found


def _beside_category(table: Frame, backend: Backend) -> Frame:
    """The table with the rates of each row's category in the same weeks; null without one."""
    key = ["category", "week"]
    known = table[table["category"].notna()]
    whole = known.groupby(key, sort=True)[list(_COUNTS)].sum().reset_index()
    names = ("return_rate", "contacts_per_1000_sold", "negative_share")
    if not len(whole):
        return table.assign(**{f"category_{name}": np.nan for name in names})
    rates = _Rates.of(whole, "category", backend)
    beside = whole[key].assign(**{f"category_{name}": getattr(rates, name) for name in names})
    return table.merge(beside, on=key, how="left").sort_values(_KEY, ignore_index=True)


def _interval(count: Array, total: Array, backend: Backend) -> tuple[Array, Array]:
    """Wilson's interval of the share count / total; NaN where the total is nothing."""
    xp = backend.xp
    share, square = _share(xp.minimum(count, total), total, backend), _Z * _Z
    whole = xp.maximum(total, 1)
    middle = share + square / (2 * whole)
    spread = _Z * xp.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    low, high = ((middle + end) / (1 + square / whole) for end in (-spread, spread))
    # Rounding must not lead out of what a share can be.
    return xp.where(share == 0, 0.0, low), xp.where(share == 1, 1.0, high)


def _share(part: Array, whole: Array, backend: Backend) -> Array:
    """part / whole; NaN where the whole is nothing."""
    xp = backend.xp
    return xp.where(whole > 0, part / xp.maximum(whole, 1), xp.nan)


def _until(frame: Frame, time: str, as_of: datetime) -> Frame:
    """Rows that name a product, of no later than the moment."""
    there = frame["product_id"].notna() & (frame[time] <= np.datetime64(as_of, "us"))
    return frame[there].reset_index(drop=True)


def _weekly(frame: Frame, time: str, time_zone: str, backend: Backend) -> Frame:
    """The frame's counts by product and week."""
    week = _week(business_day(frame[time], time_zone), backend)
    counts = [name for name in _COUNTS if name in frame.columns]
    return frame.assign(week=week).groupby(_KEY, sort=True)[counts].sum().reset_index()


def _week(days: Series, backend: Backend) -> Series:
    """The Monday of each day."""
    number = backend.as_bits(days) // _MICROSECONDS_PER_DAY
    times = backend.frames.Series(mondays(number) * _MICROSECONDS_PER_DAY, index=days.index)
    return times.astype(np.dtype("datetime64[us]"))
