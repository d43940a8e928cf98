import numpy as np
import pytest
from tiny_model import classifier_folder

from nlp import SentimentModel
from nlp.model.pooling import Evidence
from nlp.training.evaluation import calibration_error, calibration_of, evaluate


def test_an_evaluation_is_in_fractions(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = SentimentModel.load(
        classifier_folder(tmp_path_factory.mktemp("m")), "cpu", precision="float32"
    )
    texts = ["the phone is bad", "good", "okay my phone", "great and lovely", "awful broken"]
    scores = model.score(texts)
    said = scores.argmax(axis=1)
    wanted = said.copy()
    wanted[0] = (said[0] + 1) % 3
    found = evaluate(model, texts, wanted)
    assert (found.rows, found.accuracy) == (5, 0.8)
    right = [said[wanted == label] == label for label in np.unique(wanted)]
    assert found.macro_recall == pytest.approx(np.mean([each.mean() for each in right]))
    polar = wanted != 1
    liked = scores[:, 2] > scores[:, 0]
    assert found.polarity == pytest.approx((liked == (wanted == 2))[polar].mean(), abs=1e-6)
    assert found.certain == 1.0
    assert found.certain_accuracy == found.accuracy


def test_the_calibration_error_is_how_far_confidence_is_from_being_right() -> None:
    def error(confidence: float, right: int, of: int = 100) -> float:
        rest = (1 - confidence) / 2
        scores = np.tile(np.array([[confidence, rest, rest]], dtype=np.float32), (of, 1))
        wanted = np.array([0] * right + [1] * (of - right))
        return calibration_error(scores, wanted)

    assert error(1.0, 100) == 0.0
    assert error(0.75, 75) == pytest.approx(0.0, abs=1e-6)
    assert error(1.0, 60) == pytest.approx(0.4)
    assert error(0.55, 95) == pytest.approx(0.4, abs=1e-6)
    # Bins are judged each on its own: too sure here and too unsure there don't cancel.
    sure = np.tile(np.array([[0.95, 0.03, 0.02]], dtype=np.float32), (50, 1))
    unsure = np.tile(np.array([[0.45, 0.35, 0.2]], dtype=np.float32), (50, 1))
    wanted = np.array([0] * 25 + [1] * 25 + [0] * 50)
    found = calibration_error(np.concatenate([sure, unsure]), wanted)
    assert found == pytest.approx((0.45 + 0.55) / 2, abs=1e-6)


TOKENS = np.tile([8, 128], 500)
EVIDENCE = Evidence(np.tile(np.log([[0.7, 0.2, 0.1]]), (1000, 1)), TOKENS, np.zeros(1000))
AS_OFTEN = np.repeat(np.repeat([0, 1, 2], [350, 100, 50]), 2)


def test_the_temperature_of_logits_that_are_right_as_often_as_they_say_is_one() -> None:
    assert calibration_of(EVIDENCE, AS_OFTEN) == pytest.approx((1.0, 0.0, 0.0, 0.0), abs=0.01)
    often_wrong = np.repeat(np.repeat([0, 1, 2], [200, 150, 150]), 2)
    assert calibration_of(EVIDENCE, often_wrong).temperature > 2


def test_where_long_texts_are_surer_than_they_say_the_temperature_falls_with_length() -> None:
    # The short ones are right as often as they say, the long ones always.
    found = calibration_of(EVIDENCE, np.where(TOKENS == 8, AS_OFTEN, 0))
    assert found.temperature_power < -0.1
    short, long = found.probabilities(EVIDENCE.take(np.array([0, 1])))[:, 0]
    assert short == pytest.approx(0.7, abs=0.03)
    assert long > 0.9


def test_phrases_count_as_far_as_they_are_right() -> None:
    # What the logits leave open between negative and positive, the phrases know in these texts.
    open_ = np.tile(np.log([[0.45, 0.1, 0.45]]), (1000, 1))
    wanted = np.tile([0, 2, 2, 0], 250)
    knowing = Evidence(open_, TOKENS, np.where(wanted == 2, 3.0, -3.0))
    guessing = Evidence(open_, TOKENS, np.tile([3.0, -3.0], 500))
    right, of_no_use = calibration_of(knowing, wanted), calibration_of(guessing, wanted)
    assert (right.probabilities(knowing).argmax(axis=1) == wanted).all()
    assert right.phrases > 0.9
    assert of_no_use.phrases < 0.02
    assert of_no_use.probabilities(guessing)[:, 0] == pytest.approx(0.45, abs=0.06)
