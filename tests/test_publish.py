import os
import resource
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import ContractError, LakeError
from gpu_pipeline.publish import Snapshot, current_version, served_tables, write_snapshot

FACTS = {
    "run_id": "run-1",
    "as_of": "2026-01-02T03:04:05.678901",
    "made_at": "2026-02-01T00:00:00+01:00",
    "data_versions": '{"orders": 3}',
    "model_version": "abc",
    "fingerprint": "f1",
}
MOMENT = pd.Timestamp("2026-01-02T03:04:05.678901")
TYPES = {
    "string": ("str", "text"),
    "int64": ("int64", 1),
    "float64": ("float64", 0.5),
    "timestamp": ("datetime64[us]", MOMENT),
    "bool": ("bool", True),
}


def rows(table: str, **columns: object) -> pd.DataFrame:
    """Rows of a contract's table: the columns that matter, the others filled in."""
    length = len(next(iter(columns.values())))
    made = {}
    for column in contract(table).columns:
        dtype, filling = TYPES[column.type]
        values = columns.get(column.name, [filling] * length)
        made[column.name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made)


def names(**products: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"product_id": list(products), "name": list(products.values())}, dtype="str"
    )


def customers(*keys: int) -> pd.DataFrame:
    return rows("customer_features", customer_key=list(keys))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "serving"


def test_what_is_published_is_read_back_with_its_types(folder: Path) -> None:
    features = rows(
        "customer_features", customer_key=[-(2**63), 2**63 - 1], revenue=[-5, 2**53 + 1]
    )
    segments = rows("customer_segments", customer_key=[2**63 - 1], segment=[4], name=["gold"])
    write_snapshot(
        folder, {"customer_features": [features], "customer_segments": [segments]}, facts=FACTS
    )

    snapshot = Snapshot.open(folder)
    rich = snapshot.customer(2**63 - 1)
    new = snapshot.customer(-(2**63))
    found = snapshot.segments_of([2**63 - 1, -(2**63)])
    snapshot.close()

    assert rich is not None
    assert new is not None
    assert (rich["customer_key"], rich["revenue"]) == (2**63 - 1, 2**53 + 1)
    assert rich["last_order_at"] == "2026-01-02T03:04:05.678901Z"
    assert new["revenue"] == -5
    assert found.keys() == {2**63 - 1}
    gold = found[2**63 - 1]
    assert (gold["segment"], gold["name"], gold["distance"]) == (4, "gold", 0.5)


