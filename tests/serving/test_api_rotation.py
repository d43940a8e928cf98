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
    rotate_key(lake.path, backend=Backend.choose("cpu"))
    deadline = time.monotonic() + 20 * LOOK_SECONDS
    while shop.get("/readyz").json()["snapshot"]["version"] != "000002":
        assert time.monotonic() < deadline
    after = shop.get("/v1/customers/17850").json()["data"]
    key = Lake(lake.path, backend=lake.backend).key
    assert after.pop("customer_key") == as_hex(token("17850", key=key, kind="customer"))
    assert before.pop("customer_key") != as_hex(token("17850", key=key, kind="customer"))
    assert after == before
