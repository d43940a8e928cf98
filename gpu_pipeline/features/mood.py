"""How what customers write sounds: the mean of positive less negative probability."""

import numpy as np

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.features.histories import Histories, divided, of_customers_until

__all__ = ["TEXT_COLUMNS", "moods"]

TEXT_COLUMNS = ("customer_key", "key_kind", "created_at", "negative", "positive")
_WINDOW = np.timedelta64(90, "D")
# Moods are summed in billionths: whole numbers add up to the same in any order.
_PARTS = 1_000_000_000


def moods(
    texts: Frame, customers: Array, moment: np.datetime64, backend: Backend
) -> dict[str, Array | Series]:
    """Texts and their mean mood, of all times and of the last days, for each of the customers.

    `texts` are rows of text_sentiment (`TEXT_COLUMNS`); those written later don't count, nor those
    without a score.
    """
    found = of_customers_until(moment, texts[texts["positive"].notna()], "created_at")
    key, time = (backend.as_bits(found[name]) for name in ("customer_key", "created_at"))
    of = Histories.of(key, time, backend)
    difference = backend.xp.asarray((found["positive"] - found["negative"]).values)
    mood = backend.xp.rint(difference * _PARTS).astype("int64")
    is_recent = (time > (moment - _WINDOW).astype("int64")).astype("int64")
    count, recent, total, recent_total = (
        of.at(customers, of.sums(values))
        for values in (backend.xp.ones_like(mood), is_recent, mood, mood * is_recent)
    )
    return {
        "texts": count,
        "texts_last_90_days": recent,
        "mean_mood": divided(total, count, backend) / _PARTS,
        "mean_mood_last_90_days": divided(recent_total, recent, backend) / _PARTS,
    }
