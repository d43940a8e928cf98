"""How good a model is on texts it has not seen, and how sure it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp.model import SentimentModel
from nlp.model.pooling import Calibration, Evidence

__all__ = ["Evaluation", "calibration_error", "calibration_of", "evaluate"]

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_LEAST_LIKELY = 1e-12
# Where to look: the logarithm of the temperature and its power, and of the phrases' part and its.
_BOUNDS = ((-1.2, 1.6), (-0.5, 0.5), (-5.0, 0.0), (0.0, 1.0))
_START = (0.0, 0.0, -2.0, 0.5)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Quality on labelled texts: fractions between 0 and 1.

    `polarity` is the share of the negative and positive texts whose likelier one of the two is
    right; `certain` the share of texts outside the abstain band, `certain_accuracy` the accuracy
    on these.
    """

    rows: int
    accuracy: float
    macro_recall: float
    macro_f1: float
    polarity: float
    calibration_error: float
    certain: float
    certain_accuracy: float


def evaluate(
    model: SentimentModel,
    texts: Sequence[str],
    labels: Sequence[int] | Labels,
    about: Sequence[str | None] | None = None,
) -> Evaluation:
    """How well the model tells the labels of texts it has not seen.

    Macro-recall (over the classes that occur) is the TweetEval score; the calibration error is
    the expected one over ten equal-width bins of the highest probability.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    wanted = np.asarray(labels, dtype=np.int64)
    scores = model.score(list(texts), about)
    said = scores.argmax(axis=1)
    classes = np.unique(wanted)
    polar = wanted != 1
    certain = model.certain(scores)
    return Evaluation(
        rows=len(wanted),
        accuracy=float(accuracy_score(wanted, said)),
        macro_recall=float(recall_score(wanted, said, labels=classes, average="macro")),
        macro_f1=float(f1_score(wanted, said, labels=classes, average="macro")),
        polarity=_share((scores[:, 2] > scores[:, 0])[polar] == (wanted == 2)[polar]),
        calibration_error=calibration_error(scores, wanted),
        certain=_share(certain),
        certain_accuracy=_share(said[certain] == wanted[certain]),
    )


def _share(true: npt.NDArray[np.bool_]) -> float:
    return round(float(true.mean()), 6) if len(true) else float("nan")


def calibration_error(scores: Floats, wanted: Labels, bins: int = 10) -> float:
    """How far confidence is from accuracy, over bins of equal width, weighted by their texts."""
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == wanted
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


def calibration_of(evidence: Evidence, wanted: Labels) -> Calibration:
    """The calibration that makes the labels (texts,) likeliest, given evidence of three classes.

    Where no text has a phrase, there is only a temperature to find.
    """
    from scipy.optimize import minimize

    has_phrases = bool(evidence.polarity.any())
    size = 4 if has_phrases else 2

    def calibration(found: Sequence[float]) -> Calibration:
        usual, power, *phrases = found
        part = (float(np.exp(phrases[0])), float(phrases[1])) if phrases else ()
        return Calibration(float(np.exp(usual)), float(power), *part)

    def loss(found: npt.NDArray[np.float64]) -> float:
        known = calibration(found.tolist()).probabilities(evidence)
        right = known[np.arange(len(wanted)), wanted]
        return float(-np.log(np.maximum(right, _LEAST_LIKELY)).mean())

    best = minimize(loss, _START[:size], method="Nelder-Mead", bounds=_BOUNDS[:size]).x
    return Calibration(*(round(value, 4) for value in calibration(best.tolist())))
