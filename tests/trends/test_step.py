"""The step of trends on a lake: a planted shift is one alert, told with its texts, and served."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lakes import rows
from made_tables import put
from starlette.testclient import TestClient
from tiny_model import classifier_folder

from api.app import create_app
from api.auth import digest
from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.pipeline import run
from gpu_pipeline.steps.serving import PUBLISH
from gpu_pipeline.steps.trends import TRENDS
from gpu_pipeline.store import Lake

START = datetime(2026, 1, 1, 12)  # noqa: DTZ001
DAYS, SHIFT = 60, 57  # three bad days at the end
KEY = "a key for tests"
Rows = list[Mapping[str, Any]]
_MOODS = {"negative": (0.9, 0.05), "positive": (0.05, 0.9)}


def scored(number: int, day: int, product: str, label: str | None) -> dict[str, Any]:
    """A review of a person of their own, in rows of text_sentiment."""
    negative, positive = _MOODS[label] if label is not None else (None, None)
    return {
        "source": "reviews",
        "text_id": f"r{number}",
        "customer_key": number,
        "created_at": START + timedelta(days=day),
        "product_id": product,
        "negative": negative,
        "neutral": None if label is None else 0.05,
        "positive": positive,
        "label": label,
        "unscored": None if label else "language",
    }


def texts(*, unscored: int = 0) -> Rows:
    """Four texts a day and product, one of four bad; of the lamp ten bad ones a day at the end."""
    found: Rows = []
    for day in range(DAYS):
        for product in ("lamp", "rug", "sofa"):
            bad = 10 if product == "lamp" and day >= SHIFT else 1
            labels = ["negative"] * bad + ["positive"] * 3
            if product == "lamp" and day >= SHIFT:
                labels += [None] * unscored  # type: ignore[list-item]
            found += [scored(len(found) + i, day, product, x) for i, x in enumerate(labels)]
    return found


def fill(lake: Lake, sentiment: Rows) -> None:
    put(lake, "text_sentiment", sentiment)
    scores = [row for row in sentiment if row["label"] is not None]
    put(lake, "text_aspects", [{**row, "aspect": "battery"} for row in scores])
    said = [
        {
            "review_id": row["text_id"],
            "text": "the port melts" if row["label"] == "negative" else "it is fine",
            **{name: row[name] for name in ("customer_key", "created_at", "product_id")},
        }
        for row in sentiment
    ]
    put(lake, "reviews", said)


@pytest.fixture
def filled(lake: Lake, backend: Backend) -> Lake:
    fill(lake, texts())
    with backend.cluster():
        run(lake, [TRENDS], Config.load())
    return lake


def test_a_planted_shift_is_one_alert_with_product_size_and_the_texts_that_show_it(
    filled: Lake,
) -> None:
    (alert,) = rows(filled, "trend_alerts").to_dict("records")
    assert (alert["product_id"], alert["kind"]) == ("lamp", "worse")
    assert alert["aspect"] in ("", "battery")
    first = pd.Timestamp(START.date()) + timedelta(days=SHIFT)
    assert alert["opened_at"] == first
    assert first <= alert["detected_at"] <= first + timedelta(days=2)
    assert pd.isna(alert["closed_at"])
    assert (alert["people"], alert["people_a_day"]) == (39, 13)
    assert alert["negative_share"] == pytest.approx(30 / 39)
    assert alert["usual_negative_share"] == pytest.approx(0.25, abs=0.05)
    shown = {tuple(one) for one in json.loads(alert["examples"])}
    assert len(shown) == 3
    bad = {
        ("reviews", row["text_id"])
        for row in texts()
        if row["label"] == "negative"
        and row["product_id"] == "lamp"
        and row["created_at"] >= START + timedelta(days=SHIFT)
    }
    assert shown <= bad


def test_running_again_gives_the_same_alert_and_no_second(filled: Lake, backend: Backend) -> None:
    before = rows(filled, "trend_alerts")
    with backend.cluster():
        assert [step.status for step in run(filled, [TRENDS], Config.load()).steps] == [
            "up to date"
        ]
        run(filled, [TRENDS], Config.load(), from_step="trends")
    pd.testing.assert_frame_equal(rows(filled, "trend_alerts"), before)


def test_an_older_moment_knows_nothing_of_what_came_after(filled: Lake, backend: Backend) -> None:
    now = rows(filled, "product_sentiment_daily")
    moment = START + timedelta(days=SHIFT - 1, hours=1)
    with backend.cluster():
        run(filled, [TRENDS], Config.load(), as_of=moment)
    assert len(rows(filled, "trend_alerts")) == 0
    then = rows(filled, "product_sentiment_daily")
    known = now[now["day"] <= moment].reset_index(drop=True)
    pd.testing.assert_frame_equal(then, known)


def test_texts_without_a_score_count_nowhere(
    filled: Lake, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Lake.create(tmp_path_factory.mktemp("other") / "lake", buckets=4, backend=backend)
    fill(other, texts(unscored=20))
    with backend.cluster():
        run(other, [TRENDS], Config.load())
    daily = rows(other, "product_sentiment_daily")
    pd.testing.assert_frame_equal(daily, rows(filled, "product_sentiment_daily"))
    alert, same = (rows(lake, "trend_alerts").drop(columns="examples") for lake in (other, filled))
    pd.testing.assert_frame_equal(alert, same)
    ids = {row["text_id"] for row in texts(unscored=20) if row["label"] is None}
    for written in rows(other, "trend_alerts")["examples"]:
        assert not ids & {text_id for _, text_id in json.loads(written)}


def test_what_was_found_is_published_and_served(
    filled: Lake, backend: Backend, tmp_path: Path
) -> None:
    model = classifier_folder(tmp_path / "model")
    config = Config(lake=filled.path, device="cpu", text_model=model, api_keys=(digest(KEY),))
    with backend.cluster():
        run(filled, [TRENDS, PUBLISH], config)
    with TestClient(create_app(config), headers={"Authorization": f"Bearer {KEY}"}) as client:
        found = client.get("/v1/trends").json()["data"]
        (alert,) = found["alerts"]
        assert (alert["product_id"], alert["kind"], alert["people"]) == ("lamp", "worse", 39)
        assert alert["closed_at"] is None
        assert {one["text"] for one in alert["examples"]} == {"the port melts"}
        assert "customer_key" not in json.dumps(found)
        better = client.get("/v1/trends", params={"kind": "better"}).json()["data"]
        assert better["alerts"] == []
        days = client.get("/v1/trends/mood", params={"product_id": "lamp", "days": 7}).json()[
            "data"
        ]
        assert [day["people"] for day in days][-4:] == [4, 13, 13, 13]
        assert days[-1]["smoothed_mood"] < days[-4]["smoothed_mood"]
        nobody = client.get("/v1/trends/mood", params={"product_id": "stool"}).json()["data"]
        assert nobody == []
        assert client.get("/v1/trends", params={"days": 401}).status_code == 422
