from pathlib import Path

import pandas as pd
import pytest
from made_shop import Shop

from gpu_pipeline.contracts import sources
from gpu_pipeline.synthetic import generate


def test_rows_refer_to_products_customers_and_orders_that_exist(shop: Shop) -> None:
    customers = set(shop.table("customers")["customer_id"])
    products, orders = set(shop.products["product_id"]), set(shop.orders["order_id"])
    for source in sources():
        frame = shop.table(source)
        goods = frame[frame["line_type"] != "fee"] if source == "orders" else frame
        for column, known in (
            ("product_id", products),
            ("customer_id", customers),
            ("order_id", orders),
        ):
            if column in goods:
                assert set(goods[column].dropna()) <= known, f"{source}.{column}"
    fees = shop.orders[shop.orders["line_type"] == "fee"]
    assert set(fees["product_id"]) == {"SHIPPING"}


def test_lines_of_an_order_are_numbered_without_a_gap(shop: Shop) -> None:
    numbers = shop.orders.groupby("order_id")["line_no"].agg(["min", "max", "nunique", "size"])
    assert (numbers["min"] == 1).all()
    assert (numbers["max"] == numbers["size"]).all()
    assert (numbers["nunique"] == numbers["size"]).all()


def test_a_return_follows_its_sale_at_the_same_price_within_thirty_days(shop: Shop) -> None:
    returns = shop.orders[shop.orders["line_type"] == "return"]
    both = returns.merge(
        shop.sales, on=["order_id", "product_id"], suffixes=("", "_sold"), validate="one_to_one"
    )
    assert len(both) == len(returns) > 20
    assert both["ordered_at"].gt(both["delivered_at_sold"]).all()
    assert (both["ordered_at"] - both["ordered_at_sold"]).max() < pd.Timedelta(days=30)
    assert (both["unit_price"] == both["unit_price_sold"]).all()
    assert (-both["quantity"]).between(1, both["quantity_sold"]).all()
    assert both["customer_id"].equals(both["customer_id_sold"])


def test_an_order_is_shipped_and_delivered_after_it_is_placed(shop: Shop) -> None:
    sales = shop.sales
    assert (sales["shipped_at"].dropna() > sales["ordered_at"][sales["shipped_at"].notna()]).all()
    arrived = sales[sales["status"] == "delivered"]
    assert (arrived["delivered_at"] > arrived["shipped_at"]).all()
    state = sales["shipped_at"].notna().astype(int) + sales["delivered_at"].notna()
    assert (state.map({0: "placed", 1: "shipped", 2: "delivered"}) == sales["status"]).all()
    assert set(sales["status"]) == {"placed", "shipped", "delivered"}
    cancelled = shop.orders[shop.orders["line_type"] == "cancelled"]
    assert len(cancelled) > 0
    assert cancelled["shipped_at"].isna().all()


def test_a_few_orders_have_no_customer_and_all_are_in_euros(shop: Shop) -> None:
    by_order = shop.orders.groupby("order_id")["customer_id"].first()
    assert 0.02 < by_order.isna().mean() < 0.06
    assert set(shop.orders["currency"]) == {"EUR"}
    assert set(shop.table("fx_rates")["currency"]) == {"EUR", "USD", "GBP"}


def test_a_line_costs_what_the_product_cost_that_day(shop: Shop) -> None:
    versions = shop.products.sort_values("updated_at")
    assert versions["product_id"].duplicated().any()
    sales = shop.sales.sort_values("ordered_at")
    priced = pd.merge_asof(
        sales, versions, left_on="ordered_at", right_on="updated_at", by="product_id"
    )
    assert (priced["unit_price"] == priced["price"]).all()
    assert (priced["ordered_at"] >= priced["launched_at"]).all()
    assert (versions["launched_at"] > shop.orders["ordered_at"].min()).any()


def test_products_that_break_are_returned_more_often(shop: Shop) -> None:
    rate = shop.planted("products").set_index("product_id")["return_rate"]
    lines = shop.orders[shop.orders["line_type"].isin(["sale", "return"])]
    breaks = lines["product_id"].map(rate) > 0.1
    share = (lines["line_type"] == "return").groupby(breaks).mean()
    assert share[True] > 2 * share[False]


def test_card_testing_is_a_burst_of_small_orders_of_guests_mostly_refused(shop: Shop) -> None:
    frauds = shop.planted("frauds").query("kind == 'card testing'")
    lines = shop.orders[shop.orders["order_id"].isin(frauds["order_id"])]
    goods = lines[lines["line_type"] != "fee"]
    assert frauds["customer_id"].isna().all()
    assert goods["product_id"].nunique() == 1
    assert (goods["line_type"] == "cancelled").mean() > 0.6
    pauses = goods.drop_duplicates("order_id")["ordered_at"].sort_values().diff().dropna()
    assert (pauses < pd.Timedelta(minutes=2)).mean() > 0.8


def test_a_stolen_account_orders_dear_things_within_hours(shop: Shop) -> None:
    frauds = shop.planted("frauds").query("kind == 'account takeover'")
    lines = shop.sales[shop.sales["order_id"].isin(frauds["order_id"])]
    assert lines["unit_price"].min() > shop.sales["unit_price"].median()
    spans = lines.groupby("customer_id")["ordered_at"].agg(["min", "max", "size"])
    assert (spans["size"] >= 5).all()
    assert (spans["max"] - spans["min"] < pd.Timedelta(hours=4)).all()
    home = shop.table("customers").drop_duplicates("customer_id").set_index("customer_id")
    assert (lines["country"] != lines["customer_id"].map(home["country"])).all()


def test_who_abuses_refunds_has_everything_paid_back(shop: Shop) -> None:
    frauds = shop.planted("frauds").query("kind == 'refund abuse'")
    lines = shop.sales[shop.sales["order_id"].isin(frauds["order_id"])]
    arrived = lines.dropna(subset=["delivered_at"])
    paid = arrived["unit_price"] * arrived["quantity"] - arrived["discount"]
    assert len(arrived) > 3
    assert ((paid - arrived["refunded"]).abs() < 0.005).all()
    others = shop.sales[~shop.sales["customer_id"].isin(frauds["customer_id"])]
    assert (others["refunded"] > 0).mean() < 0.03


def test_the_share_of_fraud_is_a_choice(tmp_path: Path) -> None:
    found = {}
    for share in (0.0, 0.05):
        truth = generate(
            tmp_path / str(share), customers=900, days=60, seed=7, damage=0, fraud=share
        )
        orders = Shop(truth).table("orders")["order_id"].nunique()
        found[share] = len(Shop(truth).planted("frauds")) / orders
    assert found[0.0] == 0
    assert found[0.05] == pytest.approx(0.05, abs=0.015)
