"""Paths: what was looked at before a purchase, and before a visit that left its cart behind."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.durations import MICROSECOND, length_of
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds, times_of
from gpu_pipeline.kernels import order_of, rows_of_runs, run_starts, segment_sums
from gpu_pipeline.labels import Labels
from gpu_pipeline.ordering import Rows, in_pieces

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["abandoned_pages", "path_summary", "purchase_paths"]

_VIEW, _CART, _PURCHASE = "view", "cart", "purchase"
_SECOND = 1_000_000  # microseconds
_Find = Callable[..., Frame]
_Table = TypeVar("_Table", Frame, "dd.DataFrame")


def purchase_paths(
    frame: _Table,
    *,
    last: int = 5,
    within: str | timedelta = "30d",
    customer: str = "customer_key",
    time: str = "occurred_at",
    event: str = "event_type",
    product: str = "product_id",
) -> _Table:
    """The `last` views of products before each purchase, by the same customer and `within` a time.

    The frame (pandas, cuDF or Dask) has one row an event, in any order, of the types of contract
    clickstream; events without a product are passed over. A view comes before a purchase where
    its time is earlier; of views of one moment the one first in the alphabet counts as the last.

    Columns: the customer, purchased_at (UTC, without zone), the product, position (1 for the last
    view, 2 for the one before it), `viewed_<product>`, seconds_before and is_same_product. A
    purchase that no view came before has no row: `path_summary` counts it. Rows come in order of
    customer, time, product and position; of a Dask frame in each partition, with customers
    brought together.

    Raises:
        PipelineError: a column is not there, an event has no customer or time, `last` is below 1,
            or `within` is no length of time.
    """
    path = _Path.of(last, within)
    columns = _Columns(customer, time, event, product)
    return _on_whole(frame, columns, partial(_purchase_paths, columns=columns, path=path))


def path_summary(
    frame: _Table,
    *,
    last: int = 5,
    within: str | timedelta = "30d",
    customer: str = "customer_key",
    time: str = "occurred_at",
    event: str = "event_type",
    product: str = "product_id",
) -> Frame:
    """What `purchase_paths` come to, one row a product that was bought, in order of the products.

    Columns: the product; purchases; after_views, the purchases with a view before them; views,
    all of these together; after_own_views, the purchases with a view of the same product among
    them; median_seconds, from the last of these to the purchase (null where there is none).

    Takes and raises what `purchase_paths` does; of a Dask frame the table is computed.
    """
    path = _Path.of(last, within)
    columns = _Columns(customer, time, event, product)
    told: Any = _on_whole(frame, columns, partial(_purchases, columns=columns, path=path))
    purchases: Frame = _computed(told) if hasattr(told, "map_partitions") else told
    by_product = purchases.groupby(product, sort=True)
    table = by_product[["purchases", "after_views", "views", "after_own_views"]].sum()
    medians = by_product["own_seconds"].median()
    return table.assign(median_seconds=medians).reset_index()


def abandoned_pages(
    frame: _Table,
    *,
    last: int = 5,
    session: str = "session_id",
    time: str = "occurred_at",
    event: str = "event_type",
    product: str = "product_id",
) -> _Table:
    """The `last` views of each session that has a cart event and no purchase.

    The frame has one row an event with the session it lies in, as `purchase_paths` takes it;
    views of pages without a product count too. Columns: the session, ended_at (its last event),
    position (1 for the last view; of one moment's the first in the alphabet), the product (null
    for other pages) and seconds_before that end. Rows come in order of session and position.

    Raises:
        PipelineError: a column is not there, an event has no session or time, or `last` is
            below 1.
    """
    path = _Path.of(last, timedelta.max)
    columns = _Columns(session, time, event, product)
    return _on_whole(frame, columns, partial(_abandoned, columns=columns, path=path))


class _Columns(NamedTuple):
    """Which column says whose, when, what and about which product."""

    whose: str
    time: str
    event: str
    product: str


class _Path(NamedTuple):
    """How many views, and how many microseconds back."""

    last: int
    within: int

    @classmethod
    def of(cls, last: int, within: str | timedelta) -> "_Path":
        if last < 1:
            message = f"last={last}: a path has one view at least."
            raise PipelineError(message)
        return cls(last, length_of(within, "length of a path") // MICROSECOND)


def _on_whole(frame: _Table, columns: _Columns, find: _Find) -> _Table:
    """What is found in a held frame, or in each partition of a Dask frame."""
    missing = [name for name in columns if name not in list(frame.columns)]
    if missing:
        there = ", ".join(map(str, list(frame.columns)))
        message = f"No column {', '.join(missing)} among the events' {there}."
        raise PipelineError(message)
    events: Any = frame[list(columns)]
    if hasattr(frame, "map_partitions"):
        found: Any = _on_partitions(events, columns, find)
    else:
        found = find(events.reset_index(drop=True))
    return cast("_Table", found)


def _on_partitions(events: "dd.DataFrame", columns: _Columns, find: _Find) -> "dd.DataFrame":
    if events.npartitions > 1:
        events = events.shuffle(on=[columns.whose])
    # Partitions are worked on side by side already.
    meta = find(events._meta, threads=1)
    parts: dd.DataFrame = events.map_partitions(_of_partition, find, meta=meta)
    return parts


def _computed(table: "dd.DataFrame") -> Frame:
    held: Frame = table.compute()
    return held


def _of_partition(frame: Frame, find: _Find) -> Frame:
    return find(frame.reset_index(drop=True), threads=1)


@dataclass(frozen=True)
class _Events:
    """The events as arrays, one entry a row.

    `product` are codes, that of no product last; `kind` is a number for each event type.
    """

    whose: Array
    time: Array
    product: Labels
    kind: Array

    @classmethod
    def of(
        cls, frame: Frame, columns: _Columns, kinds: Sequence[str], backend: Backend
    ) -> "_Events":
        """The events of these kinds, numbered from 0, and the others as -1."""
        xp = backend.xp
        kind = xp.full(len(frame), -1, dtype=xp.int64)
        for number, name in enumerate(kinds):
            kind[xp.asarray((frame[columns.event] == name).fillna(value=False).values)] = number
        return cls(
            whose=customer_codes(frame[columns.whose], columns.whose, backend),
            time=microseconds(frame[columns.time], columns.time, backend),
            product=Labels.of(frame[columns.product], backend),
            kind=kind,
        )


@dataclass(frozen=True)
class _Found:
    """Views on paths: one entry an anchor (a purchase, or the end of a session), one a view.

    `anchor` are rows of events and `ends` their times; `of` says to which anchor a view belongs,
    `view` its row, `position` its place from the last one, `before` the microseconds between.
    """

    anchor: Array
    ends: Array
    of: Array
    view: Array
    position: Array
    before: Array

    @classmethod
    def joined(cls, parts: Sequence["_Found"], xp: ModuleType) -> "_Found":
        """Those of all parts, one after the other."""
        behind, before = [], 0
        for part in parts:
            behind.append(part.of + before)
            before += len(part.anchor)
        return cls(
            anchor=xp.concatenate([part.anchor for part in parts]),
            ends=xp.concatenate([part.ends for part in parts]),
            of=xp.concatenate(behind),
            view=xp.concatenate([part.view for part in parts]),
            position=xp.concatenate([part.position for part in parts]),
            before=xp.concatenate([part.before for part in parts]),
        )


def _purchase_paths(
    frame: Frame, *, columns: _Columns, path: _Path, threads: int | None = None
) -> Frame:
    backend = Backend.of(frame)
    events, found = _paths_to_purchases(frame, columns, path, backend, threads)
    row, codes = found.anchor[found.of], events.product.codes
    return backend.frames.DataFrame(
        {
            columns.whose: _taken(frame[columns.whose], row),
            "purchased_at": times_of(found.ends[found.of], backend),
            columns.product: _taken(frame[columns.product], row),
            "position": found.position,
            f"viewed_{columns.product}": _taken(frame[columns.product], found.view),
            "seconds_before": found.before / _SECOND,
            "is_same_product": codes[row] == codes[found.view],
        }
    )


def _purchases(
    frame: Frame, *, columns: _Columns, path: _Path, threads: int | None = None
) -> Frame:
    """One row a purchase: what its path comes to."""
    backend = Backend.of(frame)
    xp = backend.xp
    events, found = _paths_to_purchases(frame, columns, path, backend, threads)
    count, codes = len(found.anchor), events.product.codes
    views = xp.bincount(found.of, minlength=count).astype(xp.int64)
    # Positions ascend: the first one of an anchor is its last view of the product.
    own = xp.flatnonzero(codes[found.anchor[found.of]] == codes[found.view])
    own = own[run_starts([found.of[own]], xp)]
    seconds = xp.full(count, xp.nan)
    seconds[found.of[own]] = found.before[own] / _SECOND
    return backend.frames.DataFrame(
        {
            columns.product: _taken(frame[columns.product], found.anchor),
            "purchases": xp.ones(count, dtype=xp.int64),
            "after_views": (views > 0).astype(xp.int64),
            "views": views,
            "after_own_views": (~xp.isnan(seconds)).astype(xp.int64),
            "own_seconds": seconds,
        }
    )


def _abandoned(
    frame: Frame, *, columns: _Columns, path: _Path, threads: int | None = None
) -> Frame:
    backend = Backend.of(frame)
    events = _Events.of(frame, columns, (_VIEW, _CART, _PURCHASE), backend)
    every = backend.xp.arange(len(frame))
    of_piece = partial(_paths_to_ends, path=path, xp=backend.xp)
    found = _found(events, every, of_piece, backend, threads)
    return backend.frames.DataFrame(
        {
            columns.whose: _taken(frame[columns.whose], found.view),
            "ended_at": times_of(found.ends[found.of], backend),
            "position": found.position,
            columns.product: _taken(frame[columns.product], found.view),
            "seconds_before": found.before / _SECOND,
        }
    )


def _taken(values: Series, rows: Array) -> Series:
    return values.take(rows).reset_index(drop=True)


def _paths_to_purchases(
    frame: Frame, columns: _Columns, path: _Path, backend: Backend, threads: int | None
) -> tuple[_Events, _Found]:
    events = _Events.of(frame, columns, (_VIEW, _PURCHASE), backend)
    kept = (events.kind >= 0) & (events.product.codes < len(events.product.texts))
    of_piece = partial(_paths_to_anchors, path=path, xp=backend.xp)
    return events, _found(events, backend.xp.flatnonzero(kept), of_piece, backend, threads)


def _found(
    events: _Events,
    kept: Array,
    of_piece: Callable[[Rows], _Found],
    backend: Backend,
    threads: int | None,
) -> _Found:
    """The paths of the events that are kept, piece by piece; anchors in order of whose and time."""
    xp, known = backend.xp, len(events.product.texts)
    codes, kind = events.product.codes[kept], events.kind[kept]
    # In a moment views come last, the product first in the alphabet behind the others.
    tie = xp.where(kind == 0, 2 * known + 1 - codes, codes)
    columns = (events.whose[kept], events.time[kept], tie, kind)

    def paths(parts: Sequence[Rows]) -> _Found:
        rows = Rows.joined(parts, xp).in_order(backend)
        rows = _ties_settled(rows, xp)
        return of_piece(replace(rows, places=kept[rows.places]))

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        found = list(pool.map(paths, in_pieces(columns, backend, pool.map)))
    return _Found.joined(found, xp)


def _ties_settled(rows: Rows, xp: ModuleType) -> Rows:
    """The rows of one moment of one customer in order of their third column."""
    whose, time, tie, *_ = rows.columns
    again = (whose[1:] == whose[:-1]) & (time[1:] == time[:-1])
    if not bool(again.any()):
        return rows
    first = xp.concatenate([xp.ones(1, dtype=bool), ~again])
    tied = ~first
    tied[:-1] |= again
    place = xp.flatnonzero(tied)
    order = xp.arange(len(whose))
    order[place] = place[order_of([xp.cumsum(first)[place], tie[place]], xp)]
    return rows.at(order)


def _paths_to_anchors(rows: Rows, path: _Path, xp: ModuleType) -> _Found:
    """The paths that end with a row that is no view."""
    whose, time, _, kind = rows.columns
    is_view = kind == 0
    starts = run_starts([whose], xp)
    so_far = xp.cumsum(is_view)
    before_customer = xp.repeat((so_far - is_view)[starts], _lengths(starts, len(whose), xp))
    anchor = xp.flatnonzero(~is_view)
    available = so_far[anchor] - before_customer[anchor]
    return _last_views(rows, anchor, time[anchor], so_far[anchor], available, path, xp)


def _paths_to_ends(rows: Rows, path: _Path, xp: ModuleType) -> _Found:
    """The paths that end with a session that has a cart and no purchase."""
    whose, time, _, kind = rows.columns
    starts = run_starts([whose], xp)
    views, carts, purchases = (
        segment_sums((kind == number).astype(xp.int64), starts, xp) for number in range(3)
    )
    stops = starts + _lengths(starts, len(whose), xp)
    kept = (carts > 0) & (purchases == 0)
    anchor, so_far = stops[kept] - 1, xp.cumsum(views)[kept]
    return _last_views(rows, anchor, time[anchor], so_far, views[kept], path, xp)


def _lengths(starts: Array, rows: int, xp: ModuleType) -> Array:
    return xp.diff(xp.concatenate([starts, xp.asarray([rows])]))


def _last_views(
    rows: Rows,
    anchor: Array,
    ends: Array,
    so_far: Array,
    available: Array,
    path: _Path,
    xp: ModuleType,
) -> _Found:
    """The last of the views up to each anchor; `so_far` counts all views up to it."""
    _, time, _, kind = rows.columns
    views = xp.flatnonzero(kind == 0)
    count = xp.minimum(available, path.last)
    of = xp.repeat(xp.arange(len(anchor)), count)
    back = rows_of_runs(xp.zeros(len(anchor), dtype=xp.int64), count, xp)
    view = views[so_far[of] - 1 - back]
    before = ends[of] - time[view]
    near = before <= path.within
    return _Found(
        anchor=rows.places[anchor],
        ends=ends,
        of=of[near],
        view=rows.places[view[near]],
        position=back[near] + 1,
        before=before[near],
    )
