"""The texts of alerts' examples, looked up where they stand: nobody else keeps a copy."""

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import Work
from gpu_pipeline.trends import references

__all__ = ["trend_examples"]

_COLUMNS = [
    *("product_id", "detected_at", "rank", "source", "text_id"),
    *("customer_key", "text"),
]


def trend_examples(work: Work) -> pd.DataFrame:
    """product_id, detected_at, rank, source, text_id, customer_key and text of each example.

    A text that is no longer in the lake is no example any more.
    """
    to_pandas = work.lake.backend.to_pandas
    alerts: pd.DataFrame = work.empty("trend_alerts")
    if work.has("trend_alerts"):
        alerts = work.read("trend_alerts").compute()
    wanted = references(to_pandas(alerts))
    found = [pd.DataFrame({name: wanted[name].head(0) for name in ("source", "text_id")})]
    for source, rows in wanted.groupby("source"):
        if not work.has(str(source)):
            continue
        key = contract(str(source)).key[0]
        where = [(key, "in", sorted(set(rows["text_id"])))]
        texts = work.lake.read(str(source), [key, "customer_key", "text"], where).compute()
        found.append(to_pandas(texts).rename(columns={key: "text_id"}).assign(source=source))
    texts = pd.concat(found, ignore_index=True).reindex(columns=[*_COLUMNS[3:]])
    both = wanted.merge(texts, on=["source", "text_id"])
    kinds = {"customer_key": "int64", "text": "str", "source": "str", "text_id": "str"}
    return both[_COLUMNS].astype(kinds)
