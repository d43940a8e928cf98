import hashlib
import logging

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import Keys, digest
from api.routes import customers, meta, models, products, segments, sentiment, trends
from gpu_pipeline.config import Config
from gpu_pipeline.errors import ConfigError

OPEN = {"/", "/docs", "/healthz", "/readyz", "/assets/{name}", "/openapi.json"}
ROUTES = [
    (method, route.path)
    for module in (customers, meta, models, products, segments, sentiment, trends)
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
WRONG = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer another key"},
    {"Authorization": "Basic a key for tests"},
    {"Authorization": "a key for tests"},
    {"Authorization": b"Bearer \xff\xfe"},
    # The digest is no secret worth stealing: it opens nothing.
    {"Authorization": f"Bearer {digest('a key for tests')}"},
]


@pytest.fixture
def anonymous(shop: TestClient) -> TestClient:
    """A client of the published shop that sends no key of its own."""
    del shop.headers["Authorization"]
    return shop


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[1] not in OPEN])
def test_every_route_but_the_open_ones_refuses_who_has_no_key(
    anonymous: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    # A body that would be refused too, were it read.
    answer = anonymous.request(method, path, headers=headers, content=b"{")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:gpu-pipeline:unauthorised"


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/healthz/", "/docs/x", "/asset"])
def test_what_does_not_exist_is_refused_like_what_does(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 307),
        ("/docs", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/openapi.json", 200),
        ("/assets/docs.js", 200),
        ("/assets/../v1/segments", 401),
    ],
)
def test_the_open_paths_need_no_key(anonymous: TestClient, path: str, status: int) -> None:
    assert anonymous.get(path).status_code == status


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_key_is_accepted(anonymous: TestClient, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} a key for tests"}
    assert anonymous.get("/v1/segments", headers=headers).status_code == 200


def test_behind_a_proxy_that_adds_a_prefix_the_same_paths_are_open(app: FastAPI) -> None:
    with TestClient(app, root_path="/shop") as client:
        assert client.get("/shop/healthz").status_code == 200
        assert client.get("/shop/v1/segments").status_code == 401
        assert client.get("/shop/nothing").status_code == 401


def test_any_of_several_keys_is_accepted() -> None:
    keys = Keys([digest("one"), digest("two").upper()])
    assert keys.accept("one")
    assert keys.accept("two")
    assert not keys.accept("three")
    assert not keys.accept("")


def test_digests_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a key from elsewhere"
    monkeypatch.setenv("GPU_PIPELINE_API_KEYS", f'["{hashlib.sha256(key.encode()).hexdigest()}"]')
    (found,) = Config.load().api_keys
    assert Keys([found.get_secret_value()]).accept(key)


def test_without_a_key_the_app_does_not_start(config: Config) -> None:
    with pytest.raises(ConfigError, match="has no key to accept: start it with `gpu-pipeline serv"):
        create_app(config.model_copy(update={"api_keys": ()}))


def test_a_key_in_place_of_its_digest_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as caught:
        Keys([digest("one"), "open sesame"])
    assert "api_keys[1] is no sha256 digest" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_refusal_is_logged_without_the_key(
    anonymous: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    anonymous.get("/v1/customers/C-1", headers={"Authorization": "Bearer hush"})
    (line,) = (r.getMessage() for r in caplog.records if r.name == "api.exchange")
    assert "GET ? -> 401" in line
    assert "hush" not in caplog.text
