"""From a file of orders or features to a file of segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa

from gpu_pipeline.backend import Backend
from gpu_pipeline.errors import IngestError
from gpu_pipeline.file_rows.rejecting import Rejected, rejecting
from gpu_pipeline.file_rows.writing import write_table
from gpu_pipeline.ingest.reading import plain_names
from gpu_pipeline.ingest.writing import check_output
from gpu_pipeline.segment_files.columns import FeatureColumns, OrderColumns, columns_of
from gpu_pipeline.segment_files.feature_file import FeatureFile
from gpu_pipeline.segment_files.order_file import OrderFile
from gpu_pipeline.segmentation import REASONS, SegmentModel, explained

__all__ = ["OUTPUT_COLUMNS", "SegmentedFile", "segment_file"]

OUTPUT_COLUMNS = ("segment", "segment_name", *REASONS, "distance")
_BOUGHT_NOTHING = "bought nothing by then"


@dataclass(frozen=True, kw_only=True)
class SegmentedFile:
    """What came of a file: rows taken and rejected, customers, their segments and the model.

    `taken_as` says in words which columns were taken for what; `customers_without` are those who
    bought nothing by `as_of` (None for a file of features).
    """

    rows: int
    rejected: Mapping[str, int]
    rejected_rows: int
    customers: int
    customers_without: int
    taken_as: str
    as_of: datetime | None
    profiles: pd.DataFrame
    model: SegmentModel


def segment_file(
    source: Path,
    output: Path,
    *,
    customer: str,
    time: str | None = None,
    amount: str | None = None,
    order: str | None = None,
    quantity: str | None = None,
    features: Sequence[str] = (),
    time_format: str | None = None,
    as_of: datetime | None = None,
    n_segments: int = 0,
    method: Literal["kmeans", "hdbscan"] = "kmeans",
    seed: int = 0,
    profiles: Path | None = None,
    rejected: Path | None = None,
    backend: Backend | None = None,
) -> SegmentedFile:
    """Writes each customer of `source` with its segment, and why it is there, in order of its id.

    Kinds of file follow from their endings: .csv, .jsonl, .parquet, optionally .gz or .zst. A file
    of orders has a row an order or an order line: features are those that the pipeline makes of
    orders, as of the latest time in the file or of `as_of` (UTC). A file of features has a row a
    customer. Columns that are not named are recognised by usual names (`columns_of`); with a
    `quantity`, `amount` is the price of a unit. `n_segments` 0 chooses how many there are.

    Rows that can't be used are counted by reason, and written to `rejected`, with their record
    numbers, where that is given; `profiles` gets a row a segment. Outputs appear whole or not at
    all. A customer who only sent things back has no segment.

    Raises:
        IngestError: the source can't be read, has no such column or no sound row, or columns that
            are needed can't be told; an output's folder or kind is not there.
        PipelineError: too few customers differ.
    """
    for path in (output, profiles):
        if path is not None:
            check_output(path)
    columns = columns_of(
        source,
        plain_names(source),
        customer=customer,
        time=time,
        amount=amount,
        order=order,
        quantity=quantity,
        features=features,
    )
    _check_customer(source, customer)
    backend = backend if backend is not None else Backend.choose()
    with rejecting(rejected) as refused:
        file = _read(source, columns, refused, time_format=time_format, as_of=as_of)
        frame = file.features(backend)
        if not len(frame):
            message = (
                f"Nobody in {source} bought anything until {file.as_of}: it has only returns, or "
                "--as-of is too early."
            )
            raise IngestError(message)
        model = SegmentModel(
            n_segments=n_segments, features=file.names, method=method, seed=seed, backend=backend
        ).fit(frame)
        # There is no run before, to have grown from.
        described = model.describe(frame).drop(columns="growth", errors="ignore")
        customers = backend.to_pandas(explained(model, frame))
        write_table(output, _output(customer, file.ids, customers, described))
        if profiles is not None:
            write_table(profiles, pa.Table.from_pandas(described, preserve_index=False))
    return SegmentedFile(
        rows=len(file),
        rejected=dict(refused.counts),
        rejected_rows=refused.rows,
        customers=len(file.ids),
        customers_without=len(file.ids) - len(frame),
        taken_as=file.said,
        as_of=file.as_of,
        profiles=described,
        model=model,
    )


def _read(
    source: Path,
    columns: OrderColumns | FeatureColumns,
    refused: Rejected,
    *,
    time_format: str | None,
    as_of: datetime | None,
) -> OrderFile | FeatureFile:
    if isinstance(columns, OrderColumns):
        return OrderFile(source, columns, refused, time_format=time_format, as_of=as_of)
    if time_format is not None or as_of is not None:
        message = f"{source} is taken for a file of features: no --as-of, no --time-format there."
        raise IngestError(message)
    return FeatureFile(source, columns, refused)


def _check_customer(source: Path, customer: str) -> None:
    if customer in OUTPUT_COLUMNS:
        message = (
            f"The output has a column {customer!r} of its own: rename that of the customers in "
            f"{source}."
        )
        raise IngestError(message)


def _output(
    customer: str, ids: pa.Array, customers: pd.DataFrame, profiles: pd.DataFrame
) -> pa.Table:
    """A row for each of the ids; null who has no segment."""
    names = profiles.set_index("segment")["name"]
    named = customers.assign(segment_name=customers["segment"].map(names))
    rows = named.set_index("customer_key").reindex(range(len(ids)))
    without = rows["segment"].isna()
    rows["reason_1"] = rows["reason_1"].mask(without, _BOUGHT_NOTHING)
    rows["segment"] = rows["segment"].astype("Int64")
    table = pa.Table.from_pandas(rows[list(OUTPUT_COLUMNS)], preserve_index=False)
    return table.add_column(0, customer, ids)
