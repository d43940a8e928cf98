"""Input that can't be loaded: one clear line, and the lake as it was."""

import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import tree
from landing import EVENT, ORDER, REVIEW, as_csv, as_jsonl, as_parquet, counts, load, orders, write

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.ingest import FileMapping, ingest
from gpu_pipeline.ingest.mapping import Feed
from gpu_pipeline.privacy import new_key
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
LONG = orders(*({"order_id": f"{i * 7919 % 100_003}"} for i in range(4000)))


def without(name: str) -> list[dict[str, object]]:
    return [{key: value for key, value in ORDER.items() if key != name}]


def mapped(**columns: object) -> FileMapping:
    feed = {"files": "*.csv", "contract": "orders", "columns": columns}
    return FileMapping(feeds=(Feed.model_validate(feed),))


def both() -> FileMapping:
    return FileMapping(
        feeds=(Feed(files="*", contract="orders"), Feed(files="*.csv", contract="orders"))
    )


# What lies in the landing folder, with which mapping, and what is said of it.
BAD: dict[str, tuple[dict[str, bytes], Callable[[], FileMapping] | None, str]] = {
    "a missing column": (
        {"orders.csv": as_csv(without("quantity"))},
        None,
        r"orders\.csv: contract orders needs quantity\. The file has order_id, .*--mapping",
    ),
    "several missing columns": (
        {"orders.jsonl": as_jsonl([{"order_id": "1"}])},
        None,
        "needs ordered_at, product_id, quantity, unit_price, currency. The file has order_id;",
    ),
    "nobody named": (
        {"clickstream.csv": as_csv([{**EVENT, "event_id": "1"}]).replace(b"_id,", b",", 3)},
        None,
        "contract clickstream needs event_id, customer_id or visitor_id",
    ),
    "an empty file": ({"orders.csv": b""}, None, r"orders\.csv is empty: not even a header"),
    "a cut archive": (
        {"orders.csv.gz": gzip.compress(as_csv(LONG))[:9000]},
        None,
        r"orders\.csv\.gz can't be read: Truncated compressed stream",
    ),
    "no Parquet file": (
        {"orders.parquet": as_csv(orders({}))},
        None,
        r"orders\.parquet can't be read: Parquet magic bytes not found",
    ),
    "a torn Parquet file": (
        {"orders.parquet": as_parquet(LONG)[:500] + bytes(500) + as_parquet(LONG)[1000:]},
        None,
        r"orders\.parquet can't be read",
    ),
    "a wrong encoding": (
        {"orders.csv": as_csv(LONG) + "ü".encode("latin-1")},
        None,
        r"orders\.csv can't be read: 'utf-8' codec can't decode",
    ),
    "an unknown kind of file": (
        {"orders.xlsx": b"PK"},
        None,
        r"orders\.xlsx is none of \.csv, \.jsonl, \.parquet",
    ),
    "a column twice": (
        {"orders.csv": as_csv(orders({})).replace(b"country", b"order_id")},
        None,
        r"orders\.csv names columns twice: order_id",
    ),
    "a column that the mapping names": (
        {"orders.csv": as_csv(orders({}))},
        lambda: mapped(
            quantity="Menge", line_type={"cases": [{"when": "Art", "equals": 1, "then": "fee"}]}
        ),
        r"orders\.csv: the mapping names Art, Menge, which the file has not\. It has order_id, ",
    ),
    "two feeds of one contract": (
        {"orders.csv": as_csv(orders({}))},
        both,
        r"Two feeds of one contract take orders\.csv: one of them must not",
    ),
    "nothing for any feed": (
        {"sales.csv": as_csv(orders({}))},
        None,
        r"No feed takes any file of .*\. Feeds take: clickstream",
    ),
    "an empty folder": ({}, None, "No feed takes any file of"),
}


@pytest.fixture
def loaded(lake: Lake, tmp_path: Path) -> Lake:
    """A lake with something in it that must not change."""
    load(lake, write(tmp_path / "orders-before.csv", orders({}, {"quantity": "x"})))
    return lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "landing"
    made.mkdir()
    return made


