"""What a fitted model says of customers: of each one, of each segment, and in pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import pandas as pd

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.naming import trait_names
from gpu_pipeline.segmentation.preparation import Floats
from gpu_pipeline.segmentation.profiles import REQUIRED_COLUMNS, segment_profiles
from gpu_pipeline.segmentation.reasons import assignment_reasons, known_features
from gpu_pipeline.segmentation.traits import SHOWN_TRAITS, all_traits

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Picture", "described", "explained", "pictured"]

Picture = Literal["map", "heat map", "choice"]


class Fitted(Protocol):
    """What is asked of a model."""

    features: Sequence[str]
    backend: Backend | None
    centres_: Floats
    segments_: Any
    choice_: Any

    def points(self, features: Frame) -> Array:
        """(customers, features) in standard deviations."""

    def assign(self, features: Frame) -> Frame:
        """customer_key, segment, distance."""


def explained(model: Fitted, features: Frame) -> Frame:
    """customer_key, segment, distance, next_segment, reason_1 to reason_3 of each row.

    In the order of the rows, numbered from 0; see `assignment_reasons`.
    """
    backend = model.backend or Backend.of(features)
    assigned = model.assign(features).reset_index(drop=True)
    reasons = assignment_reasons(
        model.points(features),
        backend.xp.asarray(assigned["segment"].values),
        known=known_features(features, model.features),
        centres=model.centres_,
        segments=model.segments_.tolist(),
        names=model.features,
        backend=backend,
    )
    whole: Frame = backend.frames.concat([assigned, reasons], axis=1)
    return whole


def described(
    model: Fitted, features: Frame, *, previous: pd.DataFrame | None = None
) -> pd.DataFrame:
    """A row for each segment, on the host: what it is called, how large it is, what it is like.

    Columns: segment, name, description, customers, customer_share, the median of each feature of
    the model in its own unit, and trait_1 to trait_3 in words. With the columns that
    `segment_profiles` takes, names go by the rules for shops and revenue_share and growth are
    told; other features are named by their strongest traits. `previous` is what was described
    before: names stay where they still hold.

    Raises:
        PipelineError: a feature has the name of another of these columns.
    """
    host, segments, traits = _measured(model, features)
    told = _told(host, segments, traits, previous).set_index("segment")
    medians = traits.pivot(index="segment", columns="feature", values="value")
    strongest = traits[traits["rank"] <= SHOWN_TRAITS]
    texts = strongest.pivot(index="segment", columns="rank", values="text").add_prefix("trait_")
    own = {"segment", *told.columns, *texts.columns}
    taken = [name for name in model.features if name in own]
    if taken:
        message = (
            f"A description of segments has columns {', '.join(taken)} of its own: rename these "
            "features, or name others."
        )
        raise PipelineError(message)
    return told.join(medians[list(model.features)]).join(texts).reset_index()


def pictured(model: Fitted, kind: Picture, features: Frame | None = None) -> "go.Figure":
    """A plotly picture of a fitted model.

    "map": segments by how lately and how often their customers buy; "heat map": what sets each
    apart; both of these `features`. "choice": how well each number of segments did in the fit.

    Raises:
        PipelineError: there is no such picture, or it needs features.
    """
    from gpu_pipeline import charts

    if kind not in get_args(Picture):
        message = f"There is no picture {kind!r}: there are {', '.join(get_args(Picture))}."
        raise PipelineError(message)
    if kind == "choice":
        return charts.segment_choice(_choice(model), chosen=len(model.segments_))
    if features is None:
        message = f"The {kind} shows customers: give their features too."
        raise PipelineError(message)
    host, segments, traits = _measured(model, features)
    if kind == "map":
        return charts.segment_map(segment_profiles(host, segments))
    return charts.segment_heat_map(traits, _told(host, segments, traits, None))


def _choice(model: Fitted) -> pd.DataFrame:
    return pd.DataFrame(model.choice_, columns=["n_segments", "silhouette", "stability"])


def _measured(model: Fitted, features: Frame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(features, customer_key with segment, all traits) on the host."""
    backend = model.backend or Backend.of(features)
    host = backend.to_pandas(features).reset_index(drop=True)
    segments = backend.to_pandas(model.assign(features))
    points = backend.to_host(model.points(features))
    return host, segments, all_traits(host, segments, points, model.features)


def _told(
    features: pd.DataFrame,
    segments: pd.DataFrame,
    traits: pd.DataFrame,
    previous: pd.DataFrame | None,
) -> pd.DataFrame:
    """segment, name, description, customers, customer_share, and revenue_share and growth."""
    columns = ["segment", "name", "description", "customers", "customer_share"]
    if set(REQUIRED_COLUMNS) <= set(features.columns):
        profiles = segment_profiles(features, segments, previous=previous)
        return profiles[[*columns, "revenue_share", "growth"]]
    then = {} if previous is None else dict(zip(previous["segment"], previous["name"], strict=True))
    counts = segments.groupby("segment").size()
    named = trait_names(traits, previous=then)
    return pd.DataFrame(
        {
            "segment": counts.index,
            "name": [name for name, _ in named],
            "description": [description for _, description in named],
            "customers": counts.to_numpy(),
            "customer_share": counts.to_numpy() / counts.sum(),
        }
    )
