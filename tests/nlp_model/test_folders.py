"""Models in shards, in the cache of the Hugging Face hub, and those that are nowhere."""

import json
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_kinds import KINDS, kind_folder

from nlp import ModelError, SentimentModel
from nlp.model import version_of
from nlp.model.labels import label_columns

TEXTS = ["good phone", "awful", "the phone is okay"]


def scores_of(folder: Path | str) -> np.ndarray:
    return SentimentModel.load(folder, "cpu", precision="float32").score(TEXTS)


def in_shards(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for part, held in parts.items():
        save_file({name: weights[name] for name in held}, folder / part)
    where = {name: part for part, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (folder / "model.safetensors").unlink()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of our own."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_weights_in_shards_are_the_same_weights(tmp_path: Path) -> None:
    folder = kind_folder(tmp_path / "model", KINDS[0])
    whole, version = scores_of(folder), version_of(folder)
    in_shards(folder)
    np.testing.assert_array_equal(scores_of(folder), whole)
    model = SentimentModel.load(folder, "cpu")
    assert model.version == version_of(folder) != version
    (folder / "model-2-of-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"missing beside it: \['model-2-of-2.safetensors'\]"):
        SentimentModel.load(folder)


def test_a_shard_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = kind_folder(tmp_path / "model", KINDS[0])
    in_shards(folder)
    index = {"weight_map": {"a": "../elsewhere.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="missing beside it: all"):
        SentimentModel.load(folder)


def test_a_name_in_the_local_cache_is_a_model(tmp_path: Path, cache: Path) -> None:
    commit = "0" * 40
    place = cache / "models--some--classifier"
    wanted = scores_of(kind_folder(place / "snapshots" / commit, KINDS[0]))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    np.testing.assert_array_equal(scores_of("some/classifier"), wanted)
    assert version_of("some/classifier") == version_of(place / "snapshots" / commit)


@pytest.mark.parametrize("name", ["no/such-model", "nothing", "no/such/folder", "..bad--name"])
def test_a_name_that_is_nowhere_is_not_looked_for_on_the_network(cache: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"No model in .*local Hugging Face cache; load\(name, d"):
        SentimentModel.load(name)


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["NEGATIVE", "POSITIVE"], [0, 2]),
        (["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"], [0, 0, 1, 2, 2]),
        (["LABEL_0", "LABEL_1"], [0, 2]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], [0, 1, 2]),
        (["0", "1", "2", "3", "4"], [0, 0, 1, 2, 2]),
        (["positive", "negative", "neutral"], [2, 0, 1]),
        (["very_negative", "very-positive"], [0, 2]),
    ],
)
def test_common_spellings_of_classes_are_known(labels: list[str], columns: list[int]) -> None:
    assert label_columns(dict(enumerate(labels))).argmax(axis=1).tolist() == columns


@pytest.mark.parametrize("labels", [["LABEL_0"], ["LABEL_0"] * 4, ["pos", "positive"]])
def test_classes_that_tell_no_moods_apart_are_refused(labels: list[str]) -> None:
    names = [f"LABEL_{i}" for i in range(len(labels))] if "LABEL_0" in labels else labels
    with pytest.raises(ModelError, match="don't tell moods apart"):
        label_columns(dict(enumerate(names)))


def test_what_is_certain_is_what_the_card_calls_so(tmp_path: Path) -> None:
    folder = kind_folder(tmp_path, KINDS[0])
    model = SentimentModel.load(folder, "cpu")
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=np.float32)
    assert model.certain(scores).tolist() == [True, True]
    (folder / "card.json").write_text(json.dumps({"certain_above": 0.6}))
    assert SentimentModel.load(folder, "cpu").certain(scores).tolist() == [False, True]
