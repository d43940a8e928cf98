"""What is told about a panel: its gaps, its new and ended series, what was not seen."""

from types import ModuleType

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.forecasting.frequency import FREQUENCIES, Freq

__all__ = ["notes_of"]

_WEEKS = 3  # after which it can't be by chance that there are rows of one weekday only


def notes_of(
    y: Array, first: Array, observed: Array, has_row: Array, freq: Freq, backend: Backend
) -> tuple[str, ...]:
    """Sentences about a panel of these arrays, (series, periods), `first` (series,)."""
    xp, frequency = backend.xp, FREQUENCIES[freq]
    series, periods = y.shape
    word, ended, season = frequency.word, frequency.ended_periods, frequency.season
    alive = xp.zeros(series, dtype="int64")
    gaps, unseen = xp.zeros(series, dtype="int64"), xp.zeros(series, dtype="int64")
    size = max(1, backend.rows_at_once // periods)
    for begin in range(0, series, size):
        part = slice(begin, begin + size)
        lives = xp.arange(periods) >= first[part, None]
        alive[part] = lives.sum(axis=1)
        gaps[part] = (lives & ~has_row[part]).sum(axis=1)
        unseen[part] = (lives & ~observed[part]).sum(axis=1)
    notes = [f"{series:,} series of {periods:,} {word}s"]
    if int(gaps.sum()):
        share = int(gaps.sum()) / int(alive.sum())
        notes.append(
            f"{int((gaps > 0).sum()):,} series have {word}s without a row ({share:.1%} of their "
            f"{word}s): taken for no demand"
        )
    if int(unseen.sum()):
        notes.append(
            f"demand was not seen on {int(unseen.sum()):,} {word}s of "
            f"{int((unseen > 0).sum()):,} series (no value, or no stock): not taken for none"
        )
    young = int((periods - first < season).sum()) if periods >= season else 0
    if young:
        notes.append(f"{young:,} series are new: younger than {season} {word}s")
    empty = (y == 0).all(axis=1)
    if bool(empty.any()):
        notes.append(f"{int(empty.sum()):,} series have no demand at all")
    if periods > ended:
        over = int(((y[:, -ended:] == 0).all(axis=1) & ~empty).sum())
        if over:
            notes.append(f"{over:,} series had no demand in the last {ended} {word}s")
    if freq == "D" and periods > _WEEKS * 7 and _on_one_weekday(has_row, xp):
        notes.append("all rows are of one weekday: freq 'W' would make weeks of them")
    return tuple(notes)


def _on_one_weekday(has_row: Array, xp: ModuleType) -> bool:
    weekday = xp.flatnonzero(has_row.any(axis=0)) % 7
    return bool((weekday == weekday[0]).all())
