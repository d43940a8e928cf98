import json
from pathlib import Path

import pandas as pd
import pytest
from commands import Command, commands, without_progress

from nlp.intents import IntentModel
from nlp.training.planted_intents import planted_requests

OWN = {"fault": "repairs", "password": "access", "cancellation": "cancelling"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return without_progress(commands(monkeypatch, capsys))


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """Requests under names of one's own, two rows of which say nothing."""
    pairs = zip(*planted_requests(700), strict=True)
    rows = [{"said": text, "wants": OWN[label]} for text, label in pairs if label in OWN]
    rows += [{"said": None, "wants": "access"}, {"said": "hello", "wants": " "}]
    pd.DataFrame(rows).to_csv(tmp_path / "cases.csv", index=False)
    return tmp_path / "cases.csv"


def test_own_intents_are_learnt_measured_and_loaded(command: Command, messages: Path) -> None:
    words = ("train-intents", messages, "--text", "said", "--label", "wants")
    folder = messages.with_name("intents")
    code, out, err = command(*words, "--output", folder)
    assert (code, err) == (0, "")
    told = json.loads(out)
    rows = len(pd.read_csv(messages)) - 2
    assert told["rows"] == pytest.approx(rows / 10, rel=0.5)
    assert told["rows"] == sum(one["rows"] for one in told["intents"].values())
    assert told["accuracy"] > 0.9
    assert sorted(told["intents"]) == sorted(OWN.values())
    assert all(one["f1"] > 0.8 for one in told["intents"].values())
    model = IntentModel.load(folder)
    assert model.card["learnt_from"] == [{"name": "cases.csv", "rows": rows}]
    assert model.predict(["I forgot my password", "my phone is broken"])[0] == ["access", "repairs"]
    # Into the same folder again, from another hold-out.
    weights = (folder / "model.safetensors").read_bytes()
    assert command(*words, "--output", folder, "--seed", 1)[0] == 0
    assert (folder / "model.safetensors").read_bytes() != weights


@pytest.mark.parametrize(
    ("rows", "column", "message"),
    [
        ("said,wants\nhi,a\n", "wants", "at least two kinds"),
        ("said,wants\n" + "hi,a\n" * 9 + "ho,b\n", "wants", "Too few messages of 'b' (1)"),
        ("said,wants\n,a\nhi,\n", "wants", "no row has both 'said' and 'wants'"),
        ("said,wants\nhi,a\n", "want", "has no column 'want'"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused_by_name(
    command: Command, tmp_path: Path, rows: str, column: str, message: str
) -> None:
    file = tmp_path / "cases.csv"
    file.write_text(rows)
    words = ("train-intents", file, "--text", "said", "--label", column)
    code, _, err = command(*words, "--output", tmp_path / "model")
    assert code == 1
    assert message in err
    assert not (tmp_path / "model").exists()


def test_a_folder_of_something_else_is_left_alone(command: Command, messages: Path) -> None:
    (messages.parent / "mine").mkdir()
    (messages.parent / "mine" / "card.json").write_text("{}")
    words = ("train-intents", messages, "--text", "said", "--label", "wants")
    code, _, err = command(*words, "--output", messages.parent / "mine")
    assert code == 1
    assert "something else than an intent model" in err
    assert (messages.parent / "mine" / "card.json").read_text() == "{}"
