from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import LABELS, encoder_folder
from toy_language import toy_pairs, toy_source, toy_texts

from nlp import ModelError, SentimentModel
from nlp.training import Evaluation, Source, TrainingPlan, evaluate, train

PLAN = TrainingPlan(epochs=6, learning_rate=3e-3, layer_decay=1.0, members=1, averaging=0.9)
SMALL = TrainingPlan(epochs=1, members=1)


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
    held = [toy_source(60, seed=7)]
    return train([toy_source(300)], encoder=encoder, plan=PLAN, calibrate_on=held)


def weights(model: SentimentModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.module.state_dict().items()}


def alike(a: SentimentModel, b: SentimentModel) -> bool:
    first, second = weights(a), weights(b)
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_toy_language_is_learnt_and_unseen_sentences_too(trained: SentimentModel) -> None:
    found = evaluate(trained, *toy_texts(200, seed=1))
    assert found.rows == 200
    assert found.accuracy > 0.95
    assert found.macro_recall > 0.95
    assert found.macro_f1 > 0.95
    assert found.polarity > 0.95
    assert found.calibration_error < 0.05


def test_what_is_asked_about_decides_where_a_text_holds_two_moods(encoder: Path) -> None:
    plan = TrainingPlan(epochs=20, learning_rate=3e-3, layer_decay=1.0, members=1, averaging=0.9)
    model = train([toy_pairs(400)], encoder=encoder, plan=plan)
    assert model.knows_targets
    asked = toy_pairs(100, seed=1)
    assert evaluate(model, asked.texts, asked.labels, asked.about).accuracy > 0.9


def test_a_trained_model_is_saved_and_loaded_with_what_made_it(
    trained: SentimentModel, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    loaded = SentimentModel.load(tmp_path, precision="float32")
    assert loaded.labels == LABELS
    assert loaded.card["plan"]["learning_rate"] == PLAN.learning_rate
    assert 250 < loaded.card["rows"] <= 300
    assert len(loaded.card["encoder_sha256"]) == 64
    assert loaded.card["temperature"] == trained.card["temperature"] != 1.0
    assert not loaded.knows_targets
    assert evaluate(loaded, *toy_texts(100, seed=1)).accuracy > 0.95


def test_training_goes_on_from_a_trained_model(trained: SentimentModel, tmp_path: Path) -> None:
    trained.save(tmp_path)
    further = train([toy_source(40, seed=5)], encoder=tmp_path, plan=SMALL)
    assert evaluate(further, *toy_texts(100, seed=1)).accuracy > 0.95


def test_the_same_seed_gives_the_same_weights_and_another_one_others(encoder: Path) -> None:
    first, second, other = (
        train([toy_source(80)], encoder=encoder, plan=TrainingPlan(epochs=1, members=1, seed=seed))
        for seed in (1, 1, 2)
    )
    assert alike(first, second)
    assert not alike(first, other)
    assert first.card == second.card


def test_members_are_averaged_and_side_by_side_they_are_the_same(
    encoder: Path, tmp_path: Path
) -> None:
    plan = TrainingPlan(epochs=1, members=2, learning_rate=3e-3)
    sources = [toy_source(120)]
    steps: list[int] = []
    both = train(sources, encoder=encoder, plan=plan)
    aside = train(
        sources,
        encoder=encoder,
        plan=plan,
        work=tmp_path / "work",
        processes=2,
        progress=lambda *told: steps.append(told[0]),
    )
    assert alike(both, aside)
    assert max(steps) == len(steps) == 8
    one = train(
        sources, encoder=encoder, plan=TrainingPlan(epochs=1, members=1, learning_rate=3e-3)
    )
    assert not alike(both, one)


class CutOffError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("at", [1, 3, 6, 7, 11])
def test_a_training_that_is_cut_off_goes_on_to_the_same_weights(
    encoder: Path, tmp_path: Path, at: int
) -> None:
    plan = TrainingPlan(epochs=3, members=1, learning_rate=3e-3, steps_per_checkpoint=2)
    module = train([toy_source(120)], encoder=encoder, plan=plan)

    def cut(done: int, of: int, loss: float) -> None:
        if done == at:
            raise CutOffError

    def learn(progress: object) -> SentimentModel:
        return train(
            [toy_source(120)], encoder=encoder, plan=plan, work=tmp_path, progress=progress
        )

    with pytest.raises(CutOffError):
        learn(cut)
    resumed: list[int] = []
    again = learn(lambda *told: resumed.append(told[0]))
    written = (at - 1) // plan.steps_per_checkpoint * plan.steps_per_checkpoint
    assert resumed[0] == written + 1
    assert alike(module, again)


def test_the_unfinished_state_of_other_texts_is_not_taken_over(
    encoder: Path, tmp_path: Path
) -> None:
    plan = TrainingPlan(epochs=1, members=1, steps_per_checkpoint=1)
    train([toy_source(80)], encoder=encoder, plan=plan, work=tmp_path)
    alone = train([toy_source(80, seed=4)], encoder=encoder, plan=plan)
    assert alike(alone, train([toy_source(80, seed=4)], encoder=encoder, plan=plan, work=tmp_path))


def test_training_says_nothing_but_reports_each_step(
    encoder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[int, int]] = []

    def note(done: int, of: int, loss: float) -> None:
        assert np.isfinite(loss)
        steps.append((done, of))

    train([toy_source(80)], encoder=encoder, plan=SMALL, progress=note)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ([], [], r"Nothing to learn from \[\] in mine"),
        (["a", "b"], [0, 3], r"Nothing .* \[0, 3\] in mine: give"),
        (["a"], [0, 1], r"mine: texts, labels, about and groups differ in length"),
    ],
)
def test_texts_without_the_three_labels_are_refused(
    texts: list[str], labels: list[int], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Source(name="mine", texts=texts, labels=np.array(labels, dtype=np.int64))


def test_an_encoder_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path)
    found = load_file(folder / "model.safetensors")
    del found["encoder.layer.1.output.dense.weight"]
    save_file(found, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights .* bert.encoder.layer.1.output.dense"):
        train([toy_source(20)], encoder=folder, plan=SMALL)


def test_members_side_by_side_need_a_folder(encoder: Path) -> None:
    with pytest.raises(ModelError, match="need a folder: give work"):
        train([toy_source(20)], encoder=encoder, plan=TrainingPlan(members=2), processes=2)


def test_calibration_takes_back_what_is_too_sure(encoder: Path) -> None:
    # A third of these labels are wrong, and the model knows nothing of it.
    texts, labels = toy_texts(200, seed=3)
    noisy = np.array([(label + (i % 3 == 0)) % 3 for i, label in enumerate(labels)])
    held = [Source(name="noisy", texts=texts, labels=noisy)]
    sure, calm = (
        train([toy_source(300)], encoder=encoder, plan=PLAN, calibrate_on=on) for on in ([], held)
    )
    assert calm.card["temperature"] > 1
    before, after = (evaluate(model, texts, noisy) for model in (sure, calm))
    assert after.calibration_error < before.calibration_error / 2
    assert after.accuracy == before.accuracy
    assert isinstance(after, Evaluation)
