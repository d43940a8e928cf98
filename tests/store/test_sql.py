"""SQL sees what `read` gives, writes nothing and reaches nothing else."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import tree
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.contracts import Column, Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Lake

ROWS = order_rows(120)
OLD, NEW = ROWS[:70], ROWS[70:]
ADDED = (
    Column(name="gift_note", type="string", description="What the card says."),
    Column(name="paid_at", type="timestamp", description="When it was paid."),
    Column(name="weight_kg", type="float64", description="Of the parcel.", default=0.5),
    Column(name="wraps", type="int64", description="Boxes.", required=True, default=2),
    Column(name="express", type="bool", description="Hurry.", required=True, default=False),
    Column(name="packer", type="string", description="Who.", default="Ute's team"),
)
GROWN = replace(ORDERS, version="1.1.0", columns=(*ADDED[:2], *ORDERS.columns, *ADDED[2:]))


def commit(lake: Lake, frame: pd.DataFrame, found: Contract = ORDERS) -> int:
    with lake.writer() as writer:
        return writer.commit(found, writer.write(frame, found))


def count(lake: Lake, query: str = "SELECT count(*) FROM orders") -> int:
    return int(lake.sql(query).iloc[0, 0])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All rows, in two commits; for tests that change nothing."""
    lake = Lake.create(tmp_path_factory.mktemp("filled") / "lake", buckets=4)
    commit(lake, OLD)
    commit(lake, NEW)
    return lake


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Contract], None]:
    """Has the lake find another version of the orders' contract."""

    def tell(found: Contract) -> None:
        monkeypatch.setattr("gpu_pipeline.store.lake.contract", lambda _: found)

    return tell


def test_a_table_is_a_view_of_what_read_gives(filled: Lake) -> None:
    assert_frames_equal(in_order(filled.sql("SELECT * FROM orders")), in_order(ROWS))
    assert_frames_equal(in_order(filled.sql("FROM ORDERS")), in_order(ROWS))
    assert list(filled.sql("FROM orders LIMIT 0").dtypes) == list(ROWS.dtypes)


def test_rows_come_in_the_order_that_the_query_asks_for(filled: Lake) -> None:
    found = filled.sql("SELECT order_id FROM orders ORDER BY quantity DESC, order_id")
    wanted = ROWS.sort_values(["quantity", "order_id"], ascending=[False, True])
    assert found["order_id"].tolist() == wanted["order_id"].tolist()


def test_keys_and_sums_are_exact_whole_numbers(filled: Lake) -> None:
    query = """
        SELECT customer_key, sum(unit_price) AS money, avg(quantity) AS units
        FROM orders GROUP BY customer_key ORDER BY customer_key
    """
    grouped = ROWS.groupby("customer_key")
    wanted = pd.DataFrame(
        {"money": grouped["unit_price"].sum(), "units": grouped["quantity"].mean()}
    )
    assert_frames_equal(filled.sql(query), wanted.reset_index())
    key = int(ROWS["customer_key"].iloc[0])
    beside = filled.sql("SELECT $key AS key UNION ALL SELECT NULL ORDER BY 1", {"key": key})
    assert beside["key"].dtype == pd.Int64Dtype()
    assert beside["key"].tolist() == [key, pd.NA]


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        ("1::TINYINT", "int64"),
        ("1::UBIGINT", "int64"),
        ("1::HUGEINT", "int64"),
        ("1.25::DECIMAL(9, 2)", "float64"),
        ("1.25::FLOAT", "float32"),
        ("TRUE", "bool"),
        ("'für Ute'", "str"),
        ("'a'::ENUM('a', 'b')", "str"),
        ("DATE '2026-01-31'", "datetime64[us]"),
        ("TIMESTAMP_NS '2026-01-31 12:00:00'", "datetime64[us]"),
        ("TIMESTAMPTZ '2026-01-31 12:00:00+00'", "datetime64[us, UTC]"),
        ("date_trunc('month', TIMESTAMP '2026-01-31 12:00:00')", "datetime64[us]"),
    ],
)
def test_an_answer_has_the_types_that_read_has(lake: Lake, expression: str, dtype: str) -> None:
    found = lake.sql(f"SELECT {expression} AS value")["value"].dtype
    assert str(found).replace("Etc/UTC", "UTC") == dtype


def test_a_truth_that_may_be_missing_stays_one(lake: Lake) -> None:
    found = lake.sql("SELECT unnest([TRUE, NULL, FALSE]) AS value")["value"]
    assert found.dtype == pd.BooleanDtype()
    assert found.tolist() == [True, pd.NA, False]


def test_a_whole_number_beyond_64_bits_is_refused_rather_than_rounded(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"Column 'total' .* whole numbers that 64 bits can't hold"):
        lake.sql("SELECT 2::HUGEINT * 9223372036854775807 AS total")


def test_columns_of_one_name_are_told_apart(filled: Lake) -> None:
    found = filled.sql("SELECT a.line_no, b.line_no FROM orders a JOIN orders b USING (order_id)")
    assert len(set(found.columns)) == 2
    assert len(found) == len(ROWS)


