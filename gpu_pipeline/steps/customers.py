"""The steps that describe customers: what they look like at a moment, and their segments."""

from gpu_pipeline.backend import Frame
from gpu_pipeline.features import customer_features
from gpu_pipeline.orders import LINE_COLUMNS, one_currency
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.segmentation import SegmentModel, segment_profiles
from gpu_pipeline.steps.rates import exchange_rates

__all__ = ["FEATURES", "SEGMENTS"]


def _features(work: Work) -> None:
    rates = exchange_rates(work)
    table = work.read("orders", LINE_COLUMNS).map_partitions(
        customer_features,
        work.as_of,
        work.lake.backend,
        rates=rates,
        meta=work.empty("customer_features"),
    )
    work.replace("customer_features", table)


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
    uses=("fx_rates",),
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
