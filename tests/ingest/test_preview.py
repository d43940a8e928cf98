import json
from dataclasses import asdict
from pathlib import Path

import pytest
from landing import orders, write

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest import FileMapping, Preview, planned, previewed
from gpu_pipeline.ingest.mapping import Feed

MAIL = "jo.doe@example.org"


def preview(path: Path, backend: Backend, **said: object) -> Preview:
    feed = Feed.model_validate({"files": "*", "contract": "orders", **said})
    (one,) = previewed(planned(path, mapping=FileMapping(feeds=(feed,))), backend=backend)
    return one


def test_what_feeds_a_column_and_what_feeds_nothing(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "orders.csv"
    rows = orders({"Price": "1,50", "Note": "x", "Till": "{}"})
    write(path, rows)
    path.write_text(path.read_text().replace(",", ";").replace("1;50", "1,50").replace('"', ""))
    columns = {"unit_price": {"from": "Price", "decimal": ","}, "country": {"constant": "DE"}}
    shown = preview(path, backend, delimiter=";", columns=columns)
    assert (shown.accepted, shown.rejected) == (1, 0)
    sources = {fed.column: fed.source for fed in shown.columns}
    assert sources["unit_price"] == "Price, decimal ','"
    assert (sources["country"], sources["quantity"]) == ("constant DE", "quantity")
    assert sources["shipped_at"] is None
    assert set(shown.unused) == {"Note", "Till", "unit_price", "country"}
    assert shown.written == {
        "kind": "csv",
        "time zone": "UTC",
        "encoding": "utf-8",
        "delimiter": ";",
        "quote": '"',
        "escape": "",
        "header": "in the file",
    }


def test_nested_columns_that_feed_something_are_not_unused(
    tmp_path: Path, backend: Backend
) -> None:
    (row,) = orders({"ship": {"land": "NO"}, "note": "x"})
    path = tmp_path / "orders.jsonl"
    path.write_text(json.dumps(row))
    shown = preview(path, backend, columns={"country": "ship.land"})
    assert set(shown.unused) == {"country", "note"}
    (example,) = shown.examples
    assert (example.before["country"], example.after["country"]) == ("NO", "NO")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_before_and_after_name_nobody(tmp_path: Path, backend: Backend, kind: str) -> None:
    rows = orders(
        *({"customer_id": "Jo Doe 17", "line_no": str(n), "product_name": MAIL} for n in range(9)),
        {"customer_id": "Jo Doe 17", "quantity": "many", "ordered_at": MAIL},
        {"customer_id": "Jo Doe 17", "quantity": "none"},
    )
    shown = preview(write(tmp_path / f"orders.{kind}", rows), backend)
    assert (shown.accepted, shown.rejected) == (9, 2)
    assert sum(shown.reasons.values()) == 2
    assert [bool(example.reasons) for example in shown.examples] == [False] * 3 + [True] * 2
    assert [example.line for example in shown.examples] == [1, 2, 3, 10, 11]
    first, bad = shown.examples[0], shown.examples[3]
    assert (first.before["quantity"], first.after["quantity"]) == ("6", 6)
    assert (first.before["customer_id"], first.after["key_kind"]) == ("(hidden)", "customer")
    assert (bad.before["quantity"], bad.after) == ("many", {})
    said = json.dumps(asdict(shown), ensure_ascii=False)
    assert all(name not in said for name in ("Jo Doe", MAIL))


def test_a_row_without_structure_is_counted_and_not_shown(tmp_path: Path, backend: Backend) -> None:
    path = write(tmp_path / "orders.csv", orders({}))
    path.write_text(path.read_text() + f"{MAIL},1\n")
    shown = preview(path, backend)
    assert shown.reasons == {"2 fields, not 12": 1}
    assert (shown.examples[1].line, shown.examples[1].before) == (2, {})
