"""Answering: what a lake says about its shop, as small host frames."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.inventory import Units
from gpu_pipeline.publish import Snapshot, current_version
from gpu_pipeline.report.customers import largest_moves, told_segments, worth_by_segment
from gpu_pipeline.report.reordering import stock_totals, urgent_orders
from gpu_pipeline.report.trends import latest_alerts, risen_topics, told_alerts
from gpu_pipeline.report.unscored import TEXT_COLUMNS, unscored_languages
from gpu_pipeline.report.visiting import visit_funnel, visits_by_channel, visits_of_late
from gpu_pipeline.store import Condition, Lake

__all__ = ["Answers", "answers", "last_run", "rows_of"]

SHOWN_PRODUCTS = 10
FEWEST_TEXTS = 20
_REJECTED = "_rejected"


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a lake says about its shop, in small host frames; empty ones where it says nothing.

    segments: contract `segment_profiles`, with amounts in major units of `currency`, and `apart`:
        what sets each apart from the others, in words.
    moves: the five largest groups of customers who are in another segment than at the moment
        before: from_name, to_name, customers, share_of_from.
    worth: a row a segment and a last one "all": name, customers, expected_value (the mean of what
        one brings over the next `worth_days`), value_share, churn_risk (the mean chance that one
        buys nothing by then), churning_share (those for whom it is above a half).
    top_products: the ten with most units expected over the horizon. product_id, name; `units`, the
        sum of the days' means; `units_low` and `units_high`, p10 and p90 of that sum; model; error
        and naive_error, mean absolute, units a day, in the last test window, which the choice of
        the model had not seen; improvement, 1 - error / naive_error.
    forecast_quality: a row a model, and a last one "all": products, error and naive_error summed
        over them, improvement.
    orders: the ten orders of `reorder_plan` without which most money's worth of units will be
        missing: product_id, name, location; left, the units on hand now; on_order, days_of_cover,
        lead_time_days, stockout_risk, units_short, order_quantity; order_cost in major units of
        `currency`.
    stock: a row a currency: stocks (products at locations), orders, order_units, order_cost,
        overstocks, overstock_units, overstock_cost; costs in major units.
    rejections: source, reason, rows, most first. A row that breaks several rules counts for each.
    loads: contract, file, rows, accepted, rejected, duplicates.
    visit_funnel: step, name, entries, reached, censored, share_of_entries: how many visits of the
        last 28 days got how far.
    visits: a row a channel and a last one "all", of the same days: channel, sessions,
        pages_per_session, bounce_rate, cart_abandonment_rate, conversion_rate.
    returns: the ten products that come back most, of those of which more comes back than of their
        category beyond chance (95 %): product_id, name, category, units_sold_last_13_weeks,
        return_rate, return_rate_low, category_return_rate, contacts_per_1000_sold.
    sentiment: the ten products with the largest share of negative texts among those with 20 texts
        or more: product_id, name, texts, and the shares negative and positive. Those without a
        label don't count.
    unscored: the languages of texts without a label, most first: language, texts, share (of all).
    alerts: what people began to say otherwise, the open and the latest first, at most ten:
        product_id, name, aspect, kind, opened_at, closed_at (missing while on), told (in words),
        example (a text that shows it; "" where none is in the lake any more).
    rising_terms: the ten topics that rose most: term, people, people_before, growth, product_id.
    as_of: the moment (UTC) of the last run; None before the first.
    currency: ISO 4217 code, "" where there are no amounts.
    forecast_days: the first and the last day of the forecasts; None where there are none.
    worth_days: how far customer values look ahead; 0 where there are none.
    """

    segments: pd.DataFrame
    moves: pd.DataFrame
    worth: pd.DataFrame
    top_products: pd.DataFrame
    forecast_quality: pd.DataFrame
    orders: pd.DataFrame
    stock: pd.DataFrame
    rejections: pd.DataFrame
    loads: pd.DataFrame
    sentiment: pd.DataFrame
    unscored: pd.DataFrame
    visit_funnel: pd.DataFrame
    visits: pd.DataFrame
    returns: pd.DataFrame
    alerts: pd.DataFrame
    rising_terms: pd.DataFrame
    as_of: datetime | None
    currency: str
    forecast_days: tuple[datetime, datetime] | None
    worth_days: int


