"""The step that describes customers: what they look like at a moment."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.features import (
    MESSAGE_COLUMNS,
    PRODUCT_COLUMNS,
    SCORES,
    SESSION_COLUMNS,
    TEXT_COLUMNS,
    ScoreCuts,
    ValueCounts,
    customer_features,
    customer_measures,
)
from gpu_pipeline.orders import LINE_COLUMNS
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.steps.rates import exchange_rates
from gpu_pipeline.store import Part

__all__ = ["FEATURES"]

# What every bucket is made with: rates, and the catalogue.
Shared: TypeAlias = tuple[ExchangeRates | None, Frame | None]


def _features(work: Work) -> None:
    """Every bucket by itself, twice: scores compare with all customers, in three measures."""
    shared = delayed((exchange_rates(work), _catalogue(work)))
    buckets = range(work.lake.buckets)
    counts = compute(*(delayed(_measures_counted)(work, bucket, shared) for bucket in buckets))
    cuts = delayed(ScoreCuts.of(counts))
    made = compute(*(delayed(_features_written)(work, i, shared, cuts) for i in buckets))
    work.commit("customer_features", [part for parts in made for part in parts], overwrite=True)


def _measures_counted(work: Work, bucket: int, shared: Shared) -> ValueCounts:
    lines = _rows(work, "orders", bucket, LINE_COLUMNS)
    return ValueCounts.of(customer_measures(lines, work.as_of, work.lake.backend, rates=shared[0]))


def _features_written(work: Work, bucket: int, shared: Shared, cuts: ScoreCuts) -> list[Part]:
    rates, products = shared
    features = customer_features(
        _rows(work, "orders", bucket, LINE_COLUMNS),
        work.as_of,
        work.lake.backend,
        rates=rates,
        products=products,
        sessions=_rows_if_any(work, "sessions", bucket, SESSION_COLUMNS),
        texts=_rows_if_any(work, "text_sentiment", bucket, TEXT_COLUMNS),
        messages=_rows_if_any(work, "support", bucket, MESSAGE_COLUMNS),
    )
    scores = cuts.scores(features)
    scored = features.assign(**{name: scores[name] for name in SCORES})
    table = contract("customer_features")
    return work.writer.write(work.lake.backend.cast(scored, table), table, number=bucket)


def _catalogue(work: Work) -> Frame | None:
    """The products as they were, for every bucket; None without any."""
    if not work.has("products"):
        return None
    products: Frame = work.read("products", PRODUCT_COLUMNS).compute()
    return products


def _rows_if_any(work: Work, table: str, bucket: int, columns: Sequence[str]) -> Frame | None:
    return _rows(work, table, bucket, columns) if work.has(table) else None


def _rows(work: Work, table: str, bucket: int, columns: Sequence[str]) -> Frame:
    """What the bucket had by the moment."""
    by_then = (contract(table).event_time or "", "<=", np.datetime64(work.as_of, "us"))
    return work.lake.read_bucket(table, bucket, [by_then], columns=columns)


FEATURES = Step(
    name="features",
    reads=("orders",),
    uses=("fx_rates", "products", "sessions", "text_sentiment", "support"),
    writes=("customer_features",),
    run=_features,
)
