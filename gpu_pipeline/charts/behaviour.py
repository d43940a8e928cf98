"""Pictures of what visitors do: how far they get, what they leave behind, who comes back."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, NEUTRAL, ORANGE, figure_of, nothing, plain, share_text

__all__ = ["abandonment_river", "funnel_steps", "retention_map"]


def funnel_steps(steps: pd.DataFrame) -> go.Figure:
    """How many get how far: a bar for each step, with the share of those who began.

    `steps` is what `funnels.funnel` gives: its entries, reached and censored are added up over
    days and groups. Journeys that may still go on stand beside those that reached the step.
    """
    if not len(steps) or not steps["entries"].sum():
        return nothing("How far visitors get", "nobody has begun yet")
    table = steps.groupby(["step", "name"], sort=True)[["entries", "reached", "censored"]].sum()
    table = table.reset_index()
    entries = float(table["entries"].iloc[0])
    lost = (table["reached"].shift() - table["reached"]).fillna(0)
    worst = int(lost.to_numpy().argmax())
    figure = figure_of(
        f"{share_text(table['reached'].iloc[-1] / entries)} of those who begin get to "
        f"“{plain(table['name'].iloc[-1])}”; most are lost before “{plain(table['name'][worst])}”",
        f"{entries:,.0f} journeys by the step they reached",
    )
    names = [plain(name) for name in table["name"]]
    figure.add_bar(
        x=table["reached"],
        y=names,
        orientation="h",
        name="reached",
        marker_color=BLUE,
        text=[f"{count:,} ({share_text(count / entries)})" for count in table["reached"]],
        textposition="auto",
        hovertemplate="%{x:,} reached %{y}<extra></extra>",
    )
    if table["censored"].sum():
        figure.add_bar(
            x=table["censored"],
            y=names,
            orientation="h",
            name="may still get there",
            marker_color=NEUTRAL,
            hovertemplate="%{x:,} may still reach %{y}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack", height=180 + 56 * len(table), legend={"traceorder": "normal"}
    )
    figure.update_xaxes(title="journeys", tickformat=",d", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def abandonment_river(daily: pd.DataFrame) -> go.Figure:
    """Carts that were left, day by day: the share of visits with a cart that bought nothing.

    `daily` has day, carted and abandoned_carts of contract `funnel_daily`; rows of one day are
    added up. The line is the mean of seven days, weighted by their carts.
    """
    title = "Carts left behind"
    if not len(daily) or not daily["carted"].sum():
        return nothing(title, "no cart was filled yet")
    counts = daily.groupby("day")[["carted", "abandoned_carts"]].sum()
    days = pd.date_range(counts.index.min(), counts.index.max(), freq="D", unit="us")
    counts = counts.reindex(days, fill_value=0)
    week = counts.rolling(7, min_periods=1).sum()
    total = counts.sum()
    figure = figure_of(
        f"{share_text(total['abandoned_carts'] / total['carted'])} of the visits that fill a cart "
        "leave it behind",
        f"{total['carted']:,} visits with a cart, day by day and over seven days",
    )
    shares = counts["abandoned_carts"] / counts["carted"].where(counts["carted"] > 0)
    figure.add_scatter(
        x=days,
        y=shares,
        mode="markers",
        name="a day",
        marker={"color": NEUTRAL, "size": 5},
        customdata=counts["carted"],
        hovertemplate="%{y:.0%} of %{customdata:,}<extra></extra>",
    )
    figure.add_scatter(
        x=days,
        y=week["abandoned_carts"] / week["carted"].where(week["carted"] > 0),
        mode="lines",
        name="seven days",
        line={"color": ORANGE, "width": 2.5},
        hovertemplate="%{y:.1%} over seven days<extra></extra>",
    )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="day", hoverformat="%A, %d %B %Y", tickformat="%d %b\n%Y")
    figure.update_yaxes(title="carts left behind", tickformat=".0%", rangemode="tozero")
    return figure


def retention_map(retention: pd.DataFrame) -> go.Figure:
    """Who comes back: the share of each cohort that orders again, period after period.

    `retention` is what `cohorts.retention` gives: cohort, periods_later (0 is its own) and
    share. Periods that are not over yet are not in it and stay empty.
    """
    title = "Who comes back"
    if not len(retention):
        return nothing(title, "nobody has ordered yet")
    later = retention[retention["periods_later"] > 0]
    table = later.pivot_table(index="cohort", columns="periods_later", values="share")
    if not table.size:
        return nothing(title, "no period after a first order is over yet")
    first = table[table.columns[0]].dropna()
    figure = figure_of(
        f"{share_text(float(np.median(first)))} of new customers order again in the next period",
        "Share of the customers of each first period who order in later ones (median above).",
    )
    cohorts = [f"{cohort:%d %b %Y}" for cohort in table.index]
    figure.add_heatmap(
        z=table.to_numpy(),
        x=[str(period) for period in table.columns],
        y=cohorts,
        colorscale=[[0, "white"], [1, BLUE]],
        zmin=0,
        zmax=float(np.nanmax(table)),
        texttemplate="%{z:.0%}",
        colorbar={"title": "share", "tickformat": ".0%"},
        hovertemplate="%{y}: %{z:.1%} order in period %{x}<extra></extra>",
        hoverongaps=False,
    )
    figure.update_layout(height=160 + 28 * len(table))
    figure.update_xaxes(title="periods after the first order", type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure
