import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from customer_oracle import SOURCES, features_by_sql
from frames import assert_frames_equal
from lakes import DERIVED, assert_same_answers, copied, rows, served, versions
from tiny_model import classifier_folder
from tiny_shop import LAST, START, TEXTS, at, land, order, orders, shop, text

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.pipeline import run
from gpu_pipeline.privacy import token
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.segmentation import SegmentModel
from gpu_pipeline.steps import STEPS
from gpu_pipeline.store import Lake
from nlp import SentimentModel
from nlp.reading import reader_version

KEY = "0ddba11a" * 8


@pytest.fixture(scope="module")
def text_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that say different things."""
    return [classifier_folder(tmp_path_factory.mktemp("model"), seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def config(text_models: list[Path]) -> Config:
    return Config.load(segments=3, horizon=7, text_model=text_models[0])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, backend: Backend, config: Config) -> Lake:
    """A lake with every source and all that is made of them."""
    folder = tmp_path_factory.mktemp("finished")
    lake = Lake.create(folder / "lake", buckets=4, backend=backend, key=KEY)
    land(lake, shop(), folder=folder / "landing")
    with backend.cluster():
        run(lake, STEPS, config)
    return lake


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


@pytest.fixture
def lake_of(tmp_path: Path, backend: Backend) -> Callable[..., Lake]:
    """Makes a lake of some tables."""

    def make(**tables: list[dict[str, Any]]) -> Lake:
        lake = Lake.create(tmp_path / "lake", buckets=4, backend=backend, key=KEY)
        land(lake, tables, folder=tmp_path / "landing")
        return lake

    return make


def facts(lake: Lake, config: Config, step: str) -> dict[str, Any]:
    """What a step says of its result when the lake is brought up to date."""
    (found,) = (report.facts for report in run(lake, STEPS, config).steps if report.name == step)
    return dict(found)


@pytest.mark.parametrize("table", DERIVED)
def test_every_table_has_the_columns_and_types_of_its_contract_and_lacks_no_value(
    finished: Lake, table: str
) -> None:
    found = rows(finished, table)
    # Nobody moved before there was a moment to move from.
    assert len(found) or table in ("segment_migration", "trend_alerts", "rising_terms")
    assert found.dtypes.to_dict() == finished.backend.empty(contract(table)).dtypes.to_dict()
    required = [column.name for column in contract(table).columns if column.required]
    assert not found[required].isna().any(axis=None)
    assert not found.duplicated(list(contract(table).key)).any()
    for column in contract(table).columns:
        said = set(found[column.name].dropna())
        assert not column.allowed or said <= set(column.allowed)


def test_features_of_a_lake_are_those_of_plain_sql(finished: Lake) -> None:
    others = {name: rows(finished, table) for name, (table, _) in SOURCES.items()}
    moment = LAST - (LAST - START) / 60
    wanted = features_by_sql(rows(finished, "orders"), moment, **others)
    assert_frames_equal(rows(finished, "customer_features"), wanted)
    # Twelve customers; the guest is none.
    assert len(wanted) == 12


def test_demand_is_what_was_sold_day_by_day(finished: Lake) -> None:
    found = rows(finished, "demand_daily")
    sold: dict[tuple[str, str], int] = {}
    for row in orders():
        wrong = abs(row["quantity"]) == 9000
        if row["line_type"] == "sale" and not wrong:
            key = row["product_id"], row["ordered_at"][:10]
            sold[key] = sold.get(key, 0) + row["quantity"]
    keys = zip(found["product_id"], found["day"].astype("str").str.slice(0, 10), strict=True)
    assert dict(zip(keys, found["units"], strict=True)) == sold
    prices = found["product_id"].map({"lamp": 2500, "rug": 8000, "sofa": 49900})
    assert (found["revenue"] == found["units"] * prices).all()


def test_the_forecast_covers_the_horizon_of_every_product_that_sells(finished: Lake) -> None:
    found = rows(finished, "demand_forecast")
    days = found.groupby("product_id")["horizon"].apply(tuple).to_dict()
    assert days == dict.fromkeys(("lamp", "rug", "sofa"), (1, 2, 3, 4, 5, 6, 7))
    assert (found["p10"] <= found["p50"]).all()
    assert (found["p50"] <= found["p90"]).all()


def test_segments_are_those_of_the_model_that_was_saved(finished: Lake) -> None:
    (folder,) = (finished.path / "models" / "segments").iterdir()
    model = SegmentModel.load(folder, backend=finished.backend)
    features, found = rows(finished, "customer_features"), rows(finished, "customer_segments")
    assigned = model.assign(features)
    assert_frames_equal(found[["customer_key", "segment", "distance"]], assigned)
    profiles = rows(finished, "segment_profiles")
    assert list(profiles["customers"]) == list(found["segment"].value_counts().sort_index())
    named = dict(zip(profiles["segment"], profiles["name"], strict=True))
    assert (found["name"] == found["segment"].map(named)).all()
    assert (found["as_of"] == features["as_of"]).all()


def test_texts_have_the_scores_of_the_model(finished: Lake, config: Config) -> None:
    found = rows(finished, "text_sentiment").set_index(["source", "text_id"])
    assert len(found) == len(TEXTS)
    said = {
        (source, row[contract(source).key[0]]): row["text"]
        for source in ("reviews", "feedback", "social", "support")
        for row in shop()[source]
    }
    assert set(found.index) == set(said)
    model = SentimentModel.load(config.text_model)
    wanted = model.score([said[key] for key in found.index]).astype("float64")
    np.testing.assert_allclose(found[list(model.labels)], wanted, atol=0.02)
    assert list(found["label"]) == list(found[list(model.labels)].idxmax(axis=1))
    assert set(found["model_version"]) == {reader_version(config.text_model)}
    author = found.loc[("reviews", "reviews0")]
    assert author["customer_key"] == token("c1", key=KEY, kind="customer")
    assert (author["product_id"], author["created_at"]) == ("lamp", pd.Timestamp("2026-01-06T09"))
    assert found.loc[("social", "social1"), "key_kind"] == "author"
    assert pd.isna(found.loc[("social", "social1"), "product_id"])


def test_the_texts_of_all_sources_lie_together(finished: Lake) -> None:
    files = finished.files("text_sentiment")
    places = set(zip(files.buckets.tolist(), files.months.tolist(), strict=True))
    assert len(files) == len(places)
    assert len(files) < len(TEXTS)


def test_only_new_texts_are_scored(finished: Lake, config: Config, tmp_path: Path) -> None:
    lake = copied(finished, tmp_path / "lake")
    before, files = rows(lake, "text_sentiment"), _files(lake, "text_sentiment")
    new = [text("reviews", 7, 33, "c1", "rug", "bad"), text("reviews", 8, 34, "c2", "", "good")]
    new[1]["product_id"] = "rug"
    land(lake, {"reviews": new}, folder=tmp_path / "new")
    assert facts(lake, config, "sentiment")["scored"] == 2
    after = rows(lake, "text_sentiment")
    known = after["text_id"].isin(before["text_id"])
    assert_frames_equal(after[known].reset_index(drop=True), before)
    assert sorted(after["text_id"][~known]) == ["reviews7", "reviews8"]
    # Nothing that was there was written again.
    assert files < _files(lake, "text_sentiment")
    assert lake.version("text_sentiment") == (finished.version("text_sentiment") or 0) + 1


def test_another_model_scores_what_comes_and_all_again_where_it_is_asked_for(
    finished: Lake, config: Config, tmp_path: Path, text_models: list[Path]
) -> None:
    lake = copied(finished, tmp_path / "lake")
    other = config.model_copy(update={"text_model": text_models[1]})
    land(lake, {"reviews": [text("reviews", 7, 33, "c1", "rug", "bad")]}, folder=tmp_path / "new")
    said = facts(lake, other, "sentiment")
    before, after = rows(finished, "text_sentiment"), rows(lake, "text_sentiment")
    old, new = (reader_version(folder) for folder in text_models)
    # What has a score keeps it, and the run says so.
    known = after["text_id"].isin(before["text_id"])
    assert_frames_equal(after[known].reset_index(drop=True), before)
    assert list(after["model_version"][~known]) == [new]
    assert (said["scored"], said["texts_by_model"]) == (1, {old: len(TEXTS), new: 1})
    assert said["notes"] == [
        "10 of 11 texts keep the scores of another model; to score all with this one: "
        "`gpu-pipeline run --from sentiment`"
    ]
    run(lake, STEPS, other, from_step="sentiment")
    again = rows(lake, "text_sentiment")
    assert list(again["text_id"]) == list(after["text_id"])
    assert set(again["model_version"]) == {new}
    assert lake.note("text_sentiment")["texts_by_model"] == {new: 11}
    assert served(lake)["model"] == new


def _files(lake: Lake, table: str) -> set[str]:
    return {path.name for path in (lake.path / "tables" / table).rglob("*.parquet")}


def test_texts_of_later_than_the_moment_wait(
    finished: Lake, config: Config, tmp_path: Path
) -> None:
    lake = copied(finished, tmp_path / "lake")
    moment = rows(lake, "customer_features")["as_of"][0].to_pydatetime()
    later = text("feedback", 7, 100, "c1", "rug", "good")
    land(lake, {"feedback": [later]}, folder=tmp_path / "new")
    run(lake, STEPS, config, as_of=moment)
    assert lake.rows("text_sentiment") == len(TEXTS)
    assert facts(lake, config, "sentiment")["scored"] == 1


def test_a_product_has_its_catalogue_name_else_the_printed_one_else_its_id(
    finished: Lake,
) -> None:
    snapshot = Snapshot.open(finished.path / "serving")
    names = {row["product_id"]: row["name"] for row in snapshot.products()}
    snapshot.close()
    assert names == {"lamp": "Lamp deluxe", "rug": "Rug deluxe", "sofa": "Sofa", "stool": "stool"}


def test_the_printed_name_is_the_last_that_was_printed_on_a_sale(
    lake_of: Callable[..., Lake], config: Config
) -> None:
    # Customers lie in different buckets; that must not matter.
    lines = [
        order(i, day, customer, "lamp", product_name=name)
        for i, (day, customer, name) in enumerate(
            [(0, "c1", "Lmap"), (5, "c2", "Lamp"), (6, "c3", ""), (7, "c4", ""), (3, "c5", "Lámp")]
        )
    ]
    returned = order(9, 8, "c1", "lamp", product_name="gone", quantity=-1, line_type="return")
    lake = lake_of(orders=[*lines, returned, order(10, 1, "c6", "rug", product_name="")])
    run(lake, STEPS, config)
    snapshot = Snapshot.open(lake.path / "serving")
    assert {row["product_id"]: row["name"] for row in snapshot.products()} == {
        "lamp": "Lamp",
        "rug": "rug",
    }
    snapshot.close()


def test_what_is_served_is_what_the_tables_say(finished: Lake) -> None:
    snapshot = Snapshot.open(finished.path / "serving")
    features = rows(finished, "customer_features").set_index("customer_key")
    segments = rows(finished, "customer_segments").set_index("customer_key")
    for key, row in features.iterrows():
        found = snapshot.customer(int(str(key)))
        assert found is not None
        numbers = features.select_dtypes("number").columns
        known = row[numbers].dropna().to_dict()
        assert {name: found[name] for name in numbers if found[name] is not None} == known
        assert (
            found["last_order_at"] == row["last_order_at"].isoformat(timespec="microseconds") + "Z"
        )
        segment = snapshot.segments_of([int(str(key))])[int(str(key))]
        named = ["segment", "name", "distance", "next_segment", "reason_1"]
        assert {name: segment[name] for name in named} == segments.loc[key, named].to_dict()
    profiles = rows(finished, "segment_profiles").drop(columns="as_of")
    told = pd.DataFrame(snapshot.segments()).drop(columns="as_of").astype(profiles.dtypes)
    assert_frames_equal(told, profiles)
    forecasts = rows(finished, "demand_forecast")
    for product, wanted in forecasts.groupby("product_id"):
        found_days = pd.DataFrame(snapshot.forecast(str(product)))
        numbers = ["horizon", "mean", "p10", "p50", "p90", "error", "naive_error"]
        assert_frames_equal(found_days[numbers], wanted[numbers].reset_index(drop=True))
    snapshot.close()


def test_served_opinions_are_the_texts_counted(finished: Lake) -> None:
    with duckdb.connect() as connection:
        connection.register("texts", rows(finished, "text_sentiment"))
        wanted = connection.execute(
            """
            SELECT product_id, count(*) AS texts, count(*) FILTER (label = 'negative') AS negative,
                count(*) FILTER (label = 'neutral') AS neutral,
                count(*) FILTER (label = 'positive') AS positive
            FROM texts WHERE product_id IS NOT NULL GROUP BY product_id ORDER BY product_id
            """
        ).df()
    snapshot = Snapshot.open(finished.path / "serving")
    found = pd.DataFrame([row for row in snapshot.products() if row["texts"] is not None])
    snapshot.close()
    assert_frames_equal(found[list(wanted.columns)].astype(wanted.dtypes.to_dict()), wanted)


def test_a_snapshot_says_what_it_was_made_of(finished: Lake) -> None:
    snapshot = Snapshot.open(finished.path / "serving")
    facts = snapshot.facts
    snapshot.close()
    (record,) = (finished.path / "runs").iterdir()
    assert facts["run_id"] == record.stem
    assert facts["as_of"] == "2026-03-01T09:00:00.000000Z"
    known = {table: finished.version(table) for table in (*DERIVED, "orders", "products")}
    said = json.loads(facts["data_versions"])
    assert {table: said[table] for table in known} == known


@pytest.mark.parametrize("tables", [("social",), ("social", "support"), ("orders",)])
def test_a_shop_with_few_sources_has_what_can_be_made_of_them(
    lake_of: Callable[..., Lake], config: Config, tables: tuple[str, ...]
) -> None:
    few = {table: [dict(row) for row in shop()[table]] for table in tables}
    # Posts name no product here: nothing is known of any.
    for row in few.get("social", []):
        row["product_id"] = ""
    lake = lake_of(**few)
    run(lake, STEPS, config)
    snapshot = Snapshot.open(lake.path / "serving")
    products = {row["product_id"]: row["texts"] for row in snapshot.products()}
    snapshot.close()
    wanted: dict[tuple[str, ...], dict[str, int | None]] = {
        ("social",): {},
        ("social", "support"): {"sofa": 2, "stool": 1},
        ("orders",): {"lamp": None, "rug": None, "sofa": None},
    }
    assert products == wanted[tables]


def test_a_customer_who_pays_in_two_currencies_is_refused(
    lake_of: Callable[..., Lake], config: Config
) -> None:
    lake = lake_of(orders=[*orders(), order(900, 3, "c1", "lamp", currency="USD")])
    with pytest.raises(PipelineError, match=r"Orders are in EUR, USD: .* --currency EUR"):
        run(lake, STEPS, config)
    # What speaks of units, not of money, is made all the same.
    made = {table for table, version in versions(lake).items() if version is not None}
    assert made == {"demand_daily", "demand_forecast", "product_quality", "related_products"}


def test_customers_who_pay_in_different_currencies_are_not_put_together(
    lake_of: Callable[..., Lake], config: Config
) -> None:
    # Nobody meets the other currency in their own bucket of the lake.
    everybody = [f"u{i}" for i in range(60)]
    euros, dollars = (
        [name for name in everybody if token(name, key=KEY, kind="customer") & 3 == bucket][:5]
        for bucket in (0, 1)
    )
    sold = [order(i, i, name, "lamp") for i, name in enumerate(euros)]
    sold += [order(50 + i, i, name, "rug", currency="USD") for i, name in enumerate(dollars)]
    lake = lake_of(orders=sold)
    with pytest.raises(PipelineError, match=r"Orders are in EUR, USD: .* --currency EUR"):
        run(lake, STEPS, config)
    assert lake.version("customer_segments") is None


@pytest.fixture
def trading(tmp_path: Path, backend: Backend) -> Callable[..., Lake]:
    """Makes a lake of orders that reports in euros, with the rates of some currencies."""

    def make(sold: list[dict[str, Any]], rates: dict[str, float], days: int = 60) -> Lake:
        lake = Lake.create(tmp_path / "euros", backend=backend, key=KEY, currency="EUR")
        quoted = [
            {"currency": code, "day": at(day), "rate": rate}
            for code, rate in rates.items()
            for day in range(days)
        ]
        tables = {"orders": sold} | ({"fx_rates": quoted} if quoted else {})
        land(lake, tables, folder=tmp_path / "abroad")
        return lake

    return make


def paid_in(currency: str, price: float) -> list[dict[str, Any]]:
    """The shop's orders, where lamps are paid in another currency."""
    paid = {"currency": currency, "unit_price": price}
    return [row | paid if row["product_id"] == "lamp" else row for row in orders()]


