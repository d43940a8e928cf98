"""Examples to learn from: sources of labelled texts, what is held out, and what an epoch draws."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from nlp.errors import ModelError
from nlp.model import LABELS
from nlp.text import normalise

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Examples", "Source", "class_weights", "unique"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_HEAVIEST_CLASS = 3.0  # times an average example
_PLACEHOLDERS = re.compile(r"@user|\bhttp\b")
_MARKS = re.compile(r"[\W_]+")
_KEY_HEX_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Source:
    """Labelled texts from one place.

    `labels` int64 (texts,): 0 negative, 1 neutral, 2 positive. `about`: per text the aspect that
    the label speaks of, None where it is the whole text. `groups`: texts with the same one are
    versions of a single text; an epoch sees one of them. `shares`: how much of the source an epoch
    of each member sees, from 0 to 1; members beyond the last begin with the first again.
    `phrases`: whether phrases are learnt from it too, which takes thousands of long texts.

    Raises:
        ModelError: columns of different lengths, or other labels.
    """

    name: str
    texts: Sequence[str]
    labels: Ints
    about: Sequence[str | None] | None = None
    groups: Sequence[str] | None = None
    shares: tuple[float, ...] = (1.0,)
    phrases: bool = False

    def __post_init__(self) -> None:
        columns = (self.labels, self.about, self.groups)
        if any(column is not None and len(column) != len(self.texts) for column in columns):
            message = f"{self.name}: texts, labels, about and groups differ in length."
            raise ModelError(message)
        found = sorted({*np.asarray(self.labels).tolist()})
        if not found or not {*found} <= {*range(len(LABELS))}:
            message = f"Nothing to learn from {found} in {self.name}: give texts labelled 0, 1, 2."
            raise ModelError(message)

    def take(self, rows: Ints) -> Self:
        """The source with these rows alone."""
        return replace(
            self,
            texts=[self.texts[i] for i in rows],
            labels=self.labels[rows],
            about=None if self.about is None else [self.about[i] for i in rows],
            groups=None if self.groups is None else [self.groups[i] for i in rows],
        )

    def split(self, share: float, seed: int) -> tuple[Self | None, Self]:
        """A part held out and the rest; versions and copies of a text are on one side.

        A text's side follows from its digest: it stays on it when the source grows.
        """
        groups = self.groups or self.copy_keys()
        held = np.array([_drawn(f"{seed}:{group}") < share for group in groups])
        if not held.any() or held.all():
            return None, self
        return self.take(np.flatnonzero(held)), self.take(np.flatnonzero(~held))

    def without(self, copies: frozenset[str]) -> Self:
        """The source without texts whose `copy_keys` are among these.

        Raises:
            ModelError: nothing is left.
        """
        rows = [i for i, key in enumerate(self.copy_keys()) if key not in copies]
        if not rows:
            message = f"{self.name}: every text has a copy among those that are measured on."
            raise ModelError(message)
        return self.take(np.array(rows, dtype=np.int64))

    def copy_keys(self) -> list[str]:
        """Per text what its copies share: letters and digits, without handles, links and case."""
        return [_copy_key(text) for text in self.texts]


def _copy_key(text: str) -> str:
    words = _MARKS.sub(" ", _PLACEHOLDERS.sub(" ", normalise(text).lower()))
    return words.strip() or text


def _drawn(name: str) -> float:
    """A number in [0, 1) that belongs to the name."""
    digits = hashlib.sha256(name.encode()).hexdigest()[:_KEY_HEX_DIGITS]
    return int(digits, 16) / 16**_KEY_HEX_DIGITS


@dataclass(frozen=True)
class Examples:
    """Sources as token ids, ready to learn from.

    `ids` and `second` (the place where the second segment begins; the length if there is none)
    are per example, `labels`, `weights` (of the loss; classes of a source count alike), `source`
    and `group` are arrays (examples,).
    """

    ids: list[list[int]]
    second: list[int]
    labels: Ints
    weights: Floats
    source: Ints
    group: Ints
    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, sources: Sequence[Source], tokenizer: "Tokenizer", longest: int) -> Self:
        """All sources' texts, those that repeat within a source left out."""
        sources = [unique(source) for source in sources]
        ids: list[list[int]] = []
        second: list[int] = []
        for source in sources:
            found = _encoded(source, tokenizer, longest)
            ids += [pair[0] for pair in found]
            second += [pair[1] for pair in found]
        groups = [
            f"{number}:{group}"
            for number, source in enumerate(sources)
            for group in (source.groups or range(len(source.texts)))
        ]
        return cls(
            ids,
            second,
            np.concatenate([source.labels for source in sources]),
            np.concatenate([class_weights(source.labels) for source in sources]),
            np.repeat(np.arange(len(sources)), [len(source.texts) for source in sources]),
            np.unique(np.array(groups), return_inverse=True)[1],
            tuple(source.shares for source in sources),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def drawn(self, rng: np.random.Generator, member: int = 0) -> Ints:
        """The rows of a member's epoch, shuffled: a share of each source, one row of each group."""
        order = rng.permutation(len(self))
        _, first = np.unique(self.group[order], return_index=True)
        rows = order[np.sort(first)]
        source = self.source[rows]
        parts = [
            rows[source == number][
                : round(shares[member % len(shares)] * int((source == number).sum()))
            ]
            for number, shares in enumerate(self.shares)
        ]
        return rng.permutation(np.concatenate(parts))

    def batches(self, size: int, rng: np.random.Generator, member: int = 0) -> Iterator[Ints]:
        """A member's epoch in random batches of like lengths: sorted within 50 batches."""
        rows = self.drawn(rng, member)
        lengths = np.array([len(self.ids[i]) for i in rows])
        batches: list[Ints] = []
        for start in range(0, len(rows), 50 * size):
            pool = slice(start, start + 50 * size)
            part = rows[pool][np.argsort(lengths[pool], kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        for number in rng.permutation(len(batches)):
            yield batches[number]


def unique(source: Source) -> Source:
    """The source without texts that repeat; of copies the last counts."""
    keys = zip(source.texts, source.about or [None] * len(source.texts), strict=True)
    rows = {(normalise(text), about): i for i, (text, about) in enumerate(keys)}
    return source.take(np.fromiter(rows.values(), np.int64, len(rows)))


def class_weights(labels: Ints) -> Floats:
    """Per example: how much it counts, so that the classes that occur count alike."""
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = len(labels) / ((counts > 0).sum() * counts.clip(min=1))
    return weights.clip(max=_HEAVIEST_CLASS)[labels].astype(np.float32)


def _encoded(source: Source, tokenizer: "Tokenizer", longest: int) -> list[tuple[list[int], int]]:
    """Per text its ids, of a long text the beginning and the end, and where the aspect begins."""
    texts = [normalise(text) for text in source.texts]
    about = source.about or [None] * len(texts)
    inputs = [t if a is None else (t, normalise(a)) for t, a in zip(texts, about, strict=True)]
    found = []
    for encoding in tokenizer.encode_batch_fast(inputs):
        ids, types = encoding.ids, encoding.type_ids
        tail = len(types) - sum(types) if any(types) else len(ids)
        excess = len(ids) - longest
        if excess > 0:
            cut = tail // 2 - excess // 2
            ids, tail = ids[: max(cut, 1)] + ids[max(cut, 1) + excess :], tail - excess
        found.append((ids, tail))
    return found
