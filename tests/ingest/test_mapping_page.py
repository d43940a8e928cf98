"""Holds docs/MAPPINGS.md to the code: its example is loaded, and every line of its table run."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from landing import accepted, faults, load
from real_data import ROOT

from gpu_pipeline.ingest import FileMapping
from gpu_pipeline.ingest.column_source import ColumnSource
from gpu_pipeline.ingest.mapping import Feed
from gpu_pipeline.store import Lake

PAGE = (ROOT / "docs" / "MAPPINGS.md").read_text()
Cells = list[str]


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert isinstance(text, str)
    return text


def table(first: str) -> list[Cells]:
    """The rows, without the heading, of the table whose first heading that is."""
    (text,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]


def test_the_example_makes_what_the_page_says(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "sales-1.csv"
    path.write_bytes(block("csv").encode("cp1252"))
    (tmp_path / "sales.yaml").write_text(block("yaml"))
    load(lake, path, FileMapping.load(tmp_path / "sales.yaml"))
    made = accepted(lake)[
        ["order_id", "ordered_at", "product_id", "quantity", "unit_price", "line_type"]
    ]
    assert [[str(cell) for cell in row] for row in made.to_numpy().tolist()] == table("order_id")
    assert [[str(line), reasons] for line, reasons in faults(lake)] == table("line")


@pytest.mark.parametrize("row", table("mapping"), ids=lambda row: " ".join(row))
def test_every_line_of_the_table_is_so(row: Cells) -> None:
    said, *values, becomes = row
    x, y = (value.strip("`") if value else None for value in values)
    feed = Feed.model_validate(
        {
            "files": "*",
            "contract": "orders",
            "columns": {"country": yaml.safe_load(said.strip("`"))},
        }
    )
    block = pa.table({"x": pa.array([x], pa.string()), "y": pa.array([y], pa.string())})
    made = feed.landed(block, key="0" * 64)["country"].to_pylist()
    assert made == [becomes.strip("`")]


@pytest.mark.parametrize("model", [Feed, ColumnSource])
def test_every_key_is_on_the_page(model: type[Feed] | type[ColumnSource]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []
