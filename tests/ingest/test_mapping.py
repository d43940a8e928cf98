import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from landing import ORDER, accepted, counts, faults, load, orders, rejected, write

from gpu_pipeline.contracts import sources
from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest import FileMapping, ingest, mapping, planned
from gpu_pipeline.ingest.mapping import Feed
from gpu_pipeline.store import Lake

KEY = "0123456789abcdef" * 4

# What the order contract needs and these tests don't turn on.
REST = {
    "order_id": "order_id",
    "ordered_at": "ordered_at",
    "product_id": "product_id",
    "quantity": "quantity",
    "unit_price": "unit_price",
    "currency": "currency",
}


def landed(column: str, said: object, *values: object, kind: Any = None) -> list[object]:
    """What the feed makes of a file's column `x` with those values."""
    feed = Feed.model_validate(
        {"files": "*", "contract": "orders", "columns": {**REST, column: said}}
    )
    rows = {name: ["1"] * len(values) for name in REST}
    table = pa.table({**rows, "x": pa.array(values, kind)})
    made: list[object] = feed.landed(table, key=KEY)[column].to_pylist()
    return made


def case(*conditions: dict[str, object], otherwise: object = "sale") -> dict[str, object]:
    return {"cases": [{"when": "x", **c} for c in conditions], "otherwise": otherwise}


@pytest.mark.parametrize(
    ("said", "values", "made"),
    [
        ("x", [" a ", None], [" a ", None]),
        ({"from": "x"}, [" a ", None], [" a ", None]),
        ({"from": "x", "apply": "strip"}, [" ä\t", None], ["ä", None]),
        ({"from": "x", "apply": "upper"}, [" äb ", None], ["ÄB", None]),
        ({"from": "x", "apply": "lower"}, [" ÄB ", None], ["äb", None]),
        ({"constant": "GBP"}, ["a", None], ["GBP", "GBP"]),
        ({"constant": 7}, ["a"], ["7"]),
        ({"constant": True}, ["a"], ["true"]),
        (case({"equals": "a", "then": "A"}), ["a", "A", None], ["A", "sale", "sale"]),
        (
            case({"equals": 0, "then": "none"}),
            ["0", "0.00", " 0 ", "-0", "00", "o", None],
            ["none"] * 5 + ["sale"] * 2,
        ),
        (case({"equals": 1.5, "then": "A"}), ["1.50", "15e-1", "1,5"], ["A", "A", "sale"]),
        (case({"equals": True, "then": "A"}), ["true", "True", "1"], ["A", "A", "sale"]),
        (case({"in": ["a", 1, True], "then": "A"}), ["a", "1", "true", "b"], ["A"] * 3 + ["sale"]),
        (case({"starts_with": "C", "then": "A"}), ["C1", "1C", "c1", None], ["A"] + ["sale"] * 3),
        (
            case({"matches": "C\\d+|X", "then": "A"}),
            ["C12", "X", "C12x", "aX", None],
            ["A", "A", "sale", "sale", "sale"],
        ),
        (case({"below": 0, "then": "A"}), ["-1", "-0.5", "0", "x", None], ["A"] * 2 + ["sale"] * 3),
        (case({"above": 9, "then": "A"}), ["9.5", "1e3", "9", "x"], ["A", "A", "sale", "sale"]),
        (
            case({"starts_with": "a", "then": "first"}, {"equals": "ab", "then": 2}),
            ["ab", "b"],
            ["first", "sale"],
        ),
        (case({"equals": "b", "then": "B"}, otherwise=None), ["a", "b"], [None, "B"]),
    ],
)
def test_a_text_column_is_made_of(said: object, values: list[object], made: list[object]) -> None:
    assert landed("line_type", said, *values, kind=pa.string()) == made


