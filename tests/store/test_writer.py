import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from frames import assert_frames_equal
from lakes import tree
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Lake, Writer


def commit(writer: Writer, seed: int, *, count: int = 40, **how: object) -> int:
    parts = writer.write(order_rows(count, seed=seed), ORDERS)
    return writer.commit(ORDERS, parts, **how)  # type: ignore[arg-type]


def count(lake: Lake, version: int | None = None) -> int:
    return len(lake.read("orders", ["order_id"], version=version))


def test_a_commit_is_the_tables_next_version(lake: Lake) -> None:
    with lake.writer() as writer:
        first = commit(writer, 1)
        second = commit(writer, 2, count=10)
    assert second == first + 1 == lake.version("orders")
    assert (count(lake, first), count(lake), lake.rows("orders")) == (40, 50, 50)


def test_overwriting_leaves_the_versions_before_as_they_were(lake: Lake) -> None:
    with lake.writer() as writer:
        old = commit(writer, 1)
        commit(writer, 2, count=5, overwrite=True)
    assert count(lake) == lake.rows("orders") == 5
    before = lake.read("orders", version=old).compute()
    assert_frames_equal(in_order(before), in_order(order_rows(40, seed=1)))


def test_what_is_written_is_no_part_of_the_table_without_a_commit(lake: Lake) -> None:
    with lake.writer() as writer:
        commit(writer, 1)
        parts = writer.write(order_rows(10, seed=2), ORDERS)
        files = [writer.folder("orders") / part.path for part in parts]
        assert all(file.is_file() for file in files)
        assert count(lake) == 40
    assert not any(file.exists() for file in files)
    assert count(lake) == 40


def test_an_error_leaves_the_lake_as_it_was(lake: Lake) -> None:
    with lake.writer() as writer:
        commit(writer, 1)
    before = tree(lake.path)
    with pytest.raises(ZeroDivisionError), lake.writer() as writer:  # noqa: PT012
        writer.write(order_rows(10, seed=2), ORDERS)
        writer.staging.mkdir(parents=True)
        (writer.staging / "block").write_text("half")
        _ = 1 / 0
    assert tree(lake.path) == before


def test_a_transaction_is_committed_once(lake: Lake) -> None:
    with lake.writer() as writer:
        first = commit(writer, 1, transactions=["a", "b"])
        assert commit(writer, 1, transactions=["b", "a"]) == first
        assert count(lake) == 40
        commit(writer, 2, transactions=["c"])
    assert count(lake) == 80
    assert lake.loaded("orders", ["a", "c", "d"]) == {"a", "c"}
    assert lake.loaded("reviews", ["a"]) == set()


def test_a_commit_without_rows_makes_the_table(lake: Lake) -> None:
    with lake.writer() as writer:
        writer.commit(ORDERS, [], transactions=["a"])
    assert lake.tables() == ["orders"]
    assert lake.rows("orders") == count(lake) == 0
    assert lake.latest("orders") is None
    assert lake.loaded("orders", ["a"]) == {"a"}


def test_a_note_is_kept_with_its_version(lake: Lake) -> None:
    with lake.writer() as writer:
        first = commit(writer, 1, note={"why": "ü", "rows": [1, None, 2.5], "version_of": {"a": 1}})
        commit(writer, 2)
    newest, before, *_ = lake.history("orders")
    assert (before["version"], before["why"], before["rows"]) == (first, "ü", [1, None, 2.5])
    assert before["version_of"] == {"a": 1}
    assert before["at"].tzinfo is not None
    assert "why" not in newest
    assert lake.note("orders") == {}


def test_the_log_names_no_person_and_no_text(lake: Lake) -> None:
    rows = order_rows(40, seed=1)
    with lake.writer() as writer:
        commit(writer, 1)
    log = lake.path / "tables" / "orders" / "_delta_log"
    lines = [line for file in log.glob("*.json") for line in file.read_text().splitlines()]
    entries = [json.loads(line) for line in lines]
    stats = [json.loads(entry["add"]["stats"]) for entry in entries if "add" in entry]
    assert stats
    for one in stats:
        assert set(one) == {"numRecords", "minValues", "maxValues"}
        assert set(one["minValues"]) == set(one["maxValues"]) == {"ordered_at"}
    text = json.dumps(entries)
    assert not any(str(key) in text for key in rows["customer_key"])


def test_a_second_writer_of_this_process_is_refused_and_then_let_in(lake: Lake) -> None:
    with lake.writer(), pytest.raises(LakeError, match="Another process is writing"):
        lake.writer(wait_seconds=0).__enter__()
    with lake.writer(wait_seconds=0) as writer:
        commit(writer, 1)
    assert count(lake) == 40


