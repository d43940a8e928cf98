import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from tiny_model import classifier_folder
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

from nlp import SentimentModel
from nlp.reading import EVERY_LANGUAGE, Reader, known_languages, reader_version

GERMAN = "Das Paket kam erst nach drei Wochen an."
TEXTS = ["the phone is great", GERMAN, "", None, "@bob https://t.co/x", "awful", "so good /s"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier_folder(tmp_path_factory.mktemp("model"))


def test_what_can_be_read_has_the_scores_of_the_model(folder: Path) -> None:
    reader, model = Reader.load(folder, "cpu"), SentimentModel.load(folder, "cpu")
    readings = reader.read(TEXTS)
    assert [one.unscored for one in readings] == [
        *(None, "language", "empty", "empty", "empty", None, None)
    ]
    read = [one for one in readings if one.unscored is None]
    scores = model.score(
        [text or "" for text, one in zip(TEXTS, readings, strict=True) if one in read]
    )
    found = [(one.negative, one.neutral, one.positive) for one in read]
    np.testing.assert_allclose(np.array(found, float), scores, atol=0.02)
    for one in read:
        best = max(one.negative or 0, one.neutral or 0, one.positive or 0)
        assert getattr(one, one.label or "") == best
    assert [one.certain for one in read] == [True, True, False]
    assert reader.version == reader_version(folder)
    assert reader.version.startswith(f"{model.version}.")


def test_what_can_not_be_read_has_nothing_but_a_language(folder: Path) -> None:
    for one in Reader.load(folder, "cpu").read([GERMAN, "  "]):
        assert (one.negative, one.neutral, one.positive, one.label) == (None,) * 4
        assert not one.certain
    assert Reader.load(folder, "cpu").read([]) == []


def test_below_the_band_nothing_is_certain(folder: Path, tmp_path: Path) -> None:
    sure = classifier_folder(tmp_path / "sure")
    (sure / "card.json").write_text(json.dumps({"certain_above": 1.0}))
    (before,), (after,) = (Reader.load(f, "cpu").read(["the phone"]) for f in (folder, sure))
    assert (before.certain, after.certain) == (True, False)
    assert before.label == after.label


def test_languages_are_those_of_the_card_else_the_config_else_english(
    folder: Path, tmp_path: Path
) -> None:
    assert known_languages(SentimentModel.load(folder, "cpu")) == {"en"}
    told = classifier_folder(tmp_path / "config", languages=["en", "de"])
    assert known_languages(SentimentModel.load(told, "cpu")) == {"en", "de"}
    assert Reader.load(told, "cpu").read([GERMAN])[0].unscored is None
    (told / "card.json").write_text(json.dumps({"languages": ["fr"]}))
    assert known_languages(SentimentModel.load(told, "cpu")) == {"fr"}
    assert Reader(SentimentModel.load(folder, "cpu"), languages=["*"]).read([GERMAN])[0].label


def test_aspects_are_those_of_texts_that_could_be_read(folder: Path) -> None:
    reader = Reader.load(folder, "cpu")
    texts = [
        "Great screen, awful battery.",
        "Der screen ist sehr schön, aber die battery nicht.",
        None,
    ]
    found = reader.aspects(texts, reader.read(texts))
    assert [(one.text, one.aspect) for one in found] == [(0, "screen"), (0, "battery")]
    for one in found:
        assert one.negative + one.neutral + one.positive == pytest.approx(1, abs=1e-3)
        assert getattr(one, one.label) == max(one.negative, one.neutral, one.positive)


def test_one_of_a_multilingual_kind_reads_every_language_and_still_tells_which(
    tmp_path: Path,
) -> None:
    reader = Reader.load(xlm_folder(tmp_path / "xlm"), "cpu")
    assert reader.languages == {EVERY_LANGUAGE}
    (reading,) = reader.read([GERMAN])
    assert (reading.language, reading.unscored) == ("de", None)
    assert reading.label in SentimentModel.labels


def xlm_folder(folder: Path) -> Path:
    """A tiny XLM-R, as anybody may have one on disk, with the tokenizer of the other tiny ones."""
    classifier_folder(folder)
    config = XLMRobertaConfig(
        vocab_size=json.loads((folder / "config.json").read_text())["vocab_size"],
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        id2label=dict(enumerate(SentimentModel.labels)),
        pad_token_id=0,
    )
    module = XLMRobertaForSequenceClassification(config)
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(module.config.to_dict()))
    return folder
