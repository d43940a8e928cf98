"""Windows of like length go through the model together."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nlp.model.encoding import Window

__all__ = ["Batch", "batches", "padded"]

Ints = npt.NDArray[np.int64]

MOST_PADDING = 0.1
# Below this share of a full batch, one more round through the model costs more than padding.
_SMALL = 1 / 8


class Batch(NamedTuple):
    """Windows as arrays of shape (windows, tokens of the longest).

    `mask` is 1 where there is a token and None where no window is padded; `types` is 1 from the
    second segment on and None where none has one.
    """

    ids: Ints
    mask: Ints | None
    types: Ints | None


def batches(ordered: Sequence[Window], tokens_per_batch: int) -> Iterator[Sequence[Window]]:
    """Runs of windows of rising length: at most `tokens_per_batch` together, padding included.

    At most a tenth of a batch is padding, unless the batch is a small one. A window longer than
    the budget goes alone.
    """
    start, tokens = 0, 0
    for end, window in enumerate(ordered):
        length = len(window.ids)
        area = length * (end + 1 - start)
        is_wasteful = tokens + length < (1 - MOST_PADDING) * area
        if end > start and (
            area > tokens_per_batch or (is_wasteful and tokens >= tokens_per_batch * _SMALL)
        ):
            yield ordered[start:end]
            start, tokens = end, 0
        tokens += length
    if start < len(ordered):
        yield ordered[start:]


def padded(rows: Sequence[Window], padding: int) -> Batch:
    """The windows in one array, the shorter ones filled up with the id `padding`."""
    lengths = np.array([len(row.ids) for row in rows])
    places = np.arange(lengths.max())
    is_token = places < lengths[:, None]
    ids = np.full(is_token.shape, padding, dtype=np.int64)
    ids[is_token] = np.concatenate([row.ids for row in rows])
    seconds = np.array([row.second for row in rows])
    types = (is_token & (places >= seconds[:, None])).astype(np.int64)
    return Batch(
        ids,
        mask=None if is_token.all() else is_token.astype(np.int64),
        types=types if types.any() else None,
    )
