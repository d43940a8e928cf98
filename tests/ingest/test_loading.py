import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import ANY

import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from landing import (
    EVENT,
    ORDER,
    REVIEW,
    Row,
    accepted,
    as_csv,
    as_jsonl,
    counts,
    faults,
    load,
    orders,
    rejected,
    said,
    write,
)

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest import FileMapping, LoadOptions, ingest, planned
from gpu_pipeline.ingest import load as load_plan
from gpu_pipeline.ingest.mapping import Feed
from gpu_pipeline.privacy import token
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
KEY = "0123456789abcdef" * 4
CONFLICT = "key: another row has it with other values"

# What may be wrong with a row: the column, the value there, and the reason that it is given.
ORDER_FAULTS = {
    "quantity: missing": ("quantity", ""),
    "quantity: not a whole number": ("quantity", "two"),
    "quantity: not a whole number ": ("quantity", "1.5"),
    "ordered_at: not a time": ("ordered_at", "2026-02-30"),
    "ordered_at: missing": ("ordered_at", " "),
    "line_no: not a whole number": ("line_no", "first"),
    "product_id: missing": ("product_id", ""),
    "unit_price: below 0": ("unit_price", "-1"),
    "unit_price: not an amount in the currency's minor units": ("unit_price", "0.001"),
    "discount: not an amount in the currency's minor units": ("discount", "none"),
    "currency: not like ^[A-Z]{3}$": ("currency", "gbp"),
    "line_type: not one of sale, return, adjustment, fee, cancelled": ("line_type", "gift"),
    "product_id: an address or number of a person": ("product_id", "jane@example.com"),
}
EVENT_FAULTS = {
    "event_id: missing": ("event_id", ""),
    "occurred_at: not a time": ("occurred_at", "yesterday"),
    "event_type: not one of view, search, cart, remove, checkout, purchase": (
        "event_type",
        "hover",
    ),
    "event_type: missing": ("event_type", " "),
    "customer_id or visitor_id: missing": ("customer_id", ""),
}
# How a line may be no row at all, in each kind of file.
BROKEN = {
    ".csv": {"14 fields, not 12": ",x,y", "13 fields, not 12": ",z"},
    ".jsonl": {"not JSON": "{", "no JSON object": "[1]", "an empty JSON object": "{}"},
}


@st.composite
def damaged(draw: st.DrawFn, row: Row, key: str, reasons: dict[str, tuple[str, str]]) -> Row:
    """A row of few keys and values, that has a fault at times."""
    which = draw(st.integers(0, 4))
    made = {**row, key: f"k{which}", "customer_id": f"c{which % 2}", "visitor_id": ""}
    made["product_id"] = draw(st.sampled_from("AB"))
    if draw(st.integers(0, 2)) == 0:
        column, value = reasons[draw(st.sampled_from(sorted(reasons)))]
        made[column] = value
    return {name: value for name, value in made.items() if name in row}


def tables(
    row: Row, key: str, reasons: dict[str, tuple[str, str]]
) -> st.SearchStrategy[list[tuple[Row, str]]]:
    kinds = st.sampled_from(["", "", "", "", "break", "break other"])
    return st.lists(st.tuples(damaged(row, key, reasons), kinds), min_size=1, max_size=40)


def expected(
    rows: Sequence[tuple[Row, str]], key: Sequence[str], reasons: dict[str, tuple[str, str]]
) -> tuple[list[int], dict[int, str], int]:
    """(lines accepted, reason by line rejected, duplicates): row by row, with a set."""
    taken, seen = dict[tuple[object, ...], object](), set[tuple[object, ...]]()
    lines, why, duplicates = [], dict[int, str](), 0
    for line, (row, broken) in enumerate(rows, start=1):
        fault = [
            reason.strip() for reason, (column, value) in reasons.items() if row[column] == value
        ]
        name, content = tuple(row[column] for column in key), tuple(row.values())
        if broken:
            why[line] = broken
        elif fault:
            (why[line],) = fault
        elif content in seen:
            duplicates += 1
        elif name in taken:
            why[line] = CONFLICT
        else:
            lines.append(line)
        if line not in why or why[line] == CONFLICT:
            seen.add(content)
            taken.setdefault(name, content)
    return lines, why, duplicates


