"""A text has on a GPU the score that it has on a CPU, whoever else is in the batch."""

import numpy as np
import pytest
import torch

from nlp import SentimentModel
from nlp.model import Precision

WORDS = (
    *("the", "phone", "is", "great", "awful", "okay", "battery", "screen", "never"),
    *("again", "love", "it", "why", "so", "slow"),
)


@pytest.fixture(scope="module")
def cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device: torch.cuda.is_available() is False")


@pytest.fixture(scope="module")
def texts(cuda: None) -> list[str]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 60, 400)
    return [*(" ".join(rng.choice(WORDS, size)) for size in lengths), "word " * 1200]


@pytest.fixture(scope="module")
def exact(texts: list[str]) -> np.ndarray:
    return SentimentModel.load(device="cpu", precision="float32").score(texts)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-4), ("bfloat16", 0.03)])
def test_scores_are_those_of_the_cpu(
    texts: list[str], exact: np.ndarray, precision: Precision, most: float
) -> None:
    model = SentimentModel.load(device="cuda", precision=precision)
    together = model.score(texts)
    alone = np.concatenate([model.score([text]) for text in texts[::20]])
    assert np.abs(together - exact).max() < most
    assert np.abs(together[::20] - alone).max() < most
    flipped = together.argmax(axis=1) != exact.argmax(axis=1)
    top, second = np.sort(exact, axis=1)[:, :-3:-1].T
    assert (top - second)[flipped].max(initial=0) < 0.05
