"""Drift: whether what a table's columns hold has changed since a baseline.

Numbers and times of day are compared by the two-sample Kolmogorov-Smirnov test, categories and
missing values by Pearson's chi-squared test. A column has drifted where both hold: chance does
not explain it (Holm's procedure over the columns keeps the odds of any false alarm below
`false_alarms`), and at least `shift` of the rows would have to change. The population stability
index stands beside them for those who know it by its rules of thumb (0.1, 0.25), which no sample
size is part of.

Sources: Stephens, Use of the Kolmogorov-Smirnov, Cramer-Von Mises and related statistics without
extensive tables, JRSS B 32 (1970), for p at finite sizes; Holm, A simple sequentially rejective
multiple test procedure, Scand. J. Statist. 6 (1979); Yurdakul, Statistical properties of the
population stability index, Western Michigan University (2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Comparison", "Kind", "categories_compared", "drifted", "numbers_compared"]

Kind = Literal["numbers", "times of day", "categories", "missing"]
Counts = npt.NDArray[np.int64]

_PSI_BINS = 10
_FEWEST_EXPECTED = 5.0  # of a cell of a chi-squared test (Cochran 1954)
_FEWEST_ROWS = 50  # on each side: below, the tests' approximations are off


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One column before and now.

    `distance` is the largest difference between the shares of rows below any value (numbers), or
    the share of rows that would have to change category; both from 0 to 1. `p_value` is None
    where there are too few rows to judge.
    """

    column: str
    kind: Kind
    rows_before: int
    rows_now: int
    distance: float
    p_value: float | None
    psi: float
    drifted: bool = False


def numbers_compared(column: str, kind: Kind, before: Counts, now: Counts) -> Comparison:
    """Two samples as counts in the same bins, ascending: the test on bins is conservative."""
    n, m = int(before.sum()), int(now.sum())
    below = np.cumsum(before) / max(n, 1) - np.cumsum(now) / max(m, 1)
    distance = float(np.abs(below).max(initial=0.0)) if n and m else 0.0
    return Comparison(
        column=column,
        kind=kind,
        rows_before=n,
        rows_now=m,
        distance=distance,
        p_value=_kolmogorov(distance, n, m) if min(n, m) >= _FEWEST_ROWS else None,
        psi=_psi(*_pooled(before, now)),
    )


def categories_compared(column: str, kind: Kind, before: Counts, now: Counts) -> Comparison:
    """Two samples as counts of the same categories, in any order."""
    n, m = int(before.sum()), int(now.sum())
    distance = float(np.abs(before / n - now / m).sum() / 2) if n and m else 0.0
    return Comparison(
        column=column,
        kind=kind,
        rows_before=n,
        rows_now=m,
        distance=distance,
        p_value=_chi_squared(before, now) if min(n, m) >= _FEWEST_ROWS else None,
        psi=_psi(before, now),
    )


def drifted(
    compared: Sequence[Comparison], *, false_alarms: float = 0.01, shift: float = 0.1
) -> list[bool]:
    """Which of the columns have drifted, in the order given."""
    judged = [i for i, one in enumerate(compared) if one.p_value is not None]
    ranked = sorted(judged, key=lambda i: compared[i].p_value or 0.0)
    found = [False] * len(compared)
    for place, i in enumerate(ranked):
        one = compared[i]
        if one.p_value is None or one.p_value > false_alarms / (len(ranked) - place):
            break
        found[i] = one.distance >= shift
    return found


def _kolmogorov(distance: float, n: int, m: int) -> float:
    from scipy.special import kolmogorov

    size = sqrt(n * m / (n + m))
    return float(kolmogorov((size + 0.12 + 0.11 / size) * distance))


def _chi_squared(before: Counts, now: Counts) -> float:
    """The odds of such counts where both are of one distribution; rare categories count as one."""
    from scipy.special import chdtrc

    table = np.stack([before, now]).astype("float64")
    smaller = table.sum(axis=1).min() / table.sum()
    rare = table.sum(axis=0) * smaller < _FEWEST_EXPECTED
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(chdtrc(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))


def _pooled(before: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Fine bins as ten that hold about a tenth of the baseline each."""
    reached = np.cumsum(before) - before / 2
    bins = np.minimum(reached * _PSI_BINS // max(int(before.sum()), 1), _PSI_BINS - 1)
    codes = bins.astype("int64")
    return (
        np.bincount(codes, weights=before, minlength=_PSI_BINS).astype("int64"),
        np.bincount(codes, weights=now, minlength=_PSI_BINS).astype("int64"),
    )


def _psi(before: Counts, now: Counts) -> float:
    """Half a row in each cell keeps what one side lacks finite."""
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (before, now))
    return float(((q - p) * np.log(q / p)).sum())
