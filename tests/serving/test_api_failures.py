import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from api.schemas import Problem

SECRETS = ("secret-customer-17", "my secret text", "a secret key")


def is_problem(answer: Any, status: int) -> bool:
    """Whether the answer is a problem document of that status, whole and of one shape."""
    found = answer.json()
    return (
        answer.status_code == status
        and answer.headers["Content-Type"] == "application/problem+json"
        and set(found) == {"type", "title", "status", "detail", "request_id", "faults"}
        and found["type"].startswith("urn:gpu-pipeline:")
        and found["status"] == status
        and bool(found["title"])
        and found["detail"].endswith((".", "!"))
        and found["request_id"] == answer.headers["X-Request-ID"]
    )


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/v1/nothing", {}, 404),
        ("GET", "/v1/segments/", {}, 404),
        ("GET", "/assets/nothing.js", {}, 404),
        ("GET", "/assets/..%2Fapp.py", {}, 404),
        ("GET", "/v1/customers/nobody", {}, 404),
        ("GET", "/v1/products/none/forecast", {}, 404),
        ("DELETE", "/v1/segments", {}, 405),
        ("POST", "/healthz", {}, 405),
        ("GET", "/v1/sentiment", {}, 405),
        ("GET", "/v1/products?limit=0", {}, 422),
        ("GET", "/v1/products?limit=many", {}, 422),
        ("GET", f"/v1/products?search={'x' * 201}", {}, 422),
        ("GET", f"/v1/customers/{'x' * 201}", {}, 422),
        ("POST", "/v1/sentiment", {}, 422),
        ("POST", "/v1/sentiment", {"json": {"texts": []}}, 422),
        ("POST", "/v1/sentiment", {"json": {"texts": [None]}}, 422),
        ("POST", "/v1/sentiment", {"json": {"texts": ["a"], "model": "b"}}, 422),
        ("POST", "/v1/sentiment", {"json": ["a"]}, 422),
        ("POST", "/v1/customers/lookup", {"json": {"ids": []}}, 422),
        ("POST", "/v1/customers/lookup", {"json": {"ids": ["a"] * 1001}}, 422),
        ("POST", "/v1/customers/lookup", {"json": {"ids": [17850]}}, 422),
        ("POST", "/v1/customers/lookup", {"json": {"ids": ["a"], "purpose": "fun"}}, 422),
        ("GET", "/v1/customers/nobody/segment", {}, 404),
        ("POST", "/v1/segments/assign", {"json": {"customers": []}}, 422),
        ("POST", "/v1/segments/assign", {"json": {"customers": [{}]}}, 422),
        ("POST", "/v1/segments/assign", {"json": {"customers": [{}] * 1001}}, 422),
        ("POST", "/v1/segments/assign", {"content": b'{"customers": [{"orders": NaN}]}'}, 422),
        ("POST", "/v1/segments/assign", {"content": b'{"customers": [{"orders": 1e999}]}'}, 422),
        ("POST", "/v1/sentiment", {"content": b'{"texts": ["a"'}, 422),
        ("POST", "/v1/sentiment", {"content": b'{"texts": ["\\ud800"]}'}, 422),
        ("POST", "/v1/sentiment", {"content": b'{"texts": ["\xff"]}'}, 400),
        ("POST", "/v1/sentiment", {"content": b"[" * 100_000}, 400),
        ("POST", "/v1/sentiment", {"content": b" " * (32 * 2**20 + 1)}, 413),
    ],
)
def test_whatever_is_wrong_with_a_request_is_one_shape(
    shop: TestClient, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    if "content" in sent:
        sent = {**sent, "headers": {"Content-Type": "application/json"}}
    assert is_problem(shop.request(method, path, **sent), status)


def test_a_wrong_method_names_the_right_one(shop: TestClient) -> None:
    assert shop.put("/v1/sentiment").headers["Allow"] == "POST"


def test_every_fault_of_a_request_is_named_but_not_what_was_sent(shop: TestClient) -> None:
    texts = ["fine", SECRETS[1] * 2000, 17]
    answer = shop.post("/v1/sentiment", json={"texts": texts})
    assert [(fault["where"], fault["problem"]) for fault in answer.json()["faults"]] == [
        ("body.texts.1", "String should have at most 20000 characters"),
        ("body.texts.2", "Input should be a valid string"),
    ]
    assert SECRETS[1] not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        *("/readyz", "/v1/customers/C-1", "/v1/customers/C-1/segment", "/v1/models"),
        *("/v1/segments", "/v1/segments/migration", "/v1/products", "/v1/products/1/forecast"),
    ],
)
def test_nothing_published_is_a_problem_with_the_remedy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert is_problem(answer, 503)
    assert "run `gpu-pipeline run`" in answer.json()["detail"]


@pytest.fixture
def faulty(app: FastAPI, client: TestClient) -> TestClient:
    """The app with two routes that have a bug each."""

    async def early() -> None:
        try:
            raise KeyError(SECRETS[0])
        except KeyError as error:
            raise ValueError(SECRETS[1]) from error

    def late() -> int:
        return "not a number"  # type: ignore[return-value]

    app.add_api_route("/v1/early", early)
    app.add_api_route("/v1/late", late)
    return client


