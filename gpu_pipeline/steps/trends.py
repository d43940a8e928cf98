"""The step that says what changed in what people say: moods, alerts, rising terms."""

from datetime import datetime, timedelta

import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.orders import business_day
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.steps.rising import rising_terms
from gpu_pipeline.store import Condition
from gpu_pipeline.time_zones import local_time
from gpu_pipeline.trends import (
    MOOD_COLUMNS,
    WHOLE,
    candidates,
    daily_counts,
    moods_and_alerts,
    summed,
    with_examples,
)

__all__ = ["TRENDS"]

# Support has its own tables: who writes there has trouble, and agents answer there.
_SOURCES = ("reviews", "feedback", "social")
_HISTORY = timedelta(days=400)


def _trends(work: Work) -> None:
    """Every bucket is counted by itself; the counts of all are few."""
    backend, buckets = work.lake.backend, range(work.lake.buckets)
    made = compute(*(delayed(_counts)(work, bucket) for bucket in buckets))
    counts = backend.to_pandas(summed(made, backend))
    categories: Frame = work.empty("products")[["product_id", "category"]]
    if work.has("products"):
        categories = work.read("products", ["product_id", "category"]).compute()
    until = _today(work)
    found = moods_and_alerts(counts, backend.to_pandas(categories), until, backend)
    alerts = found.alerts
    if len(alerts):
        shown = compute(*(delayed(_examples)(work, bucket, alerts) for bucket in buckets))
        alerts = with_examples(alerts, shown)
    terms = rising_terms(work, until)
    work.facts.update(
        alerts=len(alerts), open=int(alerts["closed_at"].isna().sum()), rising_terms=len(terms)
    )
    tables = {"product_sentiment_daily": found.daily, "trend_alerts": alerts, "rising_terms": terms}
    for name, table in tables.items():
        work.replace(name, backend.from_pandas(table))


def _today(work: Work) -> datetime:
    """The business day of the moment of the run."""
    local = local_time(work.as_of, work.lake.time_zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _counts(work: Work, bucket: int) -> Frame:
    texts = _texts(work, bucket)
    return daily_counts(texts, work.lake.backend, time_zone=work.lake.time_zone)


def _texts(work: Work, bucket: int) -> Frame:
    """The bucket's scored texts of the last 400 days, and once more for each of their aspects."""
    within: list[Condition] = [
        ("created_at", ">", work.as_of - _HISTORY),
        ("created_at", "<=", work.as_of),
        ("source", "in", list(_SOURCES)),
    ]
    parts = [work.lake.read_bucket("text_sentiment", bucket, within, MOOD_COLUMNS)]
    parts[0] = parts[0].assign(aspect=WHOLE)
    if work.has("text_aspects"):
        columns = [*MOOD_COLUMNS, "aspect"]
        parts.append(work.lake.read_bucket("text_aspects", bucket, within, columns))
    texts: Frame = work.lake.backend.frames.concat(parts, ignore_index=True)
    return texts


def _examples(work: Work, bucket: int, alerts: pd.DataFrame) -> pd.DataFrame:
    texts = _texts(work, bucket)
    about = texts[texts["product_id"].isin(alerts["product_id"].unique().tolist())]
    about = about.reset_index(drop=True)
    about = about.assign(day=business_day(about["created_at"], work.lake.time_zone))
    return candidates(work.lake.backend.to_pandas(about), alerts)


TRENDS = Step(
    name="trends",
    reads=("text_sentiment",),
    uses=("text_aspects", "products", *_SOURCES, "support"),
    writes=("product_sentiment_daily", "trend_alerts", "rising_terms"),
    run=_trends,
)
