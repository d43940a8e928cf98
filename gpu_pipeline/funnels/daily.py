"""How far sessions got each day: the table `funnel_daily`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.orders import business_day

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["SESSION_COLUMNS", "daily_funnel"]

_NUMBERS = ("views", "carts", "checkouts", "purchases")
_NEEDED = ("started_at", "bounced", *_NUMBERS)
_TEXTS = ("channel", "device", "currency", "excluded_for")
# What is read of the table sessions.
SESSION_COLUMNS = (*_NEEDED, *_TEXTS, "revenue")
_KEY = ["day", "channel", "device"]
_SUMS = (
    *("sessions", "bounced", "viewed", "carted", "checked_out", "purchased"),
    *("views", "purchases", "revenue"),
)
_UNKNOWN, _NOTHING_PAID = "unknown", ""


def daily_funnel(sessions: "Frame | dd.DataFrame", *, time_zone: str = "UTC") -> Frame:
    """The rows of contract `funnel_daily`, in order of its key, for sessions as `sessionize` gives.

    A session belongs to the day of the `time_zone` on which it began, and to the channel and
    device of its first event ("unknown" where there is none). Those that no person made
    (`excluded_for`) are left out. **A session reached a step when it has an event of this step or
    of a later one**: view, cart, checkout, purchase. So who buys what was in the cart since
    yesterday has reached the cart, each number is at most the one before, and an abandoned cart
    is one that reached the cart and not the purchase.

    The columns channel, device, excluded_for, revenue and currency may be absent. Amounts of
    several currencies are not added: such a row has no revenue.

    Raises:
        PipelineError: a column that counts events is not there: the sessions were made without
            event types.
    """
    missing = [name for name in _NEEDED if name not in sessions.columns]
    if missing:
        message = (
            f"Sessions have no column {', '.join(missing)}: make them with sessionize(…, "
            "event=…), so that views, carts and purchases are counted."
        )
        raise PipelineError(message)
    if not hasattr(sessions, "map_partitions"):
        return _table([_counts(cast("Frame", sessions), time_zone)])
    return _of_dask(cast("dd.DataFrame", sessions), time_zone)


def _of_dask(sessions: "dd.DataFrame", time_zone: str) -> Frame:
    known = sessions[[name for name in SESSION_COLUMNS if name in sessions.columns]]
    return _table(compute(*(delayed(_counts)(part, time_zone) for part in known.to_delayed())))


def _counts(sessions: Frame, time_zone: str) -> Frame:
    """Sums of some sessions by day, channel, device and currency."""
    if "excluded_for" in sessions.columns:
        sessions = sessions[sessions["excluded_for"].isna()]
    reached = dict.fromkeys(_NUMBERS)
    farther = sessions["purchases"] > 0
    for name in reversed(_NUMBERS):
        farther = farther | (sessions[name] > 0)
        reached[name] = farther.astype("int64")
    counted = sessions.assign(
        day=business_day(sessions["started_at"], time_zone),
        sessions=1,
        bounced=sessions["bounced"].astype("int64"),
        viewed=reached["views"],
        carted=reached["carts"],
        checked_out=reached["checkouts"],
        purchased=reached["purchases"],
        revenue=sessions["revenue"] if "revenue" in sessions.columns else 0,
    )
    for name, nothing in zip(_TEXTS[:3], (_UNKNOWN, _UNKNOWN, _NOTHING_PAID), strict=True):
        given = sessions[name].fillna(nothing) if name in sessions.columns else nothing
        counted = counted.assign(**{name: given})
    return _added(counted, [*_KEY, "currency"])


def _added(counted: Frame, key: list[str]) -> Frame:
    return counted.groupby(key, sort=False)[list(_SUMS)].sum().reset_index()


def _table(parts: Sequence[Frame]) -> Frame:
    backend = Backend.of(parts[0])
    by_currency = _added(backend.frames.concat(list(parts), ignore_index=True), [*_KEY, "currency"])
    table = _added(by_currency, _KEY).merge(_currencies(by_currency), on=_KEY, how="left")
    is_one = table["currencies"].fillna(0) <= 1
    carts = table["carted"].astype("float64")
    abandoned = table["carted"] - table["purchased"]
    table = table.assign(
        abandoned_carts=abandoned,
        revenue=table["revenue"].where(is_one, 0),
        currency=table["currency"].where(is_one, None),
        bounce_rate=table["bounced"] / table["sessions"],
        conversion_rate=table["purchased"] / table["sessions"],
        cart_abandonment_rate=abandoned / carts.where(carts > 0),
        pages_per_session=table["views"] / table["sessions"],
    )
    ordered = table.sort_values(_KEY, ignore_index=True)
    return backend.cast(ordered, contract("funnel_daily"))


def _currencies(by_currency: Frame) -> Frame:
    """day, channel, device, a currency in which was paid, and how many of them there are."""
    paid = by_currency[by_currency["currency"] != _NOTHING_PAID].assign(currencies=1)
    counts = paid.groupby(_KEY, sort=False)[["currencies"]].sum().reset_index()
    one = paid[[*_KEY, "currency"]].drop_duplicates(subset=_KEY)
    return counts.merge(one, on=_KEY, how="left")
