"""A server that runs while the keys of its lake are rotated finds everybody afterwards."""

import time

from starlette.testclient import TestClient

from api.serving import LOOK_SECONDS
from gpu_pipeline.backend import Backend
from gpu_pipeline.governance import rotate_key
from gpu_pipeline.privacy import as_hex, token
from gpu_pipeline.store import Lake


def test_a_customer_is_found_by_the_raw_id_before_and_after(shop: TestClient, lake: Lake) -> None:
    before = shop.get("/v1/customers/17850").json()["data"]
    everybody = {"ids": ["17850", "C-1", "C-9"], "purpose": "marketing"}
    told_before = shop.post("/v1/customers/lookup", json=everybody).json()["data"]
    rotate_key(lake.path, backend=Backend.choose("cpu"))
    deadline = time.monotonic() + 20 * LOOK_SECONDS
    while shop.get("/readyz").json()["snapshot"]["version"] != "000002":
        assert time.monotonic() < deadline
    after = shop.get("/v1/customers/17850").json()["data"]
    key = Lake(lake.path, backend=lake.backend).key
    assert after.pop("customer_key") == as_hex(token("17850", key=key, kind="customer"))
    assert before.pop("customer_key") != as_hex(token("17850", key=key, kind="customer"))
    assert after == before
    # Segment, value and consent went with the customer.
    told = shop.post("/v1/customers/lookup", json=everybody).json()["data"]
    assert [one["status"] for one in told] == ["no consent", "found", "no consent"]
    assert told[1].pop("customer_key") != told_before[1].pop("customer_key")
    assert told == told_before
