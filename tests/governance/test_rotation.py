"""After a rotation all is as before but for the keys, and nothing of the old ones is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from frames import assert_frames_equal
from rotated_lakes import (
    contents,
    copied,
    keyed_tables,
    load,
    opened,
    rekeyed,
    rotate,
    rows,
    tokens_in,
    traces,
    write,
)
from tiny_model import classifier_folder
from tiny_shop import land, order, orders, shop

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.ingest import ingest
from gpu_pipeline.pipeline import run
from gpu_pipeline.privacy import fingerprint, keys_in, new_key, token
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake

CUSTOMERS = ("c1", "c2", "c12")
REFUSED = [
    order(900, 3, "c1", "lamp", currency="pounds"),
    order(901, 3, "c99", "lamp", line_type="gift"),
    {**orders()[0], "quantity": 77},  # contradicts what is there
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    model = classifier_folder(tmp_path_factory.mktemp("model"))
    return Config.load(segments=3, horizon=7, text_model=model)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, backend: Backend, config: Config) -> Lake:
    """A lake with every source, rejected rows of all kinds, what is made of them, published."""
    folder = tmp_path_factory.mktemp("before")
    lake = Lake.create(folder / "lake", buckets=2, backend=backend)
    land(lake, shop(), folder=folder / "landing")
    load(lake, write(folder / "more", "orders", REFUSED, broken="a line that is none\n"))
    with backend.cluster():
        run(lake, STEPS, config)
    return lake


@pytest.fixture(scope="module")
def after(before: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same lake after a rotation; nobody changes it."""
    return rotate(copied(before, tmp_path_factory.mktemp("after") / "lake"))


@pytest.fixture
def small(tmp_path: Path, backend: Backend) -> Lake:
    """A lake of orders alone, without line numbers."""
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend)
    load(lake, write(tmp_path / "landing", "orders", unnumbered()))
    return lake


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def unnumbered() -> list[dict[str, object]]:
    return [{name: v for name, v in row.items() if name != "line_no"} for row in orders()]


def test_every_row_is_there_with_its_new_key(before: Lake, after: Lake) -> None:
    oldest, *added = keys_in(after.key)
    assert (oldest, len(added)) == (before.key, 1)
    was, now = contents(before), contents(after)
    assert was.keys() == now.keys()
    assert len(keyed_tables(after)) >= 12
    assert len(was["text_aspects"]) > 0
    for table, frame in was.items():
        assert_frames_equal(now[table], rekeyed(frame, added))


def test_people_are_joined_across_tables_as_before(before: Lake, after: Lake) -> None:
    joined = [
        rows(lake, "orders").merge(rows(lake, "customers"), on="customer_key")["order_id"]
        for lake in (before, after)
    ]
    assert sorted(joined[0]) == sorted(joined[1]) != []


def test_rows_lie_in_the_buckets_of_their_new_keys(after: Lake) -> None:
    for table in keyed_tables(after):
        assert contract(table).bucketed
        for bucket in range(after.buckets):
            keys = after.read_bucket(table, bucket)["customer_key"]
            assert set(keys & (after.buckets - 1)) <= {bucket}


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_a_person_is_found_by_the_raw_id(before: Lake, after: Lake, customer: str) -> None:
    found = []
    for lake in (before, after):
        key = token(customer, key=lake.key, kind="customer")
        frame = lake.read("orders", where=[("customer_key", "==", key)]).compute()
        snapshot = Snapshot.open(lake.serving)
        card = snapshot.customer(key)
        snapshot.close()
        assert card is not None
        assert card.pop("customer_key") == key
        found.append((sorted(frame["order_id"]), card))
    assert found[0] == found[1]
    assert found[0][0]


def test_no_byte_and_no_value_of_an_old_token_is_left(before: Lake, after: Lake) -> None:
    known = tokens_in(before)
    assert token("c99", key=before.key, kind="customer") in known  # in evidence alone
    assert traces(before, known) == {".parquet", ".sqlite"}
    assert traces(after, known) == set()
    held = b"".join(path.read_bytes() for path in after.path.rglob("*") if path.is_file())
    assert not any(key.encode() in held for key in keys_in(after.key))


def test_the_old_key_alone_opens_nothing_and_neither_does_another_chain(
    before: Lake, after: Lake
) -> None:
    for key in (before.key, keys_in(after.key)[1], f"{before.key},{new_key()}"):
        with pytest.raises(LakeError, match="not the pseudonym key of"):
            Lake(after.path, backend=after.backend, key=key)
    assert Lake(after.path, backend=after.backend, key=after.key).key == after.key


