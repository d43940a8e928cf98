"""The device is chosen once, with a reason; what differs by device gives the same answers."""

import hashlib
import pickle
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import dask
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.backend import Backend, _odd_times
from gpu_pipeline.contracts import contract, contract_names
from gpu_pipeline.errors import ContractError, DeviceError

CPU = Backend.choose("cpu")
needs_no_gpu = pytest.mark.skipif(
    find_spec("cudf") is not None, reason="RAPIDS is installed here, so nothing is missing"
)


def test_the_cpu_is_there_when_it_is_asked_for() -> None:
    assert (CPU.device, CPU.reason) == ("cpu", "cpu: asked for")
    assert (CPU.xp, CPU.frames) == (np, pd)


@needs_no_gpu
def test_a_gpu_that_is_not_there_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match=r"No GPU to use: .*README.*--device"):
        Backend.choose("gpu")


@needs_no_gpu
def test_auto_takes_the_cpu_and_says_what_is_missing() -> None:
    found = Backend.choose()
    assert found.device == "cpu"
    assert found.reason.startswith("cpu: cudf, cupy, cuml, dask_cudf not installed")


def test_a_backend_is_sent_to_workers_as_it_is() -> None:
    assert pickle.loads(pickle.dumps(CPU)) == CPU  # noqa: S301


@given(
    st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))),
    st.text("abc:", max_size=4),
)
@settings(deadline=None)
def test_sha64_is_the_start_of_hashlibs_digest_for_each_value(
    texts: list[str | None], prefix: str
) -> None:
    index = np.arange(len(texts)) * 3 + 1
    values = pd.Series(texts, dtype="str", index=index)
    expected = [0 if text is None else _start_of_digest(prefix + text) for text in texts]
    assert_frames_equal(
        CPU.sha64(values, prefix=prefix), pd.Series(expected, dtype="int64", index=index)
    )


def _start_of_digest(text: str) -> int:
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@pytest.mark.parametrize("name", contract_names())
def test_an_empty_frame_has_the_contracts_columns_and_types(name: str) -> None:
    frame = CPU.empty(contract(name))
    types = {
        **{"string": "str", "timestamp": "datetime64[us]"},
        **{"int64": "int64", "float64": "float64", "bool": "bool"},
    }
    assert len(frame) == 0
    assert {column: str(frame[column].dtype) for column in frame} == {
        column.name: types[column.type] for column in contract(name).columns
    }


def test_an_empty_frame_can_be_asked_for_some_columns_in_an_order() -> None:
    assert list(CPU.empty(contract("orders"), ["quantity", "order_id"])) == ["quantity", "order_id"]
    with pytest.raises(ContractError, match="has no column 'units'"):
        CPU.empty(contract("orders"), ["units"])


def test_a_cast_gives_exactly_the_contracts_columns_in_order_and_type() -> None:
    found = contract("fx_rates")
    given = {name: ["1", "2"] for name in reversed(found.names)} | {"surplus": [1, 2]}
    frame = pd.DataFrame(given).assign(day=["2026-01-01", "2026-01-02 03:04:05.000006"])
    cast = CPU.cast(frame, found)
    assert_frames_equal(cast.iloc[:0], CPU.empty(found))
    assert cast["rate"].tolist() == [1.0, 2.0]
    assert cast["day"].tolist()[1] == pd.Timestamp("2026-01-02 03:04:05.000006")


