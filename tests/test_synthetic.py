import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpu_pipeline.contracts import Column, contract, sources
from gpu_pipeline.errors import ConfigError
from gpu_pipeline.privacy import redact
from gpu_pipeline.synthetic import FILES, Truth, generate

TINY = {"customers": 150, "days": 60}
TEXT_IDS = {
    "reviews": "review_id",
    "feedback": "feedback_id",
    "social": "post_id",
    "support": "message_id",
}
Record = dict[str, Any] | None


def lines_of(path: Path) -> list[str]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return text.decode().splitlines()


def csv_records(path: Path) -> list[Record]:
    header, *rows = csv.reader(io.StringIO("\n".join(lines_of(path))))
    return [
        {name: cell or None for name, cell in zip(header, row, strict=True)}
        if len(row) == len(header)
        else None
        for row in rows
    ]


def json_record(line: str) -> Record:
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found


def records(path: Path) -> list[Record]:
    """The records in order; None for one that is broken."""
    if ".csv" in path.suffixes:
        return csv_records(path)
    if ".jsonl" in path.suffixes:
        return [json_record(line) for line in lines_of(path)]
    return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def as_time(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return pd.to_datetime(values, format="%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Shop:
    """A generated shop, its files read by means that share nothing with what wrote them."""

    truth: Truth

    def table(self, source: str) -> pd.DataFrame:
        frame = pd.DataFrame(records(self.truth.directory / FILES[source]))
        for column in contract(source).columns:
            if column.type == "timestamp" and column.name in frame:
                frame[column.name] = as_time(frame[column.name])
        return frame

    def planted(self, name: str) -> pd.DataFrame:
        return pq.read_table(self.truth.directory / "truth" / f"{name}.parquet").to_pandas()

    @cached_property
    def orders(self) -> pd.DataFrame:
        frame = self.table("orders")
        numbers = {"line_no": int, "quantity": int, "unit_price": float, "discount": float}
        return frame.astype(numbers)

    @cached_property
    def sales(self) -> pd.DataFrame:
        return self.orders[self.orders["line_type"] == "sale"]

    @cached_property
    def products(self) -> pd.DataFrame:
        return self.table("products").astype({"price": float})

    @cached_property
    def clicks(self) -> pd.DataFrame:
        return self.table("clickstream")

    @cached_property
    def texts(self) -> pd.DataFrame:
        """Every text with what was planted: source, id, created_at, product_id, text, …"""
        parts = []
        for source, key in TEXT_IDS.items():
            frame = self.table(source).rename(columns={key: "id", "sent_at": "created_at"})
            parts.append(frame.assign(source=source))
        return pd.concat(parts).merge(
            self.planted("texts"), on=["source", "id"], validate="one_to_one"
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A clean shop, large enough that what was planted shows."""
    return Shop(
        generate(tmp_path_factory.mktemp("shop"), customers=900, days=120, seed=7, damage=0)
    )


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(tmp_path_factory.mktemp("damaged"), **TINY, seed=7, damage=0.03)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    damaged: Truth, tmp_path: Path
) -> None:
    threads = pa.cpu_count()
    pa.set_cpu_count(threads + 2)
    try:
        generate(tmp_path, **TINY, seed=7, damage=0.03)
    finally:
        pa.set_cpu_count(threads)
    assert digests(tmp_path) == digests(damaged.directory)


def test_another_seed_gives_other_bytes_in_every_file(damaged: Truth, tmp_path: Path) -> None:
    generate(tmp_path, **TINY, seed=8, damage=0.03)
    before, after = digests(damaged.directory), digests(tmp_path)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] == after[name]] == []


def test_compressed_files_carry_no_time_and_no_name(damaged: Truth) -> None:
    for file in ("orders.csv.gz", "social.jsonl.gz"):
        head = (damaged.directory / file).read_bytes()[:10]
        assert head[3] == 0, f"{file}: flags say that a name follows"
        assert head[4:8] == bytes(4)


def test_every_source_has_a_file_with_the_landing_columns_of_its_contract(shop: Shop) -> None:
    assert set(FILES) == set(sources())
    for source, file in FILES.items():
        first = records(shop.truth.directory / file)[0]
        assert first is not None
        assert tuple(first) == contract(source).landing_columns, source


def test_the_counts_are_those_of_the_files(damaged: Truth) -> None:
    found = {source: len(records(damaged.directory / file)) for source, file in FILES.items()}
    assert found == damaged.rows
    planted = pq.read_table(damaged.directory / "truth" / "customers.parquet")
    assert Counter(planted["segment"].to_pylist()) == damaged.segments
    assert sum(damaged.segments.values()) == TINY["customers"]


def test_the_shop_is_open_from_days_before_its_last_day_until_its_end(tmp_path: Path) -> None:
    truth = generate(tmp_path, **TINY, seed=1, until=date(2024, 3, 1), damage=0)
    small = Shop(truth)
    assert small.orders["ordered_at"].dt.date.min() == date(2024, 1, 2)
    assert small.orders["ordered_at"].dt.date.max() == date(2024, 3, 1)
    assert small.clicks["occurred_at"].between("2024-01-02", "2024-03-02").all()
    assert truth.turned_at == datetime(2024, 2, 17)  # noqa: DTZ001


def test_more_customers_bring_a_few_more_products(shop: Shop, damaged: Truth) -> None:
    few = {row["product_id"] for row in csv_records(damaged.directory / "products.csv") if row}
    assert 20 <= len(few) < shop.products["product_id"].nunique() < 60


@pytest.mark.parametrize("source", sources())
def test_a_clean_shop_keeps_every_contract(shop: Shop, source: str) -> None:
    keeps = contract(source)
    rows = records(shop.truth.directory / FILES[source])
    faults = [(number, fault) for number, row in enumerate(rows, 1) for fault in kinds(source, row)]
    assert faults == []
    landed_key = [{"customer_key": "customer_id"}.get(name, name) for name in keeps.key]
    keys = [tuple(row[name] for name in landed_key) for row in rows if row]
    assert len(set(keys)) == len(keys)


def kinds(source: str, row: Record) -> list[str]:
    """What the contract has against a landing row, in the words of truth/damage.parquet."""
    if row is None:
        return ["broken"]
    found = [kind for c in contract(source).columns if c.name in row and (kind := against(c, row))]
    ways = [column.pseudonyms for column in contract(source).columns if column.pseudonyms]
    nameless = any(all(row[way.of] is None for way in these) for these in ways)
    return [*found, *(["missing"] if nameless else [])]


def against(column: Column, row: dict[str, Any]) -> str | None:
    value = row[column.name]
    if value is None:
        return "missing" if column.required else None
    if column.type == "timestamp":
        return None if is_moment(value) else "time"
    if column.type in ("int64", "float64"):
        return number_fault(column, str(value))
    if column.allowed and value not in column.allowed:
        return "enum"
    if column.type == "bool":
        return None if value in ("true", "false") else "enum"
    return None if re.search(column.pattern or "", value) else "pattern"


def is_moment(value: str) -> bool:
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007
    except ValueError:
        return False
    return True


def number_fault(column: Column, value: str) -> str | None:
    decimals = column.money is not None or column.type == "float64"
    if not re.fullmatch(r"-?\d+\.\d+|-?\d+" if decimals else r"-?\d+", value):
        return "number"
    number = float(value)
    if column.minimum is not None and number < column.minimum:
        return "negative"
    above = column.above is not None and number <= column.above
    return "range" if above or number > (column.maximum or number) else None


@pytest.mark.parametrize("source", sources())
def test_the_damage_in_a_file_is_exactly_what_is_listed(damaged: Truth, source: str) -> None:
    listed = pq.read_table(damaged.directory / "truth" / "damage.parquet").to_pylist()
    rows = records(damaged.directory / FILES[source])
    found = [(number, kind) for number, row in enumerate(rows, 1) for kind in kinds(source, row)]
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        same = json.dumps(row, sort_keys=True)
        if row is not None and same in seen:
            found.append((number, "duplicate"))
        seen.add(same)
    planted = [(row["record"], row["kind"]) for row in listed if row["file"] == FILES[source]]
    assert sorted(found) == planted
    if source in ("orders", "clickstream"):
        assert len(planted) / len(rows) == pytest.approx(0.03, abs=0.002)
    else:
        assert bool(planted) == (source == "reviews")


def test_every_kind_of_damage_is_there_even_at_a_small_rate(tmp_path: Path) -> None:
    truth = generate(tmp_path, **TINY, seed=7, damage=0.0001)
    assert " ".join(truth.damaged) == "broken duplicate enum missing negative number range time"
    assert sum(truth.damaged.values()) == 17


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


def test_nobody_buys_or_logs_in_before_signing_up(shop: Shop) -> None:
    since = shop.table("customers").groupby("customer_id")["signed_up_at"].first()
    for frame, time in ((shop.orders, "ordered_at"), (shop.clicks, "occurred_at")):
        known = frame.dropna(subset=["customer_id"])
        assert (known[time] >= known["customer_id"].map(since) - pd.Timedelta(hours=2)).all()


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


def test_the_planted_week_shows_in_what_is_sold(shop: Shop) -> None:
    sold = shop.sales.merge(
        shop.products.drop_duplicates("product_id")[["product_id", "category"]], on="product_id"
    )
    weekend = sold["ordered_at"].dt.dayofweek >= 5
    sold = sold.assign(units_a_day=sold["quantity"] / weekend.map({True: 2, False: 5}))
    rate = sold.groupby(["category", weekend])["units_a_day"].sum().unstack()
    assert rate.loc["consoles", True] > 1.2 * rate.loc["consoles", False]
    assert rate.loc["laptops", True] < 0.8 * rate.loc["laptops", False]


def test_planted_profiles_have_mean_one_and_growth_cancels_in_orders(shop: Shop) -> None:
    products = shop.planted("products")
    assert [round(sum(week), 2) for week in products["weekly_profile"]] == [7.0] * len(products)
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


def test_products_that_break_are_returned_more_often(shop: Shop) -> None:
    rate = shop.planted("products").set_index("product_id")["return_rate"]
    lines = shop.orders[shop.orders["line_type"].isin(["sale", "return"])]
    breaks = lines["product_id"].map(rate) > 0.1
    share = (lines["line_type"] == "return").groupby(breaks).mean()
    assert share[True] > 2 * share[False]


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
    clicks = shop.clicks.sort_values(["visitor_id", "occurred_at"], kind="stable")
    pause = clicks["occurred_at"].diff() > pd.Timedelta(minutes=30)
    visits = (pause | (clicks["visitor_id"] != clicks["visitor_id"].shift())).sum()
    assert 8 < len(clicks) / visits < 10
    logged_in = clicks.groupby("visitor_id")["customer_id"].nunique()
    assert logged_in.max() == 1
    assert (logged_in == 0).mean() > 0.5
    assert shop.clicks["occurred_at"].is_monotonic_increasing


def test_ratings_and_scores_agree_with_the_planted_mood(shop: Shop) -> None:
    for source, column, limits in (
        ("reviews", "rating", {"negative": (1, 2), "neutral": (3, 3), "positive": (4, 5)}),
        ("feedback", "score", {"negative": (0, 6), "neutral": (7, 8), "positive": (9, 10)}),
    ):
        texts = shop.texts[shop.texts["source"] == source]
        assert set(texts["sentiment"]) == set(limits)
        for mood, (low, high) in limits.items():
            assert texts[texts["sentiment"] == mood][column].between(low, high).all()


def test_texts_vary(shop: Shop) -> None:
    reviews = shop.texts[shop.texts["source"] == "reviews"]["text"]
    assert reviews.nunique() > 0.98 * len(reviews)
    assert not shop.texts["text"].str.contains(r"[{}]|  ", regex=True).any()


def test_the_mood_about_one_product_turns_bad_in_the_last_two_weeks(shop: Shop) -> None:
    said = shop.texts[shop.texts["source"] != "support"]
    late = said["created_at"] >= pd.Timestamp(shop.truth.turned_at)
    its = said["product_id"] == shop.truth.turned_product
    negative = said["sentiment"] == "negative"
    assert (its & late).sum() >= 10
    assert negative[its & late].mean() > 0.6
    assert negative[its & ~late].mean() < 0.35
    assert negative[~its & late].mean() < 0.4
    products = shop.planted("products").set_index("product_id")
    turns = products["sentiment_turns_at"].dropna()
    assert list(turns.index) == [shop.truth.turned_product]
    assert turns.iloc[0].tz_localize(None) == shop.truth.turned_at
    assert said[its & late & negative]["text"].str.contains("batter|charg").mean() > 0.7


def test_planted_identifiers_are_in_their_texts_and_redaction_finds_them(shop: Shop) -> None:
    planted = shop.texts.dropna(subset=["planted"])
    assert len(planted) == shop.truth.identifiers > 20
    assert 0.01 < len(planted) / shop.truth.texts < 0.05
    seen = set()
    for text, identifier in zip(planted["text"], planted["planted"], strict=True):
        assert identifier in text
        clean = redact(text)
        assert identifier not in clean
        seen |= set(re.findall(r"\[(\w+)\]", clean))
    assert seen == {"email", "phone", "card", "ip", "iban"}


def test_support_cases_are_whole(shop: Shop) -> None:
    messages = shop.table("support")
    assert messages["sent_at"].is_monotonic_increasing
    for _, case in messages.groupby("case_id"):
        assert case[["customer_id", "order_id", "topic", "channel", "status"]].nunique().max() <= 1
        assert case["sent_at"].iloc[0] == case["opened_at"].iloc[0]
        resolved_at = case["resolved_at"].iloc[0]
        assert (case["status"].iloc[0] == "resolved") == pd.notna(resolved_at)
        assert pd.isna(resolved_at) or resolved_at > case["sent_at"].iloc[-1]
    sizes = messages.groupby("case_id").size()
    assert sizes[messages.groupby("case_id")["resolved_at"].first().notna()].min() >= 2
    ordered_at = shop.orders.groupby("order_id")["ordered_at"].min()
    assert (messages["opened_at"] > messages["order_id"].map(ordered_at)).all()


def test_stock_is_counted_weekly_at_two_places_and_runs_out_at_times(shop: Shop) -> None:
    counts = shop.table("inventory").astype({"on_hand": int, "on_order": int, "unit_cost": float})
    assert counts["location"].nunique() == 2
    assert counts["counted_at"].drop_duplicates().diff().dropna().eq(pd.Timedelta(days=7)).all()
    assert counts.groupby("counted_at").size().nunique() == 1
    assert 0 < (counts["on_hand"] == 0).mean() < 0.2
    assert (counts["on_order"] > 0).any()
    price = shop.products.groupby("product_id")["price"].max()
    assert (counts["unit_cost"] < counts["product_id"].map(price)).all()


def test_settings_that_make_no_shop_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        generate(tmp_path / "none", customers=3, days=5, seed=-1, damage=0.9)
    for name in ("customers is 3", "days is 5", "seed is -1", "damage is 0.9"):
        assert name in str(refused.value)
    assert not (tmp_path / "none").exists()
