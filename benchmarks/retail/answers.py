"""The questions of questions.sql, answered with the library where it can, else with Dask frames.

A function a question, of the same name: a lake in, a pandas frame out. Sums of groups are small:
what follows grouping is pandas.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.associations import pairs, related
from gpu_pipeline.cohorts import retention
from gpu_pipeline.paths import abandoned_pages, path_summary, purchase_paths
from gpu_pipeline.steps.related import session_rows
from gpu_pipeline.store import Lake

__all__ = ["ANSWERS"]

SALE = ("line_type", "==", "sale")
CUSTOMER = ("key_kind", "==", "customer")
GOODS = ["product_id", "quantity", "unit_price", "discount"]
EVENT = ["customer_key", "occurred_at", "event_type", "product_id"]
SESSION = ["customer_key", "started_at", "ended_at", "session_id", "excluded_for"]
MUCH = 0.5  # of the mean, as standard deviation


def category_pairs(lake: Lake) -> pd.DataFrame:
    lines = lake.read("orders", ["customer_key", "order_id", "product_id"], where=[SALE])
    lines = lines.merge(categories(lake), on="product_id")
    return pairs(lines, basket=["customer_key", "order_id"], item="category")


def viewed_with_a_product(lake: Lake) -> pd.DataFrame:
    events = events_of_sessions(lake)
    is_view = (events["event_type"] == "view") & ~events["product_id"].isna()
    views = events[is_view & events["excluded_for"].isna()]
    table = related(pairs(views, basket="session_id", item="product_id"), top=5)
    return table[["product_id", "related_product_id", "rank", "baskets"]]


def last_views_before_a_purchase(lake: Lake) -> pd.DataFrame:
    paths = purchase_paths(clicks(lake), last=5, within="10d").compute()
    seconds = paths.groupby(["product_id", "viewed_product_id"])["seconds_before"]
    table = seconds.agg(["size", "min"]).rename(columns={"size": "views", "min": "nearest_seconds"})
    return in_order(table.reset_index(), "-views", "product_id", "viewed_product_id")


def purchases_after_a_look(lake: Lake) -> pd.DataFrame:
    return path_summary(clicks(lake), last=5, within="10d")


def pages_before_an_abandoned_cart(lake: Lake) -> pd.DataFrame:
    pages = abandoned_pages(events_of_sessions(lake), last=3).compute()
    pages = pages.assign(is_last=(pages["position"] == 1).astype("int64"))
    table = pages.groupby("product_id")["is_last"].agg(["size", "sum"])
    table = table.rename(columns={"size": "pages", "sum": "last_pages"}).reset_index()
    return in_order(table, "-pages", "product_id")


def pages_of_abandoned_visits(lake: Lake) -> pd.DataFrame:
    left = [("carts", ">", 0), ("purchases", "==", 0)]
    columns = ["device", "views", "started_at", "ended_at", "excluded_for"]
    visits = lake.read("sessions", columns, where=left)
    visits = visits[visits["excluded_for"].isna()]
    minutes = (visits["ended_at"] - visits["started_at"]).dt.total_seconds() / 60
    by_device = visits.assign(minutes=minutes).groupby("device")
    table = by_device[["views", "minutes"]].mean().compute()
    table.insert(0, "visits", by_device.size().compute())
    return table.sort_index().rename(columns={"views": "pages"}).reset_index()


def category_trend(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "ordered_at").merge(categories(lake), on="product_id")
    sold = sold.assign(month=sold["ordered_at"].dt.year * 12 + sold["ordered_at"].dt.month)
    monthly = sold.groupby(["category", "month"])["amount"].sum().compute().reset_index()
    by_category = monthly.groupby("category")
    month = monthly["month"] - by_category["month"].transform("mean")
    revenue = monthly["amount"] - by_category["amount"].transform("mean")
    sums = monthly.assign(xy=month * revenue, xx=month**2).groupby("category")[["xy", "xx"]].sum()
    table = pd.DataFrame({"months": by_category.size(), "mean": by_category["amount"].mean()})
    table["slope"] = sums["xy"] / sums["xx"]
    table["relative_slope"] = table["slope"] / table["mean"]
    table = table.rename(columns={"mean": "monthly_revenue"}).reset_index()
    return in_order(table, "relative_slope", "category")


def stock_variation(lake: Lake) -> pd.DataFrame:
    counts = lake.read("inventory", ["product_id", "location", "counted_at", "on_hand"])
    counts = counts.assign(month=counts["counted_at"].dt.strftime("%Y-%m"))
    table = variation(counts)
    return table[table["variation"] >= MUCH].reset_index(drop=True)


def stock_varies_twice(lake: Lake) -> pd.DataFrame:
    counts = lake.read("inventory", ["product_id", "location", "counted_at", "on_hand"])
    counted_at = counts["counted_at"].dt
    number = (counted_at.year * 12 + counted_at.month).astype("int64")
    table = variation(counts.assign(month=number))
    varies = table.loc[table["variation"] >= MUCH, ["product_id", "location", "month", "variation"]]
    after = varies.assign(month=varies["month"] - 1).rename(columns={"variation": "next_variation"})
    both = varies.merge(after, on=["product_id", "location", "month"])
    return in_order(both, "product_id", "location", "month")


def stock_around_a_price_change(lake: Lake) -> pd.DataFrame:
    told = lake.read("products", ["product_id", "updated_at", "price"]).compute()
    told = told.sort_values(["product_id", "updated_at"])
    told["change"] = told["price"] / told.groupby("product_id")["price"].shift() - 1
    told = told[told["change"].notna() & (told["change"] != 0)]
    counts = lake.read("inventory", ["product_id", "counted_at", "on_hand"]).compute()
    near = told.merge(counts, on="product_id")
    month = np.timedelta64(30, "D")
    is_after = near["counted_at"] >= near["updated_at"]
    near["stock_before"] = near["on_hand"].where(~is_after).astype("float64")
    near["stock_after"] = near["on_hand"].where(is_after).astype("float64")
    near = near[
        (near["counted_at"] >= near["updated_at"] - month)
        & (near["counted_at"] < near["updated_at"] + month)
    ]
    by = near.groupby(["updated_at", "product_id", "change"])[["stock_before", "stock_after"]]
    table = by.mean().reset_index()
    return table[["product_id", "updated_at", "change", "stock_before", "stock_after"]]


def return_ratios(lake: Lake) -> pd.DataFrame:
    columns = ["customer_key", "order_id", "quantity", "unit_price", "line_type"]
    moved = lake.read("orders", columns, where=[CUSTOMER])
    moved = moved.assign(paid=moved["quantity"] * moved["unit_price"])
    kinds = {}
    for kind in ("sale", "return"):
        lines = moved[moved["line_type"] == kind]
        sums = lines.groupby("customer_key")[["quantity", "paid"]].sum().compute()
        placed = lines[["customer_key", "order_id"]].drop_duplicates()
        kinds[kind] = sums.assign(orders=placed.groupby("customer_key").size().compute())
    both = kinds["sale"].join(kinds["return"], rsuffix="_back", how="inner")
    table = pd.DataFrame(
        {
            "orders": both["orders"],
            "returns": both["orders_back"],
            "unit_ratio": -both["quantity_back"] / both["quantity"],
            "money_ratio": -both["paid_back"] / both["paid"],
        }
    )
    return in_order(table[table["orders"] >= 3].reset_index(), "-money_ratio", "customer_key")


def bought_again_after_a_return(lake: Lake) -> pd.DataFrame:
    by = ["customer_key", "product_id"]
    back = lake.read("orders", [*by, "ordered_at"], where=[CUSTOMER, ("line_type", "==", "return")])
    returned = back.groupby(by)["ordered_at"].min().compute().rename("returned_at").reset_index()
    bought = lake.read("orders", [*by, "ordered_at"], where=[CUSTOMER, SALE])
    later = bought.merge(returned, on=by)
    within = later["ordered_at"] <= later["returned_at"] + np.timedelta64(60, "D")
    later = later[(later["ordered_at"] > later["returned_at"]) & within]
    again = later[by].drop_duplicates().compute().groupby("product_id").size()
    table = returned.groupby("product_id").size().to_frame("customers").sort_index()
    table["bought_again"] = again.reindex(table.index, fill_value=0)
    return table.reset_index()


def looked_at_online_bought_by_phone(lake: Lake) -> pd.DataFrame:
    by, known = ["customer_key", "category"], categories(lake)
    phone = [SALE, CUSTOMER, ("channel", "==", "phone")]
    called = lake.read("orders", ["customer_key", "ordered_at", "product_id"], where=phone)
    called = called.merge(known, on="product_id").compute()
    seen = [CUSTOMER, ("event_type", "==", "view")]
    looked = lake.read("clickstream", ["customer_key", "occurred_at", "product_id"], where=seen)
    looked = looked.merge(known, on="product_id")[[*by, "occurred_at"]]
    both = looked.merge(called[[*by, "ordered_at"]], on=by)
    ago = both["ordered_at"] - both["occurred_at"]
    near = both[(ago > np.timedelta64(0)) & (ago <= np.timedelta64(30, "D"))]
    table = near[by].drop_duplicates().groupby("category").size().compute()
    return table.sort_index().to_frame("customers").reset_index()


def customers_who_grew(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "customer_key", "key_kind", "ordered_at")
    first, last = sold["ordered_at"].min().compute(), sold["ordered_at"].max().compute()
    middle = first + (last - first) // 2
    sold = sold[sold["key_kind"] == "customer"]
    is_late = sold["ordered_at"] >= middle
    sold = sold.assign(late=sold["amount"] * is_late, early=sold["amount"] * ~is_late)
    table = sold.groupby("customer_key")[["early", "late"]].sum().compute().reset_index()
    table = table[(table["early"] > 0) & (table["late"] > table["early"])]
    table = table.assign(growth=table["late"] / table["early"])
    return in_order(table, "-growth", "customer_key").head(100)


def morning_and_evening(lake: Lake) -> pd.DataFrame:
    sold = lake.read("orders", ["channel", "order_id", "ordered_at"], where=[SALE])
    sold = sold.assign(hour=sold["ordered_at"].dt.hour)
    table = {}
    for name, hours in {"morning": (7, 8), "evening": (19, 20)}.items():
        placed = sold[sold["hour"].isin(hours)][["channel", "order_id"]].drop_duplicates()
        table[name] = placed.groupby("channel").size().compute()
    both = pd.DataFrame(table).sort_index()
    return both.assign(ratio=both["morning"] / both["evening"]).reset_index()


def promoted_share(lake: Lake) -> pd.DataFrame:
    promoted = lake.read("promotions", ["product_id", "starts_at", "ends_at"]).compute()
    line = ["customer_key", "order_id", "line_no"]
    sold = sales(lake, *line, "ordered_at").merge(categories(lake), on="product_id")
    with_offers = sold.merge(promoted, on="product_id")
    is_then = with_offers["ordered_at"] >= with_offers["starts_at"]
    is_then &= with_offers["ordered_at"] <= with_offers["ends_at"]
    # A line may fall into several promotions of its product.
    offered = with_offers[is_then][[*line, "category", "amount"]].drop_duplicates()
    whole = sold.groupby("category")["amount"].sum().compute().sort_index()
    part = offered.groupby("category")["amount"].sum().compute()
    part = part.reindex(whole.index, fill_value=0)
    return pd.DataFrame({"revenue": whole, "promoted": part / whole}).reset_index()


def who_comes_back(lake: Lake) -> pd.DataFrame:
    columns = ["customer_key", "order_id", "ordered_at"]
    lines = lake.read("orders", columns, where=[SALE, CUSTOMER])
    return retention(lines, order="order_id").drop(columns="orders")


def sales(lake: Lake, *columns: str) -> Any:  # noqa: ANN401
    """The lines that were sold, a Dask frame, with what was paid for each as `amount`."""
    sold = lake.read("orders", [*columns, *GOODS], where=[SALE])
    return sold.assign(amount=sold["quantity"] * sold["unit_price"] - sold["discount"])


def clicks(lake: Lake) -> Any:  # noqa: ANN401
    """The events, a Dask frame."""
    return lake.read("clickstream", EVENT)


def events_of_sessions(lake: Lake) -> Any:  # noqa: ANN401
    """The events that lie in a session, with its id and why no person made it; a Dask frame."""
    sessions = lake.read("sessions", SESSION).compute()
    return clicks(lake).map_partitions(_with_sessions, sessions, lake)


def _with_sessions(events: pd.DataFrame, sessions: pd.DataFrame, lake: Lake) -> pd.DataFrame:
    row = session_rows(events, sessions.reset_index(drop=True), lake.backend)
    found = sessions[["session_id", "excluded_for"]].iloc[row[row >= 0]].reset_index(drop=True)
    return events[row >= 0].reset_index(drop=True).assign(**dict(found.items()))


def categories(lake: Lake) -> pd.DataFrame:
    """Each product's category as it is now."""
    latest = lake.read("products", ["product_id", "category"], as_of=lake.latest("products"))
    return latest.compute()


