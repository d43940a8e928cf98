"""The step that makes cases of support messages."""

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import CASE_COLUMNS, SUPPORT_COLUMNS, support_cases, support_daily
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.store import Part

__all__ = ["SUPPORT"]

_SCORE_COLUMNS = ("text_id", "source", "positive", "negative", "intent")


def _support(work: Work) -> None:
    """Every bucket by itself: a case lies with its customer."""
    buckets = range(work.lake.buckets)
    made = compute(*(delayed(_cases_written)(work, bucket) for bucket in buckets))
    work.commit("support_cases", [part for parts, _ in made for part in parts], overwrite=True)
    backend = work.lake.backend
    cases: Frame = backend.frames.concat([few for _, few in made], ignore_index=True)
    work.facts.update(cases=len(cases), open=int(cases["resolved_at"].isna().sum()))
    daily = support_daily(cases, backend, time_zone=work.lake.time_zone)
    work.replace("support_daily", daily)


def _cases_written(work: Work, bucket: int) -> tuple[list[Part], Frame]:
    """(the parts of the bucket's cases, the columns of them that days are made of)."""
    lake = work.lake
    by_then = ("sent_at", "<=", np.datetime64(work.as_of, "us"))
    messages = lake.read_bucket("support", bucket, [by_then], columns=SUPPORT_COLUMNS)
    scores = work.empty("text_sentiment")[list(_SCORE_COLUMNS)]
    if work.has("text_sentiment"):
        scores = lake.read_bucket("text_sentiment", bucket, columns=_SCORE_COLUMNS)
    asked = scores[scores["source"] == "support"]
    cases = support_cases(messages, asked, work.as_of, lake.backend)
    parts = work.writer.write(cases, contract("support_cases"), number=bucket)
    return parts, cases[list(CASE_COLUMNS)]


SUPPORT = Step(
    name="support",
    reads=("support",),
    uses=("text_sentiment",),
    writes=("support_cases", "support_daily"),
    run=_support,
)