def test_bits_are_whole_numbers_of_every_type() -> None:
    assert CPU.as_bits(pd.Series([1, -1])).tolist() == [1, -1]
    assert CPU.as_bits(pd.Series([True, False])).tolist() == [1, 0]
    assert CPU.as_bits(pd.Series([1.0])).tolist() == [0x3FF0000000000000]
    assert CPU.as_bits(pd.Series(["1970-01-01"], dtype="datetime64[us]")).tolist() == [0]


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("UTC", "2026-01-01T10:00:00.000001", "2026-01-01 10:00:00.000001"),
        ("UTC", "2026-01-01", "2026-01-01"),
        ("UTC", "2026-01-01T10:00:00Z", "2026-01-01 10:00"),
        ("UTC", "2026-01-01T10:00:00+05:30", "2026-01-01 04:30"),
        ("UTC", "soon", None),
        ("UTC", "2026-02-30", None),
        ("UTC", None, None),
        ("Europe/Berlin", "2026-01-01 10:00", "2026-01-01 09:00"),
        ("Europe/Berlin", "2026-07-01 10:00", "2026-07-01 08:00"),
        ("Europe/Berlin", "2026-07-01T10:00:00Z", "2026-07-01 10:00"),
        ("Europe/Berlin", "2026-07-01T10:00:00-0100", "2026-07-01 11:00"),
        # The hour that is skipped, and the one that comes twice.
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
    ],
)
def test_a_text_is_read_as_a_time_in_utc(zone: str, text: str | None, expected: str | None) -> None:
    times = CPU.to_times(pd.Series([text], dtype="str"), time_zone=zone)
    assert_frames_equal(times, pd.Series([expected], dtype="datetime64[us]"))


def test_a_time_stays_itself_or_is_moved_from_its_zone() -> None:
    times = pd.Series(["2026-07-01 10:00"], dtype="datetime64[ns]")
    assert_frames_equal(CPU.to_times(times), times.astype("datetime64[us]"))
    moved = CPU.to_times(times, time_zone="Europe/Berlin")
    assert_frames_equal(moved, pd.Series(["2026-07-01 08:00"], dtype="datetime64[us]"))


def test_on_the_cpu_nothing_is_copied_to_the_host() -> None:
    frame, array = pd.DataFrame({"a": [1]}), np.arange(3)
    assert CPU.to_pandas(frame) is frame
    assert CPU.from_pandas(frame) is frame
    assert CPU.to_host(array) is array
    assert CPU.to_host(pd.Series([1.5, 2.5])).tolist() == [1.5, 2.5]


def test_k_means_from_given_centres_repeats_to_the_bit() -> None:
    points = np.random.default_rng(0).normal(size=(500, 4))
    first, again = (
        CPU.estimator("KMeans", n_clusters=3, init=points[:3], max_iter=20).fit(points)
        for _ in range(2)
    )
    assert_frames_equal(first.cluster_centers_, again.cluster_centers_, rtol=0)
    assert_frames_equal(first.labels_, again.labels_)


def test_k_means_starts_where_it_is_told_to() -> None:
    points = np.array([[0.0], [1.0], [10.0], [11.0]])
    for start, labels in (([[0.0], [10.0]], [0, 0, 1, 1]), ([[11.0], [0.0]], [1, 1, 0, 0])):
        fitted = CPU.estimator("KMeans", n_clusters=2, init=np.array(start)).fit(points)
        assert fitted.labels_.tolist() == labels


def _sums(**how: object) -> pd.DataFrame:
    """A shuffle and a sum on Dask's cluster of these settings."""
    table = pd.DataFrame({"key": [1, 2, 3] * 100, "name": ["a", "b", "c"] * 100, "n": range(300)})
    with CPU.cluster(**how):  # type: ignore[arg-type]
        assert dask.config.get("dataframe.backend") == "pandas"
        frame = dd.from_pandas(table, npartitions=3)
        return frame.groupby(["key", "name"], sort=True).agg({"n": "sum"}).compute().sort_index()


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(1, "a"), (2, "b"), (3, "c")], names=["key", "name"])
    return pd.DataFrame({"n": [14850, 14950, 15050]}, index=index)


def test_threads_are_the_default_and_settings_end_with_the_cluster(expected: pd.DataFrame) -> None:
    before = {**dask.config.config}
    with CPU.cluster():
        assert dask.config.get("scheduler") == "threads"
    assert dask.config.config == before
    assert_frames_equal(_sums(), expected)


def test_a_worker_process_gives_the_same_also_where_dasks_port_is_taken(
    expected: pd.DataFrame,
) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # taken by another one's cluster
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        assert_frames_equal(_sums(workers=1, memory="1GB"), expected)


def test_an_existing_cluster_is_used_and_left_running(expected: pd.DataFrame) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        for _ in range(2):
            assert_frames_equal(_sums(scheduler=cluster.scheduler_address), expected)


