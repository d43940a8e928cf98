"""Lakes of clicks, written as loads would write them, and their sessions made day by day."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps.sessions import SESSIONS
from gpu_pipeline.store import Lake

CPU = Backend.choose("cpu")
KEY = "5e551045" * 8
START = np.datetime64("2026-03-30T22:00", "us")
CLICKS = contract("clickstream")


def clicks(
    who: Sequence[int],
    minutes: Sequence[float],
    *,
    first: int = 0,
    kind: str | Sequence[str] = "view",
    **columns: Any,
) -> pd.DataFrame:
    """Rows of clickstream; event_id counts from `first`."""
    rows = len(who)
    frame = pd.DataFrame(
        {
            "event_id": [f"e{first + i:06d}" for i in range(rows)],
            "customer_key": np.asarray(who, "int64"),
            "key_kind": "visitor",
            "occurred_at": START + (np.asarray(minutes, "float64") * 60e6).astype("m8[us]"),
            "event_type": kind,
            "product_id": [f"p{i % 3}" for i in range(rows)],
            "channel": None,
            "device": "mobile",
            "price": 0,
            "currency": None,
            "file_no": 1,
            "line": np.arange(rows),
        }
    )
    return CPU.cast(frame.assign(**columns), CLICKS)


def click_lake(path: Path, *loads: pd.DataFrame, buckets: int = 2, currency: str = "") -> Lake:
    """A lake with a version of clickstream for each load."""
    lake = Lake.create(path, buckets=buckets, backend=CPU, key=KEY, currency=currency or None)
    for load in loads:
        add(lake, load)
    return lake


def add(lake: Lake, rows: pd.DataFrame, *, table: str = "clickstream", **how: Any) -> None:
    """One more version of the table, with these rows."""
    found = contract(table)
    with lake.writer() as writer:
        writer.commit(found, writer.write(rows, found), **how)


def made(lake: Lake, **how: Any) -> dict[str, Any]:
    """Brings the sessions up to date; what the step says of them."""
    (report,) = run(lake, [SESSIONS], Config.load(), **how).steps
    return dict(report.facts) | {"status": report.status}


def tables(lake: Lake) -> dict[str, pd.DataFrame]:
    """The rows of sessions and open_sessions, in order of their keys."""
    found = {}
    for table in ("sessions", "open_sessions"):
        frame = lake.read(table).compute(scheduler="sync")
        found[table] = frame.sort_values(list(contract(table).key), ignore_index=True)
    return found
