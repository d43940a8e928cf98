"""The page: the answers with their pictures as one HTML file that needs no network."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gpu_pipeline import __version__
from gpu_pipeline.charts import (
    abandonment_river,
    forecast_fan,
    funnel_steps,
    migration_river,
    mood_line,
    rejections_bar,
    segment_heat_map,
    segment_map,
    sentiment_river,
    stock_cover,
)
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.report.answering import FEWEST_TEXTS, Answers, last_run, rows_of
from gpu_pipeline.report.reordering import money_text, stock_lines
from gpu_pipeline.report.tables import (
    ALERTS,
    FORECASTS,
    LOADS,
    ORDERS,
    PRODUCTS,
    REJECTIONS,
    RETURNS,
    SENTIMENT,
    TERMS,
    VISITS,
    WHAT_TO_DO,
    segment_columns,
    table_of,
    worth_columns,
)
from gpu_pipeline.report.unscored import unscored_line
from gpu_pipeline.store import Lake

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["write_report"]

SHOWN_FANS = 3
_METHODS = {
    "seasonal_naive": "last week again",
    "window_average": "average of late",
    "exponential_smoothing": "exponential smoothing",
    "intermittent": "intermittent demand",
    "dynamic_regression": "dynamic regression",
    "random_forest": "random forest",
    "boosted_trees": "boosted trees",
    "all": "all products",
}


def write_report(lake: Lake, path: Path, *, answers: Answers) -> Path:
    """Writes the answers with their pictures as one HTML page, and returns where it is.

    The page holds all it needs, plotly's 5 MB included, and forbids itself to load anything.

    Raises:
        PipelineError: the page can't be written there.
    """
    page = _page(answers, _pictures(lake, answers), _origin(lake))
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(page, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        message = f"Can't write the report to {path}: {error.strerror}. Name another file."
        raise PipelineError(message) from error
    return path


def _pictures(lake: Lake, answers: Answers) -> dict[str, "go.Figure"]:
    """The page's figures by the id of their place; none where there is nothing to see."""
    pictures = {}
    if len(answers.segments):
        pictures["segments"] = segment_map(answers.segments)
    traits = rows_of(lake, "segment_traits")
    if len(traits):
        pictures["traits"] = segment_heat_map(traits, answers.segments)
    if len(answers.moves):
        pictures["moves"] = migration_river(rows_of(lake, "segment_migration"))
    if len(answers.visit_funnel):
        pictures["visits"] = funnel_steps(answers.visit_funnel)
        carts = rows_of(lake, "funnel_daily", ["day", "carted", "abandoned_carts"])
        pictures["carts"] = abandonment_river(carts)
    pictures |= _fans(lake, answers.top_products.head(SHOWN_FANS))
    if len(answers.orders):
        pictures["orders"] = stock_cover(answers.orders)
    texts = rows_of(lake, "text_sentiment", ["created_at", "label"], as_of=answers.as_of)
    texts = texts[texts["label"].notna()]
    if len(texts):
        pictures["sentiment"] = sentiment_river(texts)
    if len(answers.alerts):
        pictures["mood"] = _mood(lake, answers.alerts)
    if len(answers.rejections):
        pictures["rejections"] = rejections_bar(answers.rejections)
    return pictures


def _fans(lake: Lake, products: pd.DataFrame) -> dict[str, "go.Figure"]:
    chosen = [("product_id", "in", products["product_id"].tolist())]
    demand = rows_of(lake, "demand_daily", ["product_id", "day", "units"], chosen)
    forecast = rows_of(lake, "demand_forecast", None, chosen)
    return {
        f"forecast-{place}": forecast_fan(
            demand[demand["product_id"] == product],
            forecast[forecast["product_id"] == product],
            name=name,
        )
        for place, (product, name) in enumerate(
            zip(products["product_id"], products["name"], strict=True), 1
        )
    }


def _mood(lake: Lake, alerts: pd.DataFrame) -> "go.Figure":
    """How the product of the first alert sounds day by day, or the aspect that it is about."""
    product, name, aspect = alerts.loc[0, ["product_id", "name", "aspect"]]
    chosen = [("product_id", "==", product), ("aspect", "==", aspect)]
    return mood_line(
        rows_of(lake, "product_sentiment_daily", None, chosen),
        rows_of(lake, "trend_alerts", None, chosen),
        about=f"{aspect} of {name}" if aspect else str(name),
    )


def _origin(lake: Lake) -> str:
    """Where the numbers come from, in one line."""
    run = last_run(lake)
    made = f"Run {run['run_id']} on {run['device']}" if run else "No run yet"
    versions = ", ".join(f"{table} {lake.version(table)}" for table in lake.tables())
    return f"{made}. Table versions: {versions or 'none'}. Written by gpu-pipeline {__version__}."


