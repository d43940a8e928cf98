"""The latest count of each stock, and whose demand it serves."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.backend import Backend
from gpu_pipeline.inventory.stock import latest_stock

START = datetime(2026, 1, 5, 6)  # noqa: DTZ001
Counts = list[tuple[str, str, int, int, int]]


def inventory(found: Counts) -> pd.DataFrame:
    """Rows of the table from (product, location, day, on hand, on order)."""
    rows: list[dict[str, Any]] = [
        {
            "product_id": product,
            "location": location,
            "counted_at": START + timedelta(days=day),
            "on_hand": on_hand,
            "on_order": on_order,
        }
        for product, location, day, on_hand, on_order in found
    ]
    frame = pd.DataFrame(rows)
    frame["counted_at"] = frame["counted_at"].astype("datetime64[us]")
    return frame


def shares(found: Counts, backend: Backend, *, day: int = 100) -> dict[tuple[str, str], float]:
    stock = latest_stock(inventory(found), as_of=START + timedelta(days=day), backend=backend)
    keys = zip(stock["product_id"], stock["location"], strict=True)
    return dict(zip(keys, stock["demand_share"], strict=True))


def weekly(product: str, location: str, hand: list[int], order: list[int] | None = None) -> Counts:
    coming = order or [0] * len(hand)
    counts = zip(hand, coming, strict=True)
    return [(product, location, 7 * week, *count) for week, count in enumerate(counts)]


def test_the_last_count_of_each_stock_counts_in_whatever_order_they_come(backend: Backend) -> None:
    made = [*weekly("b", "N", [9, 8, 7]), *weekly("a", "S", [4, 3]), *weekly("a", "N", [6])]
    frame = inventory(made).sample(frac=1, random_state=3)
    stock = latest_stock(frame, as_of=START + timedelta(days=14), backend=backend)
    assert stock["product_id"].tolist() == ["a", "a", "b"]
    assert stock["location"].tolist() == ["N", "S", "N"]
    assert stock["on_hand"].tolist() == [6, 3, 7]
    assert not stock["is_old"].any()


def test_a_location_serves_what_is_drawn_from_its_stock(backend: Backend) -> None:
    made = [*weekly("a", "N", [900, 600, 300]), *weekly("a", "S", [300, 200, 100])]
    found = shares(made, backend, day=14)
    assert found["a", "N"] == pytest.approx(0.75, abs=0.001)
    assert sum(found.values()) == pytest.approx(1.0)


def test_what_came_in_is_what_is_on_order_no_more(backend: Backend) -> None:
    # N draws 300 a week as well, and gets the 500 that were on their way.
    made = [
        *weekly("a", "N", [600, 800, 500], [500, 0, 0]),
        *weekly("a", "S", [300, 200, 100]),
    ]
    assert shares(made, backend, day=14)["a", "N"] == pytest.approx(0.75, abs=0.001)


def test_counts_that_can_not_be_told_or_find_nothing_are_left_out(backend: Backend) -> None:
    # Of N one week is told: then more came in than was on order, then nothing was left.
    made = [
        *weekly("a", "N", [600, 500, 900, 0]),
        *weekly("a", "S", [900, 800, 700, 600]),
    ]
    assert shares(made, backend, day=21)["a", "N"] == pytest.approx(0.5, abs=0.001)


def test_where_no_draw_is_known_shares_are_equal(backend: Backend) -> None:
    made = [("a", "N", 0, 5, 0), ("a", "S", 0, 50, 0), ("a", "W", 0, 0, 0), ("b", "N", 0, 1, 0)]
    found = shares(made, backend, day=1)
    assert found == pytest.approx(
        {("a", "N"): 1 / 3, ("a", "S"): 1 / 3, ("a", "W"): 1 / 3} | {("b", "N"): 1}
    )


def test_few_draws_lean_on_those_of_all_products(backend: Backend) -> None:
    made = [*weekly("a", "N", [900, 600]), *weekly("a", "S", [300, 200])]
    made += [*weekly("b", "N", [9, 8]), *weekly("b", "S", [9, 9])]
    found = shares(made, backend, day=14)
    # (1 + 10 * 0.75) / 11: the one draw of b was at N, as most are.
    assert found["b", "N"] == pytest.approx((1 + 10 * 301 / 401) / 11, abs=0.001)


def test_a_location_that_is_not_counted_any_more_serves_nobody(backend: Backend) -> None:
    made = [("a", "N", 0, 5, 0), ("a", "S", 90, 5, 0)]
    stock = latest_stock(inventory(made), as_of=START + timedelta(days=90), backend=backend)
    assert stock["is_old"].tolist() == [True, False]
    assert stock["demand_share"].tolist() == [0.0, 1.0]


def test_a_planted_split_is_found_among_orders_that_arrive(backend: Backend) -> None:
    rng, made = np.random.default_rng(5), []
    for product in range(30):
        for location, mean in (("N", 12.0), ("S", 8.0)):
            hand, coming = 60, [0, 0]
            for week in range(40):
                hand += coming.pop(0)
                made.append((f"p{product}", location, 7 * week, hand, sum(coming)))
                coming.append(50 if hand + sum(coming) < 60 else 0)
                hand = max(0, hand - int(rng.poisson(mean)))
    found = shares(made, backend, day=280)
    at_north = [share for (_, place), share in found.items() if place == "N"]
    assert np.mean(at_north) == pytest.approx(0.6, abs=0.02)
