"""Days: how many texts and people a product and each of its aspects have, and how they sound."""

from collections.abc import Sequence

from gpu_pipeline.backend import Array, Backend, Frame, Series
from gpu_pipeline.kernels import order_of
from gpu_pipeline.orders import business_day

__all__ = ["COUNTS", "MOOD_COLUMNS", "WHOLE", "daily_counts", "summed"]

WHOLE = ""  # the aspect of a text as a whole
MOOD_COLUMNS = (
    *("source", "text_id", "customer_key", "created_at", "product_id"),
    *("negative", "positive", "label"),
)
_KEY = ["product_id", "aspect", "day"]
COUNTS = (
    *("texts", "negative_texts", "positive_texts", "mood_sum"),
    *("people", "negative_people", "positive_people"),
)
_PAUSE_MICROSECONDS = 7 * 86_400_000_000


def daily_counts(texts: Frame, backend: Backend, *, time_zone: str) -> Frame:
    """product_id, aspect, day and COUNTS of some customers' scored texts (MOOD_COLUMNS, aspect).

    The texts are all of their customers'; those about no product, or without a label, are left
    out. A day is one of the `time_zone`. A person counts among `people` with the first text on a
    series, and again only after a week without one: who writes five times is one voice, and so is
    a conversation. Rows are sorted.
    """
    xp = backend.xp
    told = texts[texts["product_id"].notna() & texts["label"].notna()].reset_index(drop=True)
    columns = [
        backend.as_bits(told["customer_key"]),
        _codes(told["product_id"], backend),
        _codes(told["aspect"], backend),
        backend.as_bits(told["created_at"]),
    ]
    order = order_of(columns, xp) if len(told) else xp.arange(0)
    customer, product, aspect, moment = (column[order] for column in columns)
    is_voice = xp.ones(len(order), dtype=bool)
    again = (customer[1:] == customer[:-1]) & (product[1:] == product[:-1])
    again &= (aspect[1:] == aspect[:-1]) & (moment[1:] - moment[:-1] < _PAUSE_MICROSECONDS)
    is_voice[1:] = ~again
    rows = told.take(order).reset_index(drop=True)
    voice = backend.frames.Series(is_voice)
    negative, positive = rows["label"] == "negative", rows["label"] == "positive"
    counted = rows[["product_id", "aspect"]].assign(
        day=business_day(rows["created_at"], time_zone),
        texts=1,
        negative_texts=negative.astype("int64"),
        positive_texts=positive.astype("int64"),
        mood_sum=rows["positive"] - rows["negative"],
        people=voice.astype("int64"),
        negative_people=(negative & voice).astype("int64"),
        positive_people=(positive & voice).astype("int64"),
    )
    return summed([counted], backend)


def summed(counts: Sequence[Frame], backend: Backend) -> Frame:
    """The counts of several parts as one table, sorted by product, aspect and day."""
    every: Frame = backend.frames.concat(list(counts), ignore_index=True)
    return every.groupby(_KEY, sort=True)[list(COUNTS)].sum().reset_index()


def _codes(values: Series, backend: Backend) -> Array:
    codes: Array = backend.xp.asarray(values.factorize()[0]).astype("int64")
    return codes
