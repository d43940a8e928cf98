"""Which columns of a table have changed since a version, or since a day."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from quality_tables import put

from gpu_pipeline.errors import LakeError
from gpu_pipeline.quality.baseline import drift_since
from gpu_pipeline.quality.drift import Comparison
from gpu_pipeline.store import Lake

START = datetime(2026, 1, 1)  # noqa: DTZ001


def orders(rng: np.random.Generator, file: int, *, first_day: int, dear: float) -> list[Any]:
    """600 order lines of one file over ten days; `dear` moves prices and channels."""
    minutes = rng.integers(0, 14_400, 600)
    return [
        {
            "order_id": f"{file}-{i}",
            "ordered_at": START + timedelta(days=first_day, minutes=int(minute)),
            "shipped_at": START + timedelta(days=first_day + 20) if i % 2 else None,
            "customer_key": int(rng.integers(0, 90)),
            "product_id": str(rng.integers(0, 200)),
            "product_name": None,
            "quantity": int(rng.integers(1, 4)),
            "unit_price": int(rng.normal(1000 + 300 * dear, 200)),
            "channel": str(rng.choice(["web", "app"], p=[0.8 - 0.4 * dear, 0.2 + 0.4 * dear])),
            "file_no": file,
        }
        for i, minute in enumerate(minutes)
    ]


@pytest.fixture
def shop(lake: Lake) -> Lake:
    """A table of three versions of rows: two alike, then one that is dearer and more in the app."""
    rng = np.random.default_rng(6)
    for file, dear in ((1, 0.0), (2, 0.0), (3, 1.0)):
        put(lake, "orders", orders(rng, file, first_day=10 * file, dear=dear))
    return lake


def verdicts(compared: list[Comparison]) -> dict[tuple[str, str], bool]:
    return {(one.column, one.kind): one.drifted for one in compared}


def versions_of_rows(lake: Lake) -> list[int]:
    """The versions in which rows came, oldest first."""
    return sorted(entry["version"] for entry in lake.history("orders"))[-3:]


def test_what_came_since_a_version_stands_against_what_was_there(shop: Lake) -> None:
    first, second, _ = versions_of_rows(shop)
    found = drift_since(shop, "orders", second)
    assert {one.column for one in found if one.drifted} == {"unit_price", "channel"}
    assert [one.drifted for one in found[:3]] == [True, True, False]
    assert {(one.rows_before, one.rows_now) for one in found if one.column == "quantity"} == {
        (1200, 600)
    }
    price = next(one for one in found if one.column == "unit_price")
    assert price.distance > 0.4
    assert price.psi > 0.25
    since_first = {one.column: one.distance for one in drift_since(shop, "orders", first)}
    assert since_first["unit_price"] < price.distance


def test_a_moment_divides_a_table_too(shop: Lake) -> None:
    found = verdicts(drift_since(shop, "orders", START + timedelta(days=30)))
    assert {column for (column, _), is_drifted in found.items() if is_drifted} == {
        "unit_price",
        "channel",
    }
    alike = drift_since(shop, "orders", START + timedelta(days=20))
    assert next(one for one in alike if one.column == "quantity").drifted is False


def test_many_small_categories_are_no_drift(lake: Lake) -> None:
    rng = np.random.default_rng(8)
    for file in (1, 2):
        put(lake, "orders", orders(rng, file, first_day=10 * file, dear=0.0))
    found = drift_since(lake, "orders", START + timedelta(days=20))
    products = next(one for one in found if one.column == "product_id")
    assert products.p_value is not None
    assert products.p_value > 0.001
    assert not any(one.drifted for one in found)


def test_ids_people_and_texts_are_left_out(shop: Lake) -> None:
    compared = verdicts(drift_since(shop, "orders", START + timedelta(days=30)))
    columns = {column for column, _ in compared}
    assert not columns & {"order_id", "line_no", "customer_key", "file_no", "line"}
    assert ("product_id", "categories") in compared
    assert ("ordered_at", "times of day") in compared
    assert ("shipped_at", "missing") not in compared  # half of them, before and now


def test_a_column_that_is_no_longer_filled_has_drifted(lake: Lake) -> None:
    rng = np.random.default_rng(7)
    for file in (1, 2):
        rows = orders(rng, file, first_day=10 * file, dear=0.0)
        lost = [{**row, "shipped_at": None} for row in rows] if file == 2 else rows
        put(lake, "orders", lost)
    found = verdicts(drift_since(lake, "orders", START + timedelta(days=20)))
    assert found["shipped_at", "missing"] is True


def test_nothing_to_compare_is_said(shop: Lake) -> None:
    with pytest.raises(LakeError, match=r"orders has no rows since the baseline"):
        drift_since(shop, "orders", versions_of_rows(shop)[-1])
    with pytest.raises(LakeError, match=r"orders has no rows before the baseline 2025-01-01"):
        drift_since(shop, "orders", datetime(2025, 1, 1))  # noqa: DTZ001
    with pytest.raises(LakeError, match=r"Table 'orders' .* version 99"):
        drift_since(shop, "orders", 99)
