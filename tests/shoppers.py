"""Customers as contract `customer_features` has them, for tests of how they are grouped."""

from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract

AS_OF = pd.Timestamp("2026-06-30T18:00")


def shoppers(**columns: Any) -> pd.DataFrame:
    """As many as the longest column is; each has bought once, ten days ago, unless it is said."""
    rows = max((len(values) for values in columns.values() if np.ndim(values)), default=1)
    days = columns.get("days_since_last_order", [10.0] * rows)
    orders = np.asarray(columns.get("orders", [1] * rows))
    revenue = np.asarray(columns.get("revenue", [1000] * rows))
    usual = {
        "customer_key": np.arange(rows) * 7919 - 10**6,
        "as_of": AS_OF,
        "days_since_last_order": days,
        "tenure_days": days,
        "orders": orders,
        "revenue": revenue,
        "average_order": revenue / orders,
        "return_rate": 0.0,
        "discount_share": np.nan,
        "currency": "EUR",
    }
    frame = pd.DataFrame({**usual, **columns}, index=range(rows))
    return Backend.choose("cpu").cast(frame, contract("customer_features"), list(frame.columns))


def in_segments(frame: pd.DataFrame, segments: Any) -> pd.DataFrame:
    """customer_key and segment, in the order of the frame."""
    return frame[["customer_key"]].assign(segment=np.asarray(segments, dtype="int64"))