def answers(lake: Lake) -> Answers:
    """The answers that stand in the lake's tables now; a lake without a run has only loads."""
    profiles = rows_of(lake, "segment_profiles")
    tested, plan = _tested_products(lake), rows_of(lake, "reorder_plan")
    ran = last_run(lake).get("as_of")
    moment = datetime.fromisoformat(ran) if ran else None
    late = visits_of_late(rows_of(lake, "funnel_daily"))
    return Answers(
        segments=told_segments(profiles, rows_of(lake, "segment_traits")),
        moves=largest_moves(rows_of(lake, "segment_migration")),
        worth=worth_by_segment(lake),
        top_products=_named(lake, _top_products(tested)),
        forecast_quality=_forecast_quality(tested),
        orders=_named(lake, urgent_orders(plan)),
        stock=stock_totals(plan),
        rejections=_rejections(lake),
        loads=_loads(lake),
        sentiment=_named(lake, _product_sentiment(lake, moment)),
        unscored=unscored_languages(rows_of(lake, "text_sentiment", TEXT_COLUMNS, as_of=moment)),
        visit_funnel=visit_funnel(late),
        visits=visits_by_channel(late),
        returns=_named(lake, _returns(lake)),
        alerts=told_alerts(_named(lake, latest_alerts(rows_of(lake, "trend_alerts"))), lake),
        rising_terms=risen_topics(rows_of(lake, "rising_terms")),
        as_of=moment,
        currency=str(profiles["currency"].iloc[0]) if len(profiles) else "",
        forecast_days=_forecast_days(lake),
        worth_days=int(lake.note("customer_value").get("horizon_days", 0)),
    )


