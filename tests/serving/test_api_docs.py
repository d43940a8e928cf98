import gzip
import hashlib
import re
from importlib.resources import files

import pytest
from starlette.testclient import TestClient

# What the package swagger-ui-dist 5.35.0 holds.
SWAGGER_UI = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}


def test_the_root_leads_to_the_documentation(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 307
    assert answer.headers["Location"] == "docs"


def test_the_documentation_loads_only_what_this_server_has(client: TestClient) -> None:
    page = client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert "assets/swagger-ui-bundle.js" in loaded
    for url in loaded:
        if url != "data:,":
            assert client.get(f"/{url}").status_code == 200, url
    script = client.get("/assets/docs.js").text
    assert 'url: "openapi.json"' in script
    assert "validatorUrl: null" in script


def test_the_documentation_may_run_nothing_from_its_text_or_from_elsewhere(
    client: TestClient,
) -> None:
    page = client.get("/docs")
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert "http" not in page.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*src=)", page.text) == []


@pytest.mark.parametrize("name", sorted(SWAGGER_UI))
@pytest.mark.parametrize("encoding", ["gzip", "gzip, br", "identity"])
def test_swagger_ui_is_the_published_one_compressed_for_who_takes_it(
    client: TestClient, name: str, encoding: str
) -> None:
    answer = client.get(f"/assets/{name}", headers={"Accept-Encoding": encoding})
    assert hashlib.sha256(answer.content).hexdigest() == SWAGGER_UI[name]
    assert ("Content-Encoding" in answer.headers) == ("gzip" in encoding)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"].startswith("text/")


def test_the_assets_are_small_and_bring_their_licences() -> None:
    assets = {path.name: path.read_bytes() for path in (files("api") / "assets").iterdir()}
    assert sum(map(len, assets.values())) < 600_000
    assert b"Apache License" in assets["swagger-ui.LICENSE"]
    assert b"SmartBear" in assets["swagger-ui.NOTICE"]
    assert b"MIT" in assets["swagger-ui-bundle.js.LICENSE"]
    # The bundle names the file that lists the licences within it.
    assert b"LICENSE" in gzip.decompress(assets["swagger-ui-bundle.js.gz"])[:200]


def test_the_description_names_every_operation_once(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    names = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert sorted(names) == [
        "alive",
        "assign",
        "customer",
        "customer_segment",
        "forecast",
        "funnel",
        "lookup",
        "migration",
        "models",
        "mood",
        "product",
        "products",
        "quality",
        "ready",
        "related",
        "reorder",
        "segments",
        "sentiment",
        "trends",
    ]
