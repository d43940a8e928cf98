"""Order lines as ingest would hand them to the store."""

from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.contracts import contract

ORDERS = contract("orders")
MOMENT = pd.Timestamp("2026-01-15T12:00:00")


def order_rows(count: int, *, seed: int = 0, months: int = 3) -> pd.DataFrame:
    """That many lines of few customers, over the months of 2026, in no order."""
    rng = np.random.default_rng(seed)
    customers = rng.integers(-(2**63), 2**63 - 1, size=max(count // 4, 1))
    minutes = rng.integers(0, months * 30 * 24 * 60, size=count)
    made: dict[str, Any] = {
        "order_id": [f"{seed}-{i}" for i in range(count)],
        "line_no": 1,
        "customer_key": rng.choice(customers, size=count),
        "key_kind": "customer",
        "ordered_at": np.datetime64("2026-01-01", "us") + minutes.astype("timedelta64[m]"),
        "product_id": rng.choice(["A", "B", "Ü-1"], size=count),
        "product_name": None,
        "quantity": rng.integers(-2, 9, size=count),
        "unit_price": rng.integers(0, 2**40, size=count),
        "currency": "EUR",
        "line_type": "sale",
        "file_no": 7,
        "line": range(1, count + 1),
    }
    frame = pd.DataFrame(made, index=range(count))
    for name in ORDERS.names:
        if name not in frame:
            frame[name] = None if ORDERS[name].type in ("string", "timestamp") else 0
    types = {"string": "str", "timestamp": "datetime64[us]"}
    return frame[list(ORDERS.names)].astype(
        {column.name: types.get(column.type, column.type) for column in ORDERS.columns}
    )


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["order_id", "line_no"]).reset_index(drop=True)