@pytest.mark.parametrize(
    ("said", "values", "kind", "made"),
    [
        ("x", [17850.0, None], pa.float64(), ["17850", None]),
        ("x", [10002], pa.int64(), ["10002"]),
        (case({"equals": 0, "then": "A"}), [0.0, 1.0, None], pa.float64(), ["A", "sale", "sale"]),
        (case({"equals": True, "then": "A"}), [True, False], pa.bool_(), ["A", "sale"]),
        (case({"in": [10002], "then": "A"}), [10002, 3], pa.int64(), ["A", "sale"]),
        (case({"below": 0, "then": "A"}), [-3, 3, None], pa.int16(), ["A", "sale", "sale"]),
        (case({"starts_with": "10", "then": "A"}), [1000, 1], pa.int64(), ["A", "sale"]),
        # No number at all: the condition holds for none.
        (case({"above": 0, "then": "A"}), [5], pa.timestamp("us"), ["sale"]),
    ],
)
def test_a_column_that_is_no_text_is_compared_too(
    said: object, values: list[object], kind: Any, made: list[object]
) -> None:
    assert landed("line_type", said, *values, kind=kind) == made


@pytest.mark.parametrize(
    ("values", "kind", "made"),
    [
        (
            ["5", "-5", "+5", " 2.50 ", "-0.1", "1e3"],
            None,
            ["-5", "5", "-5", "-2.50", "0.1", "-1e3"],
        ),
        (["x", "--5", "", None], None, ["x", "--5", "", None]),
        ([5, -5, None], pa.int64(), ["-5", "5", None]),
        ([2.5, -0.1], pa.float64(), ["-2.5", "0.1"]),
    ],
)
def test_negate_turns_the_sign_and_leaves_what_is_no_number(
    values: list[object], kind: Any, made: list[object]
) -> None:
    assert landed("discount", {"from": "x", "apply": "negate"}, *values, kind=kind) == made


def test_a_digest_tells_rows_apart_and_needs_the_key() -> None:
    feed = Feed.model_validate(
        {"files": "*", "contract": "orders", "columns": {"order_id": {"digest_of": ["x", "y"]}}}
    )
    table = pa.table({"x": ["a", "a", "ab", None, "", "a"], "y": ["b", "c", "", "ab", "ab", "b"]})
    made = feed.landed(table, key=KEY)["order_id"].to_pylist()
    assert made[0] == made[5]
    assert made[3] == made[4]  # blank is missing
    assert len(set(made)) == 4
    assert all(len(bytes.fromhex(value)) == 8 for value in made)
    assert not set(made) & set(feed.landed(table, key=KEY[::-1])["order_id"].to_pylist())
    assert feed.landed(table[:0], key=KEY)["order_id"].type == pa.string()


@pytest.mark.parametrize(
    ("said", "values", "made"),
    [
        ({"from": "x", "apply": ["strip", "lower"]}, [" AB "], ["ab"]),
        ({"from": "x", "decimal": ",", "apply": "negate"}, ["1,50 €"], ["-1.50"]),
        ({"from": "x", "split": "/", "part": -1, "apply": "upper"}, ["a/b"], ["B"]),
        ({"from": "x", "apply": "upper", "values": {"Y": True}}, ["y", "n"], ["true", "N"]),
        ({"from": "x", "values": {1: "a"}, "otherwise": 2}, ["1", "b"], ["a", "2"]),
        ({"from": "x", "replace": {"-": "/"}, "split": "/", "part": 2}, ["a-b"], ["b"]),
        ({"first_of": ["y", "x"]}, ["a", None], ["a", None]),
        ({"concat": ["x", "x"], "separator": "+"}, ["a", None], ["a+a", None]),
        ({"concat": ["x", "x"]}, ["a"], ["aa"]),
        ({"multiply": ["x", 100], "decimal": ",", "thousands": "."}, ["1.000,5"], ["100050"]),
        ({"divide": ["x", 3], "round": 2}, ["10", "a"], ["3.33", "a / 3"]),
        ({"from": "x", "format": "%d/%m/%Y"}, ["31/12/2010"], ["2010-12-31 00:00:00.000000"]),
        ({"from": "x", "format": ["%Y", "%y"]}, ["10", "x"], ["2010-01-01 00:00:00.000000", "x"]),
        ({"from": "x", "unix": "s"}, ["0"], ["1970-01-01 00:00:00.000000"]),
    ],
)
def test_changes_are_made_in_their_order(
    said: object, values: list[object], made: list[object]
) -> None:
    assert landed("product_name", said, *values, kind=pa.string()) == made


