"""Where the data lie that nobody here made, for tests that can do without."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def real_data(name: str) -> Path:
    """A file of the folder `data` in any folder beside the checkout; the test skips without it."""
    found = sorted(ROOT.parent.glob(f"*/data/{name}"))
    if not found:
        pytest.skip(f"no {name} in a data folder beside the checkout")
    return found[0]