def test_an_unknown_customer_or_product_is_none_and_has_no_forecast(folder: Path) -> None:
    write_snapshot(folder, {}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    assert snapshot.customer(1) is None
    assert snapshot.product("1") is None
    assert snapshot.forecast("1") == []
    assert snapshot.segments() == []
    assert snapshot.products() == []
    snapshot.close()


def test_facts_come_back_with_their_moments_in_utc(folder: Path) -> None:
    write_snapshot(folder, {}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    snapshot.close()
    assert snapshot.facts == {
        **FACTS,
        "as_of": "2026-01-02T03:04:05.678901Z",
        "made_at": "2026-01-31T23:00:00.000000Z",
    }


def test_a_forecast_comes_in_order_of_its_days(folder: Path) -> None:
    days = [MOMENT.normalize() + pd.Timedelta(days=d) for d in (2, 1, 1)]
    frame = rows("demand_forecast", product_id=["a", "a", "b"], day=days, mean=[2.0, 1.0, 9.0])
    write_snapshot(folder, {"demand_forecast": [frame]}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    found = snapshot.forecast("a")
    snapshot.close()
    assert [(row["day"][:10], row["mean"]) for row in found] == [
        ("2026-01-03", 1.0),
        ("2026-01-04", 2.0),
    ]


def test_segments_come_in_order_of_their_number(folder: Path) -> None:
    profiles = rows("segment_profiles", segment=[2, 0, 1], name=["c", "a", "b"])
    write_snapshot(folder, {"segment_profiles": [profiles]}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    assert [row["name"] for row in snapshot.segments()] == ["a", "b", "c"]
    snapshot.close()


def test_a_product_has_its_text_counts_where_somebody_wrote(folder: Path) -> None:
    counts = pd.DataFrame(
        {"product_id": ["a"], "texts": [6], "negative": [1], "neutral": [2], "positive": [3]}
    )
    tables = {"product_names": [names(a="Lamp", b="Bulb")], "product_sentiment": [counts]}
    write_snapshot(folder, tables, facts=FACTS)
    snapshot = Snapshot.open(folder)
    lamp, bulb = snapshot.product("a"), snapshot.product("b")
    snapshot.close()
    assert lamp == {
        "product_id": "a",
        "name": "Lamp",
        "texts": 6,
        "negative": 1,
        "neutral": 2,
        "positive": 3,
    }
    assert bulb is not None
    assert bulb["texts"] is None


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("lamp", ["a", "c"]),
        ("LAMP", ["a", "c"]),
        ("GROSS", ["b"]),
        ("GRÖSSER", ["d"]),
        ("%", ["c"]),
        ("_", []),
        ("", ["a", "b", "c", "d"]),
        ("sofa", []),
    ],
)
def test_search_finds_a_part_of_a_name_in_any_case(
    folder: Path, search: str, found: list[str]
) -> None:
    products = names(a="Red Lamp", b="Groß", c="LAMP 50% off", d="Größer")
    write_snapshot(folder, {"product_names": [products]}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    assert [row["product_id"] for row in snapshot.products(search)] == found
    snapshot.close()


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ids=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        unique=True,
        max_size=12,
    ),
    limit=st.integers(1, 5),
)
def test_pages_put_together_are_every_product_once(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("pages")
    write_snapshot(folder, {"product_names": [names(**dict.fromkeys(ids, "x"))]}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    seen: list[str] = []
    while page := snapshot.products(after=seen[-1] if seen else "", limit=limit):
        assert len(page) <= limit
        seen += [row["product_id"] for row in page]
    snapshot.close()
    assert seen == sorted(ids, key=str.encode)


def test_chunks_of_any_size_give_the_same_snapshot(folder: Path, tmp_path: Path) -> None:
    keys = np.random.default_rng(1).permutation(50_000)
    whole = customers(*keys)
    chunks = (whole.iloc[start : start + 777] for start in range(0, len(whole), 777))
    paths = [
        write_snapshot(folder, {"customer_features": [whole]}, facts=FACTS),
        write_snapshot(tmp_path / "other", {"customer_features": chunks}, facts=FACTS),
    ]
    query = "SELECT * FROM customer_features"
    one, other = (sqlite3.connect(path) for path in paths)
    assert one.execute(query).fetchall() == other.execute(query).fetchall()
    one.close()
    other.close()


def test_a_snapshot_does_not_hold_the_frames_that_it_was_given(folder: Path) -> None:
    alive = 0
    most = 0

    class Counted(pd.DataFrame):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def chunks() -> Iterator[pd.DataFrame]:
        nonlocal alive, most
        for number in range(20):
            alive += 1
            most = max(most, alive)
            yield Counted(customers(number))

    write_snapshot(folder, {"customer_features": chunks()}, facts=FACTS)
    assert most <= 2


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.drop(columns="orders"), "the columns are"),
        (lambda f: f[f.columns[::-1]], "the columns are"),
        (lambda f: f.assign(customer_key=1.0), "customer_key is float64, needed is int64"),
        (lambda f: f.assign(as_of=f["as_of"].astype("datetime64[ns]")), "as_of is datetime64"),
        (lambda f: f.assign(return_rate=float("nan")), "return_rate lacks 1 of 1 values"),
        (lambda f: f.assign(return_rate=float("inf")), "return_rate has infinite values"),
        (lambda f: pd.concat([f, f]), "UNIQUE constraint failed: customer_features.customer_key"),
    ],
)
def test_rows_that_break_the_contract_are_refused_and_nothing_is_published(
    folder: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], says: str
) -> None:
    write_snapshot(folder, {}, facts=FACTS)
    with pytest.raises(ContractError, match=says):
        write_snapshot(folder, {"customer_features": [spoil(customers(1))]}, facts=FACTS)
    assert current_version(folder) == "000001"
    assert [path.name for path in (folder / "snapshots").iterdir()] == ["000001.sqlite"]


def test_every_fault_of_names_is_told_at_once(folder: Path) -> None:
    with pytest.raises(ContractError) as caught:
        write_snapshot(folder, {"orders": []}, facts={"run_id": "1"})
    for word in ("'orders'", "'as_of'", "'made_at'", *served_tables()):
        assert word in str(caught.value)
    with pytest.raises(ContractError, match="'as_of' is 'yesterday', needed is ISO 8601"):
        write_snapshot(folder, {}, facts={**FACTS, "as_of": "yesterday"})
    assert not folder.exists()


def test_versions_rise_and_only_the_last_three_stay(folder: Path) -> None:
    for _ in range(5):
        write_snapshot(folder, {}, facts=FACTS)
    kept = sorted(path.name for path in (folder / "snapshots").iterdir())
    assert kept == ["000003.sqlite", "000004.sqlite", "000005.sqlite"]
    assert current_version(folder) == "000005"
    assert not (folder / "current").readlink().is_absolute()


def test_a_version_is_never_used_twice_even_after_going_back(folder: Path) -> None:
    for _ in range(3):
        write_snapshot(folder, {}, facts=FACTS)
    (folder / "current").unlink()
    (folder / "current").symlink_to("snapshots/000001.sqlite")
    assert write_snapshot(folder, {}, facts=FACTS).name == "000004.sqlite"
    kept = sorted(path.name for path in (folder / "snapshots").iterdir())
    assert kept == ["000001.sqlite", "000004.sqlite"]


