"""What to order now: in the answers, in a terminal, on the page and in its picture."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lakes import put

from gpu_pipeline import Lake
from gpu_pipeline.charts import stock_cover
from gpu_pipeline.report import answers, write_report
from gpu_pipeline.summary import show_answers


def stock(product: str, location: str = "N", **changes: Any) -> dict[str, Any]:
    return {
        **{"product_id": product, "location": location, "reason": "order", "currency": "EUR"},
        **{"on_hand": 9, "sold_since_count": 2.5, "unit_cost": 100, "lead_time_days": 14.0},
        **{"order_quantity": 10, "order_cost": 1000, "days_of_cover": 6.5, "units_short": 4.0},
        **{"stockout_risk": 0.875, "overstock_units": 0, "overstock_cost": 0},
        **changes,
    }


@pytest.fixture
def shop(lake: Lake) -> Lake:
    nothing = {"order_quantity": 0, "order_cost": 0, "reason": "enough"}
    too_much = {**nothing, "overstock_units": 3, "overstock_cost": 36_050}
    put(
        lake,
        "reorder_plan",
        stock("cheap"),
        stock("dear", unit_cost=90_000, order_cost=900_000, days_of_cover=20.0),
        stock("dear", "S", sold_since_count=12.0, units_short=1.0, unit_cost=90_000),
        stock("much", **too_much),
        stock("enough", **nothing),
    )
    return lake


def test_the_orders_whose_lack_costs_most_come_first(shop: Lake) -> None:
    found = answers(shop).orders
    keys = zip(found["product_id"], found["location"], strict=True)
    assert list(keys) == [("dear", "N"), ("dear", "S"), ("cheap", "N")]
    assert found["order_cost"].tolist() == [9000.0, 10.0, 10.0]
    assert found["left"].tolist() == [6.5, 0.0, 6.5]
    assert found["name"].tolist() == ["dear", "dear", "cheap"]


def test_ten_orders_are_shown_and_all_are_counted(lake: Lake) -> None:
    put(lake, "reorder_plan", *(stock(f"p{i:02}", units_short=float(i)) for i in range(14)))
    found = answers(lake)
    assert found.orders["product_id"].tolist() == [f"p{i:02}" for i in range(13, 3, -1)]
    (total,) = found.stock.to_dict("records")
    assert (total["stocks"], total["orders"], total["order_units"]) == (14, 14, 140)
    assert total["order_cost"] == 140.0


def test_amounts_of_several_currencies_are_never_added(lake: Lake) -> None:
    put(lake, "reorder_plan", stock("a"), stock("b", currency="JPY", order_cost=1000))
    found = answers(lake).stock
    assert found["currency"].tolist() == ["EUR", "JPY"]
    assert found["order_cost"].tolist() == [10.0, 1000.0]


def test_a_terminal_shows_orders_and_overstock(
    shop: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answers(shop)
    show_answers(type(found)(**{**vars(found), "as_of": pd.Timestamp("2026-06-01")}))
    shown = " ".join(capsys.readouterr().out.split())
    assert "What to order now" in shown
    assert "9,000.00 EUR" in shown
    assert "3 of 5 stocks are to be filled up: 30 units for 9,020.00 EUR." in shown
    assert "Too much lies in 1 of them: 3 units that cost 360.50 EUR." in shown


def test_the_page_shows_orders_with_their_picture(shop: Lake, tmp_path: Path) -> None:
    page = write_report(shop, tmp_path / "p.html", answers=answers(shop)).read_text("utf-8")
    for said in ("What to order now", "9,000.00 EUR", "30 units for", 'id="orders"', "360.50 EUR"):
        assert said in page
    empty = Lake.create(tmp_path / "empty", backend=shop.backend, key="0" * 64)
    page = write_report(empty, tmp_path / "e.html", answers=answers(empty)).read_text("utf-8")
    assert "No plan yet" in page
    assert 'id="orders"' not in page


def test_the_picture_holds_stock_against_lead_times(shop: Lake) -> None:
    figure = stock_cover(answers(shop).orders)
    assert "2 of 3 run out before" in figure.layout.title.text
    bars, arrivals = figure.data
    assert list(bars.x) == [20.0, 6.5, 6.5]
    assert list(bars.y) == ["dear, N", "dear, S", "cheap, N"]
    assert list(arrivals.x) == [14.0, 14.0, 14.0]
    assert len(set(bars.marker.color)) == 2


def test_without_an_order_the_picture_says_so(lake: Lake) -> None:
    figure = stock_cover(answers(lake).orders)
    assert "there is nothing to order" in figure.layout.annotations[0].text


def test_names_are_shown_and_not_obeyed(lake: Lake) -> None:
    put(lake, "reorder_plan", stock("<b>x</b>"))
    assert stock_cover(answers(lake).orders).data[0].y[0] == "&lt;b&gt;x&lt;/b&gt;, N"
