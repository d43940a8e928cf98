"""What was planted, as tables: what the product is to find."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pipeline.contracts import contract
from gpu_pipeline.synthetic.bots import BOT_KINDS
from gpu_pipeline.synthetic.columns import DAY, Ints, labels
from gpu_pipeline.synthetic.damage import PERSONAL, Flaw
from gpu_pipeline.synthetic.delivery import Delivery
from gpu_pipeline.synthetic.identifiers import IDENTIFIERS
from gpu_pipeline.synthetic.orders import FRAUDS
from gpu_pipeline.synthetic.people import CONSENTS, COUNTRIES, NEVER, SEGMENTS
from gpu_pipeline.synthetic.phrases import ASPECTS
from gpu_pipeline.synthetic.shop import LIFT, Catalogue
from gpu_pipeline.synthetic.span import Span
from gpu_pipeline.synthetic.stockouts import LOCATIONS
from gpu_pipeline.synthetic.visits import Clickstream
from gpu_pipeline.synthetic.voices import MOODS, Voice
from gpu_pipeline.synthetic.world import World

_MOMENT = pa.timestamp("us", "UTC")
Tables = dict[str, pa.Table]


class TruthFolder:
    """The tables as Parquet files, written as they come, a piece of each table a cell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> "TruthFolder":
        self._folder.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def add(self, tables: Tables) -> None:
        """More rows of these tables."""
        for name, table in tables.items():
            if name not in self._writers:
                path = self._folder / f"{name}.parquet"
                self._writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
            if table.num_rows:
                self._writers[name].write_table(table)


def shop_truth(span: Span, shop: Catalogue, lost: Ints) -> Tables:
    """What all cells share; `lost` are the units that each stock-out cost."""
    return {
        "products": _products(span, shop),
        "sentiment_shifts": _shifts(shop),
        "promotions": _promotions(span, shop),
        "stockouts": _stockouts(span, shop, lost),
    }


def cell_truth(world: World, clicks: Clickstream, voices: Mapping[str, Voice]) -> Tables:
    """Of the customers of one cell."""
    return {
        "customers": _customers(world),
        "changes": pa.concat_tables([*_account_changes(world), _price_changes(world)]),
        "frauds": _frauds(world),
        "bots": _bots(clicks),
        "texts": pa.concat_tables([_texts(name, voice) for name, voice in voices.items()]),
    }


class _Places:
    """Where the rows of a delivery stand: file and record number, from 1."""

    def __init__(self, delivery: Delivery, names: Sequence[str]) -> None:
        files = delivery.files()
        self._names = names
        self._first = np.array([start for _, start, _ in files], np.int64)

    def of(self, row: Ints) -> Tables:
        """The columns that say so."""
        number = np.searchsorted(self._first, row, side="right") - 1
        record = row - self._first[number] + 1
        return {"file": labels(self._names, number), "record": pa.array(record, pa.int64())}


def delivery_truth(delivery: Delivery, flaws: Sequence[Flaw], names: Sequence[str]) -> Tables:
    """Which record of which file is damaged, names a person, or comes late.

    `names` are those of the delivery's files, in order.
    """
    places = _Places(delivery, names)
    return {
        "damage": _damage(delivery, flaws, places),
        "identifiers": _identifiers(delivery, flaws, places),
        "late": _late(delivery, places),
    }


def _customers(world: World) -> pa.Table:
    people, orders = world.people, world.orders
    last = np.zeros(len(people), np.int64)
    known = orders.customer >= 0
    np.maximum.at(last, orders.customer[known], orders.at[known])
    return pa.table(
        {
            "customer_id": people.ids(np.arange(len(people))),
            "segment": labels([one.name for one in SEGMENTS], people.segment),
            "left_at": _moments(np.where(people.leaves, last, -1)),
        }
    )


def _account_changes(world: World) -> Iterable[pa.Table]:
    accounts = world.accounts
    turned = 1 - accounts.consent
    for column, names, at, before, after in (
        ("marketing_consent", CONSENTS, accounts.consent_changed, accounts.consent, turned),
        ("country", COUNTRIES, accounts.moved, accounts.country, accounts.next_country),
    ):
        who = np.flatnonzero(at < NEVER)
        ids = world.people.ids(who)
        values = (labels(names, before[who]), labels(names, after[who]))
        yield _changes("customers", ids, at[who], column, *values)


def _price_changes(world: World) -> pa.Table:
    """In the first cell's part: there is one catalogue."""
    span, shop = world.span, world.shop
    reduced = np.flatnonzero((shop.reduced_day < span.days) & (world.cell == 0))
    at = span.opens + shop.reduced_day[reduced] * DAY
    prices = (shop.price[reduced], shop.reduced_price[reduced])
    texts = [pa.array([f"{cents / 100:.2f}" for cents in price], pa.string()) for price in prices]
    return _changes("products", labels(shop.ids, reduced), at, "price", *texts)


def _changes(
    source: str, ids: pa.Array, at: Ints, column: str, before: pa.Array, after: pa.Array
) -> pa.Table:
    return pa.table(
        {
            "source": _repeated(source, len(at)),
            "id": ids,
            "updated_at": _moments(at),
            "column": _repeated(column, len(at)),
            "before": before,
            "after": after,
        }
    )


def _frauds(world: World) -> pa.Table:
    orders = world.orders
    order = np.flatnonzero(orders.fraud >= 0)
    return pa.table(
        {
            "order_id": world.order_ids(order),
            "customer_id": world.people.ids(orders.customer[order]),
            "kind": labels(FRAUDS, orders.fraud[order]),
        }
    )


