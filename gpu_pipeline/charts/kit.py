"""What all charts share: colours, type, axes, and how texts and shares are written."""

from html import escape

import plotly.graph_objects as go

__all__ = [
    *("BLUE", "GREEN", "INK", "NEUTRAL", "ORANGE", "PURPLE", "RED", "SKY", "SERIES"),
    *("figure_of", "nothing", "plain", "share_text"),
]

ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    *("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"),
)
INK, FAINT, GRID, NEUTRAL = "#222222", "#5F6368", "#E4E6EA", "#B9BEC6"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def figure_of(title: str, subtitle: str) -> go.Figure:
    """An empty figure in the kit's look."""
    figure = go.Figure(layout={"template": _theme()})
    figure.update_layout(title={"text": title, "subtitle": {"text": subtitle}})
    return figure


def nothing(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    figure = figure_of(title, "")
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
            "font": {"family": FONT, "size": 14, "color": INK},
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
            "colorway": SERIES,
            "margin": {"l": 64, "r": 24, "t": 108, "b": 56},
            "height": 440,
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": "white", "font": {"family": FONT, "size": 13, "color": INK}},
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def plain(value: str) -> str:
    """The value as it stands: plotly would take tags in it for markup."""
    return escape(value, quote=False)


def share_text(value: float) -> str:
    """A percentage with as many digits as a small one needs."""
    if 0 < value < 0.0005:
        return "under 0.1%"
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}"
