import json
import random
from pathlib import Path

import dask
import doomed
import pandas as pd
import pytest
from frames import assert_frames_equal
from lakes import tree
from landing import EVENT, counts, write

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.ingest import IngestReport, ingest
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
KEY = "0123456789abcdef" * 4
TABLES = ("clickstream", "clickstream_rejected", "quality_results", "source_files")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files with rows to accept, to reject and to drop."""
    made = tmp_path_factory.mktemp("landing")
    events = [{**EVENT, "event_id": f"e{n}", "customer_id": f"c{n % 9}"} for n in range(60)]
    wrong = [{**EVENT, "event_id": "x", "event_type": "hover"}, {**EVENT, "event_id": ""}]
    write(made / "clickstream-1.csv.gz", [*events, *wrong])
    changed = [{**event, "device": "fridge"} for event in events[:3]]
    write(made / "clickstream-2.jsonl", [*events[30:], *changed, {**EVENT, "event_id": "new"}])
    return made


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = new_lake(tmp_path_factory.mktemp("undisturbed"))
    report = load(lake, folder)
    told = [sum(one) for one in zip(*map(counts, report.files), strict=True)]
    assert told == [61, 2 + 3, 30]
    return lake


def new_lake(folder: Path) -> Lake:
    return Lake.create(folder / "lake", buckets=2, backend=CPU, key=KEY)


def load(lake: Lake, folder: Path) -> IngestReport:
    with dask.config.set(scheduler="sync"):
        return ingest(lake, folder)


def rows(lake: Lake, table: str) -> pd.DataFrame:
    frame = lake.read(table).compute(scheduler="sync").drop(columns="run_id", errors="ignore")
    key = [name for name in contract(table).key if name != "run_id"]
    return frame.sort_values(key).reset_index(drop=True)


def check_half_loaded(lake: Lake, undisturbed: Lake) -> None:
    """Whatever a reader finds is whole: a table has all rows of its files or none."""
    for table in lake.tables():
        file = "subject_id" if table == "quality_results" else "file_no"
        files, known = set(rows(lake, table)[file]), rows(undisturbed, table)
        whole = known[known[file].isin(files)]
        assert_frames_equal(rows(lake, table), whole.reset_index(drop=True))


def check_whole(lake: Lake, undisturbed: Lake) -> None:
    """All tables are those of a load that nobody disturbed, and nothing else lies about."""
    assert lake.tables() == undisturbed.tables() == sorted(TABLES)
    for table in TABLES:
        assert_frames_equal(rows(lake, table), rows(undisturbed, table))
    named = [
        json.loads(line)["add"]["path"]
        for log in lake.path.glob("tables/*/_delta_log/*.json")
        for line in log.read_text().splitlines()
        if line.startswith('{"add"')
    ]
    files = list(lake.path.rglob("*.parquet"))
    assert sorted(Path(path).name for path in named) == sorted(path.name for path in files)
    others = {path for path in tree(lake.path) if not path.startswith("tables/")}
    assert others <= {"lake.json", "lock", "writing", "tables"}
    assert not [path for path in tree(lake.path) if "#" in path]


def kill_many(
    folder: Path,
    undisturbed: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    count: int,
    seed: int,
) -> None:
    """Kills loads, each at a call of another stretch, and does them again."""

    def calls(number: int, lake: Lake) -> int | None:
        return doomed.calls_until(
            number, doomed.load, lake.path, KEY, folder, monkeypatch=monkeypatch
        )

    rng = random.Random(seed)
    total = calls(0, new_lake(tmp_path / "whole"))
    assert total is not None
    for number in range(count):
        lake = new_lake(tmp_path / f"killed-{number}")
        call = 1 + int(total * (number + rng.random()) / count)
        assert calls(call, lake) is None or call > total - 5  # ids differ, and so do some paths
        check_half_loaded(lake, undisturbed)
        load(lake, folder)
        check_whole(lake, undisturbed)


def test_a_load_that_is_killed_is_finished_by_the_next(
    folder: Path, undisturbed: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_many(folder, undisturbed, tmp_path, monkeypatch, count=20, seed=1)


@pytest.mark.slow
def test_a_load_that_is_killed_at_any_of_many_moments_is_finished_by_the_next(
    folder: Path, undisturbed: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_many(folder, undisturbed, tmp_path, monkeypatch, count=200, seed=2)


@pytest.mark.slow
def test_a_load_that_is_killed_again_and_again_gets_there(
    folder: Path, undisturbed: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, lake = random.Random(3), new_lake(tmp_path)
    for _ in range(30):
        call = rng.randint(1, 400)
        doomed.calls_until(call, doomed.load, lake.path, KEY, folder, monkeypatch=monkeypatch)
        check_half_loaded(lake, undisturbed)
    load(lake, folder)
    check_whole(lake, undisturbed)
