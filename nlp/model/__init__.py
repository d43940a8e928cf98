"""SentimentModel: load a folder, score texts, save a folder."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.text import normalise, windows

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

__all__ = ["BUNDLED", "LABELS", "SentimentModel", "version_of"]

LABELS = ("negative", "neutral", "positive")
BUNDLED = Path(__file__).parent.parent / "weights"

# The bundled card lists the digest of every other file; this pins the card.
BUNDLED_CARD_SHA256 = "8ad130505da6b6d75a5c4f926c833b41171f5a66e3265d45cdaa7a3ae65b7dd3"

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
Floats = npt.NDArray[np.float32]

_COLUMN_OF_LABEL = {
    "negative": 0,
    "neg": 0,
    "1 star": 0,
    "2 stars": 0,
    "neutral": 1,
    "neu": 1,
    "3 stars": 1,
    "positive": 2,
    "pos": 2,
    "4 stars": 2,
    "5 stars": 2,
}
VERSION_DIGITS = 12
_WEIGHTS = "model.safetensors"
_SPECIAL_TOKENS_PER_WINDOW = 2
_TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 65536}


def version_of(path: str | os.PathLike[str] | None = None) -> str:
    """The `version` of the model in a folder, without loading it.

    Raises:
        ModelError: there are no weights.
    """
    return _weights_digest(BUNDLED if path is None else Path(path))[:VERSION_DIGITS]


class Window(NamedTuple):
    """A piece of one text, ready for the model: its text's number and its token ids."""

    text: int
    ids: list[int]


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
        card: dict[str, Any] | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        import torch

        self.card = card or {}
        self.device = device
        self.precision = precision
        self.tokenizer = tokenizer
        self.module = module
        torch.nn.Module.to(module, device, getattr(torch, precision)).train(mode=False)
        self._to_labels = _label_columns(module.config.id2label or {})
        self._temperature = float(self.card.get("temperature", 1.0))

    @property
    def version(self) -> str:
        """A name for exactly these weights: the start of their digest."""
        digest: str = self.card.get("files", {}).get(_WEIGHTS, "unsaved")
        return digest[:VERSION_DIGITS]

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        device: Device = "auto",
        *,
        precision: Precision = "auto",
    ) -> Self:
        """The model in the folder `path`, by default the bundled one. Never downloads.

        Any Hugging Face sequence classifier with a fast tokenizer and safetensors weights will
        do whose labels mean negative, neutral, positive (or stars). A folder with a `card.json`
        is checked against the digests in it. `device` auto is the first CUDA device if there is
        one; `precision` auto is bfloat16 where the processor computes in it, else float32.

        Raises:
            ModelError: the folder is missing, incomplete, altered, or no sentiment classifier.
        """
        folder = BUNDLED if path is None else Path(path)
        if not (folder / "config.json").is_file():
            message = (
                f"No model in {folder}: config.json is missing. Give a folder with config.json, "
                "tokenizer.json and model.safetensors."
            )
            raise ModelError(message)
        card = _checked_card(folder, pinned=BUNDLED_CARD_SHA256 if path is None else None)
        if "files" not in card:
            card["files"] = {_WEIGHTS: _weights_digest(folder)}
        chosen = _available_device(device)
        return cls(
            _read_module(folder),
            _read_tokenizer(folder),
            card=card,
            device=chosen,
            precision=_native_precision(chosen) if precision == "auto" else precision,
        )

    def save(self, folder: str | os.PathLike[str], **facts: object) -> None:
        """Writes the model as safetensors and json; `facts` go into its card.

        Weights of two dimensions are stored as int8 with one scale per output channel (a quarter
        of the size) and restored to floats when loaded.
        """
        from safetensors.torch import save_file

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        save_file(_quantised(self.module.state_dict()), target / "model.safetensors")
        (target / "config.json").write_text(self.module.config.to_json_string())
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.save(str(target / "tokenizer.json"))
        files = ("config.json", _WEIGHTS, "tokenizer.json")
        card = {**self.card, **facts, "files": {name: _sha256(target / name) for name in files}}
        (target / "card.json").write_text(json.dumps(card, indent=2) + "\n")
        self.card = card

    def score(self, texts: Sequence[str | None]) -> Floats:
        """Probabilities of negative, neutral and positive, float32 of shape (len(texts), 3).

        A long text is read whole: in windows of the model's length, whose logits are averaged
        by their number of tokens. Equal texts are scored once. A missing text (None, or the NaN
        that a frame has in its place) counts as an empty one.

        Raises:
            TypeError: `texts` is one text, or holds something else than texts.
        """
        if isinstance(texts, str):
            message = "score takes a list of texts, not one text: score([text])."
            raise TypeError(message)
        numbers: dict[str, int] = {}
        which = np.fromiter(
            (numbers.setdefault(normalise(_present(text)), len(numbers)) for text in texts),
            dtype=np.int64,
            count=len(texts),
        )
        if not numbers:
            return np.empty((0, len(LABELS)), dtype=np.float32)
        logits = self._logits(list(numbers)) / self._temperature
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        known = odds / odds.sum(axis=1, keepdims=True)
        scores: Floats = (known @ self._to_labels)[which].astype(np.float32)
        return scores

    def _logits(self, texts: list[str]) -> Floats:
        pieces = sorted(self._windows(texts), key=lambda piece: len(piece.ids))
        sums = np.zeros((len(texts), len(self._to_labels)), dtype=np.float64)
        weights = np.zeros((len(texts), 1), dtype=np.float64)
        for batch in _batches(pieces, _TOKENS_PER_BATCH[self.device.split(":")[0]]):
            owners = [piece.text for piece in batch]
            lengths = np.array([[len(piece.ids)] for piece in batch])
            np.add.at(sums, owners, self._forward([piece.ids for piece in batch]) * lengths)
            np.add.at(weights, owners, lengths)
        return (sums / weights).astype(np.float32)

    def _windows(self, texts: list[str]) -> Iterable[Window]:
        size = self._longest_window()
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        before, after = _special_ids(self.tokenizer)
        for number, encoding in enumerate(encoded):
            for ids in windows(encoding.ids, size):
                yield Window(number, [*before, *ids, *after])

    def _longest_window(self) -> int:
        config = self.module.config
        positions = int(getattr(config, "max_position_embeddings", 512))
        # RoBERTa kinds start counting positions after the padding id.
        offset = (config.pad_token_id or 0) + 1 if "roberta" in config.model_type else 0
        return positions - offset - _SPECIAL_TOKENS_PER_WINDOW

    def _forward(self, rows: list[list[int]]) -> Floats:
        import torch

        width = max(map(len, rows))
        padding = self.module.config.pad_token_id or 0
        ids = np.full((len(rows), width), padding, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        with torch.inference_mode():
            output = self.module(
                input_ids=torch.from_numpy(ids).to(self.device),
                attention_mask=torch.from_numpy(mask).to(self.device),
            )
        logits: Floats = output.logits.float().cpu().numpy()
        return logits


def _present(text: object) -> str:
    if isinstance(text, str):
        return text
    if text is None or text != text:  # NaN alone differs from itself
        return ""
    message = f"A text is a str or None, not {type(text).__name__}."
    raise TypeError(message)


def _batches(pieces: list[Window], budget: int) -> Iterable[list[Window]]:
    """Consecutive pieces, of rising length, with at most `budget` padded tokens together."""
    start = 0
    for end in range(1, len(pieces) + 1):
        full = end == len(pieces) or len(pieces[end].ids) * (end + 1 - start) > budget
        if full:
            yield pieces[start:end]
            start = end


def _special_ids(tokenizer: "Tokenizer") -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text, found by encoding one word."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a", add_special_tokens=True).ids
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:start], full[start + len(bare) :]


