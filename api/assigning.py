"""Assigning: the published model of segments, applied to customers as they come."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.publish import Snapshot
from gpu_pipeline.segmentation import SegmentModel, explained

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

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self | None:
        """That of the snapshot; None where no model is published with it."""
        row = snapshot.model("segments")
        if row is None:
            return None
        document = json.loads(row["document"])
        backend = Backend.choose("cpu")
        model = SegmentModel.of_document(document, backend=backend)
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

    def assign(self, customers: Sequence[Mapping[str, float | None]]) -> list[dict[Any, Any]]:
        """segment, name, distance and reason_1 to reason_3 of each, in order."""
        columns = {name: [one[name] for one in customers] for name in self.features}
        frame = pd.DataFrame(columns, dtype="float64")
        frame.insert(0, "customer_key", np.arange(len(frame)))
        rows = explained(self._model, frame).astype(object)
        told = rows.where(rows.notna(), None).to_dict("records")
        return [{**row, "name": self._names.get(row["segment"])} for row in told]
