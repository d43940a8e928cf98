"""The customers of a real shop (UCI Online Retail) as they were at a moment."""

from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.features import customer_features

RETAIL = Path(__file__).parents[1] / "data" / "online_retail.parquet"
_FEES = ["POST", "DOT", "C2", "M", "m", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"]


@cache
def retail_customers(as_of: datetime) -> pd.DataFrame:
    """Rows of contract `customer_features`; times are those of the shop's clocks."""
    return customer_features(_lines(), as_of, Backend.choose("cpu"))


@cache
def _lines() -> pd.DataFrame:
    raw = pd.read_parquet(RETAIL)
    raw = raw[raw["CustomerID"].notna() & (raw["UnitPrice"] > 0) & ~raw["StockCode"].isin(_FEES)]
    is_return = raw["InvoiceNo"].str.startswith("C")
    return pd.DataFrame(
        {
            "order_id": raw["InvoiceNo"],
            "customer_key": raw["CustomerID"].astype("float64").astype("int64"),
            "key_kind": "customer",
            "ordered_at": raw["InvoiceDate"].astype("datetime64[us]"),
            "product_id": raw["StockCode"],
            "quantity": raw["Quantity"].astype("int64"),
            "unit_price": (raw["UnitPrice"] * 100).round().astype("int64"),
            "discount": 0,
            "currency": "GBP",
            "line_type": np.where(is_return, "return", "sale"),
        }
    ).reset_index(drop=True)
