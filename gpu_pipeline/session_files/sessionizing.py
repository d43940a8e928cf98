"""From a file of events to a file of sessions."""

import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest.reading import plain_names
from gpu_pipeline.ingest.writing import check_output, written_file
from gpu_pipeline.session_files.dealing import CustomerRanges, Dealt, deal
from gpu_pipeline.session_files.event_file import Part, event_file
from gpu_pipeline.session_files.sorting import Room, by_ranges, in_turn
from gpu_pipeline.session_files.typed import Typed
from gpu_pipeline.sessions import Columns, SessionRule, check_currencies, sessions_of

__all__ = ["sessionize_file"]

_ROWS_AT_A_WRITE = 1 << 18
# Customers too: one's sessions lie side by side.
_VARIED = ("started_at", "ended_at", "session_id")


def sessionize_file(
    source: Path,
    output: Path,
    *,
    customer: str,
    time: str,
    event: str | None = None,
    gap: str = "30min",
    memory_bytes: int = 2 * 10**9,
) -> tuple[int, int]:
    """Writes the sessions of the events in `source`; returns how many events and sessions.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. The
    columns are those of `sessions.sessionize`, in order of customer and start. The output appears
    whole or not at all.

    The process takes about `memory_bytes`, not less than 600 MB, beside what the events of one
    customer and the different texts of a column need. Events beyond that wait in a folder beside
    the output that only its owner can read. It goes with the call; what a killed one leaves goes
    with the next for the same output.

    Raises:
        IngestError: the source can't be read or has broken rows; the output's folder or kind is
            not there.
        PipelineError: as `sessions.sessionize`.
    """
    check_output(output)
    rule, names = SessionRule.of(gap), plain_names(source)
    columns = Columns.of(names, customer=customer, time=time, event=event)
    typed = Typed(source, columns, Backend.choose("cpu"))
    with (
        _folder_beside(output) as folder,
        written_file(output, varied=(customer, *_VARIED)) as write,
        closing(_sessions(typed, rule, Room(memory_bytes, folder))) as found,
    ):
        events, sessions, currencies = 0, 0, set[str]()
        for rows, table in _together(found):
            write(table)
            events, sessions = events + rows, sessions + len(table)
            if columns.currency is not None:
                currencies |= set(table["currency"].unique().drop_null().to_pylist())
        check_currencies(sorted(currencies), columns)
    return events, sessions


def _sessions(typed: Typed, rule: SessionRule, room: Room) -> Generator[tuple[int, pa.Table]]:
    """(how many events, their sessions) of customers in their order, some at a time."""
    source, threads = event_file(typed.path, typed.columns), os.cpu_count() or 1
    count = max(1, source.rows() // typed.backend.rows_at_once)
    ranges = CustomerRanges.of(typed.sample(source.sample()), count)

    def dealt(part: Part) -> Dealt:
        return deal(typed.read(part), ranges)

    def described(batches: Sequence[pa.RecordBatch]) -> tuple[int, pa.Table]:
        frame = typed.frame(batches)
        # Other customers are worked on at the same time.
        found = sessions_of(frame, typed.columns, rule, typed.backend, threads=1)
        return len(frame), pa.Table.from_pandas(found, preserve_index=False, nthreads=1)

    with ThreadPoolExecutor(threads) as pool:
        parts = in_turn(pool, dealt, source.parts(), ahead=threads + 1)
        ordered = by_ranges(typed.checked(parts), ranges.count, room)
        yield from in_turn(pool, described, ordered, ahead=threads + 1)


def _together(found: Iterable[tuple[int, pa.Table]]) -> Iterator[tuple[int, pa.Table]]:
    """Tables of enough rows to be written well."""
    events, sessions, tables = 0, 0, list[pa.Table]()
    for rows, table in found:
        events, sessions = events + rows, sessions + len(table)
        tables.append(table)
        if sessions >= _ROWS_AT_A_WRITE:
            yield events, pa.concat_tables(tables)
            events, sessions, tables = 0, 0, []
    if tables:
        yield events, pa.concat_tables(tables)


@contextmanager
def _folder_beside(output: Path) -> Iterator[Path]:
    """A folder that is made when it is needed; what a killed call left there is removed."""
    folder = output.with_name(f".{output.name}.waiting")
    _remove(folder)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
