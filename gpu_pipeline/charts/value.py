"""Pictures of what customers are worth, and how well that was foretold."""

from math import isnan

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, NEUTRAL, ORANGE, figure_of, nothing, share_text

__all__ = ["value_calibration", "value_lift"]


def value_lift(deciles: pd.DataFrame, *, unit: str = "value") -> go.Figure:
    """What each tenth of the customers, best first, was expected to bring, and what it brought.

    `deciles` has decile, customers, predicted and actual (sums over these customers) and share (of
    all that came), as `customer_value.decile_table` gives them; `unit` says what is counted.
    """
    if not len(deciles):
        return nothing("Who brings how much", "there was no period to test on")
    table = deciles.sort_values("decile")
    best = float(table["share"].iloc[0])
    brought = "brought nothing" if isnan(best) else f"brought {share_text(best)} of all"
    figure = figure_of(
        f"The tenth expected to bring most {brought}",
        "Customers in tenths by what was expected of them, tested on a later period; "
        "above, each tenth's share of all that came",
    )
    each = {name: table[name] / table["customers"] for name in ("predicted", "actual")}
    for name, colour in (("predicted", NEUTRAL), ("actual", BLUE)):
        figure.add_bar(
            x=table["decile"],
            y=each[name],
            name=name,
            marker_color=colour,
            hovertemplate=f"{name} %{{y:,.2f}} a customer<extra></extra>",
        )
    figure.add_scatter(
        x=table["decile"],
        y=pd.concat(each, axis=1).max(axis=1).clip(lower=0),
        mode="text",
        text=["" if isnan(share) else share_text(share) for share in table["share"]],
        textposition="top center",
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="tenth of the customers, 1 the best", dtick=1, showgrid=False)
    figure.update_yaxes(title=f"{unit} a customer (mean)", tickformat=",", rangemode="tozero")
    return figure


def value_calibration(bins: pd.DataFrame, *, unit: str = "value") -> go.Figure:
    """What was expected of groups of customers against what came: on the line all is as expected.

    `bins` has customers, predicted and actual (sums over these customers), a row a group, such as
    `customer_value.decile_table` gives; of probabilities the sums are expected numbers.
    """
    title = "Expected and observed"
    if not len(bins):
        return nothing(title, "there was no period to test on")
    predicted = bins["predicted"] / bins["customers"]
    actual = bins["actual"] / bins["customers"]
    total, came = float(bins["predicted"].sum()), float(bins["actual"].sum())
    figure = figure_of(
        _bias_title(total, came),
        f"{bins['customers'].sum():,} customers in {len(bins)} groups by what was expected of them",
    )
    ends = [min(0.0, predicted.min(), actual.min()), max(predicted.max(), actual.max())]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        name="as expected",
        line={"color": NEUTRAL, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=predicted,
        y=actual,
        mode="lines+markers",
        name="observed",
        line={"width": 2.5, "color": ORANGE},
        marker={"size": 9},
        customdata=bins["customers"],
        hovertemplate=(
            "%{y:,.3g} came, %{x:,.3g} were expected<br>%{customdata:,} customers<extra></extra>"
        ),
    )
    figure.update_xaxes(title=f"expected {unit} a customer", tickformat=",")
    figure.update_yaxes(title=f"observed {unit} a customer", tickformat=",")
    return figure


def _bias_title(predicted: float, actual: float) -> str:
    if actual <= 0:
        return "Nothing came of what was expected"
    bias = predicted / actual - 1
    if abs(bias) < 0.005:
        return "What was expected came"
    side = "more" if bias > 0 else "less"
    return f"{share_text(abs(bias))} {side} was expected than came"
