"""Tables of a lake, written by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gpu_pipeline.contracts import contract
from gpu_pipeline.store import Lake


def put(
    lake: Lake,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    note: Mapping[str, Any] | None = None,
) -> None:
    """Makes the rows the table's next version, each in the bucket of its customer.

    What a row lacks is null, or nothing; a required text is "customer".
    """
    found = contract(table)
    frame = pd.DataFrame(rows).reindex(columns=list(found.names))
    numbers = [c.name for c in found.columns if c.required and c.type != "string"]
    texts = [c.name for c in found.columns if c.required and c.type == "string"]
    frame[numbers] = frame[numbers].fillna(0)
    frame[texts] = frame[texts].fillna("customer")
    typed = lake.backend.cast(frame, found)
    with lake.writer() as writer:
        if not found.bucketed:
            parts = list(writer.write(typed, found, number=0))
        else:
            bucket = typed["customer_key"] & (lake.buckets - 1)
            ways = typed.groupby(bucket)
            parts = [p for number, some in ways for p in writer.write(some, found, number=number)]
        writer.commit(found, parts, overwrite=True, note=note)