def _label_columns(id2label: Mapping[Any, str]) -> npt.NDArray[np.float64]:
    """(classes of the model, 3): which of our labels each of the model's classes counts for."""
    names = [id2label[i].lower() for i in sorted(id2label)]
    if names == ["label_0", "label_1", "label_2"]:
        names = list(LABELS)
    unknown = [name for name in names if name not in _COLUMN_OF_LABEL]
    if unknown:
        message = (
            f"The model's labels {unknown} are none of {sorted(_COLUMN_OF_LABEL)}: "
            "rename them in its config.json under id2label."
        )
        raise ModelError(message)
    columns = np.zeros((len(names), len(LABELS)))
    columns[np.arange(len(names)), [_COLUMN_OF_LABEL[name] for name in names]] = 1.0
    return columns


def _available_device(device: Device) -> str:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        message = "No CUDA device for the text model: check nvidia-smi, or use device='cpu'."
        raise ModelError(message)
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _native_precision(device: str) -> Precision:
    import torch

    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # An older torch can't be asked; float32 is right everywhere.
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"


def _checked_card(folder: Path, *, pinned: str | None) -> dict[str, Any]:
    """The folder's card, once every file in it has the digest that the card names."""
    path = folder / "card.json"
    if not path.is_file():
        if pinned is None:
            return {}
        message = f"{path} is missing: reinstall the package, or give another model's folder."
        raise ModelError(message)
    if pinned is not None and _sha256(path) != pinned:
        message = f"{path} was altered (its sha256 is not the pinned one): reinstall the package."
        raise ModelError(message)
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path} is not JSON ({error}): restore it, or remove it to load unchecked."
        raise ModelError(message) from error
    for name, digest in card.get("files", {}).items():
        if not (folder / name).is_file():
            message = f"{folder / name} is missing: restore it, its sha256 is {digest}."
            raise ModelError(message)
        if _sha256(folder / name) != digest:
            message = f"{folder / name} was altered: its sha256 is not the card's {digest}."
            raise ModelError(message)
    return card