def test_times_without_an_offset_are_of_the_feeds_zone_and_unix_times_are_not(
    lake: Lake, tmp_path: Path
) -> None:
    row = {"ordered_at": "15/07/2026 12:00", "shipped_at": "1784116800"}
    for zone, hour in (("UTC", 12), ("Europe/London", 11)):
        mapping = from_yaml(
            tmp_path,
            time_zone=zone,
            columns={
                "ordered_at": {"from": "ordered_at", "format": "%d/%m/%Y %H:%M"},
                "shipped_at": {"from": "shipped_at", "unix": "s"},
            },
        )
        path = write(tmp_path / f"orders-{zone[:3]}.csv", orders({**row, "order_id": zone}))
        assert counts(load(lake, path, mapping)) == (1, 0, 0)
        made = accepted(lake).set_index("order_id").loc[zone]
        assert made["ordered_at"] == pd.Timestamp(2026, 7, 15, hour)
        assert made["shipped_at"] == pd.Timestamp(2026, 7, 15, 12)


def test_a_value_that_no_transform_can_read_is_rejected_with_what_it_was(
    lake: Lake, tmp_path: Path
) -> None:
    mapping = from_yaml(
        tmp_path,
        columns={
            "ordered_at": {"from": "ordered_at", "format": "%d/%m/%Y"},
            "unit_price": {"divide": ["total", "quantity"], "decimal": ",", "thousands": "."},
        },
    )
    rows = [
        {**row, "total": total, "ordered_at": day, "line_no": str(number)}
        for number, (row, total, day) in enumerate(
            [
                (ORDER, "1.200,00", "28/02/2026"),
                (ORDER, "1200.00", "28/02/2026"),
                (ORDER, "1.200,00", "29/02/2026"),
                ({**ORDER, "quantity": "0"}, "12", "28/02/2026"),
                (ORDER, "10", "28/02/2026"),
            ]
        )
    ]
    report = load(lake, write(tmp_path / "orders.csv", rows), mapping)
    assert counts(report) == (1, 4, 0)
    assert accepted(lake)["unit_price"].tolist() == [20000]
    money = "unit_price: not an amount in the currency's minor units"
    found = dict(faults(lake))
    assert {line: found[line] for line in (2, 3, 5)} == {
        2: money,
        3: "ordered_at: not a time",
        5: money,
    }
    assert money in found[4]
    values = "".join(rejected(lake)["row_values"])
    assert all(said in values for said in ("1200.00", "29/02/2026", "12 / 0", "1.66666666"))


def test_fields_inside_of_json_objects_feed_columns(lake: Lake, tmp_path: Path) -> None:
    mapping = from_yaml(
        tmp_path, columns={"country": "ship.to.country", "product_id": "items[0].sku"}
    )
    row = {n: v for n, v in ORDER.items() if n not in ("country", "product_id")}
    path = tmp_path / "orders.jsonl"
    rows = [
        {**row, "items": [{"sku": 12}], "ship": {"to": {"country": "Norway"}}},
        {**row, "items": [], "ship": None, "line_no": 2},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert counts(load(lake, path, mapping)) == (1, 1, 0)
    assert accepted(lake)[["country", "product_id"]].to_numpy().tolist() == [["Norway", "12"]]
    assert faults(lake) == [(2, "product_id: missing")]


def test_one_file_feeds_several_contracts(lake: Lake, tmp_path: Path) -> None:
    said = {"feeds": [
        {"files": "sales*", "contract": "orders"},
        {"files": "sales*", "contract": "fx_rates",
         "columns": {"day": "ordered_at", "rate": {"constant": 1}}},
    ]}  # fmt: skip
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(said))
    path = write(tmp_path / "sales.csv", orders({}))
    reports = ingest(lake, path, mapping=FileMapping.load(tmp_path / "mapping.yaml")).files
    assert [(r.contract, r.accepted) for r in reports] == [("orders", 1), ("fx_rates", 1)]


