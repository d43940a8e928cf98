"""Files of events against the same events in a frame, in whatever parts, ranges and memory."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from frames import assert_frames_equal
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gpu_pipeline import backend, session_files
from gpu_pipeline.cli import app
from gpu_pipeline.errors import IngestError, PipelineError
from gpu_pipeline.session_files import event_file, sessionizing, sorting
from gpu_pipeline.session_files.dealing import CustomerRanges
from gpu_pipeline.sessions import sessionize

START = np.datetime64("2026-03-01T09:00", "us")
TEXTS = {"event_type": "view", "product_id": "p1", "channel": "email", "device": "mobile"}
NUMBERS = st.sampled_from([-(2**63), -3, 0, 1, 2, 70_000, 2**63 - 1])
NAMES = st.sampled_from(["", "a", "user 1", "user 2", "user 21", "user ü", "user 𝄞", "z"])


def events_of(rows: list[tuple[Any, int]], **more: Any) -> pd.DataFrame:
    """Rows of (customer, minutes) as events, with other columns."""
    who, minutes = zip(*rows, strict=True) if rows else ((), ())
    return pd.DataFrame(
        {
            "customer_key": pd.Series(who, dtype=None if rows else "int64"),
            "occurred_at": START + np.array(minutes, "int64").astype("m8[m]"),
            **{name: pd.Series([value] * len(rows), dtype="str") for name, value in TEXTS.items()},
            **more,
        }
    )


def from_file(source: Path, output: Path, **how: Any) -> pd.DataFrame:
    """The sessions of a file, by way of a file."""
    how = {"customer": "customer_key", "time": "occurred_at", **how}
    events, sessions = session_files.sessionize_file(source, output, **how)
    found = pd.read_parquet(output)
    assert len(found) == sessions
    assert found["events"].sum() == events
    return found


@contextmanager
def small(*, part: int = 3, held: int = 1, at_once: int = 4) -> Iterator[None]:
    """Parts, shelves and ranges of few rows, so that few rows make many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_file, "_PART_ROWS", part)
        patch.setattr(sessionizing, "_ROWS_AT_A_WRITE", part)
        patch.setattr(sorting, "_UNAVOIDABLE_BYTES", 1)
        patch.setattr(sorting, "_LEAST_HELD_BYTES", held)
        patch.setattr(sorting, "_SAMPLE_STEP", 2)
        patch.setattr(sorting, "_COPIES", 1)
        patch.setitem(backend._ROWS_AT_ONCE, "cpu", at_once)
        yield


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(NUMBERS, st.integers(0, 90)), max_size=60)
    | st.lists(st.tuples(NAMES, st.integers(0, 90)), max_size=60),
    group=st.integers(1, 40),
    part=st.integers(1, 20),
    memory=st.sampled_from([1, 300, 3_000, 10**9]),
    event=st.sampled_from([None, "event_type"]),
)
@example(rows=[], group=1, part=1, memory=1, event="event_type")
@example(rows=[(7, 0)] * 60, group=9, part=4, memory=1, event=None)
@example(rows=[("user 1", n) for n in range(60)], group=40, part=3, memory=1, event=None)
def test_a_file_gives_the_sessions_of_a_frame_for_any_row_groups_and_any_memory(
    tmp_path: Path,
    rows: list[tuple[Any, int]],
    group: int,
    part: int,
    memory: int,
    event: str | None,
) -> None:
    events = events_of(rows)
    events.to_parquet(tmp_path / "events.parquet", row_group_size=group)
    with small(part=part):
        found = from_file(
            tmp_path / "events.parquet",
            tmp_path / "found.parquet",
            event=event,
            memory_bytes=memory,
        )
    assert_frames_equal(found, sessionize(events, event=event))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.parquet", "found.parquet"]


