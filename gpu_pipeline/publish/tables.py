"""The tables of a snapshot: those of contracts, and a few small ones of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_pipeline.contracts import Column, ColumnType, contract

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SERVED_CONTRACTS", "Table", "served_tables", "snapshot_tables"]

_SQL_TYPES = {
    "string": "TEXT",
    "int64": "INTEGER",
    "float64": "REAL",
    "timestamp": "TEXT",  # ISO 8601 with microseconds, UTC
    "bool": "INTEGER",
}
_DTYPES = {
    "string": ("str", "object"),
    "int64": ("int64",),
    "float64": ("float64",),
    "timestamp": ("datetime64[us]",),
    "bool": ("bool",),
}
SERVED_CONTRACTS = (
    *("customer_features", "customer_segments", "segment_profiles", "segment_traits"),
    *("segment_migration", "customer_value", "support_cases"),
    *("demand_forecast", "reorder_plan", "product_quality", "related_products", "funnel_daily"),
    *("product_sentiment_daily", "trend_alerts", "rising_terms"),
)


@dataclass(frozen=True)
class Table:
    """One table of a snapshot."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Its columns, in order."""
        return [column.name for column in self.columns]

    def create(self) -> str:
        """The statement that makes it; rows lie in order of the key."""
        columns = ", ".join(
            f"{c.name} {_SQL_TYPES[c.type]}{' NOT NULL' if c.required else ''}"
            for c in self.columns
        )
        key = ", ".join(self.key)
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID"

    def insert(self) -> str:
        """The statement that adds one row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.names)}) VALUES ({marks})"  # noqa: S608

    def faults(self, frame: "pd.DataFrame") -> list[str]:
        """What keeps the frame out of the table; empty where nothing does."""
        if list(frame.columns) != self.names:
            return [f"the columns are {list(frame.columns)}, needed are {self.names}"]
        return [
            fault for column in self.columns for fault in _column_faults(column, frame[column.name])
        ]


def served_tables() -> dict[str, tuple[str, ...]]:
    """The tables that a snapshot holds, each with its columns in order."""
    return {table.name: tuple(table.names) for table in snapshot_tables()}


def snapshot_tables() -> list[Table]:
    """The tables of every snapshot."""
    found = (contract(name) for name in SERVED_CONTRACTS)
    return [
        *(Table(one.name, one.columns, one.key) for one in found),
        _PRODUCT_NAMES,
        _PRODUCT_SENTIMENT,
        _PRODUCT_TRAFFIC,
        _CONSENTS,
        _TREND_EXAMPLES,
        _MODELS,
    ]


def _column(name: str, kind: ColumnType, description: str) -> Column:
    return Column(name=name, type=kind, description=description, required=True)


_PRODUCT_NAMES = Table(
    "product_names",
    (
        _column("product_id", "string", "Stock keeping unit."),
        _column("name", "string", "What the shop calls it."),
    ),
    ("product_id",),
)
_PRODUCT_SENTIMENT = Table(
    "product_sentiment",
    (
        _column("product_id", "string", "Stock keeping unit."),
        _column("texts", "int64", "Texts about it."),
        _column("negative", "int64", "How many of them are negative."),
        _column("neutral", "int64", "How many are neutral."),
        _column("positive", "int64", "How many are positive."),
    ),
    ("product_id",),
)
_PRODUCT_TRAFFIC = Table(
    "product_traffic",
    (
        _column("product_id", "string", "Stock keeping unit."),
        _column("views", "int64", "How often people looked at it in the last 28 days."),
        _column("carts", "int64", "How often they put it into a cart."),
        _column("purchases", "int64", "How often they bought it."),
    ),
    ("product_id",),
)
_CONSENTS = Table(
    "consents",
    (
        _column("customer_key", "int64", "Keyed pseudonym of the person."),
        _column("marketing", "bool", "What the customer last said to marketing."),
    ),
    ("customer_key",),
)
# The one copy of texts: with their authors' keys, so that an erasure finds them here too.
_TREND_EXAMPLES = Table(
    "trend_examples",
    (
        _column("product_id", "string", "Stock keeping unit of the alert."),
        _column("detected_at", "timestamp", "Its day."),
        _column("rank", "int64", "1 for the text that shows it best."),
        _column("source", "string", "Table that the text stands in."),
        _column("text_id", "string", "Its key there."),
        _column("customer_key", "int64", "Keyed pseudonym of the author."),
        _column("text", "string", "What was written, redacted as in the lake."),
    ),
    ("product_id", "detected_at", "rank"),
)
_MODELS = Table(
    "models",
    (
        _column("kind", "string", "What it is for: segments, customer_value."),
        _column("model_id", "string", "The run that fitted it."),
        _column("card", "string", "What it was made from, as JSON."),
        _column("document", "string", "All that it learnt, as JSON."),
    ),
    ("kind",),
)


def _column_faults(column: Column, values: "pd.Series[Any]") -> list[str]:
    found, allowed = str(values.dtype), _DTYPES[column.type]
    if found not in allowed:
        return [f"{column.name} is {found}, needed is {allowed[0]}"]
    missing = int(values.isna().sum())
    if missing and column.required:
        return [f"{column.name} lacks {missing} of {len(values)} values"]
    if column.type == "float64" and np.isinf(values.to_numpy()).any():
        return [f"{column.name} has infinite values"]
    return []
