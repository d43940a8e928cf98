"""Sessions of any file of events."""

from pathlib import Path

import pyarrow as pa

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest.reading import Dialect, column_names, whole_rows
from gpu_pipeline.ingest.writing import check_output, written_file
from gpu_pipeline.sessions import Columns, SessionRule, check_event_types, sessions_of

__all__ = ["sessionize_file"]

_DIALECT = Dialect()


def sessionize_file(
    source: Path,
    output: Path,
    *,
    customer: str,
    time: str,
    event: str | None = None,
    gap: str = "30min",
) -> tuple[int, int]:
    """Writes the sessions of the events in `source`; returns how many events and sessions.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. The
    columns of `sessions.sessionize` are held in memory; the output appears whole or not at all.

    Raises:
        IngestError: the source can't be read or has broken rows; the output's folder or kind is
            not there.
        PipelineError: as `sessions.sessionize`.
    """
    check_output(output)
    rule = SessionRule.of(gap)
    names = column_names(source, _DIALECT)
    columns = Columns.of(names, customer=customer, time=time, event=event)
    backend = Backend.choose("cpu")
    tables = [table.select(columns.names) for table in whole_rows(source, _DIALECT)]
    events = backend.from_arrow(pa.concat_tables(tables, promote_options="permissive"))
    check_event_types(events, columns)
    found = sessions_of(events, columns, rule, backend)
    with written_file(output) as write:
        write(backend.to_arrow(found))
    return len(events), len(found)
