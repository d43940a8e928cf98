from dataclasses import replace
from pathlib import Path

import pytest

from gpu_pipeline.errors import PipelineError
from gpu_pipeline.models import ModelCard, ModelRegistry

DOCUMENT = {"centres": [[0.1, 2.0], [3.0, -1e-300]], "features": ["orders"]}


def card(model_id: str = "r1", *, kind: str = "segments") -> ModelCard:
    return ModelCard(
        kind=kind,
        model_id=model_id,
        as_of="2026-06-30T18:00:00",
        device="cpu: asked for",
        code="abc",
        seed=3,
        data_versions={"customer_features": 4},
        metrics={"silhouette": 0.41, "baseline": {"silhouette": 0.2}},
        is_published=False,
        reasons=("worse than the one before",),
    )


def test_a_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    registry.save(DOCUMENT, card())
    assert registry.load("segments", "r1") == DOCUMENT
    assert registry.card("segments", "r1") == card()


def test_cards_are_listed_by_kind_and_age(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    assert registry.cards() == []
    for one in (card("r2"), card("r1"), card("r1", kind="customer_value")):
        registry.save(DOCUMENT, one)
    listed = [(one.kind, one.model_id) for one in registry.cards()]
    assert listed == [("customer_value", "r1"), ("segments", "r1"), ("segments", "r2")]
    assert [one.model_id for one in registry.cards("segments")] == ["r1", "r2"]


def test_what_was_served_is_never_replaced(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.save(DOCUMENT, card())
    with pytest.raises(PipelineError, match="there already"):
        registry.save({}, replace(card(), seed=4))
    assert registry.card("segments", "r1").seed == 3


def test_a_model_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    with pytest.raises(PipelineError, match="no model segments/r9: there are none"):
        registry.load("segments", "r9")
    registry.save(DOCUMENT, card())
    with pytest.raises(PipelineError, match="there are r1"):
        registry.card("segments", "r9")


def test_a_model_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.save(DOCUMENT, card())
    path = tmp_path / "segments" / "r1" / "model.json"
    path.write_text(path.read_text().replace("2.0", "2.5"))
    with pytest.raises(PipelineError, match="somebody changed it"):
        registry.load("segments", "r1")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"digest": "d", "shoe_size": 4}'])
def test_a_card_that_is_none_is_one_clear_error(tmp_path: Path, text: str) -> None:
    registry = ModelRegistry(tmp_path)
    registry.save(DOCUMENT, card())
    (tmp_path / "segments" / "r1" / "card.json").write_text(text)
    with pytest.raises(PipelineError, match="is no card of a model"):
        registry.cards()


def test_what_a_killed_writer_left_is_no_model_and_goes(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    left = tmp_path / "segments" / "r0.building"
    left.mkdir(parents=True)
    (left / "model.json").write_text("{")
    assert registry.cards() == []
    registry.save(DOCUMENT, card())
    assert not left.exists()
    assert [one.model_id for one in registry.cards()] == ["r1"]


def test_a_number_that_json_does_not_know_leaves_nothing_behind(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        registry.save({"inertia": float("nan")}, card())
    assert list(tmp_path.rglob("*.json")) == []
