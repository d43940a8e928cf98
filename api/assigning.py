"""Assigning: the published model of segments, applied to customers as they come."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from gpu_pipeline.backend import Array, Backend
from gpu_pipeline.errors import LakeError, PipelineError
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.segmentation import SegmentModel
from gpu_pipeline.segmentation.assignment import OUTLIER
from gpu_pipeline.segmentation.reasons import phrases, reason_codes

__all__ = ["Assigner", "FeatureFault"]


class FeatureFault(NamedTuple):
    """What is wrong with one feature of one of the customers."""

    place: int
    feature: str
    problem: str


class Assigner:
    """The model that made the segments of a snapshot, with the names that they have there.

    Segment, distance and reasons are those of the batch run for the same features, bit for bit:
    it is the same code on the same numbers.
    """

    def __init__(self, model: SegmentModel, names: Mapping[int, str], backend: Backend) -> None:
        self._model = model
        self._backend = backend
        self._names = names
        self._phrases = phrases(self.features)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self | None:
        """That of the snapshot; None where no model is published with it.

        Raises:
            LakeError: another version of the product wrote it.
        """
        row = snapshot.model("segments")
        if row is None:
            return None
        document = json.loads(row["document"])
        backend = Backend.choose("cpu")
        try:
            model = SegmentModel.of_document(document, backend=backend)
        except PipelineError as error:
            message = f"{snapshot.path}: {error}"
            raise LakeError(message) from error
        names = {one["segment"]: one["name"] for one in snapshot.segments()}
        return cls(model, names, backend)

    @property
    def features(self) -> tuple[str, ...]:
        """What it asks of each customer."""
        return tuple(self._model.features)

    def faults(self, customers: Sequence[Mapping[str, float | None]]) -> Iterator[FeatureFault]:
        """Features that a customer lacks, and those that the model doesn't know."""
        for place, customer in enumerate(customers):
            for name in self.features:
                if name not in customer:
                    yield FeatureFault(place, name, "This feature is missing")
            for name in customer:
                if name not in self.features:
                    known = ", ".join(self.features)
                    yield FeatureFault(place, name, f"No feature of the model: it takes {known}")

    def assign(self, customers: Sequence[Mapping[str, float | None]]) -> list[dict[str, Any]]:
        """segment, name, distance and reasons of each, in order."""
        columns = [
            np.array([one[name] for one in customers], dtype="float64") for name in self.features
        ]
        segments, distances, codes = self._computed(columns)
        return [
            {
                "segment": segment,
                "name": self._names.get(segment),
                "distance": distance,
                "reasons": [told for code in why if (told := self._phrases[code]) is not None],
            }
            for segment, distance, *why in zip(
                segments.tolist(),
                distances.tolist(),
                *(code.tolist() for code in codes),
                strict=True,
            )
        ]

    def _computed(self, columns: Sequence[Array]) -> tuple[Array, Array, list[Array]]:
        """(segments, distances, places of the reasons among the phrases).

        What `explained` does, without its frames: they take most of the time of a single row.
        """
        model, preparation = self._model, self._model.preparation_
        places, distances = model.anchors_.assigned(columns, preparation, self._backend)
        segments = np.append(model.segments_, OUTLIER)[places]
        _, codes = reason_codes(
            np.stack(preparation.columns(columns, self._backend), axis=1),
            segments,
            known=~np.isnan(np.stack(columns, axis=1)),
            centres=model.centres_,
            segments=model.segments_.tolist(),
            backend=self._backend,
        )
        return segments, distances, codes
