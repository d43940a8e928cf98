import json
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import tree
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import ContractError, LakeError
from gpu_pipeline.privacy import new_key
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
EVERY_COLUMN = list(ORDERS.names)


def commit(lake: Lake, frame: pd.DataFrame, table: str = "orders") -> int:
    with lake.writer() as writer:
        return writer.commit(contract(table), writer.write(frame, contract(table)))


def holds(folder: Path, text: str) -> bool:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return any(text.encode() in path.read_bytes() for path in files)


@pytest.fixture
def rows() -> pd.DataFrame:
    return order_rows(120)


@pytest.fixture
def filled(lake: Lake, rows: pd.DataFrame) -> Lake:
    commit(lake, rows[:70])
    commit(lake, rows[70:])
    return lake


def test_what_was_committed_is_read_back(filled: Lake, rows: pd.DataFrame) -> None:
    read = filled.read("orders")
    assert_frames_equal(read._meta, CPU.empty(ORDERS))
    assert_frames_equal(in_order(read.compute()), in_order(rows))


def test_columns_come_in_the_order_that_is_asked_for(filled: Lake, rows: pd.DataFrame) -> None:
    read = filled.read("orders", ["quantity", "order_id"]).compute()
    assert list(read.columns) == ["quantity", "order_id"]
    assert read["quantity"].sum() == rows["quantity"].sum()


def test_a_partition_holds_whole_customers(filled: Lake) -> None:
    frame = filled.read("orders")
    assert frame.npartitions == 4
    owners = [set(part.compute()["customer_key"]) for part in frame.partitions]
    for bucket, keys in enumerate(owners):
        assert keys
        assert {key & 3 for key in keys} == {bucket}


def test_a_version_stays_what_it_was(lake: Lake, rows: pd.DataFrame) -> None:
    first = commit(lake, rows[:50])
    second = commit(lake, rows[50:])
    assert len(lake.read("orders", version=first)) == 50
    assert len(lake.read("orders", version=second)) == 120
    pinned = lake.pinned({"orders": first})
    assert (pinned.version("orders"), lake.version("orders")) == (first, second)
    assert len(pinned.read("orders")) == pinned.rows("orders") == 50
    assert len(pinned.read("orders", version=second)) == 120
    assert pinned.latest("orders") == rows["ordered_at"][:50].max()
    assert lake.latest("orders") == rows["ordered_at"].max()
    again = pinned.pinned({"reviews": 7})
    assert (again.version("orders"), again.version("reviews")) == (first, 7)
    assert again.path == lake.path
    assert again.key == lake.key


CONDITIONS = [
    [("quantity", "==", 3)],
    [("quantity", "!=", 3)],
    [("quantity", "<", 0)],
    [("quantity", "<=", 0)],
    [("quantity", ">", 7)],
    [("quantity", ">=", 7), ("product_id", "in", ["A", "Ü-1"])],
    [("product_id", "==", "nothing")],
    [("ordered_at", ">=", datetime(2026, 2, 1)), ("ordered_at", "<", datetime(2026, 3, 1))],  # noqa: DTZ001
    [("ordered_at", "<=", datetime(2026, 2, 1, 1, tzinfo=timezone(timedelta(hours=1))))],
    [("ordered_at", ">", np.datetime64("2026-02-10T10:00"))],
    [("ordered_at", "==", np.datetime64("1999-01-01"))],
    [("ordered_at", ">", pd.Timestamp("2026-03-01", tz="UTC"))],
]


def slow(rows: pd.DataFrame, where: list[tuple[str, str, object]]) -> pd.DataFrame:
    operators = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    for column, operator, value in where:
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        name = "isin" if operator == "in" else operators[operator]
        rows = rows[getattr(rows[column], name)(value)]
    return rows


@pytest.mark.parametrize("where", CONDITIONS)
def test_conditions_keep_the_rows_that_fulfil_all_of_them(
    filled: Lake, rows: pd.DataFrame, where: list[tuple[str, str, object]]
) -> None:
    read = filled.read("orders", where=where).compute()
    assert_frames_equal(in_order(read), in_order(slow(rows, where)))
    only = filled.read("orders", ["order_id"], where=where).compute()
    assert sorted(only["order_id"]) == sorted(read["order_id"])