@pytest.mark.parametrize(
    ("currency", "price", "rate"),
    [("USD", 25, 1.0), ("JPY", 4000, 0.00625), ("KWD", 8.0, 3.125)],
)
def test_a_price_that_is_worth_as_much_in_another_currency_changes_nothing(
    lake_of: Callable[..., Lake],
    trading: Callable[..., Lake],
    config: Config,
    currency: str,
    price: float,
    rate: float,
) -> None:
    in_euros = lake_of(orders=orders())
    abroad = trading(paid_in(currency, price), {currency: rate})
    for lake in (in_euros, abroad):
        run(lake, STEPS, config)
    assert_same_answers(abroad, in_euros)
    assert set(rows(abroad, "customer_features")["currency"]) == {"EUR"}
    assert set(rows(abroad, "segment_profiles")["currency"]) == {"EUR"}
    report = {step.name: step.facts for step in run(abroad, STEPS, config).steps}
    for step in ("features", "demand"):
        assert (report[step]["currency"], report[step]["without_rate"]) == ("EUR", 0)


@pytest.mark.parametrize("days", [0, 20])
def test_lines_without_a_rate_are_counted_and_in_no_sum_of_euros(
    lake_of: Callable[..., Lake], trading: Callable[..., Lake], config: Config, days: int
) -> None:
    sold = paid_in("JPY", 4000)
    lake = trading(sold, {"JPY": 0.00625} if days else {}, days)
    report = {step.name: step.facts for step in run(lake, STEPS, config).steps}
    known = at(days + 7) if days else at(0)
    moves = [row for row in sold if row["line_type"] != "fee"]
    missing = [r for r in moves if r["currency"] == "JPY" and r["ordered_at"] >= known]
    assert missing
    assert report["features"]["without_rate"] == report["demand"]["without_rate"] == len(missing)
    assert lake.rows("orders") == len(sold)

    rest = lake_of(orders=[row for row in sold if row not in missing and row["currency"] == "EUR"])
    run(rest, STEPS, config)
    demand = rows(lake, "demand_daily")
    lamps = demand[demand["product_id"] == "lamp"]
    others = demand.drop(lamps.index).reset_index(drop=True)
    assert_frames_equal(others, rows(rest, "demand_daily"))
    # A unit is a unit in any currency: the yen that have no rate stay yen.
    units = sum(r["quantity"] for r in sold if r["product_id"] == "lamp" and r["quantity"] > 0)
    assert lamps["units"].sum() == units
    prices = lamps["currency"].map({"EUR": 2500, "JPY": 4000})
    assert (lamps["revenue"] == lamps["units"] * prices).all()
    assert set(lamps[lamps["day"] >= known]["currency"]) == {"JPY"}
    counted = [r for r in moves if r not in missing and r["customer_id"] and r["quantity"] != -9000]
    bought = [r["quantity"] for r in counted if r["line_type"] == "sale" and r["quantity"] != 9000]
    assert rows(lake, "customer_features")["units"].sum() == sum(bought)


