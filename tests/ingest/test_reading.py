import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from landing import as_csv, as_jsonl, as_parquet, orders, write

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import Block, Dialect, column_names, plain_names, read_blocks

PLAIN = Dialect()
BLOCKS = "gpu_pipeline.ingest.reading.blocks"


def read(path: Path, dialect: Dialect = PLAIN) -> tuple[dict[int, dict[str, object]], dict]:
    """(row by record number, reason by record number) of a whole file."""
    blocks = list(read_blocks(path, dialect))
    rows = {
        int(line): row
        for block in blocks
        for line, row in zip(block.lines, block.table.to_pylist(), strict=True)
    }
    broken = {row.line: row.reason for block in blocks for row in block.broken}
    assert len(rows) + len(broken) == sum(len(b.lines) + len(b.broken) for b in blocks)
    return rows, broken


def test_a_block_has_the_rows_and_their_record_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{"a": "1", "b": ""}, {"a": "3", "b": "4"}])
    (block,) = read_blocks(path, PLAIN)
    assert isinstance(block, Block)
    assert block.table.to_pydict() == {"a": ["1", "3"], "b": [None, "4"]}
    assert (block.lines.tolist(), block.broken) == ([1, 2], [])


def test_broken_rows_come_with_the_good_ones_around_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2,3\n4,5\n6\n")
    (block,) = read_blocks(tmp_path / "a.csv", PLAIN)
    assert block.lines.tolist() == [2]
    assert [(row.line, row.text) for row in block.broken] == [(1, "1,2,3"), (3, "6")]


RECORDS = st.sampled_from(
    ["1,2", "ü,漢", '"x\ny",2', '"say ""hi""",', ",", "1", "1,2,3", "1,2,3,4", "", '"a,b"', "\r"]
)


@settings(deadline=None, max_examples=150)
@given(
    records=st.lists(RECORDS, max_size=40),
    piece_bytes=st.integers(40, 200),
    block_rows=st.integers(1, 9),
    end=st.sampled_from(["\n", "\r\n", ""]),
)
@example(
    records=["1,2,3", "1,2", "1", "", '"x\ny",2', "1,2,3"], piece_bytes=40, block_rows=3, end="\n"
)
def test_records_of_a_csv_file_are_numbered_as_the_csv_module_counts_them(
    records: list[str], piece_bytes: int, block_rows: int, end: str
) -> None:
    text = "\n".join(["a,b", *records]) + end
    slow = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    good = {n: row for n, row in enumerate(slow, start=1) if len(row) == 2}
    bad = {n: f"{len(row)} fields, not 2" for n, row in enumerate(slow, start=1) if len(row) != 2}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch(f"{BLOCKS}.PIECE_BYTES", piece_bytes),
        patch(f"{BLOCKS}.BLOCK_ROWS", block_rows),
    ):
        path = Path(folder) / "a.csv"
        path.write_bytes(text.encode())
        rows, broken = read(path)
    assert broken == bad
    assert {n: [v or "" for v in row.values()] for n, row in rows.items()} == good


JSON_LINES = {
    '{"a":1}': {"a": "1"},
    '{"b":"x"}': {"b": "x"},
    '{"a":true,"b":{"c":[2.50]}}': {"a": "true", "b": '{"c": [2.50]}'},
    '{"b":"\\ud83d\\ude42"}': {"b": "🙂"},
    "{": "not JSON",
    # Nothing on their own, and JSON once a comma stands between.
    '{"a":1},{"b":2}': "not JSON",
    '{"a":[1': "not JSON",
    "2]}": "not JSON",
    '{"b":"\\ud83d"}': "not JSON",
    "[]": "no JSON object",
    "7": "no JSON object",
    "{}": "an empty JSON object",
}


@settings(deadline=None, max_examples=100)
@given(
    records=st.lists(st.sampled_from([*JSON_LINES, "", "  "])),
    block_rows=st.integers(1, 5),
    piece_bytes=st.integers(1, 60),
)
@example(records=['{"a":[1', "2]}", '{"a":1},{"b":2}'], block_rows=9, piece_bytes=999)
def test_each_line_of_a_json_lines_file_is_a_numbered_record_of_its_own(
    records: list[str], block_rows: int, piece_bytes: int
) -> None:
    said = [*(record for record in records if record.strip()), '{"a":1}']
    with (
        tempfile.TemporaryDirectory() as folder,
        patch(f"{BLOCKS}.BLOCK_ROWS", block_rows),
        patch(f"{BLOCKS}.PIECE_BYTES", piece_bytes),
    ):
        path = Path(folder) / "a.jsonl"
        path.write_text("\n".join([*records, '{"a":1}']))
        rows, broken = read(path)
    found = {n: {c: v for c, v in row.items() if v is not None} for n, row in rows.items()}
    assert found | broken == {n: JSON_LINES[record] for n, record in enumerate(said, start=1)}


