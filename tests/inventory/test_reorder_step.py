"""The step that makes reorder_plan: from the lake's tables, by its settings, and without them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from lakes import rows
from made_tables import put

from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import StepReport, run
from gpu_pipeline.steps.reorder import REORDER
from gpu_pipeline.store import Lake

MOMENT = datetime(2026, 6, 1, 12)  # noqa: DTZ001
LAST_DAY = datetime(2026, 5, 31)  # noqa: DTZ001


@pytest.fixture(autouse=True)
def cluster(backend: Backend) -> Iterator[None]:
    with backend.cluster():
        yield


def put_stock(lake: Lake, *found: dict[str, Any]) -> None:
    usual = {"location": "N", "counted_at": MOMENT, "minimum_order": 1, "lead_time_days": 14.0}
    usual |= {"unit_cost": 250, "currency": "EUR"}
    put(lake, "inventory", [{**usual, "line": i, **one} for i, one in enumerate(found)])


def put_forecast(lake: Lake, **units_a_day: float) -> None:
    made = [
        {
            "product_id": product,
            "day": LAST_DAY + timedelta(days=day),
            "horizon": day,
            "mean": mean,
            "total_sd": (mean * day) ** 0.5,
            "as_of": LAST_DAY,
        }
        for product, mean in units_a_day.items()
        for day in range(1, 29)
    ]
    put(lake, "demand_forecast", made)


def put_sales(lake: Lake, **days_ago: int) -> None:
    made = [
        {
            "product_id": product,
            "day": LAST_DAY - timedelta(days=ago),
            "units": 2,
            "currency": "EUR",
        }
        for product, ago in days_ago.items()
    ]
    put(lake, "demand_daily", made)


def planned(lake: Lake, **settings: Any) -> StepReport:
    (report,) = run(lake, [REORDER], Config.load(**settings), as_of=MOMENT).steps
    return report


@pytest.fixture
def shop(lake: Lake) -> Lake:
    put_stock(lake, {"product_id": "lamp", "on_hand": 30}, {"product_id": "rug", "on_hand": 900})
    put_forecast(lake, lamp=4.0, rug=1.0, vase=1.0)
    put_sales(lake, lamp=2, rug=2, vase=2)
    return lake


def test_the_table_says_what_to_order_and_keeps_its_contract(shop: Lake) -> None:
    report = planned(shop)
    found, table = rows(shop, "reorder_plan"), contract("reorder_plan")
    assert found.dtypes.to_dict() == shop.backend.empty(table).dtypes.to_dict()
    assert found["product_id"].tolist() == ["lamp", "rug"]
    assert found["reason"].tolist() == ["order", "enough"]
    assert (found["as_of"] == np.datetime64(MOMENT)).all()
    lamp, rug = found.to_dict("records")
    assert lamp["order_quantity"] == lamp["reorder_point"] + 1 - 30
    assert 84 < lamp["reorder_point"] < 110
    assert rug["overstock_units"] > 800
    assert report.facts["reasons"] == {"order": 1, "enough": 1}
    assert report.facts["order_cost"] == {"EUR": int(found["order_cost"].sum())}
    assert report.facts["overstock_cost"] == {"EUR": int(found["overstock_cost"].sum())}


def test_what_keeps_products_and_stocks_out_is_said(shop: Lake) -> None:
    (note,) = planned(shop).facts["notes"]
    assert note == "1 products with a forecast are in no stock count, such as vase."
    put_stock(
        shop,
        {"product_id": "lamp", "lead_time_days": None},
        {"product_id": "rug", "counted_at": MOMENT - timedelta(days=70)},
        {"product_id": "vase"},
    )
    no_lead_time, old = planned(shop).facts["notes"]
    assert "1 of 3 stocks are not planned: they have no lead time" in no_lead_time
    assert "1 of 3 stocks are not planned: they were last counted" in old


def test_its_settings_change_the_plan(shop: Lake) -> None:
    points = []
    for settings in ({}, {"service_level": 0.99}, {"service_level": 0.99, "review_days": 28}):
        assert planned(shop, **settings).status == "done"
        points.append(rows(shop, "reorder_plan")["reorder_point"].iloc[0])
    assert points == sorted(set(points))
    assert planned(shop, service_level=0.99, review_days=28).status == "up to date"


def test_without_an_inventory_there_is_nothing_to_read(lake: Lake) -> None:
    put_forecast(lake, lamp=4.0)
    put(lake, "orders", [{"order_id": "o", "ordered_at": MOMENT}])
    assert planned(lake).status == "nothing to read"
    assert lake.version("reorder_plan") is None


def test_stock_without_any_forecast_or_sale_is_in_the_table_all_the_same(lake: Lake) -> None:
    put_stock(lake, {"product_id": "lamp", "on_hand": 3})
    planned(lake)
    (row,) = rows(lake, "reorder_plan").to_dict("records")
    assert (row["reason"], row["on_hand"], row["order_quantity"]) == ("never sold", 3, 0)


def test_counts_and_sales_after_the_moment_are_not_known_yet(shop: Lake) -> None:
    planned(shop)
    before = rows(shop, "reorder_plan")
    later = MOMENT + timedelta(days=3)
    put_stock(
        shop,
        {"product_id": "lamp", "on_hand": 30},
        {"product_id": "rug", "on_hand": 900},
        {"product_id": "lamp", "on_hand": 1, "counted_at": later},
    )
    planned(shop)
    assert rows(shop, "reorder_plan").equals(before)
