"""What is said of a file's segments and of each customer in them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.segmentation import SegmentModel, explained, segment_profiles
from gpu_pipeline.segmentation.naming import trait_names
from gpu_pipeline.segmentation.profiles import PROFILE_COLUMNS
from gpu_pipeline.segmentation.reasons import REASONS
from gpu_pipeline.segmentation.traits import SHOWN_TRAITS, all_traits

__all__ = ["Described", "described"]


@dataclass(frozen=True)
class Described:
    """Frames in host memory: `customers` has customer_key and what the output says of each.

    `profiles` has a row a segment: its number, name, description, customers and their share,
    revenue_share where there is revenue, the median of each feature, and trait_1 to trait_3.
    """

    customers: pd.DataFrame
    profiles: pd.DataFrame


def described(features: Frame, model: SegmentModel, backend: Backend) -> Described:
    """The segments that a fitted model gives these customers.

    Features that the pipeline makes of orders are named by its rules, others by their traits.
    """
    host, labelled = backend.to_pandas(features), backend.to_pandas(explained(model, features))
    points = backend.to_host(model.points(features))
    traits = all_traits(host, labelled, points, list(model.features))
    has_orders = set(PROFILE_COLUMNS) <= set(host.columns)
    told = _of_orders(host, labelled) if has_orders else _of_traits(traits, labelled)
    profiles = told.merge(_medians(traits), on="segment").merge(_shown(traits), on="segment")
    names = told.set_index("segment")["name"]
    customers = labelled.assign(segment_name=labelled["segment"].map(names))
    shown = ["customer_key", "segment", "distance", "segment_name", *REASONS]
    return Described(customers[shown], profiles)


def _of_orders(features: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    profiles = segment_profiles(features, labelled)
    columns = ["segment", "name", "description", "customers", "customer_share", "revenue_share"]
    has_currency = bool((profiles["currency"] != "").all())
    return profiles[[*columns, "currency"] if has_currency else columns]


def _of_traits(traits: pd.DataFrame, labelled: pd.DataFrame) -> pd.DataFrame:
    counts = labelled.groupby("segment").size()
    told = trait_names(traits)
    made: dict[str, Any] = {
        "segment": counts.index,
        "name": [name for name, _ in told],
        "description": [description for _, description in told],
        "customers": counts.to_numpy(),
        "customer_share": counts.to_numpy() / len(labelled),
    }
    return pd.DataFrame(made)


def _medians(traits: pd.DataFrame) -> pd.DataFrame:
    """The median of each feature, in its unit: a column each, in the order of their names."""
    values = traits.pivot(index="segment", columns="feature", values="value")
    return values.add_prefix("median_").rename_axis(columns=None).reset_index()


def _shown(traits: pd.DataFrame) -> pd.DataFrame:
    """The strongest traits in words."""
    strongest = traits[traits["rank"] <= SHOWN_TRAITS]
    texts = strongest.pivot(index="segment", columns="rank", values="text")
    return texts.add_prefix("trait_").rename_axis(columns=None).reset_index()
