from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from made_shop import Shop, csv_records, digests, planted, records

from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.errors import ConfigError
from gpu_pipeline.synthetic import FILES, Format, Truth, generate, recipe

TINY = {"customers": 150, "days": 60}


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 customers are then four cells."""
    monkeypatch.setattr(recipe, "_MOST_CUSTOMERS", 40)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    damaged: Truth, tmp_path: Path
) -> None:
    threads = pa.cpu_count()
    pa.set_cpu_count(threads + 2)
    try:
        generate(tmp_path, **TINY, seed=7, damage=0.03)
    finally:
        pa.set_cpu_count(threads)
    assert digests(tmp_path) == digests(damaged.directory)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_workers(
    small_cells: None, tmp_path: Path
) -> None:
    truths = [generate(tmp_path / str(n), **TINY, seed=7, workers=n) for n in (1, 2, 3)]
    one, two, three = (digests(truth.directory) for truth in truths)
    assert one == two == three
    assert truths[0].rows == truths[2].rows


def test_another_seed_gives_other_bytes_in_every_file(damaged: Truth, tmp_path: Path) -> None:
    generate(tmp_path, **TINY, seed=8, damage=0.03)
    before, after = digests(damaged.directory), digests(tmp_path)
    assert before.keys() == after.keys()
    # Rows come late where deliveries are daily alone.
    assert [name for name in before if before[name] == after[name]] == ["truth/late.parquet"]


def test_a_shop_of_several_cells_has_a_file_for_each_and_no_id_twice(
    small_cells: None, tmp_path: Path
) -> None:
    truth = generate(tmp_path, **TINY, seed=7, damage=0)
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"orders-0000{n}.csv.gz" for n in (1, 2, 3, 4)} <= names
    assert {"products.csv", "inventory.csv", "fx_rates.csv", "promotions.csv"} <= names
    for source, key in (
        ("orders", "order_id"),
        ("clickstream", "event_id"),
        ("support", "case_id"),
    ):
        parts = [records(path) for path in sorted(tmp_path.glob(f"{source}*"))]
        assert sum(len(part) for part in parts) == truth.rows[source]
        ids = [{row[key] for row in part if row} for part in parts]
        assert len(set.union(*ids)) == sum(len(part) for part in ids)
    visitors = [
        {row["visitor_id"] for row in records(path) if row}
        for path in sorted(tmp_path.glob("clickstream*"))
    ]
    assert len(set.union(*visitors)) == sum(len(part) for part in visitors)
    customers = planted(truth, "customers")["customer_id"]
    assert sorted(customers) == [f"C{number:07}" for number in range(150)]


def test_cells_change_what_happens_but_not_what_is_sold(
    damaged: Truth, small_cells: None, tmp_path: Path
) -> None:
    generate(tmp_path, **TINY, seed=7, damage=0.03)
    for file in ("products.csv", "promotions.csv", "fx_rates.csv"):
        assert (tmp_path / file).read_bytes() == (damaged.directory / file).read_bytes()


def test_memory_is_bounded_by_cells_of_customers_and_days() -> None:
    for customers, days in ((100, 28), (20_000, 180), (5_000, 3_650), (1_000_003, 180)):
        cells = recipe.cells_of(customers, days)
        assert sum(cell.customers for cell in cells) == customers
        assert max(cell.customers for cell in cells) * days <= 1_800_000 + days
        assert {cell.is_only for cell in cells} == {len(cells) == 1}
        sizes = {cell.customers for cell in cells}
        assert max(sizes) - min(sizes) <= 1


def test_compressed_files_carry_no_time_and_no_name(damaged: Truth) -> None:
    for file in ("orders.csv.gz", "social.jsonl.gz"):
        head = (damaged.directory / file).read_bytes()[:10]
        assert head[3] == 0, f"{file}: flags say that a name follows"
        assert head[4:8] == bytes(4)


def test_every_source_has_a_file_with_the_landing_columns_of_its_contract(shop: Shop) -> None:
    assert set(FILES) == set(sources())
    for source, file in FILES.items():
        first = records(shop.truth.directory / file)[0]
        assert first is not None
        assert tuple(first) == contract(source).landing_columns, source


def test_the_counts_are_those_of_the_files(damaged: Truth) -> None:
    found = {source: len(records(damaged.directory / file)) for source, file in FILES.items()}
    assert found == damaged.rows
    assert Counter(planted(damaged, "customers")["segment"]) == damaged.segments
    assert Counter(planted(damaged, "damage")["kind"]) == damaged.damaged
    assert len(planted(damaged, "identifiers")) == damaged.identifiers
    assert sum(damaged.segments.values()) == TINY["customers"]


def test_the_shop_is_open_from_days_before_its_last_day_until_its_end(tmp_path: Path) -> None:
    truth = generate(tmp_path, **TINY, seed=1, until=date(2024, 3, 1), damage=0)
    small = Shop(truth)
    assert small.orders["ordered_at"].dt.date.min() == date(2024, 1, 2)
    assert small.orders["ordered_at"].dt.date.max() == date(2024, 3, 1)
    assert small.clicks["occurred_at"].between("2024-01-02", "2024-03-02").all()
    assert truth.turned_at == datetime(2024, 2, 17)  # noqa: DTZ001


def test_more_customers_bring_a_few_more_products(shop: Shop, damaged: Truth) -> None:
    few = {row["product_id"] for row in csv_records(damaged.directory / "products.csv") if row}
    assert 20 <= len(few) < shop.products["product_id"].nunique() < 60


def _typed(value: Any) -> str | None:
    return None if value is None else str(value)


def test_every_format_says_the_same(tmp_path: Path) -> None:
    formats: tuple[Format, ...] = ("csv", "jsonl", "parquet")
    said = {}
    for name in formats:
        generate(tmp_path / name, **TINY, seed=7, damage=0, file_format=name)
        endings = {path.name.partition(".")[2] for path in (tmp_path / name).glob("*.*")}
        assert endings == {{"csv": "csv.gz", "jsonl": "jsonl.gz", "parquet": "parquet"}[name]}
        said[name] = {
            path.name.partition(".")[0]: [
                {column: _typed(value) for column, value in row.items()}
                for row in records(path)
                if row
            ]
            for path in (tmp_path / name).glob("*.*")
        }
    assert said["csv"] == said["jsonl"] == said["parquet"]
    assert set(said["csv"]) == set(FILES)


def test_parquet_has_no_lines_that_could_be_broken(tmp_path: Path) -> None:
    truth = generate(tmp_path, **TINY, seed=7, damage=0.03, file_format="parquet")
    assert "broken" not in truth.damaged
    assert len(truth.damaged) > 15


def test_orders_in_other_currencies_are_worth_as_much_at_the_rate_of_the_day(
    tmp_path: Path,
) -> None:
    truth = generate(tmp_path, **TINY, seed=7, damage=0, fraud=0, currencies=("EUR", "JPY", "KWD"))
    foreign = Shop(truth)
    sales, rates = foreign.sales, foreign.table("fx_rates").astype({"rate": float})
    shares = sales["currency"].value_counts(normalize=True)
    assert shares["EUR"] == pytest.approx(0.7, abs=0.06)
    assert shares["JPY"] == pytest.approx(0.15, abs=0.05)
    raw = pd.DataFrame(records(tmp_path / "orders.csv.gz"))
    decimals = raw["unit_price"].str.partition(".")[2].str.len().groupby(raw["currency"])
    assert decimals.unique().map(list).to_dict() == {"EUR": [2], "JPY": [0], "KWD": [3]}
    assert raw.groupby("order_id")["currency"].nunique().max() == 1
    priced = pd.merge_asof(
        sales.sort_values("ordered_at"),
        foreign.products.sort_values("updated_at"),
        left_on="ordered_at",
        right_on="updated_at",
        by="product_id",
        suffixes=("", "_own"),
    ).assign(day=lambda frame: frame["ordered_at"].dt.floor("D"))
    priced = priced.merge(rates, on=["currency", "day"], validate="many_to_one")
    assert len(priced) == len(sales)
    assert (priced["unit_price"] * priced["rate"] - priced["price"]).abs().max() < 0.006


def test_settings_that_make_no_shop_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        generate(
            tmp_path / "none",
            customers=3,
            days=5,
            seed=-1,
            damage=0.9,
            bots=2,
            fraud=0.5,
            currencies=("EUR", "XAU"),
            workers=0,
        )
    for fault in (
        *("customers is 3", "days is 5", "seed is -1", "damage is 0.9", "bots is 2"),
        *("fraud is 0.5", "currencies is EUR, XAU", "workers is 0"),
    ):
        assert fault in str(refused.value)
    assert not (tmp_path / "none").exists()


def test_a_shop_is_made_anew_in_its_folder_but_not_among_other_files(tmp_path: Path) -> None:
    generate(tmp_path, **TINY, seed=7)
    before = digests(tmp_path)
    generate(tmp_path, **TINY, seed=7)
    assert digests(tmp_path) == before
    with pytest.raises(ConfigError, match=r"clickstream\.parquet, …"):
        generate(tmp_path, **TINY, seed=7, daily=True)
    (tmp_path / "orders-00002.csv.gz").write_bytes(b"of a larger shop")
    with pytest.raises(ConfigError, match=r"orders-00002\.csv\.gz\)"):
        generate(tmp_path, **TINY, seed=7)
    assert {name: digest for name, digest in digests(tmp_path).items() if name in before} == before


def test_nothing_is_left_of_the_shop_that_stood_in_the_folder_before(tmp_path: Path) -> None:
    generate(tmp_path / "reused", **TINY, seed=7, daily=True)
    for folder in ("reused", "fresh"):
        generate(tmp_path / folder, **TINY, seed=8, daily=True)
    assert digests(tmp_path / "reused") == digests(tmp_path / "fresh")
