"""The questions of oracle/retail_queries.sql, answered with Dask frames as an analyst would.

A function a question, of the same name: a lake in, a pandas frame out. Large tables stay Dask
frames until they are grouped; products, stock and what is left after grouping are pandas.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.store import Lake

Answer = Callable[[Lake], pd.DataFrame]
SALE = ("line_type", "==", "sale")
CUSTOMER = ("key_kind", "==", "customer")
GOODS = ["product_id", "quantity", "unit_price", "discount"]


def revenue_by_month_and_channel(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "order_id", "ordered_at", "channel")
    sold = sold.assign(month=month_of(sold["ordered_at"]))
    by = ["month", "channel"]
    sums = sold.groupby(by)[["quantity", "amount"]].sum()
    orders = sold[[*by, "order_id"]].drop_duplicates().groupby(by).size()
    table = sums.compute().assign(orders=orders.compute())[["orders", "quantity", "amount"]]
    return renamed(table, quantity="units", amount="revenue")


def basket_by_channel(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "order_id", "channel").assign(lines=1)
    sums = sold.groupby(["channel", "order_id"])[["lines", "quantity", "amount"]].sum().compute()
    table = sums.groupby("channel").mean()
    table.insert(0, "orders", sums.groupby("channel").size())
    return renamed(table, quantity="units", amount="value")


def top_products(lake: Lake) -> pd.DataFrame:
    table = sales(lake).groupby("product_id")[["amount", "quantity"]].sum().compute()
    table = renamed(table, amount="revenue", quantity="units")
    return in_order(table, "-revenue", "product_id").head(10)


def best_seller_of_each_category(lake: Lake) -> pd.DataFrame:
    sold = sales(lake).merge(categories(lake), on="product_id")
    table = sold.groupby(["category", "product_id"])["quantity"].sum().compute()
    ordered = in_order(renamed(table.to_frame(), quantity="units"), "category", "-units")
    return ordered.drop_duplicates("category").reset_index(drop=True)


def returning_customers_by_month(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "customer_key", "ordered_at", where=[CUSTOMER])
    months = sold.assign(month=month_of(sold["ordered_at"]))[["customer_key", "month"]]
    table = months.drop_duplicates().compute()
    first = table.groupby("customer_key")["month"].transform("min")
    table = table.assign(returning=(table["month"] > first).astype("int64"))
    counted = table.groupby("month")["returning"].agg(["size", "sum"])
    counted = renamed(counted, size="customers", sum="returning")
    return counted.assign(share=counted["returning"] / counted["customers"])


def cohort_retention(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "customer_key", "ordered_at", where=[CUSTOMER])
    day = sold["ordered_at"].dt.floor("D")
    week = day - (day.dt.dayofweek * np.timedelta64(1, "D")).astype("timedelta64[us]")
    table = sold.assign(week=week)[["customer_key", "week"]].drop_duplicates().compute()
    table["cohort"] = table.groupby("customer_key")["week"].transform("min")
    table["weeks_later"] = ((table["week"] - table["cohort"]).dt.days // 7).astype("int64")
    counted = table.groupby(["cohort", "weeks_later"]).size().to_frame("customers")
    return counted.reset_index().astype({"cohort": "datetime64[us]"})


def days_between_orders(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "customer_key", "order_id", "ordered_at", where=[CUSTOMER])
    # A partition holds all of a customer's orders.
    days = sold.map_partitions(_days_between, meta=pd.Series([], dtype="int64", name="days"))
    return days.value_counts().compute().sort_index().to_frame("gaps").reset_index()


def _days_between(lines: pd.DataFrame) -> "pd.Series[Any]":
    placed = lines.groupby(["customer_key", "order_id"])["ordered_at"].min().reset_index()
    placed = placed.sort_values(["customer_key", "ordered_at", "order_id"])
    gaps = placed.groupby("customer_key")["ordered_at"].diff().dropna()
    return (gaps // np.timedelta64(1, "D")).astype("int64").rename("days")


def discount_share_by_category(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "ordered_at").merge(categories(lake), on="product_id")
    sold = sold.assign(month=month_of(sold["ordered_at"]))
    sold = sold.assign(listed=sold["quantity"] * sold["unit_price"])
    table = sold.groupby(["month", "category"])[["discount", "listed"]].sum().compute()
    table["share"] = table["discount"] / table["listed"]
    return renamed(table[["discount", "share"]])


def return_rate_by_category(lake: Lake) -> pd.DataFrame:
    moved = lake.read("orders", ["product_id", "quantity", "line_type"])
    moved = moved.merge(categories(lake), on="product_id")
    units = moved.groupby(["category", "line_type"])["quantity"].sum().compute().unstack()
    table = units.reindex(columns=["sale", "return"]).fillna(0).astype("int64")
    table = pd.DataFrame({"sold": table["sale"], "returned": -table["return"]})
    return renamed(table.assign(rate=table["returned"] / table["sold"]))


def cancelled_orders_by_country(lake: Lake) -> pd.DataFrame:
    lines = lake.read("orders", ["country", "order_id", "line_type"])
    lines = lines.assign(cancelled=(lines["line_type"] == "cancelled").astype("int64"))
    orders = lines.groupby(["country", "order_id"])["cancelled"].max().compute()
    table = orders.groupby("country").agg(["size", "sum"])
    table = renamed(table, size="orders", sum="cancelled")
    return table.assign(share=table["cancelled"] / table["orders"])


def order_value_quantiles_by_country(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "country", "order_id")
    values = sold.groupby(["country", "order_id"])["amount"].sum().compute().groupby("country")
    facts = {"orders": values.size(), "median": values.median(), "p90": values.quantile(0.9)}
    return renamed(pd.DataFrame(facts))


def orders_by_weekday_and_hour(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "order_id", "ordered_at")
    time = sold["ordered_at"].dt
    sold = sold.assign(weekday=time.dayofweek.astype("int64"), hour=time.hour.astype("int64"))
    placed = sold[["weekday", "hour", "order_id"]].drop_duplicates()
    return renamed(placed.groupby(["weekday", "hour"]).size().compute().to_frame("orders"))


def delivery_time_by_country(lake: Lake) -> pd.DataFrame:
    in_time = ("delivered_at", "<", "2027-01-01")
    columns = ["country", "order_id", "ordered_at", "delivered_at"]
    sold = lake.read("orders", columns, where=[SALE, in_time])
    sold = sold.assign(hours=(sold["delivered_at"] - sold["ordered_at"]).dt.total_seconds() / 3600)
    sold = sold.assign(slow=(sold["hours"] > 120).astype("int64"))
    parcels = sold[["country", "order_id", "hours", "slow"]].drop_duplicates().groupby("country")
    means, slow = parcels["hours"].agg(["size", "mean"]).compute(), parcels["slow"].sum().compute()
    return renamed(means.assign(slow=slow), size="parcels", mean="hours")


def bought_together(lake: Lake) -> pd.DataFrame:
    bought = sales(lake, "order_id")[["order_id", "product_id"]].drop_duplicates().compute()
    others = bought.rename(columns={"product_id": "other_id"})
    pairs = bought.merge(others, on="order_id")
    pairs = pairs[pairs["product_id"] < pairs["other_id"]]
    table = pairs.groupby(["product_id", "other_id"]).size().to_frame("orders")
    return in_order(table.reset_index(), "-orders", "product_id", "other_id").head(10)


def revenue_of_seven_days(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "ordered_at")
    sold = sold.assign(day=sold["ordered_at"].dt.floor("D"))
    table = sold.groupby("day")["amount"].sum().compute().sort_index().to_frame("revenue")
    table["of_seven_days"] = table["revenue"].rolling("7D").sum().astype("int64")
    return renamed(table)


def revenue_by_decile_of_customers(lake: Lake) -> pd.DataFrame:
    spent = sales(lake, "customer_key", where=[CUSTOMER]).groupby("customer_key")["amount"].sum()
    ranked = in_order(spent.compute().to_frame("revenue").reset_index(), "-revenue", "customer_key")
    ranked["decile"] = np.arange(len(ranked)) * 10 // len(ranked)
    table = ranked.groupby("decile")["revenue"].agg(["size", "sum"])
    table = renamed(table, size="customers", sum="revenue")
    return table.assign(share=table["revenue"] / table["revenue"].sum())


def guests_by_month(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "order_id", "ordered_at", "key_kind")
    sold = sold.assign(month=month_of(sold["ordered_at"]))
    placed = sold[["month", "order_id", "key_kind"]].drop_duplicates().compute()
    guests = placed[placed["key_kind"] == "guest"].groupby("month")["order_id"].nunique()
    orders = placed.groupby("month")["order_id"].nunique()
    return renamed(pd.DataFrame({"of_guests": guests, "orders": orders}))


def dormant_customers(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "customer_key", "ordered_at", where=[CUSTOMER]).groupby("customer_key")
    table = sold["ordered_at"].max().compute().to_frame("last_ordered_at")
    table["revenue"] = sold["amount"].sum().compute()
    table = table[table["last_ordered_at"] < "2026-06-01"].reset_index()
    return in_order(table, "-revenue", "customer_key")


def customers_without_orders(lake: Lake) -> pd.DataFrame:
    known = lake.read("customers", ["customer_key", "signed_up_at"], as_of=lake.latest("customers"))
    known = known.assign(month=month_of(known["signed_up_at"])).compute()
    ordered = lake.read("orders", ["customer_key"])["customer_key"].unique().compute()
    known["without_orders"] = (~known["customer_key"].isin(ordered)).astype("int64")
    table = known.groupby("month")["without_orders"].agg(["size", "sum"])
    return renamed(table, size="customers", sum="without_orders")


def consent_by_country_in_june(lake: Lake) -> pd.DataFrame:
    then = lake.read("customers", as_of=pd.Timestamp("2026-06-01").to_pydatetime())
    then = then.assign(consenting=then["marketing_consent"].astype("int64"))
    table = then.groupby("country")["consenting"].agg(["size", "sum"]).compute()
    return renamed(table, size="customers", sum="consenting")


def value_by_first_channel(lake: Lake) -> pd.DataFrame:
    keys = ["customer_key", "ordered_at", "order_id", "line_no"]
    sold = sales(lake, *keys, "channel", where=[CUSTOMER]).compute().sort_values(keys)
    sold["first_channel"] = sold.groupby("customer_key")["channel"].transform("first")
    grouped = sold.groupby("first_channel")
    customers, revenue = grouped["customer_key"].nunique(), grouped["amount"].sum()
    table = pd.DataFrame({"customers": customers, "revenue": revenue})
    return renamed(table.assign(of_each=revenue / customers))


def price_changes(lake: Lake) -> pd.DataFrame:
    table = lake.read("products", ["product_id", "updated_at", "price"]).compute()
    table = table.sort_values(["product_id", "updated_at"])
    table["before"] = table.groupby("product_id")["price"].shift()
    changed = table[table["before"].notna() & (table["before"] != table["price"])]
    changed = changed.assign(change=changed["price"] / changed["before"] - 1)
    changed = in_order(changed.astype({"before": "int64"}), "updated_at", "product_id")
    return changed[["product_id", "updated_at", "before", "price", "change"]]


def sold_at_list_price(lake: Lake) -> pd.DataFrame:
    sold = sales(lake, "ordered_at").compute().sort_values("ordered_at")
    listed = lake.read("products", ["product_id", "updated_at", "price"]).compute()
    both = pd.merge_asof(
        sold,
        listed.sort_values("updated_at"),
        left_on="ordered_at",
        right_on="updated_at",
        by="product_id",
    ).dropna(subset=["price"])
    difference = np.sign(both["unit_price"] - both["price"])
    both["sold"] = difference.map({-1: "below", 0: "at", 1: "above"}).astype("str")
    table = both.groupby("sold")["quantity"].agg(["size", "sum"])
    return renamed(table, size="lines", sum="units")


def promotion_uplift(lake: Lake) -> pd.DataFrame:
    promoted = lake.read("promotions", ["product_id", "starts_at", "ends_at"]).compute()
    sold = sales(lake, "ordered_at").merge(promoted, on="product_id")
    early = sold["starts_at"] - np.timedelta64(14, "D")
    sold = sold[(sold["ordered_at"] >= early) & (sold["ordered_at"] <= sold["ends_at"])]
    during = (sold["ordered_at"] >= sold["starts_at"]).astype("int64")
    sold = sold.assign(
        lines=during, meanwhile=sold["quantity"] * during, before=sold["quantity"] * (1 - during)
    )
    by = ["product_id", "starts_at", "ends_at"]
    table = sold.groupby(by)[["lines", "meanwhile", "before"]].sum().compute().reset_index()
    days = (table["ends_at"] - table["starts_at"]).dt.total_seconds() / 86400
    table["daily_meanwhile"] = table["meanwhile"] / days
    table["daily_before"] = table["before"] / 14
    wanted = ["product_id", "starts_at", "lines", "daily_meanwhile", "daily_before"]
    return in_order(table, "product_id", "starts_at")[wanted]


def margin_by_product(lake: Lake) -> pd.DataFrame:
    counted = last_counts(lake)
    cost = counted.loc[counted["location"] == "Leipzig", ["product_id", "unit_cost"]]
    sold = sales(lake).merge(cost, on="product_id")
    sold = sold.assign(margin=sold["amount"] - sold["quantity"] * sold["unit_cost"])
    table = sold.groupby("product_id")[["amount", "margin"]].sum().compute()
    return in_order(renamed(table, amount="revenue"), "-margin", "product_id")


def stock_to_reorder(lake: Lake) -> pd.DataFrame:
    weeks = [("ordered_at", ">=", "2026-06-03"), ("ordered_at", "<", "2026-07-01")]
    daily = sales(lake, where=weeks).groupby("product_id")["quantity"].sum().compute() / 28
    stock = last_counts(lake).merge(daily.rename("daily_units"), on="product_id")
    stock["units"] = stock["on_hand"] + stock["on_order"]
    days = stock["lead_time_days"] + 2 * stock["lead_time_days_spread"]
    stock["needed"] = stock["daily_units"] * days
    short = in_order(stock[stock["units"] < stock["needed"]], "product_id", "location")
    return short[["product_id", "location", "units", "needed"]]


def stock_value_by_supplier(lake: Lake) -> pd.DataFrame:
    stock = last_counts(lake)
    stock["value"] = stock["on_hand"] * stock["unit_cost"]
    table = stock.groupby(["location", "supplier"])["value"].agg(["size", "sum"])
    return renamed(table, size="products", sum="value")


def conversion_by_device(lake: Lake) -> pd.DataFrame:
    events = lake.read("clickstream", ["device", "customer_key", "event_type"])
    events = events.assign(
        viewed=(events["event_type"] == "view").astype("int64"),
        purchased=(events["event_type"] == "purchase").astype("int64"),
    )
    people = events.groupby(["device", "customer_key"])[["viewed", "purchased"]].max().compute()
    table = people[people["viewed"] == 1].groupby("device")["purchased"].agg(["size", "sum"])
    table = renamed(table, size="viewers", sum="buyers")
    return table.assign(conversion=table["buyers"] / table["viewers"])


def funnel_by_channel(lake: Lake) -> pd.DataFrame:
    events = lake.read("clickstream", ["channel", "event_type", "customer_key"])
    events = events[events["event_type"].isin(["view", "cart", "checkout", "purchase"])]
    by = ["channel", "event_type"]
    people = events.drop_duplicates().groupby(by).size().compute()
    counts = events.groupby(by).size().compute()
    return renamed(pd.DataFrame({"people": people, "events": counts}))


def abandoned_carts(lake: Lake) -> pd.DataFrame:
    columns = ["customer_key", "product_id", "event_type", "occurred_at"]
    events = lake.read("clickstream", columns).dropna(subset=["product_id"])
    by = ["customer_key", "product_id"]
    carted = events[events["event_type"] == "cart"].groupby(by)["occurred_at"].min().compute()
    bought = events[events["event_type"] == "purchase"].groupby(by)["occurred_at"].max().compute()
    table = carted.to_frame("carted_at").join(bought.rename("bought_at"))
    kept = table["bought_at"] >= table["carted_at"]
    table["abandoned"] = (~kept).astype("int64")
    counted = table.groupby("product_id")["abandoned"].agg(["size", "sum"])
    return renamed(counted, size="carts", sum="abandoned")


def views_before_first_purchase(lake: Lake) -> pd.DataFrame:
    events = lake.read("clickstream", ["customer_key", "event_type", "occurred_at"])
    bought = events[events["event_type"] == "purchase"].groupby("customer_key")["occurred_at"].min()
    firsts = bought.compute().to_frame("bought_at").reset_index()
    views = events[events["event_type"] == "view"].merge(firsts, on="customer_key")
    before = views[views["occurred_at"] < views["bought_at"]].groupby("customer_key").size()
    each = before.compute().reindex(firsts["customer_key"], fill_value=0)
    counted = each.value_counts().sort_index()
    return counted.rename_axis("views").to_frame("people").reset_index()


def mood_by_product(lake: Lake) -> pd.DataFrame:
    said = lake.read("reviews", ["product_id", "rating"])
    said = said.assign(bad=(said["rating"] <= 2).astype("int64")).groupby("product_id")
    table = said["rating"].agg(["size", "mean"]).compute().assign(bad=said["bad"].sum().compute())
    return in_order(renamed(table, size="reviews", mean="rating"), "rating", "product_id")


def sold_but_never_reviewed(lake: Lake) -> pd.DataFrame:
    reviewed = lake.read("reviews", ["product_id"])["product_id"].unique().compute()
    units = sales(lake).groupby("product_id")["quantity"].sum().compute()
    silent = units[~units.index.isin(reviewed)].to_frame("units").reset_index()
    return in_order(silent, "-units", "product_id")


def support_load_by_product(lake: Lake) -> pd.DataFrame:
    asked = lake.read("support", ["product_id", "case_id"]).dropna(subset=["product_id"])
    cases = asked.drop_duplicates().groupby("product_id").size().compute()
    table = sales(lake).groupby("product_id")["quantity"].sum().compute().to_frame("units")
    table["cases"] = cases.reindex(table.index, fill_value=0)
    table["load"] = 100 * table["cases"] / table["units"]
    return in_order(renamed(table), "-load", "product_id")


def time_to_resolve_by_topic(lake: Lake) -> pd.DataFrame:
    said = lake.read("support", ["topic", "case_id", "opened_at", "resolved_at"]).compute()
    cases = said.groupby(["topic", "case_id"])
    taken = cases["resolved_at"].max() - cases["opened_at"].min()
    table = pd.DataFrame({"messages": cases.size(), "hours": taken.dt.total_seconds() / 3600})
    topics = table.groupby("topic")
    facts = {"cases": topics.size(), "messages": topics["messages"].mean()}
    return renamed(pd.DataFrame({**facts, "hours": topics["hours"].median()}))


def sales(lake: Lake, *columns: str, where: Any = ()) -> Any:
    """The lines that were sold, a Dask frame, with what was paid for each as `amount`."""
    sold = lake.read("orders", [*columns, *GOODS], where=[SALE, *where])
    return sold.assign(amount=sold["quantity"] * sold["unit_price"] - sold["discount"])


def categories(lake: Lake) -> pd.DataFrame:
    """Each product's category as it is now."""
    latest = lake.read("products", ["product_id", "category"], as_of=lake.latest("products"))
    return latest.compute()


