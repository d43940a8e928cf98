"""A caller's own ids out with what is known of them, for those who agreed to marketing."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from made_tables import put

from gpu_pipeline.backend import Backend
from gpu_pipeline.consents import latest_consents, statuses
from gpu_pipeline.errors import IngestError, LakeError
from gpu_pipeline.exporting import EXPORTED, export_segments
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.privacy import token
from gpu_pipeline.store import Lake

DAY = pd.Timestamp("2026-01-01")
# Of each customer: what was said to marketing and when, the segment, what is expected.
PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"said": [(1, True)], "segment": 0, "value": 25_050.4},
    "bob": {"said": [(2, False), (1, True)], "segment": 0, "value": 99.0},
    "cid": {"said": [(1, False), (40_000, True)], "segment": 1, "value": None},
    "17850": {"said": [(1, True)], "segment": 1, "value": 100.0},
    "eve@x.org": {"said": [], "segment": 1, "value": 7.0},
    "new": {"said": [(1, True)], "segment": None, "value": None},
}
NAMES = {0: "champions", 1: "one-off buyers"}


@pytest.fixture
def known(lake: Lake) -> Lake:
    """A lake that knows the people."""
    keys = {one: token(one, key=lake.key, kind="customer") for one in PEOPLE}
    people = [(keys[one], said) for one, said in PEOPLE.items()]
    put(
        lake,
        "customers",
        [
            {
                "customer_key": key,
                "signed_up_at": DAY,
                "marketing_consent": agreed,
                "updated_at": DAY + pd.Timedelta(days=day),
            }
            for key, one in people
            for day, agreed in one["said"]
        ],
    )
    buyers = [(key, one) for key, one in people if one["segment"] is not None]
    put(lake, "customer_features", [{"customer_key": key, "as_of": DAY} for key, _ in buyers])
    put(
        lake,
        "customer_segments",
        [
            {
                "customer_key": key,
                "as_of": DAY,
                "segment": one["segment"],
                "name": NAMES[one["segment"]],
                "reason_1": "orders often",
            }
            for key, one in buyers
        ],
    )
    values = [(key, one["value"]) for key, one in buyers if one["value"] is not None]
    put(
        lake,
        "customer_value",
        [
            {"customer_key": k, "as_of": DAY, "expected_value": v, "churn_risk": 0.25001}
            | {"currency": "EUR", "horizon_days": 90}
            for k, v in values
        ],
    )
    profiles = [{"segment": n, "as_of": DAY, "name": name} for n, name in NAMES.items()]
    put(lake, "segment_profiles", profiles)
    return lake


def ids_file(folder: Path, ids: list[str | None], name: str = "ids.csv") -> Path:
    path = folder / name
    pc.write_csv(pa.table({"customer_id": pa.array(ids, pa.string())}), path)
    return path


def exported(lake: Lake, folder: Path, ids: list[str | None], **how: Any) -> list[dict[str, Any]]:
    output = folder / "out.parquet"
    export_segments(lake, ids_file(folder, ids), output, **how)
    rows: list[dict[str, Any]] = pq.read_table(output).to_pylist()
    return rows


def test_each_id_comes_back_in_its_place_with_what_may_be_said(known: Lake, tmp_path: Path) -> None:
    ids = ["ann", "nobody", None, " 17850.0 ", "ann", "new", "EVE@x.org", "bob", "cid"]
    rows = exported(known, tmp_path, ids)
    assert [row["customer_id"] for row in rows] == ids
    assert [row["status"] for row in rows] == [
        *("found", "unknown", "unknown", "found", "found", "found"),
        *("no consent", "no consent", "found"),
    ]
    assert list(rows[0]) == ["customer_id", *EXPORTED]
    assert rows[0] == rows[4]
    assert rows[0] == {
        "customer_id": "ann",
        "status": "found",
        "segment": 0,
        "segment_name": "champions",
        "reason_1": "orders often",
        "reason_2": None,
        "reason_3": None,
        "expected_value": 250.5,
        "currency": "EUR",
        "horizon_days": 90,
        "churn_risk": 0.25,
    }
    assert (rows[3]["segment_name"], rows[3]["expected_value"]) == ("one-off buyers", 1.0)
    # In a segment without a value, and known without a segment.
    assert (rows[8]["segment"], rows[8]["expected_value"]) == (1, None)
    assert (rows[5]["segment"], rows[5]["segment_name"]) == (None, None)


def test_of_who_did_not_agree_nothing_is_said(known: Lake, tmp_path: Path) -> None:
    rows = exported(known, tmp_path, ["bob", "eve@x.org", "nobody"])
    assert [row["status"] for row in rows] == ["no consent", "no consent", "unknown"]
    for row in rows:
        said = {name for name, value in row.items() if value is not None}
        assert said == {"customer_id", "status"}


def test_the_last_word_counts_in_whatever_order_it_was_written() -> None:
    rows = pd.DataFrame(
        {
            "customer_key": [2, 1, 1, 2, 3],
            "marketing_consent": [True, False, True, False, True],
            "updated_at": [DAY, DAY, DAY - pd.Timedelta(days=1), DAY + pd.Timedelta(days=1), DAY],
        }
    )
    for _ in range(5):
        rows = rows.sample(frac=1.0, random_state=_)
        found = latest_consents(rows)
        assert dict(zip(found["customer_key"], found["marketing"], strict=True)) == {
            1: False,
            2: False,
            3: True,
        }


def test_the_rule_of_consent() -> None:
    known, agreed = np.array([False, False, True, True]), np.array([False, True, False, True])
    told = statuses(known, agreed).tolist()
    assert told == ["unknown", "unknown", "no consent", "found"]


def test_only_those_of_a_segment_are_written_if_asked(known: Lake, tmp_path: Path) -> None:
    ids: list[str | None] = ["17850", "nobody", "ann", "bob", "cid", "17850"]
    for asked in ("one-off buyers", "1"):
        rows = exported(known, tmp_path, ids, segment=asked)
        assert [row["customer_id"] for row in rows] == ["17850", "cid", "17850"]
    with pytest.raises(LakeError, match=r"no segment 'gold': there are 0 \(champions\), 1 \(one"):
        exported(known, tmp_path, ids, segment="gold")


def test_counts_are_of_all_ids(known: Lake, tmp_path: Path) -> None:
    ids = ids_file(tmp_path, ["ann", "bob", "nobody", "ann"])
    done = export_segments(known, ids, tmp_path / "out.csv", segment="0")
    assert (done.ids, done.rows) == (4, 2)
    assert done.statuses == {"found": 2, "no consent": 1, "unknown": 1}


def test_without_a_table_of_consents_it_refuses_unless_the_caller_answers_for_it(
    known: Lake, tmp_path: Path
) -> None:
    (known.path / "tables" / "customers").rename(known.path / "tables" / "of yore")
    lake = Lake(known.path, backend=known.backend, key=known.key)
    with pytest.raises(LakeError, match="say so with --consent-held-elsewhere"):
        exported(lake, tmp_path, ["bob"])
    rows = exported(lake, tmp_path, ["bob", "new"], consent_held_elsewhere=True)
    assert [(row["status"], row["segment"]) for row in rows] == [("found", 0), ("unknown", None)]


def test_who_answers_for_the_consent_is_told_of_nobody_who_said_no(
    known: Lake, tmp_path: Path
) -> None:
    rows = exported(known, tmp_path, ["bob", "eve@x.org"], consent_held_elsewhere=True)
    assert [(row["status"], row["segment"]) for row in rows] == [("no consent", None), ("found", 1)]


def test_ids_may_be_numbers_and_lie_among_other_columns(known: Lake, tmp_path: Path) -> None:
    numbers = pa.table({"n": [1.5, 2.5, 3.5], "who": pa.array([17850, None, 2**62 + 1])})
    pq.write_table(numbers, tmp_path / "ids.parquet")
    with pytest.raises(IngestError, match="say which holds the ids with --column"):
        export_segments(known, tmp_path / "ids.parquet", tmp_path / "out.jsonl.gz")
    export_segments(known, tmp_path / "ids.parquet", tmp_path / "out.jsonl.gz", column="who")
    with gzip.open(tmp_path / "out.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    assert [(row["who"], row["status"]) for row in rows] == [
        *((17850, "found"), (None, "unknown"), (2**62 + 1, "unknown"))
    ]


def test_no_ids_are_no_rows(known: Lake, tmp_path: Path) -> None:
    assert exported(known, tmp_path, []) == []
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["customer_id", *EXPORTED]


def test_after_a_rotation_the_same_ids_find_the_same(known: Lake, tmp_path: Path) -> None:
    ids: list[str | None] = [*PEOPLE, "nobody"]
    before = exported(known, tmp_path, ids)
    later = f"{known.key},{'ab' * 32}"
    rotate_key(known.path, backend=known.backend, key=later)
    assert exported(Lake(known.path, backend=known.backend, key=later), tmp_path, ids) == before


def test_raw_ids_reach_neither_the_lake_nor_a_log(
    known: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    exported(known, tmp_path, ["quite-a-raw-id", "ann"])
    assert "quite-a-raw-id" not in caplog.text
    for path in known.path.rglob("*"):
        assert not path.is_file() or b"quite-a-raw-id" not in path.read_bytes()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "has a, b: say which holds the ids with --column"),
        ("status\nann\n", "has a column 'status' of its own"),
        ("id,x\nann\n", "record 1: 1 fields, not 2. Mend it first"),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_written(
    known: Lake, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "odd.csv").write_text(text)
    with pytest.raises(IngestError, match=says):
        export_segments(known, tmp_path / "odd.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_lake_without_segments_says_how_to_make_them(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no segments yet: make them with `gpu-pipeline run`"):
        exported(lake, tmp_path, ["ann"])


def test_two_keys_far_apart_in_one_bucket_are_two_customers(tmp_path: Path) -> None:
    # An index of two int64 that lie further apart than int64 reaches is no range.
    lake = Lake.create(tmp_path / "one", buckets=1, backend=Backend.choose("cpu"), key="ab" * 32)
    keys = {name: token(name, key=lake.key, kind="customer") for name in map(str, range(40))}
    low, high = min(keys, key=keys.__getitem__), max(keys, key=keys.__getitem__)
    assert keys[high] - keys[low] > 2**63
    rows = [{"customer_key": keys[name], "as_of": DAY} for name in (low, high)]
    said = [{**row, "marketing_consent": True, "updated_at": DAY} for row in rows]
    put(lake, "customers", said)
    put(lake, "customer_features", rows)
    put(lake, "customer_segments", [{**row, "name": "all"} for row in rows])
    assert [row["status"] for row in exported(lake, tmp_path, [low, high])] == ["found"] * 2


def test_a_file_without_a_header_loses_no_id_in_silence(known: Lake, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("ann\nbob\n")
    with pytest.raises(
        IngestError, match=r"first line of .* is the id of a customer: put the name"
    ):
        export_segments(known, tmp_path / "ids.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
