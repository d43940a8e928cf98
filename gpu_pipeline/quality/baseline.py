"""Baseline: the columns of a table as they were, beside what has come since.

Two passes over the columns needed, in the partitions: one for the bins of numbers, one that
counts. Only counts come back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.contracts import Column, Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.quality.drift import (
    Comparison,
    Kind,
    categories_compared,
    drifted,
    numbers_compared,
)
from gpu_pipeline.store import Condition, Lake

__all__ = ["drift_since"]

_BINS = 512
_CATEGORIES = 50  # the largest; all others count as one
_MADE_BY_INGEST = ("file_no", "line")
_DAY = 86_400_000_000  # microseconds
Grid = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Asked:
    """A column and how it is compared."""

    name: str
    kind: Kind


def drift_since(lake: Lake, table: str, baseline: int | datetime) -> list[Comparison]:
    """How each column of a table differs from its baseline, the drifted ones first.

    A baseline is a version: then what files have brought since stands against what was there (of
    a table that steps make, the rows of now against those of then). Or it is a moment (UTC): then
    what happened from it on stands against what had happened before. Ids and texts are left out.

    Raises:
        LakeError: the table or version is not there, the table has no times, or one of both
            sides has no rows.
    """
    found, backend = contract(table), lake.backend
    asked = _asked(found)
    before, now = _sides(lake, found, baseline, [*dict.fromkeys(one.name for one in asked)])
    sides = [*before, *now]
    grids = _grids(before, asked, backend)
    counted = compute(*(delayed(_counted)(piece, asked, grids, backend) for piece in sides))
    then, since = _merged(counted[: len(before)]), _merged(counted[len(before) :])
    for what, side in (("before", then), ("since", since)):
        if not any(sum(counts.values()) for counts in side.values()):
            message = f"{table} has no rows {what} the baseline {baseline}: nothing to compare."
            raise LakeError(message)
    compared = [_compared(one, then[one], since[one]) for one in asked]
    compared = [one for one in compared if _says_something(one)]
    judged = zip(compared, drifted(compared), strict=True)
    whole = [replace(one, drifted=is_drifted) for one, is_drifted in judged]
    return sorted(whole, key=lambda one: (not one.drifted, -one.distance, one.column))


def _asked(found: Contract) -> tuple[_Asked, ...]:
    entities = {
        reference.columns[0]
        for reference in found.references
        if contract(reference.table).kind == "entity"
    }
    asked = []
    for column in found.columns:
        if column.name == found.event_time:
            asked.append(_Asked(column.name, "times of day"))
        kind = _kind_of(column, named=column.name in entities)
        if kind is not None:
            asked.append(_Asked(column.name, kind))
        if not column.required and (kind is not None or column.type == "timestamp"):
            asked.append(_Asked(column.name, "missing"))
    return tuple(asked)


def _kind_of(column: Column, *, named: bool) -> Kind | None:
    """How the values of a column are compared; None for keys, ids, texts and people."""
    is_content = column.classification == "internal" and not column.redacted
    if not is_content or column.name in _MADE_BY_INGEST:
        return None
    if column.type in ("int64", "float64"):
        return None if column.key_position is not None else "numbers"
    is_category = column.type == "bool" or (column.type == "string" and not column.is_id) or named
    return "categories" if is_category else None


def _sides(
    lake: Lake, found: Contract, baseline: int | datetime, columns: Sequence[str]
) -> tuple[list[Any], list[Any]]:
    """The partitions of the baseline and those of what came since, as delayed frames."""
    if isinstance(baseline, datetime):
        if found.event_time is None:
            message = f"{found.name} has no times: name a version of it as the baseline."
            raise LakeError(message)
        time = found.event_time
        sides = [_pieces(lake, found, columns, where=[(time, op, baseline)]) for op in ("<", ">=")]
        return sides[0], sides[1]
    before = _pieces(lake, found, columns, version=baseline)
    if "file_no" not in found.names:
        return before, _pieces(lake, found, columns)
    files = lake.read(found.name, ["file_no"], version=baseline)["file_no"]
    known = frozenset(lake.backend.to_host(files.drop_duplicates().compute()).tolist())
    now = _pieces(lake, found, [*columns, "file_no"])
    return before, [delayed(_newer)(piece, known) for piece in now]


def _pieces(
    lake: Lake,
    found: Contract,
    columns: Sequence[str],
    *,
    version: int | None = None,
    where: Sequence[Condition] | None = None,
) -> list[Any]:
    return list(lake.read(found.name, columns, version=version, where=where).to_delayed())


def _newer(frame: Frame, known: frozenset[int]) -> Frame:
    return frame[~frame["file_no"].isin(list(known))]


def _grids(pieces: Sequence[Any], asked: Sequence[_Asked], backend: Backend) -> dict[_Asked, Grid]:
    """Upper edges of the bins of each column of numbers: about equally full at the baseline."""
    numeric = [one for one in asked if one.kind in ("numbers", "times of day")]
    parts = compute(*(delayed(_quantiles)(piece, numeric, backend) for piece in pieces))
    edges = {one: np.concatenate([part[one] for part in parts]) for one in numeric}
    at = np.linspace(0, 1, _BINS)
    return {one: np.unique(np.quantile(e, at)) if len(e) else e for one, e in edges.items()}


def _quantiles(frame: Frame, asked: Sequence[_Asked], backend: Backend) -> dict[_Asked, Grid]:
    found = {}
    for one in asked:
        values = _numbers(frame[one.name], one.kind, backend)
        at = backend.xp.linspace(0, 1, _BINS)
        edges = backend.xp.quantile(values, at) if len(values) else values
        found[one] = backend.to_host(edges)
    return found


def _counted(
    frame: Frame, asked: Sequence[_Asked], grids: Mapping[_Asked, Grid], backend: Backend
) -> dict[_Asked, Counter[Any]]:
    """Of each column, how many rows each bin or category has."""
    found: dict[_Asked, Counter[Any]] = {}
    for one in asked:
        values = frame[one.name]
        if one.kind == "missing":
            missing = int(values.isna().sum())
            found[one] = Counter({True: missing, False: len(values) - missing})
        elif one.kind == "categories":
            found[one] = _by_category(values, backend)
        else:
            found[one] = _by_bin(_numbers(values, one.kind, backend), grids[one], backend)
    return found


def _numbers(values: Series, kind: Kind, backend: Backend) -> Array:
    """The values that are there as floats; of times the microseconds since midnight."""
    known = values.dropna()
    if kind != "times of day":
        return backend.xp.asarray(known.astype("float64").values)
    since = backend.as_bits(known.astype("datetime64[us]")) % _DAY
    return since.astype("float64")


def _by_bin(values: Array, edges: Grid, backend: Backend) -> Counter[Any]:
    xp = backend.xp
    bins = xp.searchsorted(xp.asarray(edges), values, side="left")
    counts = backend.to_host(xp.bincount(bins, minlength=len(edges) + 1)).tolist()
    return Counter(dict(enumerate(counts)))


def _by_category(values: Series, backend: Backend) -> Counter[Any]:
    named = values.dropna().to_frame(name="value").assign(rows=1)
    sizes = backend.to_pandas(named.groupby("value", sort=True)[["rows"]].sum().reset_index())
    return Counter(dict(zip(sizes["value"].tolist(), sizes["rows"].tolist(), strict=True)))


def _merged(parts: Iterable[Mapping[_Asked, Counter[Any]]]) -> dict[_Asked, Counter[Any]]:
    whole: dict[_Asked, Counter[Any]] = {}
    for part in parts:
        for one, counts in part.items():
            whole.setdefault(one, Counter()).update(counts)
    return whole


def _compared(one: _Asked, before: Counter[Any], now: Counter[Any]) -> Comparison:
    if one.kind in ("categories", "missing"):
        # Largest in both together: chosen by the baseline's counts, they would seem to shrink.
        largest = [name for name, _ in (before + now).most_common(_CATEGORIES)]
        rows = [_in_order(counts, largest) for counts in (before, now)]
        return categories_compared(one.name, one.kind, *rows)
    bins = sorted(before.keys() | now.keys())
    return numbers_compared(one.name, one.kind, *(_in_order(c, bins) for c in (before, now)))


def _says_something(one: Comparison) -> bool:
    """Not of a column without values, nor of what was never and is not missing."""
    never_missing = one.kind == "missing" and one.distance == 0
    return one.rows_before + one.rows_now > 0 and not never_missing


def _in_order(counts: Counter[Any], names: Sequence[Any]) -> npt.NDArray[np.int64]:
    """The counts of the names, and last of all that are not named."""
    named = [counts[name] for name in names]
    return np.array([*named, sum(counts.values()) - sum(named)], dtype="int64")
