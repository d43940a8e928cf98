"""Pictures of what people say."""

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, NEUTRAL, RED, figure_of, nothing, share_text

__all__ = ["sentiment_river"]

SOUNDS = {"negative": RED, "neutral": NEUTRAL, "positive": BLUE}


def sentiment_river(texts: pd.DataFrame) -> go.Figure:
    """How texts sound, week by week: the share of negative, neutral and positive ones.

    `texts` has created_at and label of contract `text_sentiment`. Weeks begin on Monday, a week
    without texts stays empty.
    """
    if not len(texts):
        return nothing("How people sound", "no texts yet")
    counts = _weekly_counts(texts)
    total = counts.sum()
    figure = figure_of(
        f"{share_text(total['negative'] / total.sum())} of what people write is negative, "
        f"{share_text(total['positive'] / total.sum())} positive",
        f"{total.sum():,} texts by the week they were written in",
    )
    for label in SOUNDS:
        figure.add_bar(
            x=counts.index,
            y=counts[label] / counts.sum(axis=1),
            name=label,
            marker_color=SOUNDS[label],
            customdata=counts[label],
            hovertemplate=f"%{{y:.0%}} {label} (%{{customdata:,}})<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.04, hovermode="x unified")
    figure.update_xaxes(
        title="week", hoverformat="week of %d %B %Y", tickformat="%d %b\n%Y", showgrid=False
    )
    figure.update_yaxes(title="share of texts", tickformat=".0%", range=[0, 1])
    return figure


def _weekly_counts(texts: pd.DataFrame) -> pd.DataFrame:
    """Texts of each label, columns in the order of SOUNDS, by the Monday of their week."""
    day = texts["created_at"].dt.floor("D")
    monday = day - pd.to_timedelta(day.dt.weekday, unit="D")
    counts = texts.groupby([monday.rename("week"), "label"]).size().unstack(fill_value=0)
    return counts.reindex(columns=list(SOUNDS), fill_value=0)
