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
from gpu_pipeline.ingest.reading import Block, CsvDialect, column_names, read_blocks

PLAIN = CsvDialect()


def read(path: Path, dialect: CsvDialect = PLAIN) -> tuple[dict[int, dict[str, object]], dict]:
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


def test_broken_rows_come_last(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2,3\n4,5\n")
    rows, broken = read_blocks(tmp_path / "a.csv", PLAIN)
    assert (rows.lines.tolist(), rows.broken) == ([2], [])
    assert (len(broken.lines), [row.text for row in broken.broken]) == (0, ["1,2,3"])


RECORDS = st.sampled_from(
    ["1,2", "ü,漢", '"x\ny",2', '"say ""hi""",', ",", "1", "1,2,3", "1,2,3,4", "", '"a,b"', "\r"]
)


@settings(deadline=None, max_examples=150)
@given(
    records=st.lists(RECORDS, max_size=40),
    block_bytes=st.integers(40, 200),
    end=st.sampled_from(["\n", "\r\n", ""]),
)
@example(records=["1,2,3", "1,2", "1", "", '"x\ny",2', "1,2,3"], block_bytes=40, end="\n")
def test_records_of_a_csv_file_are_numbered_as_the_csv_module_counts_them(
    records: list[str], block_bytes: int, end: str
) -> None:
    text = "\n".join(["a,b", *records]) + end
    slow = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    good = {n: row for n, row in enumerate(slow, start=1) if len(row) == 2}
    bad = {n: f"{len(row)} fields, not 2" for n, row in enumerate(slow, start=1) if len(row) != 2}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("gpu_pipeline.ingest.reading.BLOCK_BYTES", block_bytes),
    ):
        path = Path(folder) / "a.csv"
        path.write_bytes(text.encode())
        rows, broken = read(path)
    assert broken == bad
    assert {n: [v or "" for v in row.values()] for n, row in rows.items()} == good


@settings(deadline=None, max_examples=60)
@given(
    records=st.lists(st.sampled_from(['{"a":1}', '{"b":"x"}', "", "  ", "{", "[]", "7", "{}"])),
    block_rows=st.integers(1, 5),
)
def test_records_of_a_json_lines_file_are_numbered(records: list[str], block_rows: int) -> None:
    said = [record for record in records if record.strip()]
    whole = {'{"a":1}': {"a": "1"}, '{"b":"x"}': {"b": "x"}}
    faults = {"{": "not JSON", "{}": "an empty JSON object"}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("gpu_pipeline.ingest.reading.BLOCK_ROWS", block_rows),
    ):
        path = Path(folder) / "a.jsonl"
        path.write_text("\n".join([*records, '{"a":1}']))
        rows, broken = read(path)
    for number, record in enumerate([*said, '{"a":1}'], start=1):
        if record in whole:
            found = {name: value for name, value in rows[number].items() if value is not None}
            assert found == whole[record]
        else:
            assert broken[number] == faults.get(record, "no JSON object")


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
        "f": '{"g": ["1"]}',
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
        ("ä;b\nü;2\n".encode("latin-1"), CsvDialect(";", "latin-1"), ["ä", "b"], ["ü", "2"]),
        ("ä\tb\nü\t2\n".encode("utf-16"), CsvDialect("\t", "utf-16"), ["ä", "b"], ["ü", "2"]),
        (b"a,b\n\x80,2\n", CsvDialect(",", "cp1252"), ["a", "b"], ["€", "2"]),
        (b'"a\nx",b\n1,2\n', PLAIN, ["a\nx", "b"], ["1", "2"]),
        (b'" a ","b,c"\n1,2\n', PLAIN, [" a ", "b,c"], ["1", "2"]),
        (b"\n\r\na,b\r1,2\r", PLAIN, ["a", "b"], ["1", "2"]),
    ],
)
def test_dialects(
    tmp_path: Path, content: bytes, dialect: CsvDialect, names: list[str], row: list[str]
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
    with patch("gpu_pipeline.ingest.reading.BLOCK_BYTES", 10_007):
        blocks = list(read_blocks(path, CsvDialect(encoding=encoding)))
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


def test_a_record_larger_than_a_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,{'x' * 3000}\n")
    with (
        patch("gpu_pipeline.ingest.reading.BLOCK_BYTES", 500),
        pytest.raises(IngestError, match="can't be read"),
    ):
        read(path)


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
    with patch("gpu_pipeline.ingest.reading.BLOCK_ROWS", 4):
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
    with patch("gpu_pipeline.ingest.reading.BLOCK_ROWS", 2):
        assert column_names(path, PLAIN) == ["a", "b"]
        assert read(path)[0][3] == {"c": "3"}
