"""What a text's windows say together, and how sure of it one may be."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nlp.model.labels import LABELS

__all__ = ["Calibration", "Evidence", "pooled", "softmax"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_USUAL_TOKENS = 32
_NEUTRAL = LABELS.index("neutral")
_LEAST = 1e-3
# How a text's log-odds of positive against negative are shared out among the labels.
_AGAINST_OR_FOR = np.array([-0.5, 0.0, 0.5])


class Evidence(NamedTuple):
    """What is known of texts before it is weighed.

    `logits` (texts, classes) of the transformer, `tokens` (texts,), and `polarity` (texts,), the
    log-odds by the texts' phrases.
    """

    logits: Floats
    tokens: Ints
    polarity: Floats

    def take(self, rows: Ints) -> Self:
        """The evidence of these texts, in this order."""
        return type(self)(self.logits[rows], self.tokens[rows], self.polarity[rows])


class Calibration(NamedTuple):
    """How evidence becomes probabilities.

    Logits are divided by `temperature` for a text of 32 tokens, which goes with a power of the
    length: the more a text says, the surer one may be of it, and a mean of logits alone is not
    (Guo et al. 2017, On Calibration of Modern Neural Networks, with a length). Of its phrases'
    log-odds the part `phrases` is added, all of them at most, which goes with the length too.
    """

    temperature: float = 1.0
    temperature_power: float = 0.0
    phrases: float = 0.0
    phrases_power: float = 0.0

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Self:
        """The one on a model's card; one that changes nothing where there is none."""
        return cls(**{name: card[name] for name in cls._fields if name in card})

    def probabilities(self, evidence: Evidence) -> Floats:
        """Probabilities of each text's classes, (texts, classes)."""
        length = np.maximum(evidence.tokens, 1) / _USUAL_TOKENS
        logits = evidence.logits / (self.temperature * length**self.temperature_power)[:, None]
        if self.phrases:
            part = np.minimum(self.phrases * length**self.phrases_power, 1)
            logits = logits + (part * evidence.polarity)[:, None] * _AGAINST_OR_FOR
        return softmax(logits)


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row's logits."""
    odds: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def pooled(
    logits: npt.NDArray[np.float32], tokens: Ints, owners: Ints, to_labels: Floats
) -> tuple[Floats, Ints]:
    """Per text the mean logits of its windows, (texts, classes), and all their tokens, (texts,).

    A window counts by its tokens and by the squared odds that it judges at all, that it is not
    neutral: else a verdict at the end of a long account would drown in the account. `owners` are
    the texts' numbers, all from 0 on; `to_labels` (classes, 3) says which label each class means.
    """
    texts = int(owners.max()) + 1
    neutral = np.clip((softmax(logits.astype(np.float64)) @ to_labels)[:, _NEUTRAL], _LEAST, 1)
    weights = tokens * np.maximum((1 - neutral) / neutral, _LEAST) ** 2
    sums = np.zeros((texts, logits.shape[1]))
    np.add.at(sums, owners, logits * weights[:, None])
    parts = np.bincount(owners, weights, minlength=texts)
    lengths = np.bincount(owners, tokens, minlength=texts).astype(np.int64)
    return sums / parts[:, None], lengths
