"""Landing files of every kind, and what became of them in a lake."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gpu_pipeline.ingest import FileMapping, FileReport, ingest
from gpu_pipeline.store import Lake

Row = Mapping[str, object]

ORDER: Row = {
    "order_id": "536365",
    "line_no": "1",
    "customer_id": "17850",
    "ordered_at": "2026-01-15T12:00:00Z",
    "product_id": "85123A",
    "product_name": "WHITE HANGING HEART",
    "quantity": "6",
    "unit_price": "2.55",
    "discount": "",
    "currency": "GBP",
    "country": "United Kingdom",
    "line_type": "sale",
}
EVENT: Row = {
    "event_id": "e-1",
    "customer_id": "17850",
    "visitor_id": "v-1",
    "occurred_at": "2026-01-15T12:00:00Z",
    "event_type": "view",
    "product_id": "85123A",
    "channel": "search",
    "device": "phone",
}
REVIEW: Row = {
    "review_id": "r-1",
    "customer_id": "17850",
    "created_at": "2026-01-15T12:00:00Z",
    "product_id": "85123A",
    "rating": "4",
    "text": "The heart is white and it hangs.",
    "language": "en",
}


def orders(*changes: Row) -> list[Row]:
    """An order line for each set of changes."""
    return [{**ORDER, **change} for change in changes]


def write(path: Path, rows: Sequence[Row]) -> Path:
    """The rows as a file of the kind and compression that its name says; blank is missing."""
    kind, compression = path.suffix, ""
    if kind in (".gz", ".zst"):
        kind, compression = Path(path.stem).suffix, kind
    content = {".csv": as_csv, ".jsonl": as_jsonl, ".parquet": as_parquet}[kind](rows)
    if compression == ".gz":
        content = gzip.compress(content)
    elif compression == ".zst":
        content = pa.compress(content, codec="zstd", asbytes=True)
    path.write_bytes(content)
    return path


def as_csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_jsonl(rows: Sequence[Row]) -> bytes:
    said = [{name: value for name, value in row.items() if value not in ("", None)} for row in rows]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in said).encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    columns = {
        name: [None if row.get(name) in ("", None) else row.get(name) for row in rows]
        for name in names(rows)
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=max(len(rows) // 2, 1))
    return sink.getvalue()


def names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def load(lake: Lake, path: Path, mapping: FileMapping | None = None) -> FileReport:
    """The report of one file, whose rows must all be accounted for."""
    (report,) = ingest(lake, path, mapping=mapping).files
    assert report.rows == report.accepted + report.rejected + report.duplicates
    return report


def counts(report: FileReport) -> tuple[int, int, int]:
    return report.accepted, report.rejected, report.duplicates


def accepted(lake: Lake, table: str = "orders") -> pd.DataFrame:
    """The rows of a table by their lines."""
    frame = lake.read(table).compute(scheduler="sync")
    return frame.sort_values(["file_no", "line"]).reset_index(drop=True)


def rejected(lake: Lake, table: str = "orders") -> pd.DataFrame:
    return accepted(lake, f"{table}_rejected")


def said(frame: pd.DataFrame) -> pd.DataFrame:
    """What the rows say, in an order of their own: not from which file and line they came."""
    frame = frame.drop(columns=["file_no", "line"])
    return frame.sort_values(list(frame.columns)).reset_index(drop=True)


def faults(lake: Lake, table: str = "orders") -> list[tuple[int, str]]:
    """(line, reasons) of each rejected row."""
    frame = rejected(lake, table)
    return list(zip(frame["line"].tolist(), frame["reasons"].tolist(), strict=True))
