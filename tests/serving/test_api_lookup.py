"""Many customers at once, for service and for marketing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from gpu_pipeline.privacy import as_hex, token
from gpu_pipeline.store import Lake

IDS = ["17850", "nobody", "C-1", " 17850.0 ", "", "Mail@Example.com"]


def looked_up(client: TestClient, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.post("/v1/customers/lookup", json=asked).json()["data"]
    return found


def test_customers_come_in_the_order_of_their_ids_without_the_ids(
    shop: TestClient, lake: Lake
) -> None:
    found = looked_up(shop, ids=IDS)
    assert [one["status"] for one in found] == [
        *("found", "unknown", "found", "found", "unknown", "found")
    ]
    assert found[0] == found[3]
    assert found[2]["customer_key"] == as_hex(token("C-1", key=lake.key, kind="customer"))
    assert (found[2]["segment"]["name"], found[2]["value"]["churn_risk"]) == ("regulars", 0.875)
    assert (found[5]["segment"]["name"], found[5]["value"]) == ("one-time buyers", None)
    assert found[1] == {
        "status": "unknown",
        "customer_key": None,
        "segment": None,
        "value": None,
    }


def test_marketing_learns_nothing_of_who_did_not_agree(shop: TestClient) -> None:
    found = looked_up(shop, ids=[*IDS, "C-9"], purpose="marketing")
    assert [one["status"] for one in found] == [
        *("no consent", "unknown", "found", "no consent", "unknown", "found", "no consent")
    ]
    for one in found:
        if one["status"] != "found":
            assert (one["customer_key"], one["segment"], one["value"]) == (None, None, None)
    assert found[2] == looked_up(shop, ids=["C-1"])[0]


def test_a_card_is_told_as_the_lookup_tells_it(shop: TestClient) -> None:
    card = shop.get("/v1/customers/C-1").json()["data"]
    (found,) = looked_up(shop, ids=["C-1"])
    assert found == {"status": "found", **{name: card[name] for name in found if name != "status"}}
    segment = shop.get("/v1/customers/C-1/segment").json()["data"]
    assert segment == card["segment"]
    assert segment["reasons"] == ["orders often", "spends much"]


def test_who_is_in_no_segment_is_told_from_who_is_unknown(shop: TestClient) -> None:
    known, unknown = (shop.get(f"/v1/customers/{one}/segment") for one in ("C-9", "nobody"))
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.json()["detail"].startswith("This customer is in no segment yet")
    assert unknown.json()["detail"] == "No customer of that id is in this snapshot."


@pytest.mark.parametrize("count", [1, 1000])
def test_up_to_a_thousand_are_taken(shop: TestClient, count: int) -> None:
    found = looked_up(shop, ids=["C-1"] * count, purpose="marketing")
    assert [one["status"] for one in found] == ["found"] * count


def test_without_anybodys_consent_marketing_is_refused_and_service_is_not(
    client: TestClient, publish: Callable[..., Path]
) -> None:
    publish(consents=None)
    asked = {"ids": ["C-1"], "purpose": "marketing"}
    answer = client.post("/v1/customers/lookup", json=asked)
    assert answer.status_code == 503
    assert "load the table customers" in answer.json()["detail"]
    assert looked_up(client, ids=["C-1"])[0]["status"] == "found"


def test_a_customer_who_is_only_registered_is_found_with_nothing(
    client: TestClient, publish: Callable[..., Path], lake: Lake
) -> None:
    key = token("new", key=lake.key, kind="customer")
    publish(consents=pd.DataFrame({"customer_key": [key], "marketing": [True]}))
    (found,) = looked_up(client, ids=["new"], purpose="marketing")
    assert (found["status"], found["segment"]) == ("found", None)
    assert found["customer_key"] == as_hex(key)