@pytest.mark.parametrize(
    "address",
    [
        "carrier-pigeon://loft",
        # Dask knocks for all of the ten seconds that it is given.
        pytest.param("tcp://127.0.0.1:1", marks=pytest.mark.slow),
    ],
)
def test_a_scheduler_that_does_not_answer_is_an_error_and_changes_nothing(address: str) -> None:
    before = dask.config.get("scheduler", None)
    with (
        pytest.raises(DeviceError, match=f"No Dask scheduler answers at {address}"),
        CPU.cluster(scheduler=address),
    ):
        pass
    assert dask.config.get("scheduler", None) == before
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()


@pytest.mark.parametrize(
    "options",
    [{"memory": "4GB"}, {"scheduler": "tcp://127.0.0.1:1", "workers": 2}],
)
def test_options_that_would_change_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match="memory"), CPU.cluster(**options):
        pass


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01T10:00", "2026-07-01T08:00"),
        ("2026-07-01", "2026-06-30T22:00"),
        ("2026-07-01T10:00Z", "2026-07-01T10:00"),
        ("2026-07-01T10:00+02", "2026-07-01T08:00"),
        ("2026-07-01T10:00:00.5-0330", "2026-07-01T13:30:00.5"),
        ("2026-07-01 10:00:00+05:30", "2026-07-01T04:30"),
    ],
)
def test_a_time_with_an_offset_is_not_moved_by_the_zone_of_its_feed(text: str, utc: str) -> None:
    times = CPU.to_times(pd.Series([text]), time_zone="Europe/Berlin")
    assert times.tolist() == [pd.Timestamp(utc)]


WRITTEN = st.sampled_from(
    [
        *("2026-06-01", "2026-06-01T10:00:00", "2026-06-01 10:00:00.5", "2026-06-01T10:00Z"),
        *("2026-06-01T10:00:00+02:00", "2026-06-01T10:00:00.123456789Z", "1989-12-31"),
        *("2026-02-30", "01.06.2026", "2026", "2026-06", "now", " 2026-06-01", "", "20260601"),
        *("2026-06-01T24:00:00", "2026-06-01T23:59:60", "2026-06-01T10", "2026-6-1", "9999-12-31"),
    ]
)


@settings(deadline=None)
@given(st.lists(st.none() | WRITTEN, max_size=6), st.sampled_from(["UTC", "Europe/London"]))
def test_a_column_of_times_is_read_as_each_text_alone(texts: list[str | None], zone: str) -> None:
    """Texts that are alike go a faster way, which must not change what is read."""
    column = pd.Series(texts, dtype="str")
    whole = CPU.to_times(column, time_zone=zone)
    for place, text in enumerate(texts):
        (alone,) = pd.Series(_odd_times(pd.Series([text], dtype="str"), zone))
        assert whole[place] == alone or (whole.isna()[place] and pd.isna(alone)), text


def test_numbers_are_read_at_once_only_where_all_are_plain() -> None:
    plain = CPU.plain_numbers(pd.Series(["1", "-2.5", None, "1e3"], dtype="str"))
    assert plain is not None
    assert plain.fillna(-1).tolist() == [1.0, -2.5, -1.0, 1000.0]
    for odd in ("", " 1", "1,5", "+5x", "0x10", "one"):
        assert CPU.plain_numbers(pd.Series(["1", odd], dtype="str")) is None, odd


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=5), max_size=8))
def test_the_bytes_of_texts_lie_one_after_the_other(texts: list[str | None]) -> None:
    data, lengths = CPU.utf8(pd.Series(texts, dtype="str"))
    assert data.tobytes() == "".join(text or "" for text in texts).encode()
    assert lengths.tolist() == [len((text or "").encode()) for text in texts]
    part = CPU.utf8(pd.Series(["lead", *texts, "trail"], dtype="str").iloc[1:-1])
    assert part[0].tobytes() == data.tobytes()


def test_a_null_contains_nothing() -> None:
    texts = pd.Series(["a1", None, "b"], dtype="str", index=[3, 4, 5])
    found = CPU.contains(texts, "[0-9]")
    assert found.to_dict() == {3: True, 4: False, 5: False}
