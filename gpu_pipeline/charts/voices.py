"""Pictures of what people say."""

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import (
    BLUE,
    FAINT,
    NEUTRAL,
    ORANGE,
    RED,
    figure_of,
    nothing,
    plain,
    share_text,
)

__all__ = ["mood_line", "sentiment_river"]

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


def mood_line(days: pd.DataFrame, alerts: pd.DataFrame, *, about: str) -> go.Figure:
    """How one product sounds, or one of its aspects, day by day, and when that was an alert.

    `days` has the rows of contract `product_sentiment_daily` of that one, `alerts` those of
    `trend_alerts`; `about` is its name. Mood is the mean of positive less negative, -1 to 1.
    """
    if not len(days):
        return nothing(f"How {plain(about)} sounds", "no texts yet")
    days = days.sort_values("day")
    figure = figure_of(
        f"How {plain(about)} sounds", f"{days['texts'].sum():,} texts by the day of writing"
    )
    lines = {
        "a day's mood": (days["mood"], {"mode": "markers", "marker": {"color": NEUTRAL}}),
        "usual": (
            days["usual_positive_share"] - days["usual_negative_share"],
            {"mode": "lines", "line": {"color": FAINT, "dash": "dot"}},
        ),
        "smoothed": (days["smoothed_mood"], {"mode": "lines", "line": {"color": BLUE}}),
    }
    for name, (values, look) in lines.items():
        figure.add_scatter(x=days["day"], y=values, name=name, customdata=days["texts"], **look)
    for alert in alerts.itertuples(index=False):
        figure.add_vline(x=alert.detected_at, line_color=ORANGE, line_dash="dash")
        figure.add_annotation(
            x=alert.detected_at, y=1, text=plain(str(alert.kind)), showarrow=False
        )
    figure.update_yaxes(title="mood", range=[-1.05, 1.05])
    figure.update_xaxes(title="day", showgrid=False)
    return figure


def _weekly_counts(texts: pd.DataFrame) -> pd.DataFrame:
    """Texts of each label, columns in the order of SOUNDS, by the Monday of their week."""
    day = texts["created_at"].dt.floor("D")
    monday = day - pd.to_timedelta(day.dt.weekday, unit="D")
    counts = texts.groupby([monday.rename("week"), "label"]).size().unstack(fill_value=0)
    return counts.reindex(columns=list(SOUNDS), fill_value=0)
