"""Fitting an intent model to labelled messages, with an honest hold-out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nlp.errors import ModelError
from nlp.intents import IntentModel, bags

__all__ = ["IntentPlan", "macro_f1", "train_intents"]

Ints = npt.NDArray[np.int64]

_VARYING = re.compile(r"[^\W_]*\d[^\W_]*|[\W_]+")
_TEMPERATURES = np.geomspace(0.05, 2.0, 60)


@dataclass(frozen=True, kw_only=True)
class IntentPlan:
    """How to fit: everything that changes the weights, besides the data.

    `certain_above` is the probability from which on an intent is named and not called "other".
    """

    seed: int = 0
    features: int = 1 << 15
    inverse_penalty: float = 20.0
    held_out_share: float = 0.15
    certain_above: float = 0.35


def train_intents(
    texts: Sequence[str], labels: Sequence[str], plan: IntentPlan | None = None
) -> IntentModel:
    """A calibrated intent model; `held_out` in its card says how good it is.

    Messages that differ only in numbers, case and punctuation fall on the same side of the
    split, so no copy of a held-out message was learnt from. The weights are fitted to the other
    messages, the temperature to the held-out ones; labels weigh the same, however frequent.

    Raises:
        ModelError: the lengths differ, or there are fewer than two labels with two messages.
    """
    plan = plan or IntentPlan()
    names = sorted(set(labels))
    if len(texts) != len(labels) or len(names) < 2:
        message = (
            f"{len(texts)} texts and {len(labels)} labels of {len(names)} kinds: give one label "
            "a text, and at least two kinds."
        )
        raise ModelError(message)
    number = {name: i for i, name in enumerate(names)}
    truth = np.array([number[label] for label in labels], dtype=np.int64)
    held_out = _held_out(texts, plan)
    if len(set(truth[~held_out])) < len(names) or not held_out.any():
        message = "Too few messages for a hold-out: give at least some dozens of each intent."
        raise ModelError(message)
    weights, biases = _fitted(_matrix(texts, plan.features)[~held_out], truth[~held_out], plan)
    card = {"labels": names, "temperature": 1.0, "certain_above": plan.certain_above}
    model = IntentModel(weights, biases, card=card)
    held_texts = [text for text, held in zip(texts, held_out, strict=True) if held]
    scores = model.probabilities(held_texts)
    model.card["temperature"] = _temperature(scores, truth[held_out])
    model.card["held_out"] = {
        "rows": len(held_texts),
        "accuracy": round(float((scores.argmax(1) == truth[held_out]).mean()), 4),
        "macro_f1": round(macro_f1(truth[held_out], scores.argmax(1)), 4),
    }
    return model


def macro_f1(truth: Ints, guess: Ints) -> float:
    """The mean F1 of the labels that occur in the truth."""
    of_label = []
    for label in np.unique(truth):
        both = ((truth == label) & (guess == label)).sum()
        of_label.append(2 * both / ((truth == label).sum() + (guess == label).sum()))
    return float(np.mean(of_label))


def _held_out(texts: Sequence[str], plan: IntentPlan) -> npt.NDArray[np.bool_]:
    masked = [_VARYING.sub(" ", text.lower()).strip() for text in texts]
    _, template = np.unique(masked, return_inverse=True)
    drawn = np.random.default_rng(plan.seed).random(template.max() + 1) < plan.held_out_share
    return np.asarray(drawn[template])


def _matrix(texts: Sequence[str], features: int) -> csr_matrix:
    found = list(bags(texts, features))
    sizes = [len(numbers) for numbers, _ in found]
    return csr_matrix(
        (
            np.repeat([weight for _, weight in found], sizes),
            np.concatenate([numbers for numbers, _ in found]),
            np.cumsum([0, *sizes]),
        ),
        shape=(len(texts), features),
    )


def _fitted(
    matrix: csr_matrix, truth: Ints, plan: IntentPlan
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=plan.inverse_penalty, class_weight="balanced", max_iter=300)
    model.fit(matrix, truth)
    weights, biases = model.coef_, model.intercept_
    if len(weights) == 1:  # scikit-learn keeps one column for two labels
        weights, biases = np.vstack([-weights, weights]) / 2, np.hstack([-biases, biases]) / 2
    return weights.T.astype(np.float32), biases.astype(np.float32)


def _temperature(scores: npt.NDArray[np.float32], truth: Ints) -> float:
    """What the logits are divided by so that the held-out labels are likeliest."""
    logits = np.log(np.maximum(scores, 1e-12))
    rows = np.arange(len(truth))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, truth]).mean())

    return round(float(min(_TEMPERATURES, key=loss)), 4)
