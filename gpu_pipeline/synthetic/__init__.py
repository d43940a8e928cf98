"""A seeded tech shop with known truth: landing files of every source, at any size.

Customers of four planted segments place orders whose days follow a planted demand; visits, texts,
support cases and stock are derived from those orders, so that every key and amount agrees.

Inside, money is integer cents, a moment is seconds since 1970 (UTC), a choice is a code into
labels, and -1 stands for none. One spawned random stream a part: more draws in one part leave the
others as they were. Bytes repeat on any machine and any thread count, given the same versions of
NumPy, PyArrow and zlib.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import ConfigError
from gpu_pipeline.synthetic.columns import Ints, labels
from gpu_pipeline.synthetic.landing import FLAWS, damaged, write
from gpu_pipeline.synthetic.shop import (
    Span,
    catalogue,
    expected_demand,
    product_table,
    promotion_table,
)
from gpu_pipeline.synthetic.stock import inventory_table, rate_table
from gpu_pipeline.synthetic.trade import (
    SEGMENTS,
    World,
    customer_ids,
    customer_table,
    draw_orders,
    draw_people,
    draw_sales,
    draw_sign_ups,
    order_table,
)
from gpu_pipeline.synthetic.visits import clickstream_table
from gpu_pipeline.synthetic.voices import (
    MOODS,
    Voice,
    feedback_voice,
    review_voice,
    social_voice,
    support_voice,
)

__all__ = ["FILES", "Truth", "generate"]

FILES: Mapping[str, str] = {
    "customers": "customers.csv",
    "products": "products.csv",
    "orders": "orders.csv.gz",
    "clickstream": "clickstream.parquet",
    "reviews": "reviews.jsonl",
    "feedback": "feedback.jsonl",
    "social": "social.jsonl.gz",
    "support": "support.jsonl",
    "inventory": "inventory.csv",
    "fx_rates": "fx_rates.csv",
    "promotions": "promotions.csv",
}
_PARTS = (
    *("catalogue", "demand", "people", "orders", "sales", "lines", "customers", "visits"),
    *("reviews", "feedback", "social", "support", "stock", "rates", "damage"),
)
_FEWEST_CUSTOMERS = 100
_FEWEST_DAYS = 28


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What was planted, in counts; the details lie as Parquet files in `directory`/truth."""

    directory: Path
    rows: Mapping[str, int]  # records of each source's file, damaged ones and repeats included
    segments: Mapping[str, int]  # customers
    texts: int
    identifiers: int  # texts that hold an e-mail, phone, card, IP or IBAN
    damaged: Mapping[str, int]  # records of each kind of damage, all files together
    turned_product: str  # what people say about it turns bad
    turned_at: datetime  # from here on; UTC, tz-naive


def generate(
    directory: Path,
    *,
    customers: int,
    days: int,
    seed: int,
    until: date = date(2026, 6, 30),
    damage: float = 0.01,
) -> Truth:
    """Writes a landing file for every source, and what was planted in them under `truth/`.

    The shop is open for `days` days up to and with `until`. `damage` is the fraction of the rows
    of orders, clickstream and reviews that are damaged, at least one row of each kind; 0 is a
    clean shop. A return's money is its negative quantity; `refunded` is goodwill on a sale.

    In truth/, as Parquet: customers (customer_id, segment); products (product_id, weekly_profile
    from Monday with mean 1, annual_trend, sentiment_level, return_rate, sentiment_turns_at); texts
    (source, id, sentiment, and `planted`: the identifier of a person in it); damage (file, record
    number from 1 with the header not counted, kind).

    Raises:
        ConfigError: fewer than 100 customers or 28 days, a negative seed, or damage outside 0..0.5.
        OSError: the directory can't be made or written.
    """
    _check(customers=customers, days=days, seed=seed, damage=damage)
    streams = np.random.SeedSequence(seed).spawn(len(_PARTS))
    rng = {part: np.random.default_rng(one) for part, one in zip(_PARTS, streams, strict=True)}
    world = _world(customers, days, until, rng)
    voices = {
        "reviews": review_voice(world, rng["reviews"]),
        "feedback": feedback_voice(world, rng["feedback"]),
        "social": social_voice(world, rng["social"]),
        "support": support_voice(world, rng["support"]),
    }
    tables = {
        "customers": customer_table(world, rng["customers"]),
        "products": product_table(world.span, world.shop),
        "orders": order_table(world, rng["lines"]),
        "clickstream": clickstream_table(world, rng["visits"]),
        "inventory": inventory_table(world, rng["stock"]),
        "fx_rates": rate_table(world.span, rng["rates"]),
        "promotions": promotion_table(world.span, world.shop),
        **{name: voice.table for name, voice in voices.items()},
    }
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    flaws: dict[str, dict[str, Ints]] = {}
    for name, file in FILES.items():
        table = tables[name].select(contract(name).landing_columns)
        tables[name], flaws[name] = damaged(table, FLAWS.get(name, ()), damage, rng["damage"])
        write(directory / file, tables[name], broken=flaws[name].get("broken"))
    return _write_truth(directory, world, tables, voices, flaws)


