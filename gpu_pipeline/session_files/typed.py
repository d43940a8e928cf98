"""Events of a file as the columns that sessions are made of, texts as numbers where they repeat."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.event_columns import customer_codes, microseconds
from gpu_pipeline.session_files.dealing import Dealt
from gpu_pipeline.session_files.event_file import Part
from gpu_pipeline.sessions import Columns, check_event_types

__all__ = ["Typed", "Vocabulary"]


class Vocabulary:
    """The texts of a column and their numbers, in the order in which they were first met."""

    def __init__(self) -> None:
        self.texts = pa.array([], pa.large_string())
        self._lock = Lock()

    def numbers(self, column: pa.DictionaryArray) -> pa.Array:
        """The number of each text, null where there is none; texts that are new get theirs."""
        met = column.dictionary.cast(pa.large_string())
        with self._lock:
            new = met.filter(pac.invert(pac.is_in(met, self.texts, skip_nulls=True)))
            self.texts = pa.concat_arrays([self.texts, new.drop_null()])
            found = pac.index_in(met, self.texts, skip_nulls=True)
        return found.take(column.indices)


@dataclass
class Typed:
    """How the columns of one file become typed, the same in all of its parts."""

    path: Path
    columns: Columns
    backend: Backend
    vocabularies: dict[str, Vocabulary] = field(init=False)
    _numbered: set[str] = field(init=False, default_factory=set)
    _has_nulls: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        columns = self.columns
        names = (columns.event, columns.product, columns.currency, *columns.entry)
        self.vocabularies = {name: Vocabulary() for name in names if name is not None}

    def read(self, part: Part) -> pa.RecordBatch:
        """The rows of a part: the customer, the time in UTC, then what else is asked for.

        Raises:
            PipelineError: as `sessionize`.
        """
        table = part.read()
        try:
            return self._typed(table)
        except PipelineError as error:
            last = part.first + len(table) - 1
            message = f"{self.path}, records {part.first:,} to {last:,}: {error}"
            raise PipelineError(message) from error

    def customers(self, column: pa.ChunkedArray) -> pa.Array:
        """Customers as whole numbers, or as a dictionary of texts.

        Raises:
            PipelineError: one is missing, or they are neither.
        """
        if not column.null_count and pa.types.is_integer(column.type):
            return _whole(column)
        if column.null_count or not _is_text(column.type):
            customer_codes(self._series(column), self.columns.customer, self.backend)
        return _dictionary(column)

    def sample(self, column: pa.ChunkedArray) -> pa.Array:
        """As `customers`, those that are there; none where they are nothing that `read` takes."""
        is_sound = pa.types.is_integer(column.type) or _is_text(column.type)
        return self.customers(column.drop_null()) if is_sound else pa.array([], pa.int64())

    def frame(self, batches: Sequence[pa.RecordBatch]) -> Frame:
        """Rows that were read as a frame, with texts as categories."""
        table = pa.Table.from_batches(batches).unify_dictionaries()
        for place, name in enumerate(table.column_names):
            if name in self._has_nulls and pa.types.is_integer(table[name].type):
                # As a column with nulls is in a frame, in whichever part they are.
                table = table.set_column(place, name, table[name].cast(pa.float64()))
            if name in self._numbered:
                texts = self.vocabularies[name].texts
                # Products are only counted: their texts need not be put in order.
                known = pa.array(np.arange(len(texts))) if name == self.columns.product else texts
                numbers = pa.DictionaryArray.from_arrays(_whole(table[name]), known)
                table = table.set_column(place, name, numbers)
        return self.backend.from_arrow(table)

    def checked(self, dealt: Iterable[Dealt]) -> Iterator[Dealt]:
        """All of it; then refuses events of which none is of a type that counts for anything.

        Raises:
            PipelineError: as `sessionize`.
        """
        rows, name = 0, self.columns.event
        for one in dealt:
            rows += len(one.rows)
            yield one
        if rows and name is not None:
            met = pa.table({name: [*self.vocabularies[name].texts.to_pylist(), None]})
            check_event_types(self.backend.from_arrow(met), self.columns)

    def _typed(self, table: pa.Table) -> pa.RecordBatch:
        customer, time = self.columns.customer, self.columns.time
        made = {customer: self.customers(table[customer]), time: self._times(table[time])}
        for name in self.columns.names:
            if name not in made:
                made[name] = self._other(name, table[name])
        return pa.RecordBatch.from_pydict(made)

    def _times(self, column: pa.ChunkedArray) -> pa.Array:
        if column.type == pa.timestamp("us") and not column.null_count:
            return _whole(column)
        times = microseconds(self._series(column), self.columns.time, self.backend)
        return pa.array(times.view("datetime64[us]"))

    def _other(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if name in self.vocabularies and not (name == self.columns.product and is_number):
            self._numbered.add(name)
            return self.vocabularies[name].numbers(_dictionary(column))
        if column.null_count:
            self._has_nulls.add(name)
        return _whole(column)

    def _series(self, column: pa.ChunkedArray) -> Series:
        found: Series = self.backend.from_arrow(pa.table({"values": column}))["values"]
        return found


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The column as numbers of its texts."""
    if not _is_text(column.type):
        column = column.cast(pa.string())
    if pa.types.is_dictionary(column.type):
        return _whole(column.unify_dictionaries())
    return _whole(column.dictionary_encode())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
