"""Customers of a file with a row each and features of its own."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.rejecting import Mask, Rejected
from gpu_pipeline.file_rows.values import complete, ids_of, in_rank, numbers
from gpu_pipeline.ingest.reading import Block, Dialect, read_blocks
from gpu_pipeline.ingest.transforms import floats_of
from gpu_pipeline.segment_files.columns import FeatureColumns

__all__ = ["FeatureFile"]

_KEY = "customer_key"
_REPEATED = "a second row of its customer (of orders? name --time and --amount)"


class FeatureFile:
    """The sound rows of a file of features; `ids` are its customers in order, each once.

    `names` are the columns that are features: those asked for, else all whose first rows are
    mostly numbers; `others` are the rest. A customer may lack some features.
    """

    as_of = None  # they are of whatever moment the file is of

    def __init__(self, path: Path, columns: FeatureColumns, rejected: Rejected) -> None:
        self._columns = columns
        self.names: tuple[str, ...] = columns.features
        self.others: tuple[str, ...] = ()
        self._known: pa.Array | None = None
        fields = (columns.customer, *columns.features) if columns.features else None
        tables = [
            self._typed(block, rejected, path)
            for block in read_blocks(path, Dialect(fields=fields))
        ]
        rows = pa.concat_tables(tables).unify_dictionaries()
        if not len(rows):
            raise rejected.refuse_all(path)
        if _KEY in self.names:
            message = (
                f"Customers are numbered as {_KEY} here: rename that column of {path}, or name "
                "the features without it: --features COLUMN,COLUMN."
            )
            raise IngestError(message)
        self.ids, self._customer = in_rank(rows["customer"])
        self._values = rows.drop_columns(["customer"])

    def __len__(self) -> int:
        return len(self._values)

    @property
    def said(self) -> str:
        """What was taken for what, in words."""
        left = f"; not of numbers: {', '.join(self.others)}" if self.others else ""
        return f"features: {', '.join(self.names)}{left}"

    def features(self, backend: Backend) -> Frame:
        """customer_key, the place among `ids`, and the features."""
        table = self._values.append_column(_KEY, pa.array(self._customer))
        frame = backend.from_arrow(table.rename_columns([*self.names, _KEY]))
        return frame.sort_values(_KEY).reset_index(drop=True)

    def _typed(self, block: Block, rejected: Rejected, path: Path) -> pa.Table:
        customer = self._columns.customer
        if not self.names:
            self.names = _numeric(block.table, but=customer)
            others = {*block.table.column_names} - {customer, *self.names}
            self.others = tuple(sorted(others))
            if not self.names and len(block.table):
                message = (
                    f"{path} has no column of numbers beside {customer!r}; it has "
                    f"{', '.join(block.table.column_names)}. Name the features: --features "
                    "COLUMN,COLUMN."
                )
                raise IngestError(message)
        table = complete(block.table, [customer, *self.names])
        ids, faults = ids_of(table[customer], "customer")
        made: dict[str, pa.Array | npt.NDArray[np.float64]] = {"customer": ids}
        for place, name in enumerate(self.names):
            # Under their places: a feature may be called customer.
            made[str(place)], wrong = numbers(table[name], name, may_lack=True)
            faults += wrong
        faults.append((_REPEATED, self._repeated(ids)))
        return pa.table(made).filter(pa.array(rejected.note(block, faults)))

    def _repeated(self, ids: pa.DictionaryArray) -> Mask:
        """Which rows are of a customer that was there before, in this block or an earlier one."""
        codes = ids.indices.fill_null(-1).to_numpy()
        is_first = np.zeros(len(codes), dtype=bool)
        is_first[np.unique(codes, return_index=True)[1]] = True
        before = ids.dictionary.slice(0, 0) if self._known is None else self._known
        was_there = pac.is_in(ids.dictionary, before).to_numpy(zero_copy_only=False)
        self._known = pa.concat_arrays([before, ids.dictionary.filter(pa.array(~was_there))])
        found: Mask = ~is_first | np.append(was_there, False)[codes]
        return found & (codes >= 0)


def _numeric(table: pa.Table, *, but: str) -> tuple[str, ...]:
    """The columns of which most that they say are numbers."""
    return tuple(name for name in table.column_names if name != but and _says_numbers(table[name]))


def _says_numbers(column: pa.ChunkedArray) -> bool:
    if pa.types.is_boolean(column.type):
        return False
    said = column.drop_null()
    return 2 * (len(said) - floats_of(said).null_count) > len(said)
