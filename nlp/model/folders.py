"""Where a model lies, and whether its files are those that its card names."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from nlp.errors import ModelError

__all__ = [
    "BUNDLED",
    "WEIGHTS",
    "checked_card",
    "model_folder",
    "pinned_card",
    "sha256",
    "version_of",
    "weight_files",
    "weights_digest",
]

BUNDLED = Path(__file__).parents[1] / "weights"
# The bundled card lists the digest of every other file; this pins the card.
BUNDLED_CARD_SHA256 = "20b6e3bf84c7375da35850f7bb07307db77e3bdd97efdf75b1b08f228d49ea55"

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
VERSION_DIGITS = 12
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_FILES_NEEDED = ["config.json", "tokenizer.json", "model*.safetensors", INDEX]


def version_of(path: str | os.PathLike[str] | None = None) -> str:
    """The `version` of the model in a folder, without loading it.

    Raises:
        ModelError: there are no weights.
    """
    return weights_digest(model_folder(path))[:VERSION_DIGITS]


def model_folder(path: str | os.PathLike[str] | None, *, download: bool = False) -> Path:
    """The folder meant: `path` itself, or the one that the Hugging Face cache has by that name.

    None is the bundled model. The network is touched only to `download` a name that is no folder.

    Raises:
        ModelError: the download failed.
    """
    if path is None:
        return BUNDLED
    folder, name = Path(path), str(path)
    if folder.is_dir() or not _HUB_NAME.fullmatch(name):
        return folder
    return _from_hub(name, download=download) or folder


def _from_hub(name: str, *, download: bool) -> Path | None:
    """The folder of that name in the Hugging Face cache; None where it has none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if not download:
        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            return None
    try:
        return Path(snapshot_download(name, allow_patterns=_FILES_NEEDED))
    except (OSError, ValueError) as error:  # what comes of the network is an OSError
        message = f"Model {name} could not be had from the Hugging Face hub: {error}"
        raise ModelError(message) from error


def checked_card(folder: Path) -> dict[str, Any]:
    """The folder's card, once every file in it has the digest that the card names.

    A folder without a card has an empty one; the bundled card itself must be the pinned one.

    Raises:
        ModelError: the folder holds no model, or a file is missing, altered, or can't be read.
    """
    if not (folder / "config.json").is_file():
        message = (
            f"No model in {folder}: config.json is missing. Give a folder with config.json, "
            "tokenizer.json and model.safetensors, or the name of a model in the local Hugging "
            "Face cache; load(name, download=True) puts one there."
        )
        raise ModelError(message)
    return pinned_card(folder, BUNDLED_CARD_SHA256 if folder == BUNDLED else None)


def pinned_card(folder: Path, pinned: str | None) -> dict[str, Any]:
    """The card of a folder of any kind, every file that it names checked; {} where there is none.

    With `pinned`, a digest, there must be a card, and it must have that digest.

    Raises:
        ModelError: a file is missing, altered, or can't be read.
    """
    path = folder / "card.json"
    if not path.is_file():
        if pinned is None:
            return {}
        message = f"{path} is missing: reinstall the package, or give another model's folder."
        raise ModelError(message)
    if pinned is not None and sha256(path) != pinned:
        message = f"{path} was altered (its sha256 is not the pinned one): reinstall the package."
        raise ModelError(message)
    card = _read_json(path, "restore it, or remove it to load unchecked")
    for name, digest in card.get("files", {}).items():
        _check_file(folder / name, digest)
    return card


def weight_files(folder: Path) -> list[Path]:
    """The files with the folder's weights: one, or the shards that an index lists.

    Raises:
        ModelError: a file is missing, or there are none.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        message = (
            f"{folder / WEIGHTS} is missing: give the folder of a model with its weights as "
            "safetensors. Pickled ones are not read."
        )
        raise ModelError(message)
    index = _read_json(folder / INDEX, "restore it").get("weight_map")
    names = sorted(set(index.values())) if isinstance(index, dict) else []
    # A shard lies beside its index: a path that leads elsewhere is not followed.
    shards = [folder / str(name) for name in names if Path(str(name)).name == name]
    absent = [path.name for path in shards if not path.is_file()]
    if absent or not shards or len(shards) < len(names):
        message = f"{folder / INDEX} lists {names}; missing beside it: {absent or 'all'}."
        raise ModelError(message)
    return shards


def weights_digest(folder: Path) -> str:
    """The sha256 of the weights; of shards, that of their digests.

    Raises:
        ModelError: there are no weights.
    """
    digests = [sha256(path) for path in weight_files(folder)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path, digest: str) -> None:
    if not path.is_file():
        message = f"{path} is missing: restore it, its sha256 is {digest}."
        raise ModelError(message)
    if sha256(path) != digest:
        message = f"{path} was altered: its sha256 is not the card's {digest}."
        raise ModelError(message)


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path} is not JSON ({error}): {remedy}."
        raise ModelError(message) from error
    return found
