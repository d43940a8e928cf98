from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.schemas import (
    CustomerFeatures,
    CustomerValue,
    Forecast,
    ForecastDay,
    FunnelDay,
    OpenCase,
    ProductQuality,
    QualityWeek,
    RelatedProduct,
    Segment,
    SegmentMove,
    SegmentTrait,
)
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import SCORES
from gpu_pipeline.privacy import as_hex, token
from gpu_pipeline.store import Lake
from nlp import SentimentModel
from nlp.reading import reader_version

UNKNOWN = (
    *("mean_days_between_orders", "sd_days_between_orders"),
    *("categories", "favourite_category", "favourite_category_share", "category_entropy"),
    *("sessions", "sessions_last_30_days", "days_since_last_session", "views", "carts"),
    *("conversion", "cart_abandonment"),
    *("texts", "texts_last_90_days", "mean_mood", "mean_mood_last_90_days"),
    "mean_hours_to_resolve",
)
NOTE = {"version": "000001", "run_id": "run-1", "as_of": "2011-12-09T12:50:00Z"}


def test_a_customer_is_found_by_the_raw_id_and_answered_without_it(
    shop: TestClient, lake: Lake
) -> None:
    answer = shop.get("/v1/customers/17850")
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {
            "customer_key": as_hex(token("17850", key=lake.key, kind="customer")),
            "segment": {
                "segment": 0,
                "name": "regulars",
                "distance": 1.5,
                "reasons": ["spends much"],
                "as_of": "2011-12-09T12:50:00Z",
                "model": {"kind": "segments", "id": "run-segments"},
            },
            "value": {
                "as_of": "2011-12-09T12:50:00Z",
                "horizon_days": 90,
                "purchases": 9,
                "p_alive": 0.75,
                "churn_risk": 0.5,
                "is_churning": False,
                "expected_purchases": 2.5,
                "expected_value": 9000.0,
                "value_low": 0.0,
                "value_high": 20000.0,
                "currency": "GBP",
                "model": {"kind": "customer_value", "id": "run-customer_value"},
            },
            "features": {
                "as_of": "2011-12-09T12:50:00Z",
                "first_order_at": "2011-12-07T12:50:00Z",
                "last_order_at": "2011-12-09T12:50:00Z",
                "days_since_last_order": 0.0,
                "tenure_days": 2.0,
                "orders": 2,
                "units": 7,
                "products": 3,
                "revenue": -1250,
                "average_order": 625.5,
                "returned_units": 1,
                "return_rate": 1 / 7,
                "currency": "GBP",
                "orders_last_90_days": 1,
                "revenue_last_90_days": 990,
                "discount_share": 0.125,
                "support_cases": 1,
                "open_cases": 1,
                "days_since_last_case": 2.5,
                **dict.fromkeys(SCORES, 4),
                **dict.fromkeys(UNKNOWN),
            },
            "open_cases": [],
        },
        "snapshot": NOTE,
    }
    assert "17850" not in answer.text


@pytest.mark.parametrize("written", [" 17850 ", "17850.0"])
def test_a_raw_id_is_read_as_ingest_reads_it(shop: TestClient, written: str) -> None:
    known = shop.get("/v1/customers/17850").json()["data"]
    assert shop.get(f"/v1/customers/{written}").json()["data"] == known


def test_a_mail_address_is_an_id_in_any_case(shop: TestClient) -> None:
    answer = shop.get("/v1/customers/Mail@Example.COM")
    assert answer.json()["data"]["segment"]["name"] == "one-time buyers"


def test_a_customer_without_a_segment_has_none(shop: TestClient) -> None:
    found = shop.get("/v1/customers/C-9").json()["data"]
    assert (found["segment"], found["value"]) == (None, None)
    assert found["features"]["orders"] == 4


def test_an_unknown_customer_is_a_problem_that_does_not_repeat_the_id(shop: TestClient) -> None:
    answer = shop.get("/v1/customers/somebody-else")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "No customer of that id is in this snapshot."
    assert "somebody-else" not in answer.text + str(answer.headers)


def test_the_configured_key_makes_the_pseudonyms_where_no_file_lies(
    config: Config, lake: Lake, publish: Callable[..., Path]
) -> None:
    from api.app import create_app

    publish()
    key = lake.key
    Path(f"{lake.path}.key").unlink()
    app = create_app(config.model_copy(update={"key": Config(key=key).key}))
    with TestClient(app, headers={"Authorization": "Bearer a key for tests"}) as client:
        assert client.get("/v1/customers/C-1").status_code == 200


def test_segments_come_with_their_shares_most_revenue_first(shop: TestClient) -> None:
    answer = shop.get("/v1/segments").json()
    assert answer["snapshot"] == NOTE
    assert [(s["segment"], s["name"], s["revenue_share"]) for s in answer["data"]] == [
        (0, "regulars", 0.9),
        (1, "one-time buyers", 0.1),
    ]


