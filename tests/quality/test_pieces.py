"""A large table is looked through bucket by bucket, a small one at once; both see the same."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quality_tables import put

from gpu_pipeline.contracts import contract
from gpu_pipeline.quality import pieces as cutting
from gpu_pipeline.quality.pieces import by_then, pieces
from gpu_pipeline.quality.promises import latest_event
from gpu_pipeline.quality.tables import table_measurements
from gpu_pipeline.store import Lake

NOW = datetime(2026, 2, 1)  # noqa: DTZ001
CLICKS = contract("clickstream")


def shop(lake: Lake) -> None:
    """Orders and clicks in all buckets, some of them of nobody and of nothing known."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2025-12-20", "2026-01-31", freq="D").astype(str)
    put(lake, "customers", [{"customer_key": key} for key in range(0, 40, 2)])
    put(lake, "products", [{"product_id": name} for name in ("lamp", "rug")])
    for day in days[::6]:
        rows: list[dict[str, Any]] = [
            {"customer_key": int(key), "product_id": ("lamp", "sofa")[key % 2], "currency": "EUR"}
            for key in rng.integers(0, 40, size=20)
        ]
        ids = [f"{day}{number}" for number in range(len(rows))]
        orders = [
            {**row, "order_id": name, "ordered_at": day, "line_type": "sale"}
            for row, name in zip(rows, ids, strict=True)
        ]
        put(lake, "orders", orders)
        put(lake, "clickstream", [{**row, "occurred_at": day} for row in rows])


def test_in_buckets_and_at_once_the_same_is_measured(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(lake)
    at_once = table_measurements(lake, as_of=NOW, run_id="r")
    assert pieces(lake, CLICKS) == [None]
    monkeypatch.setattr(cutting, "_ROWS_AT_ONCE", 1)
    assert pieces(lake, CLICKS) == list(range(lake.buckets))
    assert pieces(lake, contract("products")) == [None]
    assert table_measurements(lake, as_of=NOW, run_id="r") == at_once
    assert sum(one.failed > 0 for one in at_once) == 3


def test_where_the_log_knows_of_nothing_later_no_times_are_read(lake: Lake) -> None:
    put(lake, "clickstream", [{"occurred_at": "2026-01-31"}])
    assert by_then(lake, CLICKS, NOW) == []
    earlier = datetime(2026, 1, 30)  # noqa: DTZ001
    assert by_then(lake, CLICKS, earlier) == [("occurred_at", "<=", earlier)]


def test_a_run_opens_each_file_once_for_all_that_its_table_names(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(lake)
    read: list[str] = []
    real = pd.read_parquet

    def watched(paths: list[str], **given: Any) -> pd.DataFrame:
        read.extend(path for path in paths if "/orders/" in path)
        return real(paths, **given)

    monkeypatch.setattr(pd, "read_parquet", watched)
    # Orders name customers, products and currencies; their days are counted from the last weeks.
    table_measurements(lake, as_of=NOW, run_id="r")
    there = lake.files("orders")
    recent = there.lasts >= np.datetime64("2025-12-28")
    assert len(read) == len(there) + int(recent.sum())


def test_the_latest_event_by_then_is_looked_for_in_the_files_that_can_have_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(lake)
    put(lake, "clickstream", [{"occurred_at": "2026-01-05"}, {"occurred_at": "2026-03-01"}])
    opened: list[str] = []
    real = pd.read_parquet

    def watched(paths: list[str], **given: Any) -> pd.DataFrame:
        opened.extend(paths)
        return real(paths, **given)

    monkeypatch.setattr(pd, "read_parquet", watched)
    assert latest_event(lake, CLICKS, as_of=NOW) == datetime(2026, 1, 31)  # noqa: DTZ001
    assert 0 < len(opened) < len(lake.files("clickstream")) / 3