def test_an_open_snapshot_is_still_read_after_it_was_replaced_and_removed(folder: Path) -> None:
    write_snapshot(folder, {"customer_features": [customers(1)]}, facts=FACTS)
    snapshot = Snapshot.open(folder)
    for _ in range(4):
        write_snapshot(folder, {}, facts=FACTS)
    assert not snapshot.path.exists()
    assert snapshot.customer(1) is not None
    assert snapshot.products() == []
    snapshot.close()


def test_two_writers_do_not_meet(folder: Path) -> None:
    def frames() -> Iterator[pd.DataFrame]:
        with pytest.raises(LakeError, match="Another process is publishing"):
            write_snapshot(folder, {}, facts=FACTS)
        yield customers(1)

    write_snapshot(folder, {"customer_features": frames()}, facts=FACTS)
    assert current_version(folder) == "000001"


def test_nothing_published_says_what_to_do(folder: Path) -> None:
    assert current_version(folder) is None
    with pytest.raises(LakeError, match=r"Nothing is published in .* yet: run `gpu-pipeline run`"):
        Snapshot.open(folder)


def test_a_file_that_is_no_snapshot_or_of_another_layout_is_refused(folder: Path) -> None:
    path = write_snapshot(folder, {}, facts=FACTS)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LakeError, match="has layout 99, this version reads 5: publish again"):
        Snapshot.open(folder)
    path.write_bytes(b"not a database, but long enough to be taken for one" * 99)
    with pytest.raises(LakeError, match=r"can't be read .*not a database"):
        Snapshot.open(folder)
    path.unlink()
    with pytest.raises(LakeError, match=r"can't be read .*unable to open"):
        Snapshot.open(folder)
    (folder / "current").unlink()
    (folder / "current").write_text("000001")
    with pytest.raises(LakeError, match="is no pointer to a snapshot"):
        Snapshot.open(folder)


def test_a_disk_that_refuses_is_one_clear_error_and_the_old_snapshot_stays(folder: Path) -> None:
    write_snapshot(folder, {"customer_features": [customers(1)]}, facts=FACTS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LakeError, match=r"Can't publish in .* What was served before still is"):
            write_snapshot(folder, {"customer_features": [customers(*range(9999))]}, facts=FACTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert current_version(folder) == "000001"
    assert [path.name for path in (folder / "snapshots").iterdir()] == ["000001.sqlite"]


def test_threads_share_a_snapshot(folder: Path) -> None:
    keys = list(range(200))
    products = names(**{f"p{n:03d}": f"Lamp {n}" for n in keys})
    write_snapshot(
        folder,
        {
            "customer_features": [rows("customer_features", customer_key=keys, revenue=keys)],
            "product_names": [products],
        },
        facts=FACTS,
    )
    snapshot = Snapshot.open(folder)

    def read(key: int) -> bool:
        found = snapshot.customer(key)
        hits = snapshot.products(f"lamp {key}", limit=200)
        return (
            found is not None
            and found["revenue"] == key
            and f"p{key:03d}" in {hit["product_id"] for hit in hits}
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, keys * 5))
    snapshot.close()


def killed_at(event: int, folder: Path) -> bool:
    """Publishes in a child that kills itself at its n-th system call or chunk; whether it did."""
    with warnings.catch_warnings():
        # Later Pythons warn that a child of a threaded parent may deadlock; this one ends at once.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        seen = 0

        def audit(name: str, _: tuple[object, ...]) -> None:
            nonlocal seen
            if name.startswith(("os.", "open", "sqlite3.", "fcntl.", "shutil.", "pathlib.")):
                seen += 1
                if seen == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        def chunks() -> Iterator[pd.DataFrame]:
            for key in (7, 8):
                audit("os.chunk", ())
                yield customers(key)

        sys.addaudithook(audit)
        try:
            write_snapshot(folder, {"customer_features": chunks()}, facts=FACTS)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def test_a_kill_at_any_call_to_the_system_leaves_a_whole_snapshot_and_no_litter(
    folder: Path,
) -> None:
    write_snapshot(folder, {"customer_features": [customers(1)]}, facts=FACTS)
    event = 0
    outcomes = set()
    while True:
        event += 1
        before = current_version(folder)
        if not killed_at(event, folder):
            break
        snapshot = Snapshot.open(folder)
        is_new = snapshot.version != before
        # Whichever it is, it is whole.
        assert (snapshot.customer(7) is not None) == is_new
        assert (snapshot.customer(1) is not None) == (not is_new)
        snapshot.close()
        outcomes.add(is_new)
        path = write_snapshot(folder, {"customer_features": [customers(1)]}, facts=FACTS)
        left = {found.name for found in (folder / "snapshots").iterdir()}
        assert path.name in left
        assert len(left) <= 3
        assert all(name.endswith(".sqlite") for name in left)
        assert {found.name for found in folder.iterdir()} == {
            "current",
            "publish.lock",
            "snapshots",
        }
    assert event > 20
    assert outcomes == {False, True}
