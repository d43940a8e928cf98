"""Customers of planted kinds, of none, and as they are a week later, for tests of segments."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.segmentation import FEATURES

Floats = npt.NDArray[np.float64]

# Of four kinds of customer what `FEATURES` say in the middle: champions, new ones, those who
# stopped buying, and bargain hunters, who came once.
KINDS = np.array(
    [
        [3, 40, 900_000, 0.01, 9, 10],
        [20, 4, 30_000, 0.01, 30, 3],
        [300, 12, 90_000, 0.01, 40, 0],
        [150, 1, 2_000, 0.25, np.nan, 0],
    ]
)


def customers(values: Floats) -> pd.DataFrame:
    """Rows of `FEATURES`, with a key each."""
    frame = pd.DataFrame(values, columns=list(FEATURES))
    frame.insert(0, "customer_key", np.arange(len(values)) * 7919 - 10**6)
    return frame


def planted(
    *, each: int = 60, noise: float = 0.15, seed: int = 1
) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Customers of the four kinds, mixed, and which kind each is of."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.repeat(np.arange(len(KINDS)), each))
    values = KINDS[kind] * rng.lognormal(0, noise, (len(kind), len(FEATURES)))
    return customers(values), kind


def scattered(*, rows: int = 400, seed: int = 2) -> pd.DataFrame:
    """Customers without any groups."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.3, rows)
    columns = [
        rng.exponential(90, rows),
        orders,
        rng.lognormal(9, 1.2, rows).round(),
        rng.beta(1, 9, rows),
        np.where(orders > 1, rng.exponential(40, rows), np.nan),
        np.minimum(orders, rng.poisson(1, rows)),
    ]
    return customers(np.stack(columns, axis=1).astype("float64"))


def drifted(frame: pd.DataFrame, *, noise: float, seed: int, **factors: float) -> pd.DataFrame:
    """The same customers some time later: each column by its factor, each number by some noise."""
    rng = np.random.default_rng(seed)
    moved: dict[str, Any] = {
        name: frame[name] * factors.get(name, 1.0) * rng.lognormal(0, noise, len(frame))
        for name in FEATURES
    }
    return frame.assign(**moved)