def test_parameters_take_their_places(filled: Lake) -> None:
    wanted = int((ROWS["product_id"] == "Ü-1").sum())
    of_product = "SELECT count(*) FROM orders WHERE product_id"
    assert filled.sql(f"{of_product} = ?", ["Ü-1"]).iloc[0, 0] == wanted
    assert filled.sql(f"{of_product} = $id", {"id": "Ü-1"}).iloc[0, 0] == wanted
    assert filled.sql(f"{of_product} = $1", ["'; DROP TABLE orders"]).iloc[0, 0] == 0
    with pytest.raises(LakeError, match="Values were not provided for the following parameters"):
        filled.sql(f"{of_product} = ?")


def test_a_pinned_lake_answers_from_its_versions(lake: Lake) -> None:
    first = commit(lake, OLD)
    pinned = lake.pinned({"orders": first})
    commit(lake, NEW)
    assert (count(pinned), count(lake)) == (70, 120)
    assert_frames_equal(in_order(pinned.sql("FROM orders")), in_order(OLD))


def test_files_that_no_version_names_are_not_read(lake: Lake) -> None:
    commit(lake, OLD)
    with lake.writer() as writer:
        writer.write(NEW, ORDERS)  # never committed
        assert count(lake) == 70


def test_a_version_whose_files_were_given_up_is_refused(lake: Lake) -> None:
    pinned = lake.pinned({"orders": commit(lake, OLD)})
    gone = lake.path / "tables" / "orders" / pinned.files("orders").paths[0]
    commit(lake, NEW)
    gone.unlink()
    with pytest.raises(LakeError, match="of orders can't be read any more"):
        pinned.sql("FROM orders")


def test_added_columns_of_older_rows_are_null_or_have_the_default(
    lake: Lake, told: Callable[[Contract], None]
) -> None:
    first = commit(lake, OLD)
    values: dict[str, Any] = {
        "gift_note": "für Ute",
        "paid_at": np.datetime64("2026-02-02", "us"),
        "weight_kg": np.nan,
        "wraps": 3,
        "express": True,
        "packer": None,
    }
    newer = NEW.assign(**values).astype({"packer": "str"})
    commit(lake, newer, GROWN)
    told(GROWN)
    for shop in (lake, lake.pinned({"orders": first})):
        found = shop.sql("FROM orders")
        assert list(found.columns) == list(GROWN.names)
        assert_frames_equal(in_order(found), in_order(shop.read("orders").compute()))
    told_apart = "SELECT count(*) FROM orders WHERE weight_kg IS NULL AND packer IS NULL"
    assert count(lake, told_apart) == len(NEW)
    assert count(lake, "SELECT sum(wraps) FROM orders") == 2 * len(OLD) + 3 * len(NEW)
    assert count(lake, "SELECT count(*) FROM orders WHERE packer = 'Ute''s team'") == len(OLD)


def test_whole_numbers_that_became_fractions_are_read_as_those(
    lake: Lake, told: Callable[[Contract], None]
) -> None:
    columns = tuple(
        replace(c, type="float64") if c.name == "quantity" else c for c in ORDERS.columns
    )
    wide = replace(ORDERS, version="2.0.0", columns=columns)
    commit(lake, OLD)
    commit(lake, NEW.assign(quantity=2.5), wide)
    told(wide)
    found = lake.sql("SELECT sum(quantity) AS units FROM orders")["units"].item()
    assert found == OLD["quantity"].sum() + 2.5 * len(NEW)


def test_a_table_without_rows_has_its_columns(lake: Lake) -> None:
    reviews = contract("reviews")
    commit(lake, lake.backend.empty(reviews), reviews)
    assert_frames_equal(lake.sql("FROM reviews"), lake.backend.empty(reviews))
    assert count(lake, "SELECT count(*) FROM reviews") == 0


@pytest.mark.parametrize("name", ["it's a lake", 'Späti "Süd"', "shop [x]*?", "a;b{c}$d"])
def test_a_lake_may_lie_in_a_folder_of_any_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / name / "lake", buckets=2)
    commit(lake, OLD)
    assert count(lake) == 70
    monkeypatch.chdir(tmp_path)
    assert count(Lake(Path(name) / "lake")) == 70


def test_only_the_tables_that_a_query_names_are_opened(lake: Lake) -> None:
    commit(lake, OLD)
    reviews = contract("reviews")
    commit(lake, lake.backend.empty(reviews), reviews)
    log = lake.path / "tables" / "reviews" / "_delta_log"
    for entry in log.iterdir():
        entry.write_text("{")
    assert lake.tables() == ["orders", "reviews"]
    assert count(lake) == 70
    with pytest.raises(LakeError, match=r"'reviews' .* can't be opened"):
        lake.sql("FROM reviews")


