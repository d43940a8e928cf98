import json
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow.parquet as pq
import pytest
from frames import assert_frames_equal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.store import Part, write_parts

CPU = Backend.choose("cpu")


def written(frame: pd.DataFrame, folder: Path, *, buckets: int = 4) -> list[Part]:
    return write_parts(frame, ORDERS, folder=folder, name="part", buckets=buckets, backend=CPU)


def read(parts: list[Part], folder: Path) -> list[pd.DataFrame]:
    return [pq.ParquetFile(folder / part.path).read().to_pandas() for part in parts]


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.integers(0, 40), seed=st.integers(0, 9), buckets=st.sampled_from([1, 2, 8]))
def test_a_part_is_one_bucket_and_month_in_order_and_all_parts_are_the_rows(
    tmp_path: Path, rows: int, seed: int, buckets: int
) -> None:
    frame, folder = order_rows(rows, seed=seed), tmp_path / uuid4().hex
    parts = written(frame, folder, buckets=buckets)
    pieces = read(parts, folder)
    for part, piece in zip(parts, pieces, strict=True):
        assert set(piece["customer_key"] & (buckets - 1)) == {part.bucket}
        assert set(piece["ordered_at"].dt.strftime("%Y-%m")) == {part.month}
        ordered = piece.sort_values(["customer_key", "ordered_at", "order_id", "line_no"])
        assert_frames_equal(piece, ordered.reset_index(drop=True))
        assert part.rows == len(piece)
        assert part.size_bytes == (folder / part.path).stat().st_size
        assert pd.Timestamp(part.first) == piece["ordered_at"].min()
        assert pd.Timestamp(part.last) == piece["ordered_at"].max()
    assert len({(part.bucket, part.month) for part in parts}) == len(parts)
    whole = pd.concat(pieces) if pieces else CPU.empty(ORDERS)
    assert_frames_equal(in_order(whole), in_order(frame))


def test_a_part_is_compressed_and_has_the_contracts_types_alone(tmp_path: Path) -> None:
    (part, *_) = written(order_rows(30).assign(surplus=1), tmp_path)
    file = pq.ParquetFile(tmp_path / part.path)
    assert file.schema_arrow.names == list(ORDERS.names)
    assert str(file.schema_arrow.field("ordered_at").type) == "timestamp[us]"
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_only_columns_that_repeat_are_written_as_dictionaries(tmp_path: Path) -> None:
    (part, *_) = written(order_rows(40), tmp_path, buckets=1)
    group = pq.ParquetFile(tmp_path / part.path).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    plain = {c.path_in_schema for c in columns if "RLE_DICTIONARY" not in c.encodings}
    assert plain == {"order_id", "ordered_at", "line"}


def test_the_same_rows_in_another_order_make_the_same_files(tmp_path: Path) -> None:
    frame = order_rows(60)
    shuffled = frame.sample(frac=1.0, random_state=1)
    one, other = (written(rows, tmp_path / name) for rows, name in ((frame, "a"), (shuffled, "b")))
    assert one == other
    for part in one:
        assert (tmp_path / "a" / part.path).read_bytes() == (
            tmp_path / "b" / part.path
        ).read_bytes()


def test_a_table_without_buckets_is_one_file(tmp_path: Path) -> None:
    rates = pd.DataFrame(
        {
            "currency": ["USD", "EUR"],
            "day": pd.Series(["2026-01-02", "2025-06-01"], dtype="datetime64[us]"),
            "rate": [0.9, 1.0],
            "file_no": 1,
            "line": [1, 2],
        }
    )
    (part,) = write_parts(
        rates, contract("fx_rates"), folder=tmp_path, name="part", buckets=4, backend=CPU
    )
    assert part.partition_values == {}
    assert part.path == "part.parquet"
    assert (part.first, part.last) == ("2025-06-01T00:00:00", "2026-01-02T00:00:00")


def test_the_log_is_told_the_row_count_and_the_range_of_the_time_alone() -> None:
    part = Part(path="p", size_bytes=1, rows=2, first="2026-01-01T00:00:00", last="2026-02-01")
    assert json.loads(part.stats("ordered_at")) == {
        "numRecords": 2,
        "minValues": {"ordered_at": "2026-01-01T00:00:00"},
        "maxValues": {"ordered_at": "2026-02-01"},
    }
    assert json.loads(part.stats(None)) == {"numRecords": 2}


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_months_of_any_year_are_named_so_that_they_sort(tmp_path: Path, year: int) -> None:
    moment = pd.Timestamp(f"{year:04d}-12-31T23:59:59.999999")
    (part,) = written(order_rows(1).assign(ordered_at=moment), tmp_path)
    assert part.month == f"{year:04d}-12"
    assert part.path.startswith(f"bucket={part.bucket}/month={year:04d}-12/")


def test_a_part_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (part,) = written(order_rows(3, months=1), tmp_path, buckets=1)
    was = (tmp_path / part.path).read_bytes()
    with pytest.raises(LakeError, match="is there already"):
        written(order_rows(4, months=1), tmp_path, buckets=1)
    assert (tmp_path / part.path).read_bytes() == was
