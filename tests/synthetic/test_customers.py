from datetime import timedelta
from itertools import pairwise

import pandas as pd
from made_shop import Shop


def test_planted_segments_behave_differently(shop: Shop) -> None:
    sales = shop.sales.assign(paid=shop.sales["unit_price"] * shop.sales["quantity"])
    known = sales.merge(shop.planted("customers"), on="customer_id")
    each = known.groupby(["segment", "customer_id"]).agg(
        orders=("order_id", "nunique"),
        paid=("paid", "sum"),
        last=("ordered_at", "max"),
        reduced=("discount", lambda discount: (discount > 0).all()),
    )
    typical = each[["orders", "paid"]].groupby("segment").median()
    ranking = ["champions", "loyal", "slipping away", "bargain hunters"]
    for more, less in pairwise(ranking):
        assert typical.loc[more, "orders"] > typical.loc[less, "orders"]
        assert typical.loc[more, "paid"] > typical.loc[less, "paid"]
    hunters = each.loc["bargain hunters"]
    assert (hunters["orders"] == 1).all()
    assert hunters["reduced"].all()
    middle = shop.orders["ordered_at"].max() - timedelta(days=0.35 * 120)
    assert (each.loc["slipping away"]["last"] < middle).all()
    assert (each.loc["champions"]["last"] > middle).mean() > 0.95


def test_nobody_buys_or_logs_in_before_signing_up(shop: Shop) -> None:
    since = shop.table("customers").groupby("customer_id")["signed_up_at"].first()
    for frame, time in ((shop.orders, "ordered_at"), (shop.clicks, "occurred_at")):
        known = frame.dropna(subset=["customer_id"])
        assert (known[time] >= known["customer_id"].map(since) - pd.Timedelta(hours=2)).all()


def test_who_has_left_orders_no_more_and_the_others_do(shop: Shop) -> None:
    customers = shop.planted("customers").set_index("customer_id")
    last = shop.orders[shop.orders["line_type"] != "return"]
    last = last.groupby("customer_id")["ordered_at"].max().reindex(customers.index)
    gone = customers["left_at"].notna()
    assert (last[gone] == customers["left_at"][gone]).all()
    assert gone.groupby(customers["segment"]).mean().to_dict() == {
        "champions": 0,
        "loyal": 0,
        "bargain hunters": 1,
        "slipping away": 1,
    }


def test_changes_of_accounts_and_prices_are_later_versions(shop: Shop) -> None:
    changes = shop.planted("changes")
    assert {tuple(pair) for pair in changes[["source", "column"]].to_numpy()} == {
        ("customers", "marketing_consent"),
        ("customers", "country"),
        ("products", "price"),
    }
    for source, key in (("customers", "customer_id"), ("products", "product_id")):
        versions = shop.table(source).sort_values("updated_at", kind="stable")
        own = changes[changes["source"] == source]
        assert len(versions) == versions[key].nunique() + len(own)
        for change in own.itertuples():
            history = versions[versions[key] == change.id].reset_index()
            (now,) = history.index[history["updated_at"] == change.updated_at]
            assert history.loc[now, change.column] == change.after
            assert history.loc[now - 1, change.column] == change.before


def test_orders_go_where_the_customer_lives_by_then(shop: Shop) -> None:
    moves = shop.planted("changes").query("column == 'country'")
    stolen = shop.planted("frauds").query("kind == 'account takeover'")["order_id"]
    sales = shop.sales[~shop.sales["order_id"].isin(stolen)]
    both = sales.merge(moves, left_on="customer_id", right_on="id")
    after = both["ordered_at"] >= both["updated_at"]
    assert after.any()
    assert (both["country"] == both["after"].where(after, both["before"])).all()