def break_files(lake: Lake, keep: str) -> None:
    """Makes every file of the orders unreadable whose path lacks `keep`."""
    for path in (lake.path / "tables" / "orders").rglob("*.parquet"):
        if keep not in path.as_posix():
            path.write_bytes(b"not read")


def test_only_the_customers_bucket_is_read(filled: Lake, rows: pd.DataFrame) -> None:
    key = int(rows["customer_key"][0])
    break_files(filled, keep=f"/bucket={key & 3}/")
    for where in ([("customer_key", "==", key)], [("customer_key", "in", [key, key ^ 4])]):
        read = filled.read("orders", where=where).compute()
        assert_frames_equal(in_order(read), in_order(rows[rows["customer_key"] == key]))
    with pytest.raises(Exception, match="Parquet"):
        filled.read("orders").compute(scheduler="sync")


def test_only_the_months_that_can_hold_a_row_are_read(filled: Lake, rows: pd.DataFrame) -> None:
    break_files(filled, keep="/month=2026-02/")
    february = rows[rows["ordered_at"].dt.month == 2]
    first, last = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    where = [("ordered_at", ">=", first), ("ordered_at", "<=", last)]
    assert_frames_equal(in_order(filled.read("orders", where=where).compute()), in_order(february))
    moment = february["ordered_at"].iloc[0]
    assert len(filled.read("orders", where=[("ordered_at", "==", moment)])) >= 1


def test_contradicting_conditions_read_nothing(filled: Lake) -> None:
    break_files(filled, keep="nowhere")
    where = [("customer_key", "==", 1), ("customer_key", "==", 2)]
    assert len(filled.read("orders", where=where)) == 0
    assert list(filled.read("orders", ["quantity"], where=where).columns) == ["quantity"]


def test_a_bucket_is_read_at_once(filled: Lake, rows: pd.DataFrame) -> None:
    for bucket in range(4):
        mine = rows[(rows["customer_key"] & 3) == bucket]
        assert_frames_equal(in_order(filled.read_bucket("orders", bucket)), in_order(mine))
    some = filled.read_bucket("orders", 1, [("quantity", ">", 3)])
    expected = rows[((rows["customer_key"] & 3) == 1) & (rows["quantity"] > 3)]
    assert_frames_equal(in_order(some), in_order(expected))
    assert_frames_equal(in_order(filled.read_bucket("orders", None)), in_order(rows))


def test_a_bucket_without_rows_is_empty(lake: Lake, rows: pd.DataFrame) -> None:
    commit(lake, rows[(rows["customer_key"] & 3) == 2])
    assert_frames_equal(lake.read_bucket("orders", 1), CPU.empty(ORDERS))


@pytest.mark.parametrize("hours", [0, 5.5, -12, None])
def test_as_of_leaves_out_what_happened_later(
    filled: Lake, rows: pd.DataFrame, hours: float | None
) -> None:
    moment = rows["ordered_at"].sort_values().iloc[50].to_pydatetime()
    if hours is not None:  # without a zone it is UTC
        moment = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    then = filled.read("orders", as_of=moment).compute()
    expected = rows[rows["ordered_at"] <= rows["ordered_at"].sort_values().iloc[50]]
    assert 50 < len(expected) < len(rows)
    assert_frames_equal(in_order(then), in_order(expected))
    assert len(filled.read("orders", where=[("ordered_at", "<=", moment)])) == len(expected)
    assert list(filled.read("orders", ["quantity"], as_of=moment).columns) == ["quantity"]


