"""Tables as a file: CSV, JSON lines or Parquet by its ending, plain or compressed."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import COMPRESSIONS

__all__ = ["check_output", "written_file"]

Write = Callable[[pa.Table], None]


def check_output(output: Path) -> None:
    """Refuses a file that can't be written, before work is done for it.

    Raises:
        IngestError: its kind or its folder is not there.
    """
    _sink(output)
    if not output.parent.is_dir():
        message = f"Can't write {output}: {output.parent} is no folder."
        raise IngestError(message)


@contextmanager
def written_file(output: Path, *, varied: Collection[str] = ()) -> Iterator[Write]:
    """Takes the tables of the file one after the other; it appears whole or not at all.

    Its columns are those of the first table. Values of `varied` ones hardly repeat: Parquet, which
    writes others as dictionaries, has no use for one of these. Raises as `check_output`.
    """
    check_output(output)
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with _sink(output)(unfinished, varied) as write:
            yield write
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _arrow_file(
    path: Path, varied: Collection[str], compression: str | None, *, writer: Callable[..., Any]
) -> Iterator[Write]:
    """Tables as one file of Arrow's; its columns are those of the first table."""
    with ExitStack() as stack:
        stream = stack.enter_context(pa.output_stream(str(path), compression=compression))
        opened: list[Any] = []
        schemas: list[pa.Schema] = []

        def write(table: pa.Table) -> None:
            if not opened:
                opened.append(stack.enter_context(writer(stream, table.schema, varied)))
                schemas.append(table.schema)
            opened[0].write_table(table.cast(schemas[0]))

        yield write


def _csv_writer(stream: pa.NativeFile, schema: pa.Schema, _: Collection[str]) -> pc.CSVWriter:
    return pc.CSVWriter(stream, schema)


def _parquet_writer(
    stream: pa.NativeFile, schema: pa.Schema, varied: Collection[str]
) -> pq.ParquetWriter:
    repeated = [name for name in schema.names if name not in varied]
    return pq.ParquetWriter(stream, schema, use_dictionary=repeated)


@contextmanager
def _json_lines(path: Path, _: Collection[str], compression: str | None) -> Iterator[Write]:
    with pa.output_stream(str(path), compression=compression) as stream:

        def write(table: pa.Table) -> None:
            for row in table.to_pylist():
                line = json.dumps(row, ensure_ascii=False, default=str)
                stream.write(f"{line}\n".encode())

        yield write


_SINKS: dict[str, Callable[..., AbstractContextManager[Write]]] = {
    ".csv": partial(_arrow_file, writer=_csv_writer),
    ".jsonl": _json_lines,
    ".parquet": partial(_arrow_file, writer=_parquet_writer),
}


def _sink(output: Path) -> Callable[[Path, Collection[str]], AbstractContextManager[Write]]:
    compression = COMPRESSIONS.get(output.suffix.lower())
    kind = (Path(output.stem).suffix if compression else output.suffix).lower()
    if kind not in _SINKS or (compression and kind == ".parquet"):
        message = f"{output} is none of .csv, .jsonl (optionally .gz or .zst), .parquet."
        raise IngestError(message)
    return lambda path, varied: _SINKS[kind](path, varied, compression)
