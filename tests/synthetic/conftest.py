"""Two shops that most tests here look at."""

import pytest
from made_shop import Shop

from gpu_pipeline.synthetic import Truth, generate


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A clean shop, large enough that what was planted shows."""
    folder = tmp_path_factory.mktemp("shop")
    return Shop(generate(folder, customers=900, days=120, seed=7, damage=0))


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A small shop with many damaged rows."""
    folder = tmp_path_factory.mktemp("damaged")
    return generate(folder, customers=150, days=60, seed=7, damage=0.03)
