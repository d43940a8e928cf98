"""Rows that can't be used: counted by reason, and written to a file where one is wanted."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.reading import Block
from gpu_pipeline.ingest.writing import written_file

__all__ = ["Mask", "Rejected", "rejecting"]

Mask = npt.NDArray[np.bool_]
_SCHEMA = pa.schema([("line", pa.int64()), ("reasons", pa.string()), ("row", pa.string())])


class Rejected:
    """What was rejected of a file so far: `counts` of rows by reason, and of all `rows`."""

    def __init__(self, write: Callable[[pa.Table], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self.first: tuple[int, str] | None = None
        self._write = write

    def note(self, block: Block, faults: Sequence[tuple[str, Mask]]) -> Mask:
        """Counts the rows that have one of the faults, and those without structure.

        Returns which rows of the block's table are sound.
        """
        is_bad = np.zeros(len(block.table), dtype=bool)
        for reason, mask in faults:
            is_bad |= mask
            if mask.any():
                self.counts[reason] += int(mask.sum())
        for row in block.broken:
            self.counts[f"broken row: {row.reason}"] += 1
        places = np.flatnonzero(is_bad)
        self.rows += len(places) + len(block.broken)
        if len(places) or block.broken:
            self._tell(block, faults, places)
        return ~is_bad

    def refuse_all(self, path: Path) -> IngestError:
        """What to say where no row of the file is sound."""
        if self.first is None:
            return IngestError(f"{path} has no rows.")
        line, reasons = self.first
        message = (
            f"None of the {self.rows:,} rows of {path} can be used; record {line}: {reasons}. "
            "Is it the right column? Times are ISO 8601 (or say how they are written with "
            "--time-format), numbers plain ones such as 1234.50."
        )
        return IngestError(message)

    def _tell(
        self, block: Block, faults: Sequence[tuple[str, Mask]], places: npt.NDArray[np.int64]
    ) -> None:
        reasons = [
            "; ".join(reason for reason, mask in faults if mask[place])
            for place in (places if self._write else places[:1])
        ]
        lines = block.lines[places].tolist()
        if self.first is None:
            broken = [(row.line, row.reason) for row in block.broken[:1]]
            self.first = (lines[0], reasons[0]) if reasons else broken[0]
        if self._write is None:
            return
        rows = block.table.take(pa.array(places)).to_pylist()
        said = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
        lines += [row.line for row in block.broken]
        reasons += [row.reason for row in block.broken]
        said += [row.text for row in block.broken]
        self._write(pa.table([lines, reasons, said], schema=_SCHEMA))


@contextmanager
def rejecting(output: Path | None) -> Iterator[Rejected]:
    """Collects what is rejected while the context lasts; `output` gets line, reasons and row.

    Raises:
        IngestError: the output's folder or kind is not there.
    """
    if output is None:
        yield Rejected()
        return
    with written_file(output, varied=_SCHEMA.names) as write:
        # A file without rows says that nothing was rejected.
        write(_SCHEMA.empty_table())
        yield Rejected(write)
