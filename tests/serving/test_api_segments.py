"""Segments over HTTP: what they are like, who moved, and where somebody belongs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from api.serving import LOOK_SECONDS
from gpu_pipeline.segmentation import FEATURES, SegmentModel, explained

MODEL = {"kind": "segments", "id": "run-segments"}


def asked(customers: pd.DataFrame, count: int = 1) -> list[dict[str, float | None]]:
    """Features of made customers, null where one is unknown."""
    frame = customers[list(FEATURES)].head(count).astype(object)
    rows: list[dict[str, Any]] = frame.where(frame.notna(), None).to_dict("records")
    return rows


def assigned(client: TestClient, customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = client.post("/v1/segments/assign", json={"customers": customers})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == MODEL
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_segments_come_with_what_sets_them_apart_and_their_growth(shop: TestClient) -> None:
    answer = shop.get("/v1/segments").json()
    assert answer["model"] == MODEL
    regulars, buyers = answer["data"]
    assert [trait["rank"] for trait in regulars["traits"]] == [1, 2]
    assert regulars["traits"][0]["text"] == "6 orders, 2x the usual"
    assert (regulars["growth"], buyers["growth"]) == (0.5, None)
    assert (regulars["customers_before"], buyers["customers_before"]) == (2, None)
    assert regulars["description"] == "They buy often."


def test_migration_tells_who_went_where(shop: TestClient) -> None:
    answer = shop.get("/v1/segments/migration").json()
    assert answer["model"] == MODEL
    assert [(m["from_name"], m["to_name"], m["customers"]) for m in answer["data"]] == [
        ("not there before", "regulars", 2),
        ("regulars", "one-time buyers", 1),
    ]


def test_the_label_is_that_of_the_batch_bit_for_bit(
    shop: TestClient, made_customers: pd.DataFrame, segment_model: SegmentModel
) -> None:
    batch = explained(segment_model, made_customers)
    together = assigned(shop, asked(made_customers, len(made_customers)))
    assert [one["segment"] for one in together] == batch["segment"].tolist()
    assert {one["segment"] for one in together} == {0, 1}
    # JSON writes the shortest text of a float, which reads as the same one.
    assert [one["distance"] for one in together] == batch["distance"].tolist()
    told = batch[["reason_1", "reason_2", "reason_3"]].itertuples(index=False)
    assert [one["reasons"] for one in together] == [
        [reason for reason in row if isinstance(reason, str)] for row in told
    ]
    assert [assigned(shop, [one])[0] for one in asked(made_customers, 10)] == together[:10]
    assert {one["name"] for one in together} == {"regulars", "one-time buyers"}


def test_a_label_does_not_depend_on_how_a_number_is_written(
    shop: TestClient, made_customers: pd.DataFrame
) -> None:
    (one,) = asked(made_customers)
    as_floats = {name: None if v is None else float(v) for name, v in one.items()}
    turned = dict(reversed(as_floats.items()))
    assert assigned(shop, [one]) == assigned(shop, [as_floats]) == assigned(shop, [turned])


def test_reasons_flip_with_the_features(shop: TestClient, made_customers: pd.DataFrame) -> None:
    often, once = assigned(shop, asked(made_customers, 2))
    assert often["segment"] != once["segment"]
    assert set(often["reasons"]).isdisjoint(once["reasons"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"orders": "3"}, "body.customers.1.orders: Input should be a valid number"),
        ({"orders": True}, "body.customers.1.orders: Input should be a valid number"),
        ({"orders": [3]}, "body.customers.1.orders: Input should be a valid number"),
        ({"visits": 3}, "body.customers.1.visits: No feature of the model: it takes "),
        ({"orders": ...}, "body.customers.1.orders: This feature is missing"),
    ],
)
def test_features_that_the_model_cannot_take_are_named(
    shop: TestClient, made_customers: pd.DataFrame, change: dict[str, Any], fault: str
) -> None:
    first, second = asked(made_customers, 2)
    changed = {k: v for k, v in {**second, **change}.items() if v is not ...}
    answer = shop.post("/v1/segments/assign", json={"customers": [first, changed]})
    assert answer.status_code == 422
    (found,) = answer.json()["faults"]
    assert f"{found['where']}: {found['problem']}".startswith(fault)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(
    shop: TestClient, made_customers: pd.DataFrame, number: str
) -> None:
    body = json.dumps({"customers": asked(made_customers)})
    body = body.replace('"orders": 9', f'"orders": {number}')
    assert number in body
    headers = {"Content-Type": "application/json"}
    answer = shop.post("/v1/segments/assign", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["where"] == "body.customers.0.orders"


def test_without_a_model_nobody_is_assigned_and_the_segments_name_none(
    client: TestClient, publish: Callable[..., Path], made_customers: pd.DataFrame
) -> None:
    publish(models=None)
    answer = client.post("/v1/segments/assign", json={"customers": asked(made_customers)})
    assert answer.status_code == 503
    assert "run `gpu-pipeline run`" in answer.json()["detail"]
    assert client.get("/v1/segments").json()["model"] is None
    assert client.get("/v1/models").json()["data"] == []


def test_a_model_that_another_version_wrote_is_a_problem_with_the_remedy(
    client: TestClient,
    publish: Callable[..., Path],
    model_rows: pd.DataFrame,
    made_customers: pd.DataFrame,
) -> None:
    publish(models=model_rows.assign(document='{"format": 99}'))
    answer = client.post("/v1/segments/assign", json={"customers": asked(made_customers)})
    assert answer.status_code == 503
    assert "run `gpu-pipeline run`" in answer.json()["detail"]
    assert client.get("/v1/segments").status_code == 200


def test_an_answer_leads_to_the_data_the_run_and_the_code(shop: TestClient) -> None:
    named = shop.get("/v1/customers/17850").json()["data"]
    cards = {one["id"]: one for one in shop.get("/v1/models").json()["data"]}
    for answer, kind in (("segment", "segments"), ("value", "customer_value")):
        card = cards[named[answer]["model"]["id"]]
        assert (card["kind"], card["run_id"], card["seed"]) == (kind, f"run-{kind}", 7)
        assert card["data_versions"] == {"customer_features": 3}
        assert (card["code"], card["metrics"]) == ("0f" * 12, {"stability": 0.5})


def test_a_new_snapshot_brings_its_own_model(
    client: TestClient,
    publish: Callable[..., Path],
    model_rows: pd.DataFrame,
    made_customers: pd.DataFrame,
    segment_model: SegmentModel,
) -> None:
    publish()
    four = asked(made_customers, 4)
    before = [one["segment"] for one in assigned(client, four)]
    document = json.dumps({**segment_model.document(), "segments": [5, 6], "next_id": 7})
    is_theirs = model_rows["kind"] == "segments"
    publish(models=model_rows.assign(document=model_rows["document"].mask(is_theirs, document)))
    deadline = time.monotonic() + 20 * LOOK_SECONDS
    while client.get("/readyz").json()["snapshot"]["version"] != "000002":
        assert time.monotonic() < deadline
    after = assigned(client, four)
    assert [one["segment"] for one in after] == (np.array(before) + 5).tolist()
    assert {one["name"] for one in after} == {None}
