"""What to order of a product, and the card on which that stands beside all else."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.schemas import DemandOutlook, ProductReorder, ReorderLocation
from gpu_pipeline.contracts import contract

NOTE = {"version": "000001", "run_id": "run-1", "as_of": "2011-12-09T12:50:00Z"}
SENTIMENT = {"texts": 6, "negative": 1, "neutral": 2, "positive": 3}
TRAFFIC = {"views": 40, "carts": 9, "purchases": 4}


def test_what_to_order_is_told_by_location_beside_sentiment_and_traffic(shop: TestClient) -> None:
    answer = shop.get("/v1/products/85123A/reorder").json()
    assert answer["snapshot"] == NOTE
    found = answer["data"]
    assert (found["name"], found["order_quantity"]) == ("WHITE HANGING HEART T-LIGHT HOLDER", 12)
    assert (found["service_level"], found["review_days"]) == (0.95, 7)
    assert (found["sentiment"], found["traffic"]) == (SENTIMENT, TRAFFIC)
    leeds, york = found["locations"]
    assert leeds == {
        "location": "Leeds",
        "reason": "order",
        "order_quantity": 12,
        "order_cost": 3000,
        "reorder_point": 12.0,
        "safety_stock": 3.5,
        "minimum_order": 6,
        "cycle_service": 0.96,
        "fill_rate": 0.99,
        "counted_at": "2011-12-09T12:50:00Z",
        "on_hand": 7,
        "on_order": 0,
        "sold_since_count": 0.5,
        "days_of_cover": 4.5,
        "stockout_risk": 0.75,
        "units_short": 2.5,
        "overstock_units": 0,
        "overstock_cost": 0,
        "demand_share": 1.0,
        "daily_demand": 1.5,
        "lead_time_demand": 6.0,
        "lead_time_demand_spread": 2.0,
        "protected_demand": 10.0,
        "protected_demand_spread": 3.0,
        "lead_time_days": 4.0,
        "lead_time_days_spread": None,
        "supplier": "Hearts Ltd",
        "unit_cost": 250,
        "currency": "GBP",
    }
    assert (york["location"], york["reason"], york["reorder_point"]) == ("York", "old count", None)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("10002/reorder", "This product is in no stock count: load the table inventory."),
        ("none/reorder", "No product of that id is in this snapshot."),
        ("none", "No product of that id is in this snapshot."),
    ],
)
def test_what_is_not_there_says_what_is_missing(shop: TestClient, path: str, detail: str) -> None:
    answer = shop.get(f"/v1/products/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (404, detail)


def test_answers_have_every_column_of_the_plan() -> None:
    told = set(ReorderLocation.model_fields) | set(ProductReorder.model_fields)
    of_the_product = {"name", "locations", "sentiment", "traffic"}
    assert told - of_the_product == set(contract("reorder_plan").names)


def test_a_product_is_told_on_one_card(shop: TestClient) -> None:
    found = shop.get("/v1/products/85123A").json()["data"]
    assert found["name"] == "WHITE HANGING HEART T-LIGHT HOLDER"
    plan = shop.get("/v1/products/85123A/reorder").json()["data"]
    assert found["reorder"].items() <= plan.items()
    assert len(found["reorder"]["locations"]) == 2
    assert found["quality"] == shop.get("/v1/products/85123A/quality").json()["data"]["weeks"][-1]
    assert (found["sentiment"], found["traffic"]) == (SENTIMENT, TRAFFIC)
    # Three days are forecast: there is nothing to say of seven.
    assert found["outlook"] == []


def test_a_product_of_which_little_is_known_has_a_card_all_the_same(shop: TestClient) -> None:
    found: dict[str, Any] = shop.get("/v1/products/10002").json()["data"]
    name = found.pop("name")
    assert (found.pop("product_id"), name) == ("10002", "INFLATABLE POLITICAL GLOBE")
    assert found == {
        "outlook": [],
        **dict.fromkeys(("reorder", "quality", "sentiment", "traffic")),
    }


def test_an_id_with_a_slash_has_a_card_too(shop: TestClient) -> None:
    assert shop.get("/v1/products/GB/12").json()["data"]["name"] == "Größer als groß"


def test_demand_of_the_next_days_is_told_with_its_range() -> None:
    rows = [{"mean": 2.0, "total_sd": (2.0 * day) ** 0.5} for day in range(1, 29)]
    week = DemandOutlook.over(7, rows)
    # A Poisson distribution with mean 14.
    assert week.model_dump() == {"days": 7, "mean": 14.0, "p10": 9.0, "p90": 19.0}