def test_a_header_of_the_mapping_names_the_columns(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("|".join({**ORDER, "product_name": "'A|B'"}.values()) + "\n")
    with pytest.raises(IngestError, match="header names 1 columns, the first record has 13"):
        load(lake, path, from_yaml(tmp_path, header=["a"], delimiter="|"))
    mapping = from_yaml(tmp_path, header=list(ORDER), delimiter="|", quote="'")
    assert counts(load(lake, path, mapping)) == (1, 0, 0)
    assert accepted(lake)["product_name"].tolist() == ["A|B"]


def test_a_delimiter_that_is_another_is_guessed_at_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(";".join(ORDER) + "\n")
    for feeds in (None, from_yaml(tmp_path, columns={"currency": "Currency"})):
        with pytest.raises(IngestError, match="Does the mapping lack delimiter: ';'"):
            planned(path, mapping=feeds)


def test_a_value_that_cannot_be_negated_is_rejected_and_not_taken_for_missing(
    lake: Lake, tmp_path: Path
) -> None:
    mapping = from_yaml(tmp_path, columns={"discount": {"from": "discount", "apply": "negate"}})
    rows = orders({"discount": "-1.50"}, {"discount": "none"}, {"discount": "", "line_no": "2"})
    report = load(lake, write(tmp_path / "orders.csv", rows), mapping)
    assert counts(report) == (2, 1, 0)
    assert accepted(lake)["discount"].tolist() == [150, 0]
    assert faults(lake) == [(2, "discount: not an amount in the currency's minor units")]
    assert '"none"' in rejected(lake)["row_values"][0]


def test_a_column_that_some_json_lines_lack_is_missing_there(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_pipeline.ingest.reading.blocks.BLOCK_ROWS", 2)
    mapping = from_yaml(
        tmp_path,
        columns={
            "discount": {"from": "off", "apply": "negate"},
            "line_type": {
                "cases": [{"when": "kind", "equals": "r", "then": "return"}],
                "otherwise": "sale",
            },
        },
    )
    rows = orders(*({"line_no": str(n)} for n in range(5)))
    rows[1] = {**rows[1], "off": "-1", "kind": "r"}
    path = write(tmp_path / "orders.jsonl", rows)
    path.write_text(path.read_text() + '{"unheard_of": 1}\n{"unheard_of": 2}\n')
    assert counts(load(lake, path, mapping)) == (5, 2, 0)
    assert accepted(lake)["discount"].tolist() == [0, 100, 0, 0, 0]
    assert accepted(lake)["line_type"].tolist() == ["sale", "return", "sale", "sale", "sale"]


def from_yaml(folder: Path, **said: object) -> FileMapping:
    feed = {"files": "orders*", "contract": "orders", **said}
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({"feeds": [feed]}))
    return FileMapping.load(path)


TIMES = [
    # Europe/London sets its clocks at 01:00 UTC: forward on 29 March, back on 25 October 2026.
    ("2026-01-15 12:00:00", "2026-01-15 12:00"),
    ("2026-07-15 12:00:00", "2026-07-15 11:00"),
    ("2026-07-15T12:00:00.123456", "2026-07-15 11:00:00.123456"),
    ("2026-03-29 00:59:59", "2026-03-29 00:59:59"),
    ("2026-03-29 01:30:00", "2026-03-29 01:30"),  # skipped: the offset before counts
    ("2026-03-29 02:00:00", "2026-03-29 01:00"),
    ("2026-10-25 00:59:00", "2026-10-24 23:59"),
    ("2026-10-25 01:30:00", "2026-10-25 00:30"),  # comes twice: the first one
    ("2026-10-25 02:00:00", "2026-10-25 02:00"),
    ("2026-07-15T12:00:00Z", "2026-07-15 12:00"),
    ("2026-07-15T12:00:00+05:30", "2026-07-15 06:30"),
    ("2026-07-15 12:00:00-0800", "2026-07-15 20:00"),
    ("2026-07-15", "2026-07-14 23:00"),
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_are_of_the_feeds_zone_unless_they_say_their_offset(
    lake: Lake, tmp_path: Path, kind: str
) -> None:
    rows = orders(*({"order_id": str(n), "ordered_at": t} for n, (t, _) in enumerate(TIMES)))
    mapping = from_yaml(tmp_path, time_zone="Europe/London")
    assert counts(load(lake, write(tmp_path / f"orders.{kind}", rows), mapping))[1:] == (0, 0)
    assert accepted(lake)["ordered_at"].tolist() == [pd.Timestamp(utc) for _, utc in TIMES]


def test_a_delimiter_and_an_encoding_of_its_own(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    row = {**ORDER, "product_name": "Größe; 5", "country": "Österreich"}
    cells = [f'"{value}"' for value in row.values()]
    path.write_bytes(f"{';'.join(row)}\n{';'.join(cells)}\n".encode("latin-1"))
    mapping = from_yaml(tmp_path, delimiter=";", encoding="latin-1")
    assert counts(load(lake, path, mapping)) == (1, 0, 0)
    (made,) = accepted(lake).to_dict("records")
    assert (made["product_name"], made["country"]) == ("Größe; 5", "Österreich")


def test_the_example_of_the_documentation_is_a_mapping(tmp_path: Path) -> None:
    example = dedent((mapping.__doc__ or "").partition("::\n")[2])
    (tmp_path / "mapping.yaml").write_text(example)
    (feed,) = FileMapping.load(tmp_path / "mapping.yaml").feeds
    assert (feed.contract, feed.time_zone) == ("orders", "Europe/London")


ROOT = Path(__file__).parents[2]
MAPPINGS = sorted([*ROOT.glob("data/*.mapping.yaml"), *ROOT.glob("docs/mappings/*.yaml")])


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name)
def test_every_mapping_that_is_shipped_is_one(path: Path) -> None:
    assert FileMapping.load(path).feeds


WRONG: dict[str, tuple[object, str]] = {
    "unknown contract": ({"contract": "sales"}, "feeds.0.contract: 'sales' is no source; there"),
    "derived contract": ({"contract": "customer_features"}, "'customer_features' is no source"),
    "unknown landing column": (
        {"columns": {"price": "p"}},
        r"contract orders has no \['price'\]; it has customer_id, order_id",
    ),
    "made column": ({"columns": {"customer_key": "p"}}, r"has no \['customer_key'\]"),
    "unknown key": ({"colums": {}}, "feeds.0.colums: Extra inputs are not permitted"),
    "unknown key in a column": (
        {"columns": {"order_id": {"form": "x"}}},
        "feeds.0.columns.order_id.form: Extra inputs are not permitted",
    ),
    "unknown transform": (
        {"columns": {"order_id": {"from": "x", "apply": "trim"}}},
        "order_id.apply.0: Input should be 'strip', 'upper', 'lower' or 'negate'",
    ),
    "two sources": (
        {"columns": {"order_id": {"from": "x", "constant": 1}}},
        "order_id: needs exactly one of from, first_of, concat, add, subtract, multiply, divide, "
        "constant, digest_of, cases",
    ),
    "no source": (
        {"columns": {"order_id": {}}},
        "needs exactly one of from, first_of, concat, add, subtract, multiply, divide, constant",
    ),
    "two conditions": (
        {"columns": {"line_type": case({"equals": 1, "below": 2, "then": "fee"})}},
        "cases.0: needs exactly one of in, starts_with, matches, equals, below, above",
    ),
    "no condition": (
        {"columns": {"line_type": case({"then": "fee"})}},
        "cases.0: needs exactly one of in, starts_with, matches, equals, below, above",
    ),
    "no then": (
        {"columns": {"line_type": {"cases": [{"when": "x", "equals": 1}]}}},
        "cases.0.then: Field required",
    ),
    "options without what they change": (
        {"columns": {"order_id": {"from": "x", "separator": "-", "round": 2, "otherwise": 1}}},
        "separator needs concat; round needs add or subtract .* or divide; otherwise needs cases",
    ),
    "no part": ({"columns": {"order_id": {"from": "x", "split": "-"}}}, "split needs part: 1"),
    "part zero": (
        {"columns": {"order_id": {"from": "x", "split": "-", "part": 0}}},
        "split needs part: 1",
    ),
    "a constant changed": (
        {"columns": {"order_id": {"constant": 1, "apply": "upper"}}},
        "constant can't be changed by apply",
    ),
    "two kinds of time": (
        {"columns": {"ordered_at": {"from": "x", "unix": "s", "format": "%Y"}}},
        "format and unix exclude each other",
    ),
    "marks alike": (
        {"columns": {"unit_price": {"from": "x", "thousands": "."}}},
        "decimal and thousands must differ",
    ),
    "bad format": (
        {"columns": {"ordered_at": {"from": "x", "format": "%Q"}}},
        "'%Q' is no format of strptime: 'Q' is a bad directive",
    ),
    "no year": (
        {"columns": {"ordered_at": {"from": "x", "format": ["%Y", "%d/%m"]}}},
        "'%d/%m' says no year",
    ),
    "truth as a key": (
        {"columns": {"order_id": {"from": "x", "values": {True: "a"}}}},
        "YAML takes yes, no, on, off, true and false for truth values: quote them",
    ),
    "constants alone": (
        {"columns": {"unit_price": {"add": [1, 2]}}},
        "unit_price: needs a column of the file",
    ),
    "one operand": (
        {"columns": {"unit_price": {"add": ["x"]}}},
        "unit_price.add.1: Field required",
    ),
    "quote as escape": ({"quote": "'", "escape": "'"}, "delimiter, quote and escape must differ"),
    "long quote": ({"quote": "''"}, "\"''\" is not one ASCII character, or none"),
    "header that repeats": ({"header": ["a", "a"]}, "header: names columns twice"),
    "encoding of no text": ({"encoding": "rot13"}, "'rot13' is no encoding"),
    "bad pattern": (
        {"columns": {"line_type": case({"matches": "(", "then": "fee"})}},
        r"cases.0.matches: '\(' is no regular expression",
    ),
    "look-around": (
        {"columns": {"line_type": case({"matches": "(?=a)", "then": "fee"})}},
        "is no regular expression of RE2",
    ),
    "unknown zone": ({"time_zone": "Europe/Lundun"}, "'Europe/Lundun' is no time zone"),
    "path as a zone": ({"time_zone": "../etc"}, "is no time zone"),
    "unknown encoding": ({"encoding": "utf-9"}, "'utf-9' is no encoding that Python knows"),
    "long delimiter": ({"delimiter": ";;"}, "';;' is not one ASCII character"),
    "quote as a delimiter": ({"delimiter": '"'}, "is not one ASCII character"),
    "columns that are a list": (
        {"columns": ["x"]},
        "feeds.0.columns: Input should be a valid dict",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_mapping_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    said, message = WRONG[name]
    assert isinstance(said, dict)
    with pytest.raises(IngestError, match=message) as caught:
        from_yaml(tmp_path, **said)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"The mapping {tmp_path / 'mapping.yaml'}: feeds.0")


def test_every_fault_of_a_mapping_is_told(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as caught:
        from_yaml(tmp_path, time_zone="x", delimiter="::", encoding="y")
    assert all(word in str(caught.value) for word in ("time_zone", "delimiter", "encoding"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feeds: [", "can't be read: while parsing"),
        ("feeds:\n\t- a", "can't be read: while scanning"),
        ("", "all of it: Input should be a valid dictionary"),
        ("- feeds", "all of it: Input should be a valid dictionary"),
        ("feeds: 3", "feeds: Input should be a valid tuple"),
        ("feed: []", "feeds: Field required; feed: Extra inputs"),
        ("feeds: !!python/object:os.system {}", "can't be read: could not determine a constructor"),
        ("\udce4", "can't be read: 'utf-8' codec"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(IngestError, match=message) as caught:
        FileMapping.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_mapping_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(IngestError, match=r"The mapping .* can't be read"):
            FileMapping.load(path)


def test_the_digest_tells_what_is_read_and_not_from_which_files(tmp_path: Path) -> None:
    feed = from_yaml(tmp_path).feeds[0]
    assert feed.digest == from_yaml(tmp_path, files="*.csv").feeds[0].digest
    others = [
        from_yaml(tmp_path, **change).feeds[0].digest
        for change in (
            {"time_zone": "Asia/Tokyo"},
            {"delimiter": ";"},
            {"encoding": "latin-1"},
            {"quote": "'"},
            {"escape": "\\"},
            {"header": ["a"]},
            {"columns": {"currency": {"constant": "EUR"}}},
            {"columns": {"currency": {"constant": "GBP"}}},
            {"contract": "reviews"},
        )
    ]
    assert len({feed.digest, *others}) == 10


@pytest.mark.parametrize("source", sources())
@pytest.mark.parametrize("suffix", [".csv", "-2026-01.jsonl.gz", "_1.parquet", ".2026.csv.zst"])
def test_files_are_known_by_the_name_of_their_contract(source: str, suffix: str) -> None:
    feeds = FileMapping.by_name().feeds_of(Path(f"/landing/{source}{suffix}"))
    assert [feed.contract for feed in feeds] == [source]


@pytest.mark.parametrize("name", ["my_orders.csv", "ordersold.csv", "Orders.csv", "orders"])
def test_other_names_feed_nothing(name: str) -> None:
    assert FileMapping.by_name().feeds_of(Path(name)) == []
