"""Customer features by plain SQL, in the contract's types."""

from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import (
    FEATURE_COLUMNS,
    MESSAGE_COLUMNS,
    PRODUCT_COLUMNS,
    SESSION_COLUMNS,
    TEXT_COLUMNS,
)

ORACLE = (Path(__file__).parent / "oracle" / "customer_features.sql").read_text()
SOURCES = {
    "products": ("products", PRODUCT_COLUMNS),
    "sessions": ("sessions", SESSION_COLUMNS),
    "texts": ("text_sentiment", TEXT_COLUMNS),
    "messages": ("support", MESSAGE_COLUMNS),
}
CPU = Backend.choose("cpu")


def features_by_sql(lines: pd.DataFrame, as_of: datetime, **others: pd.DataFrame) -> pd.DataFrame:
    """Every column of contract customer_features; `others` are SOURCES that are there."""
    asked = {"as_of": as_of, **{f"has_{name}": name in others for name in SOURCES}}
    with duckdb.connect() as connection:
        connection.register("lines", lines)
        for name, (table, columns) in SOURCES.items():
            connection.register(name, others.get(name, CPU.empty(contract(table), columns)))
        found = connection.execute(ORACLE, asked).df()
    return CPU.cast(found, contract("customer_features"))


def unscored(features: pd.DataFrame) -> pd.DataFrame:
    """The same without the scores, which compare customers with each other."""
    return features[list(FEATURE_COLUMNS)]
