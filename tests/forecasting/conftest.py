"""What the tests of forecasting share."""

import numpy as np
import pandas as pd
import pytest

from forecasting.planted_shop import HORIZON, KNOWN_AHEAD, planted_shop, split
from gpu_pipeline.forecasting import DemandForecaster


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every test whatever ran before it."""
    return np.random.default_rng(5)


@pytest.fixture(scope="session")
def planted() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A shop large enough for regressors to speak: its history, and what comes after it."""
    return split(planted_shop(np.random.default_rng(5)))


@pytest.fixture(scope="session")
def planted_forecaster(planted: tuple[pd.DataFrame, pd.DataFrame]) -> DemandForecaster:
    """A forecaster of the history of that shop, and of its groups and cities."""
    return DemandForecaster(
        horizon=HORIZON, known_ahead=KNOWN_AHEAD, hierarchy=["group", "city"], windows=3, seed=1
    ).fit(planted[0])
