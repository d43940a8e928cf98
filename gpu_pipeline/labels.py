"""Labels: a column of texts as codes in their order, which array code can sort and count."""

from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Series

__all__ = ["Labels"]


@dataclass(frozen=True)
class Labels:
    """A column of texts as codes into `texts`, which are sorted; a null has the last code."""

    codes: Array
    texts: Series

    @classmethod
    def of(cls, values: Series, backend: Backend) -> Self:
        """The texts of a column."""
        xp = backend.xp
        codes, unique = values.factorize()
        count = len(unique)
        order = xp.asarray(unique.argsort())
        rank = xp.full(count + 1, count, dtype=xp.int64)
        rank[order] = xp.arange(count)
        # A null has the code -1: the place at the end.
        return cls(rank[xp.asarray(codes)], backend.frames.Series(unique.take(order)))

    def text(self, codes: Array, backend: Backend) -> Series:
        """The texts of these codes; null where there was none."""
        nothing = backend.frames.Series([None], dtype="str")
        whole: Series = backend.frames.concat([self.texts, nothing], ignore_index=True)
        return whole.take(codes).reset_index(drop=True)