def prices() -> pd.DataFrame:
    days = ["2026-01-01", "2026-01-05", "2026-01-09", "2026-01-03"]
    return pd.DataFrame(
        {
            "product_id": ["A", "A", "A", "B"],
            "name": "a thing",
            "brand": None,
            "category": "things",
            "price": [100, 200, 300, 50],
            "currency": "EUR",
            "launched_at": pd.Series([None] * 4, dtype="datetime64[us]"),
            "updated_at": pd.Series(days, dtype="datetime64[us]"),
            "file_no": 1,
            "line": range(1, 5),
        }
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (1, {"A": 100}),
        (4, {"A": 100, "B": 50}),
        (5, {"A": 200, "B": 50}),
        (30, {"A": 300, "B": 50}),
    ],
)
def test_as_of_keeps_the_version_of_an_entity_that_was_true_then(
    lake: Lake, day: int, expected: dict[str, int]
) -> None:
    table = prices()
    commit(lake, table[::2], "products")
    commit(lake, table[1::2], "products")
    moment = datetime(2026, 1, day, tzinfo=UTC)
    then = lake.read("products", ["product_id", "price"], as_of=moment).compute()
    assert dict(zip(then["product_id"], then["price"], strict=True)) == expected
    assert len(lake.read("products")) == 4
    now = lake.read("products", ["product_id", "price"], as_of=lake.latest("products")).compute()
    assert dict(zip(now["product_id"], now["price"], strict=True)) == {"A": 300, "B": 50}


def test_a_table_that_is_not_there_is_named_with_those_that_are(filled: Lake) -> None:
    assert filled.tables() == ["orders"]
    assert filled.version("reviews") is None
    assert filled.rows("reviews") == 0
    assert filled.latest("reviews") is None
    assert filled.note("reviews") == {}
    with pytest.raises(LakeError, match=r"No table 'reviews' in .*\. Tables: orders\."):
        filled.read("reviews")
    with pytest.raises(LakeError, match="No table 'reviews'"):
        filled.history("reviews")


@pytest.mark.parametrize("version", [99, -1])
def test_a_version_that_is_not_there_is_refused(filled: Lake, version: int) -> None:
    with pytest.raises(LakeError, match=f"can't be opened at version {version}"):
        filled.read("orders", version=version)


def test_unknown_columns_and_operators_are_refused_before_anything_is_read(filled: Lake) -> None:
    with pytest.raises(ContractError, match="has no column 'price'"):
        filled.read("orders", ["price"])
    with pytest.raises(ContractError, match="has no column 'price'"):
        filled.read("orders", where=[("price", ">", 1)])
    for read in (filled.read, lambda table, where: filled.read_bucket(table, 0, where)):
        with pytest.raises(LakeError, match="quantity =: there are only ==, !=, <"):
            read("orders", where=[("quantity", "=", 1)])


def test_the_history_tells_the_versions_newest_first(filled: Lake) -> None:
    history = filled.history("orders")
    assert [entry["version"] for entry in history] == [2, 1, 0]
    for entry in history:
        assert abs(entry["at"] - datetime.now(UTC)) < timedelta(minutes=5)
    said = [(entry["operation"], entry["rows"]) for entry in history]
    assert said == [("append", 120), ("append", 70), ("create", None)]
    assert filled.history("orders", limit=2) == history[:2]


@pytest.mark.parametrize(
    "name", ["my lake", "läke +ü", "bucket=1", "month=2026-01=x", "50%", "%zz", "a#b?c"]
)
def test_a_lake_may_lie_anywhere(tmp_path: Path, rows: pd.DataFrame, name: str) -> None:
    lake = Lake.create(tmp_path / name / "lake", buckets=2, backend=CPU)
    commit(lake, rows)
    assert lake.read("orders").npartitions == 2
    assert_frames_equal(in_order(lake.read("orders").compute()), in_order(rows))
    mine = rows[(rows["customer_key"] & 1) == 1]
    assert_frames_equal(in_order(lake.read_bucket("orders", 1)), in_order(mine))


@pytest.mark.parametrize("name", ["my%20lake", "%C3%A4/lake"])
def test_a_path_that_reads_as_an_escaped_one_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(LakeError, match=r"can't be in .*: %(20|C3) in a path is taken for an esc"):
        Lake.create(tmp_path / name, backend=CPU)
    assert not list(tmp_path.iterdir())
    lake = Lake.create(tmp_path / "lake", backend=CPU)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    lake.path.rename(tmp_path / name)
    with pytest.raises(LakeError, match="Choose a path without it; spaces and umlauts are fine"):
        Lake(tmp_path / name, backend=CPU)