def _bots(clicks: Clickstream) -> pa.Table:
    bots = clicks.bots
    return pa.table(
        {
            "visitor_id": clicks.bot_ids,
            "kind": labels(BOT_KINDS, bots.kind),
            "events": pa.array(clicks.bot_events),
            "interval_seconds": pa.array(bots.interval_seconds),
            "since": _moments(bots.starts),
        }
    )


def _texts(source: str, voice: Voice) -> pa.Table:
    return pa.table(
        {
            "source": _repeated(source, len(voice.mood)),
            "id": voice.ids,
            "sentiment": labels(MOODS, voice.mood),
            "planted": voice.planted.value,
        }
    )


def _products(span: Span, shop: Catalogue) -> pa.Table:
    turns = np.full(len(shop), -1)
    turns[shop.turned] = shop.shifts.since[0]
    return pa.table(
        {
            "product_id": pa.array(shop.ids),
            "weekly_profile": pa.array(list(shop.week)),  # Monday first, mean 1
            "annual_profile": pa.array(list(shop.year)),  # January first, mean 1
            "annual_trend": pa.array(shop.annual_trend),
            "sentiment_level": pa.array(shop.level),
            "return_rate": pa.array(shop.return_rate),
            "sentiment_turns_at": _moments(turns),
            "launched_at": _moments(span.opens + shop.launch_day * DAY),
        }
    )


def _shifts(shop: Catalogue) -> pa.Table:
    shifts = shop.shifts
    return pa.table(
        {
            "product_id": labels(shop.ids, shifts.product),
            "since": _moments(shifts.since),
            "until": _moments(shifts.until),
            "level_before": pa.array(shop.level[shifts.product]),
            "level": pa.array(shifts.level),
            "aspect": labels(list(ASPECTS), shifts.aspect),
        }
    )


def _promotions(span: Span, shop: Catalogue) -> pa.Table:
    offers = shop.promotions
    starts_at = span.opens + offers.first_day * DAY
    return pa.table(
        {
            "product_id": labels(shop.ids, offers.product),
            "starts_at": _moments(starts_at),
            "ends_at": _moments(starts_at + offers.days * DAY - 1),
            "percent_off": pa.array(offers.percent_off),
            "uplift": pa.array(1 + LIFT * offers.percent_off / 100),
        }
    )


def _stockouts(span: Span, shop: Catalogue, lost: Ints) -> pa.Table:
    outs = shop.stockouts
    return pa.table(
        {
            "product_id": labels(shop.ids, outs.product),
            "location": labels(LOCATIONS, outs.location),
            "since": _moments(span.opens + outs.from_day * DAY),
            "until": _moments(span.opens + outs.until_day * DAY),
            "lost_units": pa.array(lost),
        }
    )


def _damage(delivery: Delivery, flaws: Sequence[Flaw], places: _Places) -> pa.Table:
    row = np.flatnonzero(delivery.flaw >= 0)
    code, of = delivery.flaw[row], contract(delivery.feed.source)
    outcomes = [flaw.expected(of) for flaw in flaws]
    return pa.table(
        {
            **places.of(row),
            "kind": labels([flaw.kind for flaw in flaws], code),
            "column": _named([", ".join(flaw.columns) or None for flaw in flaws], code),
            "outcome": labels([outcome for outcome, _ in outcomes], code),
            "reason": _named([reason for _, reason in outcomes], code),
        }
    )


def _identifiers(delivery: Delivery, flaws: Sequence[Flaw], places: _Places) -> pa.Table:
    """Those planted in texts, and those that stand where an id should."""
    feed, parts = delivery.feed, []
    for code, flaw in enumerate(flaws):
        if flaw.kind == PERSONAL:
            row, (column,) = np.flatnonzero(delivery.flaw == code), flaw.columns
            kind = "email" if "@" in (flaw.value or "") else "phone"
            value = feed.table[column].take(pa.array(row)).combine_chunks()
            parts.append(_identifier_rows(places, row, column, _repeated(kind, len(row)), value))
    if feed.planted is not None:
        row = np.flatnonzero(feed.planted.kind >= 0)
        kinds, value = feed.planted.kind[row], feed.planted.value.take(pa.array(row))
        column = feed.planted.column
        parts.append(_identifier_rows(places, row, column, labels(IDENTIFIERS, kinds), value))
    nothing = pa.nulls(0, pa.string())
    return pa.concat_tables(
        [_identifier_rows(places, np.zeros(0, np.int64), "", nothing, nothing), *parts]
    )


def _identifier_rows(
    places: _Places, row: Ints, column: str, kind: pa.Array, value: pa.Array
) -> pa.Table:
    columns = {"column": _repeated(column, len(row)), "kind": kind, "value": value}
    return pa.table({**places.of(row), **columns})


def _late(delivery: Delivery, places: _Places) -> pa.Table:
    row = np.flatnonzero((delivery.days_late > 0) & (delivery.flaw < 0))
    feed, of = delivery.feed, contract(delivery.feed.source)
    late = delivery.days_late[row]
    return pa.table(
        {
            **places.of(row),
            "source": _repeated(feed.source, len(row)),
            "id": feed.table[_key(feed.source)].take(pa.array(row)).combine_chunks(),
            "happened_at": _moments(feed.at[row]),
            "days_late": pa.array(late),
            "is_beyond_horizon": pa.array(late > of.late_horizon_days),
        }
    )


def _key(source: str) -> str:
    """The landing column that tells one row of a source from another."""
    return next(name for name in (*contract(source).key, "customer_id") if name != "customer_key")


def _moments(seconds: Ints) -> pa.Array:
    return pa.array(seconds, mask=seconds < 0).cast(pa.timestamp("s", "UTC")).cast(_MOMENT)


def _repeated(text: str, count: int) -> pa.Array:
    return pa.array([text], pa.string()).take(pa.array(np.zeros(count, np.int64)))


def _named(names: Sequence[str | None], codes: Ints) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes))
