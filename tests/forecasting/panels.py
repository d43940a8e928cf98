"""Panels from plain lists, for tests."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.forecasting import Panel
from gpu_pipeline.forecasting.panel import FREQUENCIES, Freq

CPU = Backend.choose("cpu")
MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001


def panel_of(rows: Sequence[Sequence[float]] | npt.NDArray, freq: Freq = "D") -> Panel:
    """The rows as series "s000", "s001", …, the last periods of which are today's."""
    return Panel.from_frame(frame_of(rows, freq), freq=freq, backend=CPU)


def frame_of(rows: Sequence[Sequence[float]] | npt.NDArray, freq: Freq = "D") -> pd.DataFrame:
    """The same as a long frame, a row for every value, the first on a Monday."""
    y = np.asarray(rows, dtype="float64")
    step = timedelta(microseconds=FREQUENCIES[freq].step_us)
    days = pd.Series([MONDAY + i * step for i in range(y.shape[1])], dtype="datetime64[us]")
    names = [f"s{i:03d}" for i in range(len(y))]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names, y.shape[1]),
            "ds": np.tile(days, len(y)),
            "y": y.ravel(),
        }
    )
