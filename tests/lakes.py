"""Lakes to fill, compare and copy: what their tables and their snapshot say, what lies in them."""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from frames import assert_frames_equal

from gpu_pipeline.contracts import contract
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.store import Lake

DERIVED = (
    "customer_features",
    "customer_segments",
    "customer_value",
    "demand_daily",
    "demand_forecast",
    "funnel_daily",
    "open_sessions",
    "segment_migration",
    "segment_profiles",
    "segment_traits",
    "sessions",
    "product_quality",
    "product_sentiment_daily",
    "reorder_plan",
    "related_products",
    "rising_terms",
    "support_cases",
    "support_daily",
    "text_aspects",
    "text_sentiment",
    "trend_alerts",
)

_BLANK = {
    "int64": 0,
    "float64": 0.0,
    "string": "x",
    "timestamp": datetime.fromisoformat("2026-06-01"),
    "bool": False,
}


def put(lake: Lake, table: str, *found: Mapping[str, Any]) -> None:
    """Commits rows of a table, columns that are not given filled with something."""
    filling = {c.name: _BLANK[c.type] for c in contract(table).columns}
    frame = pd.DataFrame([{**filling, **row} for row in found])
    with lake.writer() as writer:
        parts = writer.write(lake.backend.cast(frame, contract(table)), contract(table))
        writer.commit(contract(table), parts)


def copied(lake: Lake, folder: Path) -> Lake:
    """The lake once more, in another folder."""
    shutil.copytree(lake.path, folder, symlinks=True)
    return Lake(folder, backend=lake.backend, key=lake.key)


def rows(lake: Lake, table: str) -> pd.DataFrame:
    """The latest version of a table, in order of its key."""
    frame = lake.backend.to_pandas(lake.read(table).compute())
    return frame.sort_values(list(contract(table).key), ignore_index=True)


def versions(lake: Lake) -> dict[str, int | None]:
    """The versions of the tables that steps make."""
    return {table: lake.version(table) for table in DERIVED}


def answers(lake: Lake) -> dict[str, pd.DataFrame]:
    """The rows of every table that steps have made."""
    return {table: rows(lake, table) for table in DERIVED if lake.version(table) is not None}


def assert_same_answers(left: Lake, right: Lake, *, but: tuple[str, ...] = ()) -> None:
    """Holds two lakes to the same derived tables, and the same rows served."""
    found, wanted = answers(left), answers(right)
    assert found.keys() == wanted.keys()
    for table in found.keys() - set(but):
        assert_frames_equal(found[table], wanted[table])
    assert served(left) == served(right)


def served(lake: Lake) -> dict[str, object]:
    """Everything that a reader of the snapshot can be told."""
    snapshot = Snapshot.open(lake.path / "serving")
    products = snapshot.products(limit=1000)
    keys = rows(lake, "customer_features")["customer_key"].tolist()
    try:
        return {
            "as_of": snapshot.facts["as_of"],
            "model": snapshot.facts["model_version"],
            "segments": snapshot.segments(),
            "products": products,
            "forecasts": [snapshot.forecast(product["product_id"]) for product in products],
            "reorder": [snapshot.reorder(product["product_id"]) for product in products],
            "customers": [snapshot.customer(key) for key in keys],
            "segments_of": snapshot.segments_of(keys),
            "values": {key: _told(row) for key, row in snapshot.values_of(keys).items()},
        }
    finally:
        snapshot.close()


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its numbers as a reader takes them: the last bit is rounding's."""
    return {
        name: float(f"{value:.9g}") if isinstance(value, float) else value
        for name, value in row.items()
    }


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder below, each with the digest of what it holds."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        )
        for path in sorted(folder.rglob("*"))
    }
