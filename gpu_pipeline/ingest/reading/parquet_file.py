"""Parquet files: columns as Arrow has them, down to what a landing column can be."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pipeline.ingest.reading import blocks
from gpu_pipeline.ingest.reading.blocks import Block, no_rows
from gpu_pipeline.ingest.reading.dialect import Dialect
from gpu_pipeline.ingest.reading.nested import paths_into, steps, with_paths
from gpu_pipeline.ingest.reading.streams import COMPRESSIONS, opened

__all__ = ["names", "pieces"]

_PIECE_ROWS = 16_384
_AS_THEY_ARE = (pa.string(), pa.float64(), pa.bool_())


def names(path: Path, dialect: Dialect) -> list[str]:
    """The plain columns of the schema, and the paths into any."""
    schema = pq.read_schema(_source(path))
    return [*_plain_names(schema), *paths_into(schema.names, dialect.fields)]


def pieces(path: Path, dialect: Dialect) -> Iterator[Block]:
    """The rows, of one or two row groups at a time, in parts that are small once decoded."""
    line = 1
    with pq.ParquetFile(_source(path)) as file:
        schema = file.schema_arrow
        paths = paths_into(schema.names, dialect.fields)
        read = dialect.of(_plain_names(schema))
        columns = list(dict.fromkeys([*read, *(str(steps(path)[0]) for path in paths)]))
        for batch in file.iter_batches(batch_size=_rows_at_once(file), columns=columns):
            table = with_paths(pa.Table.from_batches([batch]), paths).select([*read, *paths])
            lines = np.arange(line, line + len(batch), dtype=np.int64)
            yield Block(pa.table({c: _plain(table[c]) for c in table.column_names}), lines)
            line += len(batch)
    if line == 1:
        yield no_rows([*read, *paths])


def _source(path: Path) -> pa.NativeFile | Path:
    """The file; of a compressed one the whole content, because Parquet is read from its end."""
    if path.suffix.lower() not in COMPRESSIONS:
        return path
    with opened(path) as stream:
        return pa.BufferReader(stream.read())


def _rows_at_once(file: pq.ParquetFile) -> int:
    """Rows for a quarter of a block at most, by what the row groups say of theirs."""
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    row_bytes = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1)
    return int(np.clip(blocks.BLOCK_BYTES / 4 / max(row_bytes, 1), 1, _PIECE_ROWS))


def _plain_names(schema: pa.Schema) -> list[str]:
    """The columns that a table can have: lists, structures and bytes are left out."""
    return [
        column.name
        for column in schema
        if not (pa.types.is_nested(column.type) or _is_bytes(column.type))
    ]


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(test(kind) for test in (*tests, pa.types.is_fixed_size_binary))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as text, whole numbers, floats, truth values or times without a zone.

    A time with a zone becomes text that says its offset. A short float becomes the shortest
    text that stands for it: 19.99 would else be 19.989999771. What is nested becomes JSON.
    """
    kind = column.type
    if pa.types.is_nested(kind):
        texts = [None if v is None else json.dumps(v, default=str) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.string())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"))
    if kind in _AS_THEY_ARE or pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return column
    return column.cast(pa.string())
