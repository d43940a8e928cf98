"""Parts: the Parquet files of a table, one bucket and month each, rows in the contract's order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_pipeline.backend import Array, Backend, Frame

if TYPE_CHECKING:
    from gpu_pipeline.contracts import Contract

__all__ = ["Part", "partition_columns", "write_parts"]


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
        if event_time is not None and self.rows:
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
) -> list[Part]:
    """Writes the rows as one file per bucket and month, and says what was written.

    The files are no part of the table until a commit names them.
    """
    placed = _placed(backend.cast(frame, contract), contract, buckets)
    ordered = placed.sort_values([*partition_columns(contract), *contract.sort_order])
    written = []
    for start, stop, bucket, month in _runs(ordered, contract, backend):
        piece = ordered.iloc[start:stop][list(contract.names)]
        path = _part_path(name, bucket, month)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        piece.to_parquet(str(target), compression="zstd", index=False)
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


def _placed(frame: Frame, contract: "Contract", buckets: int) -> Frame:
    """The frame with the columns that say where a row goes; months count from the year 0."""
    if contract.bucketed:
        frame = frame.assign(bucket=frame["customer_key"] & (buckets - 1))
    if contract.by_month:
        time = frame[contract.event_time].dt
        frame = frame.assign(month=time.year.astype("int64") * 12 + time.month - 1)
    return frame


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


def _time_range(frame: Frame, contract: "Contract") -> tuple[str | None, str | None]:
    if contract.event_time is None:
        return None, None
    time = frame[contract.event_time]
    first, last = (str(value).replace(" ", "T") for value in (time.min(), time.max()))
    return first, last
