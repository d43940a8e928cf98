"""Unscored: how much of what people write has no sentiment, by source and country."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Frame
from gpu_pipeline.contracts import Rule, contract
from gpu_pipeline.quality.verdicts import Measurement, verdict
from gpu_pipeline.store import Lake

__all__ = ["FEWEST_TEXTS", "MOST_UNSCORED", "unscored_measurements"]

TABLE = "text_sentiment"
# More than that, and moods speak for those alone who write the model's languages.
MOST_UNSCORED = 0.1
# Of a country with fewer, a share says nothing: such are measured together.
FEWEST_TEXTS = 20
_FEW = "all others"
_UNKNOWN = "unknown country"
_GROUP = ["source", "country"]


def unscored_measurements(lake: Lake, *, as_of: datetime, run_id: str) -> list[Measurement]:
    """The share of texts without a score of each source and country, as of a moment (UTC).

    A country is that of the customer who wrote; authors and guests have none. Nothing is measured
    where nothing was scored yet.
    """
    if lake.version(TABLE) is None:
        return []
    moment = np.datetime64(as_of, "us")
    parts = compute(*(delayed(_counts)(lake, bucket, moment) for bucket in range(lake.buckets)))
    counts = pd.concat(parts, ignore_index=True).groupby(_GROUP)[["texts", "unscored"]].sum()
    counts = counts.reset_index()
    few = counts["texts"] < FEWEST_TEXTS
    counts = counts.assign(country=counts["country"].mask(few, _FEW)).groupby(_GROUP).sum()
    return list(_measured(lake, counts.reset_index(), as_of, run_id))


def _counts(lake: Lake, bucket: int, moment: np.datetime64) -> pd.DataFrame:
    """source, country, texts and unscored of a bucket."""
    columns = ["source", "customer_key", "unscored"]
    by_then = [("created_at", "<=", moment)]
    texts: Frame = lake.read_bucket(TABLE, bucket, by_then, columns=columns)
    texts = texts.merge(_countries(lake, bucket, moment), on="customer_key", how="left")
    texts = texts.assign(
        country=texts["country"].fillna(_UNKNOWN),
        texts=1,
        unscored=texts["unscored"].notna().astype("int64"),
    )
    counted = texts.groupby(_GROUP, sort=True)[["texts", "unscored"]].sum().reset_index()
    return lake.backend.to_pandas(counted)


def _countries(lake: Lake, bucket: int, moment: np.datetime64) -> Frame:
    """customer_key and country, as they were then."""
    columns = ["customer_key", "country"]
    if lake.version("customers") is None:
        return lake.backend.empty(contract("customers"), columns)
    time = contract("customers").event_time or ""
    rows: Frame = lake.read_bucket(
        "customers", bucket, [(time, "<=", moment)], columns=[*columns, time]
    )
    last = rows.sort_values(["customer_key", time]).drop_duplicates(
        subset=["customer_key"], keep="last"
    )
    return last[columns]


def _measured(
    lake: Lake, counts: pd.DataFrame, as_of: datetime, run_id: str
) -> Iterator[Measurement]:
    for source, country, texts, unscored in counts.itertuples(index=False):
        reason = f"no sentiment: {source}, {country}"
        rule = Rule(reason, ("unscored",), "required", "warn", MOST_UNSCORED)
        yield Measurement(
            contract=TABLE,
            subject="table",
            subject_id=f"v{lake.version(TABLE)}",
            subject_name=TABLE,
            rule=reason,
            run_id=run_id,
            columns="unscored",
            severity="warn",
            threshold=MOST_UNSCORED,
            measured=unscored / texts,
            rows=int(texts),
            failed=int(unscored),
            verdict=verdict(rule, int(texts), int(unscored)),
            evidence=None,
            checked_as_of=as_of,
        )
