"""Parts: the Parquet files of a table, one bucket and month each, rows in the contract's order."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import LakeError
from gpu_pipeline.kernels import order_of, run_starts
from gpu_pipeline.store.conditions import Condition, row_group_filters
from gpu_pipeline.store.keys import key_hashes, write_keys

if TYPE_CHECKING:
    from gpu_pipeline.contracts import Contract

__all__ = ["Part", "partition_columns", "read_parts", "write_parts"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of a table. `path` is relative to the table; times are ISO, the event time's."""

    path: str
    size_bytes: int
    rows: int
    bucket: int | None = None
    month: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def partition_values(self) -> dict[str, str | None]:
        """What the table's log says of the file, beside its path."""
        values = {"bucket": self.bucket, "month": self.month}
        return {name: str(value) for name, value in values.items() if value is not None}

    def stats(self, event_time: str | None) -> str:
        """Row count and the range of the event time, as the log wants them.

        Nothing else: minima and maxima of personal columns would outlive an erasure in the log.
        """
        facts: dict[str, object] = {"numRecords": self.rows}
        if event_time is not None and self.first is not None:
            facts |= {"minValues": {event_time: self.first}, "maxValues": {event_time: self.last}}
        return json.dumps(facts)


def partition_columns(contract: "Contract") -> list[str]:
    """The columns that a table's folders are named for."""
    return ["bucket"] * contract.bucketed + ["month"] * contract.by_month


def write_parts(
    frame: Frame,
    contract: "Contract",
    *,
    folder: Path,
    name: str,
    buckets: int,
    backend: Backend,
    announce: Callable[[Sequence[str]], None] | None = None,
) -> list[Part]:
    """Writes the rows as one file per bucket and month, and says what was written.

    The files are no part of the table until a commit names them. `announce` is told their paths,
    relative to the `folder`, before the first one is there.
    """
    placed = _placed(backend.cast(frame, contract), contract, buckets)
    ordered = _ordered(placed, [*partition_columns(contract), *contract.sort_order], backend)
    runs = list(_runs(ordered, contract, backend))
    if announce is not None and runs:
        announce([_part_path(name, bucket, month) for _, _, bucket, month in runs])
    written = []
    for start, stop, bucket, month in runs:
        piece = ordered.iloc[start:stop][list(contract.names)]
        path = _part_path(name, bucket, month)
        target = folder / path
        if target.exists():
            message = f"{target} is there already: a part is never written over."
            raise LakeError(message)
        target.parent.mkdir(parents=True, exist_ok=True)
        backend.write_parquet(piece, target, encodings=_encodings(contract))
        if contract.stage == "source":
            write_keys(target, backend.to_host(key_hashes(piece, contract, backend)))
        first, last = _time_range(piece, contract)
        written.append(
            Part(
                path=path,
                size_bytes=target.stat().st_size,
                rows=stop - start,
                bucket=bucket,
                month=month,
                first=first,
                last=last,
            )
        )
    return written


def read_parts(
    paths: Sequence[str],
    contract: "Contract",
    columns: Sequence[str],
    *,
    backend: Backend,
    conditions: Sequence[Condition] = (),
) -> Frame:
    """The files' rows, in order, with these columns in the contract's types.

    A column that a file was written without is null there, or has the contract's default. Rows
    that can't fulfil the `conditions` may be left out, or may not.
    """
    pieces = [
        _read_alike(alike, there, contract, columns, conditions, backend)
        for there, alike in _alike(paths)
    ]
    whole = pieces[0] if len(pieces) == 1 else backend.frames.concat(pieces, ignore_index=True)
    return backend.cast(whole, contract, columns)


def _alike(paths: Sequence[str]) -> Iterator[tuple[set[str], list[str]]]:
    """Neighbours that have the same columns in the same types: what one call can read."""
    import pyarrow.parquet as pq

    schemas = {path: pq.read_schema(path).remove_metadata() for path in paths}
    for schema, alike in groupby(paths, schemas.__getitem__):
        yield set(schema.names), list(alike)