def test_products_are_searched_by_part_of_their_name(shop: TestClient) -> None:
    answer = shop.get("/v1/products", params={"search": "GRÖSSER"}).json()
    assert answer == {
        "data": [{"product_id": "GB/12", "name": "Größer als groß", "sentiment": None}],
        "snapshot": NOTE,
        "next": None,
    }
    (lamp,) = shop.get("/v1/products", params={"search": "heart"}).json()["data"]
    assert lamp["sentiment"] == {"texts": 6, "negative": 1, "neutral": 2, "positive": 3}


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_follow_each_other_to_the_end(shop: TestClient, limit: int) -> None:
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": limit}
    while True:
        page = shop.get("/v1/products", params=query).json()
        assert 0 < len(page["data"]) <= limit
        seen += [product["product_id"] for product in page["data"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == ["10002", "22423", "84879", "85123A", "GB/12"]


def test_a_forecast_is_told_day_by_day_with_its_error(shop: TestClient) -> None:
    answer = shop.get("/v1/products/85123A/forecast").json()
    assert answer["snapshot"] == NOTE
    found = answer["data"]
    assert found["days"][0] == {
        "day": "2011-12-10",
        "horizon": 1,
        "mean": 1.0,
        "p10": 0.5,
        "p50": 1.0,
        "p90": 2.0,
        "total_sd": 1.0,
    }
    assert [day["horizon"] for day in found["days"]] == [1, 2, 3]
    del found["days"]
    assert found == {
        "product_id": "85123A",
        "name": "WHITE HANGING HEART T-LIGHT HOLDER",
        "as_of": "2011-12-09",
        "model": "smoothing",
        "error": 2.5,
        "naive_error": 3.5,
    }


def test_a_product_id_may_hold_a_slash(shop: TestClient) -> None:
    for path in ("/v1/products/GB/12/forecast", "/v1/products/GB%2F12/forecast"):
        assert shop.get(path).json()["data"]["product_id"] == "GB/12"


def test_a_product_without_forecast_is_told_from_an_unknown_one(shop: TestClient) -> None:
    known = shop.get("/v1/products/10002/forecast")
    unknown = shop.get("/v1/products/nothing/forecast")
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.json()["detail"] == "This product has no forecast: too few of it were sold."
    assert unknown.json()["detail"] == "No product of that id is in this snapshot."


def test_texts_are_scored_in_order_as_the_model_scores_them(
    shop: TestClient, model_folder: Path
) -> None:
    texts = ["great phone", "it broke, and then it broke again " * 40, "ok", "great phone", "🎉"]
    model = SentimentModel.load(model_folder, "cpu")
    expected = model.score(texts)

    answer = shop.post("/v1/sentiment", json={"texts": texts}).json()

    assert answer["snapshot"] == NOTE
    found = [[row[label] for label in model.labels] for row in answer["data"]]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len({row["label"] for row in answer["data"]}) > 1
    assert [row["label"] for row in answer["data"]] == [
        model.labels[i] for i in expected.argmax(axis=1)
    ]
    assert {row["model_version"] for row in answer["data"]} == {reader_version(model_folder)}
    assert [row["language"] for row in answer["data"]] == ["en", "en", "und", "en", "und"]


def test_what_the_model_does_not_know_has_no_label_and_says_why(client: TestClient) -> None:
    texts = ["La pantalla es muy buena, me encanta", "  ", "The screen is great", "So great /s"]
    found = client.post("/v1/sentiment", json={"texts": texts}).json()["data"]
    assert [row["unscored"] for row in found] == ["language", "empty", None, None]
    assert [row["language"] for row in found][:2] == ["es", "und"]
    for row in found[:2]:
        assert row["label"] is row["negative"] is row["neutral"] is row["positive"] is None
    # What marks itself as sarcastic has a label, but nobody should rely on it.
    assert [row["certain"] for row in found] == [False, False, True, False]
    assert found[3]["label"] in SentimentModel.labels


def test_texts_are_scored_before_anything_is_published(client: TestClient) -> None:
    answer = client.post("/v1/sentiment", json={"texts": ["fine"]})
    assert answer.status_code == 200
    assert answer.json()["snapshot"] is None


def test_the_largest_request_is_taken_and_a_larger_one_is_not(client: TestClient) -> None:
    assert client.post("/v1/sentiment", json={"texts": ["a"] * 256}).status_code == 200
    assert client.post("/v1/sentiment", json={"texts": ["a" * 20_000]}).status_code == 200
    for texts in ([], ["a"] * 257, ["a" * 20_001]):
        assert client.post("/v1/sentiment", json={"texts": texts}).status_code == 422


def test_the_server_is_alive_before_and_ready_after_something_is_published(
    client: TestClient, publish: Callable[..., Path]
) -> None:
    assert client.get("/healthz").json() == {"data": {"status": "alive"}, "snapshot": None}
    waiting = client.get("/readyz")
    assert waiting.status_code == 503
    assert "run `gpu-pipeline run`" in waiting.json()["detail"]
    publish()
    app = client.app
    assert isinstance(app, FastAPI)
    with TestClient(app) as fresh:
        assert fresh.get("/readyz").json() == {"data": {"status": "ready"}, "snapshot": NOTE}


def test_a_customers_card_shows_the_cases_that_wait(shop: TestClient) -> None:
    waiting = shop.get("/v1/customers/C-1").json()["data"]["open_cases"]
    assert [(case["case_id"], case["mood"]) for case in waiting] == [("K1", None), ("K2", -0.5)]
    assert shop.get("/v1/customers/C-9").json()["data"]["open_cases"] == []


def test_quality_is_told_week_by_week(shop: TestClient) -> None:
    found = shop.get("/v1/products/85123A/quality").json()["data"]
    assert (found["name"], found["category"]) == ("WHITE HANGING HEART T-LIGHT HOLDER", "home")
    assert [week["units_sold"] for week in found["weeks"]] == [12, 8]
    assert found["weeks"][1]["week"] == "2011-12-05"
    assert found["weeks"][1]["return_rate"] == 0.05
    assert found["weeks"][1]["category_return_rate"] is None
    quiet, unknown = (shop.get(f"/v1/products/{name}/quality") for name in ("10002", "none"))
    assert quiet.json()["detail"] == "Nothing was sold or said of this product yet."
    assert unknown.json()["detail"] == "No product of that id is in this snapshot."


def test_what_goes_with_a_product_comes_by_rank_and_relation(shop: TestClient) -> None:
    bought = shop.get("/v1/products/85123A/related").json()["data"]
    assert [(one["rank"], one["related_product_id"]) for one in bought] == [
        (1, "22423"),
        (2, "84879"),
    ]
    assert bought[0]["related_name"] == "REGENCY CAKESTAND 3 TIER"
    seen = shop.get("/v1/products/85123A/related", params={"relation": "co_view"}).json()["data"]
    assert [one["related_product_id"] for one in seen] == ["10002"]
    assert shop.get("/v1/products/10002/related").json()["data"] == []
    assert shop.get("/v1/products/none/related").status_code == 404
    assert shop.get("/v1/products/10002/related?relation=none").status_code == 422


def test_the_funnel_is_told_day_by_day_over_channels_or_for_one(shop: TestClient) -> None:
    days = shop.get("/v1/trends/funnel").json()["data"]
    assert [(day["day"], day["sessions"], day["carted"]) for day in days] == [
        ("2011-12-08", 4, 0),
        ("2011-12-09", 10, 4),
    ]
    assert [day["cart_abandonment_rate"] for day in days] == [None, 0.5]
    assert days[1]["pages_per_session"] == 2.5
    (email,) = shop.get("/v1/trends/funnel", params={"channel": "email"}).json()["data"]
    assert (email["sessions"], email["cart_abandonment_rate"]) == (2, 0.0)
    mobile = shop.get("/v1/trends/funnel", params={"device": "mobile"}).json()["data"]
    assert [day["sessions"] for day in mobile] == [4, 8]
    long_ago = {"since": "2011-09-01", "until": "2011-09-30"}
    (before,) = shop.get("/v1/trends/funnel", params=long_ago).json()["data"]
    assert before["sessions"] == 5
    assert shop.get("/v1/trends/funnel", params={"since": "soon"}).status_code == 422
    never = shop.get("/v1/trends/funnel", params={"since": "2012-02-01"})
    assert (never.status_code, "before that" in never.json()["detail"]) == (422, True)


def test_answers_have_every_column_of_their_contracts() -> None:
    features = set(contract("customer_features").names) - {"customer_key"}
    assert set(CustomerFeatures.model_fields) == features
    assert set(Segment.model_fields) == {*contract("segment_profiles").names, "traits"}
    traits = set(contract("segment_traits").names)
    assert set(SegmentTrait.model_fields) == traits - {"segment"}
    assert set(SegmentMove.model_fields) == set(contract("segment_migration").names)
    value = set(contract("customer_value").names)
    assert set(CustomerValue.model_fields) == (value - {"customer_key"}) | {"model"}
    forecast = set(Forecast.model_fields) | set(ForecastDay.model_fields)
    assert forecast - {"name", "days"} == set(contract("demand_forecast").names)
    quality = set(ProductQuality.model_fields) | set(QualityWeek.model_fields)
    assert quality - {"name", "weeks"} == set(contract("product_quality").names)
    related = set(RelatedProduct.model_fields) | {"product_id"}
    assert related - {"related_name"} == set(contract("related_products").names)
    funnel = set(contract("funnel_daily").names)
    assert set(FunnelDay.model_fields) == funnel - {"channel", "device", "revenue", "currency"}
    assert set(OpenCase.model_fields) < set(contract("support_cases").names)


def test_a_lake_without_its_key_is_a_problem_that_names_no_folder(
    shop: TestClient, lake: Lake
) -> None:
    Path(f"{lake.path}.key").unlink()
    answer = shop.get("/v1/customers/C-1")
    assert answer.status_code == 503
    assert str(lake.path) not in answer.text