def test_versions_before_are_closed_and_say_so(before: Lake, after: Lake) -> None:
    version = after.version("orders")
    assert version is not None
    assert len(after.read("orders", version=version)) == before.rows("orders")
    for old in range(version):
        with pytest.raises(LakeError, match=f"Version {old} of orders was closed by a rotation"):
            after.read("orders", version=old)
    with pytest.raises(LakeError, match="closed by a rotation"):
        after.pinned({"orders": 1}).rows("orders")


def test_a_table_without_people_keeps_its_history(before: Lake, after: Lake) -> None:
    assert after.version("products") == before.version("products")
    assert len(after.read("products", version=1)) > 0


def test_who_had_the_lake_open_is_told_to_open_it_again(small: Lake) -> None:
    rotate(small)
    with pytest.raises(LakeError, match="rotated since it was opened"):
        small.read("orders")
    with pytest.raises(LakeError, match="rotated since it was opened"), small.writer():
        pass


def test_loading_again_changes_nothing(before: Lake, after: Lake) -> None:
    was = contents(after)
    report = ingest(after, before.path.with_name("landing"))
    assert all(file.loaded_before for file in report.files)
    now = contents(after)
    for table, frame in was.items():
        assert_frames_equal(now[table], frame)


def test_the_same_rows_in_another_file_are_duplicates_also_with_numbers_that_were_made(
    small: Lake, tmp_path: Path
) -> None:
    after = rotate(rotate(small))
    assert len(keys_in(after.key)) == 3
    again = [{**row, "note": "anew"} for row in unnumbered()]
    assert load(after, write(tmp_path / "again", "orders", again)) == [(0, 0, len(again), False)]


def test_the_next_run_says_the_same(before: Lake, config: Config, tmp_path: Path) -> None:
    after = rotate(copied(before, tmp_path / "lake"))
    wanted = {name: rows(after, name) for name in ("demand_forecast", "customer_features")}
    assert run(after, STEPS, config).finished
    for table, frame in wanted.items():
        assert_frames_equal(rows(after, table), frame)


def test_what_is_served_has_the_new_keys_at_once_and_nothing_else_is_kept(
    before: Lake, after: Lake
) -> None:
    old, new = Snapshot.open(before.serving), Snapshot.open(after.serving)
    assert (old.version, new.version) == ("000001", "000002")
    assert [path.name for path in (after.serving / "snapshots").iterdir()] == ["000002.sqlite"]
    assert new.segments() == old.segments()
    assert new.facts.pop("key_fingerprint") == fingerprint(after.key)
    assert new.facts == old.facts
    old.close()
    new.close()


def test_an_empty_lake_rotates_too(lake: Lake, tmp_path: Path) -> None:
    after = rotate(Lake.create(tmp_path / "empty", backend=lake.backend))
    assert len(keys_in(after.key)) == 2
    assert after.tables() == []


def test_keys_that_are_given_are_those_of_the_lake_and_a_new_one(
    tmp_path: Path, backend: Backend
) -> None:
    key, coming = new_key(), new_key()
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend, key=key)
    land(lake, {"orders": orders()}, folder=tmp_path / "landing")
    for wrong in (key, f"{key},{key}"):
        with pytest.raises(LakeError, match="give the keys that there are and a new one"):
            rotate_key(lake.path, backend=backend, key=wrong)
    for wrong in (f"{coming},{key}", f"{key},{coming},{new_key()}"):
        with pytest.raises(LakeError, match="not those of"):
            rotate_key(lake.path, backend=backend, key=wrong)
    report = rotate_key(lake.path, backend=backend, key=f"{key},{coming}")
    assert (report.keys, report.tables["orders"]) == (2, len(orders()))
    after = Lake(lake.path, backend=backend, key=f"{key},{coming}")
    assert token("c1", key=after.key, kind="customer") in set(rows(after, "orders").customer_key)
    assert not (tmp_path / "lake.key").exists()
    with pytest.raises(LakeError, match="not those of"):
        rotate_key(lake.path, backend=backend, key=f"{key},{coming}")


def test_without_the_key_nothing_is_rotated(small: Lake) -> None:
    small.path.with_name("lake.key").unlink()
    with pytest.raises(LakeError, match=r"lake\.key is missing"):
        rotate_key(small.path, backend=small.backend)
    assert not (small.path / "rotation.json").exists()


def test_another_new_key_does_not_finish_what_was_begun(tmp_path: Path, backend: Backend) -> None:
    key, coming = new_key(), new_key()
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend, key=key)
    begun = f'{{"to": "{fingerprint(f"{key},{coming}")}"}}'
    (lake.path / "rotation.json").write_text(begun)
    with pytest.raises(LakeError, match="was begun with another new key"):
        rotate_key(lake.path, backend=backend, key=f"{key},{new_key()}")
    assert rotate_key(lake.path, backend=backend, key=f"{key},{coming}").keys == 2
    assert opened(lake).tables() == []
