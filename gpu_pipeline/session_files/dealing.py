"""Events dealt out to ranges of customers, so that range after range is worked on by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.ordering import KeyRanges

__all__ = ["CustomerRanges", "Dealt", "deal"]

_Array = npt.NDArray[Any]
_WORD = 8  # bytes
_LEAST, _MOST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class CustomerRanges:
    """Ranges of customers, whole numbers or texts, in their order.

    Texts are told apart by the eight bytes behind the `prefix` that those of the sample share.
    """

    ranges: KeyRanges
    prefix: str = ""

    @classmethod
    def of(cls, sample: pa.Array, count: int) -> Self:
        """About `count` ranges with as many of the sample's rows each."""
        if not pa.types.is_dictionary(sample.type):
            return cls(KeyRanges.of(_numbers(sample), count, np))
        texts = sample.dictionary
        ends = pac.min_max(texts).as_py()
        prefix = _shared(ends["min"] or "", ends["max"] or "")
        keys = _text_keys(texts, prefix)[sample.indices.to_numpy()]
        return cls(KeyRanges.of(keys, count, np), prefix)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.ranges.count

    def numbers(self, customers: pa.Array) -> _Array:
        """The range of each whole number or text, as uint8."""
        is_number = pa.types.is_integer(customers.type)
        keys = _numbers(customers) if is_number else _text_keys(customers, self.prefix)
        return self.ranges.numbers(keys, np)


@dataclass(frozen=True)
class Dealt:
    """Rows range after range, in the order in which they came.

    Range n has the rows from `edges`[n] on. Texts of customers are numbers: those of range n
    count from the text at `name_edges`[n] on.
    """

    rows: pa.RecordBatch
    edges: Sequence[int]
    names: pa.Array | None = None
    name_edges: Sequence[int] = ()

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return int(self.rows.nbytes) + (0 if self.names is None else int(self.names.nbytes))

    def of(self, number: int) -> pa.RecordBatch:
        """The rows of a range, without a copy; customers come first."""
        start, stop = self.edges[number : number + 2]
        rows = self.rows.slice(start, stop - start)
        if self.names is None:
            return rows
        first, last = self.name_edges[number : number + 2]
        names = self.names.slice(first, last - first)
        customers = pa.DictionaryArray.from_arrays(rows.column(0), names)
        return rows.set_column(0, rows.schema.names[0], customers)


def deal(rows: pa.RecordBatch, ranges: CustomerRanges) -> Dealt:
    """Rows whose first column are customers, whole numbers or a dictionary of texts."""
    customers = rows.column(0)
    if not pa.types.is_dictionary(customers.type):
        number = ranges.numbers(customers)
        return Dealt(_taken(rows, number), _edges(number, ranges.count))
    of_text = ranges.numbers(customers.dictionary)
    order = np.argsort(of_text, kind="stable")
    name_edges = _edges(of_text, ranges.count)
    # The place of each text among those of its range.
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    place -= np.asarray(name_edges, dtype=np.int32)[of_text]
    codes = customers.indices.to_numpy()
    rows = rows.set_column(0, rows.schema.names[0], pa.array(place[codes]))
    number = of_text[codes]
    names = customers.dictionary.take(pa.array(order))
    return Dealt(_taken(rows, number), _edges(number, ranges.count), names, name_edges)


def _taken(rows: pa.RecordBatch, number: _Array) -> pa.RecordBatch:
    order = pa.array(np.argsort(number, kind="stable"))
    # What is kept lies apart from what comes and goes, which would leave holes around it.
    return pac.take(rows, order, boundscheck=False, memory_pool=pa.system_memory_pool())


def _edges(number: _Array, count: int) -> list[int]:
    held = np.bincount(number, minlength=count)
    return [0, *np.cumsum(held).tolist()]


def _numbers(customers: pa.Array) -> _Array:
    values = customers.to_numpy()
    return values.view(np.int64) if values.dtype.itemsize == _WORD else values.astype(np.int64)


def _shared(first: str, second: str) -> str:
    """What both begin with."""
    same = [a == b for a, b in zip(first, second, strict=False)]
    return first[: [*same, False].index(False)]


def _text_keys(texts: pa.Array, prefix: str) -> _Array:
    """Eight bytes of each text as a number that is in order where the texts are.

    The smallest and the greatest for texts without the prefix.
    """
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    edges = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    raw = np.frombuffer(data or b"", np.uint8)
    starts = edges[:-1] + len(prefix.encode())
    keys = np.zeros(len(texts), dtype=np.uint64)
    for byte in range(_WORD):
        places = starts + byte
        there = places < edges[1:]
        keys <<= np.uint64(_WORD)
        keys[there] |= raw[places[there]]
    signed = (keys ^ np.uint64(1 << 63)).view(np.int64)
    if prefix:
        has_not = ~pac.starts_with(texts, prefix).to_numpy(zero_copy_only=False)
        is_less = pac.less(texts, prefix).to_numpy(zero_copy_only=False)
        signed[has_not] = np.where(is_less[has_not], _LEAST, _MOST)
    return signed
