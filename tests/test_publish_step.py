"""What a run publishes beside its tables: who agreed to marketing, and the models in use."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_tables import put
from tiny_model import classifier_folder

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.models import ModelCard, ModelRegistry
from gpu_pipeline.pipeline import Work
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.steps.serving import PUBLISH
from gpu_pipeline.store import Lake

MOMENT = datetime(2026, 6, 30, 12)  # noqa: DTZ001
DAY = pd.Timestamp("2026-01-01")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return Config.load(text_model=classifier_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def published(lake: Lake, config: Config) -> Snapshot:
    """The snapshot that the step makes of the lake."""
    with lake.writer() as writer:
        facts: dict[str, Any] = {"run_id": "run-9", "fingerprint": "f1", "as_of": MOMENT}
        PUBLISH.run(Work(lake=lake, writer=writer, config=config, **facts))
    return Snapshot.open(lake.serving)


def card(kind: str, model_id: str, **more: Any) -> ModelCard:
    """A card of a model."""
    facts = {"as_of": "2026-06-01", "device": "cpu", "code": "0f", "seed": 0}
    return ModelCard(kind=kind, model_id=model_id, data_versions={"orders": 2}, **facts, **more)


def test_the_last_word_on_consent_is_published_even_if_it_came_after_the_moment(
    lake: Lake, config: Config
) -> None:
    said = [(1, DAY, True), (1, DAY + pd.Timedelta(days=400), False), (2, DAY, True)]
    put(
        lake,
        "customers",
        [
            {"customer_key": k, "signed_up_at": DAY, "updated_at": t, "marketing_consent": yes}
            for k, t, yes in said
        ],
    )
    snapshot = published(lake, config)
    assert snapshot.consents_of([1, 2, 3]) == {1: False, 2: True}
    assert snapshot.has_consents()
    snapshot.close()


def test_without_customers_there_is_no_consent(lake: Lake, config: Config) -> None:
    snapshot = published(lake, config)
    assert not snapshot.has_consents()
    assert (snapshot.models(), snapshot.model_ids) == ([], {})
    snapshot.close()


def test_the_model_that_made_the_table_is_published_not_the_last_that_was_fitted(
    lake: Lake, config: Config
) -> None:
    registry = ModelRegistry(lake.path / "models")
    registry.save({"centres": [1.5]}, card("segments", "run-1"))
    registry.save({"centres": [9.5]}, card("segments", "run-2", is_published=False))
    registry.save({"r": 0.25}, card("customer_value", "run-2"))
    row = {"customer_key": 7, "as_of": DAY}
    put(lake, "customer_segments", [row], note={"model": "run-1"})
    put(lake, "customer_value", [row], note={"model": "run-2"})
    snapshot = published(lake, config)
    assert snapshot.model_ids == {"customer_value": "run-2", "segments": "run-1"}
    found = snapshot.model("segments")
    assert found is not None
    assert json.loads(found["document"]) == {"centres": [1.5]}
    assert json.loads(found["card"])["data_versions"] == {"orders": 2}
    snapshot.close()


def test_a_table_whose_model_is_gone_is_not_published_without_it(
    lake: Lake, config: Config
) -> None:
    row = {"customer_key": 7, "as_of": DAY}
    put(lake, "customer_segments", [row], note={"model": "run-1"})
    with pytest.raises(PipelineError, match="There is no model segments/run-1"):
        published(lake, config)
    assert not Path(lake.serving / "current").exists()