@pytest.mark.parametrize("path", ["/v1/early", "/v1/late"])
def test_a_bug_is_a_problem_without_a_word_of_the_exception(
    faulty: TestClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = faulty.get(path)
    assert is_problem(answer, 500)
    (line,) = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert answer.headers["X-Request-ID"] in line
    for word in ("secret", "not a number", "Traceback", "Error"):
        assert word not in answer.text.replace("Internal error", "").replace("internal-error", "")


def test_the_log_says_where_a_bug_is_but_not_its_message(
    faulty: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.get("/v1/early")
    assert "KeyError" in caplog.text
    assert "ValueError" in caplog.text
    assert f'File "{__file__}"' in caplog.text
    assert "secret-customer" not in caplog.text
    assert "my secret" not in caplog.text


def test_no_log_line_holds_an_id_a_text_or_a_key(
    app: FastAPI, shop: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    customer, text, key = SECRETS
    shop.get(f"/v1/customers/{customer}")
    shop.get(f"/v1/customers/{customer * 20}")
    shop.get(f"/{customer}")
    shop.get("/v1/products", params={"search": text, "limit": "0" + text})
    shop.post("/v1/sentiment", json={"texts": [text]})
    shop.post("/v1/sentiment", json={"texts": [text], text: 1})
    shop.post("/v1/customers/lookup", json={"ids": [customer]})
    shop.post("/v1/segments/assign", json={"customers": [{text: 1}]})
    shop.request("SECRET-METHOD", "/v1/segments")
    shop.get("/v1/segments", headers={"Authorization": f"Bearer {key}"})
    shop.get("/v1/segments", headers={"X-Request-ID": customer})
    ours = [record for record in caplog.records if record.name.startswith("api")]
    assert len(ours) == 11
    # The client's own log of its requests is not the server's.
    logged = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith("httpx"))
    assert "secret" not in logged.lower()
    assert "GET /v1/customers/{customer_id} -> 404" in logged


def test_every_answer_has_an_id_of_its_own(shop: TestClient) -> None:
    paths = ["/", "/docs", "/healthz", "/assets/docs.js", "/openapi.json", "/v1/segments", "/x"]
    ids = [shop.get(path).headers["X-Request-ID"] for path in paths * 2]
    assert len(set(ids)) == len(ids)


def test_a_body_that_declares_to_be_too_long_is_refused_before_it_is_read(
    shop: TestClient,
) -> None:
    read = []

    def body() -> Iterator[bytes]:
        read.append(1)
        yield b"[]"

    for declared in (str(32 * 2**20 + 1), "9" * 4000):
        headers = {"Content-Length": declared, "Content-Type": "application/json"}
        answer = shop.post("/v1/sentiment", content=body(), headers=headers)
        assert is_problem(answer, 413)
    assert not read


def test_a_body_that_says_nothing_of_its_length_is_counted_as_it_comes(shop: TestClient) -> None:
    parts = (b" " * 2**20 for _ in range(33))
    headers = {"Content-Type": "application/json"}
    assert is_problem(shop.post("/v1/sentiment", content=parts, headers=headers), 413)


def test_a_browser_may_do_nothing_with_an_answer(shop: TestClient) -> None:
    for path in ("/v1/segments", "/healthz", "/nothing", "/v1/customers/nobody"):
        headers = shop.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = "default-src 'none'; frame-ancestors 'none'"
        assert headers["Content-Security-Policy"] == policy
    assert "script-src 'self'" in shop.get("/docs").headers["Content-Security-Policy"]


def test_answers_about_people_are_kept_by_no_proxy(shop: TestClient) -> None:
    assert shop.get("/v1/customers/C-1").headers["Cache-Control"] == "no-store"
    assert "max-age" in shop.get("/assets/docs.js").headers["Cache-Control"]


def routes(app: FastAPI) -> dict[str, dict[str, Any]]:
    """Every documented operation, by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_of_the_app_is_documented(app: FastAPI) -> None:
    from api.routes import customers, meta, models, products, segments, sentiment, trends

    there = {
        f"{method} {route.path.replace(':path', '')}"
        for module in (customers, meta, models, products, segments, sentiment, trends)
        for route in module.router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
    assert there == set(routes(app))


def test_every_declared_answer_has_the_success_or_the_failure_shape(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    assert set(schemas["Problem"]["properties"]) == set(Problem.model_fields)
    for name, operation in routes(app).items():
        assert operation["description"], name
        for status, response in operation["responses"].items():
            ((media_type, content),) = response["content"].items()
            schema = content["schema"]["$ref"].removeprefix("#/components/schemas/")
            if int(status) >= 400:
                assert (media_type, schema) == ("application/problem+json", "Problem"), name
            else:
                assert media_type == "application/json", name
                assert {"data", "snapshot"} <= set(schemas[schema]["properties"]), name
                assert {"data", "snapshot"} <= set(schemas[schema]["required"]), name


def test_every_route_declares_the_failures_that_it_can_have(app: FastAPI) -> None:
    for name, operation in routes(app).items():
        declared = set(operation["responses"])
        needed = {"500"}
        if "/v1/" in name:
            needed |= {"401"}
            assert operation["security"] == [{"HTTPBearer": []}], name
        if operation.get("parameters") or operation.get("requestBody"):
            needed |= {"422"}
        if "{" in name:
            needed |= {"404"}
        if operation.get("requestBody"):
            needed |= {"400", "413"}
        if "POST /v1/sentiment" in name:
            needed |= {"429"}
        elif name != "GET /healthz":
            needed |= {"503"}
        assert declared == needed | {"200"}, name
