"""What a lake says about what changed: alerts in words, topics that rose."""

from typing import Any

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.store import Lake
from gpu_pipeline.trends import references, told

__all__ = ["latest_alerts", "risen_topics", "told_alerts"]

SHOWN = 10
_ALERT_COLUMNS = ["product_id", "name", "aspect", "kind", "opened_at", "closed_at"]


def latest_alerts(alerts: pd.DataFrame) -> pd.DataFrame:
    """At most ten rows of `trend_alerts`: those that are on, then the latest."""
    ordered = alerts.assign(is_closed=alerts["closed_at"].notna()).sort_values(
        ["is_closed", "detected_at", "product_id"], ascending=[True, False, True]
    )
    return ordered.drop(columns="is_closed").head(SHOWN).reset_index(drop=True)


def told_alerts(alerts: pd.DataFrame, lake: Lake) -> pd.DataFrame:
    """product_id, name, aspect, kind, opened_at, closed_at, told and example of named alerts.

    The example is looked up where it stands: "" where it was erased.
    """
    rows: list[dict[str, Any]] = [
        dict(zip(alerts.columns, row, strict=True)) for row in alerts.itertuples(index=False)
    ]
    found = alerts[_ALERT_COLUMNS].assign(
        told=pd.Series([told(row, str(row["name"])) for row in rows], dtype="str"),
        example=pd.Series([""] * len(rows), dtype="str"),
    )
    first = references(alerts)
    first = first[first["rank"] == 1]
    for place, row in enumerate(rows):
        its = first[
            (first["product_id"] == row["product_id"])
            & (first["detected_at"] == row["detected_at"])
        ]
        for source, text_id in its[["source", "text_id"]].itertuples(index=False):
            found.loc[place, "example"] = _text(lake, str(source), str(text_id))
    return found


def risen_topics(terms: pd.DataFrame) -> pd.DataFrame:
    """term, people, people_before, growth and product_id of the ten topics that rose most."""
    leads = terms[terms["term"] == terms["topic"]].sort_values("rank")
    columns = ["term", "people", "people_before", "growth", "product_id"]
    return leads[columns].head(SHOWN).reset_index(drop=True)


def _text(lake: Lake, source: str, text_id: str) -> str:
    if lake.version(source) is None:
        return ""
    where = [(contract(source).key[0], "==", text_id)]
    found = lake.backend.to_pandas(lake.read(source, ["text"], where).compute())
    return str(found["text"].iloc[0]) if len(found) else ""
