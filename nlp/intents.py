"""IntentModel: what a message to support wants, so that it can be routed and counted.

A linear model over hashed words, pairs of words and pieces of words: half a megabyte, no torch,
some ten thousand messages a second on one core.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.model.arrays import read_arrays, write_arrays
from nlp.model.folders import VERSION_DIGITS, WEIGHTS, pinned_card, sha256
from nlp.text import normalise

__all__ = ["BUNDLED", "OTHER", "IntentModel", "bags", "intents_version"]

BUNDLED = Path(__file__).parent / "weights_intents"
OTHER = "other"

# The bundled card lists the digest of the weights; this pins the card.
BUNDLED_CARD_SHA256 = "758e80ce5328f1a0a27de4f828a3c6e692e4d8bbcf9fe0e890613cae90255e6f"

Floats = npt.NDArray[np.float32]
Bag = tuple[npt.NDArray[np.int64], float]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[?!]")
_PIECES = (3, 4, 5)


class IntentModel:
    """Tells what messages want, with a score; "other" where it can't tell.

    >>> model = IntentModel.load()
    >>> labels, scores = model.predict(["I forgot my password"])
    >>> labels
    ['password']
    """

    def __init__(self, weights: Floats, biases: Floats, *, card: Mapping[str, Any]) -> None:
        """`weights` is (features, labels), `biases` (labels,); the card has `labels`,
        `temperature` and `certain_above`.
        """
        self.card = dict(card)
        self.labels: tuple[str, ...] = tuple(card["labels"])
        self._weights, self._biases = weights, biases

    @property
    def version(self) -> str:
        """A name for exactly these weights: the start of their digest."""
        digest: str = self.card.get("files", {}).get(WEIGHTS, "unsaved")
        return digest[:VERSION_DIGITS]

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """The model in the folder `path`, by default the bundled one.

        Raises:
            ModelError: the folder is missing, incomplete, altered, or holds no intent model.
        """
        folder = BUNDLED if path is None else Path(path)
        if not (folder / "card.json").is_file():
            message = f"No intent model in {folder}: card.json is missing. Train one, or reinstall."
            raise ModelError(message)
        card = pinned_card(folder, BUNDLED_CARD_SHA256 if path is None else None)
        arrays = read_arrays(folder / WEIGHTS)
        faults = [name for name in ("weights", "scales", "biases") if name not in arrays]
        faults += [name for name in ("labels", "temperature", "certain_above") if name not in card]
        if faults:
            message = f"{folder} is no intent model: {', '.join(faults)} missing."
            raise ModelError(message)
        weights = arrays["weights"].astype(np.float32) * arrays["scales"]
        return cls(weights, arrays["biases"], card=card)

    def save(self, folder: str | os.PathLike[str], **facts: object) -> None:
        """Writes the weights as int8 with one scale a label, and the card with `facts` in it."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        scales = np.maximum(np.abs(self._weights).max(axis=0), 1e-12) / np.float32(127)
        stored = np.round(self._weights / scales).astype(np.int8)
        arrays = {"weights": stored, "scales": scales, "biases": self._biases}
        write_arrays(target / WEIGHTS, arrays)
        card = {**self.card, **facts, "files": {WEIGHTS: sha256(target / WEIGHTS)}}
        (target / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        self.card = card

    def probabilities(self, texts: Sequence[str | None]) -> Floats:
        """Calibrated probabilities, float32 of shape (len(texts), len(self.labels))."""
        logits = np.tile(self._biases, (len(texts), 1))
        for row, (features, weight) in zip(logits, bags(texts, len(self._weights)), strict=True):
            row += weight * self._weights[features].sum(axis=0)
        logits /= self.card["temperature"]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores: Floats = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
        return scores

    def predict(self, texts: Sequence[str | None]) -> tuple[list[str], Floats]:
        """The likeliest intent of each text, and its probability (len(texts),).

        Where that is below the card's `certain_above`, and for an empty or missing text, the
        intent is "other": not guessed.
        """
        scores = self.probabilities(texts)
        best = scores.max(axis=1, initial=0.0)
        certain = best >= self.card["certain_above"]
        known = [bool(text and isinstance(text, str) and _WORD.search(text)) for text in texts]
        labels = [
            self.labels[i] if sure and some else OTHER
            for i, sure, some in zip(
                scores.argmax(axis=1).tolist(), certain.tolist(), known, strict=True
            )
        ]
        return labels, best


def intents_version(path: str | os.PathLike[str] | None = None) -> str:
    """The `version` of the model in the folder, by default of the bundled one.

    Raises:
        ModelError: as `IntentModel.load`.
    """
    return IntentModel.load(path).version


def bags(texts: Sequence[str | None], features: int) -> Iterator[Bag]:
    """Each text's features, numbers below `features`, and what each of them weighs.

    Words, pairs of neighbours, and pieces of three to five letters, which forgive typos; hashed
    by CRC-32. The weight makes a bag of length 1, so long messages don't outweigh short ones.
    """
    for text in texts:
        found = {zlib.crc32(feature.encode()) % features for feature in _features(text)}
        numbers = np.fromiter(sorted(found), dtype=np.int64, count=len(found))
        yield numbers, 1 / max(1.0, len(found)) ** 0.5


def _features(text: str | None) -> Iterator[str]:
    present = text if isinstance(text, str) else ""
    words = ["0" if word.isdigit() else word for word in _WORD.findall(normalise(present).lower())]
    yield from words
    for i in range(len(words) - 1):
        yield f"{words[i]} {words[i + 1]}"
    for word in words:
        framed = f"<{word}>"
        for size in _PIECES:
            for start in range(len(framed) - size + 1):
                yield framed[start : start + size]
