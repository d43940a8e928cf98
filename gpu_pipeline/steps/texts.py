"""The step that scores what people wrote."""

import numpy as np
import pandas as pd

from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import Step, Work, code_digest
from nlp import SentimentModel
from nlp.model import version_of

__all__ = ["SENTIMENT"]

_SOURCES = ("reviews", "feedback", "social", "support")


def _text_sentiment(work: Work) -> None:
    """Scores the texts that have no score yet; all of them when model or code changed."""
    version = version_of(work.config.text_model)
    scorer = f"{version} {code_digest('nlp')}"
    overwrite = work.forced or work.lake.note("text_sentiment").get("scorer") != scorer
    model: SentimentModel | None = None
    parts, scored = [], 0
    for bucket in range(work.lake.buckets):
        unscored = _unscored(work, bucket, everything=overwrite)
        if not unscored:
            continue
        model = model or SentimentModel.load(work.config.text_model)
        rows = pd.concat([_scored(texts, source, model) for source, texts in unscored.items()])
        # One write for all sources: a file a month, not one a source.
        parts += work.writer.write(
            work.lake.backend.from_pandas(rows.reset_index(drop=True)), contract("text_sentiment")
        )
        scored += len(rows)
    work.facts.update(model_version=version, scored=scored, scorer=scorer)
    work.commit("text_sentiment", parts, overwrite=overwrite)


def _unscored(work: Work, bucket: int, *, everything: bool) -> dict[str, pd.DataFrame]:
    """The bucket's texts that have no score yet, by source; none of a source that has none."""
    found = {name: _texts(work, name, bucket) for name in _SOURCES if work.has(name)}
    if not everything and work.has("text_sentiment"):
        columns = ["source", "text_id"]
        done = work.lake.read_bucket("text_sentiment", bucket, columns=columns)
        done = work.lake.backend.to_pandas(done)
        for source, texts in found.items():
            ids = done.loc[done["source"] == source, "text_id"]
            found[source] = texts[~texts[contract(source).key[0]].isin(ids)]
    return {source: texts for source, texts in found.items() if len(texts)}


def _texts(work: Work, source: str, bucket: int) -> pd.DataFrame:
    found = contract(source)
    time = found.event_time or ""
    by_then = (time, "<=", np.datetime64(work.as_of, "us"))
    columns = [found.key[0], "customer_key", "key_kind", time, "product_id", "text"]
    return work.lake.backend.to_pandas(
        work.lake.read_bucket(source, bucket, [by_then], columns=columns)
    )


def _scored(texts: pd.DataFrame, source: str, model: SentimentModel) -> pd.DataFrame:
    found = contract(source)
    scores = model.score(texts["text"].tolist()).astype("float64")
    return pd.DataFrame(
        {
            "source": source,
            "text_id": texts[found.key[0]],
            "customer_key": texts["customer_key"],
            "key_kind": texts["key_kind"],
            "created_at": texts[found.event_time],
            "product_id": texts["product_id"],
            **{label: scores[:, i] for i, label in enumerate(model.labels)},
            "label": [model.labels[i] for i in scores.argmax(axis=1)],
            "model_version": model.version,
        }
    )


def _text_model(config: Config) -> str:
    return version_of(config.text_model)


SENTIMENT = Step(
    name="sentiment",
    reads=_SOURCES,
    writes=("text_sentiment",),
    run=_text_sentiment,
    dated=False,
    state=_text_model,
)
