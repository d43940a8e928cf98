from datetime import date, timedelta

import pandas as pd
import pytest
from made_shop import Shop

from gpu_pipeline.synthetic import generate


def test_the_planted_week_shows_in_what_is_sold(shop: Shop) -> None:
    sold = shop.sales.merge(
        shop.products.drop_duplicates("product_id")[["product_id", "category"]], on="product_id"
    )
    weekend = sold["ordered_at"].dt.dayofweek >= 5
    sold = sold.assign(units_a_day=sold["quantity"] / weekend.map({True: 2, False: 5}))
    rate = sold.groupby(["category", weekend])["units_a_day"].sum().unstack()
    assert rate.loc["consoles", True] > 1.2 * rate.loc["consoles", False]
    assert rate.loc["laptops", True] < 0.9 * rate.loc["laptops", False]


def test_planted_profiles_have_mean_one_and_growth_cancels_in_orders(shop: Shop) -> None:
    products = shop.planted("products")
    assert [round(sum(week), 2) for week in products["weekly_profile"]] == [7.0] * len(products)
    assert [round(sum(year), 2) for year in products["annual_profile"]] == [12.0] * len(products)
    assert products["annual_trend"].between(-0.35, 0.6).all()
    halves = shop.orders["ordered_at"] > shop.orders["ordered_at"].min() + timedelta(days=60)
    assert 0.45 < halves.mean() < 0.62


def test_promotions_sell_more_and_cost_less(shop: Shop) -> None:
    offers = shop.table("promotions").astype({"depth": float})
    assert (offers["ends_at"] > offers["starts_at"]).all()
    days = pd.date_range(shop.sales["ordered_at"].min().floor("D"), periods=120)
    running = pd.DataFrame(0.0, index=days, columns=sorted(shop.products["product_id"].unique()))
    for _, offer in offers.iterrows():
        running.loc[offer["starts_at"] : offer["ends_at"], offer["product_id"]] = offer["depth"]
    units = shop.sales.assign(day=shop.sales["ordered_at"].dt.floor("D")).pivot_table(
        index="day", columns="product_id", values="quantity", aggfunc="sum"
    )
    units = units.reindex_like(running).fillna(0)
    relative = units / units.mean()
    assert relative[running > 0].mean().mean() > 1.3 * relative[running == 0].mean().mean()
    worth = shop.sales["unit_price"] * shop.sales["quantity"]
    depth = [
        running.loc[at.floor("D"), product]
        for at, product in zip(shop.sales["ordered_at"], shop.sales["product_id"], strict=True)
    ]
    assert (shop.sales["discount"] + 0.01 >= worth * depth).all()


def test_stock_is_counted_weekly_at_two_places(shop: Shop) -> None:
    counts = shop.table("inventory").astype({"on_hand": int, "on_order": int, "unit_cost": float})
    assert counts["location"].nunique() == 2
    assert counts["counted_at"].drop_duplicates().diff().dropna().eq(pd.Timedelta(days=7)).all()
    assert counts.groupby("counted_at").size().nunique() == 1
    assert (counts["on_order"] > 0).any()
    price = shop.products.groupby("product_id")["price"].max()
    assert (counts["unit_cost"] < counts["product_id"].map(price)).all()


def test_stock_is_out_where_it_is_listed_and_nowhere_else(shop: Shop) -> None:
    counts = shop.table("inventory").astype({"on_hand": int})
    outs = shop.planted("stockouts")
    listed = pd.Series(data=False, index=counts.index)
    for out in outs.itertuples():
        its = counts["product_id"].eq(out.product_id) & counts["location"].eq(out.location)
        within = counts["counted_at"].between(out.since, out.until, inclusive="left")
        assert (its & within).any()
        listed |= its & within
    assert (listed == counts["on_hand"].eq(0)).all()


def test_a_product_that_is_out_everywhere_is_not_sold_and_what_was_lost_is_told(
    shop: Shop,
) -> None:
    outs = shop.planted("stockouts")
    sizes = outs.groupby("product_id").size()
    assert set(sizes) == {1, 2}
    daily = shop.sales.groupby(["product_id", shop.sales["ordered_at"].dt.floor("D")])["quantity"]
    units = daily.sum().unstack(fill_value=0)
    for out in outs.itertuples():
        days = units.columns[(units.columns >= out.since) & (units.columns < out.until)]
        if sizes[out.product_id] == 2:
            assert units.loc[out.product_id, days].sum() == 0
    expected = [
        units.loc[out.product_id].mean()
        * (out.until - out.since).days
        * {"Leipzig": 0.6, "Rotterdam": 0.4}[out.location]
        for out in outs.itertuples()
    ]
    assert 0.5 < outs["lost_units"].sum() / sum(expected) < 2


def test_promotions_are_listed_with_their_uplift(shop: Shop) -> None:
    offers = shop.planted("promotions")
    landed = shop.table("promotions").astype({"depth": float})
    both = offers.merge(landed, on=["product_id", "starts_at"], validate="one_to_one")
    assert len(both) == len(offers) == len(landed)
    assert (both["percent_off"] / 100 - both["depth"]).abs().max() < 1e-9
    assert (both["uplift"] - 1 - 4 * both["depth"]).abs().max() < 1e-9
    assert (both["ends_at_x"] == both["ends_at_y"]).all()


def test_the_planted_year_shows_in_what_is_sold(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("year")
    year = Shop(
        generate(folder, customers=1_500, days=365, seed=5, until=date(2025, 12, 31), damage=0)
    )
    products = year.planted("products").set_index("product_id")
    sold = year.sales.assign(
        month=year.sales["ordered_at"].dt.month,
        category=year.sales["product_id"].str[:3],
    )
    consoles = (sold["category"] == "CON").groupby(sold["month"]).mean()
    profile = pd.DataFrame(products["annual_profile"].to_list(), index=products.index)
    planted = profile[profile.index.str.startswith("CON")].mean()
    assert planted.idxmax() == 11
    assert consoles.corr(planted.set_axis(range(1, 13))) > 0.5
