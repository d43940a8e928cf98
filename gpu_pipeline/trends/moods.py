"""Moods: the tables `product_sentiment_daily` and `trend_alerts` from daily counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.trends.alerts import alert_rows
from gpu_pipeline.trends.panel import Block, Panel
from gpu_pipeline.trends.shop import Shop
from gpu_pipeline.trends.smoothing import smoothed_mood
from gpu_pipeline.trends.watching import Watch, watch

__all__ = ["Moods", "moods_and_alerts"]

Host = npt.NDArray[Any]
_USUAL = {
    "usual_people": "expected",
    "usual_negative_share": "negative",
    "usual_positive_share": "positive",
}


@dataclass(frozen=True)
class Moods:
    """Host frames: `daily` of contract `product_sentiment_daily`, `alerts` of `trend_alerts`.

    The alerts have no examples yet.
    """

    daily: pd.DataFrame
    alerts: pd.DataFrame


def moods_and_alerts(
    counts: pd.DataFrame, categories: pd.DataFrame, until: datetime, backend: Backend
) -> Moods:
    """From the `daily_counts` of all customers up to the day `until`, and product_id, category.

    Each day's values come from it and the days before: later rows change no earlier day.
    """
    counts = counts[counts["day"] <= until]
    if not len(counts):
        return Moods(_table([], "product_sentiment_daily"), _table([], "trend_alerts"))
    panel = Panel.of(counts, categories, until)
    shop = Shop.of(backend.xp.asarray(panel.moods()), len(panel.products), backend)
    daily, alerts = [], list[dict[str, Any]]()
    for block in panel.blocks():
        found = watch(block.days(shop, backend), backend.xp.asarray(block.first_day), backend)
        found = _on_host(found, backend)
        daily.append(_daily(panel, block, found, backend))
        alerts += alert_rows(panel, block, found)
    return Moods(
        _table(pd.concat(daily), "product_sentiment_daily"), _table(alerts, "trend_alerts")
    )


def _on_host(found: Watch, backend: Backend) -> Watch:
    usual = [
        type(day)(**{name: backend.to_host(values) for name, values in vars(day).items()})
        for day in found.usual
    ]
    return Watch(found.events, usual)


def _daily(panel: Panel, block: Block, found: Watch, backend: Backend) -> pd.DataFrame:
    rows = panel.table.iloc[block.rows]
    day, product, series = block.at
    smooth = backend.to_host(smoothed_mood(block.mood, block.texts, 0.0, backend))
    usual = {
        column: _picked([getattr(one, name) for one in found.usual], day, product, series)
        for column, name in _USUAL.items()
    }
    return rows.assign(
        mood=rows["mood_sum"] / rows["texts"], smoothed_mood=smooth[block.at], **usual
    )


def _picked(values: list[Host], day: Host, product: Host, series: Host) -> Host:
    """The values of these days, products and series, from one array a day."""
    found: Host = np.stack(values)[day, product, series]
    return found


def _table(rows: pd.DataFrame | list[dict[str, Any]], name: str) -> pd.DataFrame:
    """The rows as a host frame of the contract, sorted by its key."""
    found, host = contract(name), Backend.choose("cpu")
    frame = pd.DataFrame(rows, columns=found.names) if isinstance(rows, list) else rows
    return host.cast(frame.sort_values(list(found.key), ignore_index=True), found)