def landed(path: Path, rows: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    """Writes the rows, some of them broken, and says how."""
    ways = BROKEN[path.suffix]
    shapes = {"": "", "break": min(ways), "break other": max(ways)}
    whole = {".csv": as_csv, ".jsonl": as_jsonl}[path.suffix]([row for row, _ in rows])
    header, lines = ([], whole.decode().splitlines())
    if path.suffix == ".csv":
        header, lines = lines[:1], lines[1:]
    for number, (_, shape) in enumerate(rows):
        if shape:
            broken = ways[shapes[shape]]
            lines[number] = broken if path.suffix == ".jsonl" else lines[number] + broken
    path.write_text("\n".join([*header, *lines]) + "\n")
    return [(row, shapes[shape]) for row, shape in rows]


@settings(deadline=None, max_examples=10)
@given(rows=tables(ORDER, "order_id", ORDER_FAULTS), kind=st.sampled_from([".csv", ".jsonl"]))
def test_every_order_line_is_accepted_rejected_or_a_duplicate(
    rows: list[tuple[Row, str]], kind: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), f"orders{kind}", rows, ["order_id", "line_no"], ORDER_FAULTS)


@settings(deadline=None, max_examples=10)
@given(rows=tables(EVENT, "event_id", EVENT_FAULTS))
def test_every_event_is_accepted_rejected_or_a_duplicate(rows: list[tuple[Row, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), "clickstream.jsonl", rows, ["event_id"], EVENT_FAULTS)


def check(
    folder: Path,
    name: str,
    rows: Sequence[tuple[Row, str]],
    key: Sequence[str],
    reasons: dict[str, tuple[str, str]],
) -> None:
    """Loads the rows, twice, and compares with the slow way."""
    lake = Lake.create(folder / "lake", buckets=2, backend=CPU, key=KEY)
    table = name.partition(".")[0]
    whole = {**rows[0][0], **(ORDER if table == "orders" else EVENT)}
    told = landed(folder / name, [(whole, ""), *rows])
    lines, why, duplicates = expected(told, key, reasons)
    report = load(lake, folder / name)
    assert counts(report) == (len(lines), len(why), duplicates)
    assert accepted(lake, table)["line"].tolist() == lines
    assert dict(faults(lake, table)) == why
    again = load(lake, folder / name)
    assert again.loaded_before
    assert counts(again) == counts(report)
    assert lake.rows(table) == len(lines)


MANY = [
    *orders(
        {},
        {"line_no": "2", "quantity": "-1", "line_type": "return"},
        {"order_id": "ü-2", "customer_id": "", "product_name": 'a "quoted", two\nline name'},
        {"order_id": "3", "customer_id": "jane@example.com", "unit_price": "0.1"},
        {"order_id": "4", "ordered_at": "2026-03-01T23:59:59.999999+01:00", "discount": "0.29"},
        {"order_id": "5", "product_name": "漢字 🙂", "country": "Österreich"},
        {"order_id": "6", "quantity": "none"},
        {"order_id": "7", "unit_price": "1234567.89", "product_id": " 22423 "},
    )
]
KINDS = [
    f"orders{kind}{compression}"
    for kind in (".csv", ".jsonl", ".parquet")
    for compression in ("", ".gz", ".zst")
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("reference")
    lake = Lake.create(folder / "lake", buckets=4, backend=CPU, key=KEY)
    load(lake, write(folder / "orders.csv", MANY))
    return lake


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_typed_table(
    lake: Lake, tmp_path: Path, reference: Lake, name: str
) -> None:
    report = load(lake, write(tmp_path / name, MANY))
    assert counts(report) == (7, 1, 0)
    for table in ("orders", "orders_rejected"):
        one, other = accepted(reference, table), accepted(lake, table)
        hidden = ["file_no", "customer_key"] if table == "orders_rejected" else ["file_no"]
        assert_frames_equal(one.drop(columns=hidden), other.drop(columns=hidden))


def test_a_parquet_file_may_have_types_of_its_own(
    lake: Lake, tmp_path: Path, reference: Lake
) -> None:
    texts = pd.DataFrame(write_back(MANY)).replace("", None)
    texts = texts[texts["quantity"] != "none"]
    typed = texts.assign(
        quantity=texts["quantity"].astype("int32"),
        line_no=texts["line_no"].astype("uint8"),
        unit_price=texts["unit_price"].astype("float64"),
        discount=texts["discount"].astype("float64"),
        ordered_at=pd.to_datetime(texts["ordered_at"], utc=True, format="ISO8601").dt.tz_convert(
            "Asia/Tokyo"
        ),
        line_type=texts["line_type"].astype("category"),
    )
    typed.to_parquet(tmp_path / "orders.parquet")
    assert counts(load(lake, tmp_path / "orders.parquet")) == (7, 0, 0)
    assert_frames_equal(said(accepted(lake)), said(accepted(reference)))


def write_back(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [dict(row) for row in rows]


def test_what_a_row_says_is_typed(reference: Lake) -> None:
    first, returned, guest, mail, late, *_ = accepted(reference).to_dict("records")
    assert first | {"file_no": 0} == {
        "order_id": "536365",
        "line_no": 1,
        "customer_key": token("17850", key=KEY, kind="customer"),
        "key_kind": "customer",
        "ordered_at": pd.Timestamp("2026-01-15 12:00"),
        "shipped_at": pd.NaT,
        "delivered_at": pd.NaT,
        "product_id": "85123A",
        "product_name": "WHITE HANGING HEART",
        "quantity": 6,
        "unit_price": 255,
        "discount": 0,
        "refunded": 0,
        "currency": "GBP",
        "channel": pytest.approx(float("nan"), nan_ok=True),
        "country": "United Kingdom",
        "status": pytest.approx(float("nan"), nan_ok=True),
        "line_type": "sale",
        "file_no": 0,
        "line": 1,
    }
    assert (returned["quantity"], returned["line_type"]) == (-1, "return")
    assert guest["customer_key"] == token("ü-2", key=KEY, kind="guest")
    assert guest["key_kind"] == "guest"
    assert mail["customer_key"] == token("Jane@Example.com", key=KEY, kind="customer")
    assert late["ordered_at"] == pd.Timestamp("2026-03-01T22:59:59.999999")
    assert late["discount"] == 29


def versions(lake: Lake) -> dict[str, tuple[int | None, int]]:
    return {table: (lake.version(table), lake.rows(table)) for table in lake.tables()}


@pytest.mark.parametrize("again", ["orders.csv", "orders-2.csv"])
def test_the_same_content_again_changes_nothing(lake: Lake, tmp_path: Path, again: str) -> None:
    first = load(lake, write(tmp_path / "orders.csv", MANY))
    before = versions(lake)
    second = load(lake, write(tmp_path / again, MANY))
    assert (second.loaded_before, second.name) == (True, again)
    assert counts(second) == counts(first)
    assert versions(lake) == before


def test_the_same_rows_in_another_file_are_duplicates(lake: Lake, tmp_path: Path) -> None:
    first = load(lake, write(tmp_path / "orders.csv", MANY))
    before = accepted(lake)
    for name, rows in (("orders.csv", MANY[::-1]), ("orders.jsonl.gz", MANY)):
        report = load(lake, write(tmp_path / name, rows))
        assert counts(report) == (0, first.rejected, first.accepted)
        assert not report.loaded_before
        assert_frames_equal(accepted(lake), before)
    # A rejected row is evidence, file by file.
    assert len(rejected(lake)) == 3


def test_a_differing_row_with_a_key_that_is_taken_is_a_conflict(lake: Lake, tmp_path: Path) -> None:
    load(lake, write(tmp_path / "orders.csv", orders({}, {"order_id": "2"})))
    changed = orders({"quantity": "7"}, {"order_id": "2"}, {"order_id": "3"}, {"quantity": "8"})
    report = load(lake, write(tmp_path / "orders-2.csv", changed))
    assert counts(report) == (1, 2, 1)
    assert faults(lake) == [(1, CONFLICT), (4, CONFLICT)]
    kept = accepted(lake)
    assert kept["quantity"].tolist() == [6, 6, 6]
    (conflict, _) = rejected(lake).to_dict("records")
    assert '"quantity":7' in conflict["row_values"]
    assert conflict["customer_key"] == kept["customer_key"][0]
    assert conflict["key_kind"] == "customer"


@pytest.mark.parametrize(
    "moved", ["2026-01-31T23:59:00Z", "2026-02-01T00:01:00Z", "2025-12-31T00:00:00Z"]
)
def test_a_conflict_is_found_in_a_neighbouring_month(
    lake: Lake, tmp_path: Path, moved: str
) -> None:
    load(lake, write(tmp_path / "orders.csv", orders({})))
    report = load(lake, write(tmp_path / "orders-2.csv", orders({"ordered_at": moved})))
    assert counts(report) == (0, 1, 0)
    assert faults(lake) == [(1, CONFLICT)]


def test_conflicts_in_a_table_without_buckets_stand_under_names_of_their_own(
    lake: Lake, tmp_path: Path
) -> None:
    rates = [{"currency": "USD", "day": "2026-01-01", "rate": rate} for rate in ("0.9", "1", "2")]
    report = load(
        lake, write(tmp_path / "fx_rates.csv", [*rates, rates[0], {**rates[0], "rate": "0"}])
    )
    assert counts(report) == (1, 3, 1)
    assert faults(lake, "fx_rates") == [(2, CONFLICT), (3, CONFLICT), (5, "rate: not above 0")]
    keys = rejected(lake, "fx_rates")["customer_key"]
    assert keys.nunique() == 3
    assert 0 not in keys.tolist()


ONE = orders({}, {"order_id": "2"}, {"order_id": "3", "quantity": "x"})
OTHER = orders({"order_id": "2"}, {"order_id": "4"}, {"order_id": "5", "customer_id": ""})


def test_the_order_of_two_files_does_not_matter(tmp_path: Path) -> None:
    one = write(tmp_path / "orders-1.csv", ONE)
    other = write(tmp_path / "orders-2.csv", OTHER)
    sets = []
    for number, files in enumerate([[one, other], [other, one]]):
        lake = Lake.create(tmp_path / f"lake-{number}", buckets=4, backend=CPU, key=KEY)
        done = [load(lake, file) for file in files]
        assert sum(report.accepted for report in done) == 4
        sets.append((said(accepted(lake)), sorted(faults(lake))))
    together = Lake.create(tmp_path / "lake-both", buckets=4, backend=CPU, key=KEY)
    ingest(together, one.parent)
    sets.append((said(accepted(together)), sorted(faults(together))))
    for frame, why in sets[1:]:
        assert_frames_equal(frame, sets[0][0])
        assert why == sets[0][1]


def test_of_two_files_in_one_load_the_names_do_not_decide_which_row_stays(tmp_path: Path) -> None:
    kept = []
    for names in (("a", "b"), ("b", "a")):
        folder = tmp_path / "".join(names)
        folder.mkdir()
        for name, quantity in zip(names, ("6", "7"), strict=True):
            write(folder / f"orders-{name}.csv", orders({"quantity": quantity}))
        lake = Lake.create(folder / "lake", buckets=2, backend=CPU, key=KEY)
        reports = ingest(lake, folder).files
        assert sorted(counts(report) for report in reports) == [(0, 1, 0), (1, 0, 0)]
        kept.append(accepted(lake)["quantity"].tolist())
    assert kept[0] == kept[1]


def unnumbered(*changes: Row) -> list[Row]:
    rows = [dict(row) for row in orders(*changes)]
    for row in rows:
        del row["line_no"]
    return rows


def test_identical_lines_without_numbers_are_separate_in_a_file_and_one_across_files(
    lake: Lake, tmp_path: Path
) -> None:
    twice = unnumbered({}, {}, {"product_id": "B"})
    assert counts(load(lake, write(tmp_path / "orders-1.csv", twice))) == (3, 0, 0)
    numbers = accepted(lake)["line_no"]
    assert numbers.nunique() == 3
    assert numbers.min() >= 0
    # The same lines in another order and kind of file.
    report = load(lake, write(tmp_path / "orders-2.parquet", twice[::-1]))
    assert counts(report) == (0, 0, 3)
    # A third one is one more; a line that differs is a line of its own, and no conflict.
    more = unnumbered({}, {}, {}, {"product_id": "C"})
    assert counts(load(lake, write(tmp_path / "orders-3.csv", more))) == (2, 0, 2)
    assert sorted(accepted(lake)["product_id"]) == ["85123A"] * 3 + ["B", "C"]


def test_identical_lines_of_two_files_in_one_load_are_the_same_lines(
    lake: Lake, tmp_path: Path
) -> None:
    one = unnumbered({}, {"product_id": "B"}, {"product_id": "D"}, {})
    other = unnumbered({"product_id": "C"}, {}, {}, {"product_id": "E"}, {})
    write(tmp_path / "orders-1.csv", one)
    write(tmp_path / "orders-2.csv", other)
    reports = ingest(lake, tmp_path).files
    assert sum(report.duplicates for report in reports) == 2
    assert sorted(accepted(lake)["product_id"]) == ["85123A"] * 3 + ["B", "C", "D", "E"]


def test_of_rows_that_contradict_each_other_the_first_of_the_file_stays(
    lake: Lake, tmp_path: Path
) -> None:
    pairs = [
        {"order_id": str(order), "quantity": quantity}
        for quantity in ("7", "8", "9")
        for order in range(9)
    ]
    report = load(lake, write(tmp_path / "orders.csv", orders(*pairs, {"line_no": ""})))
    assert counts(report) == (10, 18, 0)
    assert accepted(lake)["line"].tolist() == [*range(1, 10), 28]


def test_a_number_that_is_given_counts_even_where_other_rows_have_none(
    lake: Lake, tmp_path: Path
) -> None:
    rows = orders({"line_no": "0"}, {"line_no": ""}, {"line_no": ""}, {"line_no": "-3"})
    assert counts(load(lake, write(tmp_path / "orders.csv", rows))) == (4, 0, 0)
    numbers = accepted(lake)["line_no"].tolist()
    assert (numbers[0], numbers[3]) == (0, -3)
    assert min(numbers[1:3]) > 10**9
    assert numbers[1] != numbers[2]
    changed = orders({"line_no": "0", "quantity": "9"})
    assert counts(load(lake, write(tmp_path / "orders-2.csv", changed))) == (0, 1, 0)


def test_small_blocks_give_the_same_tables(
    lake: Lake, tmp_path: Path, reference: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_pipeline.ingest.reading.blocks.BLOCK_ROWS", 2)
    monkeypatch.setattr("gpu_pipeline.ingest.reading.blocks.BLOCK_BYTES", 300)
    for name in ("orders.csv", "orders.jsonl", "orders.parquet"):
        report = load(lake, write(tmp_path / name, MANY))
        assert report.rejected == 1
    frame = accepted(lake)
    assert_frames_equal(said(frame), said(accepted(reference)))
    assert [line for line, _ in faults(lake)] == [7, 7, 7]


def test_a_folder_is_loaded_whole_and_says_what_it_left(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    folder.mkdir()
    write(folder / "orders.csv", orders({}))
    write(folder / "orders-copy.csv", orders({}))
    write(folder / "orders_2026-02.jsonl", orders({"order_id": "2"}))
    write(folder / "clickstream.parquet", [EVENT])
    write(folder / "reviews.csv.gz", [REVIEW])
    (folder / "readme.txt").touch()
    (folder / "ordersold.csv").touch()
    (folder / "orders.d").mkdir()
    seen: list[str] = []
    report = ingest(lake, folder, progress=seen.append)
    done = {file.name: (file.contract, file.accepted, file.loaded_before) for file in report.files}
    assert done == {
        "orders.csv": ("orders", 1, True),
        "orders-copy.csv": ("orders", 1, False),
        "orders_2026-02.jsonl": ("orders", 1, False),
        "clickstream.parquet": ("clickstream", 1, False),
        "reviews.csv.gz": ("reviews", 1, False),
    }
    assert report.ignored == ("ordersold.csv", "readme.txt")
    assert sorted(seen) == ["clickstream", "orders", "reviews"]
    assert lake.rows("orders") == 2
    ledger = lake.read("source_files").compute()
    assert sorted(ledger["name"]) == [
        "clickstream.parquet",
        "orders-copy.csv",
        "orders_2026-02.jsonl",
        "reviews.csv.gz",
    ]
    assert (ledger["rows"] == ledger["accepted"]).all()


def test_a_plan_needs_no_lake_and_is_what_is_loaded(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    folder.mkdir()
    write(folder / "orders.csv", orders({}))
    (folder / "readme.txt").touch()
    plan = planned(folder)
    assert [(file.name, file.feed.contract) for file in plan.files] == [("orders.csv", "orders")]
    assert plan.ignored == ("readme.txt",)
    assert lake.tables() == []
    report = load_plan(lake, plan)
    assert [counts(file) for file in report.files] == [(1, 0, 0)]
    assert report.ignored == ("readme.txt",)


def test_rows_lead_back_to_their_file(lake: Lake, tmp_path: Path) -> None:
    one = load(lake, write(tmp_path / "orders-1.csv", ONE))
    other = load(lake, write(tmp_path / "orders-2.csv", OTHER))
    ledger = lake.read("source_files").compute()
    names = dict(zip(ledger["file_no"], ledger["name"], strict=True))
    assert names == {one.file_no: "orders-1.csv", other.file_no: "orders-2.csv"}
    frame = accepted(lake)
    assert set(frame["file_no"]) == {one.file_no, other.file_no}
    assert rejected(lake)["file_no"].tolist() == [one.file_no]


def test_a_file_can_feed_two_contracts(lake: Lake, tmp_path: Path) -> None:
    rows = [{**REVIEW, "product_name": "A heart", "category": "hearts", "price": "3"}]
    product = {
        "name": "product_name",
        "currency": {"constant": "GBP"},
        "updated_at": "created_at",
    }
    mapping = FileMapping(
        feeds=(
            Feed(files="export.csv", contract="reviews"),
            Feed(files="export.csv", contract="products", columns=product),
        )
    )
    report = ingest(lake, write(tmp_path / "export.csv", rows), mapping=mapping)
    assert [(file.contract, *counts(file)) for file in report.files] == [
        ("reviews", 1, 0, 0),
        ("products", 1, 0, 0),
    ]
    assert accepted(lake, "products")["price"].tolist() == [300]


def test_a_row_within_the_horizon_lands_and_an_older_one_is_rejected_for_it(
    lake: Lake, tmp_path: Path
) -> None:
    now = orders({"order_id": "0", "ordered_at": "2026-06-01T00:00:00Z"})
    assert counts(load(lake, write(tmp_path / "orders-3.csv", now))) == (1, 0, 0)
    late = orders(
        {"order_id": "1", "ordered_at": "2026-04-27T00:00:00Z"},  # 35 days to the second
        {"order_id": "2", "ordered_at": "2026-04-26T23:59:59.999999Z"},
    )
    file = write(tmp_path / "orders-2.csv", late)
    assert counts(load(lake, file)) == (1, 1, 0)
    (reason,) = rejected(lake)["reasons"]
    assert reason == "beyond_horizon: more than 35 days before the latest event of orders"
    (plan, options) = (planned(file), LoadOptions(backfill=True))
    assert load_plan(lake, plan, options=options).files[0].loaded_before
    history = write(tmp_path / "orders-1.csv", [*late, *orders({"ordered_at": "2019-06-01"})])
    (report,) = load_plan(lake, planned(history), options=options).files
    assert counts(report) == (2, 0, 1)


def test_old_rows_that_come_again_are_duplicates_and_no_late_rows(
    lake: Lake, tmp_path: Path
) -> None:
    old = orders({"order_id": "old", "ordered_at": "2025-01-01"}, {"ordered_at": "2026-06-01"})
    load(lake, write(tmp_path / "orders-1.csv", old))
    changed = {"order_id": "old", "ordered_at": "2025-01-01", "quantity": "7"}
    whole = [*old, *orders({"order_id": "new", "ordered_at": "2026-06-02"}, changed)]
    assert counts(load(lake, write(tmp_path / "orders-2.csv", whole))) == (1, 1, 2)
    assert rejected(lake)["reasons"].tolist() == [CONFLICT]


def test_a_key_is_one_row_whoever_it_belongs_to(lake: Lake, tmp_path: Path) -> None:
    """The same order under other customers: in other buckets, in one file and in the next."""
    whose = [{"customer_id": str(number)} for number in range(8)]
    keys = {token(one["customer_id"], key=lake.key, kind="customer") for one in whose}
    buckets = {key & (lake.buckets - 1) for key in keys}
    assert len(buckets) > 1
    report = load(lake, write(tmp_path / "orders-1.csv", orders(*whose)))
    assert counts(report) == (1, 7, 0)
    assert accepted(lake)["line"].tolist() == [1]
    again = load(lake, write(tmp_path / "orders-2.csv", orders(*whose[::-1])))
    assert counts(again) == (0, 7, 1)
    assert set(rejected(lake)["reasons"]) == {CONFLICT}


def test_keys_are_found_again_where_their_hashes_are_gone(lake: Lake, tmp_path: Path) -> None:
    load(lake, write(tmp_path / "orders-1.csv", MANY))
    beside = sorted((lake.path / "tables" / "orders").rglob("*.keys"))
    assert beside
    beside[0].unlink()
    for path in beside[1:]:
        path.write_bytes(path.read_bytes()[:40])
    more = [*MANY, *orders({"order_id": "another", "ordered_at": "2026-03-01"})]
    report = load(lake, write(tmp_path / "orders-2.csv", more))
    assert counts(report) == (1, 1, 7)


def test_a_bucket_that_memory_does_not_hold_is_settled_in_pieces(tmp_path: Path) -> None:
    rows = [
        *({"order_id": f"o{n}", "customer_id": f"c{n % 50}"} for n in range(400)),
        *({"order_id": f"o{n}", "customer_id": f"c{n % 50}"} for n in range(0, 400, 4)),
        *({"order_id": f"o{n}", "customer_id": "other"} for n in range(0, 400, 40)),
        # A conflict that comes again is a repeat, wherever the row with its key lies.
        *({"order_id": f"o{n}", "customer_id": "other"} for n in range(0, 400, 80)),
    ]
    file = write(tmp_path / "orders.csv", orders(*rows))
    made = []
    for name, size in (("whole", 2**31), ("pieces", 32_000)):
        lake = Lake.create(tmp_path / name, buckets=2, backend=CPU, key=KEY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gpu_pipeline.ingest.loading.LEAST_PIECE_BYTES", 16_000)
            options = LoadOptions(memory_bytes=size)
            (report,) = load_plan(lake, planned(file), options=options).files
        assert counts(report) == (400, 10, 105)
        made.append((lake, report))
    (whole, _), (pieces, _) = made
    # So many that they were merged again, by the writer that wrote them.
    assert {entry["operation"] for entry in pieces.history("orders")} == {
        "create",
        "append",
        "compact",
    }
    assert_frames_equal(accepted(pieces), accepted(whole))
    assert_frames_equal(rejected(pieces), rejected(whole))


def test_a_file_under_another_mapping_replaces_what_it_brought(lake: Lake, tmp_path: Path) -> None:
    load(lake, write(tmp_path / "orders-0.csv", OTHER))
    rows = [*MANY, *orders({"order_id": "9", "quantity": "x"})]
    file = write(tmp_path / "export.csv", rows)
    plain = FileMapping(feeds=(Feed(files="export.csv", contract="orders"),))
    other = {"product_id": {"from": "product_id", "apply": "lower"}, "quantity": {"constant": 3}}
    changed = FileMapping(feeds=(Feed(files="export.csv", contract="orders", columns=other),))
    first = load(lake, file, plain)
    (report,) = load_plan(
        lake, planned(file, mapping=changed), options=LoadOptions(reload=True)
    ).files
    assert report.rows == report.accepted + report.rejected + report.duplicates == first.rows
    mine = accepted(lake)[lambda rows: rows["file_no"] == report.file_no]
    assert len(mine) == report.accepted > first.accepted
    assert set(mine["quantity"]) == {3}
    assert (rejected(lake)["file_no"] == report.file_no).sum() == report.rejected
    assert len(accepted(lake)) == len(mine) + len(OTHER)
    assert load(lake, file, changed).loaded_before
    ledger = lake.read("source_files").compute()
    assert sorted(ledger["name"]) == ["export.csv", "orders-0.csv"]


def test_a_file_that_is_mostly_wrong_stops_the_load_and_leaves_its_verdict(
    lake: Lake, tmp_path: Path
) -> None:
    good = [{"order_id": f"g{n}"} for n in range(60)]
    wrong = [{"order_id": f"w{n}", "quantity": "x"} for n in range(61)]
    file = write(tmp_path / "orders.csv", orders(*good, *wrong))
    with pytest.raises(IngestError, match=r"50\.4% of 121 rows, allowed are 50\.0%"):
        load(lake, file)
    assert lake.tables() == ["quality_results"]
    (verdict,) = quality_of(lake).query("rule == 'rows that were rejected'")["verdict"]
    assert verdict == "stopped"
    edge = write(tmp_path / "orders-2.csv", orders(*good, *wrong[:60]))
    assert counts(load(lake, edge)) == (60, 60, 0)


def test_a_file_of_old_rows_is_stopped_and_told_how_to_load_it(lake: Lake, tmp_path: Path) -> None:
    load(lake, write(tmp_path / "orders-1.csv", orders({"ordered_at": "2026-06-01"})))
    old = orders(*({"order_id": f"o{n}", "ordered_at": "2020-01-01"} for n in range(100)))
    file = write(tmp_path / "orders-0.csv", old)
    with pytest.raises(IngestError, match=r"beyond_horizon: more than 35 days .* --backfill"):
        load(lake, file)
    assert lake.rows("orders") == 1
    report = load_plan(lake, planned(file), options=LoadOptions(backfill=True))
    assert counts(report.files[0]) == (100, 0, 0)


def quality_of(lake: Lake) -> pd.DataFrame:
    frame: pd.DataFrame = lake.read("quality_results").compute(scheduler="sync")
    return frame


def rewound(lake: Lake, *tables: str) -> None:
    """The lake as a load left it that was killed before it made these tables."""
    for table in tables:
        shutil.rmtree(lake.path / "tables" / table)


@pytest.mark.parametrize(
    "lost", [[], ["orders"], ["orders", "orders_rejected"]], ids=lambda lost: len(lost)
)
def test_a_load_that_was_killed_between_its_commits_is_finished_by_the_next(
    lake: Lake, tmp_path: Path, lost: list[str]
) -> None:
    file = write(tmp_path / "orders.csv", MANY)
    first = load(lake, file)
    rewound(lake, "source_files", *lost)
    report = load(lake, file)
    assert counts(report) == counts(first) == (7, 1, 0)
    told = versions(lake)
    assert told.pop("quality_results")[0] == 1
    assert told == {"orders": (1, 7), "orders_rejected": ANY, "source_files": (1, 1)}
    assert lake.rows("orders_rejected") == 1
    assert load(lake, file).loaded_before


def test_rejected_rows_of_a_killed_load_are_judged_anew(lake: Lake, tmp_path: Path) -> None:
    """A load dies after its rejected rows; then the lake changes; then it is done again."""
    first = write(tmp_path / "orders-1.csv", orders({"quantity": "x"}, {"order_id": "2"}))
    load(lake, first)
    rewound(lake, "source_files", "orders")
    changed = orders({"order_id": "2", "quantity": "1"}, {"quantity": "y"})
    assert counts(load(lake, write(tmp_path / "orders-0.csv", changed))) == (1, 1, 0)
    report = load(lake, first)
    assert counts(report) == (0, 2, 0)
    why = rejected(lake)
    assert why[why["file_no"] == report.file_no]["reasons"].tolist() == [
        "quantity: not a whole number",
        CONFLICT,
    ]
    assert (lake.rows("orders"), lake.rows("orders_rejected")) == (1, 3)
