"""The words that rise, over all texts of a lake: each bucket counts its own people."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.orders import business_day
from gpu_pipeline.pipeline import Work
from gpu_pipeline.trends import (
    BASE_WEEKS,
    TermCounts,
    digest_of,
    name_words,
    rises,
    term_counts,
    terms_of,
    topics,
)

__all__ = ["rising_terms"]

_SOURCES = ("reviews", "feedback", "social", "support")
_WEEK = timedelta(days=7)


def rising_terms(work: Work, until: datetime) -> pd.DataFrame:
    """The rows of contract `rising_terms` for the week that ends with the day `until`.

    The week is counted first, then in the weeks before only what five people said: what is held
    are the words of one week and the digests of nine weeks' texts.
    """
    names = _names(work)
    buckets = range(work.lake.buckets)
    digests = compute(*(delayed(_digests)(work, bucket, until) for bucket in buckets))
    firsts = pd.concat(digests).sort_values(["day", "source", "text_id"])
    kept = set(firsts.drop_duplicates("digest")[["source", "text_id"]].itertuples(index=False))
    kept = {tuple(one) for one in kept}
    weeks = [delayed(_counted)(work, bucket, until, 0, 0, names, kept, None) for bucket in buckets]
    now = _merged(compute(*weeks))
    often = frozenset(term for term, count in now.people.items() if count > 1)
    spans = [
        delayed(_counted)(work, bucket, until, 1, BASE_WEEKS, names, kept, often)
        for bucket in buckets
    ]
    found = rises(now, _merged(compute(*spans)))
    return _told(work, until, found, names, kept)


def _names(work: Work) -> frozenset[str]:
    if not work.has("products"):
        return frozenset()
    products = work.lake.backend.to_pandas(work.read("products", ["name"]).compute())
    return name_words(products["name"])


def _said(work: Work, bucket: int, until: datetime) -> pd.DataFrame:
    """source, text_id, customer_key, product_id, text, day and week (0 the last) of nine weeks.

    Of a support case only the message that opened it: what follows is an answer, of agents too.
    """
    found = [_of_source(work, name, bucket, until) for name in _SOURCES if work.has(name)]
    columns = ["source", "text_id", "customer_key", "product_id", "text", "day", "week"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def _of_source(work: Work, source: str, bucket: int, until: datetime) -> pd.DataFrame:
    of, backend = contract(source), work.lake.backend
    time = of.event_time or ""
    since = work.as_of - (BASE_WEEKS + 2) * _WEEK
    columns = [of.key[0], "customer_key", time, "product_id", "text"]
    extra = ["case_id"] if source == "support" else []
    within = [(time, ">", since), (time, "<=", work.as_of)]
    if source == "support":
        # Of an older case the first message since then is no opening.
        within.append(("opened_at", ">", since))
    rows = work.lake.read_bucket(source, bucket, within, [*columns, *extra])
    rows = rows.assign(day=business_day(rows[time], work.lake.time_zone))
    texts = backend.to_pandas(rows).rename(columns={of.key[0]: "text_id"})
    if source == "support":
        ordered = texts.sort_values([time, "text_id"])
        texts = ordered.drop_duplicates(["customer_key", "case_id"])
    week = (pd.Timestamp(until) - texts["day"]).dt.days // 7
    texts = texts.assign(source=source, week=week)[week.between(0, BASE_WEEKS)]
    return texts[["source", "text_id", "customer_key", "product_id", "text", "day", "week"]]


def _digests(work: Work, bucket: int, until: datetime) -> pd.DataFrame:
    texts = _said(work, bucket, until)
    digests = [digest_of(text) for text in texts["text"]]
    return texts[["source", "text_id", "day"]].assign(digest=pd.Series(digests, texts.index))


def _kept(texts: pd.DataFrame, kept: set[tuple[str, str]]) -> pd.DataFrame:
    """Without the copies of a text: of each the first, whoever sent it on."""
    keys = zip(texts["source"], texts["text_id"], strict=True)
    is_kept = pd.Series([key in kept for key in keys], texts.index, dtype="bool")
    return texts[is_kept]


def _counted(
    work: Work,
    bucket: int,
    until: datetime,
    first: int,
    last: int,
    names: frozenset[str],
    kept: set[tuple[str, str]],
    only: frozenset[str] | None,
) -> TermCounts:
    texts = _kept(_said(work, bucket, until), kept)
    return term_counts(texts[texts["week"].between(first, last)], names, only=only)


def _merged(parts: Iterable[TermCounts]) -> TermCounts:
    people: dict[str, int] = {}
    wrote = 0
    for part in parts:
        wrote += part.wrote
        for term, count in part.people.items():
            people[term] = people.get(term, 0) + count
    return TermCounts(people, wrote)


def _told(
    work: Work,
    until: datetime,
    found: pd.DataFrame,
    names: frozenset[str],
    kept: set[tuple[str, str]],
) -> pd.DataFrame:
    """The terms with their topics, the product they are about and how they sound."""
    buckets = range(work.lake.buckets) if len(found) else range(0)
    terms = found["term"].tolist()
    parts = [delayed(_uses)(work, bucket, until, set(terms), names, kept) for bucket in buckets]
    empty = pd.DataFrame({"term": [], "text": [], "product_id": [], "label": []})
    uses = pd.concat([empty, *compute(*parts)], ignore_index=True)
    used = {term: set(rows["text"]) for term, rows in uses.groupby("term")}
    about = {term: _product(rows["product_id"]) for term, rows in uses.groupby("term")}
    scored = uses.dropna(subset=["label"])
    negative = (scored["label"] == "negative").groupby(scored["term"]).mean()
    table = found.assign(
        topic=topics(terms, used),
        rank=range(1, len(terms) + 1),
        since=pd.Timestamp(until) - _WEEK + timedelta(days=1),
        until=pd.Timestamp(until),
        product_id=pd.Series([about[term] for term in terms], dtype="str"),
        negative_share=found["term"].map(negative),
    )
    return Backend.choose("cpu").cast(table, contract("rising_terms"))


def _uses(
    work: Work,
    bucket: int,
    until: datetime,
    terms: set[str],
    names: frozenset[str],
    kept: set[tuple[str, str]],
) -> pd.DataFrame:
    """A row a term and text of the week: term, text (which), product_id, label."""
    texts = _kept(_said(work, bucket, until), kept)
    texts = texts[texts["week"] == 0]
    columns = ["source", "text_id", "label"]
    labels = work.lake.backend.to_pandas(
        work.lake.read_bucket("text_sentiment", bucket, columns=columns)
    )
    both = texts.merge(labels, on=["source", "text_id"], how="left")
    rows = [
        (term, f"{source}/{text_id}", product_id, label)
        for source, text_id, product_id, label, text in zip(
            *(both[name] for name in ("source", "text_id", "product_id", "label", "text")),
            strict=True,
        )
        for term in sorted(terms_of(text, names) & terms)
    ]
    return pd.DataFrame(rows, columns=["term", "text", "product_id", "label"])


def _product(about: "pd.Series[str]") -> str | None:
    """The product of more than half of the texts."""
    counted = about.value_counts()
    return str(counted.index[0]) if len(counted) and counted.iloc[0] * 2 > len(about) else None
