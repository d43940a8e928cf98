"""Columns that a file is asked for."""

from collections.abc import Sequence
from pathlib import Path

from gpu_pipeline.errors import IngestError

__all__ = ["check_there"]


def check_there(path: Path, names: Sequence[str], asked: Sequence[tuple[str, str]]) -> None:
    """Holds the file, whose columns are `names`, to those that options ask for: (option, column).

    Raises:
        IngestError: it lacks some.
    """
    wrong = [f"{name!r} ({option})" for option, name in asked if name not in names]
    if wrong:
        message = f"{path} has no column {', '.join(wrong)}; it has {', '.join(names)}."
        raise IngestError(message)
