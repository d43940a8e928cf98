"""The state of an unfinished training in a folder, so that it goes on where it was cut off."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["Checkpoint"]


class Checkpoint:
    """One file of tensors that is replaced whole: what a killed run leaves is the one before.

    It belongs to a `fingerprint` of plan, texts and encoder; the state of another is no state.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.fingerprint = fingerprint

    def read(self) -> "dict[str, torch.Tensor] | None":
        """The tensors that were last written, None if there are none of this fingerprint."""
        from safetensors import safe_open

        if not self.path.is_file():
            return None
        with safe_open(self.path, framework="pt") as file:
            if (file.metadata() or {}).get("fingerprint") != self.fingerprint:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def write(self, tensors: "dict[str, torch.Tensor]") -> None:
        """Replaces the file."""
        from safetensors.torch import save_file

        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.part")
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(whole, part, metadata={"fingerprint": self.fingerprint})
        os.replace(part, self.path)  # noqa: PTH105

    def remove(self) -> None:
        """Deletes the file."""
        self.path.unlink(missing_ok=True)
