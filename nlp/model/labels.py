"""What a classifier's classes mean: negative, neutral or positive."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError

__all__ = ["LABELS", "label_columns"]

LABELS = ("negative", "neutral", "positive")

_NEGATIVE, _NEUTRAL, _POSITIVE = range(len(LABELS))
_COLUMN_OF_LABEL = {
    **dict.fromkeys(("negative", "neg", "very negative", "extremely negative"), _NEGATIVE),
    **dict.fromkeys(("1 star", "2 stars"), _NEGATIVE),
    **dict.fromkeys(("neutral", "neu", "3 stars"), _NEUTRAL),
    **dict.fromkeys(("positive", "pos", "very positive", "extremely positive"), _POSITIVE),
    **dict.fromkeys(("4 stars", "5 stars"), _POSITIVE),
}
# Classes that are only numbered rise from bad to good wherever people train classifiers of mood.
_COLUMNS_OF_NUMBERED = {
    2: (_NEGATIVE, _POSITIVE),
    3: (_NEGATIVE, _NEUTRAL, _POSITIVE),
    5: (_NEGATIVE, _NEGATIVE, _NEUTRAL, _POSITIVE, _POSITIVE),
}


def label_columns(id2label: Mapping[Any, str]) -> npt.NDArray[np.float64]:
    """(classes of the model, 3): which of our labels each of the model's classes counts for.

    Names count whatever their case, with "_" and "-" for spaces. Classes that are only numbered
    ("LABEL_0", "0") are taken to rise from bad to good: two, three or five of them.

    Raises:
        ModelError: a class is none of a mood, or all are of the same.
    """
    names = [str(id2label[i]).lower() for i in sorted(id2label)]
    chosen = _COLUMNS_OF_NUMBERED.get(len(names)) if _are_numbers(names) else _named(names)
    if chosen is None or len(set(chosen)) == 1:
        message = (
            f"The model's labels {names} don't tell moods apart: two, three or five numbered ones "
            "do, or names; write these into its config.json under id2label."
        )
        raise ModelError(message)
    columns = np.zeros((len(names), len(LABELS)))
    columns[np.arange(len(names)), chosen] = 1.0
    return columns


def _are_numbers(names: Sequence[str]) -> bool:
    return all(name in (f"label_{i}", str(i)) for i, name in enumerate(names))


def _named(names: Sequence[str]) -> list[int]:
    plain = [" ".join(name.replace("_", " ").replace("-", " ").split()) for name in names]
    unknown = [name for name, key in zip(names, plain, strict=True) if key not in _COLUMN_OF_LABEL]
    if unknown:
        message = (
            f"The model's labels {unknown} are none of {sorted(_COLUMN_OF_LABEL)}: "
            "rename them in its config.json under id2label."
        )
        raise ModelError(message)
    return [_COLUMN_OF_LABEL[key] for key in plain]
