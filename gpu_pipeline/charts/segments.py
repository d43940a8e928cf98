"""Pictures of segments: what sets each apart, how many there are and why, and who moved."""

from collections.abc import Collection
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from gpu_pipeline.charts.kit import (
    BLUE,
    INK,
    NEUTRAL,
    ORANGE,
    SERIES,
    SKY,
    figure_of,
    nothing,
    plain,
    share_text,
)

__all__ = ["SHOWN_FEATURES", "migration_river", "segment_choice", "segment_heat_map"]

SHOWN_FEATURES = 8
_LINE_CHARACTERS = 16
_MOST_COLOURED = 2.5  # standard deviations
_MEASURES = {"silhouette": BLUE, "stability": ORANGE}
_NOWHERE = -2  # in a migration: those who were not there before, or are no longer


def segment_heat_map(traits: pd.DataFrame, profiles: pd.DataFrame) -> go.Figure:
    """Segments by features: how far each is from all customers, and its own value in the cell.

    `traits` has segment, feature, effect (standard deviations), label and text, a row for each
    cell, as `segmentation.all_traits` gives them or contract `segment_traits` holds them;
    `profiles` has segment and name. The features in which segments differ most are shown.
    """
    if not len(traits):
        return nothing("What sets segments apart", "no segments yet")
    names = {int(n): name for n, name in zip(profiles["segment"], profiles["name"], strict=True)}
    strongest = traits.iloc[traits["effect"].abs().to_numpy().argmax()]
    spread = traits["effect"].abs().groupby(traits["feature"]).max()
    shown = list(spread.sort_values(ascending=False, kind="stable").index[:SHOWN_FEATURES])
    hidden = len(spread) - len(shown)
    effects, labels, texts = (
        traits.pivot(index="segment", columns="feature", values=column)[shown]
        for column in ("effect", "label", "text")
    )
    figure = figure_of(
        f"“{plain(names[int(strongest['segment'])])}” stand out most: {plain(strongest['text'])}",
        "Medians of each segment; the colour is the distance from all customers"
        + (f" ({hidden} features that differ less are not shown)" if hidden else ""),
    )
    # One segment far out would leave all others pale.
    most = min(float(traits["effect"].abs().max()), _MOST_COLOURED) or 1.0
    figure.add_heatmap(
        z=effects.to_numpy(),
        x=[_wrapped(feature.replace("_", " ")) for feature in shown],
        y=[_wrapped(names[int(segment)], characters=28) for segment in effects.index],
        text=labels.fillna("").map(_wrapped).to_numpy(),
        customdata=texts.fillna("").map(plain).to_numpy(),
        texttemplate="%{text}",
        textfont={"color": INK, "size": 12},
        colorscale=[[0, SKY], [0.5, "white"], [1, ORANGE]],
        zmin=-most,
        zmax=most,
        xgap=2,
        ygap=2,
        colorbar={
            "title": {"text": "standard<br>deviations", "font": {"size": 13}},
            "tickformat": "+.1f",
        },
        hovertemplate="%{y}: %{customdata}<br>%{z:+.2f} standard deviations<extra></extra>",
        hoverongaps=False,
    )
    figure.update_layout(height=220 + 48 * len(effects))
    figure.update_xaxes(title="feature", type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def segment_choice(choice: pd.DataFrame, *, chosen: int) -> go.Figure:
    """How well each number of segments tells customers apart, and how well it repeats.

    `choice` has n_segments, silhouette and stability, from -1 and 0 to 1; `chosen` is the number
    of segments that was taken.
    """
    if not len(choice):
        return nothing("How many segments", "their number was given")
    table = choice.sort_values("n_segments")
    at = table[table["n_segments"] == chosen]
    found = "; ".join(f"{name} {at[name].iloc[0]:.2f}" for name in _MEASURES if len(at))
    figure = figure_of(
        f"{chosen} segments" + (f": {found}" if found else ""),
        "Silhouette: how far apart segments lie. Stability: how alike they are when customers are "
        "drawn anew.",
    )
    for name, colour in _MEASURES.items():
        figure.add_scatter(
            x=table["n_segments"],
            y=table[name],
            name=name,
            mode="lines+markers",
            line={"width": 2.5, "color": colour},
            marker={"size": [14 if n == chosen else 7 for n in table["n_segments"]]},
            hovertemplate=f"{name} %{{y:.3f}}<extra></extra>",
        )
    figure.add_vline(x=chosen, line={"color": NEUTRAL, "dash": "dot"}, layer="below")
    figure.add_annotation(
        x=chosen, y=1, yref="paper", text="chosen", showarrow=False, xanchor="left", xshift=6
    )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="number of segments", dtick=1, tickformat="d")
    figure.update_yaxes(title="silhouette, stability", rangemode="tozero", tickformat=".1f")
    return figure


