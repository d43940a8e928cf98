from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.segmentation.migration import (
    NOWHERE,
    moves,
    segment_migration,
    summed_moves,
)

CPU = Backend.choose("cpu")
ORACLE = (Path(__file__).parent.parent / "oracle" / "segment_migration.sql").read_text()
NAMES = {-1: "unlike the others", 0: "champions", 1: "loyal", 4: "lost"}


def segmented(*found: tuple[int, int]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["customer_key", "segment"]).astype("int64")
    return frame.assign(name=frame["segment"].map(NAMES).astype("str"))


def drawn(seed: int, *, rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    keys = rng.permutation(300)[:rows] - 150
    return segmented(*zip(keys, rng.choice(list(NAMES), rows), strict=True))


@pytest.mark.parametrize(
    ("before", "after"),
    [(drawn(1), drawn(2)), (drawn(1, rows=0), drawn(2)), (drawn(1), drawn(2, rows=0))],
    ids=["both", "first run", "all gone"],
)
def test_migration_is_that_of_plain_sql(before: pd.DataFrame, after: pd.DataFrame) -> None:
    found = segment_migration(before, after)
    with duckdb.connect() as connection:
        connection.register("earlier", before)
        connection.register("later", after)
        wanted = connection.execute(ORACLE).df()
    assert list(found.columns) == list(contract("segment_migration").names)
    as_stored = [CPU.cast(table, contract("segment_migration")) for table in (found, wanted)]
    assert_frames_equal(*as_stored)


def test_who_stays_moves_comes_and_goes_has_a_row_each() -> None:
    before = segmented((1, 0), (2, 0), (3, 0), (4, 4))
    after = segmented((1, 0), (2, 1), (3, 1), (5, 1), (6, -1))
    found = segment_migration(before, after)
    rows = found[["from_name", "to_name", "customers"]].to_numpy().tolist()
    assert rows == [
        ["not there before", "unlike the others", 1],
        ["not there before", "loyal", 1],
        ["champions", "champions", 1],
        ["champions", "loyal", 2],
        ["lost", "no longer there", 1],
    ]
    assert found["share_of_from"].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3, 2 / 3, 1])
    assert found["from_segment"].tolist() == [NOWHERE, NOWHERE, 0, 0, 4]
    assert found["to_segment"].tolist()[-1] == NOWHERE


def test_counts_of_buckets_add_up_to_those_of_all() -> None:
    before, after = drawn(3), drawn(4)
    parts = [
        moves(
            *(frame[["customer_key", "segment"]][frame["customer_key"] % 4 == i] for frame in both)
        )
        for both in [(before, after)]
        for i in range(4)
    ]
    whole = summed_moves(parts, before=NAMES, after=NAMES)
    assert_frames_equal(whole, segment_migration(before, after))
    assert whole["customers"].sum() == len({*before["customer_key"], *after["customer_key"]})
    assert summed_moves([], before={}, after={}).empty
