"""Arrays in safetensors files, without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError

__all__ = ["read_arrays", "write_arrays"]


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays in a safetensors file, by name.

    Raises:
        ModelError: it is no such file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        message = f"{path} can't be read as safetensors: {error}."
        raise ModelError(message) from error


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as one safetensors file."""
    from safetensors.numpy import save_file

    # Of an array in another order it would write the bytes as they lie, and say nothing.
    save_file({name: np.ascontiguousarray(of) for name, of in arrays.items()}, path)
