"""One more day costs what it brings: history is neither read again nor looked through."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from landing import EVENT, counts, load, write

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.ingest import ingest
from gpu_pipeline.store import Lake

FIRST = datetime(2024, 1, 1)  # noqa: DTZ001
STEP = timedelta(days=10)
LOADS = 22
TABLES = {"clickstream", "clickstream_rejected", "source_files", "quality_results"}
HORIZON_LOADS = contract("clickstream").late_horizon_days // STEP.days


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How many files of rows and of keys are read, by the table they are of."""
    found: Counter[str] = Counter()

    def watch(module: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def watched(paths: Any, *given: Any, **named: Any) -> Any:
            for path in paths if isinstance(paths, list) else [paths]:
                found.update(part for part in Path(path).parts if part in TABLES)
            return real(paths, *given, **named)

        patch.setattr(module, name, watched)

    with monkeypatch.context() as patch:
        watch(pd, "read_parquet")
        watch(np, "load")
        yield found


def day_of(number: int, folder: Path) -> Path:
    """A delivery of ten events, one of them of the delivery before."""
    events = [
        {**EVENT, "event_id": f"e{number}-{i}", "visitor_id": f"v{i}", "customer_id": ""}
        for i in range(9)
    ]
    rows = [{**one, "occurred_at": f"{FIRST + number * STEP:%Y-%m-%dT%H:%M:%SZ}"} for one in events]
    if number:
        before = f"{FIRST + (number - 1) * STEP:%Y-%m-%dT%H:%M:%SZ}"
        rows.append({**rows[0], "event_id": f"e{number - 1}-0", "occurred_at": before})
    return write(folder / f"clickstream-{number}.csv", rows)


def test_a_load_opens_no_more_files_however_long_the_history(
    tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend)
    read = []
    for number in range(LOADS):
        path = day_of(number, tmp_path)
        with opened(monkeypatch) as found:
            report = load(lake, path)
        assert counts(report) == ((9, 0, 1) if number else (9, 0, 0))
        read.append(found)
    # Small files are merged where eight have gathered: every seventh load merges.
    assert read[8:15] == read[15:22]
    assert read[8]["clickstream"] > 0
    # All that can have the key of a row: the months of the horizon, in each bucket.
    files = lake.files("clickstream")
    assert max(one["clickstream"] for one in read) <= 2 * HORIZON_LOADS + 4 < len(files) / 2


def test_what_was_loaded_is_known_after_its_record_was_merged(
    tmp_path: Path, backend: Backend
) -> None:
    lake = Lake.create(tmp_path / "lake", buckets=2, backend=backend)
    landing = tmp_path / "landing"
    landing.mkdir()
    days = [day_of(number, landing) for number in range(9)]
    first = [load(lake, path) for path in days]
    assert len(lake.files("source_files")) < len(days)
    rows = lake.rows("clickstream")
    again = ingest(lake, landing).files
    assert list(again) == [replace(report, loaded_before=True) for report in first]
    assert lake.rows("clickstream") == rows
    assert lake.rows("source_files") == len(days)
