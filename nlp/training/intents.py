"""Fitting an intent model to labelled messages, with an honest hold-out."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nlp.errors import ModelError
from nlp.intents import IntentModel, bags

__all__ = ["IntentPlan", "macro_f1", "train_intents"]

Ints = npt.NDArray[np.int64]

_VARYING = re.compile(r"[^\W_]*\d[^\W_]*|[\W_]+")
_TEMPERATURES = np.geomspace(0.05, 2.0, 60)
_FEWEST_MESSAGES = 5


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
    Labels of which chance would hold out every message are learnt from whole, and not measured.

    Raises:
        ModelError: the lengths differ, there are fewer than two labels, or one has too few
            messages.
    """
    plan = plan or IntentPlan()
    names = sorted(set(labels))
    _check(texts, labels)
    number = {name: i for i, name in enumerate(names)}
    truth = np.array([number[label] for label in labels], dtype=np.int64)
    held_out = _held_out(texts, plan)
    held_out &= np.isin(truth, truth[~held_out])
    if not held_out.any():
        message = (
            f"None of {len(texts):,} messages falls into the hold-out of {plan.held_out_share:.0%}:"
            " give more of them, in words of their own."
        )
        raise ModelError(message)
    weights, biases = _fitted(_matrix(texts, plan.features)[~held_out], truth[~held_out], plan)
    card = {"labels": names, "temperature": 1.0, "certain_above": plan.certain_above}
    model = IntentModel(weights, biases, card=card)
    held_texts = [text for text, held in zip(texts, held_out, strict=True) if held]
    scores = model.probabilities(held_texts)
    model.card["temperature"] = _temperature(scores, truth[held_out])
    model.card["held_out"] = _measured(truth[held_out], scores.argmax(1), names)
    return model


def _check(texts: Sequence[str], labels: Sequence[str]) -> None:
    counts = Counter(labels)
    if len(texts) != len(labels) or len(counts) < 2:
        message = (
            f"{len(texts)} texts and {len(labels)} labels of {len(counts)} kinds: give one label "
            "a text, and at least two kinds."
        )
        raise ModelError(message)
    few = sorted(name for name, count in counts.items() if count < _FEWEST_MESSAGES)
    if few:
        shown = ", ".join(f"{name!r} ({counts[name]})" for name in few[:8])
        more = f" and {len(few) - 8} more" if len(few) > 8 else ""
        message = (
            f"Too few messages of {shown}{more}: give at least {_FEWEST_MESSAGES} of each intent, "
            "better some dozens, or put rare ones together."
        )
        raise ModelError(message)


def _measured(truth: Ints, guess: Ints, names: Sequence[str]) -> dict[str, Any]:
    """How many of the guesses are right, all in all and by intent; what does not occur has none."""
    of_intent: dict[str, dict[str, float]] = {}
    for i, name in enumerate(names):
        there, told = truth == i, guess == i
        both = int((there & told).sum())
        of_intent[name] = {"rows": int(there.sum())}
        if there.any():
            of_intent[name] |= {
                "precision": round(both / max(1, int(told.sum())), 4),
                "recall": round(both / int(there.sum()), 4),
                "f1": round(2 * both / int(there.sum() + told.sum()), 4),
            }
    return {
        "rows": len(truth),
        "accuracy": round(float((guess == truth).mean()), 4),
        "macro_f1": round(macro_f1(truth, guess), 4),
        "intents": of_intent,
    }


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
