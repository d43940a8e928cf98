"""Assignment: which centre is nearest, the same for a whole shop and for one customer."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.segmentation.preparation import Floats, Preparation

__all__ = ["OUTLIER", "Anchors", "Ints"]

Ints = npt.NDArray[np.int64]

OUTLIER = -1


@dataclass(frozen=True)
class Anchors:
    """The places that customers are assigned by: the nearest one's segment is theirs.

    `places` (anchors, features) in standard deviations, `rows` (anchors,) the number of each
    one's segment, `reach` (anchors,) how far from it a customer may be and still belong, or None
    where all do.
    """

    places: Floats
    rows: Ints
    reach: Floats | None = None

    @classmethod
    def of_centres(cls, centres: Floats) -> "Anchors":
        """One for each segment, and no outliers."""
        return cls(centres, np.arange(len(centres)))

    def renumbered(self, rows: Ints) -> "Anchors":
        """The same with segment i as `rows[i]`; one place a segment is put in their order."""
        numbers = rows[self.rows]
        order = np.argsort(numbers, kind="stable")
        reach = None if self.reach is None else self.reach[order]
        return Anchors(self.places[order], numbers[order], reach)

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        reach = None if self.reach is None else self.reach.tolist()
        return {"places": self.places.tolist(), "rows": self.rows.tolist(), "reach": reach}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> "Anchors":
        """What `document` gave."""
        reach = document["reach"]
        return cls(
            np.asarray(document["places"], dtype="float64"),
            np.asarray(document["rows"], dtype="int64"),
            None if reach is None else np.asarray(reach, dtype="float64"),
        )

    def assigned(
        self, columns: Sequence[Array], preparation: Preparation, backend: Backend
    ) -> tuple[Array, Array]:
        """(number of the segment or `OUTLIER`, distance to the nearest place) for each row.

        `columns` are the features as they came; a piece of them is prepared at a time, on all
        cores.
        """

        def of_piece(first: int) -> tuple[Array, Array]:
            piece = [column[first : first + backend.rows_at_once] for column in columns]
            return self._of_points(preparation.columns(piece, backend), backend)

        firsts = range(0, max(1, len(columns[0])), backend.rows_at_once)
        if len(firsts) == 1:
            return of_piece(0)  # one customer must not wait for threads to start
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            labels, distances = zip(*pool.map(of_piece, firsts), strict=True)
        return backend.xp.concatenate(labels), backend.xp.concatenate(distances)

    def host_labels(self, points: Floats) -> Ints:
        """The segments' numbers of points (customers, features) on the host."""
        labels, _ = self._of_points(list(points.T.copy()), Backend.choose("cpu"))
        return labels

    def _of_points(self, columns: Sequence[Array], backend: Backend) -> tuple[Array, Array]:
        xp = backend.xp
        place, squares = _nearest(columns, self.places, xp)
        distances = xp.sqrt(squares)
        labels = xp.asarray(self.rows)[place]
        if self.reach is not None:
            labels = xp.where(distances <= xp.asarray(self.reach)[place], labels, OUTLIER)
        return labels, distances


def _nearest(columns: Sequence[Array], centres: Floats, xp: ModuleType) -> tuple[Array, Array]:
    """Number and squared distance; one operation at a time, so that no batch changes a bit."""
    least = _squares(columns, centres[0])
    label = xp.zeros(len(least), dtype=xp.int64)
    for number, centre in enumerate(centres[1:], 1):
        squares = _squares(columns, centre)
        label = xp.where(squares < least, number, label)
        least = xp.minimum(least, squares)
    return label, least


def _squares(columns: Sequence[Array], centre: Floats) -> Array:
    """Feature by feature: a matrix product would sum in another order for another batch."""
    total = columns[0] - float(centre[0])
    total *= total
    for column, middle in zip(columns[1:], centre[1:], strict=True):
        away = column - float(middle)
        away *= away
        total += away
    return total
