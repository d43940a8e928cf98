"""Labelled texts in files: their columns, and their labels as numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import Dialect, read_blocks
from nlp.model import LABELS

__all__ = ["label_codes", "read_columns"]

_DIALECT = Dialect()


def read_columns(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """These columns of a CSV, JSONL or Parquet file.

    Raises:
        IngestError: the file can't be read, or lacks a column.
    """
    tables = [block.table for block in read_blocks(path, _DIALECT) if len(block.table)]
    names = tables[0].column_names if tables else []
    for name in columns:
        if name not in names:
            message = f"{path} has no column {name!r}; it has {', '.join(names) or 'no rows'}."
            raise IngestError(message)
    return pa.concat_tables([table.select(columns) for table in tables]).to_pandas()


def label_codes(
    values: pd.Series, labels: Mapping[str, str], bands: tuple[float, float] | None
) -> npt.NDArray[np.int64]:
    """Per value 0 negative, 1 neutral, 2 positive, -1 where it is none of them.

    By `labels`, value to label, or by `bands`: up to the first negative, from the second on
    positive.
    """
    if bands is None:
        codes = {value: LABELS.index(label) for value, label in labels.items()}
        return np.array([codes.get(str(value), -1) for value in values], dtype=np.int64)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    found = np.select([np.isnan(numbers), numbers <= bands[0], numbers >= bands[1]], [-1, 0, 2], 1)
    return np.asarray(found, dtype=np.int64)
