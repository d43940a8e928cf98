"""The same rows in fewer files, while readers read and whatever kills it."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import doomed
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import copied, tree
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import Column, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.pipeline import Step, Work, run
from gpu_pipeline.store import (
    Compaction,
    Lake,
    compact,
    compact_if_fragmented,
    compact_tables,
    remove_old_files,
)
from gpu_pipeline.store import compaction as rules

LOADS = [order_rows(30, seed=seed, months=2) for seed in range(6)]
ROWS = pd.concat(LOADS)
PLACES = ROWS.groupby([ROWS["customer_key"] & 3, ROWS["ordered_at"].dt.month]).ngroups


def commit(lake: Lake, frame: pd.DataFrame, **note: object) -> None:
    with lake.writer() as writer:
        writer.commit(ORDERS, writer.write(frame, ORDERS), note=note)


def compacted(lake: Lake, *, most_files: int = 1) -> Compaction:
    with lake.writer() as writer:
        return compact(writer, ORDERS, most_files=most_files)


def files(lake: Lake) -> int:
    return len(lake.files("orders"))


def read(lake: Lake, version: int | None = None) -> pd.DataFrame:
    return in_order(lake.read("orders", version=version).compute(scheduler="sync"))


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    for number, frame in enumerate(LOADS):
        commit(lake, frame, run=f"r{number}", fingerprint="f")
    return lake


def test_rows_stay_what_they_were_in_one_file_a_bucket_and_month(loaded: Lake) -> None:
    before = files(loaded)
    report = compacted(loaded)
    assert (report.files_before, report.files_after, report.rows) == (before, PLACES, len(ROWS))
    assert files(loaded) == PLACES < before
    assert report.version == loaded.version("orders")
    assert_frames_equal(read(loaded), in_order(ROWS))
    assert loaded.rows("orders") == len(ROWS)
    assert loaded.span("orders") == (ROWS["ordered_at"].min(), ROWS["ordered_at"].max())


def test_merged_files_are_those_that_one_load_would_have_left(loaded: Lake, tmp_path: Path) -> None:
    compacted(loaded)
    whole = Lake.create(tmp_path / "whole", buckets=4, backend=loaded.backend)
    commit(whole, ROWS)
    for one, other in zip(loaded.files("orders").paths, whole.files("orders").paths, strict=True):
        left, right = (
            lake.path / "tables" / "orders" / path for lake, path in ((loaded, one), (whole, other))
        )
        assert left.read_bytes() == right.read_bytes()
        assert left.with_suffix(".keys").read_bytes() == right.with_suffix(".keys").read_bytes()


def test_a_table_without_small_files_to_merge_is_left_alone(loaded: Lake) -> None:
    compacted(loaded)
    before = tree(loaded.path)
    report = compacted(loaded)
    assert (report.rows, report.files_before, report.files_after) == (0, PLACES, PLACES)
    assert report.version == loaded.version("orders")
    assert tree(loaded.path) == before


def test_buckets_with_no_more_than_the_most_files_are_left_alone(loaded: Lake) -> None:
    before = files(loaded)
    assert compacted(loaded, most_files=6).files_after == before
    assert compacted(loaded, most_files=5).files_after < before


def test_a_compaction_is_a_version_of_the_same_data(loaded: Lake) -> None:
    version, note = loaded.version("orders"), loaded.note("orders")
    compacted(loaded)
    assert loaded.version("orders") == (version or 0) + 1
    assert loaded.data_version("orders") == version
    assert loaded.note("orders") == note == {"run": "r5", "fingerprint": "f"}
    newest, before, *_ = loaded.history("orders")
    assert (newest["operation"], newest["rows"]) == ("compact", len(ROWS))
    assert newest["files_after"] == PLACES
    assert (before["operation"], before["rows"], before["run"]) == ("append", len(ROWS), "r5")
    commit(loaded, order_rows(5, seed=9))
    assert loaded.data_version("orders") == loaded.version("orders")
    compacted(loaded)
    compacted(loaded)
    assert loaded.data_version("orders") == (version or 0) + 2


def test_what_was_loaded_once_is_still_known(lake: Lake) -> None:
    for number, frame in enumerate(LOADS):
        with lake.writer() as writer:
            writer.commit(ORDERS, writer.write(frame, ORDERS), transactions=[f"file-{number}"])
    compacted(lake)
    assert lake.loaded("orders", ["file-0", "file-5", "file-6"]) == {"file-0", "file-5"}


def test_steps_are_up_to_date_after_a_compaction_and_not_after_a_load(loaded: Lake) -> None:
    def work(given: Work) -> None:
        given.replace("demand_daily", given.lake.backend.empty(contract("demand_daily")))

    step = Step(name="demand", reads=("orders",), writes=("demand_daily",), run=work)
    config = Config.load(lake=loaded.path)

    def status() -> str:
        return run(loaded, [step], config).steps[0].status

    assert [status(), status()] == ["done", "up to date"]
    with loaded.writer() as writer:
        assert all(one.version for one in compact_tables(writer, loaded.tables()))
    assert status() == "up to date"
    commit(loaded, order_rows(5, seed=9))
    assert [status(), status()] == ["done", "up to date"]


def test_a_reader_that_opened_the_version_before_goes_on(loaded: Lake) -> None:
    version = loaded.version("orders")
    frame, pinned = loaded.read("orders"), loaded.pinned({"orders": version or 0})
    with loaded.writer() as writer:
        compact_tables(writer, ["orders"])
    assert_frames_equal(in_order(frame.compute()), in_order(ROWS))
    assert_frames_equal(read(pinned), in_order(ROWS))
    assert len(loaded.read("orders", version=2)) == 60


def test_old_files_go_when_no_kept_version_names_them(loaded: Lake) -> None:
    folder, version = loaded.path / "tables" / "orders", loaded.version("orders")
    before = files(loaded)
    with loaded.writer() as writer:
        (report,) = compact_tables(writer, ["orders"], keep_days=1)
        assert report.removed == 0
        assert remove_old_files(writer, ORDERS, keep_days=0) == before
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("part-*.parquet")}
    assert kept == set(loaded.files("orders").paths.tolist())
    assert {path.stem for path in folder.rglob("*.keys")} == {Path(path).stem for path in kept}
    assert_frames_equal(read(loaded), in_order(ROWS))
    for old in (loaded, loaded.pinned({"orders": version or 0})):
        with pytest.raises(LakeError, match=rf"Version {version} of orders can't be read any more"):
            old.read("orders", version=None if old is not loaded else version)


def test_files_of_versions_within_the_days_to_keep_stay(loaded: Lake) -> None:
    """Two versions are older than the period: the later of them was the latest when it began."""
    log = loaded.path / "tables" / "orders" / "_delta_log"
    for version in range(4):
        entry = log / f"{version:020d}.json"
        first, *others = entry.read_text().splitlines()
        said = json.loads(first)
        said["commitInfo"]["timestamp"] -= 9 * 24 * 3600 * 1000
        entry.write_text("\n".join([json.dumps(said), *others]) + "\n")
    with loaded.writer() as writer:
        writer.commit(ORDERS, writer.write(LOADS[0], ORDERS), overwrite=True)
        assert remove_old_files(writer, ORDERS, keep_days=8) == 0
        assert remove_old_files(writer, ORDERS, keep_days=0) > 0
    assert_frames_equal(read(loaded), in_order(LOADS[0]))


def test_uncommitted_parts_of_the_same_writer_stay(loaded: Lake) -> None:
    with loaded.writer() as writer:
        parts = writer.write(order_rows(20, seed=7), ORDERS)
        compact_tables(writer, ["orders"], keep_days=0)
        writer.commit(ORDERS, parts)
    assert len(read(loaded)) == len(ROWS) + 20


def test_a_file_that_lost_rows_is_found_before_anything_changes(loaded: Lake) -> None:
    folder = loaded.path / "tables" / "orders"
    path = folder / loaded.files("orders").paths[0]
    pq.write_table(pq.ParquetFile(path).read().slice(1), path)
    version = loaded.version("orders")
    with pytest.raises(LakeError, match=r"orders: \d+ files have \d+ rows, by the log \d+"):
        compacted(loaded)
    assert loaded.version("orders") == version


def test_tables_without_buckets_and_entities_are_compacted_too(lake: Lake) -> None:
    rates = contract("fx_rates")
    for day in range(1, 5):
        frame = pd.DataFrame({name: [None] for name in rates.names}).assign(
            currency="USD", day=np.datetime64(f"2026-01-0{day}", "us"), rate=1.5, file_no=1, line=1
        )
        with lake.writer() as writer:
            writer.commit(rates, writer.write(frame, rates))
    before = lake.read("fx_rates").compute().sort_values("day", ignore_index=True)
    with lake.writer() as writer:
        assert compact(writer, rates).files_after == 1
    assert_frames_equal(lake.read("fx_rates").compute(), before)


def test_a_table_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match="No table 'orders'"):
        compacted(lake)


def test_older_files_get_the_columns_that_came_later(loaded: Lake) -> None:
    wraps = Column(name="wraps", type="int64", description="Boxes.", required=True, default=2)
    grown = replace(ORDERS, version="1.1.0", columns=(*ORDERS.columns, wraps))
    with loaded.writer() as writer:
        assert compact(writer, grown).files_after == PLACES
    folder = loaded.path / "tables" / "orders"
    for path in loaded.files("orders").paths:
        assert set(pq.ParquetFile(folder / path).read(["wraps"])["wraps"].to_pylist()) == {2}


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 3 * rules.LARGE_ROWS), max_size=60))
def test_a_merge_is_of_small_files_and_fits_in_memory(sizes: list[int]) -> None:
    files = of_rows(sizes)
    for merges in (list(rules._all_small(files, 1)), list(rules._full_levels(files))):
        merged = [path for merge in merges for path in merge.paths.tolist()]
        assert len(merged) == len(set(merged))
        for merge in merges:
            assert len(merge) > 1
            assert merge.rows.sum() < 2 * rules.LARGE_ROWS
            assert merge.rows.max() < rules.LARGE_ROWS
    left = list(files.paths[files.rows < rules.LARGE_ROWS])
    for merge in rules._all_small(files, 1):
        left = [path for path in left if path not in merge.paths]
    assert len(left) <= 1


def of_rows(sizes: Sequence[int]) -> rules.Files:
    count = len(sizes)
    return rules.Files(
        paths=np.array([f"part-{i:05d}.parquet" for i in range(count)], dtype=object),
        sizes_bytes=np.array(sizes, dtype=np.int64),
        rows=np.array(sizes, dtype=np.int64),
        buckets=np.zeros(count, dtype=np.int64),
        months=np.full(count, "2026-01", dtype=object),
        firsts=np.full(count, "NaT", dtype="datetime64[us]"),
        lasts=np.full(count, "NaT", dtype="datetime64[us]"),
    )


@pytest.mark.parametrize("daily", [3, 900, 40_000, 900_000])
def test_a_year_of_loads_keeps_files_few_and_rewrites_a_row_a_few_times(daily: int) -> None:
    sizes, rewritten, most = [], 0, 0
    for _ in range(365):
        sizes.append(daily)
        merges = list(rules._full_levels(of_rows(sizes)))
        gone = {path for merge in merges for path in merge.paths.tolist()}
        sizes = [
            rows for rows, path in zip(sizes, of_rows(sizes).paths, strict=True) if path not in gone
        ]
        sizes += [int(merge.rows.sum()) for merge in merges]
        rewritten += sum(int(merge.rows.sum()) for merge in merges)
        most = max(most, sum(rows < rules.LARGE_ROWS for rows in sizes))
    assert sum(sizes) == 365 * daily
    assert most <= 3 * 7
    # The lowest level is rewritten with each merge; above it, a row climbs three levels at most.
    assert rewritten <= 3 * 365 * daily + 365 / 7 * 4 * 4096


def test_loads_are_merged_when_eight_of_a_size_have_gathered(lake: Lake) -> None:
    counts = []
    for seed in range(17):
        frame = order_rows(80, seed=seed, months=1)
        with lake.writer() as writer:
            writer.commit(ORDERS, writer.write(frame, ORDERS))
            compact_if_fragmented(writer, ORDERS)
        counts.append(files(lake))
    assert counts[:8] == [4, 8, 12, 16, 20, 24, 28, 4]
    assert max(counts[8:]) <= 4 * 7
    expected = pd.concat([order_rows(80, seed=seed, months=1) for seed in range(17)])
    assert_frames_equal(read(lake), in_order(expected))
    operations = [entry["operation"] for entry in lake.history("orders")]
    assert operations.count("compact") == 2


def test_a_compaction_that_is_killed_anywhere_leaves_the_lake_whole(
    tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend)
    rows = [order_rows(20, seed=seed, months=1) for seed in range(3)]
    for frame in rows:
        commit(lake, frame)

    def copy(name: str) -> Lake:
        key = lake.path.with_name("lake.key")
        (tmp_path / f"{name}.key").write_bytes(key.read_bytes())
        return copied(lake, tmp_path / name)

    calls = doomed.calls_until(
        0, doomed.compaction, copy("undisturbed").path, monkeypatch=monkeypatch
    )
    assert calls is not None
    edges = np.linspace(1, calls, 7).astype(int).tolist()
    killed = 0
    for number, (first, last) in enumerate(pairwise(edges)):
        victim = copy(f"killed-{number}")
        call = random.Random(number).randrange(first, last)
        done = doomed.calls_until(call, doomed.compaction, victim.path, monkeypatch=monkeypatch)
        killed += done is None
        assert_frames_equal(read(victim), in_order(pd.concat(rows)))
        with victim.writer() as writer:
            compact_tables(writer, ["orders"], keep_days=0)
        assert_frames_equal(read(victim), in_order(pd.concat(rows)))
        check_nothing_lies_about(victim)
    assert killed == 6


def check_nothing_lies_about(lake: Lake) -> None:
    """Each bucket has one file, with its keys beside it, and no work is left unfinished."""
    folder = lake.path / "tables" / "orders"
    parts = {path.relative_to(folder).as_posix() for path in folder.rglob("part-*.parquet")}
    assert parts == set(lake.files("orders").paths.tolist())
    assert len(parts) == lake.buckets
    assert len(list(folder.rglob("part-*"))) == 2 * len(parts)
    assert not list((lake.path / "writing").iterdir())
    assert not [path for path in tree(lake.path) if "#" in path]
