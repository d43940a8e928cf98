"""What each segment is like, in the units of the features."""

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.segmentation.naming import segment_names

__all__ = ["segment_profiles"]


def segment_profiles(features: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """The columns of contract `segment_profiles`, one row a segment, in its order.

    `features` as in contract `customer_features`; `segments` has customer_key and segment.
    """
    joined = features.merge(segments[["customer_key", "segment"]], on="customer_key")
    groups = joined.groupby("segment")
    table = groups.agg(
        as_of=("as_of", "first"),
        customers=("customer_key", "size"),
        days_since_last_order=("days_since_last_order", "median"),
        tenure_days=("tenure_days", "median"),
        orders=("orders", "mean"),
        average_order=("average_order", "mean"),
        revenue=("revenue", "mean"),
        return_rate=("return_rate", "mean"),
        currency=("currency", "first"),
    ).reset_index()
    table["customer_share"] = table["customers"] / len(joined)
    total = joined["revenue"].sum()
    # Where returns ate up all sales there is nothing to share.
    table["revenue_share"] = groups["revenue"].sum().to_numpy() / total if total else 0.0
    table["name"] = segment_names(table, joined)
    return table[list(contract("segment_profiles").names)]
