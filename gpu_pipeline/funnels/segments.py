"""Labels of customers, such as their segments, that journeys are counted by."""

from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.errors import PipelineError

__all__ = ["Segments"]

_PLACE = "__place"


@dataclass(frozen=True)
class Segments:
    """A held frame with one row a customer: who, and the label in the column `name`."""

    frame: Frame
    customer: str
    name: str

    @classmethod
    def of(cls, frame: Frame, customer: str) -> Self:
        """The labels of a frame with these two columns.

        Raises:
            PipelineError: it has others, or a customer twice.
        """
        others = [name for name in frame.columns if name != customer]
        if len(others) != 1 or len(frame.columns) != 2:
            message = (
                f"Segments have the columns {', '.join(frame.columns)}: give {customer!r} and "
                "one column of labels."
            )
            raise PipelineError(message)
        twice = int(frame[customer].duplicated().sum())
        if twice:
            message = f"{twice:,} customers in segments have more than one row: give each its one."
            raise PipelineError(message)
        return cls(frame, customer, others[0])

    def labels(self, customers: Series, backend: Backend) -> Series:
        """The label of each of these customers; null where it has none."""
        asked = customers.to_frame(self.customer).assign(
            **{_PLACE: backend.xp.arange(len(customers))}
        )
        found = asked.merge(self.frame, on=self.customer, how="left").sort_values(_PLACE)
        return found[self.name].astype("str").reset_index(drop=True)
