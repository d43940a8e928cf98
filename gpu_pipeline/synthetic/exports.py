"""Exports: what each source writes into the landing folder, and the truth about its records."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from gpu_pipeline.contracts import contract
from gpu_pipeline.synthetic.columns import DAY, Ints, Mask
from gpu_pipeline.synthetic.damage import BROKEN, damaged, flaws_of
from gpu_pipeline.synthetic.delivery import Feed, daily, whole
from gpu_pipeline.synthetic.landing import has_lines, write
from gpu_pipeline.synthetic.people import NEVER, customer_rows, customer_table
from gpu_pipeline.synthetic.recipe import Cell, Recipe
from gpu_pipeline.synthetic.shop import product_rows, product_table
from gpu_pipeline.synthetic.truth import Tables, delivery_truth
from gpu_pipeline.synthetic.world import Market, World


@dataclass(frozen=True)
class Landed:
    """What was written: records by source, and the truth about them."""

    rows: Mapping[str, int]
    truth: Tables

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """All of it."""
        rows: Counter[str] = Counter()
        tables: dict[str, list[pa.Table]] = {}
        for part in parts:
            rows.update(part.rows)
            for name, table in part.truth.items():
                tables.setdefault(name, []).append(table)
        return cls(rows, {name: pa.concat_tables(some) for name, some in tables.items()})


def export(feed: Feed, recipe: Recipe, cell: Cell | None = None) -> Landed:
    """Writes the rows of a feed: all into one file, or a file a day."""
    source = feed.source
    feed = replace(feed, table=feed.table.select(contract(source).landing_columns))
    rng = recipe.delivery_stream(source, cell)
    flaws = flaws_of(source, has_lines=has_lines(recipe.names[source]))
    delivery = daily(feed, recipe.span, rng) if recipe.is_daily else whole(feed)
    delivery = damaged(delivery, flaws, recipe.damage_share, rng)
    is_broken = np.isin(delivery.flaw, [i for i, flaw in enumerate(flaws) if flaw.kind == BROKEN])
    names = []
    for day, start, stop in delivery.files():
        names.append(recipe.name(source, cell, day))
        _write(recipe, names[-1], delivery.feed.table[start:stop], is_broken[start:stop])
    truth = delivery_truth(delivery, flaws, names)
    return Landed({source: len(delivery.feed)}, truth)


def export_customers(world: World, recipe: Recipe, cell: Cell) -> Landed:
    """Every version of each account; or, day by day, all accounts as they are at its end."""
    accounts = world.accounts
    if not recipe.is_daily:
        customer, updated_at = customer_rows(accounts)
        table = customer_table(world.people, accounts, customer, updated_at)
        return export(Feed("customers", table, updated_at), recipe, cell)
    rows = 0
    for day in range(recipe.span.days):
        customer, updated_at = _as_of(customer_rows(accounts), recipe.span.opens + (day + 1) * DAY)
        table = customer_table(world.people, accounts, customer, updated_at)
        rows += _export_whole("customers", table, recipe, cell, day)
    return Landed({"customers": rows}, {})


def export_products(market: Market, recipe: Recipe) -> Landed:
    """Every version of each product; or, day by day, those on sale as they are at its end."""
    span, shop = market.span, market.shop
    if not recipe.is_daily:
        product, updated_at = product_rows(span, shop)
        return export(
            Feed("products", product_table(span, shop, product, updated_at), updated_at), recipe
        )
    rows = 0
    for day in range(span.days):
        product, updated_at = _as_of(product_rows(span, shop), span.opens + (day + 1) * DAY)
        table = product_table(span, shop, product, updated_at)
        rows += _export_whole("products", table, recipe, None, day)
    return Landed({"products": rows}, {})


def _as_of(versions: tuple[Ints, Ints], moment: int) -> tuple[Ints, Ints]:
    """The latest version before a moment of each thing that there is by then, by number."""
    which, updated_at = versions
    there = updated_at < moment
    latest = np.full(which.max() + 1, -NEVER)
    np.maximum.at(latest, which[there], updated_at[there])
    known = np.flatnonzero(latest > -NEVER)
    return known, latest[known]


def _export_whole(source: str, table: pa.Table, recipe: Recipe, cell: Cell | None, day: int) -> int:
    table = table.select(contract(source).landing_columns)
    if table.num_rows:
        _write(recipe, recipe.name(source, cell, day), table, np.zeros(table.num_rows, bool))
    return int(table.num_rows)


def _write(recipe: Recipe, name: str, table: pa.Table, is_broken: Mask) -> None:
    path = recipe.directory / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(path, table, is_broken)
