"""A table as a file."""

from pathlib import Path

import pyarrow as pa

from gpu_pipeline.ingest.writing import written_file

__all__ = ["write_table"]

_ROWS_AT_ONCE = 1 << 18


def write_table(output: Path, table: pa.Table) -> None:
    """Writes CSV, JSON lines or Parquet by the file's ending; it appears whole or not at all.

    Raises:
        IngestError: its kind or its folder is not there.
    """
    with written_file(output) as write:
        for start in range(0, max(len(table), 1), _ROWS_AT_ONCE):
            write(table.slice(start, _ROWS_AT_ONCE))
