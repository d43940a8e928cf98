"""Groups of customers, found by either method."""

from collections.abc import Sequence
from typing import Literal, get_args

from threadpoolctl import threadpool_limits

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.segmentation.choosing import Groups
from gpu_pipeline.segmentation.density import dense_groups
from gpu_pipeline.segmentation.kmeans import round_groups
from gpu_pipeline.segmentation.preparation import Floats

__all__ = ["Method", "check_parameters", "groups_of"]

Method = Literal["kmeans", "hdbscan"]


def groups_of(
    points: Floats,
    *,
    method: Method,
    n_segments: int,
    carried: Floats | None,
    seed: int,
    backend: Backend,
) -> Groups:
    """The groups of points (customers, features), which lie in any fair order.

    `n_segments` and the `carried` centres of last time are for k-means. Runs on one core: more
    add the same numbers in another order, and other labels can follow.

    Raises:
        PipelineError: there are too few different points, or no dense groups.
    """
    with threadpool_limits(1):
        if method == "hdbscan":
            return dense_groups(points, seed=seed, backend=backend)
        return round_groups(
            points, n_segments=n_segments, carried=carried, seed=seed, backend=backend
        )


def check_parameters(method: str, n_segments: int, features: Sequence[str]) -> None:
    """Raises a PipelineError for the first that makes no sense."""
    known = get_args(Method)
    if method not in known:
        message = f"method is {method!r}: it is one of {', '.join(known)}."
        raise PipelineError(message)
    if isinstance(features, str):
        message = f"features is {features!r}: give a tuple of names, ({features!r},)."
        raise PipelineError(message)
    if n_segments < 0 or not len(features):
        message = (
            f"n_segments is {n_segments} and features are {len(features)}: take 0 segments (to "
            "choose) or more, and one feature or more."
        )
        raise PipelineError(message)
    if method == "hdbscan" and n_segments:
        message = (
            f"n_segments is {n_segments}, but hdbscan finds as many as there are: leave it 0, or "
            "use method kmeans."
        )
        raise PipelineError(message)