def last_counts(lake: Lake) -> pd.DataFrame:
    """The last count of each product in each place."""
    counts = lake.read("inventory").compute().sort_values("counted_at")
    return counts.drop_duplicates(["product_id", "location"], keep="last")


def month_of(times: Any) -> Any:
    """2026-05, say."""
    return times.dt.strftime("%Y-%m")


def renamed(table: pd.DataFrame, **names: str) -> pd.DataFrame:
    """The table in order of its groups, which become columns; columns under their new names."""
    return table.sort_index().rename(columns=names).reset_index()


def in_order(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows in ascending order of the columns, descending where a minus stands before one."""
    by = [column.lstrip("-") for column in columns]
    ascending = [not column.startswith("-") for column in columns]
    return table.sort_values(by, ascending=ascending, ignore_index=True)


ANSWERS: dict[str, Answer] = {
    answer.__name__: answer
    for answer in (
        revenue_by_month_and_channel,
        basket_by_channel,
        top_products,
        best_seller_of_each_category,
        returning_customers_by_month,
        cohort_retention,
        days_between_orders,
        discount_share_by_category,
        return_rate_by_category,
        cancelled_orders_by_country,
        order_value_quantiles_by_country,
        orders_by_weekday_and_hour,
        delivery_time_by_country,
        bought_together,
        revenue_of_seven_days,
        revenue_by_decile_of_customers,
        guests_by_month,
        dormant_customers,
        customers_without_orders,
        consent_by_country_in_june,
        value_by_first_channel,
        price_changes,
        sold_at_list_price,
        promotion_uplift,
        margin_by_product,
        stock_to_reorder,
        stock_value_by_supplier,
        conversion_by_device,
        funnel_by_channel,
        abandoned_carts,
        views_before_first_purchase,
        mood_by_product,
        sold_but_never_reviewed,
        support_load_by_product,
        time_to_resolve_by_topic,
    )
}