def many_events(rows: int) -> pd.DataFrame:
    """Events in order of time, of customers some of whom crowd together, with gaps in columns."""
    rng = np.random.default_rng(7)
    who = np.where(rng.random(rows) < 0.5, rng.integers(0, 40, rows), rng.integers(0, 2**60, rows))
    kinds = ["view", "search", "cart", "purchase", None]
    event = rng.choice(np.array(kinds, dtype=object), rows)
    return pd.DataFrame(
        {
            "customer_key": rng.permutation(who)[rng.integers(0, rows // 20, rows)],
            "occurred_at": START + np.sort(rng.integers(0, 10**11, rows)).astype("m8[us]"),
            "event_type": pd.Series(event, dtype="str"),
            "product_id": pd.Series(rng.choice(["p1", "p2", "Ä", "p4"], rows), dtype="str"),
            "channel": pd.Series(rng.choice(["email", "direct"], rows), dtype="str"),
            "price": np.where(event == "purchase", rng.integers(1, 900, rows), np.nan),
            "currency": pd.Series(np.where(event == "purchase", "EUR", None), dtype="str"),
        }
    )


@pytest.mark.parametrize("customer", ["customer_key", "name"])
@pytest.mark.parametrize("memory", [2_000, 20_000, 10**9])
def test_what_does_not_fit_into_memory_waits_in_a_folder_and_changes_nothing(
    tmp_path: Path, customer: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = many_events(4_000)
    events["name"] = "visitor " + events["customer_key"].astype("str")
    events.to_parquet(tmp_path / "events.parquet", row_group_size=300)
    made: list[str] = []
    mkdir = Path.mkdir

    def noted(path: Path, **how: Any) -> None:
        made.append(path.name)
        mkdir(path, **how)

    monkeypatch.setattr(Path, "mkdir", noted)
    with small(part=500, held=1_000, at_once=100):
        found = from_file(
            tmp_path / "events.parquet",
            tmp_path / "found.parquet",
            customer=customer,
            event="event_type",
            memory_bytes=memory,
        )
    assert_frames_equal(found, sessionize(events, customer=customer, event="event_type"))
    assert bool(made) == (memory < 10**9)
    assert set(made) <= {".found.parquet.waiting"}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_in_order_of_customers_is_dealt_out_evenly_in_the_end(tmp_path: Path) -> None:
    """The first part of such a file says nothing of the others."""
    events = events_of([(who, 7 * n) for who in range(200) for n in range(4)])
    events.to_csv(tmp_path / "events.csv", index=False)
    with small(part=10, at_once=20):
        found = from_file(tmp_path / "events.csv", tmp_path / "found.parquet", memory_bytes=4_000)
    assert_frames_equal(found, sessionize(events.astype({"customer_key": "str"})))


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1), st.integers(2, 200))
@example(["a", "a\0", "a\0b"], 9)
@example(["prefix ä", "prefix é", "prefix", "z"], 3)
def test_ranges_of_texts_are_in_the_order_of_texts(names: list[str], count: int) -> None:
    sample = pa.array(names[: len(names) // 2 + 1]).dictionary_encode()
    texts = sorted(set(names))
    found = CustomerRanges.of(sample, count).numbers(pa.array(texts))
    assert (np.diff(found.astype(int)) >= 0).all()


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(1, 256))
@example([-(2**63), 2**63 - 1, 2**63 - 1], 256)
def test_ranges_of_numbers_are_in_their_order_and_never_one_for_all(
    keys: list[int], count: int
) -> None:
    sample = pa.array(keys[: len(keys) // 2 + 1])
    ranges = CustomerRanges.of(sample, count)
    found = ranges.numbers(pa.array(sorted(keys))).astype(int)
    assert (np.diff(found) >= 0).all()
    assert found.max() < ranges.count <= count
    if count > 1 and len(set(sample.to_pylist())) > 1:
        assert len(set(ranges.numbers(sample).tolist())) > 1


def test_any_file_of_events_becomes_a_file_of_sessions(tmp_path: Path) -> None:
    events = events_of([("ann", minutes) for minutes in (0, 10, 100)])
    events["channel"] = pd.Series([None] * 3, dtype="str")
    events.to_csv(tmp_path / "events.csv", index=False)
    events.to_json(tmp_path / "events.jsonl.gz", orient="records", lines=True, date_format="iso")
    events.to_parquet(tmp_path / "events.parquet")
    for name in ("events.csv", "events.jsonl.gz", "events.parquet"):
        output = tmp_path / f"from-{name}.parquet"
        words = ["sessionize", str(tmp_path / name), "--customer", "customer_key"]
        words += ["--time", "occurred_at", "--event", "event_type", "--output", str(output)]
        assert CliRunner().invoke(app, words).exit_code == 0
        assert_frames_equal(pd.read_parquet(output), sessionize(events, event="event_type"))
        assert CliRunner().invoke(app, [*words, "--gap", "2h", "--memory", "1GB"]).exit_code == 0
        assert pd.read_parquet(output)["events"].tolist() == [3]


@pytest.mark.parametrize(
    "changes",
    [
        {"occurred_at": lambda e: e["occurred_at"].dt.tz_localize("Asia/Tokyo")},
        {"occurred_at": lambda e: e["occurred_at"].astype("datetime64[ns]")},
        {"occurred_at": lambda e: e["occurred_at"].astype("str") + "Z"},
        {"customer_key": lambda e: e["customer_key"].astype("uint8")},
        {"customer_key": lambda e: e["customer_key"].astype("str").astype("category")},
        {"product_id": lambda e: e["customer_key"] + 1},
        {"product_id": lambda e: e["customer_key"].where(e["customer_key"] > 2)},
        {"channel": lambda e: e["customer_key"]},
        {"price": lambda e: e["customer_key"], "currency": lambda _: "EUR"},
    ],
)
def test_columns_of_any_type_are_taken_as_a_frame_takes_them(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    events = events_of([(who, 13 * n) for n in range(20) for who in (3, 1, 2)])
    events["event_type"] = pd.Series(["view", "purchase"] * 30, dtype="str")
    changed = {name: made(events) for name, made in changes.items()}
    events = events.assign(**changed)
    events.to_parquet(tmp_path / "events.parquet", row_group_size=7)
    with small(part=7):
        found = from_file(
            tmp_path / "events.parquet", tmp_path / "found.parquet", event="event_type"
        )
    wanted = sessionize(pd.read_parquet(tmp_path / "events.parquet"), event="event_type")
    assert_frames_equal(found, wanted)


def test_amounts_are_floats_in_all_ranges_where_one_is_missing_in_any(tmp_path: Path) -> None:
    events = events_of([(who, n) for n in range(10) for who in range(9)])
    prices = pa.array([None if who == 4 else 7 for who in events["customer_key"]], pa.int64())
    table = pa.Table.from_pandas(events.assign(event_type="purchase"), preserve_index=False)
    pq.write_table(table.append_column("price", prices), tmp_path / "events.parquet")
    with small(part=20, at_once=10):
        found = from_file(
            tmp_path / "events.parquet", tmp_path / "found.parquet", event="event_type"
        )
    assert found["revenue"].dtype == "float64"
    assert found["revenue"].tolist() == [0.0 if who == 4 else 70.0 for who in range(9)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"customer_key": [1.0, None]}, "records 1 to 2: 1 of 2 events have no customer"),
        ({"customer_key": [1.5, 2.5]}, "a whole number or a text"),
        ({"occurred_at": [1, 2]}, "Unix times become timestamps"),
        ({"occurred_at": ["2026-03-01", "noon"]}, "records 1 to 2: 1 of 2 events have no time"),
        ({"event_type": ["see", "buy"]}, "no event of type view, search, cart"),
        ({"event_type": [1, 2]}, "no event of type view, search, cart"),
        (
            {"event_type": "purchase", "price": [1, 2], "currency": ["EUR", "JPY"]},
            "paid in EUR, JPY",
        ),
    ],
)
def test_a_file_that_makes_no_sessions_is_named_and_the_output_stays_as_it_was(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    events_of([(1, 0), (2, 1)]).assign(**changes).to_parquet(tmp_path / "events.parquet")
    (tmp_path / "found.parquet").write_text("as it was")
    with small(part=2), pytest.raises(PipelineError, match=said):
        from_file(tmp_path / "events.parquet", tmp_path / "found.parquet", event="event_type")
    assert (tmp_path / "found.parquet").read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_ends_too_early_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    events_of([(who, 0) for who in range(3_000)]).to_parquet(whole, row_group_size=500)
    content = bytearray(whole.read_bytes())
    content[2_000:9_000] = bytes(7_000)
    (tmp_path / "events.parquet").write_bytes(content)
    with small(part=500), pytest.raises(IngestError, match=r"events\.parquet can't be read"):
        from_file(tmp_path / "events.parquet", tmp_path / "found.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.parquet", "whole.parquet"]


def test_a_size_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events_of([(1, 0)]).to_parquet(tmp_path / "events.parquet")
    words = ["sessionize", "events.parquet", "--customer", "customer_key", "--time", "occurred_at"]
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*words, "--output", "found.parquet", "--memory", "plenty"])
    assert done.exit_code
    assert "memory" in str(done.exception)


# A child that is killed at its `nth` event of Python's audit called `name`, if it has so many.
KILLED = """
import os, signal, sys
from pathlib import Path
from gpu_pipeline import session_files
from gpu_pipeline.session_files import event_file, sessionizing, sorting
event_file._PART_ROWS = sessionizing._ROWS_AT_A_WRITE = 200
sorting._UNAVOIDABLE_BYTES = sorting._LEAST_HELD_BYTES = 1
source, output, name = sys.argv[1:]
def audit(event, _):
    if event == name:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
session_files.sessionize_file(
    Path(source), Path(output), customer="customer_key", time="occurred_at", memory_bytes=5_000
)
"""


@pytest.mark.parametrize("moment", ["os.mkdir", "os.remove", "os.rename", "shutil.rmtree"])
def test_a_killed_call_leaves_no_output_and_the_next_one_cleans_up(
    tmp_path: Path, moment: str
) -> None:
    source, output = tmp_path / "events.parquet", tmp_path / "found.parquet"
    events = many_events(2_000)
    events.to_parquet(source, row_group_size=200)
    command = [sys.executable, "-c", KILLED, str(source), str(output), moment]
    done = subprocess.run(command, check=False)  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    # Only the folder's end comes after the output.
    assert output.exists() == (moment == "shutil.rmtree")
    assert_frames_equal(from_file(source, output), sessionize(events))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.parquet", "found.parquet"]


PEAK = """
import sys
from pathlib import Path
from gpu_pipeline.session_files import sessionize_file
source, output, memory = sys.argv[1:]
sessionize_file(
    Path(source), Path(output), customer="who", time="at", memory_bytes=int(memory)
)
# Of this process alone: what `resource` says is at least the peak of whoever started it.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


def test_events_over_the_memory_are_not_held(tmp_path: Path) -> None:
    """Of 160 MB of events, those over 16 MB; what else a process takes is the same."""
    rng = np.random.default_rng(5)
    with pq.ParquetWriter(
        tmp_path / "events.parquet", pa.schema({"who": pa.int64(), "at": pa.timestamp("us")})
    ) as file:
        for part in range(20):
            at = START + np.arange(part * 2**19, (part + 1) * 2**19).astype("m8[s]")
            who = np.repeat(rng.integers(0, 2**62, 2**11), 2**8)
            file.write_table(pa.table([who, at], schema=file.schema))
    peaks = []
    for memory in (10**6, 10**10):
        command = [sys.executable, "-c", PEAK, str(tmp_path / "events.parquet")]
        command += [str(tmp_path / f"{memory}.parquet"), str(memory)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        peaks.append(int(done.stdout))
    assert peaks[0] < peaks[1] - 40 * 2**20
    assert peaks[0] < 500 * 2**20
    found, wanted = (pq.read_table(tmp_path / f"{memory}.parquet") for memory in (10**6, 10**10))
    assert found.equals(wanted)
