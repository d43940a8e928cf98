"""The chart kit: host frames in, plotly figures out, all in one look.

Colours are Okabe and Ito's (2008), which people with any colour vision can tell apart. Titles say
what is seen; without rows a figure says that there is nothing to see. Names are data: they are
escaped, since plotly takes tags in its texts.
"""

from collections.abc import Iterable
from html import escape
from textwrap import shorten, wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

__all__ = ["forecast_fan", "rejections_bar", "segment_map", "sentiment_river"]

ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    *("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"),
)
INK, FAINT, GRID, NEUTRAL = "#222222", "#5F6368", "#E4E6EA", "#B9BEC6"
SEGMENT_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
SOUNDS = {"negative": RED, "neutral": NEUTRAL, "positive": BLUE}

NAIVE = "seasonal_naive"
HISTORY_WEEKS = 8
SHOWN_REASONS = 15
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LARGEST_BUBBLE_PX = 84
_LABEL_CHARACTERS, _LABEL_LINES = 44, 3
# What labels are placed for; on another screen the plot is somewhat larger or smaller.
_PLOT_PX = (900.0, 336.0)
_CHARACTER_PX, _LABEL_HEIGHT_PX = 7.5, 38.0

Box = tuple[float, float, float, float]  # left, bottom, right, top


def segment_map(profiles: pd.DataFrame) -> go.Figure:
    """Segments as bubbles: how recently and how often their customers buy, and how many they are.

    `profiles` has the columns of contract `segment_profiles`; of these name, customers,
    customer_share, revenue_share, days_since_last_order and orders are shown.
    """
    if not len(profiles):
        return _nothing("Customer segments", "no segments yet")
    days, orders = profiles["days_since_last_order"], profiles["orders"]
    x_range, y_range = _padded(days, 0.15), _padded(np.log10(orders), 0.3)
    x_px = _in_pixels(days, x_range, _PLOT_PX[0])
    y_px = _in_pixels(np.log10(orders), y_range, _PLOT_PX[1])
    best = profiles.iloc[profiles["revenue_share"].argmax()]
    figure = _figure(
        f"“{_text(best['name'])}”: {_share(best['customer_share'])} of the customers bring "
        f"{_share(best['revenue_share'])} of the revenue",
        "Each bubble is a segment, its area the customers in it. Top left buy often and lately.",
    )
    figure.add_scatter(
        x=days,
        y=orders,
        mode="markers+text",
        text=[
            f"<b>{_text(name)}</b><br>{_share(share)} of revenue"
            for name, share in zip(profiles["name"], profiles["revenue_share"], strict=True)
        ],
        textposition=_label_positions(profiles, x_px, y_px),
        customdata=profiles[["customers", "customer_share"]],
        hovertemplate=(
            "%{text}<br>%{customdata[0]:,} customers (%{customdata[1]:.1%})<br>"
            "%{y:.1f} orders each, the last %{x:.0f} days ago<extra></extra>"
        ),
        marker={
            "size": profiles["customers"],
            "sizemode": "area",
            "sizeref": 2 * profiles["customers"].max() / _LARGEST_BUBBLE_PX**2,
            "color": [SEGMENT_COLOURS[i % len(SEGMENT_COLOURS)] for i in range(len(profiles))],
            "opacity": 0.85,
            "line": {"color": "white", "width": 1.5},
        },
        cliponaxis=False,
        showlegend=False,
    )
    figure.update_layout(height=500)
    figure.update_xaxes(
        title="days since the last order (median)",
        range=x_range,
        tickvals=_round_days(until=x_range[1]),
        tickformat=",d",
    )
    figure.update_yaxes(
        title="orders per customer (mean, log scale)",
        type="log",
        range=y_range,
        tickvals=[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
        tickformat=",d",
    )
    return figure


def forecast_fan(history: pd.DataFrame, forecast: pd.DataFrame, *, name: str) -> go.Figure:
    """What one product sold in the last weeks, what it is expected to sell, and how sure that is.

    `history` has day and units of contract `demand_daily`: days that are not there sold nothing.
    `forecast` has the columns of contract `demand_forecast`. Days after its `as_of` had not ended
    and are left out of the history. A band is where four days of five should fall.
    """
    title = f"Demand for {_text(name)}"
    if not len(forecast):
        return _nothing(title, "no forecast for this product")
    days = forecast.sort_values("day")
    figure = _figure(
        f"{_text(name)}: {days['mean'].sum():,.0f} units expected in {len(days):,} days",
        _test_result(days),
    )
    sold = _daily_units(history, until=days["as_of"].max())
    figure.add_bar(
        x=sold.index,
        y=sold.to_numpy(),
        name="sold",
        marker_color=NEUTRAL,
        hovertemplate="%{y:,} sold<extra></extra>",
    )
    for edge, fill in (("p10", None), ("p90", "tonexty")):
        figure.add_scatter(
            x=days["day"],
            y=days[edge],
            name="p10 to p90",
            mode="lines",
            line={"width": 0, "color": SKY},
            fill=fill,
            fillcolor="rgba(86, 180, 233, 0.35)",
            showlegend=fill is not None,
            hovertemplate=f"{edge} %{{y:,.1f}}<extra></extra>",
        )
    figure.add_scatter(
        x=days["day"],
        y=days["mean"],
        name="expected",
        mode="lines",
        line={"width": 2.5, "color": BLUE},
        hovertemplate="%{y:,.1f} expected<extra></extra>",
    )
    figure.update_layout(hovermode="x unified", bargap=0.25)
    figure.update_xaxes(title="day", hoverformat="%A, %d %B %Y", tickformat="%d %b\n%Y")
    figure.update_yaxes(title="units a day", rangemode="tozero", tickformat=",")
    return figure


def sentiment_river(texts: pd.DataFrame) -> go.Figure:
    """How texts sound, week by week: the share of negative, neutral and positive ones.

    `texts` has created_at and label of contract `text_sentiment`. Weeks begin on Monday, a week
    without texts stays empty.
    """
    if not len(texts):
        return _nothing("How people sound", "no texts yet")
    counts = _weekly_counts(texts)
    total = counts.sum()
    figure = _figure(
        f"{_share(total['negative'] / total.sum())} of what people write is negative, "
        f"{_share(total['positive'] / total.sum())} positive",
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


def rejections_bar(rejections: pd.DataFrame) -> go.Figure:
    """What was left out on loading and why: a bar for each source and reason, most rows on top.

    `rejections` has source, reason and rows. A row that breaks several rules stands under each.
    """
    if not len(rejections):
        return _nothing("Rows left out", "every row was taken")
    ordered = rejections.sort_values(["rows", "source", "reason"], ascending=[False, True, True])
    shown, rest = ordered[:SHOWN_REASONS], ordered[SHOWN_REASONS:]
    figure = _figure(
        f"Most rows left out: {_text(shown['source'].iloc[0])}, "
        f"{_text(shorten(shown['reason'].iloc[0], _LABEL_CHARACTERS, placeholder=' …'))}",
        "Rows by the rule they break; a row that breaks several stands under each."
        + (f" {len(rest):,} rarer reasons are not shown." if len(rest) else ""),
    )
    figure.add_bar(
        x=shown["rows"],
        y=list(range(len(shown))),  # numbers: two long reasons may be cut to one text
        orientation="h",
        marker_color=ORANGE,
        text=shown["rows"],
        texttemplate="%{x:,}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{x:,} rows<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(height=150 + 36 * len(shown))
    figure.update_xaxes(title="rows", tickformat=",d", rangemode="tozero")
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        tickvals=list(range(len(shown))),
        ticktext=[
            f"<b>{_text(source)}</b> {_wrapped(reason)}"
            for source, reason in zip(shown["source"], shown["reason"], strict=True)
        ],
    )
    return figure


def _figure(title: str, subtitle: str) -> go.Figure:
    figure = go.Figure(layout={"template": _theme()})
    figure.update_layout(title={"text": title, "subtitle": {"text": subtitle}})
    return figure


def _nothing(title: str, why: str) -> go.Figure:
    figure = _figure(title, "")
    figure.add_annotation(
        text=f"Nothing to show: {why}.",
        showarrow=False,
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        font={"size": 16, "color": FAINT},
    )
    figure.update_layout(height=220)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _theme() -> go.layout.Template:
    axis = {
        "gridcolor": GRID,
        "zerolinecolor": GRID,
        "linecolor": FAINT,
        "ticks": "outside",
        "tickcolor": GRID,
        "title": {"font": {"size": 14, "color": FAINT}, "standoff": 12},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 14, "color": INK},
            "title": {
                "xref": "container",
                "x": 0,
                "xanchor": "left",
                "yref": "container",
                "y": 1,
                "yanchor": "top",
                "pad": {"l": 16, "t": 16},
                "font": {"size": 19},
                "subtitle": {"font": {"size": 14, "color": FAINT}},
            },
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "separators": ".,",
            "colorway": SEGMENT_COLOURS,
            "margin": {"l": 64, "r": 24, "t": 108, "b": 56},
            "height": 440,
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": "white", "font": {"family": _FONT, "size": 13, "color": INK}},
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def _text(value: str) -> str:
    """The value as it stands: plotly would take tags in it for markup."""
    return escape(value, quote=False)


def _wrapped(reason: str) -> str:
    lines = wrap(reason, _LABEL_CHARACTERS, max_lines=_LABEL_LINES, placeholder=" …")
    return "<br>".join(_text(line) for line in lines)


def _share(value: float) -> str:
    """A percentage with as many digits as a small one needs."""
    if 0 < value < 0.0005:
        return "under 0.1%"
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}"


def _padded(values: "pd.Series[float]", share: float) -> tuple[float, float]:
    """A range with room for the outermost bubbles and their labels."""
    low, high = float(values.min()), float(values.max())
    room = share * max(high - low, 0.4)
    return low - room, high + room


def _in_pixels(
    values: "pd.Series[float]", axis: tuple[float, float], length_px: float
) -> "pd.Series[float]":
    return (values - axis[0]) / (axis[1] - axis[0]) * length_px


def _label_positions(
    profiles: pd.DataFrame, x_px: "pd.Series[float]", y_px: "pd.Series[float]"
) -> list[str]:
    """Above, right of, below or left of each bubble: where its label covers least of the others."""
    diameters_px = _LARGEST_BUBBLE_PX * np.sqrt(profiles["customers"] / profiles["customers"].max())
    widths_px = _CHARACTER_PX * profiles["name"].str.len().clip(lower=len("10% of revenue"))
    bubbles = list(zip(x_px, y_px, diameters_px / 2, widths_px, strict=True))
    taken = [_box(x, y, 2 * radius, 2 * radius) for x, y, radius, _ in bubbles]
    places = []
    for x, y, radius, width in bubbles:
        up, aside = radius + _LABEL_HEIGHT_PX / 2, radius + width / 2
        boxes = {
            "top center": _box(x, y + up, width, _LABEL_HEIGHT_PX),
            "middle right": _box(x + aside, y, width, _LABEL_HEIGHT_PX),
            "bottom center": _box(x, y - up, width, _LABEL_HEIGHT_PX),
            "middle left": _box(x - aside, y, width, _LABEL_HEIGHT_PX),
        }
        covered = {place: _covered(box, taken) for place, box in boxes.items()}
        places.append(min(boxes, key=covered.__getitem__))
        taken.append(boxes[places[-1]])
    return places


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _covered(box: Box, taken: Iterable[Box]) -> float:
    """How much of what is taken the box covers, and how much of it lies outside the plot."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    outside = area - _common(box, (0.0, 0.0, *_PLOT_PX))
    return outside + sum(_common(box, other) for other in taken)


def _common(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _round_days(*, until: float) -> list[int]:
    """A few round numbers of days from 0 on."""
    steps = (1, 5, 10, 30, 60, 90, 180, 365, 730)
    step = next((s for s in steps if until / s <= 8), 3650)
    return list(range(0, int(until) + 1, step))


def _test_result(days: pd.DataFrame) -> str:
    error, naive = float(days["error"].iloc[0]), float(days["naive_error"].iloc[0])
    model = str(days["model"].iloc[0])
    if model == NAIVE:
        return f"The last week again. In the last test that was off by {naive:,.1f} units a day."
    return (
        f"In the last test {_text(model)} was off by {error:,.1f} units a day, "
        f"the last week again by {naive:,.1f}."
    )


def _daily_units(history: pd.DataFrame, *, until: pd.Timestamp) -> "pd.Series[int]":
    """Units on each of the last days up to `until`, 0 where there is no row."""
    days = pd.date_range(end=until, periods=7 * HISTORY_WEEKS, freq="D", unit="us")
    units = history.groupby("day")["units"].sum()
    return units.reindex(days, fill_value=0)


def _weekly_counts(texts: pd.DataFrame) -> pd.DataFrame:
    """Texts of each label, columns in the order of SOUNDS, by the Monday of their week."""
    day = texts["created_at"].dt.floor("D")
    monday = day - pd.to_timedelta(day.dt.weekday, unit="D")
    counts = texts.groupby([monday.rename("week"), "label"]).size().unstack(fill_value=0)
    return counts.reindex(columns=list(SOUNDS), fill_value=0)
