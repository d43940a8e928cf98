"""A rotation that is killed at any moment keeps everybody out, and is finished by the next."""

import random
from itertools import pairwise
from pathlib import Path

import doomed
import pandas as pd
import pytest
from frames import assert_frames_equal
from rotated_lakes import contents, copied, load, opened, rekeyed, rotate, tokens_in, traces, write
from tiny_model import classifier_folder
from tiny_shop import order, orders

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.errors import LakeError
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.pipeline import run
from gpu_pipeline.privacy import keys_in, token
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

COMING = "c0de" * 16
Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Lake:
    """Orders, some of them rejected, and what is made of them, published."""
    folder = tmp_path_factory.mktemp("before")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend)
    sold = [*orders(), order(900, 3, "c99", "lamp", currency="pounds")]
    load(lake, write(folder / "landing", "orders", sold, broken="a line that is none\n"))
    model = classifier_folder(folder / "model")
    with backend.cluster():
        run(lake, STEPS, Config.load(segments=3, horizon=7, text_model=model))
    return lake


def kill_many(
    before: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, count: int, seed: int
) -> None:
    """Kills rotations, each at a call of another stretch, and rotates again."""
    whole = ready(copied(before, tmp_path / "whole"))
    calls = doomed.calls_until(0, doomed.rotation, whole.path, monkeypatch=monkeypatch)
    assert calls is not None
    was, old = contents(before), tokens_in(before)
    found = set()
    for number in moments(calls, count, seed=seed):
        lake = ready(copied(before, tmp_path / f"killed-{number}"))
        done = doomed.calls_until(number, doomed.rotation, lake.path, monkeypatch=monkeypatch)
        assert done is None
        state = left_by_a_kill(lake, was)
        rotate_key(lake.path, backend=before.backend)
        check_rotated(opened(lake), was, old, times=2 if state == "rotated" else 1)
        found.add(state)
        if state != "rotated":
            assert versions(opened(lake)) == versions(opened(whole))
    assert "closed" in found


def ready(lake: Lake) -> Lake:
    """The lake with the same key coming to it as to any other: the calls are the same then."""
    file = lake.path.with_name(f"{lake.path.name}.key")
    file.write_text(f"{lake.key}\nnext {COMING}\n")
    return lake


def left_by_a_kill(lake: Lake, was: Tables) -> str:
    """The lake is as it was, or closed to everybody, or rotated."""
    if (lake.path / "rotation.json").exists():
        for use in (lambda: opened(lake), lambda: lake.read("orders"), lake.writer().__enter__):
            with pytest.raises(LakeError, match=r"stopped: .* `gpu-pipeline rotate-key --lake "):
                use()
        return "closed"
    added = keys_in(opened(lake).key)[1:]
    compare(contents(opened(lake)), was, added)
    return "rotated" if added else "as it was"


def check_rotated(after: Lake, was: Tables, old: set[int], *, times: int) -> None:
    """It is what a rotation makes that nobody disturbs, and nothing else lies about."""
    added = keys_in(after.key)[1:]
    assert len(added) == times
    compare(contents(after), was, added)
    assert traces(after, old) == set()
    assert {path.name for path in after.path.iterdir()} <= {
        *("lake.json", "lock", "models", "runs", "serving", "tables", "writing")
    }
    assert list((after.path / "writing").iterdir()) == []
    assert not list(after.path.parent.glob("*.new"))
    snapshot = Snapshot.open(after.serving)
    assert snapshot.customer(token("c1", key=after.key, kind="customer")) is not None
    assert len(list((after.serving / "snapshots").iterdir())) == 1
    snapshot.close()


def compare(found: Tables, was: Tables, added: tuple[str, ...]) -> None:
    assert found.keys() == was.keys()
    for table, frame in found.items():
        assert_frames_equal(frame, rekeyed(was[table], added))


def versions(lake: Lake) -> dict[str, int | None]:
    return {table: lake.version(table) for table in lake.tables()}


def moments(calls: int, count: int, *, seed: int) -> list[int]:
    """As many of the calls, one drawn from each stretch of the rotation."""
    rng = random.Random(seed)
    edges = [1 + calls * i // count for i in range(count + 1)]
    return [rng.randrange(*edge) for edge in pairwise(edges)]


def test_a_rotation_that_is_killed_is_finished_by_the_next(
    before: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_many(before, tmp_path, monkeypatch, count=20, seed=5)


def test_a_key_that_was_coming_when_a_rotation_was_killed_is_the_one_that_comes(
    before: Lake, tmp_path: Path
) -> None:
    lake = ready(copied(before, tmp_path / "lake"))
    assert opened(lake).key == before.key
    assert rotate(lake).key == f"{before.key},{COMING}"


@pytest.mark.slow
def test_a_rotation_that_is_killed_at_any_of_many_calls_is_finished_by_the_next(
    before: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_many(before, tmp_path, monkeypatch, count=100, seed=6)
