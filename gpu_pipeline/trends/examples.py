"""Examples: the texts that show an alert best, as references to where they stand in the lake."""

import json
from collections.abc import Sequence

import pandas as pd

__all__ = ["candidates", "references", "with_examples"]

SHOWN_EXAMPLES = 3
_SIGN = {"worse": -1, "better": 1, "burst": 0}


def candidates(texts: pd.DataFrame, alerts: pd.DataFrame) -> pd.DataFrame:
    """product_id, detected_at, source, text_id, customer_key and `weight` of what may be shown.

    `texts` (source, text_id, customer_key, day, product_id, aspect, negative, positive, label) are
    those of some customers; of each alert at most three of them are kept, each of another person:
    those that sound most like the change, and of a burst the latest.
    """
    own = alerts[["product_id", "aspect", "kind", "opened_at", "detected_at", "closed_at"]]
    both = texts.dropna(subset=["label"]).merge(own, on=["product_id", "aspect"])
    during = (both["day"] >= both["opened_at"]) & ~(both["day"] > both["closed_at"])
    both = both[during]
    sign = both["kind"].map(_SIGN)
    mood = sign * (both["positive"] - both["negative"])
    latest = both["day"].astype("int64").astype("float64")
    return _best(both.assign(weight=mood.where(sign != 0, latest)))


def with_examples(alerts: pd.DataFrame, found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The alerts with `examples`, from the `candidates` of all customers."""
    chosen = _best(pd.concat(found)) if found else pd.DataFrame()
    if not len(chosen):
        return alerts
    ids = {
        key: json.dumps(rows[["source", "text_id"]].to_numpy().tolist())
        for key, rows in chosen.groupby(["product_id", "detected_at"])
    }
    keys = zip(alerts["product_id"], alerts["detected_at"], strict=True)
    return alerts.assign(examples=pd.Series([ids.get(key, "[]") for key in keys], dtype="str"))


def references(alerts: pd.DataFrame) -> pd.DataFrame:
    """product_id, detected_at, rank (from 1), source and text_id of the alerts' examples."""
    rows = [
        (product, detected, rank, source, text_id)
        for product, detected, written in zip(
            alerts["product_id"], alerts["detected_at"], alerts["examples"], strict=True
        )
        for rank, (source, text_id) in enumerate(json.loads(written), start=1)
    ]
    names = ["product_id", "detected_at", "rank", "source", "text_id"]
    table = pd.DataFrame(rows, columns=names)
    kinds = {"product_id": "str", "rank": "int64", "source": "str", "text_id": "str"}
    return table.astype(kinds | {"detected_at": "datetime64[us]"})


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """At most three rows of each alert, the weightiest first, one a person."""
    order = ["product_id", "detected_at", "weight", "source", "text_id"]
    alert = ["product_id", "detected_at"]
    ranked = rows.sort_values(order, ascending=[True, True, False, True, True])
    one_each = ranked.drop_duplicates([*alert, "customer_key"])
    best = one_each.groupby(alert, sort=False).head(SHOWN_EXAMPLES)
    return best[[*order, "customer_key"]]
