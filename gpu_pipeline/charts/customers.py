"""Pictures of customers."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import SERIES, figure_of, nothing, plain, share_text

__all__ = ["segment_map"]

_LARGEST_BUBBLE_PX = 84
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
        return nothing("Customer segments", "no segments yet")
    days, orders = profiles["days_since_last_order"], profiles["orders"]
    x_range, y_range = _padded(days, 0.15), _padded(np.log10(orders), 0.3)
    x_px = _in_pixels(days, x_range, _PLOT_PX[0])
    y_px = _in_pixels(np.log10(orders), y_range, _PLOT_PX[1])
    best = profiles.iloc[profiles["revenue_share"].argmax()]
    figure = figure_of(
        f"“{plain(best['name'])}”: {share_text(best['customer_share'])} of the customers bring "
        f"{share_text(best['revenue_share'])} of the revenue",
        "Each bubble is a segment, its area the customers in it. Top left buy often and lately.",
    )
    figure.add_scatter(
        x=days,
        y=orders,
        mode="markers+text",
        text=[
            f"<b>{plain(name)}</b><br>{share_text(share)} of revenue"
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
            "color": [SERIES[i % len(SERIES)] for i in range(len(profiles))],
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