def rows_of(
    lake: Lake,
    table: str,
    columns: Sequence[str] | None = None,
    where: Sequence[Condition] = (),
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """The table's rows on the host; none, with its columns, where there is no table."""
    if lake.version(table) is None:
        return lake.backend.to_pandas(lake.backend.empty(contract(table), columns))
    rows = lake.read(table, columns, where, as_of=as_of).compute()
    return lake.backend.to_pandas(rows).reset_index(drop=True)


def _tested_products(lake: Lake) -> pd.DataFrame:
    """A row a product with a forecast: units, units_low, units_high, model and its errors."""
    columns = ["product_id", "horizon", "mean", "total_sd", "model", "error", "naive_error"]
    rows = rows_of(lake, "demand_forecast", columns).sort_values("horizon")
    table = rows.groupby("product_id", as_index=False).agg(
        units=("mean", "sum"),
        spread=("total_sd", "last"),
        model=("model", "first"),
        error=("error", "first"),
        naive_error=("naive_error", "first"),
    )
    units, variance = table["units"].to_numpy(), table.pop("spread").to_numpy() ** 2
    sold = Units(units, variance, Backend.choose("cpu"))
    for place, (name, probability) in enumerate([("units_low", 0.1), ("units_high", 0.9)], start=2):
        table.insert(place, name, sold.quantile(probability))
    return _with_improvement(table)


def _forecast_days(lake: Lake) -> tuple[datetime, datetime] | None:
    days = rows_of(lake, "demand_forecast", ["day"])["day"]
    return (days.min().to_pydatetime(), days.max().to_pydatetime()) if len(days) else None


def _with_improvement(table: pd.DataFrame) -> pd.DataFrame:
    """`improvement` beside the errors; missing where the naive one is 0."""
    naive = table["naive_error"].where(table["naive_error"] > 0)
    return table.assign(improvement=1 - table["error"] / naive)


def _top_products(tested: pd.DataFrame) -> pd.DataFrame:
    ordered = tested.sort_values(["units", "product_id"], ascending=[False, True])
    return ordered.head(SHOWN_PRODUCTS).reset_index(drop=True)


def _forecast_quality(tested: pd.DataFrame) -> pd.DataFrame:
    everything = tested.assign(model="all") if len(tested) else tested
    both = pd.concat([tested, everything], ignore_index=True)
    table = both.groupby("model", sort=False).agg(
        products=("product_id", "size"), error=("error", "sum"), naive_error=("naive_error", "sum")
    )
    ranked = table.assign(last=table.index == "all").sort_values(
        ["last", "products"], ascending=[True, False]
    )
    return _with_improvement(ranked.drop(columns="last").reset_index())


def _rejections(lake: Lake) -> pd.DataFrame:
    found = [
        _reasons(rows_of(lake, table, ["reasons"])["reasons"], table.removesuffix(_REJECTED))
        for table in lake.tables()
        if table.endswith(_REJECTED)
    ]
    kinds = {"source": "str", "reason": "str", "rows": "int64"}
    empty = pd.DataFrame({name: [] for name in kinds})
    ordered = pd.concat([empty, *found]).sort_values(
        ["rows", "source", "reason"], ascending=[False, True, True], ignore_index=True
    )
    return ordered.astype(kinds)


def _reasons(reasons: "pd.Series[str]", source: str) -> pd.DataFrame:
    counted = reasons.value_counts().rename_axis("reason").reset_index(name="rows")
    single = counted.assign(reason=counted["reason"].str.split("; ", regex=False)).explode("reason")
    return single.groupby("reason")["rows"].sum().reset_index().assign(source=source)


def _loads(lake: Lake) -> pd.DataFrame:
    columns = ["contract", "name", "rows", "accepted", "rejected", "duplicates"]
    files = rows_of(lake, "source_files", columns).rename(columns={"name": "file"})
    return files.sort_values(["contract", "file"], ignore_index=True)


def _product_sentiment(lake: Lake, as_of: datetime | None) -> pd.DataFrame:
    texts = rows_of(lake, "text_sentiment", ["product_id", "label"], as_of=as_of)
    texts = texts[texts["label"].notna()]
    table = (
        texts.assign(negative=texts["label"] == "negative", positive=texts["label"] == "positive")
        .groupby("product_id")
        .agg(texts=("label", "size"), negative=("negative", "mean"), positive=("positive", "mean"))
        .reset_index()
    )
    enough = table[table["texts"] >= FEWEST_TEXTS]
    worst = enough.sort_values(["negative", "product_id"], ascending=[False, True])
    return worst.head(SHOWN_PRODUCTS).reset_index(drop=True)


def _returns(lake: Lake) -> pd.DataFrame:
    columns = [
        *("product_id", "category", "units_sold_last_13_weeks", "return_rate"),
        *("return_rate_low", "category_return_rate", "contacts_per_1000_sold"),
    ]
    weeks = rows_of(lake, "product_quality", [*columns, "week"]).sort_values("week")
    last = weeks.drop_duplicates("product_id", keep="last")[columns]
    above = last[last["return_rate_low"] > last["category_return_rate"]]
    ordered = above.sort_values(["return_rate", "product_id"], ascending=[False, True])
    return ordered.head(SHOWN_PRODUCTS).reset_index(drop=True)


def _named(lake: Lake, products: pd.DataFrame) -> pd.DataFrame:
    """With `name` beside `product_id`; the id again where nothing is published."""
    names = {product: product for product in products["product_id"]}
    if current_version(lake.serving) is not None:
        snapshot = Snapshot.open(lake.serving)
        try:
            found = {product: snapshot.product(product) for product in names}
        finally:
            snapshot.close()
        names |= {product: row["name"] for product, row in found.items() if row is not None}
    table = products.copy()
    table.insert(1, "name", products["product_id"].map(names).astype("str"))
    return table


def last_run(lake: Lake) -> dict[str, Any]:
    """The record of the last run that finished; empty before the first."""
    paths = list((lake.path / "runs").glob("*.json"))
    # Names begin with the second of the start: two runs in one differ by when they ended.
    paths.sort(key=lambda at: (at.stem.rpartition("-")[0], at.stat().st_mtime_ns))
    records = (json.loads(path.read_text()) for path in reversed(paths))
    return next((record for record in records if record["finished"]), {})
