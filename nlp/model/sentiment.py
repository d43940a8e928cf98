"""SentimentModel: load a folder, score texts, save a folder."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.model.devices import Device, Precision, available_device, native_precision
from nlp.model.encoding import Encoder, Window, longest_input, read_tokenizer
from nlp.model.folders import (
    VERSION_DIGITS,
    WEIGHTS,
    checked_card,
    model_folder,
    sha256,
    weights_digest,
)
from nlp.model.labels import LABELS, label_columns
from nlp.model.phrases import Phrases
from nlp.model.pooling import Calibration, Evidence, pooled
from nlp.model.running import Classifier
from nlp.model.weights import quantised, read_weights
from nlp.text import normalise

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

__all__ = ["SentimentModel"]

Floats = npt.NDArray[np.float32]
# What is asked: a text as it came, and the aspect, if any.
Question = tuple[str, str | None]

# Texts that are prepared while the model is at those before them: enough of them that batches of
# like lengths are full, few enough that a million texts need no more memory than these.
_TEXTS_PER_BLOCK = 8192


class _Block(NamedTuple):
    """Questions ready for the model.

    Their windows, the log-odds of each question's phrases, and which of them each one asked is.
    """

    windows: list[Window]
    polarity: npt.NDArray[np.float64]
    which: npt.NDArray[np.int64]


class SentimentModel:
    """Scores texts as negative, neutral or positive with a transformer on torch.

    >>> model = SentimentModel.load()
    >>> model.score(["What a wonderful phone!"]).argmax(axis=1)
    array([2])
    """

    labels = LABELS

    def __init__(
        self,
        module: "PreTrainedModel",
        tokenizer: "Tokenizer",
        *,
        phrases: Phrases | None = None,
        card: dict[str, Any] | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        self.card = card or {}
        self.device = device
        self.precision = precision
        self.tokenizer = tokenizer
        self.module = module
        self.phrases = phrases
        self._classifier = Classifier(module, device, precision)
        longest = longest_input(module)
        window = int(self.card.get("window_tokens", longest))
        self._encoder = Encoder(tokenizer, min(window, longest))
        self._to_labels = label_columns(module.config.id2label or {})
        self._calibration = Calibration.of_card(self.card)

    @property
    def version(self) -> str:
        """A name for exactly these weights: the start of their digest."""
        digest: str = self.card.get("files", {}).get(WEIGHTS, "unsaved")
        return digest[:VERSION_DIGITS]

    @property
    def knows_targets(self) -> bool:
        """Whether the model was trained to tell the mood about one aspect of a text."""
        return bool(self.card.get("targets", False))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        device: Device = "auto",
        *,
        precision: Precision = "auto",
        download: bool = False,
    ) -> Self:
        """The model in the folder `path`, by default the bundled one.

        Any Hugging Face sequence classifier with a fast tokenizer and safetensors weights will
        do whose labels mean negative, neutral, positive (or stars). `path` may also be the name
        of one on the Hugging Face hub: it is taken from the local cache, and from the network
        only with `download`. A folder with a `card.json` is checked against the digests in it.
        `device` auto is the first CUDA device if there is one; `precision` auto is bfloat16
        where the processor computes in it, else float32.

        Raises:
            ModelError: the model is missing, incomplete, altered, or no sentiment classifier.
        """
        folder = model_folder(path, download=download)
        card = checked_card(folder)
        card["files"] = {WEIGHTS: weights_digest(folder)} | card.get("files", {})
        chosen = available_device(device)
        tokenizer = read_tokenizer(folder)
        weights = read_weights(folder)
        return cls(
            weights.module,
            tokenizer,
            phrases=Phrases.of_stored(weights.rest, tokenizer.get_vocab_size()),
            card=card,
            device=chosen,
            precision=native_precision(chosen) if precision == "auto" else precision,
        )

    def save(self, folder: str | os.PathLike[str], **facts: object) -> None:
        """Writes the model as safetensors and json; `facts` go into its card.

        Weights of two dimensions are stored as int8 with one scale per output channel (a quarter
        of the size) and restored to floats when loaded.
        """
        from safetensors.torch import save_file

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        phrases = {} if self.phrases is None else self.phrases.stored()
        save_file({**quantised(self.module.state_dict()), **phrases}, target / WEIGHTS)
        (target / "config.json").write_text(self.module.config.to_json_string())
        self.tokenizer.save(str(target / "tokenizer.json"))
        files = ("config.json", WEIGHTS, "tokenizer.json")
        card = {**self.card, **facts, "files": {name: sha256(target / name) for name in files}}
        (target / "card.json").write_text(json.dumps(card, indent=2) + "\n")
        self.card = card

    def score(
        self, texts: Sequence[str | None], about: Sequence[str | None] | None = None
    ) -> Floats:
        """Probabilities of negative, neutral and positive, float32 of shape (len(texts), 3).

        With `about`, one a text, the mood is that about the aspect named, as it stands in the
        text ("battery life"); None asks for the mood of the whole text. A long text is read
        whole: in windows of the model's length, each with the aspect, which count the more the
        more they judge. Equal texts about the same are scored once. A missing text
        (None, or the NaN that a frame has in its place) counts as an empty one. Texts are
        prepared in blocks while the model is at those before.

        Raises:
            TypeError: `texts` is one text, or holds something else than texts.
            ValueError: `about` has another length than `texts`.
            ModelError: the model knows no aspects, or one fills more than half of a window.
        """
        known = self._calibration.probabilities(self.evidence(texts, about))
        scores: Floats = (known @ self._to_labels).astype(np.float32)
        return scores

    def evidence(
        self, texts: Sequence[str | None], about: Sequence[str | None] | None = None
    ) -> Evidence:
        """What `score` makes its probabilities of. Errors as in `score`."""
        numbers: dict[Question, int] = {}
        questions = self._questions(texts, about)
        which = np.array([numbers.setdefault(one, len(numbers)) for one in questions], np.int64)
        if not numbers:
            return Evidence(np.empty((0, len(self._to_labels))), np.empty(0, np.int64), np.empty(0))
        blocks = [self._pooled(block) for block in self._blocks(list(numbers))]
        return Evidence(*(np.concatenate(parts) for parts in zip(*blocks, strict=True))).take(which)

    def certain(self, scores: Floats) -> npt.NDArray[np.bool_]:
        """Which rows of `scores` the model is sure enough of, (n,): the card's `certain_above`.

        A card without that number is sure of everything.
        """
        sure: npt.NDArray[np.bool_] = scores.max(axis=1) >= self.card.get("certain_above", 0.0)
        return sure

    def _questions(
        self, texts: Sequence[str | None], about: Sequence[str | None] | None
    ) -> list[Question]:
        if isinstance(texts, str):
            message = "score takes a list of texts, not one text: score([text])."
            raise TypeError(message)
        if about is None:
            return [(_present(text), None) for text in texts]
        if isinstance(about, str) or len(about) != len(texts):
            found = repr(about) if isinstance(about, str) else len(about)
            message = (
                f"about is a list with one aspect (or None) a text: {len(texts)}, not {found}."
            )
            raise ValueError(message)
        if not self.knows_targets and any(aspect is not None for aspect in about):
            message = (
                f"The model {self.version} was not trained to tell the mood about an aspect (its "
                "card has no targets): score the clause that names it, or train with aspects."
            )
            raise ModelError(message)
        return [(_present(text), aspect) for text, aspect in zip(texts, about, strict=True)]

    def _blocks(self, questions: list[Question]) -> Iterator[_Block]:
        """The questions, prepared a block ahead of the model, on a thread of its own."""
        parts = [
            questions[start : start + _TEXTS_PER_BLOCK]
            for start in range(0, len(questions), _TEXTS_PER_BLOCK)
        ]
        if len(parts) == 1:
            yield self._prepared(parts[0])
            return
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._prepared, parts[0])
            for part in parts[1:]:
                block, coming = coming.result(), ahead.submit(self._prepared, part)
                yield block
            yield coming.result()

    def _prepared(self, questions: list[Question]) -> _Block:
        numbers: dict[Question, int] = {}
        plain = (
            (normalise(text), None if aspect is None else normalise(aspect))
            for text, aspect in questions
        )
        which = np.array([numbers.setdefault(one, len(numbers)) for one in plain], np.int64)
        texts, about = zip(*numbers, strict=True)
        windows = list(self._encoder.windows(texts, about))
        if self.phrases is None:
            return _Block(windows, np.zeros(len(texts)), which)
        return _Block(windows, self.phrases.polarity(windows, len(texts)), which)

    def _pooled(self, block: _Block) -> Evidence:
        """What each question of a block has for evidence."""
        found = self._classifier.logits(block.windows)
        owners = np.array([window.text for window in block.windows])
        tokens = np.array([len(window.ids) for window in block.windows])
        logits, lengths = pooled(found, tokens, owners, self._to_labels)
        return Evidence(logits, lengths, block.polarity).take(block.which)


def _present(text: object) -> str:
    if isinstance(text, str):
        return text
    if text is None or text != text:  # NaN alone differs from itself
        return ""
    message = f"A text is a str or None, not {type(text).__name__}."
    raise TypeError(message)