def refused(lake: Lake, source: Path, mapping: FileMapping | None, message: str) -> None:
    before = tree(lake.path)
    with pytest.raises(PipelineError, match=message) as caught:
        ingest(lake, source, mapping=mapping)
    assert "\n" not in str(caught.value)
    assert tree(lake.path) == before


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    loaded: Lake, folder: Path, name: str
) -> None:
    files, mapping, message = BAD[name]
    for file, content in files.items():
        (folder / file).write_bytes(content)
    refused(loaded, folder, None if mapping is None else mapping(), message)
    if len(files) == 1 and "feed" not in name:
        refused(loaded, folder / min(files), None if mapping is None else mapping(), message)


def test_files_that_are_read_beside_a_bad_one_leave_nothing(loaded: Lake, folder: Path) -> None:
    (folder / "orders-bad.csv.gz").write_bytes(gzip.compress(as_csv(LONG))[:9000])
    for number in range(4):
        write(folder / f"orders-{number}.csv", LONG[number:])
    before = tree(loaded.path)
    # Once the pool is empty nobody writes any more.
    with ThreadPoolExecutor(2) as pool, dask.config.set(scheduler="threads", pool=pool):
        refused(loaded, folder, None, r"orders-bad\.csv\.gz can't be read: Truncated")
    assert tree(loaded.path) == before


def test_one_file_that_lacks_a_column_stops_the_whole_load(loaded: Lake, folder: Path) -> None:
    write(folder / "reviews.csv", [REVIEW])
    write(folder / "orders.csv", without("quantity"))
    refused(loaded, folder, None, "needs quantity")


@pytest.mark.parametrize("name", ["nowhere", "nowhere/orders.csv", "file.csv/orders.csv"])
def test_what_is_not_there_cannot_be_loaded(loaded: Lake, folder: Path, name: str) -> None:
    (folder / "file.csv").touch()
    refused(loaded, folder / name, None, rf"{name} does not exist")


def test_a_file_that_cannot_be_opened_is_named(loaded: Lake, folder: Path) -> None:
    (folder / "orders.csv").symlink_to(folder / "gone.csv")
    refused(loaded, folder / "orders.csv", None, r"orders\.csv does not exist")


def test_a_file_that_was_loaded_under_another_mapping_is_refused(
    loaded: Lake, folder: Path
) -> None:
    path = write(folder / "orders.csv", orders({"order_id": "2"}))
    load(loaded, path, mapped(product_id={"from": "product_id", "apply": "lower"}))
    message = (
        r"orders\.csv was loaded before under another mapping\. Load it with that one, or replace"
    )
    refused(loaded, path, mapped(product_id={"from": "product_id", "apply": "upper"}), message)
    refused(loaded, folder, mapped(), message)
    # Under its own it is known, whatever the files are that its feed takes.
    same = mapped(product_id={"from": "product_id", "apply": "lower"}).feeds[0]
    again = FileMapping(feeds=(same.model_copy(update={"files": "orders*"}),))
    assert load(loaded, path, again).loaded_before


def test_a_column_that_does_not_fit_is_named(loaded: Lake, folder: Path) -> None:
    table = pa.table({**{n: [v] for n, v in ORDER.items()}, "order_id": [[1, 2]]})
    pq.write_table(table, folder / "orders.parquet")
    refused(loaded, folder, None, r"orders\.parquet: contract orders needs order_id")


def test_a_lake_without_its_key_or_with_anothers_loads_nothing(
    loaded: Lake, folder: Path, tmp_path: Path
) -> None:
    write(folder / "orders.csv", orders({"order_id": "2"}))
    keyless = Lake(loaded.path, backend=CPU)
    refused(keyless, folder, None, "The pseudonym key of .* is missing")
    (tmp_path / "lake.key").write_text(new_key())
    refused(keyless, folder, None, "is not the pseudonym key of")
    (tmp_path / "lake.key").write_text(loaded.key)
    assert counts(load(keyless, folder)) == (1, 0, 0)


def test_the_name_of_a_file_tells_nobody(lake: Lake, folder: Path) -> None:
    path = write(folder / "orders of jane@example.com, 2026.csv", orders({}))
    assert load(lake, path).name == "orders of [email], 2026.csv"
    assert lake.read("source_files").compute()["name"].tolist() == ["orders of [email], 2026.csv"]
