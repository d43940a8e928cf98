"""Keys: what the rows of a part are known by, as sorted hashes in a file beside it.

Whether a key is in the lake is asked at every load, of every file that is not too old. Eight bytes
a row answer that, many times faster than the keys themselves. Two different keys share a hash
once in 2^63; a file of hashes that is gone is made again from its part.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.kernels import mixed_hash, text_hash

if TYPE_CHECKING:
    from gpu_pipeline.contracts import Contract

__all__ = ["key_hashes", "read_keys", "write_keys"]

SUFFIX = ".keys"
Hashes = npt.NDArray[np.int64]


def key_hashes(frame: Frame, contract: "Contract", backend: Backend) -> Array:
    """A non-negative int64 for the key of each row; the same on every device."""
    columns: list[Array] = []
    for name in contract.key:
        if contract[name].type == "string":
            columns.append(text_hash(*backend.utf8(frame[name]), backend.xp))
        else:
            columns.append(backend.as_bits(frame[name]))
    return mixed_hash(columns, backend.xp)


def write_keys(part: Path, hashes: Hashes) -> None:
    """Keeps the hashes of a part's rows beside it."""
    with part.with_suffix(SUFFIX).open("wb") as file:
        np.save(file, np.sort(hashes), allow_pickle=False)


def read_keys(part: Path, contract: "Contract", backend: Backend) -> Hashes:
    """The hashes of a part's rows in ascending order, made again if they are gone or cut short."""
    beside = part.with_suffix(SUFFIX)
    try:
        kept: Hashes = np.load(beside, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        rows = backend.read_parquet([str(part)], contract.key)
        write_keys(part, backend.to_host(key_hashes(rows, contract, backend)))
        kept = np.load(beside, mmap_mode="r", allow_pickle=False)
    return kept
