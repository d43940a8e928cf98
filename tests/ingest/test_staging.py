from pathlib import Path

import pandas as pd
import pytest
from frames import assert_frames_equal
from order_rows import ORDERS, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.ingest.staging import Place, Staging, lake_home

CPU = Backend.choose("cpu")


def staged(folder: Path, *frames: pd.DataFrame, buckets: int = 4) -> Staging:
    staging = Staging(folder, ORDERS, buckets=buckets, backend=CPU)
    for number, frame in enumerate(frames):
        staging.put(f"{number:03d}", frame)
    return staging


def test_what_is_taken_from_all_places_is_what_was_put_in_order_of_the_blocks(
    tmp_path: Path,
) -> None:
    blocks = [order_rows(40, seed=1), order_rows(30, seed=2), order_rows(0)]
    staging = staged(tmp_path, *blocks)
    whole = pd.concat(blocks, ignore_index=True)
    for most_bytes in (2**40, 4_000, 1_000):
        places = staging.places(most_bytes=most_bytes)
        taken = [staging.take(place) for place in places]
        order = ["order_id", "line"]
        assert_frames_equal(
            pd.concat(taken).sort_values(order).reset_index(drop=True),
            whole.sort_values(order).reset_index(drop=True),
        )
        for place, frame in zip(places, taken, strict=True):
            assert set(frame["customer_key"] & 3) <= set(place.buckets)
            for _, mine in frame.groupby("customer_key"):
                rows = whole[whole["customer_key"] == mine["customer_key"].iloc[0]]
                assert mine["order_id"].tolist() == rows["order_id"].tolist()


def test_small_buckets_share_a_place_and_large_ones_have_pieces(tmp_path: Path) -> None:
    staging = staged(tmp_path, order_rows(400))
    (all_of_it,) = staging.places(most_bytes=2**40)
    assert all_of_it == Place((0, 1, 2, 3))
    pieces = staging.places(most_bytes=3_000)
    assert max(place.pieces for place in pieces) > 1
    assert len({place.home for place in pieces}) == len(pieces)
    assert not {place.home for place in pieces} & {lake_home(bucket) for bucket in range(4)}
    assert len({(place.buckets[0], place.number) for place in pieces}) == len(pieces)


def test_places_without_rows_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    one = order_rows(40)
    alone = one[(one["customer_key"] & 3) == 2].reset_index(drop=True)
    staging = staged(tmp_path, alone)
    assert staging.places(most_bytes=2**40) == [Place((2,))]
    assert staging.places(most_bytes=2**40, everywhere=True) == [Place((0, 1, 2, 3))]
    nothing = staged(tmp_path / "none")
    assert nothing.places(most_bytes=1) == []
    assert_frames_equal(nothing.take(Place((1,))), CPU.empty(ORDERS))


@pytest.mark.parametrize("most_bytes", [1, 2**40])
def test_a_table_without_buckets_has_one_place(tmp_path: Path, most_bytes: int) -> None:
    found = contract("fx_rates")
    staging = Staging(tmp_path, found, buckets=8, backend=CPU)
    day = pd.Series(["2026-01-01", "2026-01-02"], dtype="datetime64[us]")
    rates = pd.DataFrame({"currency": "USD", "day": day, "rate": 0.9, "file_no": 1, "line": [1, 2]})
    staging.put("0", CPU.cast(rates, found))
    (place,) = staging.places(most_bytes=most_bytes)
    assert place == Place((0,))
    assert staging.take(place)["line"].tolist() == [1, 2]