@pytest.mark.parametrize(
    "record",
    [
        '{"a": "half of a pair \\ud800"}',
        "[" * 100_000,
        '{"a": 1',
        "{'a': 1}",
        "nonsense",
    ],
)
def test_a_record_that_is_no_json_is_broken_and_the_next_one_is_read(
    tmp_path: Path, record: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{record}\n{{"a": "whole pair \\ud83d\\ude42"}}\n')
    rows, broken = read(path)
    assert broken == {1: "not JSON"}
    assert rows == {2: {"a": "whole pair 🙂"}}


def test_json_values_are_text_as_it_is_written(tmp_path: Path) -> None:
    row = '{"a": 12.50, "b": 12345678901234567890, "c": true, "d": null, "e": "", "f": {"g": [1]}}'
    path = tmp_path / "a.jsonl"
    path.write_text(row)
    rows, _ = read(path)
    assert rows[1] == {
        "a": "12.50",
        "b": "12345678901234567890",
        "c": "true",
        "d": None,
        "e": None,
        "f": '{"g": [1]}',
    }


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "\n\na,b\n\n\n", "\ufeffa,b\r\n"])
def test_a_csv_file_with_a_header_alone_has_no_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert column_names(path, PLAIN) == ["a", "b"]
    assert read(path) == ({}, {})
    assert all(block.table.column_names == ["a", "b"] for block in read_blocks(path, PLAIN))


