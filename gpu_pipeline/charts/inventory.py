"""Pictures of stock."""

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, INK, RED, figure_of, nothing, plain

__all__ = ["stock_cover"]

_ROW_PIXELS = 34


def stock_cover(orders: pd.DataFrame) -> go.Figure:
    """How long the stock of what is to be ordered lasts, against how long an order takes.

    `orders` has name, location, days_of_cover, lead_time_days and order_quantity, a row a stock,
    the most urgent first.
    """
    title = "How long stock lasts"
    if not len(orders):
        return nothing(title, "there is nothing to order")
    late = int((orders["days_of_cover"] < orders["lead_time_days"]).sum())
    figure = figure_of(
        f"{late:,} of {len(orders):,} run out before what is ordered today arrives",
        "The most urgent orders, first at the top; what is on its way already is left out",
    )
    labels = [
        f"{plain(name)}, {plain(location)}"
        for name, location in zip(orders["name"], orders["location"], strict=True)
    ]
    is_late = orders["days_of_cover"] < orders["lead_time_days"]
    figure.add_bar(
        x=orders["days_of_cover"],
        y=labels,
        orientation="h",
        name="stock lasts",
        marker_color=[RED if soon else BLUE for soon in is_late],
        customdata=orders["order_quantity"],
        hovertemplate="lasts %{x:,.0f} days, order %{customdata:,}<extra></extra>",
        showlegend=False,
    )
    figure.add_scatter(
        x=orders["lead_time_days"],
        y=labels,
        mode="markers",
        name="an order of today arrives",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": INK}},
        hovertemplate="arrives in %{x:,.0f} days<extra></extra>",
    )
    figure.update_layout(height=180 + _ROW_PIXELS * len(orders), showlegend=True)
    figure.update_xaxes(title="days from now", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure
