"""Phrases: what single words and pairs of neighbours say for or against, whatever the order.

A transformer of few layers weighs a long review by its drift; that "sent it back" or "highly
recommend" stands in it, a linear model over words knows better. The two together are more often
right than either (Cheng et al. 2016, Wide & Deep Learning; Wang & Manning 2012, Baselines and
Bigrams).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.model.encoding import Window

if TYPE_CHECKING:
    import torch

__all__ = ["PREFIX", "Found", "Phrases", "phrases_in"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PREFIX = "phrases."  # of the names of tensors in a model's file
_KEYS, _WEIGHTS, _SCALE = (PREFIX + name for name in ("keys", "weights", "scale"))
_LARGEST = 127  # of an int8


class Found(NamedTuple):
    """Phrases of texts, each once a text: their keys, and the number of the text of each."""

    keys: Ints
    owners: Ints


@dataclass(frozen=True)
class Phrases:
    """How much each phrase speaks for a positive text against a negative one.

    `keys` int64 (phrases,), rising: of two tokens (first + 1) * vocabulary + second, of one the
    token itself. `weights` float32 (phrases,): log-odds. `vocabulary`: how many tokens there are.
    """

    keys: Ints
    weights: npt.NDArray[np.float32]
    vocabulary: int

    def polarity(self, windows: Sequence[Window], texts: int) -> Floats:
        """The log-odds of each text, (texts,): its known phrases' by the root of its tokens.

        Texts that are asked about an aspect have none: phrases don't know what they speak of.
        """
        found = phrases_in(windows, self.vocabulary)
        place = np.searchsorted(self.keys, found.keys).clip(max=max(len(self.keys) - 1, 0))
        known = self.keys[place] == found.keys if len(self.keys) else np.zeros(len(place), bool)
        owners = found.owners[known]
        sums = np.bincount(owners, self.weights[place[known]], minlength=texts)
        tokens = np.bincount([w.text for w in windows], [len(w.ids) for w in windows], texts)
        return sums / np.sqrt(tokens.clip(min=1))

    @classmethod
    def of_stored(cls, weights: "Mapping[str, torch.Tensor]", vocabulary: int) -> Self | None:
        """Those among a model's stored weights; None where it has none.

        Raises:
            ModelError: a part of them is missing, or they are not in order.
        """
        if not any(name.startswith(PREFIX) for name in weights):
            return None
        absent = sorted({_KEYS, _WEIGHTS, _SCALE} - weights.keys())
        if absent:
            message = f"The model's phrases lack {', '.join(absent)}: restore its weights."
            raise ModelError(message)
        keys = weights[_KEYS].long().numpy()
        scaled = (weights[_WEIGHTS].float() * weights[_SCALE]).numpy()
        if keys.shape != scaled.shape or (np.diff(keys) <= 0).any():
            message = "The model's phrases are out of order: restore its weights."
            raise ModelError(message)
        return cls(keys, scaled, vocabulary)

    def stored(self) -> "dict[str, torch.Tensor]":
        """The phrases as tensors, a byte a weight; those that come out as nothing are left out."""
        import torch

        scale = np.float32(max(np.abs(self.weights).max(initial=0), 1e-12) / _LARGEST)
        steps = (self.weights / scale).round().astype(np.int8)
        keys = self.keys[steps != 0]
        is_small = (self.vocabulary + 1) * self.vocabulary <= np.iinfo(np.int32).max
        return {
            _KEYS: torch.from_numpy(keys.astype(np.int32 if is_small else np.int64)),
            _WEIGHTS: torch.from_numpy(steps[steps != 0]),
            _SCALE: torch.tensor([scale]),
        }


def phrases_in(windows: Sequence[Window], vocabulary: int) -> Found:
    """The phrases of windows without an aspect, by text and rising; frames count as tokens."""
    plain = [window for window in windows if window.second == len(window.ids)]
    ids = np.fromiter(chain.from_iterable(window.ids for window in plain), np.int64)
    lengths = np.array([len(window.ids) for window in plain], np.int64)
    owners = np.repeat(np.array([window.text for window in plain], np.int64), lengths)
    follows = np.ones(len(ids), bool)
    follows[np.cumsum(lengths)[:-1]] = False
    second = np.flatnonzero(follows[1:]) + 1
    keys = np.concatenate([ids, (ids[second - 1] + 1) * vocabulary + ids[second]])
    each = np.concatenate([owners, owners[second]])
    # One number for text and phrase: sorting that once is all the grouping there is.
    span = (vocabulary + 1) * vocabulary
    both = np.unique(each * span + keys)
    return Found(both % span, both // span)
