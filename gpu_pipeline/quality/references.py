"""References: rows that name something another table does not have, or not yet.

A table is read once for all that it names. Values are counted where they lie: a bucket against
the same bucket where both tables are keyed by customer, else the distinct values of one table
against those of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, Reference, contract
from gpu_pipeline.orders import business_day
from gpu_pipeline.quality.pieces import by_then, pieces
from gpu_pipeline.store import Lake

__all__ = ["Orphans", "orphans"]

_EXAMPLES = 5
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Orphans:
    """Of `rows` rows that name something, those whose counterpart is missing.

    `examples` are a few of the values, most rows first; none of a column that names a person.
    """

    rows: int
    failed: int
    examples: tuple[str, ...] = ()


def orphans(
    lake: Lake, found: Contract, references: Sequence[Reference], *, as_of: datetime
) -> list[Orphans | str]:
    """Of each reference the rows without counterpart at a moment, or why none could be looked for.

    The table is read once for all of them.
    """
    there = [one for one in references if lake.version(one.table) is not None]
    counts = dict(zip(there, _counts(lake, found, there, as_of), strict=True))
    return [
        _without(lake, found, one, counts[one], as_of) if one in counts else f"no table {one.table}"
        for one in references
    ]


def _without(
    lake: Lake, found: Contract, reference: Reference, counts: Frame | Orphans, as_of: datetime
) -> Orphans | str:
    if isinstance(counts, Orphans):
        return counts
    if reference.within_days is not None:
        return _without_recent(lake, reference, counts, as_of, reference.within_days)
    missing = _missing(counts, _known(lake, reference, counts, as_of), reference, lake.backend)
    return Orphans(
        int(counts["rows"].sum()),
        int(missing["rows"].sum()),
        _examples(missing, found, reference, lake.backend),
    )


def _counts(
    lake: Lake, found: Contract, references: Sequence[Reference], as_of: datetime
) -> list[Frame | Orphans]:
    """Of each reference the distinct values that rows name, and of how many rows each.

    Customers are looked for where they are counted: nobody's keys are gathered.
    """
    if not references:
        return []
    parts = compute(
        *(
            delayed(_counted)(lake, found, references, as_of, bucket)
            for bucket in pieces(lake, found)
        )
    )
    return [
        _summed(lake, one, [part[place] for part in parts]) for place, one in enumerate(references)
    ]


def _counted(
    lake: Lake,
    found: Contract,
    references: Sequence[Reference],
    as_of: datetime,
    bucket: int | None,
) -> list[Frame | Orphans]:
    needed = list(dict.fromkeys(name for one in references for name in _needed(one)))
    where = by_then(lake, found, as_of)
    frame = lake.read_bucket(found.name, bucket, where, columns=needed)
    return [
        _of_customers(lake, frame, one, as_of, bucket)
        if _is_of_customers(found, one)
        else _by_value(frame, one, lake.time_zone)
        for one in references
    ]


def _summed(lake: Lake, reference: Reference, parts: Sequence[Any]) -> Frame | Orphans:
    if isinstance(parts[0], Orphans):
        return Orphans(sum(part.rows for part in parts), sum(part.failed for part in parts))
    whole = lake.backend.frames.concat(list(parts), ignore_index=True)
    return whole.groupby(list(reference.columns), sort=True)[["rows"]].sum().reset_index()


def _is_of_customers(found: Contract, reference: Reference) -> bool:
    """Whether both tables keep what the reference joins in the same bucket."""
    is_same = reference.columns == reference.key == ("customer_key",)
    return is_same and found.bucketed == contract(reference.table).bucketed


def _of_customers(
    lake: Lake, frame: Frame, reference: Reference, as_of: datetime, bucket: int | None
) -> Orphans:
    """Customers of one bucket against the customers of the same bucket."""
    asked = _asked(frame, reference)
    other, key = contract(reference.table), list(reference.key)
    known = lake.read_bucket(other.name, bucket, by_then(lake, other, as_of), columns=key)
    is_known = asked[reference.columns[0]].isin(known[reference.key[0]])
    return Orphans(len(asked), int((~is_known).sum()))


def _by_value(frame: Frame, reference: Reference, time_zone: str) -> Frame:
    asked = _asked(frame, reference).assign(rows=1)
    by = list(reference.columns)
    if reference.within_days is not None:
        asked = asked.assign(**{by[-1]: business_day(asked[by[-1]], time_zone)})
    return asked.groupby(by, sort=True)[["rows"]].sum().reset_index()


def _asked(frame: Frame, reference: Reference) -> Frame:
    """The rows that must have a counterpart, with the columns that name it."""
    for name, values in reference.where:
        frame = frame[frame[name].isin(list(values))]
    return frame[list(reference.columns)].dropna()


def _known(lake: Lake, reference: Reference, counts: Frame, as_of: datetime) -> Frame:
    """Those of the values that the other table has."""
    other, key = contract(reference.table), list(reference.key)
    wanted = counts[[reference.columns[0]]]
    where = by_then(lake, other, as_of)

    def present(bucket: int | None) -> Frame:
        frame = lake.read_bucket(other.name, bucket, where, columns=key)
        return _present(frame, wanted, reference)

    parts = compute(*(delayed(present)(bucket) for bucket in pieces(lake, other)))
    whole: Frame = lake.backend.frames.concat(list(parts), ignore_index=True)
    return whole.drop_duplicates()


def _present(frame: Frame, wanted: Frame, reference: Reference) -> Frame:
    mine, theirs = reference.columns[0], reference.key[0]
    return frame[frame[theirs].isin(wanted[mine])].drop_duplicates()


def _missing(counts: Frame, known: Frame, reference: Reference, backend: Backend) -> Frame:
    """The rows of `counts` whose values are not among the known ones."""
    marked = known.assign(is_known=backend.xp.ones(len(known), dtype="int64"))
    left, right = list(reference.columns), list(reference.key)
    merged = counts.merge(marked, left_on=left, right_on=right, how="left")
    return merged[merged["is_known"].isna()]


def _examples(
    missing: Frame, found: Contract, reference: Reference, backend: Backend
) -> tuple[str, ...]:
    if any(found[name].classification != "internal" for name in reference.columns):
        return ()
    names = list(reference.columns)
    most = missing.sort_values(["rows", *names], ascending=[False] + [True] * len(names))
    values = backend.to_pandas(most[names].head(_EXAMPLES)).astype("str").to_numpy().tolist()
    return tuple(" ".join(row) for row in values)


def _without_recent(
    lake: Lake, reference: Reference, named: Frame, as_of: datetime, days: int
) -> Orphans | str:
    """Rows whose value has no counterpart that is at most `days` old; few distinct ones.

    A row in the lake's reporting currency asks for none, nor do those in the only one there is.
    """
    value, time = reference.columns
    counts = lake.backend.to_pandas(named)
    distinct = sorted(counts[value].unique())
    if len({*distinct, lake.currency} - {""}) < 2:
        return f"only one {value}: {', '.join(distinct) or 'none'}"
    counts = counts[counts[value] != lake.currency].reset_index(drop=True)
    other = contract(reference.table)
    where = by_then(lake, other, as_of)
    theirs = lake.read_bucket(other.name, None, where, columns=list(reference.key))
    recent = _last_before(counts, lake.backend.to_pandas(theirs), reference)
    missing = counts[~(counts[time] - recent <= days * _DAY)]
    by_value = missing.groupby(value, sort=True)["rows"].sum().sort_values(ascending=False)
    return Orphans(
        int(counts["rows"].sum()),
        int(missing["rows"].sum()),
        tuple(str(name) for name in by_value.index[:_EXAMPLES]),
    )


def _last_before(
    counts: pd.DataFrame, theirs: pd.DataFrame, reference: Reference
) -> "pd.Series[Any]":
    """The latest time of each value in the other table that is not after the row's day."""
    (value, time), (their_value, their_time) = reference.columns, reference.key
    found = pd.merge_asof(
        counts[[value, time]].reset_index().sort_values([time, value]),
        theirs.assign(last=theirs[their_time].dt.floor("D")).sort_values([their_time]),
        left_on=time,
        right_on="last",
        left_by=value,
        right_by=their_value,
    )
    return found.set_index("index")["last"].reindex(counts.index)


def _needed(reference: Reference) -> list[str]:
    return list(dict.fromkeys([*reference.columns, *(name for name, _ in reference.where)]))
