"""Reading a partition: the rows of some files that fulfil conditions, as they were at a moment."""

from collections.abc import Sequence

import numpy as np

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract
from gpu_pipeline.store.conditions import Condition, matching
from gpu_pipeline.store.parts import read_parts

__all__ = ["PartReader"]


class PartReader:
    """Reads the files of one partition; small, sent to workers.

    Of an entity, the version that was true at `as_of` is found first, and only then held to the
    conditions: an older version that fulfils them is not what was true. `early` are those that
    rows may be left out by while they are read.
    """

    def __init__(
        self,
        backend: Backend,
        found: Contract,
        *,
        columns: Sequence[str],
        conditions: Sequence[Condition] = (),
        as_of: np.datetime64 | None = None,
    ) -> None:
        self.backend = backend
        self.contract = found
        self.columns = tuple(columns)
        self.identity = _identity(found) if as_of is not None else ()
        versioned = bool(self.identity)
        self.early = [c for c in conditions if not versioned or c[0] in self.identity]
        self.late = [c for c in conditions if versioned and c[0] not in self.identity]
        if as_of is not None and found.event_time is not None:
            self.early.append((found.event_time, "<=", as_of))

    def __call__(self, paths: Sequence[str]) -> Frame:
        """The rows of these files that are asked for, in the files' order."""
        if not paths:
            return self.backend.empty(self.contract, self.columns)
        needed = dict.fromkeys([*self.columns, *(c[0] for c in [*self.early, *self.late])])
        needed |= dict.fromkeys(self.identity)
        frame = read_parts(
            paths, self.contract, list(needed), conditions=self.early, backend=self.backend
        )
        frame = matching(self._newest(matching(frame, self.early)), self.late)
        return frame[list(self.columns)].reset_index(drop=True)

    def _newest(self, frame: Frame) -> Frame:
        """The last version of each entity."""
        if not self.identity:
            return frame
        ordered = frame.sort_values([*self.identity, str(self.contract.event_time)])
        return ordered.drop_duplicates(subset=list(self.identity), keep="last")


def _identity(found: Contract) -> tuple[str, ...]:
    """What tells one entity from another where the table has versions of it; else nothing."""
    if found.kind == "event" or found.event_time not in found.key:
        return ()
    return tuple(name for name in found.key if name != found.event_time)
