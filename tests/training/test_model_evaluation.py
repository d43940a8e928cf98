import numpy as np
import pytest
from tiny_model import classifier_folder

from nlp import SentimentModel
from nlp.training.evaluation import calibration_error, evaluate, temperature_of


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


def test_the_temperature_of_scores_that_are_right_as_often_as_they_say_is_one() -> None:
    scores = np.tile(np.array([[0.7, 0.2, 0.1]], dtype=np.float32), (1000, 1))
    wanted = np.repeat([0, 1, 2], [700, 200, 100])
    assert temperature_of(scores, wanted) == pytest.approx(1.0, abs=0.01)
    often_wrong = np.repeat([0, 1, 2], [400, 300, 300])
    assert temperature_of(scores, often_wrong) > 2
