"""Pictures of demand."""

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, NEUTRAL, SKY, figure_of, nothing, plain

__all__ = ["HISTORY_WEEKS", "forecast_fan"]

NAIVE = "seasonal_naive"
HISTORY_WEEKS = 8


def forecast_fan(history: pd.DataFrame, forecast: pd.DataFrame, *, name: str) -> go.Figure:
    """What one product sold in the last weeks, what it is expected to sell, and how sure that is.

    `history` has day and units of contract `demand_daily`: days that are not there sold nothing.
    `forecast` has the columns of contract `demand_forecast`. Days after its `as_of` had not ended
    and are left out of the history. A band is where four days of five should fall.
    """
    title = f"Demand for {plain(name)}"
    if not len(forecast):
        return nothing(title, "no forecast for this product")
    days = forecast.sort_values("day")
    figure = figure_of(
        f"{plain(name)}: {days['mean'].sum():,.0f} units expected in {len(days):,} days",
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


def _test_result(days: pd.DataFrame) -> str:
    error, naive = float(days["error"].iloc[0]), float(days["naive_error"].iloc[0])
    model = str(days["model"].iloc[0])
    if model == NAIVE:
        return f"The last week again. In the last test that was off by {naive:,.1f} units a day."
    return (
        f"In the last test {plain(model)} was off by {error:,.1f} units a day, "
        f"the last week again by {naive:,.1f}."
    )


def _daily_units(history: pd.DataFrame, *, until: pd.Timestamp) -> "pd.Series[int]":
    """Units on each of the last days up to `until`, 0 where there is no row."""
    days = pd.date_range(end=until, periods=7 * HISTORY_WEEKS, freq="D", unit="us")
    units = history.groupby("day")["units"].sum()
    return units.reindex(days, fill_value=0)
