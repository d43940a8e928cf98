"""The reorder plan, from frames to a row a product and location with its reason."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import assert_frames_equal

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import contract
from gpu_pipeline.inventory import Periods, Units, reorder_plan, reorder_rule

AS_OF = datetime(2026, 6, 1, 15)  # noqa: DTZ001
TODAY = datetime(2026, 6, 1)  # noqa: DTZ001
HORIZON = 28
# Units a day of the products with a forecast, and the standard deviation of one day's.
FORECASTS = {"lamp": (4.0, 2.0), "rug": (0.5, 0.8), "idle": (0.0, 0.0)}


def forecast(daily: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    rows = [
        (name, day, mean, spread * day**0.5)
        for name, (mean, spread) in daily.items()
        for day in range(1, HORIZON + 1)
    ]
    frame = pd.DataFrame(rows, columns=["product_id", "horizon", "mean", "total_sd"])
    kinds = {"product_id": "str", "horizon": "int64", "mean": "float64", "total_sd": "float64"}
    return frame.astype(kinds)


def count(
    product: str, location: str = "N", *, days_ago: float = 0.5, **changes: Any
) -> dict[str, Any]:
    return {
        "product_id": product,
        "location": location,
        "counted_at": AS_OF - timedelta(days=days_ago),
        "on_hand": 0,
        "on_order": 0,
        "minimum_order": 1,
        "supplier": None,
        "lead_time_days": 14.0,
        "lead_time_days_spread": None,
        "unit_cost": 250,
        "currency": "EUR",
        "file_no": 1,
        "line": 1,
        **changes,
    }


def sales(*found: tuple[str, int, int]) -> pd.DataFrame:
    """Units of a product so many days ago."""
    rows = [(name, TODAY - timedelta(days=ago), units) for name, ago, units in found]
    frame = pd.DataFrame(rows, columns=["product_id", "day", "units"])
    return frame.astype({"product_id": "str", "day": "datetime64[us]", "units": "int64"})


def planned(
    *counts: dict[str, Any],
    backend: Backend,
    sold: pd.DataFrame | None = None,
    forecasts: Mapping[str, tuple[float, float]] = FORECASTS,
    **changes: Any,
) -> pd.DataFrame:
    rows = backend.cast(pd.DataFrame(list(counts)), contract("inventory"))
    settings: dict[str, Any] = {"service_level": 0.95, "review_days": 7, **changes}
    return reorder_plan(
        forecast(forecasts),
        rows,
        sales() if sold is None else sold,
        as_of=AS_OF,
        ended_after_days=56,
        backend=backend,
        **settings,
    )


def test_the_plan_of_one_stock_is_that_of_its_demand(backend: Backend) -> None:
    (row,) = planned(
        count("lamp", on_hand=30, on_order=10, lead_time_days_spread=2.0, minimum_order=12),
        backend=backend,
    ).to_dict("records")
    assert (row["reason"], row["demand_share"], row["daily_demand"]) == ("order", 1.0, 4.0)
    assert row["lead_time_demand"] == pytest.approx(56)
    assert row["lead_time_demand_spread"] == pytest.approx((14 * 4 + 4**2 * 2**2) ** 0.5)
    assert row["protected_demand"] == pytest.approx(84)
    assert row["protected_demand_spread"] == pytest.approx((21 * 4 + 4**2 * 2**2) ** 0.5)

    def asked(days: int, spread: float) -> Units:
        variance = 4 * days + (4 * spread) ** 2
        return Units(np.array([4.0 * days]), np.array([variance]), backend)

    periods = Periods(review=asked(7, 0), lead=asked(14, 2), both=asked(21, 2))
    rule = reorder_rule(periods, np.array([12.0]), service_level=0.95)
    for name in ("reorder_point", "safety_stock", "cycle_service", "fill_rate"):
        assert row[name] == getattr(rule, name)[0]
    lots = -(-(row["reorder_point"] + 1 - 40) // 12)
    assert (row["order_quantity"], row["order_cost"]) == (12 * lots, 12 * lots * 250)
    assert row["days_of_cover"] == pytest.approx(30 / 4, abs=1 / 64)


def test_a_position_above_the_reorder_point_orders_nothing(backend: Backend) -> None:
    first = planned(count("lamp", on_hand=1), backend=backend)
    point = int(first["reorder_point"].iloc[0])
    for on_hand, reason, quantity in ((point, "order", 1), (point + 1, "enough", 0)):
        (row,) = planned(count("lamp", on_hand=on_hand), backend=backend).to_dict("records")
        assert (row["reason"], row["order_quantity"], row["order_cost"]) == (
            reason,
            quantity,
            quantity * 250,
        )


def test_what_was_sold_since_the_count_is_gone(backend: Backend) -> None:
    sold = sales(("lamp", 0, 100), ("lamp", 1, 3), ("lamp", 3, 5), ("lamp", 4, 50), ("rug", 1, 9))
    counted = count("lamp", on_hand=40, days_ago=3.5)
    (row,) = planned(counted, sold=sold, backend=backend).to_dict("records")
    # The day of the count, three days ago by then, counts; today is the forecast's.
    assert (row["on_hand"], row["sold_since_count"]) == (40, 8)
    assert row["days_of_cover"] == pytest.approx(32 / 4, abs=1 / 64)


def test_locations_share_what_is_asked_for(backend: Backend) -> None:
    found = planned(count("lamp", "N"), count("lamp", "S"), backend=backend)
    assert found["demand_share"].tolist() == [0.5, 0.5]
    assert found["protected_demand"].tolist() == [42, 42]
    # Each unit at either by chance: a quarter of the variance beyond the mean's, half of that.
    spread = (21 * 4 - 84) * 0.25 + 0.5 * 84
    assert found["protected_demand_spread"].iloc[0] == pytest.approx(spread**0.5)


def test_units_are_missed_less_while_some_are_on_their_way(backend: Backend) -> None:
    waits, comes = (
        planned(count("lamp", on_hand=40, on_order=coming), backend=backend).iloc[0]
        for coming in (0, 1)
    )
    assert 0.9 < waits["stockout_risk"] <= 1
    assert comes["stockout_risk"] < 0.5
    assert waits["units_short"] == pytest.approx(16, abs=0.5)


@pytest.mark.parametrize(
    ("counted", "sold", "reason"),
    [
        (count("chair", on_hand=7), sales(("chair", 80, 2)), "ended"),
        (count("chair", on_hand=7), sales(("lamp", 2, 2)), "never sold"),
        (count("chair", on_hand=7), sales(("chair", 2, 2)), "no forecast"),
        (count("lamp", on_hand=7, lead_time_days=None), sales(("lamp", 2, 2)), "no lead time"),
        (count("lamp", on_hand=7, days_ago=60), sales(("lamp", 2, 2)), "old count"),
        (count("idle", on_hand=7), sales(("idle", 2, 2)), "no demand"),
    ],
)
def test_what_can_not_or_need_not_be_planned_says_why(
    counted: dict[str, Any], sold: pd.DataFrame, reason: str, backend: Backend
) -> None:
    (row,) = planned(counted, sold=sold, backend=backend).to_dict("records")
    assert (row["reason"], row["order_quantity"], row["order_cost"]) == (reason, 0, 0)
    is_planned = reason in ("ended", "no demand")
    assert np.isnan(row["reorder_point"]) != is_planned
    too_much = 7 if is_planned else 0
    assert (row["overstock_units"], row["overstock_cost"]) == (too_much, too_much * 250)


def test_stock_beyond_all_that_may_be_asked_for_is_too_much(backend: Backend) -> None:
    (row,) = planned(count("rug", on_hand=500, on_order=20), backend=backend).to_dict("records")
    need = Units(np.array([14.0]), np.array([28 * 0.64]), backend).quantile(0.99)[0]
    assert row["overstock_units"] == 520 - need
    assert row["overstock_cost"] == 250 * (520 - need)


def test_an_order_by_the_rule_is_never_too_much(backend: Backend) -> None:
    (row,) = planned(count("rug", minimum_order=200), backend=backend).to_dict("records")
    (after,) = planned(
        count("rug", on_order=row["order_quantity"], minimum_order=200), backend=backend
    ).to_dict("records")
    assert (row["order_quantity"], after["order_quantity"], after["overstock_units"]) == (200, 0, 0)


def test_service_and_reviews_change_the_plan(backend: Backend) -> None:
    points = [
        planned(count("lamp"), backend=backend, **changes)["reorder_point"].iloc[0]
        for changes in ({}, {"service_level": 0.99}, {"review_days": 28})
    ]
    assert points[0] < points[1] < points[2]


def test_a_lead_time_beyond_the_forecast_goes_on_at_its_rate(backend: Backend) -> None:
    (row,) = planned(count("lamp", lead_time_days=93.0), backend=backend).to_dict("records")
    assert row["protected_demand"] == pytest.approx(400)
    assert row["protected_demand_spread"] == pytest.approx(20)


def test_the_table_keeps_its_contract_whatever_there_is(backend: Backend) -> None:
    types = backend.empty(contract("reorder_plan")).dtypes.to_dict()
    for found in (
        planned(count("lamp"), count("chair"), backend=backend),
        planned(count("lamp"), backend=backend, forecasts={}),
        planned(count("lamp"), backend=backend)[:0],
    ):
        assert found.dtypes.to_dict() == types


def test_rows_come_by_product_and_location_whatever_their_order(backend: Backend) -> None:
    counts = [count(name, place) for name in ("rug", "lamp") for place in ("S", "N")]
    found = planned(*counts, backend=backend)
    assert found["product_id"].tolist() == ["lamp", "lamp", "rug", "rug"]
    assert found["location"].tolist() == ["N", "S", "N", "S"]
    assert_frames_equal(found, planned(*reversed(counts), backend=backend))