HOLD = """
import sys
from gpu_pipeline.backend import Backend
from gpu_pipeline.store import Lake
with Lake(sys.argv[1], backend=Backend.choose("cpu")).writer():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_another_process_holds_the_lake_until_it_ends_even_killed(lake: Lake) -> None:
    holder = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD, str(lake.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LakeError, match="Another process is writing to the lake"):
            lake.writer(wait_seconds=0.1).__enter__()
        # It is let in as soon as the other one is gone.
        timer = threading.Timer(0.2, os.kill, (holder.pid, signal.SIGKILL))
        timer.start()
        with lake.writer(wait_seconds=30) as writer:
            commit(writer, 1)
        timer.join()
    assert not list((lake.path / "writing").iterdir())
    assert count(lake) == 40


def kill_while_writing(lake: Lake) -> None:
    """A process that wrote parts, staged a block, began a commit, and is gone without a word."""
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        return
    with lake.writer() as writer:
        writer.write(order_rows(20, seed=3), ORDERS)
        writer.staging.mkdir(parents=True)
        (writer.staging / "block").touch()
        log = writer.folder("orders") / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        writer.journal.committing("orders", 9)
        (log / f"{9:020d}.json#1").write_text('{"half":')
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("had_rows", [True, False])
def test_the_next_writer_removes_what_a_killed_one_left(lake: Lake, had_rows: bool) -> None:
    with lake.writer() as writer:
        if had_rows:
            commit(writer, 1)
    before = tree(lake.path)
    kill_while_writing(lake)
    assert tree(lake.path) != before
    assert lake.tables() == (["orders"] if had_rows else [])
    with lake.writer():
        pass
    files = {path for path, digest in tree(lake.path).items() if digest}
    assert files == {path for path, digest in before.items() if digest}
    with lake.writer() as writer:
        commit(writer, 2)
    assert count(lake) == (80 if had_rows else 40)


def test_what_lies_beside_a_part_goes_and_stays_with_it(lake: Lake) -> None:
    with lake.writer() as writer:
        kept = writer.write(order_rows(40, seed=1), ORDERS)
        dropped = writer.write(order_rows(40, seed=2), ORDERS)
        for part in [*kept, *dropped]:
            (writer.folder("orders") / part.path).with_suffix(".keys").touch()
        writer.commit(ORDERS, kept)
    files = {path.relative_to(writer.folder("orders")) for path in lake.path.rglob("part-*")}
    paths = [Path(part.path) for part in kept]
    assert files == {*paths, *(path.with_suffix(".keys") for path in paths)}


def test_part_names_are_given_once() -> None:
    writer = Writer(Path("lake"), buckets=1, backend=None)  # type: ignore[arg-type]
    names = [writer.part_name() for _ in range(3)] + [writer.part_name(100)]
    assert len(set(names)) == 4
    assert all(name.endswith(writer.id) for name in names)


def test_readers_see_whole_versions_while_a_writer_commits(lake: Lake) -> None:
    with lake.writer() as writer:
        commit(writer, 0, count=20)
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(len(lake.read("orders", ["order_id"]).compute(scheduler="sync")))

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    with lake.writer() as writer:
        for seed in range(1, 8):
            commit(writer, seed, count=20 + seed, overwrite=seed % 2 == 0)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) >= 2
    whole = {len(lake.read("orders", ["order_id"], version=v)) for v in range(1, 9)}
    assert set(seen) <= whole


def test_tables_without_buckets_are_committed_too(lake: Lake) -> None:
    found = contract("fx_rates")
    frame = lake.backend.empty(found)
    with lake.writer() as writer:
        writer.commit(found, writer.write(frame, found))
    assert len(lake.read("fx_rates")) == 0


def test_parts_can_take_the_place_of_some_files_in_one_commit(lake: Lake) -> None:
    with lake.writer() as writer:
        commit(writer, 1)
        old = lake.files("orders")
        commit(writer, 2)
    some = old.where(np.arange(len(old)) % 2 == 0)
    rest = set(lake.files("orders").paths) - set(some.paths)
    kept = lake.read_files("orders", some).head(3)
    with lake.writer() as writer:
        parts = writer.write(kept, ORDERS)
        writer.commit(ORDERS, parts, instead_of=some, note={"why": "fewer"})
    assert set(lake.files("orders").paths) == rest | {part.path for part in parts}
    told = lake.history("orders")[0]
    assert (told["operation"], told["why"]) == ("update", "fewer")
    assert told["rows"] == lake.rows("orders") == 80 - int(some.rows.sum()) + 3
    # Who reads the version before still finds its files.
    assert count(lake, told["version"] - 1) == 80