@pytest.mark.parametrize(
    "query",
    [
        "DESCRIBE orders",
        "SUMMARIZE orders",
        "EXPLAIN SELECT count(*) FROM orders",
        "explain analyze SELECT count(*) FROM orders;",
        "WITH few AS (FROM orders LIMIT 3) SELECT * FROM few -- the first",
        "VALUES (1), (2)",
        "FROM (PIVOT orders ON product_id IN ('A', 'B') USING sum(quantity) GROUP BY line_type);",
    ],
)
def test_whatever_only_reads_is_answered(filled: Lake, query: str) -> None:
    assert len(filled.sql(query)) > 0


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("CREATE TABLE mine AS SELECT 1", "CREATE"),
        ("COPY orders TO '{out}'", "COPY"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE FALSE)", "COPY"),
        ("EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'", "EXPLAIN"),
        ("/**/ EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'", "EXPLAIN"),
        ("EXPORT DATABASE '{out}'", "EXPORT"),
        ("ATTACH '{out}' AS other", "ATTACH"),
        ("INSTALL httpfs", "LOAD"),
        ("LOAD httpfs", "LOAD"),
        ("SET enable_external_access = true", "SET"),
        ("PRAGMA enable_profiling", "PRAGMA"),
        ("CALL enable_logging()", "CALL"),
        ("INSERT INTO orders FROM orders", "INSERT"),
        ("DELETE FROM orders", "DELETE"),
        ("DROP VIEW orders", "DROP"),
        ("SELECT 1; SELECT 2", "SELECT and SELECT"),
        ("SELECT 1; COPY orders TO '{out}'", "SELECT and COPY"),
        ("PIVOT orders ON product_id USING sum(quantity)", "MULTI"),
        (" ; -- nothing", "empty"),
    ],
)
def test_whatever_is_no_select_is_refused(
    filled: Lake, tmp_path: Path, query: str, kind: str
) -> None:
    check_nothing_happens(filled, tmp_path, query, rf"A query is one SELECT .* this is {kind}\.")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "WITH a AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE FALSE)) SELECT * FROM a",
            "COPY statement must be at the top",
        ),
        (
            "EXPLAIN ANALYZE WITH a AS (COPY (SELECT 1) TO '{file}') SELECT * FROM a",
            "COPY statement must be at the top",
        ),
        ("WITH a AS (DELETE FROM orders RETURNING *) FROM a", "must be at the top"),
        ("SELECT 1) UNION (SELECT 2", "syntax error"),
        ("FROM query('COPY (SELECT 1) TO ''{out}''')", "Expected a single SELECT"),
        ("FROM enable_logging(storage = 'file', storage_path = '{out}')", "has been locked"),
        ("FROM read_text('/etc/hostname')", "operations are disabled"),
        ("FROM '{out}.parquet'", "operations are disabled"),
        ("FROM glob('/etc/*')", "operations are disabled"),
        ("FROM read_csv('http://127.0.0.1:9/rows.csv')", "operations are disabled"),
        ("FROM read_parquet('s3://bucket/rows.parquet')", "operations are disabled"),
    ],
)
def test_a_select_writes_nothing_and_reaches_nothing_else(
    filled: Lake, tmp_path: Path, query: str, said: str
) -> None:
    check_nothing_happens(filled, tmp_path, query, f"(?i)query can't be answered: .*{said}")


def check_nothing_happens(lake: Lake, folder: Path, query: str, said: str) -> None:
    """Refused, with every file as it was; `{out}` is no file yet, `{file}` one of the table's."""
    file = lake.path / "tables" / "orders" / lake.files("orders").paths[0]
    before = tree(folder), tree(lake.path)
    with pytest.raises(LakeError, match=said) as raised:
        # The table is named so that its files may be opened.
        lake.sql(query.format(out=folder / "out", file=file) + " -- orders")
    assert "\n" not in str(raised.value)
    assert (tree(folder), tree(lake.path)) == before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("FROM baskets", "Catalog Error: Table with name baskets does not exist"),
        ("SELECT unitprice FROM orders", '"unitprice" not found .* "unit_price"'),
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
        ("SELECT order_id::INT FROM orders", "Conversion Error: Could not convert string"),
    ],
)
def test_a_fault_of_the_query_is_one_line_that_names_the_tables(
    filled: Lake, query: str, said: str
) -> None:
    with pytest.raises(LakeError, match=rf"^The query can't be answered: .*{said}") as raised:
        filled.sql(query)
    assert str(raised.value).endswith(". Tables: orders.")
    assert "\n" not in str(raised.value)


def test_an_empty_lake_says_that_it_has_no_tables(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"orders does not exist\. Tables: none yet\."):
        lake.sql("FROM orders")


def test_a_variable_of_python_is_no_table(lake: Lake) -> None:
    rows = pd.DataFrame({"a": [1]})
    with pytest.raises(LakeError, match="Table with name rows does not exist"):
        lake.sql("FROM rows")
    assert len(rows) == 1


def test_without_duckdb_the_remedy_is_told(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(LakeError, match=r"pip install 'gpu-pipeline\[notebooks\]'"):
        lake.sql("SELECT 1")
