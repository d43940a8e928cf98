"""What the tests of forecasting share."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every test whatever ran before it."""
    return np.random.default_rng(5)
