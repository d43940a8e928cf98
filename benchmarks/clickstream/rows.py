"""The clickstream that the contenders load: seeded, of any size, written in pieces.

Rows in order of time; half of them anonymous, few customers behind most of the others; of every
thousand ten damaged, five repeated, and one with an e-mail address where none belongs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pac
import pyarrow.csv as pc
import pyarrow.parquet as pq

SEED = 20260601
ROWS_AT_ONCE = 1_000_000
CUSTOMERS, PRODUCTS, DAYS = 300_000, 5_000, 60
ANONYMOUS, DAMAGED, REPEATED, TALKATIVE = 0.5, 0.01, 0.005, 0.001
START = np.datetime64("2026-01-01", "us")
KINDS = np.array(["view", "search", "cart", "checkout", "purchase"], dtype=object)
SHARES = (0.7, 0.1, 0.12, 0.05, 0.03)
CHANNELS = np.array(["search", "direct", "email", "ads", None], dtype=object)
DEVICES = np.array(["phone", "desktop", "tablet"], dtype=object)
SCHEMA = pa.schema(
    {
        "event_id": pa.string(),
        "customer_id": pa.string(),
        "visitor_id": pa.string(),
        "occurred_at": pa.timestamp("us"),
        "event_type": pa.string(),
        "product_id": pa.string(),
        "channel": pa.string(),
        "device": pa.string(),
    }
)

Columns = dict[str, npt.NDArray[Any]]
Places = npt.NDArray[np.int64]


def write_files(rows: int, folder: Path) -> None:
    """Writes them as clickstream.csv and clickstream.parquet."""
    with (
        pc.CSVWriter(folder / "clickstream.csv", _as_text(SCHEMA.empty_table()).schema) as csv,
        pq.ParquetWriter(folder / "clickstream.parquet", SCHEMA, compression="zstd") as parquet,
    ):
        for first in range(0, rows, ROWS_AT_ONCE):
            columns = _clicks(first, min(ROWS_AT_ONCE, rows - first), rows)
            table = pa.table(columns, SCHEMA)
            csv.write(_as_text(table))
            parquet.write_table(table)


def _as_text(table: pa.Table) -> pa.Table:
    """A time that is missing in Parquet is in CSV something that nobody can read."""
    times = pac.fill_null(table["occurred_at"].cast(pa.string()), "sometime")
    return table.set_column(table.column_names.index("occurred_at"), "occurred_at", times)


def _clicks(first: int, rows: int, total: int) -> Columns:
    rng = np.random.default_rng([SEED, first])
    span = np.timedelta64(DAYS, "D") / np.timedelta64(1, "us")
    ticks = (first + np.sort(rng.random(rows)) * rows) / total * span
    people = rng.zipf(1.3, rows) % CUSTOMERS
    customers = np.array([f"C{person}" for person in people.tolist()], dtype=object)
    customers[rng.random(rows) < ANONYMOUS] = None
    devices = DEVICES[rng.integers(0, len(DEVICES), rows)]
    devices[_some(rng, rows, TALKATIVE)] = "phone of anna.berg@example.org"
    products = rng.integers(0, PRODUCTS, rows).tolist()
    columns: Columns = {
        "event_id": np.array([f"e{number:010d}" for number in range(first, first + rows)], object),
        "customer_id": customers,
        "visitor_id": np.array([f"v{person:06x}" for person in people.tolist()], dtype=object),
        "occurred_at": START + ticks.astype("timedelta64[us]"),
        "event_type": rng.choice(KINDS, rows, p=SHARES),
        "product_id": np.array([f"P{product}" for product in products], dtype=object),
        "channel": CHANNELS[rng.integers(0, len(CHANNELS), rows)],
        "device": devices,
    }
    damaged = _some(rng, rows, DAMAGED)
    for number, damage in enumerate(_DAMAGES):
        damage(columns, damaged[number :: len(_DAMAGES)])
    shown = np.arange(rows)
    again = _some(rng, rows, REPEATED)
    shown[again] -= rng.integers(1, 100, len(again))
    return {name: values[np.maximum(shown, 0)] for name, values in columns.items()}


def _some(rng: np.random.Generator, rows: int, share: float) -> Places:
    return np.flatnonzero(rng.random(rows) < share)


def _lose_time(columns: Columns, places: Places) -> None:
    columns["occurred_at"][places] = np.datetime64("NaT")


def _age(columns: Columns, places: Places) -> None:
    columns["occurred_at"][places] = np.datetime64("1970-01-01")


def _lose_people(columns: Columns, places: Places) -> None:
    columns["customer_id"][places] = None
    columns["visitor_id"][places] = None


def _invent_kind(columns: Columns, places: Places) -> None:
    columns["event_type"][places] = "tap"


def _lose_number(columns: Columns, places: Places) -> None:
    columns["event_id"][places] = None


def _name_somebody(columns: Columns, places: Places) -> None:
    columns["event_id"][places] = [f"{place}@example.org" for place in places.tolist()]


def _take_number(columns: Columns, places: Places) -> None:
    """That of the row before, which says something else."""
    columns["event_id"][places] = columns["event_id"][places - 1]


_DAMAGES: tuple[Callable[[Columns, Places], None], ...] = (
    _lose_time,
    _age,
    _lose_people,
    _invent_kind,
    _lose_number,
    _name_somebody,
    _take_number,
)