def variation(counts: Any) -> pd.DataFrame:  # noqa: ANN401
    """How the counts of each product, place and month lie around their mean."""
    by_month = counts.groupby(["product_id", "location", "month"])["on_hand"]
    table = by_month.agg(["size", "mean", "std"]).compute().sort_index().reset_index()
    table = table[table["mean"] > 0]
    table = table.assign(std=table["std"] / table["mean"])
    return table.rename(columns={"size": "counts", "std": "variation"})


def in_order(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows in ascending order of the columns, descending where a minus stands before one."""
    by = [column.lstrip("-") for column in columns]
    ascending = [not column.startswith("-") for column in columns]
    return table.sort_values(by, ascending=ascending, ignore_index=True)


ANSWERS: dict[str, Callable[[Lake], pd.DataFrame]] = {
    answer.__name__: answer
    for answer in (
        category_pairs,
        viewed_with_a_product,
        last_views_before_a_purchase,
        purchases_after_a_look,
        pages_before_an_abandoned_cart,
        pages_of_abandoned_visits,
        category_trend,
        stock_variation,
        stock_varies_twice,
        stock_around_a_price_change,
        return_ratios,
        bought_again_after_a_return,
        looked_at_online_bought_by_phone,
        customers_who_grew,
        morning_and_evening,
        promoted_share,
        who_comes_back,
    )
}
