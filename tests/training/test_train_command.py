import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from commands import Command, commands, without_progress
from tiny_model import encoder_folder
from toy_language import toy_texts

from nlp import SentimentModel

NAMES = ("negative", "neutral", "positive")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return without_progress(commands(monkeypatch, capsys))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labelled files, the encoder to start from."""
    encoder_folder(tmp_path / "encoder")
    for name, seed in (("mine.csv", 0), ("later.csv", 1)):
        texts, labels = toy_texts(150, seed=seed)
        # A word the model doesn't know makes each text another one.
        texts = [f"{text} {name}{i}" for i, text in enumerate(texts)]
        frame = pd.DataFrame({"said": texts, "mood": [NAMES[label] for label in labels]})
        frame.to_csv(tmp_path / name, index=False)
    return tmp_path


def test_a_model_of_own_texts_is_measured_and_loads(command: Command, folder: Path) -> None:
    code, out, err = command(
        *("train", folder / "mine.csv", "--text", "said", "--label", "mood"),
        *("--from", folder / "encoder", "--validation", folder / "later.csv"),
        *("--output", folder / "model", "--epochs", 20, "--members", 1, "--learning-rate", 0.002),
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["evaluation"]["later.csv"]["accuracy"] > 0.9
    assert told["evaluation"]["mine.csv"]["rows"] + told["rows"] == 150
    model = SentimentModel.load(folder / "model")
    assert model.card["learnt_from"] == [{"name": "mine.csv", "rows": told["rows"]}]
    assert model.card["evaluation"] == told["evaluation"]
    assert {row["capability"] for row in model.card["behaviour"]}
    assert not (folder / "model.unfinished").exists()
    assert model.score(["lovely phone"]).argmax() == 2


def test_a_recipe_is_followed_and_its_terms_are_in_the_card(command: Command, folder: Path) -> None:
    source = {
        "text": "said", "label": "mood", "labels": {name: name for name in NAMES},
        "hold_out": 0.1,
    }  # fmt: skip
    recipe = {
        "sources": [
            {"name": "ours", "file": "mine.csv", "licence": "MIT", "permissive": True, **source},
            {"name": "theirs", "file": "later.csv", "licence": "research only", **source},
        ]
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    words = (
        *("train", "--data", folder, "--recipe", folder / "recipe.yaml"),
        *("--from", folder / "encoder", "--epochs", 1, "--members", 1),
    )
    assert command(*words, "--output", folder / "all")[0] == 0
    assert command(*words, "--output", folder / "free", "--permissive")[0] == 0
    learnt = [SentimentModel.load(folder / name).card["learnt_from"] for name in ("all", "free")]
    assert [[each["licence"] for each in found] for found in learnt] == [
        ["MIT", "research only"],
        ["MIT"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mine.csv", "--text", "body"), "has no column 'body'; it has said, mood"),
        (("mine.csv", "--text", "said", "--label", "said"), "150 labels are none of 0, 1, 2, neg"),
        (("none.csv", "--text", "said", "--label", "mood"), "none.csv"),
        (("mine.csv", "--text", "said", "--label", "mood", "--from", "nowhere"), "nowhere"),
    ],
)
def test_what_can_not_be_learnt_from_is_named(
    command: Command, folder: Path, words: tuple[str, ...], message: str
) -> None:
    file, *rest = words
    code, _, err = command("train", folder / file, *rest, "--output", folder / "model")
    assert code == 1
    assert message in err
    assert not (folder / "model").exists()


def test_own_texts_and_a_recipe_are_not_mixed(command: Command, folder: Path) -> None:
    for words in (
        (),
        (folder / "mine.csv", "--data", folder),
        (folder / "mine.csv", "--permissive"),
    ):
        code, _, err = command("train", *words, "--output", folder / "model")
        assert code == 2
        assert "--data" in err


def test_own_texts_that_are_all_validated_on_leave_nothing(command: Command, folder: Path) -> None:
    code, _, err = command(
        *("train", folder / "mine.csv", "--text", "said", "--label", "mood"),
        *("--from", folder / "encoder", "--validation", folder / "mine.csv"),
        *("--output", folder / "model"),
    )
    assert code == 1
    assert "every text has a copy among those" in err


def test_an_aspect_column_makes_a_model_that_knows_targets(command: Command, folder: Path) -> None:
    frame = pd.read_csv(folder / "mine.csv").assign(thing=np.resize(["phone", None], 150))
    frame.to_parquet(folder / "asked.parquet")
    code, _, _ = command(
        *("train", folder / "asked.parquet", "--text", "said", "--label", "mood"),
        *("--about", "thing", "--from", folder / "encoder", "--output", folder / "model"),
        *("--epochs", 1, "--members", 1),
    )
    assert code == 0
    model = SentimentModel.load(folder / "model")
    assert model.knows_targets
    assert model.score(["good phone"], ["phone"]).shape == (1, 3)