def test_a_lake_is_the_same_by_any_of_its_paths(
    tmp_path: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=CPU)
    commit(lake, rows)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(lake.path)
    monkeypatch.chdir(lake.path)
    for path in (link, Path(), "../lake"):
        other = Lake(path, backend=CPU)
        assert other.key == lake.key
        assert len(other.read("orders")) == len(rows)


def test_a_new_lake_and_its_key_are_for_the_owner_alone(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=8, backend=CPU)
    key = tmp_path / "lake.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(lake.path.stat().st_mode) == 0o700
    assert key.read_text().strip() == lake.key
    assert len(bytes.fromhex(lake.key)) == 32
    assert lake.buckets == 8
    assert not holds(lake.path, lake.key)


def test_creating_a_lake_that_is_there_opens_it(tmp_path: Path, rows: pd.DataFrame) -> None:
    first = Lake.create(tmp_path / "lake", buckets=2, backend=CPU)
    commit(first, rows)
    again = Lake.create(tmp_path / "lake", buckets=8, backend=CPU)
    assert (again.buckets, again.key) == (2, first.key)
    assert len(again.read("orders")) == len(rows)


def test_a_lake_keeps_the_time_zone_and_the_currency_that_it_was_made_with(tmp_path: Path) -> None:
    path = tmp_path / "lake"
    made = Lake.create(path, backend=CPU, time_zone="Europe/London", currency="GBP")
    assert (made.time_zone, made.currency) == ("Europe/London", "GBP")
    for again in (Lake(path, backend=CPU), Lake.create(path, backend=CPU), made.pinned({})):
        assert (again.time_zone, again.currency) == ("Europe/London", "GBP")
    assert Lake(path, backend=CPU, time_zone="Europe/London", currency="GBP").currency == "GBP"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"currency": "EUR"}, "made with currency 'GBP', not 'EUR', and keeps it: leave currency"),
        ({"currency": ""}, "made with currency 'GBP', not '', and keeps it"),
        ({"time_zone": "UTC"}, "made with time_zone 'Europe/London', not 'UTC', and keeps it"),
    ],
)
def test_another_time_zone_or_currency_than_the_lakes_is_refused_by_both_names(
    tmp_path: Path, asked: dict[str, str], message: str
) -> None:
    path = tmp_path / "lake"
    Lake.create(path, backend=CPU, time_zone="Europe/London", currency="GBP")
    for make in (Lake, Lake.create):
        with pytest.raises(LakeError, match=message):
            make(path, backend=CPU, **asked)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"currency": "eur"}, "'eur' is no currency of ISO 4217, such as EUR"),
        ({"time_zone": "Europe/Lundun"}, "'Europe/Lundun' is no time zone of the IANA database"),
    ],
)
def test_a_lake_is_not_made_with_a_setting_that_makes_no_sense(
    tmp_path: Path, setting: dict[str, str], message: str
) -> None:
    with pytest.raises(LakeError, match=message):
        Lake.create(tmp_path / "lake", backend=CPU, **setting)
    assert not list(tmp_path.iterdir())


def test_a_lake_from_before_there_were_currencies_has_none(lake: Lake) -> None:
    file = lake.path / "lake.json"
    settings = json.loads(file.read_text())
    del settings["currency"]
    file.write_text(json.dumps(settings))
    assert Lake(lake.path, backend=CPU).currency == ""
    assert Lake.create(lake.path, backend=CPU).time_zone == "UTC"


def test_a_key_that_is_there_is_used_for_the_new_lake(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / "lake.key").write_text(key + "\n")
    assert Lake.create(tmp_path / "lake", backend=CPU).key == key


def test_a_given_key_is_not_written_anywhere(tmp_path: Path) -> None:
    key = new_key()
    lake = Lake.create(tmp_path / "lake", backend=CPU, key=key)
    assert lake.key == key
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]
    assert not holds(tmp_path, key)
    with pytest.raises(LakeError, match=r"key of .* is missing: put it in .*lake\.key .*0600"):
        _ = Lake(lake.path, backend=CPU).key


