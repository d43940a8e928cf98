"""Preview: what landing files would become, without a lake."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest.duplicates import with_row_numbers
from gpu_pipeline.ingest.planning import LandingFile, Plan
from gpu_pipeline.ingest.reading import Block, read_blocks
from gpu_pipeline.ingest.rows import typed_rows
from gpu_pipeline.privacy import new_key

__all__ = ["Preview", "previewed"]


@dataclass(frozen=True)
class Preview:
    """A file under its contract: how many rows pass, why the others don't, and what one looks like.

    `first` is a host frame with the first row that passes, or none. Duplicates are not looked
    for: that takes a lake.
    """

    name: str
    contract: str
    accepted: int
    rejected: int
    reasons: Mapping[str, int]
    first: pd.DataFrame


def previewed(plan: Plan, *, backend: Backend) -> Iterator[Preview]:
    """Each file of a plan, read to its end; pseudonyms are made with a key that is thrown away.

    Raises:
        IngestError: a file can't be read.
    """
    key = new_key()
    for file in plan.files:
        yield _previewed(file, key, backend)


def _previewed(file: LandingFile, key: str, backend: Backend) -> Preview:
    accepted, reasons, first = 0, Counter[str](), backend.empty(file.feed.found)
    for block in read_blocks(file.path, file.feed.dialect):
        typed = typed_rows(
            Block(file.landed(block.table, key=key), block.lines, block.broken),
            file.feed.found,
            file_no=file.file_no,
            key=key,
            time_zone=file.feed.time_zone,
            backend=backend,
        )
        first = first if len(first) else typed.accepted.head(1)
        accepted += len(typed.accepted)
        reasons.update(backend.to_pandas(typed.rejected)["reasons"].tolist())
    return Preview(
        name=file.name,
        contract=file.feed.contract,
        accepted=accepted,
        rejected=reasons.total(),
        reasons=reasons,
        first=backend.to_pandas(with_row_numbers(first, file.feed.found, backend)),
    )
