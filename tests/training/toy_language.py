"""A language of a dozen words in which one word tells the label."""

import numpy as np
from tiny_model import WORDS

from nlp.training import Source

FILLERS, *MOODS = (words.split() for words in WORDS)


def toy_texts(count: int, *, seed: int = 0) -> tuple[list[str], list[int]]:
    """Sentences in which one word tells the label, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    texts = [
        " ".join([*rng.choice(FILLERS, 5), rng.choice(MOODS[label]), *rng.choice(FILLERS, 2)])
        for label in labels
    ]
    return texts, labels.tolist()


def toy_source(count: int, *, seed: int = 0) -> Source:
    texts, labels = toy_texts(count, seed=seed)
    return Source(name="toys", texts=texts, labels=np.array(labels))


def toy_pairs(count: int, *, seed: int = 0) -> Source:
    """Sentences with a bad and a good thing, asked about one of the two."""
    rng = np.random.default_rng(seed)
    first, second = ("phone", "very")  # two words of the vocabulary, as names of things
    texts, about, labels = [], [], []
    for _ in range(count):
        moods = rng.permutation([0, 2])
        things = rng.permutation([first, second])
        words = [str(rng.choice(MOODS[mood])) for mood in moods]
        texts.append(f"{things[0]} {words[0]} and {things[1]} {words[1]}")
        asked = int(rng.integers(2))
        about.append(str(things[asked]))
        labels.append(int(moods[asked]))
    return Source(name="pairs", texts=texts, labels=np.array(labels), about=about)
