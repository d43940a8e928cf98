"""Results for the caller's own list: ids in, the same ids with segment, value and reasons out.

Pseudonyms can't be mapped back, so whoever asks brings the ids. They are hashed here as ingest
does it; they go to the output and nowhere else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pac

from gpu_pipeline.consents import CONSENT_COLUMNS, latest_consents, statuses
from gpu_pipeline.errors import IngestError, LakeError
from gpu_pipeline.ingest.reading import Dialect, plain_names, whole_rows
from gpu_pipeline.ingest.transforms import texts_of
from gpu_pipeline.ingest.writing import check_output, written_file
from gpu_pipeline.money import minor_digits_of
from gpu_pipeline.privacy import token, tokens
from gpu_pipeline.store import Lake

__all__ = ["EXPORTED", "Exported", "export_segments"]

_SEGMENTS = ("segment", "name", "reason_1", "reason_2", "reason_3")
_VALUES = ("expected_value", "currency", "horizon_days", "churn_risk")
_TYPES = {
    "status": pa.string(),
    "segment": pa.int64(),
    "segment_name": pa.string(),
    "reason_1": pa.string(),
    "reason_2": pa.string(),
    "reason_3": pa.string(),
    "expected_value": pa.float64(),
    "currency": pa.string(),
    "horizon_days": pa.int64(),
    "churn_risk": pa.float64(),
}
EXPORTED = tuple(_TYPES)
_NOTHING = np.array([None], dtype=object)
_USUAL_IDS = ("customer_id", "customerid", "customer", "id")


@dataclass(frozen=True)
class Exported:
    """What an export wrote: how many ids came, how many rows went out, and the ids by status."""

    ids: int
    rows: int
    statuses: Mapping[str, int]


def export_segments(
    lake: Lake,
    ids: Path,
    output: Path,
    *,
    column: str | None = None,
    segment: str | None = None,
    consent_held_elsewhere: bool = False,
) -> Exported:
    """Writes the ids of a file, row by row, each with its status and, if found, `EXPORTED`.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. Rows
    come out as they came in, repeated and blank ids too; with a `segment` (its number or name),
    only those found in it. A status is `found`, `unknown`, or `no consent`: of such a customer
    nothing else is said. Money is in whole units of `currency`, 12.50. Who agreed is what the table
    `customers` says last; of those who are not in it, where `consent_held_elsewhere`, it is the
    caller's matter.

    Raises:
        IngestError: a file can't be read or written, has broken rows, or the column with the ids
            can't be told or has no name.
        LakeError: there are no segments yet, there is none of that name, or no table of consents.
    """
    check_output(output)
    file = _IdFile.of(ids, column)
    _check(lake, consent_held_elsewhere=consent_held_elsewhere)
    _check_header(lake, file)
    wanted = None if segment is None else _segment_number(lake, segment)
    keys = np.concatenate([*_keys(lake, file), np.empty(0, dtype=np.int64)])
    answers = _answers(lake, np.unique(keys), consent_held_elsewhere=consent_held_elsewhere)
    counts, rows, start = Counter[str](), 0, 0
    with written_file(output) as write:
        for some in file.ids():
            found = _rows(some, keys[start : start + len(some)], answers, file.column)
            counts.update(dict(zip(*np.unique(found["status"], return_counts=True), strict=True)))
            if wanted is not None:
                found = found.filter(pac.equal(found["segment"], wanted))
            write(found)
            rows, start = rows + len(found), start + len(some)
    if start != len(keys):
        message = f"{ids} changed while it was read: it had {len(keys):,} rows, then {start:,}."
        raise IngestError(message)
    return Exported(len(keys), rows, {str(name): int(count) for name, count in counts.items()})


@dataclass(frozen=True)
class _IdFile:
    """A file with ids in one of its columns; where that is its only one, blank lines are rows."""

    path: Path
    column: str
    is_only_one: bool

    @classmethod
    def of(cls, path: Path, column: str | None) -> Self:
        """The file, of which the column may be known.

        Raises:
            IngestError: it can't be read, or the column can't be told or is none of its.
        """
        names = plain_names(path)
        usual = [name for name in names if name.lower() in _USUAL_IDS]
        found = [column] if column else names if len(names) == 1 else usual
        if len(found) != 1:
            message = f"{path} has {', '.join(names)}: say which holds the ids with --column."
            raise IngestError(message)
        (column,) = found
        if column not in names:
            message = f"{path} has no column {column!r}; it has {', '.join(names)}."
            raise IngestError(message)
        if column in EXPORTED:
            message = (
                f"The output has a column {column!r} of its own: rename that of the ids in {path}."
            )
            raise IngestError(message)
        return cls(path, column, len(names) == 1)

    def ids(self) -> Iterator[pa.ChunkedArray]:
        """All ids in order, some at a time."""
        dialect = Dialect(fields=(self.column,), blank_rows=self.is_only_one)
        for table in whole_rows(self.path, dialect):
            there = self.column in table.column_names
            # Not every record of a JSON lines file need have it.
            yield (
                table[self.column]
                if there
                else pa.chunked_array([pa.nulls(len(table), pa.string())])
            )


def _check(lake: Lake, *, consent_held_elsewhere: bool) -> None:
    if lake.version("customer_segments") is None:
        message = f"{lake.path} has no segments yet: make them with `gpu-pipeline run`."
        raise LakeError(message)
    if lake.version("customers") is None and not consent_held_elsewhere:
        message = (
            f"{lake.path} has no table customers, so nobody's consent to marketing is known. Load "
            "it (customer_id, marketing_consent, signed_up_at, updated_at) with `gpu-pipeline "
            "ingest`; or, where you have seen to it that all of these ids agreed, say so with "
            "--consent-held-elsewhere."
        )
        raise LakeError(message)


def _check_header(lake: Lake, file: _IdFile) -> None:
    """Refuses a file whose first line is an id like the others: it would be lost."""
    key = token(file.column, key=lake.key, kind="customer")
    if len(_answers(lake, np.array([key]), consent_held_elsewhere=False)):
        message = (
            f"The first line of {file.path} is the id of a customer: put the name of the column "
            "above it, customer_id."
        )
        raise IngestError(message)


def _segment_number(lake: Lake, segment: str) -> int:
    """The number of the segment with this number or name."""
    frame = lake.read("segment_profiles", ["segment", "name"]).compute()
    profiles = lake.backend.to_pandas(frame).sort_values("segment")
    names = dict(zip(profiles["segment"].tolist(), profiles["name"].tolist(), strict=True))
    found = [number for number, name in names.items() if segment in (str(number), name)]
    if not found:
        there = ", ".join(f"{number} ({name})" for number, name in names.items())
        message = f"There is no segment {segment!r}: there are {there}."
        raise LakeError(message)
    return int(found[0])


def _keys(lake: Lake, file: _IdFile) -> Iterator[npt.NDArray[np.int64]]:
    """The pseudonym of each id; 0 where there is none."""
    for ids in file.ids():
        text = texts_of(ids)
        said = lake.backend.from_arrow(pa.table({"id": text}))["id"]
        made = lake.backend.to_host(
            tokens(said, key=lake.key, kind="customer", backend=lake.backend)
        )
        blank = pac.equal(pac.utf8_trim_whitespace(text), "").fill_null(True)  # noqa: FBT003
        yield np.where(blank.to_numpy(zero_copy_only=False), 0, made)


def _answers(
    lake: Lake, keys: npt.NDArray[np.int64], *, consent_held_elsewhere: bool
) -> pd.DataFrame:
    """customer_key, ascending, and what may be said of each of these whom the lake knows."""
    keys = keys[keys != 0]
    bucket = keys & (lake.buckets - 1)
    parts = [
        _of_bucket(
            lake, int(one), keys[bucket == one], consent_held_elsewhere=consent_held_elsewhere
        )
        for one in np.unique(bucket)
    ]
    columns = ["customer_key", *EXPORTED]
    whole = pd.concat([pd.DataFrame(columns=columns), *parts]) if parts else pd.DataFrame()
    found = whole.reindex(columns=columns).astype({"customer_key": "int64"})
    return found.sort_values("customer_key", ignore_index=True)


def _of_bucket(
    lake: Lake, bucket: int, keys: npt.NDArray[np.int64], *, consent_held_elsewhere: bool
) -> pd.DataFrame:
    """The same of those of a bucket.

    Keys stay a column: as an index, pandas may take two that lie far apart for a range.
    """

    def rows(table: str, columns: tuple[str, ...]) -> pd.DataFrame:
        if lake.version(table) is None:
            return pd.DataFrame({"customer_key": np.empty(0, np.int64)}).reindex(columns=columns)
        frame = lake.backend.to_pandas(lake.read_bucket(table, bucket, columns=columns))
        return frame[frame["customer_key"].isin(keys)]

    consents = latest_consents(rows("customers", CONSENT_COLUMNS))
    buyers = rows("customer_features", ("customer_key",))
    known = np.union1d(buyers["customer_key"], consents["customer_key"])
    may_tell = np.isin(known, consents["customer_key"][consents["marketing"].astype(bool)])
    if consent_held_elsewhere:
        # Who said no here has said no, whatever anybody holds elsewhere.
        may_tell |= ~np.isin(known, consents["customer_key"])
    told = pd.DataFrame({"customer_key": known[may_tell]})
    segments = rows("customer_segments", ("customer_key", *_SEGMENTS))
    values = _readable(rows("customer_value", ("customer_key", *_VALUES)))
    for found in (segments, values):
        told = told.merge(found, on="customer_key", how="left")
    status = statuses(np.ones(len(known), dtype=bool), may_tell)
    whole = pd.DataFrame({"customer_key": known, "status": status})
    return whole.merge(told.rename(columns={"name": "segment_name"}), on="customer_key", how="left")


def _readable(values: pd.DataFrame) -> pd.DataFrame:
    """Amounts in whole units of their currencies, and risks, with as many digits as count."""
    unit = 10.0 ** minor_digits_of(values["currency"])
    return values.assign(
        expected_value=values["expected_value"].astype("float64").round() / unit,
        churn_risk=values["churn_risk"].astype("float64").round(4),
    )


def _rows(
    ids: pa.ChunkedArray, keys: npt.NDArray[np.int64], answers: pd.DataFrame, column: str
) -> pa.Table:
    """The ids with what is said of each."""
    known = answers["customer_key"].to_numpy()
    place = np.searchsorted(known, keys)
    is_known = np.isin(keys, known)
    place[~is_known] = -1
    table = pa.table({column: ids})
    for name, kind in _TYPES.items():
        # Behind the last: what is said of those whom nobody knows.
        said = np.concatenate([answers[name].to_numpy(dtype=object), _NOTHING])[place]
        table = table.append_column(name, pa.array(said, from_pandas=True).cast(kind))
    return table.set_column(1, "status", pac.fill_null(table["status"], "unknown"))
