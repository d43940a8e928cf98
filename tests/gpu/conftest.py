"""The device that these tests run on."""

import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import DeviceError


@pytest.fixture(scope="session")
def gpu_backend() -> Backend:
    """The GPU; without one the test is skipped with what the backend says is missing."""
    try:
        return Backend.choose("gpu")
    except DeviceError as error:
        pytest.skip(str(error))
