"""What sets a segment apart: the features in which its customers differ most from all others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.preparation import Floats
from gpu_pipeline.segmentation.wording import amount_text, trait_text, wording

__all__ = ["SHOWN_TRAITS", "all_traits", "segment_traits"]

SHOWN_TRAITS = 3
_MOST = 0.5  # of a segment's customers: when so many lack a feature, that is the trait
_NEAR = 0.1  # of the usual value: what is as near to it doesn't set anybody apart


def segment_traits(
    features: pd.DataFrame, segments: pd.DataFrame, points: Floats, names: Sequence[str]
) -> pd.DataFrame:
    """The columns of contract `segment_traits`: the strongest traits of each segment, in order.

    As `all_traits`, of which these are the first of each segment.
    """
    traits = all_traits(features, segments, points, names)
    shown = traits[traits["rank"] <= SHOWN_TRAITS].reset_index(drop=True)
    return shown[list(contract("segment_traits").names)]


def all_traits(
    features: pd.DataFrame, segments: pd.DataFrame, points: Floats, names: Sequence[str]
) -> pd.DataFrame:
    """One row for each segment and feature, the strongest first; columns as in `segment_traits`.

    `features` has customer_key and the features called `names`, in their own units, and currency
    where there is money among them. `points` (customers, features) are the same customers in the
    same order, prepared, in standard deviations. `segments` has customer_key and segment. An
    effect is the mean of the segment's points less that of all; value and usual are medians of
    those who have a value.

    Raises:
        PipelineError: a feature is missing, or the points are those of other rows.
    """
    labels = _labels(features, segments, points, names)
    values = features[list(names)].reset_index(drop=True)
    groups = values.groupby(labels)
    told = pd.DataFrame(
        {
            "value": groups.median().stack(),
            "usual": np.tile(values.median(), groups.ngroups),
            "effect": _effects(points, labels, names).stack(),
            "lacking": values.isna().groupby(labels).mean().stack(),
            "usually_lacking": np.tile(values.isna().mean(), groups.ngroups),
        }
    )
    told = told.rename_axis(index=["segment", "feature"]).reset_index()
    size = told["effect"].abs()
    order = np.lexsort((np.arange(len(told)), -size, told["segment"]))
    ranked = told.iloc[order].reset_index(drop=True)
    ranked["rank"] = ranked.groupby("segment").cumcount() + 1
    currency = str(features["currency"].iloc[0]) if "currency" in features.columns else None
    words = [_words(row, currency) for row in ranked.to_dict("records")]
    ranked["label"] = [label for label, _ in words]
    ranked["text"] = [text for _, text in words]
    return ranked[list(contract("segment_traits").names)]


def _effects(points: Floats, labels: "pd.Series[int]", names: Sequence[str]) -> pd.DataFrame:
    """Segments by features: the mean of the segment's points less that of all."""
    table = pd.DataFrame(points, columns=list(names))
    return table.groupby(labels).mean() - table.mean()


def _words(trait: Mapping[Any, Any], currency: str | None) -> tuple[str, str]:
    """The value with its unit, and against the usual one; or who lacks it, where that is it."""
    feature, value = trait["feature"], trait["value"]
    none = wording(feature).none or "unknown"
    if trait["lacking"] > _MOST:
        return "mostly none", f"mostly {none}"
    if _lies_in_who_lacks_it(trait):
        share = f"{trait['lacking']:.0%} {none}"
        return share, f"{share}, the usual is {trait['usually_lacking']:.0%}"
    return (
        amount_text(feature, value, currency=currency),
        trait_text(feature, value, trait["usual"], currency=currency),
    )


def _lies_in_who_lacks_it(trait: Mapping[Any, Any]) -> bool:
    """Whether the values of those who have one can't be why the segment differs."""
    if round(trait["lacking"], 2) == round(trait["usually_lacking"], 2):
        return False
    distance = (trait["value"] - trait["usual"]) * np.sign(trait["effect"])
    return bool(distance <= _NEAR * abs(trait["usual"]))


def _labels(
    features: pd.DataFrame, segments: pd.DataFrame, points: Floats, names: Sequence[str]
) -> "pd.Series[int]":
    """The segment of each row of the features, numbered from 0."""
    missing = [name for name in names if name not in features.columns]
    if missing:
        message = (
            f"Traits of {', '.join(missing)} can't be told: features have "
            f"{', '.join(features.columns)}. Give those that the model was fitted on."
        )
        raise PipelineError(message)
    if points.shape != (len(features), len(names)):
        message = (
            f"Points have the shape {points.shape}: it must be one row for each of the "
            f"{len(features)} customers and one column for each of the {len(names)} features."
        )
        raise PipelineError(message)
    both = features[["customer_key"]].merge(
        segments[["customer_key", "segment"]], on="customer_key", how="left"
    )
    lacking = int(both["segment"].isna().sum())
    if lacking:
        message = f"{lacking} of {len(features)} customers with features have no segment."
        raise PipelineError(message)
    return both["segment"].astype("int64")
