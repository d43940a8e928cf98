"""Weights in a folder: as floats or in a byte each, in one file or in shards."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nlp.errors import ModelError
from nlp.model.folders import weight_files
from nlp.model.phrases import PREFIX

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["Weights", "quantised", "read_weights", "restored"]

# What files of some kinds hold besides the classifier: numbers of positions, which are known, and
# what only pre-training needs.
_NOT_NEEDED = (
    *(".position_ids", ".embeddings.position_embeddings.", ".pooler."),
    *("cls.predictions.", "cls.seq_relationship.", "lm_head.", "lm_predictions."),
    "mask_predictions.",
)
_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}


class Weights(NamedTuple):
    """What a folder holds: the classifier, and tensors that stand beside it, by name."""

    module: "PreTrainedModel"
    rest: "dict[str, torch.Tensor]"


def read_weights(folder: Path) -> Weights:
    """The float32 classifier in the folder, of any kind that transformers knows, and the rest.

    Raises:
        ModelError: the folder holds no sequence classifier, or its weights are another's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForSequenceClassification

    files = weight_files(folder)
    try:
        # A folder is data: code that it may carry is never run.
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config.dtype = "float32"
        module: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )
    except (ValueError, OSError) as error:
        message = f"{folder / 'config.json'} is no text classifier's: {_in_short(error)}"
        raise ModelError(message) from error
    try:
        stored = {name: value for path in files for name, value in load_file(path).items()}
        rest = {name: value for name, value in stored.items() if name.startswith(PREFIX)}
        _load(module, restored({k: v for k, v in stored.items() if k not in rest}))
    except (SafetensorError, RuntimeError) as error:
        message = f"{files[0]} doesn't fit {folder / 'config.json'}: {_in_short(error)}"
        raise ModelError(message) from error
    return Weights(module, rest)


def quantised(weights: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
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


def restored(stored: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The float weights behind `quantised`; others pass through."""
    scales = {f"{name}.scale" for name in stored if f"{name}.scale" in stored}
    return {
        name: tensor.float() * stored[f"{name}.scale"] if f"{name}.scale" in scales else tensor
        for name, tensor in stored.items()
        if name not in scales
    }


def _load(module: "PreTrainedModel", weights: "dict[str, torch.Tensor]") -> None:
    """Gives the module all its weights; those that it has no use for must be known as such."""
    current = {_current_name(name): tensor for name, tensor in weights.items()}
    wanted = module.state_dict().keys()
    surplus = {
        name for name in current if name not in wanted and any(part in name for part in _NOT_NEEDED)
    }
    module.load_state_dict({name: current[name] for name in current.keys() - surplus})


def _current_name(name: str) -> str:
    """LayerNorm's weights were called gamma and beta once."""
    for old, new in _OLD_NAMES.items():
        if name.endswith(f"LayerNorm{old}"):
            return name.removesuffix(old) + new
    return name


def _in_short(error: Exception) -> str:
    """The first two lines of a message, as one."""
    return " ".join(line.strip() for line in str(error).splitlines()[:2])
