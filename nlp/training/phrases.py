"""Learning phrases: a logistic regression of positive against negative texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nlp.model import LABELS
from nlp.model.encoding import Encoder
from nlp.model.phrases import Found, Phrases, phrases_in
from nlp.text import normalise
from nlp.training.examples import Source, class_weights, unique
from nlp.training.plan import TrainingPlan

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from tokenizers import Tokenizer

__all__ = ["known_phrases", "learnt_phrases"]

Ints = npt.NDArray[np.int64]

_NEGATIVE, _POSITIVE = LABELS.index("negative"), LABELS.index("positive")
_ROUNDS = 300


def learnt_phrases(
    sources: Sequence[Source], tokenizer: "Tokenizer", plan: TrainingPlan
) -> Phrases | None:
    """What the phrases of the sources with `phrases` say; None where there are none to compare.

    Classes of a source count alike. Texts that are asked about an aspect teach none.
    """
    from sklearn.linear_model import LogisticRegression

    chosen = [unique(source) for source in sources if source.phrases and source.about is None]
    texts = [text for source in chosen for text in source.texts]
    labels = np.concatenate([*(source.labels for source in chosen), np.empty(0, np.int64)])
    weights = np.concatenate([*(class_weights(s.labels) for s in chosen), np.empty(0)])
    polar = np.flatnonzero((labels == _NEGATIVE) | (labels == _POSITIVE))
    if len(np.unique(labels[polar])) < 2:
        return None
    encoder = Encoder(tokenizer, plan.window_tokens)
    plain = [normalise(texts[i]) for i in polar]
    windows = list(encoder.windows(plain, [None] * len(plain)))
    found = phrases_in(windows, tokenizer.get_vocab_size())
    keys, counts = np.unique(found.keys, return_counts=True)
    keys = keys[counts >= plan.phrase_texts]
    if not len(keys):
        return None
    tokens = np.bincount([w.text for w in windows], [len(w.ids) for w in windows])
    model = LogisticRegression(C=plan.phrase_strength, max_iter=_ROUNDS, fit_intercept=False)
    model.fit(_matrix(found, keys, tokens), labels[polar], sample_weight=weights[polar])
    heaviest = np.argsort(-np.abs(model.coef_[0]), kind="stable")[: plan.most_phrases]
    kept = np.sort(heaviest)
    learnt = model.coef_[0][kept].astype(np.float32)
    return Phrases(keys[kept], learnt, tokenizer.get_vocab_size())


def known_phrases(folder: Path, tokenizer: "Tokenizer") -> Phrases | None:
    """The phrases of the trained model in a folder; None where it has none, or is an encoder."""
    from safetensors.torch import load_file

    return Phrases.of_stored(load_file(folder / "model.safetensors"), tokenizer.get_vocab_size())


def _matrix(found: Found, keys: Ints, tokens: npt.NDArray[np.integer]) -> "csr_matrix":
    """Texts by phrases, each known phrase by the root of its text's tokens."""
    from scipy.sparse import csr_matrix

    place = np.searchsorted(keys, found.keys).clip(max=len(keys) - 1)
    known = keys[place] == found.keys
    owners = found.owners[known]
    values = 1 / np.sqrt(tokens[owners])
    return csr_matrix((values, (owners, place[known])), shape=(len(tokens), len(keys)))