def test_rates_that_come_late_mend_what_was_made_without_them(
    trading: Callable[..., Lake], config: Config, tmp_path: Path
) -> None:
    lake = trading(paid_in("USD", 50), {"USD": 0.5}, 20)
    assert facts(lake, config, "features")["without_rate"] > 0
    quoted = [{"currency": "USD", "day": at(day), "rate": 0.5} for day in range(27, 60)]
    land(lake, {"fx_rates": quoted}, folder=tmp_path / "late")
    assert facts(lake, config, "features")["without_rate"] == 0
    assert set(rows(lake, "demand_daily")["currency"]) == {"EUR"}


def test_the_days_of_demand_are_those_of_the_lakes_time_zone(
    lake_of: Callable[..., Lake], config: Config, tmp_path: Path, backend: Backend
) -> None:
    # The shop sells at nine in the morning of UTC, an hour before midnight in Honolulu.
    far = Lake.create(tmp_path / "far", backend=backend, key=KEY, time_zone="Pacific/Honolulu")
    land(far, {"orders": orders()}, folder=tmp_path / "also")
    here = lake_of(orders=orders())
    for lake in (here, far):
        run(lake, STEPS, config)
    day = np.timedelta64(1, "D")
    sold, forecast = rows(far, "demand_daily"), rows(far, "demand_forecast")
    assert_frames_equal(sold.assign(day=sold["day"] + day), rows(here, "demand_daily"))
    # What is forecast differs a little, as the date of a month does.
    whens = ["product_id", "day", "as_of"]
    moved = forecast.assign(day=forecast["day"] + day, as_of=forecast["as_of"] + day)
    assert_frames_equal(moved[whens], rows(here, "demand_forecast")[whens])
    assert_frames_equal(rows(far, "customer_features"), rows(here, "customer_features"))


def test_threads_and_worker_processes_give_the_same_tables(
    finished: Lake, config: Config, tmp_path: Path, backend: Backend
) -> None:
    lake = copied(finished, tmp_path / "lake")
    without_texts = [step for step in STEPS if step.name != "sentiment"]
    with backend.cluster(workers=2):
        report = run(lake, without_texts, config, from_step="quality")
    assert {step.status for step in report.steps} == {"done"}
    again = set(DERIVED) - {"text_sentiment", "text_aspects"}
    assert all(versions(lake)[table] != versions(finished)[table] for table in again)
    assert_same_answers(lake, finished)
