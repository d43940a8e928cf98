"""Pictures of demand."""

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import BLUE, GRID, NEUTRAL, SKY, figure_of, nothing, plain

__all__ = ["HISTORY_WEEKS", "forecast_fan", "series_fan"]

NAIVE = "seasonal_naive"
HISTORY_WEEKS = 8
_FEWEST_PERIODS, _PERIODS_A_STEP = 56, 4  # of history, by those of the forecast


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
    _add_bands(figure, days["day"], days[["p10", "p90"]])
    _add_expected(figure, days["day"], days["mean"])
    figure.update_layout(hovermode="x unified", bargap=0.25)
    figure.update_xaxes(title="day", hoverformat="%A, %d %B %Y", tickformat="%d %b\n%Y")
    figure.update_yaxes(title="units a day", rangemode="tozero", tickformat=",")
    return figure


def series_fan(
    history: pd.DataFrame, forecast: pd.DataFrame, *, name: str, unit: str = "units"
) -> go.Figure:
    """What one series was, what it is expected to be, and how sure that is.

    `history` has ds and y, and may have `observed` (False: y is only what was usual, not seen).
    `forecast` has ds, mean and quantiles p01 to p99, of which two that are as far from p50 make
    a band. Of the history the last periods are shown: 56, or four times those of the forecast.
    """
    if not len(forecast):
        return nothing(f"Demand for {plain(name)}", "no forecast for this series")
    ahead, word = forecast.sort_values("ds"), _period_word(forecast["ds"])
    quantiles = _pairs(ahead)
    shares = " and ".join(f"{high - low}" for low, high in quantiles)
    total = f"{ahead['mean'].sum():,.0f} {plain(unit)}"
    figure = figure_of(
        f"{plain(name)}: {total} expected in {len(ahead):,} {word}s",
        f"{shares} of 100 {word}s should fall within the band." if quantiles else "",
    )
    periods = max(_FEWEST_PERIODS, _PERIODS_A_STEP * len(ahead))
    shown = history.sort_values("ds").tail(periods)
    is_seen = shown["observed"] if "observed" in shown.columns else shown["y"].notna()
    for label, color, rows in (("was", NEUTRAL, is_seen), ("not seen, usual", GRID, ~is_seen)):
        if rows.any():
            figure.add_bar(
                x=shown["ds"][rows],
                y=shown["y"][rows],
                name=label,
                marker_color=color,
                hovertemplate=f"%{{y:,.1f}} {label}<extra></extra>",
            )
    for low, high in quantiles:
        _add_bands(figure, ahead["ds"], ahead[[f"p{low}", f"p{high}"]])
    _add_expected(figure, ahead["ds"], ahead["mean"])
    figure.update_layout(hovermode="x unified", bargap=0.25, barmode="overlay")
    figure.update_xaxes(title=word, hoverformat="%A, %d %B %Y", tickformat="%d %b\n%Y")
    figure.update_yaxes(title=f"{plain(unit)} a {word}", rangemode="tozero", tickformat=",")
    return figure


def _period_word(ds: "pd.Series[pd.Timestamp]") -> str:
    """Day or week, by what lies between two periods."""
    apart = ds.sort_values().diff().min()
    return "week" if apart >= pd.Timedelta(days=7) else "day"


def _pairs(forecast: pd.DataFrame) -> list[tuple[int, int]]:
    """Quantiles in percent that lie as far below p50 as above it, the widest first."""
    percents = [int(name[1:]) for name in forecast.columns if _is_quantile(str(name))]
    return [(low, 100 - low) for low in sorted(percents) if low < 50 and 100 - low in percents]


def _is_quantile(name: str) -> bool:
    return name[:1] == "p" and name[1:].isdigit()


def _add_bands(figure: go.Figure, x: "pd.Series[pd.Timestamp]", edges: pd.DataFrame) -> None:
    """A band between two columns."""
    low, high = edges.columns
    for edge, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(
            x=x,
            y=edges[edge],
            name=f"{low} to {high}",
            mode="lines",
            line={"width": 0, "color": SKY},
            fill=fill,
            fillcolor="rgba(86, 180, 233, 0.35)",
            showlegend=fill is not None,
            hovertemplate=f"{edge} %{{y:,.1f}}<extra></extra>",
        )


def _add_expected(
    figure: go.Figure, x: "pd.Series[pd.Timestamp]", mean: "pd.Series[float]"
) -> None:
    figure.add_scatter(
        x=x,
        y=mean,
        name="expected",
        mode="lines",
        line={"width": 2.5, "color": BLUE},
        hovertemplate="%{y:,.1f} expected<extra></extra>",
    )


def _test_result(days: pd.DataFrame) -> str:
    error, naive = float(days["error"].iloc[0]), float(days["naive_error"].iloc[0])
    model = str(days["model"].iloc[0])
    if model == NAIVE:
        return f"The last week again. In the last test that was off by {naive:,.1f} units a day."
    return (
        f"Mostly {plain(model.replace('_', ' '))}. In the last test the forecast was off by "
        f"{error:,.1f} units a day, the last week again by {naive:,.1f}."
    )


def _daily_units(history: pd.DataFrame, *, until: pd.Timestamp) -> "pd.Series[int]":
    """Units on each of the last days up to `until`, 0 where there is no row."""
    days = pd.date_range(end=until, periods=7 * HISTORY_WEEKS, freq="D", unit="us")
    units = history.groupby("day")["units"].sum()
    return units.reindex(days, fill_value=0)