def test_another_lakes_key_is_refused(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", backend=CPU)
    for make in (Lake, Lake.create):
        with pytest.raises(LakeError, match=r"the key that was given is not the pseudonym key of"):
            make(lake.path, backend=CPU, key=new_key())
    (tmp_path / "lake.key").write_text(new_key())
    with pytest.raises(LakeError, match=r"lake\.key is not the pseudonym key of"):
        _ = Lake(lake.path, backend=CPU).key


@pytest.mark.parametrize("content", ["", "abc", "x" * 64])
def test_a_key_file_without_a_key_makes_no_lake(tmp_path: Path, content: str) -> None:
    (tmp_path / "lake.key").write_text(content)
    with pytest.raises(LakeError, match=r"lake\.key holds no pseudonym key"):
        Lake.create(tmp_path / "lake", backend=CPU)
    assert not (tmp_path / "lake" / "lake.json").exists()


def test_a_lake_whose_making_was_killed_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "lake.json.new").write_text('{"for')
    (tmp_path / "lake.key.new").write_text("0123")
    lake = Lake.create(tmp_path / "lake", backend=CPU)
    assert len(lake.key) == 64
    assert [path.name for path in lake.path.iterdir()] == ["lake.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "lake.key"]


@pytest.mark.parametrize("buckets", [0, -4, 3, 12])
def test_buckets_are_a_power_of_two(tmp_path: Path, buckets: int) -> None:
    with pytest.raises(LakeError, match=f"power of two of buckets, not {buckets}"):
        Lake.create(tmp_path / "lake", buckets=buckets, backend=CPU)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir(mode=0o755)
    (folder / "cat.jpg").touch()
    with pytest.raises(LakeError, match="is there and is no lake: give an empty or a new folder"):
        Lake.create(folder, backend=CPU)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
    with pytest.raises(LakeError, match=r"No lake in .*photos: `gpu-pipeline ingest DIR --lake"):
        Lake(folder, backend=CPU)


@pytest.mark.parametrize("path", ["file", "file/lake"])
def test_a_file_is_no_place_for_a_lake(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match="can't be made"):
        Lake.create(tmp_path / path, backend=CPU)
    with pytest.raises(LakeError, match="can't be read"):
        Lake(tmp_path / path, backend=CPU)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": 2}, "has format 2, this version knows 1: upgrade gpu-pipeline"),
        ({"format": 2, "buckets": None}, "has format 2, this version knows 1: upgrade"),
        ({"format": None}, "is damaged: it lacks format"),
        ({"buckets": "4", "time_zone": None}, "is damaged: it lacks buckets, time_zone"),
        ({"currency": None}, "is damaged: it lacks currency"),
    ],
)
def test_a_newer_or_damaged_lake_is_refused(
    lake: Lake, settings: dict[str, object], message: str
) -> None:
    file = lake.path / "lake.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    before = tree(lake.path)
    for make in (Lake, Lake.create):
        with pytest.raises(LakeError, match=message):
            make(lake.path, backend=CPU)
    assert tree(lake.path) == before


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
def test_settings_that_are_no_settings_are_refused_in_one_line(lake: Lake, text: str) -> None:
    (lake.path / "lake.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(LakeError, match=r"lake\.json (can't be read|is damaged)") as caught:
        Lake(lake.path, backend=CPU)
    assert "\n" not in str(caught.value)


def test_a_table_with_a_broken_log_is_named(filled: Lake) -> None:
    log = filled.path / "tables" / "orders" / "_delta_log"
    (log / f"{0:020d}.json").write_text("{")
    with pytest.raises(LakeError, match=r"Table 'orders' of .* can't be opened"):
        filled.read("orders")


def test_reading_writes_nothing(filled: Lake, rows: pd.DataFrame) -> None:
    before, names = tree(filled.path), sorted(filled.path.parent.iterdir())
    filled.read("orders", EVERY_COLUMN, as_of=datetime(2026, 2, 1, tzinfo=UTC)).compute()
    filled.history("orders")
    filled.tables()
    filled.latest("orders")
    assert tree(filled.path) == before
    assert sorted(filled.path.parent.iterdir()) == names
