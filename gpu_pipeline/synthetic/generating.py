"""Generating: a whole shop into a landing folder, cell by cell, on as many workers as wanted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from gpu_pipeline.errors import ConfigError
from gpu_pipeline.synthetic.cells import MadeCell, make_cell
from gpu_pipeline.synthetic.exports import Landed, export, export_products
from gpu_pipeline.synthetic.rates import WORTH, draw_rates, rate_feed
from gpu_pipeline.synthetic.recipe import Cell, Recipe, cells_of
from gpu_pipeline.synthetic.shop import CURRENCY, catalogue, expected_demand, promotion_feed
from gpu_pipeline.synthetic.span import Span
from gpu_pipeline.synthetic.stock import inventory_feed
from gpu_pipeline.synthetic.truth import TruthFolder, shop_truth
from gpu_pipeline.synthetic.world import Market

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
FILES: Mapping[str, str] = MappingProxyType(
    {
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
)
_ENDINGS = MappingProxyType({"csv": "csv.gz", "jsonl": "jsonl.gz", "parquet": "parquet"})
_TRUTH = "truth"
_FEWEST_CUSTOMERS, _FEWEST_DAYS = 100, 28
_MOST_DAMAGE, _MOST_FRAUD = 0.5, 0.2


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What was planted, in counts; the details lie as Parquet files in `directory`/truth."""

    directory: Path
    rows: Mapping[str, int]  # records of each source's files, damaged ones and repeats included
    segments: Mapping[str, int]  # customers
    texts: int
    identifiers: int  # records that hold an e-mail, phone, card, IP or IBAN
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
    bots: float = 0.01,
    fraud: float = 0.005,
    currencies: Sequence[str] = (CURRENCY,),
    daily: bool = False,
    file_format: Format | None = None,
    workers: int = 1,
) -> Truth:
    """Writes landing files for every source, and what was planted in them under `truth/`.

    The shop is open for `days` days up to and with `until`. `damage` is the fraction of the rows
    of most sources that are damaged, at least one row of each kind; `bots` that of the clicks that
    programs make, `fraud` that of the orders that are fraudulent; 0 is a shop without. Of several
    `currencies` (the shop's own first) the others share 30 % of the orders. A return's money is
    its negative quantity; `refunded` is on a sale.

    A large shop has several files a source, such as ``orders-00001.csv.gz``: of some thousand
    customers each. `daily` makes a folder for each day, such as ``2026-06-30``: a full export of
    customers and products, and of the others what came that day: an order line once it is
    settled, a support case once it is closed, a few clicks weeks late, half of the repeats and
    conflicts in a later day's file. `file_format` is that of all files, else each source has its
    own. The bytes don't depend on `workers`, the number of threads.

    The tables in truth/, as Parquet:

    - customers: customer_id, segment, left_at (the last order of who has stopped, else null)
    - changes: source, id, updated_at, column, before, after (consent, country, price)
    - products: product_id, weekly_profile from Monday and annual_profile from January, both with
      mean 1, annual_trend, sentiment_level (positive texts among positive and negative ones),
      return_rate, sentiment_turns_at, launched_at
    - sentiment_shifts: product_id, since, until, level_before, level, aspect
    - promotions: product_id, starts_at, ends_at, percent_off, uplift (a factor on demand)
    - stockouts: product_id, location, since, until, lost_units
    - bots: visitor_id, kind, events, interval_seconds (of pauses that differ the middle), since
    - frauds: order_id, customer_id, kind
    - texts: source, id, sentiment, planted (the identifier of a person in it)
    - identifiers: file, record, column, kind, value
    - damage: file, record, kind, column, outcome (accepted, rejected, duplicate, conflict), reason
    - late: file, record, source, id, happened_at, days_late, is_beyond_horizon

    A record number counts from 1, the header not counted.

    Raises:
        ConfigError: fewer than 100 customers or 28 days, a negative seed, no worker, a share out
            of its range, or a currency that has no rate, all faults together; or the directory
            holds files that this shop doesn't have, such as those of a larger one.
        OSError: the directory can't be made or written.
    """
    _check(
        ("customers", customers, "100 or more", customers >= _FEWEST_CUSTOMERS),
        ("days", days, "28 or more", days >= _FEWEST_DAYS),
        ("seed", seed, "0 or more", seed >= 0),
        ("damage", damage, "a fraction from 0 to 0.5", 0 <= damage <= _MOST_DAMAGE),
        ("bots", bots, "a fraction from 0 to 1", 0 <= bots <= 1),
        ("fraud", fraud, "a fraction from 0 to 0.2", 0 <= fraud <= _MOST_FRAUD),
        ("currencies", ", ".join(currencies), _known_currencies(), _are_known(currencies)),
        ("workers", workers, "1 or more", workers >= 1),
    )
    ending = _ENDINGS[file_format] if file_format is not None else None
    recipe = Recipe(
        directory=directory,
        seed=seed,
        span=_span(until, days),
        names=FILES if ending is None else {source: f"{source}.{ending}" for source in FILES},
        damage_share=damage,
        bot_share=bots,
        fraud_share=fraud,
        is_daily=daily,
    )
    cells = cells_of(customers, days)
    _clear(recipe, cells)
    return _made(recipe, cells, currencies, customers, workers)


