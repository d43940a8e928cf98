"""Columns known ahead of time (price, promotion, holiday, event), and what never changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.errors import PanelError
from gpu_pipeline.forecasting.frequency import FREQUENCIES, day_text
from gpu_pipeline.forecasting.long_frame import LongFrame, coded, host_list, numbers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KnownAhead", "StaticColumn", "known_ahead_of", "static_of", "with_future"]


class StaticColumn(NamedTuple):
    """One value a series: `codes` int32 (series,) are places in `categories`, -1 is null.

    `categories` are in ascending order, of text or of numbers.
    """

    codes: Array
    categories: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class KnownAhead:
    """What is known of each period before it comes: a matrix for each of the `names`.

    `values` are float32 (series, periods), or (1, periods) of a column that on every date says the
    same for all series. With a future they go on beyond the last period of the panel. Numbers and
    truth values are as they were given, a null is not a number. Text is a code: its place in
    `categories`, which are in ascending order, -1 for a null.
    """

    names: tuple[str, ...] = ()
    values: tuple[Array, ...] = ()
    categories: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def periods(self) -> int:
        """How many periods are known; 0 without columns."""
        return self.values[0].shape[1] if self.values else 0

    def rows(self, series: slice) -> "KnownAhead":
        """The same of some of the series."""
        values = tuple(one if len(one) == 1 else one[series] for one in self.values)
        return KnownAhead(names=self.names, values=values, categories=self.categories)


def known_ahead_of(rows: LongFrame, names: Sequence[str]) -> KnownAhead:
    """The columns `names` of the rows.

    A cell without a row says what all rows of its date say, where they agree on every date; else
    what the series' row before it says, and before its first row what that one says. (A price that
    is there only where something was sold would tell the model that there were sales.)
    """
    values, categories = [], {}
    for name in names:
        matrix, found = _matrix(rows, name)
        if found is not None:
            categories[name] = found
        shared = _shared(matrix, rows)
        values.append(_carried(matrix, rows.has_row, rows.backend) if shared is None else shared)
    return KnownAhead(names=tuple(names), values=tuple(values), categories=categories)


def static_of(rows: LongFrame, names: Sequence[str]) -> tuple[dict[str, StaticColumn], list[str]]:
    """The columns `names` of each series, and what is wrong: several values in one series.

    A null says nothing: a series has the value that any of its rows has.
    """
    backend, xp, made, faults = rows.backend, rows.backend.xp, dict[str, StaticColumn](), []
    for name in names:
        column = coded(rows.frame[name], backend)
        codes = xp.full(len(rows.ids), -1, dtype="int32")
        codes[rows.series[column.codes >= 0]] = column.codes[column.codes >= 0]
        differs = (column.codes >= 0) & (codes[rows.series] != column.codes)
        made[name] = StaticColumn(codes, tuple(host_list(column.values, backend)))
        if bool(differs.any()):
            wrong = xp.unique(rows.series[differs])
            example = host_list(rows.ids[wrong[:1]], backend)[0]
            faults.append(
                f"{name} is static, but {len(wrong)} series have several values of it, such as "
                f"{example!r}: make it one, or name it as known ahead"
            )
    return made, faults


def with_future(
    known: KnownAhead, rows: LongFrame, *, ids: "pd.Index[Any]", next_us: int, steps: int
) -> tuple[KnownAhead, tuple[str, ...]]:
    """`known` of the panel's periods, then what `rows` say of the `steps` ones from `next_us` on.

    Also in words what text was never seen before: it is taken for none.

    Raises:
        PanelError: rows are missing or there are some too many, or a column is of another kind.
    """
    faults = _cell_faults(rows, ids=ids, next_us=next_us, steps=steps)
    if faults:
        message = f"The future is not that of the panel: {'; '.join(faults)}."
        raise PanelError(message)
    values, notes = [], list[str]()
    for name, past in zip(known.names, known.values, strict=True):
        # Every series has a row in every period: the matrix has the shape and order of the panel.
        matrix, found = _matrix(rows, name)
        if found is None and name in known.categories and bool(rows.backend.xp.isnan(matrix).all()):
            matrix, found = rows.backend.xp.full_like(matrix, -1), ()  # nulls alone are of any kind
        _check_kind(name, is_text=found is not None, was_text=name in known.categories)
        if found is not None:
            matrix, unseen = _recoded(matrix, found, known.categories[name], rows.backend)
            notes += [f"{name} is {one!r} for the first time: taken for none" for one in unseen]
        shared = _shared(matrix, rows)
        values.append(_joined(past, matrix if shared is None else shared, rows.backend))
    made = KnownAhead(names=known.names, values=tuple(values), categories=known.categories)
    return made, tuple(notes)


def _matrix(rows: LongFrame, name: str) -> tuple[Array, tuple[Any, ...] | None]:
    """The column as float32 (series, periods), not a number without a row; categories of text."""
    xp, column = rows.backend.xp, rows.frame[name]
    if column.dtype.kind in "mM":
        message = (
            f"Column {name} is {column.dtype}: what is known ahead is a number, a truth value or "
            "text. Give a time as a number, such as the days until it."
        )
        raise PanelError(message)
    as_codes = None if _is_number(column) else coded(column, rows.backend)
    matrix = xp.full(len(rows.ids) * rows.periods, xp.nan, dtype="float32")
    for part, cell in rows.pieces():
        if as_codes is None:
            matrix[cell] = numbers(column, part, rows.backend)
        else:
            matrix[cell] = as_codes.codes[part]
    if bool(xp.isinf(matrix).any()):
        message = f"Column {name} has infinite values: give numbers, or null where there is none."
        raise PanelError(message)
    matrix = matrix.reshape(len(rows.ids), rows.periods)
    if as_codes is None:
        return matrix, None
    return matrix, tuple(host_list(as_codes.values, rows.backend))


def _is_number(column: Series) -> bool:
    return str(column.dtype) != "category" and column.dtype.kind in "iufb"


def _shared(matrix: Array, rows: LongFrame) -> Array | None:
    """What all rows of a date say, (1, periods); None where those of some date differ."""
    xp = rows.backend.xp
    lowest, highest = xp.full(rows.periods, xp.inf), xp.full(rows.periods, -xp.inf)
    for part in _blocks(matrix, rows.backend):
        said = xp.where(xp.isnan(matrix[part]), -xp.inf, matrix[part])
        there = rows.has_row[part]
        lowest = xp.minimum(lowest, xp.where(there, said, xp.inf).min(axis=0))
        highest = xp.maximum(highest, xp.where(there, said, -xp.inf).max(axis=0))
    is_there = lowest < xp.inf
    if bool((is_there & (lowest < highest)).any()):
        return None
    said = xp.where(xp.isinf(lowest), xp.nan, lowest).astype("float32")[None]
    return _carried(said, is_there[None], rows.backend)


def _carried(values: Array, is_there: Array, backend: Backend) -> Array:
    """`values` (rows, periods), those that are not there as the last before, or the first."""
    xp, made = backend.xp, backend.xp.empty_like(values)
    for part in _blocks(values, backend):
        so_far = xp.cumsum(is_there[part], axis=1)
        whole = so_far[:, -1]
        before = (xp.cumsum(whole) - whole)[:, None]
        at = xp.flatnonzero(is_there[part])
        made[part] = values[part].reshape(-1)[at[before + xp.maximum(so_far - 1, 0)]]
    return made


def _blocks(matrix: Array, backend: Backend) -> Iterator[slice]:
    size = max(1, backend.rows_at_once // matrix.shape[1])
    for begin in range(0, len(matrix), size):
        yield slice(begin, min(begin + size, len(matrix)))


def _cell_faults(rows: LongFrame, *, ids: "pd.Index[Any]", next_us: int, steps: int) -> list[str]:
    """What there is too much or too little of, each with an example."""
    backend, xp, step_us = rows.backend, rows.backend.xp, FREQUENCIES[rows.freq].step_us
    end_us = next_us + (steps - 1) * step_us
    asked = f"the {steps} periods {day_text(next_us)} to {day_text(end_us)}"
    place = xp.asarray(ids.get_indexer(rows.ids))
    ahead_us = rows.start_us + step_us * xp.arange(rows.periods) - next_us
    is_asked = (ahead_us >= 0) & (ahead_us <= end_us - next_us) & (ahead_us % step_us == 0)

    faults = []
    strangers = rows.ids[place < 0]
    if len(strangers):
        example = host_list(strangers[:1], backend)[0]
        faults.append(f"{len(strangers)} series are not in the panel, such as {example!r}")
    outside = int(rows.has_row[:, ~is_asked].sum())
    if outside:
        faults.append(f"{outside} rows are not of {asked}: leave them out")
    there = xp.zeros((len(ids), steps), dtype=bool)
    step, known = (ahead_us // step_us)[is_asked], (place >= 0).nonzero()[0]
    there[place[known][:, None], step[None]] = rows.has_row[known][:, is_asked]
    missing = int((~there).sum())
    if missing:
        series, first = divmod(int((~there).reshape(-1).argmax()), steps)
        example = host_list(ids[series : series + 1], backend)[0]
        faults.append(
            f"{missing} of {len(ids) * steps} rows are missing, such as {example!r} on "
            f"{day_text(next_us + first * step_us)}: every series needs a row in each of {asked}"
        )
    return faults


def _check_kind(name: str, *, is_text: bool, was_text: bool) -> None:
    if is_text != was_text:
        kinds = {True: "text", False: "numbers"}
        message = (
            f"Column {name} is {kinds[is_text]} in the future and {kinds[was_text]} in the panel: "
            "make them one."
        )
        raise PanelError(message)


def _recoded(
    codes: Array, found: Sequence[Any], known: Sequence[Any], backend: Backend
) -> tuple[Array, list[Any]]:
    """Codes of `found` as codes of `known`; those that are not known, -1, and which they are."""
    xp, place = backend.xp, {value: code for code, value in enumerate(known)}
    table = xp.asarray([*(place.get(value, -1) for value in found), -1], dtype="float32")
    return table[codes.astype("int64")], [value for value in found if value not in place]


def _joined(past: Array, future: Array, backend: Backend) -> Array:
    """Both along time; each series by itself where one of them is."""
    series = max(len(past), len(future))
    parts = [backend.xp.broadcast_to(one, (series, one.shape[1])) for one in (past, future)]
    return backend.xp.concatenate(parts, axis=1)
