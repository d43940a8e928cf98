"""A generated shop, its files read by means that share nothing with what wrote them."""

import csv
import gzip
import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from gpu_pipeline.contracts import contract
from gpu_pipeline.synthetic import FILES, Truth

TEXT_IDS = {
    "reviews": "review_id",
    "feedback": "feedback_id",
    "social": "post_id",
    "support": "message_id",
}
Record = dict[str, Any] | None


def lines_of(path: Path) -> list[str]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return text.decode().splitlines()


def csv_records(path: Path) -> list[Record]:
    header, *rows = csv.reader(io.StringIO("\n".join(lines_of(path))))
    return [
        {name: cell or None for name, cell in zip(header, row, strict=True)}
        if len(row) == len(header)
        else None
        for row in rows
    ]


def json_record(line: str) -> Record:
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found


def records(path: Path) -> list[Record]:
    """The records in order; None for one that is broken."""
    if ".csv" in path.suffixes:
        return csv_records(path)
    if ".jsonl" in path.suffixes:
        return [json_record(line) for line in lines_of(path)]
    return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def planted(truth: Truth, name: str) -> pd.DataFrame:
    """A table of what was planted; its moments in UTC, tz-naive."""
    frame = pq.read_table(truth.directory / "truth" / f"{name}.parquet").to_pandas()
    for column in frame.select_dtypes("datetimetz"):
        frame[column] = frame[column].dt.tz_localize(None)
    return frame


@dataclass
class Shop:
    """The sources of a shop of one cell as frames."""

    truth: Truth

    def table(self, source: str) -> pd.DataFrame:
        frame = pd.DataFrame(records(self.truth.directory / FILES[source]))
        for column in contract(source).columns:
            if column.type == "timestamp" and column.name in frame:
                texts = frame[column.name]
                frame[column.name] = pd.to_datetime(texts, format="%Y-%m-%dT%H:%M:%SZ")
        return frame

    def planted(self, name: str) -> pd.DataFrame:
        return planted(self.truth, name)

    @cached_property
    def orders(self) -> pd.DataFrame:
        frame = self.table("orders")
        numbers = {"line_no": int, "quantity": int}
        money = {"unit_price": float, "discount": float, "refunded": float}
        return frame.astype({**numbers, **money})

    @cached_property
    def sales(self) -> pd.DataFrame:
        return self.orders[self.orders["line_type"] == "sale"]

    @cached_property
    def products(self) -> pd.DataFrame:
        return self.table("products").astype({"price": float})

    @cached_property
    def clicks(self) -> pd.DataFrame:
        return self.table("clickstream")

    @cached_property
    def human_clicks(self) -> pd.DataFrame:
        return self.clicks[~self.clicks["visitor_id"].isin(self.planted("bots")["visitor_id"])]

    @cached_property
    def texts(self) -> pd.DataFrame:
        """Every text with what was planted: source, id, created_at, product_id, text, …"""
        parts = []
        for source, key in TEXT_IDS.items():
            frame = self.table(source).rename(columns={key: "id", "sent_at": "created_at"})
            parts.append(frame.assign(source=source))
        return pd.concat(parts).merge(
            self.planted("texts"), on=["source", "id"], validate="one_to_one"
        )