def _weights_digest(folder: Path) -> str:
    weights = folder / _WEIGHTS
    if not weights.is_file():
        message = (
            f"{weights} is missing: give the folder of a model with its weights as safetensors. "
            "Pickled ones are not read."
        )
        raise ModelError(message)
    return _sha256(weights)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_tokenizer(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        message = f"{path} is missing: save the model with its fast tokenizer."
        raise ModelError(message)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers has no narrower one
        message = f"{path} can't be read: {error}."
        raise ModelError(message) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _read_module(folder: Path) -> "PreTrainedModel":
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForSequenceClassification

    path = folder / _WEIGHTS
    try:
        # A folder is data: code that it may carry is never run.
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        module: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )
    except (ValueError, OSError) as error:
        message = f"{folder / 'config.json'} is no text classifier's: {_in_short(error)}"
        raise ModelError(message) from error
    try:
        _load(module, _restored(load_file(path)))
    except (SafetensorError, RuntimeError) as error:
        message = f"{path} doesn't fit {folder / 'config.json'}: {_in_short(error)}"
        raise ModelError(message) from error
    return module


def _load(module: "PreTrainedModel", weights: "dict[str, torch.Tensor]") -> None:
    """Gives the module all its weights; older files also number the positions, which is known."""
    numbered = {name for name in weights if name.endswith(".position_ids")}
    module.load_state_dict({name: weights[name] for name in weights.keys() - numbered})


def _in_short(error: Exception) -> str:
    """The first two lines of a message, as one."""
    return " ".join(line.strip() for line in str(error).splitlines()[:2])


def _quantised(weights: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Symmetric int8 per output channel for matrices; vectors stay float32."""
    import torch

    stored: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        if tensor.ndim != 2 or not tensor.is_floating_point():
            stored[name] = tensor.detach().cpu().contiguous()
            continue
        values = tensor.detach().float().cpu()
        scale = values.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
        stored[name] = (values / scale).round().to(torch.int8)
        stored[f"{name}.scale"] = scale
    return stored


def _restored(stored: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The float weights behind `_quantised`; unquantised ones pass through."""
    return {
        name: tensor.float() * stored[f"{name}.scale"] if f"{name}.scale" in stored else tensor
        for name, tensor in stored.items()
        if not name.endswith(".scale")
    }
