from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from made_shop import Shop

from gpu_pipeline.synthetic import generate


def test_purchases_in_the_clickstream_are_the_lines_of_online_orders(shop: Shop) -> None:
    online = shop.orders[
        shop.orders["channel"].isin(["web", "app"])
        & shop.orders["line_type"].isin(["sale", "cancelled"])
    ]
    bought = shop.clicks[shop.clicks["event_type"] == "purchase"]
    columns = ["customer_id", "at", "product_id"]
    ordered = online.rename(columns={"ordered_at": "at"})[columns].fillna("")
    clicked = bought.rename(columns={"occurred_at": "at"})[columns].fillna("")
    assert Counter(map(tuple, ordered.to_numpy())) == Counter(map(tuple, clicked.to_numpy()))


def test_what_is_bought_was_viewed_and_put_in_the_cart_before(shop: Shop) -> None:
    clicks = shop.clicks.dropna(subset=["product_id"])
    first = (
        clicks.groupby(["visitor_id", "product_id", "event_type"])["occurred_at"].min().unstack()
    )
    bought = first.dropna(subset=["purchase"])
    assert len(bought) > 100
    assert (bought["view"] < bought["cart"]).mean() > 0.99
    assert (bought["cart"] < bought["purchase"]).all()


def test_visits_have_about_nine_events_and_most_visitors_are_strangers(shop: Shop) -> None:
    clicks = shop.human_clicks.sort_values(["visitor_id", "occurred_at"], kind="stable")
    pause = clicks["occurred_at"].diff() > pd.Timedelta(minutes=30)
    visits = (pause | (clicks["visitor_id"] != clicks["visitor_id"].shift())).sum()
    assert 8 < len(clicks) / visits < 10
    logged_in = clicks.groupby("visitor_id")["customer_id"].nunique()
    assert logged_in.max() == 1
    assert (logged_in == 0).mean() > 0.5
    assert shop.clicks["occurred_at"].is_monotonic_increasing


def test_bots_keep_their_pace_and_buy_nothing(shop: Shop) -> None:
    bots = shop.planted("bots").set_index("visitor_id")
    clicks = shop.clicks[shop.clicks["visitor_id"].isin(bots.index)]
    assert 0.005 < len(clicks) / len(shop.clicks) < 0.03
    assert set(clicks["event_type"]) == {"view"}
    assert clicks["customer_id"].isna().all()
    pauses = clicks.groupby("visitor_id")["occurred_at"].diff().dt.total_seconds()
    typical = pauses.groupby(clicks["visitor_id"]).median()
    asked = bots["interval_seconds"].reindex(typical.index)
    differs = bots["kind"].reindex(typical.index).isin(["checker", "reader"])
    assert (typical == asked)[~differs].all()
    assert (abs(typical / asked - 1) < 0.2).all()
    counts = clicks.groupby("visitor_id").size()
    assert counts.to_dict() == bots["events"].to_dict()
    assert counts.min() > shop.human_clicks.groupby("visitor_id").size().quantile(0.99)


def test_some_bots_hide_their_clock_and_some_read_as_people_do(tmp_path: Path) -> None:
    truth = generate(tmp_path, customers=400, days=60, seed=7, damage=0, bots=0.5)
    shop = Shop(truth)
    bots = shop.planted("bots").set_index("visitor_id")
    clicks = shop.clicks[shop.clicks["visitor_id"].isin(bots.index)]
    pauses = clicks.groupby("visitor_id")["occurred_at"].diff().dt.total_seconds()
    ratio = pauses / clicks["visitor_id"].map(bots["interval_seconds"])
    ratio = ratio[pauses < 1_800].groupby(clicks["visitor_id"].map(bots["kind"]))
    spread = ratio.std()
    assert (spread[["crawler", "scraper", "monitor"]] == 0).all()
    assert 0.03 < spread["checker"] < 0.08
    assert spread["reader"] > 0.5
    # A reader goes on day and night.
    hours = clicks["occurred_at"].dt.hour[clicks["visitor_id"].map(bots["kind"]) == "reader"]
    assert hours.nunique() == 24


def test_what_is_paid_in_the_clickstream_is_what_the_lines_of_orders_cost(tmp_path: Path) -> None:
    truth = generate(
        tmp_path, customers=200, days=60, seed=5, damage=0, currencies=("EUR", "JPY", "KWD")
    )
    shop = Shop(truth)
    bought = shop.clicks[shop.clicks["event_type"] == "purchase"]
    others = shop.clicks[shop.clicks["event_type"] != "purchase"]
    assert others[["price", "currency"]].isna().all(axis=None)
    lines = shop.orders[
        shop.orders["channel"].isin(["web", "app"])
        & shop.orders["line_type"].isin(["sale", "cancelled"])
    ]
    paid = lines["unit_price"].astype(float) * lines["quantity"].astype(int)
    paid -= lines["discount"].astype(float)

    def sums(prices: "pd.Series[float]", currencies: "pd.Series[str]") -> dict[str, float]:
        return prices.groupby(currencies).sum().round(3).to_dict()

    found = sums(bought["price"].astype(float), bought["currency"])
    assert found == sums(paid, lines["currency"])
    assert set(found) == {"EUR", "JPY", "KWD"}


def test_the_share_of_bots_is_a_choice(tmp_path: Path) -> None:
    found = {}
    for share in (0.0, 0.3):
        truth = generate(
            tmp_path / str(share), customers=150, days=60, seed=7, damage=0, bots=share
        )
        bots = set(Shop(truth).planted("bots")["visitor_id"])
        found[share] = Shop(truth).clicks["visitor_id"].isin(bots).mean()
    assert found[0.0] == 0
    assert found[0.3] == pytest.approx(0.3 / 1.3, abs=0.05)
