"""On which device, and in which precision, a model computes."""

from typing import Literal

from nlp.errors import ModelError

__all__ = ["Device", "Precision", "available_device", "native_precision"]

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


def available_device(device: Device) -> str:
    """The device meant; `auto` is the first CUDA device, or the CPU where there is none.

    Raises:
        ModelError: a CUDA device is asked for where there is none.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        message = "No CUDA device for the text model: check nvidia-smi, or use device='cpu'."
        raise ModelError(message)
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def native_precision(device: str) -> Precision:
    """bfloat16 where the device computes in it, else float32."""
    import torch

    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # An older torch can't be asked; float32 is right everywhere.
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"