def _check(*, customers: int, days: int, seed: int, damage: float) -> None:
    settings = (
        ("customers", customers, f"{_FEWEST_CUSTOMERS} or more", customers >= _FEWEST_CUSTOMERS),
        ("days", days, f"{_FEWEST_DAYS} or more", days >= _FEWEST_DAYS),
        ("seed", seed, "0 or more", seed >= 0),
        ("damage", damage, "a fraction from 0 to 0.5", 0 <= damage <= 0.5),
    )
    faults = [f"{name} is {found}, not {wanted}" for name, found, wanted, ok in settings if not ok]
    if faults:
        message = f"This shop can't be generated: {'; '.join(faults)}."
        raise ConfigError(message)


def _world(customers: int, days: int, until: date, rng: Mapping[str, np.random.Generator]) -> World:
    closes = datetime.combine(until + timedelta(days=1), time(), UTC)
    span = Span(opens=int((closes - timedelta(days=days)).timestamp()), days=days)
    shop = catalogue(span, customers, rng["catalogue"])
    demand = expected_demand(span, shop, rng["demand"])
    people = draw_people(span, customers, rng["people"])
    orders = draw_orders(span, demand, people, rng["orders"])
    signed_up = draw_sign_ups(span, people, orders, rng["people"])
    sales = draw_sales(span, shop, demand, orders, rng["sales"])
    return World(span, shop, demand, people, signed_up, orders, sales)


def _write_truth(
    directory: Path,
    world: World,
    tables: Mapping[str, pa.Table],
    voices: Mapping[str, Voice],
    flaws: Mapping[str, Mapping[str, Ints]],
) -> Truth:
    truth = {
        "customers": _customer_truth(world),
        "products": _product_truth(world),
        "texts": pa.concat_tables([_text_truth(name, voice) for name, voice in voices.items()]),
        "damage": _damage_truth(flaws),
    }
    folder = directory / "truth"
    folder.mkdir(exist_ok=True)
    for name, table in truth.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    return Truth(
        directory=directory,
        rows={name: table.num_rows for name, table in tables.items()},
        segments=_counts(truth["customers"]["segment"]),
        texts=truth["texts"].num_rows,
        identifiers=truth["texts"].num_rows - truth["texts"]["planted"].null_count,
        damaged=_counts(truth["damage"]["kind"]),
        turned_product=world.shop.ids[world.shop.turned],
        turned_at=datetime.fromtimestamp(world.span.turns, UTC).replace(tzinfo=None),
    )


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return dict(sorted(Counter(column.to_pylist()).items()))


def _customer_truth(world: World) -> pa.Table:
    segment = world.people.segment
    return pa.table(
        {
            "customer_id": customer_ids(np.arange(len(segment))),
            "segment": labels([one.name for one in SEGMENTS], segment),
        }
    )


def _product_truth(world: World) -> pa.Table:
    shop = world.shop
    turns = np.full(len(shop), None, dtype=object)
    turns[shop.turned] = datetime.fromtimestamp(world.span.turns, UTC)
    return pa.table(
        {
            "product_id": pa.array(shop.ids),
            "weekly_profile": pa.array(list(shop.week)),  # Monday first, mean 1
            "annual_trend": pa.array(shop.annual_trend),
            "sentiment_level": pa.array(shop.level),
            "return_rate": pa.array(shop.return_rate),
            "sentiment_turns_at": pa.array(turns, pa.timestamp("us", "UTC")),
        }
    )


def _text_truth(source: str, voice: Voice) -> pa.Table:
    return pa.table(
        {
            "source": labels([source], np.zeros_like(voice.mood)),
            "id": voice.ids,
            "sentiment": labels(MOODS, voice.mood),
            "planted": voice.planted,
        }
    )


def _damage_truth(flaws: Mapping[str, Mapping[str, Ints]]) -> pa.Table:
    found = [
        (FILES[name], record, kind)
        for name, kinds in flaws.items()
        for kind, records in kinds.items()
        for record in records.tolist()
    ]
    file, record, kind = zip(*sorted(found), strict=True) if found else ((), (), ())
    return pa.table(
        {
            "file": pa.array(file, pa.string()),
            "record": pa.array(record, pa.int64()),
            "kind": pa.array(kind, pa.string()),
        }
    )
