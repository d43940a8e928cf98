"""What a text's windows say together, and how sure of it one may be."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nlp.model.labels import LABELS

__all__ = ["Temperature", "pooled", "softmax"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_USUAL_TOKENS = 32
_NEUTRAL = LABELS.index("neutral")
_LEAST = 1e-3


class Temperature(NamedTuple):
    """What logits are divided by before they are probabilities.

    It is `usual` for a text of 32 tokens and goes with a power of the length: the more a text
    says, the surer one may be of it, and a mean of logits alone is not. (Guo et al. 2017, On
    Calibration of Modern Neural Networks, with a length.)
    """

    usual: float = 1.0
    power: float = 0.0

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Self:
        """The one on a model's card, 1 for all lengths where there is none."""
        return cls(card.get("temperature", 1.0), card.get("temperature_power", 0.0))

    @property
    def on_card(self) -> dict[str, float]:
        """What a card says of it."""
        return {"temperature": self.usual, "temperature_power": self.power}

    def probabilities(self, logits: Floats, tokens: Ints) -> Floats:
        """Probabilities (texts, classes) of texts of so many tokens each."""
        each = self.usual * (np.maximum(tokens, 1) / _USUAL_TOKENS) ** self.power
        return softmax(logits / each[:, None])


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
