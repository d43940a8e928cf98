"""Columns of the synthetic shop: drawing codes, and rendering them as text."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Rng: TypeAlias = np.random.Generator

HOUR, DAY = 3_600, 86_400  # seconds
# Orders by hour of the day (UTC): few at night, most in the evening.
_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 9, 10, 10, 9, 9, 9, 10, 12, 14, 16, 16, 13, 8, 4)


@dataclass(frozen=True)
class Rows:
    """Columns of equal length that are cut and stacked together."""

    def take(self, rows: Ints | Mask) -> Self:
        """These rows, copied."""
        return type(self)(*(getattr(self, one.name)[rows] for one in fields(self)))

    @classmethod
    def stacked(cls, *parts: Self) -> Self:
        """The rows of all parts, one after the other."""
        names = [one.name for one in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def positions(counts: Ints) -> Ints:
    """0, 1, … within each group, for groups of these sizes that lie one after the other."""
    first = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(first, counts)


def chosen(odds: Sequence[float], count: int, rng: Rng) -> Ints:
    """`count` codes with these odds."""
    return np.searchsorted(np.cumsum(odds)[:-1], rng.random(count), side="right")


def drawn(odds: Floats, row: Ints, rng: Rng) -> Ints:
    """For each entry of `row` a column of `odds`, as likely as that row says."""
    reached = np.cumsum(odds, axis=1)
    reached = reached / reached[:, -1:] + np.arange(len(odds))[:, None]
    column = np.searchsorted(reached.ravel(), row + rng.random(len(row)), side="right")
    return np.clip(column - row * odds.shape[1], 0, odds.shape[1] - 1)


def seconds_of_day(count: int, rng: Rng) -> Ints:
    """`count` times of day in seconds, most in the evening."""
    reached = np.cumsum((0, *_HOURS)) / sum(_HOURS)
    return (np.interp(rng.random(count), reached, np.arange(25)) * HOUR).astype(np.int64)


def labels(names: Sequence[str], codes: Ints) -> pa.Array:
    """The name of each code; null where it is -1."""
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def numbered(prefix: str, numbers: Ints, digits: int) -> pa.Array:
    """Ids such as C0000017; null where the number is -1."""
    text = pa.array(numbers, mask=numbers < 0).cast(pa.string())
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(text, digits, "0"), "")


def integers(values: Ints) -> pa.Array:
    """Whole numbers as text."""
    return pa.array(values).cast(pa.string())


def decimals(values: Ints, places: int = 2) -> pa.Array:
    """Numbers of that many decimals as text, from their integer multiples: 1299 is 12.99."""
    if places == 0:
        return integers(values)
    whole, rest = np.divmod(values, 10**places)
    fraction = pc.utf8_lpad(integers(rest), places, "0")
    return pc.binary_join_element_wise(integers(whole), fraction, ".")


def amounts(values: Ints, places: Ints) -> pa.Array:
    """Numbers as text, each with so many decimals as `places` says for it."""
    texts = decimals(values, 2)
    for own in np.unique(places[places != 2]).tolist():
        rows = places == own
        texts = pc.replace_with_mask(texts, pa.array(rows), decimals(values[rows], own))
    return texts


def moments(seconds: Ints) -> pa.Array:
    """ISO 8601 in UTC, such as 2026-01-31T18:00:00Z; null where it is -1."""
    # Arrow writes times without a zone fifteen times faster than those with one.
    times = pa.array(seconds, mask=seconds < 0).cast(pa.timestamp("s"))
    texts = pc.utf8_replace_slice(times.cast(pa.string()), 10, 11, "T")
    return pc.binary_join_element_wise(texts, "Z", "")