def _read_alike(
    paths: list[str],
    there: set[str],
    contract: "Contract",
    columns: Sequence[str],
    conditions: Sequence[Condition],
    backend: Backend,
) -> Frame:
    known = [name for name in columns if name in there]
    frame = backend.frames.read_parquet(
        paths,
        columns=known or [contract.key[0]],  # some column: a frame of none has no rows
        filters=row_group_filters(conditions, contract, there),
    )
    added = [name for name in columns if name not in there]
    if not added:
        return frame
    blank = backend.empty(contract, added).reindex(frame.index)
    for name in added:
        default = contract[name].default
        values = blank[name] if default is None else blank[name].fillna(default)
        frame = frame.assign(**{name: values})
    return backend.cast(frame, contract, columns)


def _placed(frame: Frame, contract: "Contract", buckets: int) -> Frame:
    """The frame with the columns that say where a row goes; months count from the year 0."""
    if contract.bucketed:
        frame = frame.assign(bucket=frame["customer_key"] & (buckets - 1))
    if contract.by_month:
        time = frame[contract.event_time].dt
        frame = frame.assign(month=time.year.astype("int64") * 12 + time.month - 1)
    return frame


def _ordered(frame: Frame, columns: list[str], backend: Backend) -> Frame:
    """The rows in ascending order of the columns; texts are compared only where numbers tie."""
    xp = backend.xp
    numbers = list(takewhile(lambda name: frame[name].dtype.kind in "iM", columns))
    if len(frame) < 2 or not numbers:
        return frame.sort_values(columns)
    order = order_of([backend.as_bits(frame[name]) for name in numbers], xp)
    if len(numbers) < len(columns):
        starts = run_starts([backend.as_bits(frame[name])[order] for name in numbers], xp)
        lengths = xp.diff(xp.append(starts, len(frame)))
        tied = xp.flatnonzero(xp.repeat(lengths > 1, lengths))
        # Runs keep their places: only rows that tie change theirs, among themselves.
        some = frame.iloc[order[tied]].assign(place=order[tied]).sort_values(columns)
        order[tied] = xp.asarray(some["place"].values)
    return frame.iloc[order]


def _runs(
    frame: Frame, contract: "Contract", backend: Backend
) -> Iterator[tuple[int, int, int | None, str | None]]:
    """(start, stop, bucket, month) of each run of rows that lie together."""
    places = partition_columns(contract)
    if not len(frame):
        return
    if not places:
        yield 0, len(frame), None, None
        return
    columns: list[Array] = [backend.to_host(frame[place]) for place in places]
    changes = sum(column[1:] != column[:-1] for column in columns)
    starts = [0, *(changes.nonzero()[0] + 1).tolist()]
    for start, stop in zip(starts, [*starts[1:], len(frame)], strict=True):
        at = {place: int(column[start]) for place, column in zip(places, columns, strict=True)}
        month = at.get("month")
        yield start, stop, at.get("bucket"), None if month is None else _month_name(month)


def _month_name(months: int) -> str:
    return f"{months // 12:04d}-{months % 12 + 1:02d}"


def _part_path(name: str, bucket: int | None, month: str | None) -> str:
    folders = ("" if bucket is None else f"bucket={bucket}/") + (
        "" if month is None else f"month={month}/"
    )
    return f"{folders}{name}.parquet"


def _encodings(contract: "Contract") -> dict[str, str]:
    """How columns are written in which values hardly repeat; the others become dictionaries."""
    found = {}
    for column in contract.columns:
        if column.redacted:
            found[column.name] = "DELTA_LENGTH_BYTE_ARRAY"
        elif column.type == "string" and column.key_position is not None:
            found[column.name] = "DELTA_BYTE_ARRAY"
        elif column.name in (contract.event_time, "line"):
            found[column.name] = "DELTA_BINARY_PACKED"
    return found


def _time_range(frame: Frame, contract: "Contract") -> tuple[str | None, str | None]:
    if contract.event_time is None:
        return None, None
    time = frame[contract.event_time]
    if not bool(time.notna().any()):
        return None, None
    first, last = (str(value).replace(" ", "T") for value in (time.min(), time.max()))
    return first, last
