"""No raw identifier of a person is anywhere in the lake, whatever column or line it came in."""

import itertools
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from landing import EVENT, ORDER, REVIEW, Row, write

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract, sources
from gpu_pipeline.ingest import ingest
from gpu_pipeline.store import Lake

IDS = ("CUST-4711-RAW", "Jane.Doe@Example.com", "998877665544.0", "v1s1t0r-c00k1e", "@jane_handle")
IDENTIFIERS = {
    "e-mail": "john.roe+shop@mail.example.org",
    "phone": "+49 30 9018 20 77",
    "national phone": "(020) 7946 0958",
    "card": "4111 1111 1111 1111",
    "plain card": "5500005555555559",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "plain IBAN": "GB82WEST12345698765432",
    "IPv4": "203.0.113.77",
    "IPv6": "2001:db8:85a3::8a2e:370:7334",
}
# Bare letters and digits: an order number or a quantity could look so.
CODES = ("plain card", "plain IBAN", "IPv4")
COUNTS = ("line_no", "quantity", "on_hand")
OTHERS: Mapping[str, Row] = {
    "orders": ORDER,
    "clickstream": EVENT,
    "reviews": REVIEW,
    "support": {
        "message_id": "m-1",
        "case_id": "c-1",
        "customer_id": "",
        "product_id": "85123A",
        "order_id": "536365",
        "opened_at": "2026-01-15",
        "sent_at": "2026-01-15",
        "status": "open",
        "channel": "chat",
        "topic": "delivery",
        "text": "Where is it?",
    },
    "customers": {
        "customer_id": "",
        "country": "GB",
        "signed_up_at": "2020-01-01",
        "marketing_consent": "true",
        "updated_at": "2026-01-01",
        "email": "",
    },
    "inventory": {
        "product_id": "85123A",
        "location": "north",
        "counted_at": "2026-01-15",
        "on_hand": "5",
        "supplier": "Hearts Ltd",
        "unit_cost": "1.50",
        "currency": "GBP",
    },
}


def planted(table: str, row: Row) -> list[Row]:
    """The row with each identifier in each of its columns, and a row of each person."""
    key = next(name for name in contract(table).key if name in row or name == "customer_key")
    number = itertools.count(1)

    def one(changes: Row) -> Row:
        name = "customer_id" if key == "customer_key" else key
        return {**row, name: f"k-{next(number)}", **changes}

    people = [name for name in row if name in ("customer_id", "visitor_id")]
    rows = [one({name: identity}) for name in people for identity in IDS]
    for name, (kind, found) in itertools.product(row, IDENTIFIERS.items()):
        is_code = name not in people and (
            name in contract(table).key or name.endswith("_id") or name in COUNTS
        )
        rows += [one({name: f"It is {found}, yes."})]
        rows += [] if is_code and kind in CODES else [one({name: found})]
    # A person's row that is refused for another reason, and one that contradicts another.
    rows += [{**rows[0], "currency": "pounds", "event_type": "hover", "rating": "9"}]
    rows += [{**one_row, "country": "FR", "channel": "mail"} for one_row in rows[:3]]
    return [{name: one_row[name] for name in row} for one_row in rows]


def fillers(table: str, row: Row, count: int) -> list[Row]:
    """Rows of the table that name nobody."""
    key = next(name for name in contract(table).key if name in row or name == "customer_key")
    name = "customer_id" if key == "customer_key" else key
    return [{**row, name: f"filler-{number}"} for number in range(count + 5)]


def broken(path: Path) -> None:
    """Appends lines that are no rows and hold everything."""
    everything = " ".join([*IDS, *IDENTIFIERS.values()])
    with path.open("a") as file:
        if path.suffix == ".csv":
            file.write(f"{everything}\n{','.join([everything] * 30)}\n")
        else:
            file.write(f'{{"customer_id": "{everything}\n["{everything}"]\n"{everything}"\n')


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with its key in a file, filled from files that name people everywhere."""
    root = tmp_path_factory.mktemp("shop")
    lake = Lake.create(root / "lake", buckets=2, backend=Backend.choose("cpu"))
    for kind, tables in (("csv", list(OTHERS)), ("jsonl", ["reviews"]), ("parquet", ["orders"])):
        folder = root / kind
        folder.mkdir()
        for table in tables:
            # As many good rows as bad ones: a file that is mostly wrong is not loaded.
            bad = planted(table, OTHERS[table])
            rows = [*bad, *fillers(table, OTHERS[table], len(bad))]
            path = write(folder / f"{table} of {IDENTIFIERS['e-mail']}, 1.{kind}", rows)
            if kind != "parquet":
                broken(path)
        ingest(lake, folder)
    return lake


def secrets() -> list[str]:
    """What was planted, as it was written and without the gaps."""
    known = [*IDS, *IDENTIFIERS.values()]
    bare = [known_one.translate(str.maketrans("", "", " ()+-.:")) for known_one in known]
    return [*known, *(one for one in bare if len(one) > 7), "998877665544"]


def values(lake: Lake) -> Iterator[str]:
    """Every text that any Parquet file holds."""
    for path in lake.path.rglob("*.parquet"):
        for column in pq.ParquetFile(path).read().itercolumns():
            yield from {str(value) for value in column.to_pylist()}


def found_in(text: str) -> list[str]:
    return [secret for secret in secrets() if secret.lower() in text.lower()]


def test_the_files_that_were_loaded_hold_what_is_looked_for(lake: Lake) -> None:
    landed = b"".join(path.read_bytes() for path in lake.path.parent.glob("csv/*"))
    assert all(secret.encode() in landed for secret in (*IDS, *IDENTIFIERS.values()))
    for table in OTHERS:
        assert lake.rows(table) > 10
        assert lake.rows(f"{table}_rejected") > 10
    assert set(OTHERS) < set(sources())


def test_no_byte_of_any_file_tells_who(lake: Lake) -> None:
    files = [path for path in lake.path.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        assert not found_in(path.read_bytes().decode("latin-1")), path
        assert not found_in(path.name)


def test_no_value_of_any_table_tells_who(lake: Lake) -> None:
    texts = set(values(lake))
    assert len(texts) > 500
    for text in texts:
        assert not found_in(text), text
    # They were there: their names stand in their places.
    for name in ("[email]", "[phone]", "[card]", "[iban]", "[ip]"):
        assert f"It is {name}, yes." in texts


def test_what_is_shown_of_a_rejected_row_is_redacted_and_its_people_are_pseudonyms(
    lake: Lake,
) -> None:
    rejected = lake.read("orders_rejected").compute()
    shown = [json.loads(text) for text in rejected["row_values"] if text.startswith("{")]
    assert any(row.get("quantity") == "[email]" for row in shown)
    named = {row["customer_id"] for row in shown if "customer_id" in row}
    assert all(len(bytes.fromhex(key)) == 8 for key in named)


def test_the_key_lies_outside_the_lake_for_its_owner_alone(lake: Lake) -> None:
    key = lake.path.with_name("lake.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for path in lake.path.rglob("*"):
        assert path.is_dir() or lake.key.encode() not in path.read_bytes()
