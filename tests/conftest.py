"""What most tests need: the CPU, and an empty lake with a key that never changes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.store import Lake

if TYPE_CHECKING:
    from nlp import SentimentModel

KEY = "0123456789abcdef" * 4


@pytest.fixture(scope="session")
def backend() -> Backend:
    return Backend.choose("cpu")


@pytest.fixture(scope="session")
def bundled() -> "SentimentModel":
    """The bundled model, exact; read once, since that takes a second."""
    from nlp import SentimentModel

    return SentimentModel.load(device="cpu", precision="float32")


@pytest.fixture
def lake(tmp_path: Path, backend: Backend) -> Lake:
    return Lake.create(tmp_path / "lake", buckets=4, backend=backend, key=KEY)


@pytest.fixture(autouse=True)
def no_cluster_is_left() -> Iterator[None]:
    """A client that outlives its test would take the next one's work, and never answer."""
    yield
    distributed = sys.modules.get("distributed.client")
    client = distributed._get_global_client() if distributed is not None else None
    if client is not None:
        client.close(timeout=2)
        distributed._set_global_client(None)
