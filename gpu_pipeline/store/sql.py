"""SQL: one question to the tables of a lake, answered by DuckDB, which can write nothing.

DuckDB may open the files of the tables that the question names and no others, loads no
extensions, and its settings are locked before it sees the question.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from gpu_pipeline.contracts import ColumnType, Contract
from gpu_pipeline.errors import LakeError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["Parameters", "TableFiles", "selected"]

Parameters: TypeAlias = Sequence[object] | Mapping[str, object]
# A table's contract, and the paths of the files that its rows lie in.
TableFiles: TypeAlias = tuple[Contract, Sequence[str]]

_TYPES: dict[ColumnType, str] = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "timestamp": "TIMESTAMP",
    "bool": "BOOLEAN",
}
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?", re.IGNORECASE)


def selected(
    query: str,
    parameters: Parameters | None = None,
    *,
    tables: Sequence[str],
    files_of: Callable[[str], TableFiles],
) -> pd.DataFrame:
    """The rows that one SELECT (or WITH, DESCRIBE, EXPLAIN) finds in these tables.

    `files_of` is asked for the tables whose names occur in the query, and for no others.
    `parameters` take the places of `?` and `$1` in order, or of `$name` by name.

    Raises:
        LakeError: DuckDB is not installed, or the query is something else or can't be answered.
    """
    duckdb = _duckdb()
    words = {word.casefold() for word in re.findall(r"\w+", query)}
    named = {name: files_of(name) for name in tables if name.casefold() in words}
    paths = [path for _, files in named.values() for path in files]
    try:
        with _locked(paths) as connection:
            for name, (found, files) in named.items():
                connection.execute(f"CREATE VIEW {_name(name)} AS {_rows(found, files)}")
            asked = _checked(query, connection)
            return _as_pandas(connection.sql(asked, params=parameters).to_arrow_table())
    except duckdb.Error as error:
        there = ", ".join(tables) or "none yet"
        message = f"The query can't be answered: {_told(error)}. Tables: {there}."
        raise LakeError(message) from error


def _duckdb() -> Any:  # noqa: ANN401
    try:
        import duckdb
    except ImportError as error:
        message = "SQL needs DuckDB, which is not installed: pip install 'gpu-pipeline[notebooks]'."
        raise LakeError(message) from error
    return duckdb


@contextmanager
def _locked(paths: Sequence[str]) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A database in memory that can open these files and nothing else, for one question.

    What doesn't fit into memory spills into a folder that is gone afterwards.
    """
    with (
        TemporaryDirectory(prefix="gpu-pipeline-sql-") as spilled,
        _duckdb().connect(":memory:") as connection,
    ):
        for setting, value in {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,  # a name is a table's, never a variable's
            "temp_directory": spilled,
            "allowed_paths": list(paths),
            "enable_external_access": False,
            "lock_configuration": True,
        }.items():
            connection.execute(f"SET {setting} = $value", {"value": value})
        yield connection


def _rows(found: Contract, paths: Sequence[str]) -> str:
    """A query for the rows of the files: the contract's columns, in its order and types.

    A column that a file was written without is null, or has the contract's default, as in
    `read_parts`.
    """
    if not paths:
        nulls = [f"NULL::{_TYPES[c.type]} AS {_name(c.name)}" for c in found.columns]
        return f"SELECT {', '.join(nulls)} LIMIT 0"
    columns = ", ".join(
        f"{_text(c.name)}: {{name: {_text(c.name)}, type: {_text(_TYPES[c.type])}, "
        f"default_value: {'NULL' if c.default is None else _text(str(c.default))}}}"
        for c in found.columns
    )
    files = ", ".join(_text(path) for path in paths)
    return (
        f"FROM read_parquet([{files}], hive_partitioning = false, schema = MAP {{{columns}}}::"
        "MAP(VARCHAR, STRUCT(name VARCHAR, type VARCHAR, default_value VARCHAR)))"
    )


def _checked(query: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """The query as one that can only read.

    A WITH may hold a COPY, which DuckDB refuses anywhere but at the top: hence the brackets.
    """
    explain = _EXPLAIN.match(query)
    start = explain.group() if explain else ""
    statements = connection.extract_statements(query[len(start) :])
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        message = (
            "A query is one SELECT (or WITH, FROM, DESCRIBE, SUMMARIZE, and EXPLAIN before one); "
            f"this is {' and '.join(kinds) or 'empty'}. Nothing can be written through it; "
            "a PIVOT names its values with IN."
        )
        raise LakeError(message)
    return f"{start}FROM (\n{statements[0].query.rstrip().rstrip(';')}\n)"


def _as_pandas(table: "pa.Table") -> pd.DataFrame:
    """The answer in the types that `Lake.read` has: whole numbers int64, times in microseconds.

    Where some are missing, whole numbers are Int64 and truths boolean, so that keys stay exact.
    """
    import pyarrow as pa

    texts: dict[pa.DataType, Any] = {pa.string(): pd.StringDtype(na_value=np.nan)}
    with_missing = {**texts, pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    values = {}
    for name, found in zip(table.column_names, table.columns, strict=True):
        column = _plain(found, name)
        types = with_missing if column.null_count else texts
        values[name] = column.to_pandas(types_mapper=types.get)
    return pd.DataFrame(values)


def _plain(column: "pa.ChunkedArray", name: str) -> "pa.ChunkedArray":
    """The column without Arrow's narrower and wider kinds; DuckDB sums whole numbers in 128 bits.

    Raises:
        LakeError: a whole number needs more than 64 bits.
    """
    import pyarrow as pa

    kind = column.type
    whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
    try:
        if whole:
            return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        message = f"Column {name!r} of the answer has whole numbers that 64 bits can't hold."
        raise LakeError(message) from error
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    return column.cast(pa.string()) if pa.types.is_dictionary(kind) else column


def _told(error: Exception) -> str:
    """What DuckDB says in a line: not where in the query, nor which of its own tables to try."""
    lines = str(error).split("\n\n")[0].splitlines()
    said = " ".join(line for line in lines if not line.startswith("Did you mean"))
    return said.rstrip(".!")


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