@pytest.mark.parametrize(
    ("content", "dialect", "names", "row"),
    [
        ("\ufeffä,b\n1,2\n".encode(), PLAIN, ["ä", "b"], ["1", "2"]),
        ("ä;b\nü;2\n".encode("latin-1"), Dialect(";", "latin-1"), ["ä", "b"], ["ü", "2"]),
        ("ä\tb\nü\t2\n".encode("utf-16"), Dialect("\t", "utf-16"), ["ä", "b"], ["ü", "2"]),
        (b"a,b\n\x80,2\n", Dialect(",", "cp1252"), ["a", "b"], ["€", "2"]),
        (b'"a\nx",b\n1,2\n', PLAIN, ["a\nx", "b"], ["1", "2"]),
        (b'" a ","b,c"\n1,2\n', PLAIN, [" a ", "b,c"], ["1", "2"]),
        (b"\n\r\na,b\r1,2\r", PLAIN, ["a", "b"], ["1", "2"]),
        (b"a,b\r\n'1,''5',2\r\n", Dialect(quote="'"), ["a", "b"], ["1,'5", "2"]),
        (b'a,b\n"say ""x""",2\n', PLAIN, ["a", "b"], ['say "x"', "2"]),
        (b'a,b\n"say \\"x\\"",2\n', Dialect(escape="\\"), ["a", "b"], ['say "x"', "2"]),
        (b"a,b\n1\\,5,2\n", Dialect(escape="\\", quote=""), ["a", "b"], ["1,5", "2"]),
        (b'a\tb\n5" disk\t"\n', Dialect("\t", quote=""), ["a", "b"], ['5" disk', '"']),
        (b'5" disk|2\n', Dialect("|", header=("x", "y")), ["x", "y"], ['5" disk', "2"]),
        (b'\n"a\nb",2', Dialect(header=("x", "y")), ["x", "y"], ["a\nb", "2"]),
        (b"a;b\n1;2\n", Dialect(";", "utf-8-sig"), ["a", "b"], ["1", "2"]),
    ],
)
def test_dialects(
    tmp_path: Path, content: bytes, dialect: Dialect, names: list[str], row: list[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert column_names(path, dialect) == names
    assert read(path, dialect) == ({1: dict(zip(names, row, strict=True))}, {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_characters_lie_across_any_boundary(tmp_path: Path, encoding: str) -> None:
    words = ["漢字" * (1 + i % 7) + "x" * (i % 3) for i in range(30_000)]
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(["a,b", *(f"{word},{word}" for word in words)]).encode(encoding))
    with patch(f"{BLOCKS}.PIECE_BYTES", 10_007):
        blocks = list(read_blocks(path, Dialect(encoding=encoding)))
    assert [word for block in blocks for word in block.table["b"].to_pylist()] == words


def test_a_quote_that_is_never_closed_is_one_broken_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n"open,4\n5,6\n')
    rows, broken = read(path)
    assert list(rows) == [1]
    assert broken == {2: "1 fields, not 2"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("compression", [".gz", ".zst"])
def test_a_compressed_file_reads_as_a_plain_one(
    tmp_path: Path, kind: str, compression: str
) -> None:
    rows = orders({}, {"quantity": "ü\n2"})
    one = write(tmp_path / f"a.{kind}", rows)
    other = write(tmp_path / f"a.{kind}{compression}", rows)
    assert column_names(other, PLAIN) == column_names(one, PLAIN)
    assert read(other) == read(one)
    assert len(read(one)[0]) == 2


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert list(read(path)[0]) == [1, 2]


NAMES = ["a.CSV", "a.ndjson", "a.csv.GZ", "a.b.parquet", "a.csv.jsonl"]


@pytest.mark.parametrize("name", NAMES)
def test_the_last_endings_tell_the_kind(tmp_path: Path, name: str) -> None:
    makers = {"csv": as_csv, "ndjson": as_jsonl, "jsonl": as_jsonl, "parquet": as_parquet}
    stem = name.lower().removesuffix(".gz")
    content = makers[stem.rpartition(".")[2]]([{"a": "1"}])
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    assert read(path) == ({1: {"a": "1"}}, {})


@pytest.mark.parametrize("name", ["a", "a.txt", "a.gz", "a.csv.bz2", "a.csv.gz.zst", "csv"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(IngestError, match=r"is none of \.csv, \.jsonl, \.parquet"):
        column_names(tmp_path / name, PLAIN)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


LONG = orders(*({"order_id": f"{i * 7919 % 100_003}"} for i in range(3000)))
UNREADABLE = {
    "empty.csv": (b"", "is empty"),
    "empty.jsonl": (b"", "is empty"),
    "empty.parquet": (b"", "can't be read: Parquet file size is 0 bytes"),
    "empty.csv.gz": (gzip.compress(b""), "is empty: not even a header"),
    "blank.csv": (b"\n\n", "is empty: not even a header"),
    "blank.jsonl": (b"\n  \n", "is empty: not one record"),
    "blank.jsonl.gz": (gzip.compress(b"\n"), "is empty: not one record"),
    "cut.csv.gz": (cut(gzip.compress(as_csv(LONG))), "Truncated compressed stream"),
    "cut.jsonl.gz": (cut(gzip.compress(as_jsonl(LONG))), "Truncated compressed stream"),
    "cut.parquet.gz": (cut(gzip.compress(as_parquet(LONG))), "Truncated compressed stream"),
    "cut.csv.zst": (
        cut(pa.compress(as_csv(LONG), codec="zstd", asbytes=True)),
        "Truncated compressed stream",
    ),
    "cut.parquet": (cut(as_parquet(LONG)), "can't be read"),
    "torn.parquet": (as_parquet(LONG)[:200] + bytes(300) + as_parquet(LONG)[500:], "can't be read"),
    "fake.parquet": (b"order_id,quantity\n1,2\n", "Parquet magic bytes not found"),
    "fake.csv.gz": (as_csv(LONG), "can't be read"),
    "fake.jsonl.zst": (as_jsonl(LONG), "can't be read"),
    "latin.csv": ("ä,b\nü,2\n".encode("latin-1"), "'utf-8' codec can't decode byte 0xe4"),
    "late_latin.csv": (as_csv(LONG) + "ü".encode("latin-1"), "can't be read"),
    "half_character.csv": (as_csv(LONG) + "漢".encode()[:2], "can't be read"),
    "latin.jsonl": ('{"a": "ü"}\n'.encode("latin-1"), "can't decode byte"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "names columns twice: a"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_to_its_end_is_refused_in_one_line(
    tmp_path: Path, name: str
) -> None:
    content, message = UNREADABLE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError, match=message) as caught:  # noqa: PT012
        column_names(tmp_path / name, PLAIN)
        list(read_blocks(tmp_path / name, PLAIN))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.parquet.gz"):
        with pytest.raises(IngestError, match=r"can't be read: .*No such file"):
            column_names(tmp_path / name, PLAIN)


@pytest.mark.parametrize("record", ["1,{}", '1,"{}', '1,"{}"'])
def test_a_record_larger_than_a_piece_is_refused_with_the_likely_cause(
    tmp_path: Path, record: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,2\n{record.format('x' * 3000)}\n3,4\n")
    with (
        patch(f"{BLOCKS}.PIECE_BYTES", 500),
        pytest.raises(IngestError, match=r"a record of more than 500 bytes: is a quote never"),
    ):
        read(path)


def test_a_block_has_no_more_rows_and_bytes_than_it_may(tmp_path: Path) -> None:
    rows = [{"a": str(n), "b": f"{n:0{n % 400}d}"} for n in range(4000)]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        path = write(tmp_path / name, rows)
        with (
            patch(f"{BLOCKS}.BLOCK_BYTES", 50_000),
            patch(f"{BLOCKS}.BLOCK_ROWS", 700),
            patch(f"{BLOCKS}.PIECE_BYTES", 5_000),
        ):
            blocks = list(read_blocks(path, PLAIN))
        assert [line for block in blocks for line in block.lines] == [*range(1, 4001)]
        assert max(len(block.lines) for block in blocks) <= 700
        # About: a piece is cut by the mean size of its rows.
        assert max(block.table.nbytes for block in blocks) <= 60_000
        # Neither limit is kept by blocks that are much too small.
        assert len(blocks) < 30


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_reading_holds_three_blocks_at_most(tmp_path: Path, name: str) -> None:
    rows = [{"a": str(n), "b": f"{n:090d}"} for n in range(40_000)]
    path = write(tmp_path / name, rows)
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2000)
    del rows
    with patch(f"{BLOCKS}.BLOCK_BYTES", 2**20), patch(f"{BLOCKS}.PIECE_BYTES", 2**15):
        before = pa.total_allocated_bytes()
        held = [pa.total_allocated_bytes() - before for _ in read_blocks(path, PLAIN)]
    assert len(held) > 3
    assert max(held) < 3 * 2**20


def test_parquet_columns_are_plain_or_left_out(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["ü", None]),
            "large": pa.array(["a", None], pa.large_string()),
            "view": pa.array(["a", None], pa.string_view()),
            "category": pa.array(["a", None]).dictionary_encode(),
            "whole": pa.array([1, None], pa.int16()),
            "float": pa.array([0.1, None]),
            "short_float": pa.array([19.99, None], pa.float32()),
            "exact": pa.array([1, None]).cast(pa.decimal128(21, 2)),
            "truth": pa.array([True, None]),
            "day": pa.array([20000, None], pa.int32()).cast(pa.date32()),
            "naive": pa.array([1_700_000_000, None], pa.timestamp("s")),
            "zoned": pa.array([1_700_000_000_000, None], pa.timestamp("ms", "Asia/Tokyo")),
            "nothing": pa.nulls(2),
            "list": pa.array([["a"], None]),
            "bytes": pa.array([b"a", None]),
            "record": pa.array([{"a": 1}, None]),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    kept = [n for n in table.column_names if n not in ("list", "bytes", "record")]
    assert column_names(path, PLAIN) == kept
    (block,) = read_blocks(path, PLAIN)
    assert block.table.column_names == kept
    first, second = block.table.to_pylist()
    assert second == dict.fromkeys(kept)
    assert {n: first[n] for n in ("large", "view", "category", "whole", "float", "truth")} == {
        **dict.fromkeys(("large", "view", "category"), "a"),
        **{"whole": 1, "float": 0.1, "truth": True},
    }
    assert (first["short_float"], first["exact"]) == ("19.99", "1.00")
    assert first["zoned"] == "2023-11-14 22:13:20.000000Z"
    assert str(first["naive"]) == "2023-11-14 22:13:20"
    assert str(first["day"]) == "2024-10-04 00:00:00"


def test_parquet_row_groups_are_numbered_through(tmp_path: Path) -> None:
    table = pa.table({"a": [str(i) for i in range(10)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    with patch(f"{BLOCKS}.BLOCK_ROWS", 4):
        blocks = list(read_blocks(tmp_path / "a.parquet", PLAIN))
    assert len(blocks) > 1
    lines = np.concatenate([block.lines for block in blocks])
    assert lines.tolist() == list(range(1, 11))
    assert [v for b in blocks for v in b.table["a"].to_pylist()] == table["a"].to_pylist()


def test_a_parquet_file_without_rows_has_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ({}, {})
    (block,) = read_blocks(tmp_path / "a.parquet", PLAIN)
    assert block.table.column_names == ["a"]


def test_jsonl_columns_are_those_of_the_first_block(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ({"a": 1}, {"b": 2}, {"c": 3})))
    assert column_names(path, PLAIN) == ["a", "b", "c"]
    with patch(f"{BLOCKS}.BLOCK_ROWS", 2):
        assert column_names(path, PLAIN) == ["a", "b"]
        assert read(path)[0][3]["c"] == "3"


def test_rows_below_a_header_of_the_mapping_are_numbered_from_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2\n\n3\n4,5\n")
    dialect = Dialect(header=("a", "b"))
    rows, broken = read(path, dialect)
    assert rows == {1: {"a": "1", "b": "2"}, 3: {"a": "4", "b": "5"}}
    assert broken == {2: "1 fields, not 2"}
    with pytest.raises(IngestError, match="names 3 columns, the first record has 2 fields"):
        column_names(path, Dialect(header=("a", "b", "c")))


NESTED = [
    {"user": {"id": 7, "home": {"land": "DE"}}, "items": [{"sku": "x"}, {"sku": "y"}], "n": 19.90},
    {"user": {"id": 8, "home": None}, "items": [{"sku": "z"}], "n": 2.5},
    {"user": None, "items": [], "n": None},
]
FIELDS = ("user.home.land", "items[1].sku", "n", "user.id", "user.none", "items[0]", "absent.path")


def nested_file(folder: Path, kind: str) -> Path:
    path = folder / f"a.{kind}"
    if kind == "parquet":
        # A slice: what lies before it must not be taken for what lies in it.
        pq.write_table(pa.Table.from_pylist([NESTED[1], *NESTED])[1:], path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in NESTED))
    else:
        cells = [{n: json.dumps(v) if v else "" for n, v in row.items()} for row in NESTED]
        write(path, cells)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_fields_inside_of_nested_columns_are_columns(tmp_path: Path, kind: str) -> None:
    path, dialect = nested_file(tmp_path, kind), Dialect(fields=FIELDS)
    inside = ["user.home.land", "items[1].sku", "user.id", "user.none", "items[0]"]
    names = column_names(path, dialect)
    assert names[-5:] == inside
    assert "n" in names
    rows = read(path, dialect)[0]
    assert all(set(row) == {"n", *inside} for row in rows.values())
    texts = [{n: str(v) for n, v in row.items() if v is not None} for row in rows.values()]
    first = {
        "user.home.land": "DE",
        "items[1].sku": "y",
        "user.id": "7",
        "items[0]": '{"sku": "x"}',
        "n": "19.9",
    }
    assert texts == [first, {"user.id": "8", "items[0]": '{"sku": "z"}', "n": "2.5"}, {}]


def test_a_column_named_like_a_path_comes_before_what_lies_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a.b": "column", "a": {"b": "inside"}}')
    dialect = Dialect(fields=("a.b",))
    assert column_names(path, dialect) == ["a.b", "a"]
    assert read(path, dialect)[0] == {1: {"a.b": "column"}}


def test_a_text_that_is_no_json_stays_for_the_contract(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{"a": '{"b": 1.50}'}, {"a": "{b"}, {"a": ""}])
    rows, _ = read(path, Dialect(fields=("a.b",)))
    assert [row["a.b"] for row in rows.values()] == ["1.50", "{b", None]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_that_nobody_wants_are_not_read_and_rows_counted(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"a.{kind}", [{"a": "1", "b": "2", "c": "3"}] * 3)
    assert column_names(path, Dialect(fields=("c",))) == ["a", "b", "c"]
    assert read(path, Dialect(fields=("c", "d")))[0] == {n: {"c": "3"} for n in (1, 2, 3)}
    assert len(read(path, Dialect(fields=("d",)))[0]) == 3


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_file_that_nobody_describes_has_commas(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"who{mark}spent\nann{mark}1,5\n")
    with pytest.raises(IngestError, match=r"between its columns: who.*Save it with commas"):
        plain_names(path)
    path.write_text("who,spent\nann,1.5\n")
    assert plain_names(path) == ["who", "spent"]
