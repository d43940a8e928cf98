"""What most tests need: the CPU, and an empty lake with a key that never changes."""

from pathlib import Path

import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.store import Lake

KEY = "0123456789abcdef" * 4


@pytest.fixture(scope="session")
def backend() -> Backend:
    return Backend.choose("cpu")


@pytest.fixture
def lake(tmp_path: Path, backend: Backend) -> Lake:
    return Lake.create(tmp_path / "lake", buckets=4, backend=backend, key=KEY)