def _check(*settings: tuple[str, object, str, bool]) -> None:
    faults = [f"{name} is {found}, not {wanted}" for name, found, wanted, ok in settings if not ok]
    if faults:
        message = f"This shop can't be generated: {'; '.join(faults)}."
        raise ConfigError(message)


def _clear(recipe: Recipe, cells: Sequence[Cell]) -> None:
    """Removes the same shop as it was made before; refuses to stand among other files."""
    files = (path for path in recipe.directory.rglob("*") if path.is_file())
    found = {path.relative_to(recipe.directory).as_posix() for path in files}
    found = {name for name in found if not name.startswith(f"{_TRUTH}/")}
    others = sorted(found - recipe.every_name(cells)) if found else []
    if others:
        message = (
            f"{recipe.directory} holds files that are not of this shop ({others[0]}"
            f"{', …' if len(others) > 1 else ''}): empty it, or give the shop another folder."
        )
        raise ConfigError(message)
    for name in found:
        (recipe.directory / name).unlink()


def _known_currencies() -> str:
    return f"{CURRENCY} and then any of {', '.join(name for name in WORTH if name != CURRENCY)}"


def _are_known(currencies: Sequence[str]) -> bool:
    is_own_first = bool(currencies) and currencies[0] == CURRENCY
    return is_own_first and set(currencies) <= set(WORTH)


def _span(until: date, days: int) -> Span:
    closes = datetime.combine(until + timedelta(days=1), time(), UTC)
    return Span(opens=int((closes - timedelta(days=days)).timestamp()), days=days)


def _made(
    recipe: Recipe,
    cells: Sequence[Cell],
    currencies: Sequence[str],
    customers: int,
    workers: int,
) -> Truth:
    market = _market(recipe, currencies, customers)
    span, shop = market.span, market.shop
    recipe.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    tally = _Tally()
    units, lost = np.zeros(1, np.int64), np.zeros(1, np.int64)
    with TruthFolder(recipe.directory / _TRUTH) as folder:
        for made in _made_cells(market, recipe, cells, workers):
            tally.count(made.landed)
            folder.add(made.landed.truth)
            units, lost = units + made.units, lost + made.lost
        shared = [
            export_products(market, recipe),
            export(inventory_feed(span, shop, units, recipe.stream("stock")), recipe),
            export(rate_feed(span, market.rates), recipe),
            export(promotion_feed(span, shop), recipe),
            Landed({}, shop_truth(span, shop, lost)),
        ]
        for landed in shared:
            tally.count(landed)
            folder.add(landed.truth)
    return tally.truth(recipe.directory, market)


def _market(recipe: Recipe, currencies: Sequence[str], customers: int) -> Market:
    span = recipe.span
    shop = catalogue(span, customers, recipe.stream("catalogue"))
    rates = draw_rates(span, currencies, recipe.stream("rates"))
    return Market(
        span=span,
        shop=shop,
        demand=expected_demand(span, shop, recipe.stream("demand")),
        rates=rates,
        currencies=tuple(rates.currencies.index(name) for name in currencies),
    )


def _made_cells(
    market: Market, recipe: Recipe, cells: Sequence[Cell], workers: int
) -> Iterator[MadeCell]:
    """The cells in order; threads suffice: NumPy, Arrow and zlib work without the lock."""
    make = partial(make_cell, market, recipe)
    if workers == 1:
        yield from map(make, cells)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(make, cells)


class _Tally:
    """Counts of what was planted, cell by cell."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._segments: Counter[str] = Counter()
        self._damaged: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()

    def count(self, landed: Landed) -> None:
        """Adds what was written."""
        self._rows.update(landed.rows)
        for counter, table, column in (
            (self._segments, "customers", "segment"),
            (self._damaged, "damage", "kind"),
        ):
            if table in landed.truth:
                counter.update(landed.truth[table][column].to_pylist())
        self._sizes.update({name: table.num_rows for name, table in landed.truth.items()})

    def truth(self, directory: Path, market: Market) -> Truth:
        """The counts of all that was counted."""
        shop = market.shop
        turned_at = datetime.fromtimestamp(int(shop.shifts.since[0]), UTC)
        return Truth(
            directory=directory,
            rows=dict(self._rows),
            segments=dict(sorted(self._segments.items())),
            texts=self._sizes["texts"],
            identifiers=self._sizes["identifiers"],
            damaged=dict(sorted(self._damaged.items())),
            turned_product=shop.ids[shop.turned],
            turned_at=turned_at.replace(tzinfo=None),
        )
