"""What came to a table since a version: the files of appends, compacted since or not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Files, Lake, compact, remove_old_files


def commit(lake: Lake, frame: pd.DataFrame, **how: Any) -> int:
    """The version that has these rows too."""
    with lake.writer() as writer:
        return writer.commit(ORDERS, writer.write(frame, ORDERS), **how)


def compacted(lake: Lake, *, keep_days: float = 7) -> None:
    with lake.writer() as writer:
        compact(writer, ORDERS)
        remove_old_files(writer, ORDERS, keep_days=keep_days)


LOADS = [order_rows(30, seed=seed, months=2) for seed in range(4)]


def rows_added(lake: Lake, since: int) -> pd.DataFrame:
    found = lake.added("orders", since)
    assert found is not None
    return in_order(lake.read_files("orders", found))


def test_what_was_appended_since_a_version_is_told_by_its_files(lake: Lake) -> None:
    versions = [commit(lake, load) for load in LOADS]
    for place, version in enumerate(versions[:-1]):
        wanted = in_order(pd.concat(LOADS[place + 1 :]))
        assert_frames_equal(rows_added(lake, version), wanted)
    nothing = lake.added("orders", versions[-1])
    assert nothing is not None
    assert len(nothing) == 0
    assert not len(lake.read_files("orders", nothing))


def test_the_log_tells_of_files_what_the_table_tells(lake: Lake) -> None:
    commit(lake, LOADS[0])
    found, wanted = lake.added("orders", 0), lake.files("orders")
    assert found is not None
    for name, values in vars(wanted).items():
        np.testing.assert_array_equal(getattr(found, name), values)
        assert getattr(found, name).dtype == values.dtype


def test_a_pinned_lake_is_told_what_came_until_its_version(lake: Lake) -> None:
    versions = [commit(lake, load) for load in LOADS]
    pinned = lake.pinned({"orders": versions[2]})
    assert_frames_equal(rows_added(pinned, versions[1]), in_order(LOADS[2]))


def test_new_rows_are_still_told_after_a_compaction(lake: Lake) -> None:
    first = commit(lake, LOADS[0])
    commit(lake, LOADS[1])
    compacted(lake)
    commit(lake, LOADS[2])
    assert_frames_equal(rows_added(lake, first), in_order(pd.concat(LOADS[1:3])))


def test_files_that_were_given_up_tell_nothing(lake: Lake) -> None:
    first = commit(lake, LOADS[0])
    second = commit(lake, LOADS[1])
    compacted(lake, keep_days=0)
    assert lake.added("orders", first) is None
    assert lake.added("orders", second) is not None


@pytest.mark.parametrize("how", ["overwrite", "instead_of"])
def test_where_rows_were_replaced_only_the_whole_table_tells(lake: Lake, how: str) -> None:
    first = commit(lake, LOADS[0])
    said = {"overwrite": True} if how == "overwrite" else {"instead_of": lake.files("orders")}
    second = commit(lake, LOADS[1], **said)
    third = commit(lake, LOADS[2])
    assert lake.added("orders", first) is None
    assert lake.added("orders", second) is not None
    assert lake.added("orders", third) is not None


def test_a_version_that_is_not_there_yet_tells_nothing(lake: Lake) -> None:
    version = commit(lake, LOADS[0])
    assert lake.added("orders", version + 1) is None
    assert lake.added("orders", -1) is None
    with pytest.raises(LakeError, match="No table 'reviews'"):
        lake.added("reviews", 0)


def test_files_are_read_by_columns_and_conditions(lake: Lake) -> None:
    commit(lake, LOADS[0])
    files = lake.files("orders")
    some = lake.read_files("orders", files, [("quantity", ">", 2)], columns=["order_id"])
    assert list(some.columns) == ["order_id"]
    assert len(some) == (LOADS[0]["quantity"] > 2).sum()
    assert [list(one.paths) for one in files.each()] == [[path] for path in files.paths]
    assert list(files.named(files.paths[:1]).paths) == list(files.paths[:1])


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=8)


@settings(deadline=None, max_examples=100)
@given(SPANS, SPANS)
def test_files_that_touch_a_span_are_those_that_a_comparison_of_all_pairs_finds(
    files: list[tuple[int, int]], spans: list[tuple[int, int]]
) -> None:
    begin, end = times([a for a, _ in files]), times([a + n for a, n in files])
    count = len(files)
    made = Files(
        paths=np.arange(count).astype(object),
        sizes_bytes=np.ones(count, "int64"),
        rows=np.ones(count, "int64"),
        buckets=np.zeros(count, "int64"),
        months=np.full(count, "", "object"),
        firsts=begin,
        lasts=end,
    )
    found = made.touching(times([a for a, _ in spans]), times([a + n for a, n in spans]))
    wanted = [
        place
        for place, (a, n) in enumerate(files)
        if any(a <= b + m and b <= a + n for b, m in spans)
    ]
    assert found.paths.tolist() == wanted


def times(minutes: list[int]) -> "np.ndarray[Any, np.dtype[np.datetime64]]":
    return np.datetime64("2026-01-01", "us") + np.array(minutes, "int64").astype("m8[m]")
