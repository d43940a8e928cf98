"""What each segment is like, in the units of the features, and how it has grown."""

from collections.abc import Mapping

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.naming import segment_names

__all__ = ["MEASURES", "PROFILE_COLUMNS", "REQUIRED_COLUMNS", "segment_profiles"]

# What is told of each measure of a segment's customers.
MEASURES = {
    "days_since_last_order": "median",
    "tenure_days": "median",
    "orders": "mean",
    "average_order": "mean",
    "revenue": "mean",
    "return_rate": "mean",
    "discount_share": "mean",
}
# The columns of `customer_features` that profiles are made of.
PROFILE_COLUMNS = ("customer_key", "as_of", "currency", *MEASURES)
_WHERE_KNOWN = ("discount_share",)
REQUIRED_COLUMNS = tuple(name for name in PROFILE_COLUMNS if name not in _WHERE_KNOWN)


def segment_profiles(
    features: pd.DataFrame, segments: pd.DataFrame, *, previous: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The columns of contract `segment_profiles`, one row a segment, in order of its number.

    `features` has `PROFILE_COLUMNS`, at least the `REQUIRED_COLUMNS` of them; `segments` has
    customer_key and segment, -1 for those that are in none. `previous` are the profiles of the run
    before, of which segment, name and customers are read: names are kept where they still hold,
    and growth is measured from there.

    Raises:
        PipelineError: a column is missing, or nobody has both features and a segment.
    """
    joined = _joined(features, segments)
    groups = joined.groupby("segment")
    table = groups.agg(
        as_of=("as_of", "first"), customers=("customer_key", "size"), currency=("currency", "first")
    ).join(groups.agg(MEASURES))
    table["customer_share"] = table["customers"] / len(joined)
    total = joined["revenue"].sum()
    # Where returns ate up all sales there is nothing to share.
    table["revenue_share"] = groups["revenue"].sum() / total if total else 0.0
    table = table.reset_index()
    before, names = _before(table, previous)
    table["customers_before"] = before
    # A segment that nobody was in has not grown by any share.
    table["growth"] = table["customers"] / before.where(before > 0) - 1
    told = segment_names(table, joined.agg(MEASURES).to_dict(), previous=names)
    table["name"] = [name for name, _ in told]
    table["description"] = [description for _, description in told]
    return table[list(contract("segment_profiles").names)]


def _joined(features: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in REQUIRED_COLUMNS if name not in features.columns]
    if missing:
        message = (
            f"Segments can't be profiled without {', '.join(missing)}: features have "
            f"{', '.join(features.columns)}. Give the columns of contract customer_features."
        )
        raise PipelineError(message)
    used = features.reindex(columns=list(PROFILE_COLUMNS))
    joined = used.merge(segments[["customer_key", "segment"]], on="customer_key")
    if not len(joined):
        message = (
            f"None of {len(features)} customers with features is among the {len(segments)} with a "
            "segment: both must have the same customer_key."
        )
        raise PipelineError(message)
    return joined


def _before(
    table: pd.DataFrame, previous: pd.DataFrame | None
) -> tuple["pd.Series[float]", Mapping[int, str]]:
    """How many customers each segment had, null without a run before, and the names of then."""
    if previous is None:
        return pd.Series(float("nan"), index=table.index), {}
    then = previous.set_index("segment")
    counts = then["customers"].reindex(table["segment"]).fillna(0).astype("float64")
    names = {int(n): name for n, name in zip(previous["segment"], previous["name"], strict=True)}
    return counts.set_axis(table.index), names
