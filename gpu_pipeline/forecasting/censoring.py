"""Periods in which demand was not seen: what may stand in for it."""

from types import ModuleType

from gpu_pipeline.backend import Array, Backend

__all__ = ["fill_unseen", "usual_demand"]

_VALUES = 4  # that say what is usual, as far as there are so many


def fill_unseen(y: Array, observed: Array, first: Array, *, season: int, backend: Backend) -> None:
    """Raises `y` (series, periods) to what was usual wherever it was not `observed`.

    Where a series has not begun, before its period `first`, nothing is filled in, and `observed`
    becomes False. Both arrays are written to.
    """
    xp, size = backend.xp, max(1, backend.rows_at_once // y.shape[1])
    for begin in range(0, len(y), size):
        part = slice(begin, begin + size)
        alive = xp.arange(y.shape[1]) >= first[part, None]
        cells = (alive & ~observed[part]).nonzero()
        observed[part] &= alive
        if len(cells[0]):
            usual = usual_demand(y[part], observed[part], cells, season=season, xp=xp)
            y[part][cells] = xp.maximum(y[part][cells], usual)


def usual_demand(
    y: Array, observed: Array, cells: tuple[Array, Array], *, season: int, xp: ModuleType
) -> Array:
    """What was usual before each of the `cells`, float32 (cells,).

    That is the mean of the last up to four observed values of the same phase of the season, where
    there are none of the last up to four observed ones, and 0 where there are none either. `y` and
    `observed` are (series, periods), `cells` their indexes (series, period). Nothing after a cell
    is used, so that a forecast that is made soon after it knows nothing of what came later.
    """
    rows, place = xp.unique(cells[0], return_inverse=True)
    y, observed, period = y[rows], observed[rows], cells[1]
    seasons = -(-y.shape[1] // season)
    of_phase, known = _means_before(
        _by_phase(y, seasons, season, xp),
        _by_phase(observed, seasons, season, xp),
        place * season + period % season,
        period // season,
        xp,
    )
    of_all, _ = _means_before(y, observed, place, period, xp)
    return xp.where(known, of_phase, of_all).astype("float32")


def _by_phase(values: Array, seasons: int, season: int, xp: ModuleType) -> Array:
    """(series, periods) as (series x phases, seasons), the end filled up with nothing."""
    rest = seasons * season - values.shape[1]
    whole = xp.pad(values, ((0, 0), (0, rest)))
    return whole.reshape(-1, seasons, season).transpose(0, 2, 1).reshape(-1, seasons)


def _means_before(
    values: Array, observed: Array, row: Array, column: Array, xp: ModuleType
) -> tuple[Array, Array]:
    """The mean of the last observed values of a row before a column, and whether there are any."""
    width = values.shape[1]
    seen = xp.flatnonzero(observed)
    begin = xp.searchsorted(seen, row * width)
    end = xp.searchsorted(seen, row * width + column)
    total, count = xp.zeros(len(row)), xp.minimum(end - begin, _VALUES)
    for back in range(1, _VALUES + 1):
        there = (back <= count).nonzero()[0]
        total[there] += values.reshape(-1)[seen[end[there] - back]]
    return total / xp.maximum(count, 1), count > 0
