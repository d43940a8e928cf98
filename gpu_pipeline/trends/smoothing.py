"""Smoothing: a mood that one text does not turn, and that few texts leave near its usual level."""

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.trends.usual import MOOD_HALF_LIFE_DAYS, decay

__all__ = ["smoothed_mood"]

_HALF_LIFE_DAYS = 7
_LEAN_TEXTS = 5.0


def smoothed_mood(mood: Array, texts: Array, level: float, backend: Backend) -> Array:
    """The mood up to each day, in the shape (days, …) of the day's `mood` sums and `texts`.

    A text's weight halves in a week. Five texts' weight lies on the series' own long-run mood
    (half-life 90 days), and five of that on `level`, where a series begins. A day sees only
    itself and the days before.
    """
    xp = backend.xp
    fast, slow = decay(_HALF_LIFE_DAYS), decay(MOOD_HALF_LIFE_DAYS)
    recent, long = xp.zeros((2, *mood.shape[1:])), xp.zeros((2, *mood.shape[1:]))
    found = xp.zeros(mood.shape)
    for day in range(len(mood)):
        usual = (long[0] + _LEAN_TEXTS * level) / (long[1] + _LEAN_TEXTS)
        today = xp.stack([xp.asarray(mood[day]), xp.asarray(texts[day])])
        recent, long = recent * fast + today, long * slow + today
        found[day] = (recent[0] + _LEAN_TEXTS * usual) / (recent[1] + _LEAN_TEXTS)
    return found
