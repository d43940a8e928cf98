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
        """The texts of a column; of one of categories, those that occur."""
        xp = backend.xp
        if str(values.dtype) == "category":
            return cls._of_categories(values, backend)
        codes, unique = values.factorize()
        count = len(unique)
        order = xp.asarray(unique.argsort())
        rank = xp.full(count + 1, count, dtype=xp.int64)
        rank[order] = xp.arange(count)
        # A null has the code -1: the place at the end.
        return cls(rank[xp.asarray(codes)], backend.frames.Series(unique.take(order)))

    @classmethod
    def _of_categories(cls, values: Series, backend: Backend) -> Self:
        xp = backend.xp
        codes, known = xp.asarray(values.cat.codes.values), values.cat.categories
        # Here too a null has the code -1.
        there = xp.flatnonzero(xp.bincount(codes.astype("int64") + 1, minlength=len(known) + 1)[1:])
        order = there[xp.asarray(known.take(there).argsort())]
        rank = xp.full(len(known) + 1, len(order), dtype=xp.int64)
        rank[order] = xp.arange(len(order))
        return cls(rank[codes], backend.frames.Series(known.take(order)))

    def text(self, codes: Array, backend: Backend) -> Series:
        """The texts of these codes; null where there was none."""
        nothing = backend.frames.Series([None], dtype="str")
        # Where there is no text at all, they may be of another type.
        texts = self.texts.astype("str")
        whole: Series = backend.frames.concat([texts, nothing], ignore_index=True)
        return whole.take(codes).reset_index(drop=True)
