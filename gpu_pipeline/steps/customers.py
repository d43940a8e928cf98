"""The steps that describe customers: what they look like at a moment, and their segments."""

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
from gpu_pipeline.orders import LINE_COLUMNS, one_currency
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.segmentation import SegmentModel, segment_profiles
from gpu_pipeline.steps.rates import exchange_rates
from gpu_pipeline.store import Part

__all__ = ["FEATURES", "SEGMENTS"]

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


def _segments(work: Work) -> None:
    """Fits on one device, on all customers' few numbers; assigns bucket by bucket."""
    backend = work.lake.backend
    features: Frame = work.read("customer_features").compute().reset_index(drop=True)
    one_currency(features, backend)
    model = SegmentModel(
        n_segments=work.config.segments, seed=work.config.seed, backend=backend
    ).fit(features)
    labelled = model.assign(features)
    host = backend.to_pandas(features)
    profiles = segment_profiles(host, backend.to_pandas(labelled))
    names = dict(zip(profiles["segment"], profiles["name"], strict=True))
    work.facts.update(
        customers=len(host),
        segments=len(profiles),
        inertia=model.inertia_,
        names=list(names.values()),
    )
    model.save(
        work.lake.path / "models" / "segments" / work.run_id,
        card={
            "run": work.run_id,
            "device": backend.reason,
            "as_of": work.as_of.isoformat(),
            "customer_features": work.lake.version("customer_features"),
            "customers": len(host),
        },
    )
    named = labelled.assign(name=labelled["segment"].map(names), as_of=features["as_of"])
    work.replace("customer_segments", named)
    work.replace("segment_profiles", backend.from_pandas(profiles))


FEATURES = Step(
    name="features",
    reads=("orders",),
    uses=("fx_rates", "products", "sessions", "text_sentiment", "support"),
    writes=("customer_features",),
    run=_features,
)
SEGMENTS = Step(
    name="segments",
    reads=("customer_features",),
    writes=("customer_segments", "segment_profiles"),
    run=_segments,
    settings=("segments", "seed"),
)
