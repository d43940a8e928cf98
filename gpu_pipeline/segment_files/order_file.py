"""Customers of a file of orders, with the features that the pipeline makes of orders.

Rows are kept as few numbers and the text of the order, about fifty bytes each; features are made
of some customers at a time.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.errors import IngestError
from gpu_pipeline.event_columns import moment_of
from gpu_pipeline.features import customer_features
from gpu_pipeline.file_rows.rejecting import Rejected
from gpu_pipeline.file_rows.values import Fault, complete, ids_of, in_rank, moments, numbers
from gpu_pipeline.ingest.reading import Block, Dialect, read_blocks
from gpu_pipeline.ingest.transforms import texts_of
from gpu_pipeline.money import USUAL_DIGITS, minor_digits
from gpu_pipeline.segment_files.columns import OrderColumns
from gpu_pipeline.segmentation import FEATURES

__all__ = ["OrderFile"]

_ROWS_AT_ONCE = 1 << 20
_MOST_UNITS = 2.0**53
_ALMOST_WHOLE = 1e-6
_MONEY = ("revenue", "average_order", "revenue_last_90_days")
_PRODUCT = "goods"  # features ask what was bought; such a file says only for how much


class OrderFile:
    """The sound rows of a file of orders.

    `ids` are its customers in order, each once; `as_of` the latest time, or the one given. `names`
    are the features to segment by, `said` says what was taken for what.
    """

    def __init__(
        self,
        path: Path,
        columns: OrderColumns,
        rejected: Rejected,
        *,
        time_format: str | None = None,
        as_of: datetime | None = None,
    ) -> None:
        self._path, self._columns, self._time_format = path, columns, time_format
        self.names, self.said, self.currency = FEATURES, columns.said, ""
        tables = [self._typed(block, rejected) for block in self._blocks()]
        rows = pa.concat_tables(tables).unify_dictionaries()
        if not len(rows):
            raise rejected.refuse_all(path)
        self.ids, self._customer = in_rank(rows["customer"])
        self._rows = rows.drop_columns(["customer"])
        last = pac.max(rows["ordered_at"]).as_py() if as_of is None else moment_of(as_of)
        self.as_of: datetime = np.datetime64(last, "us").item()

    def __len__(self) -> int:
        return len(self._rows)

    def features(self, backend: Backend) -> Frame:
        """`FEATURE_COLUMNS` of all who bought something until `as_of`.

        A customer_key is the place among `ids`. Money is in minor units of the file's currency,
        or, where it names none, in whatever its amounts are.
        """
        made = [
            customer_features(lines, self.as_of, backend) for lines in self._some_customers(backend)
        ]
        whole: Frame = backend.frames.concat(made, ignore_index=True)
        if self.currency:
            return whole
        return whole.assign(**{name: whole[name] / 10**USUAL_DIGITS for name in _MONEY})

    def _blocks(self) -> Iterator[Block]:
        return read_blocks(self._path, Dialect(fields=tuple(self._columns.names)))

    def _typed(self, block: Block, rejected: Rejected) -> pa.Table:
        columns = self._columns
        table = complete(block.table, columns.names)
        ids, faults = ids_of(table[columns.customer], "customer")
        time, wrong = moments(
            table[columns.time], columns.time, self._path, time_format=self._time_format
        )
        faults += wrong
        units, price, wrong = self._paid(table)
        faults += wrong
        is_sound = rejected.note(block, faults)
        made = pa.table(
            {
                "customer": ids,
                "ordered_at": time,
                "quantity": units,
                "unit_price": price,
                "order_id": self._orders(table, time),
            }
        )
        return made.filter(pa.array(is_sound))

    def _paid(
        self, table: pa.Table
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[Fault]]:
        """(units, minor units for one, what is wrong) of each row.

        Where units or the price of one are no whole numbers, all of the row is one unit.
        """
        columns = self._columns
        amount, faults = numbers(table[columns.amount], columns.amount)
        amount = amount * 10 ** self._digits(table)
        if columns.quantity is None:
            units = np.where(amount < 0, -1.0, 1.0)
            price = np.abs(amount)
        else:
            units, wrong = numbers(table[columns.quantity], columns.quantity)
            faults += wrong
            price = amount
        with np.errstate(over="ignore"):
            whole = units * price
        too_large = ~(np.abs([whole, units, price]).max(axis=0) < _MOST_UNITS)
        faults.append((f"{columns.amount}: too large", too_large))
        # A negative price turns the sign of what was paid, not of the unit.
        is_one = ~(_is_whole(units) & _is_whole(price)) | (price < 0)
        sign = np.where(whole < 0, -1.0, 1.0)
        units, price = (
            np.where(too_large, 0, np.where(is_one, one, several)).round().astype(np.int64)
            for one, several in ((sign, units), (np.abs(whole), price))
        )
        return units, price, faults

    def _digits(self, table: pa.Table) -> int:
        """How many decimals the file's one currency has.

        Raises:
            IngestError: it has several.
        """
        if self._columns.currency is None:
            return USUAL_DIGITS
        met = pac.utf8_trim_whitespace(texts_of(table[self._columns.currency]).unique())
        found = sorted({self.currency, *met.drop_null().to_pylist()} - {""})
        if len(found) > 1:
            message = (
                f"{self._path} has amounts in {', '.join(found)} (column "
                f"{self._columns.currency!r}): amounts of different currencies are not added. "
                "Make a file of each, or load it into a lake that has fx_rates."
            )
            raise IngestError(message)
        self.currency = found[0] if found else ""
        return minor_digits(self.currency)

    def _orders(self, table: pa.Table, time: npt.NDArray[np.int64]) -> pa.Array:
        """The order of each row; a row that names none is one with others of its moment."""
        of_moment = pa.array(time).cast(pa.string())
        if self._columns.order is None:
            return of_moment
        return pac.coalesce(texts_of(table[self._columns.order]), of_moment)

    def _some_customers(self, backend: Backend) -> Iterator[Frame]:
        """Order lines of whole customers, range after range of them."""
        pieces = -(-len(self) // _ROWS_AT_ONCE)
        piece = (self._customer * pieces // len(self.ids)).astype(np.uint16)
        order = np.argsort(piece, kind="stable")
        edges = np.searchsorted(piece[order], np.arange(pieces + 1))
        for start, stop in pairwise(edges.tolist()):
            yield self._lines(order[start:stop], backend)

    def _lines(self, places: npt.NDArray[np.int64], backend: Backend) -> Frame:
        rows = self._rows.take(pa.array(places))
        units = rows["quantity"].to_numpy()
        frame = backend.from_arrow(
            pa.table(
                {
                    "order_id": rows["order_id"],
                    "customer_key": self._customer[places],
                    "ordered_at": rows["ordered_at"].cast(pa.timestamp("us")),
                    "quantity": units,
                    "unit_price": rows["unit_price"],
                    "line_type": _chosen(units < 0, ("sale", "return")),
                }
            )
        )
        return frame.assign(
            key_kind="customer", product_id=_PRODUCT, discount=0, currency=self.currency
        )


def _is_whole(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.abs(values - values.round()) <= _ALMOST_WHOLE


def _chosen(which: npt.NDArray[np.bool_], words: Sequence[str]) -> pa.Array:
    return pa.array(words).take(pa.array(which.astype(np.int8)))
