"""Pictures of what was loaded."""

from textwrap import shorten, wrap

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import ORANGE, figure_of, nothing, plain

__all__ = ["SHOWN_REASONS", "rejections_bar"]

SHOWN_REASONS = 15
_LABEL_CHARACTERS, _LABEL_LINES = 44, 3


def rejections_bar(rejections: pd.DataFrame) -> go.Figure:
    """What was left out on loading and why: a bar for each source and reason, most rows on top.

    `rejections` has source, reason and rows. A row that breaks several rules stands under each.
    """
    if not len(rejections):
        return nothing("Rows left out", "every row was taken")
    ordered = rejections.sort_values(["rows", "source", "reason"], ascending=[False, True, True])
    shown, rest = ordered[:SHOWN_REASONS], ordered[SHOWN_REASONS:]
    figure = figure_of(
        f"Most rows left out: {plain(shown['source'].iloc[0])}, "
        f"{plain(shorten(shown['reason'].iloc[0], _LABEL_CHARACTERS, placeholder=' …'))}",
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
            f"<b>{plain(source)}</b> {_wrapped(reason)}"
            for source, reason in zip(shown["source"], shown["reason"], strict=True)
        ],
    )
    return figure


def _wrapped(reason: str) -> str:
    lines = wrap(reason, _LABEL_CHARACTERS, max_lines=_LABEL_LINES, placeholder=" …")
    return "<br>".join(plain(line) for line in lines)
