"""Tables put into a lake as ingest would leave them: a few columns said, the rest filled in."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gpu_pipeline.contracts import Column, contract
from gpu_pipeline.store import Lake

_DTYPES = {"string": "str", "timestamp": "datetime64[us]"}
_FILLED: dict[str, object] = {
    "string": "x",
    "int64": 0,
    "float64": 1.0,
    "bool": True,
    "timestamp": "2026-01-01",
}


def frame_of(table: str, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows with all columns of the table, in its types; what must be there and isn't is made.

    Keys that are not said differ from row to row.
    """
    found = contract(table)
    made = {column.name: _values(column, rows) for column in found.columns}
    types = {c.name: _DTYPES.get(c.type, c.type) for c in found.columns}
    return pd.DataFrame(made, index=range(len(rows))).astype(types)


def put(lake: Lake, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Adds the rows to the table in one commit."""
    with lake.writer() as writer:
        parts = writer.write(lake.backend.from_pandas(frame_of(table, rows)), contract(table))
        writer.commit(contract(table), parts)


def _values(column: Column, rows: Sequence[dict[str, Any]]) -> list[Any]:
    name = column.name
    if any(name in row for row in rows):
        return [row.get(name) for row in rows]
    if name == "key_kind":
        return ["customer"] * len(rows)
    if column.type == "string" and column.key_position is not None:
        return [f"{name}{i}" for i in range(len(rows))]
    if column.default is not None:
        return [column.default] * len(rows)
    return [_FILLED[column.type] if column.required else None] * len(rows)