def _page(answers: Answers, pictures: Mapping[str, "go.Figure"], origin: str) -> str:
    from plotly.offline import get_plotlyjs

    library, drawing = get_plotlyjs(), _drawing(pictures)
    places = {name: f'<div class="figure" id="{name}"></div>' for name in pictures}
    policy = (
        f"default-src 'none'; script-src {_digest(library)} {_digest(drawing)}; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )
    body = [
        f"<h1>{_TITLE}</h1>",
        f'<p class="lead">{_moment(answers)}</p>',
        *_customers(answers, places),
        *_shopping(answers, places),
        *_demand(answers, places),
        *_ordering(answers, places),
        *_coming_back(answers),
        *_voices(answers, places),
        *_loading(answers, places),
        f"<footer>{escape(origin)}</footer>",
    ]
    return _PAGE.format(
        title=_TITLE,
        policy=policy,
        style=_STYLE,
        body="\n".join(body),
        library=library,
        drawing=drawing,
    )


def _moment(answers: Answers) -> str:
    if answers.as_of is None:
        return "Nothing was run yet."
    amounts = f" Amounts in {escape(answers.currency)}." if answers.currency else ""
    return f"As of {answers.as_of:%d %B %Y, %H:%M} UTC.{amounts}"


def _customers(answers: Answers, places: Mapping[str, str]) -> list[str]:
    has_before = bool(answers.segments["customers_before"].notna().any())
    return [
        "<h2>Who your customers are</h2>",
        places.get("segments", ""),
        table_of(answers.segments, segment_columns(answers.currency, has_before=has_before))
        or "<p>No segments yet: they come with a run over orders.</p>",
        places.get("traits", ""),
        table_of(answers.segments, WHAT_TO_DO),
        *_worth(answers),
        places.get("moves", ""),
    ]


def _worth(answers: Answers) -> list[str]:
    if not len(answers.worth):
        return []
    return [
        f"<h3>What they may bring in the next {answers.worth_days} days</h3>",
        table_of(answers.worth, worth_columns(answers.currency)),
    ]


def _shopping(answers: Answers, places: Mapping[str, str]) -> list[str]:
    heading = "<h2>How they shop</h2>"
    if not len(answers.visits):
        return [heading, "<p>No visits yet: they come with a run over clickstream.</p>"]
    return [
        heading,
        places.get("visits", ""),
        places.get("carts", ""),
        table_of(answers.visits.replace({"channel": {"all": "all channels"}}), VISITS),
    ]


def _coming_back(answers: Answers) -> list[str]:
    return [
        "<h2>What comes back</h2>",
        table_of(answers.returns, RETURNS)
        or "<p>Of no product does more come back than of its category, beyond chance.</p>",
    ]


def _demand(answers: Answers, places: Mapping[str, str]) -> list[str]:
    heading = "<h2>What will sell</h2>"
    if not len(answers.top_products):
        return [heading, "<p>No forecast yet: it comes with a run over orders.</p>"]
    return [
        heading,
        *(place for name, place in places.items() if name.startswith("forecast-")),
        table_of(answers.top_products.replace({"model": _METHODS}), PRODUCTS),
        "<h3>How good the forecasts are</h3>",
        table_of(answers.forecast_quality.replace({"model": _METHODS}), FORECASTS),
    ]


def _ordering(answers: Answers, places: Mapping[str, str]) -> list[str]:
    heading = "<h2>What to order now</h2>"
    if not len(answers.stock):
        return [heading, "<p>No plan yet: it comes with a run over inventory and orders.</p>"]
    amounts = zip(answers.orders["order_cost"], answers.orders["currency"], strict=True)
    costs = [money_text(amount, currency) for amount, currency in amounts]
    return [
        heading,
        f"<p>{escape(' '.join(stock_lines(answers.stock)))}</p>",
        places.get("orders", ""),
        table_of(answers.orders.assign(cost=costs), ORDERS),
    ]


def _voices(answers: Answers, places: Mapping[str, str]) -> list[str]:
    return [
        "<h2>What people say</h2>",
        places.get("sentiment", ""),
        table_of(answers.sentiment, SENTIMENT)
        or f"<p>No product has {FEWEST_TEXTS} or more texts yet.</p>",
        f"<p>{escape(unscored_line(answers.unscored))}</p>" if len(answers.unscored) else "",
        "<h3>What changed</h3>",
        places.get("mood", ""),
        table_of(answers.alerts, ALERTS) or "<p>Nothing beyond chance.</p>",
        table_of(answers.rising_terms, TERMS),
    ]


def _loading(answers: Answers, places: Mapping[str, str]) -> list[str]:
    return [
        "<h2>What was loaded, and what was left out</h2>",
        table_of(answers.loads, LOADS) or "<p>Nothing was loaded yet.</p>",
        places.get("rejections", ""),
        table_of(answers.rejections, REJECTIONS) or "<p>Every row was taken.</p>",
    ]


def _drawing(pictures: Mapping[str, "go.Figure"]) -> str:
    """The script that draws the figures; plotly writes `<` and `>` of their texts as escapes."""
    figures = ",".join(
        f"{json.dumps(name)}:{figure.to_json()}" for name, figure in pictures.items()
    )
    return _DRAW.replace("FIGURES", f"{{{figures}}}")


def _digest(script: str) -> str:
    """How a page's policy names a script that it may run: by its content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


_TITLE = "What your data says"
_DRAW = """
const figures = FIGURES;
const config = {responsive: true, displayModeBar: false};
for (const [id, figure] of Object.entries(figures)) {
  Plotly.newPlot(id, figure.data, figure.layout, config);
}
"""
_STYLE = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1.25rem; color: #222; background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
h1 { font-size: 2rem; margin-bottom: 0 }
h2 { margin-top: 3rem; padding-top: 1rem; border-top: 2px solid #0072b2; font-size: 1.4rem }
p.lead { color: #5f6368; margin-top: 0.25rem }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; margin: 1rem 0 }
th, td { padding: 0.35rem 0.6rem; text-align: left; border-bottom: 1px solid #e4e6ea }
td.code, td.number { white-space: nowrap }
th { vertical-align: bottom; color: #5f6368; font-weight: 600 }
.number { text-align: right; font-variant-numeric: tabular-nums }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid #e4e6ea; color: #5f6368;
  font-size: 0.8rem; overflow-wrap: anywhere }
@media print { h2, .figure, tr { break-inside: avoid } }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script>{library}</script>
<script>{drawing}</script>
</body>
</html>
"""