def migration_river(migration: pd.DataFrame) -> go.Figure:
    """Who moved from which segment to which between two moments; who stayed is grey.

    `migration` has the columns of contract `segment_migration`.
    """
    there = migration["from_segment"] != _NOWHERE
    both = migration[there & (migration["to_segment"] != _NOWHERE)]
    if not len(both):
        return nothing("Who moved between segments", "there is nothing before to compare with")
    moved = both[both["from_segment"] != both["to_segment"]]
    share = float(moved["customers"].sum() / both["customers"].sum())
    who = f"{share_text(share)} of the customers are" if share else "Nobody is"
    figure = figure_of(
        f"{who} in another segment than before",
        f"{_largest_move(moved)}Left before, right now; who stayed is grey.",
    )
    colours = _colours({*both["from_segment"], *both["to_segment"]})
    left, right = (_names(migration, side) for side in ("from", "to"))
    stays = migration["from_segment"] == migration["to_segment"]
    nodes = [*left.items(), *right.items()]
    figure.add_sankey(
        arrangement="snap",
        valueformat=",d",
        node={
            "label": [plain(name) for _, name in nodes],
            "color": [colours.get(number, NEUTRAL) for number, _ in nodes],
            "pad": 18,
            "thickness": 16,
            "line": {"width": 0},
            "hovertemplate": "%{label}: %{value:,d} customers<extra></extra>",
        },
        link={
            "source": [list(left).index(n) for n in migration["from_segment"]],
            "target": [len(left) + list(right).index(n) for n in migration["to_segment"]],
            "value": list(migration["customers"]),
            "color": [
                _faint(NEUTRAL if stay else colours.get(n, NEUTRAL))
                for n, stay in zip(migration["to_segment"], stays, strict=True)
            ],
            "customdata": list(migration["share_of_from"]),
            "hovertemplate": (
                "%{source.label} → %{target.label}<br>%{value:,d} customers, "
                "%{customdata:.1%} of those on the left<extra></extra>"
            ),
        },
    )
    figure.update_layout(height=200 + 56 * max(len(left), len(right)))
    return figure


def _largest_move(moved: pd.DataFrame) -> str:
    if not len(moved):
        return ""
    largest = moved.iloc[moved["customers"].to_numpy().argmax()]
    return (
        f"The largest group ({largest['customers']:,}) went from “{plain(largest['from_name'])}” "
        f"to “{plain(largest['to_name'])}”. "
    )


def _names(migration: pd.DataFrame, side: str) -> dict[int, str]:
    """The names of one side by number, those who have none last."""
    pairs = {*zip(migration[f"{side}_segment"], migration[f"{side}_name"], strict=True)}
    return dict(sorted(pairs, key=lambda pair: (pair[0] == _NOWHERE, pair[0])))


def _colours(segments: Collection[int]) -> dict[int, str]:
    return {number: SERIES[i % len(SERIES)] for i, number in enumerate(sorted(segments))}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.45)"


def _wrapped(text: str, *, characters: int = _LINE_CHARACTERS) -> str:
    """The text over a few lines, since axes don't break it; markup in it is shown."""
    return "<br>".join(plain(line) for line in wrap(text, characters))
