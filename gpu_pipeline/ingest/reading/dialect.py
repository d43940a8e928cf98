"""Dialect: how the files of a feed are written, and what is wanted of them."""

import csv
from dataclasses import dataclass
from typing import Any

import pyarrow.csv as pc

__all__ = ["Dialect"]


@dataclass(frozen=True)
class Dialect:
    r"""How a file separates, quotes and encodes; all but the encoding and fields is CSV's.

    A quote inside of quotes is doubled, or has `escape` before it. Without a `quote`, quotation
    marks are letters like others. `header` names the columns of files that don't. Of `fields`,
    those that the file has are read, also inside of nested columns (``user.address.country``,
    ``items[0].sku``); None stands for every column as it is. An empty line is no row, unless there
    are `blank_rows`: in a file of one column it may be one that says nothing.

    >>> Dialect(";", quote="'", escape="\\").for_arrow().delimiter
    ';'
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'
    escape: str = ""
    header: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    blank_rows: bool = False

    def of(self, names: list[str]) -> list[str]:
        """The columns of these that are to be read: without any, rows could not be counted."""
        if self.fields is None:
            return names
        return [name for name in names if name in self.fields] or names[:1]

    def for_arrow(self, **more: Any) -> pc.ParseOptions:  # noqa: ANN401
        """The dialect for Arrow's parser."""
        return pc.ParseOptions(
            delimiter=self.delimiter,
            quote_char=self.quote or False,
            escape_char=self.escape or False,
            newlines_in_values=bool(self.quote),
            ignore_empty_lines=not self.blank_rows,
            **more,
        )

    def for_python(self) -> dict[str, Any]:
        """The dialect for the csv module."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote or None,
            "quoting": csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            "escapechar": self.escape or None,
        }
