"""Planted orphans are found exactly, nobody else is, and who comes later is none any more."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quality_tables import put

from gpu_pipeline.backend import Backend
from gpu_pipeline.contracts import Reference, contract
from gpu_pipeline.quality.references import Orphans, orphans
from gpu_pipeline.store import Lake

NOW = datetime(2026, 2, 1)  # noqa: DTZ001


def reference(table: str, to: str) -> Reference:
    return next(one for one in contract(table).references if one.table == to)


def found(lake: Lake, table: str, to: str, *, as_of: datetime = NOW) -> Orphans | str:
    return orphans(lake, contract(table), [reference(table, to)], as_of=as_of)[0]


def order(product: str = "lamp", **changes: Any) -> dict[str, Any]:
    return {"product_id": product, "currency": "EUR", "ordered_at": "2026-01-10", **changes}


def lines(*made: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"customer_key": 1, "key_kind": "customer", "line_type": "sale", **row} for row in made]


def test_products_that_are_not_in_the_catalogue_are_counted_and_named(lake: Lake) -> None:
    put(lake, "products", [{"product_id": "lamp"}, {"product_id": "rug"}])
    fee = order("POSTAGE", line_type="fee")
    put(lake, "orders", lines(order(), order("sofa"), order("stool"), order("sofa"), fee))
    assert found(lake, "orders", "products") == Orphans(4, 3, ("sofa", "stool"))


def test_a_row_that_names_nothing_is_no_orphan(lake: Lake) -> None:
    put(lake, "products", [{"product_id": "lamp"}])
    put(lake, "clickstream", [{"product_id": None}, {"product_id": "lamp"}, {"product_id": "rug"}])
    assert found(lake, "clickstream", "products") == Orphans(2, 1, ("rug",))


def test_customers_are_looked_for_in_their_own_bucket_and_never_named(lake: Lake) -> None:
    put(lake, "customers", [{"customer_key": key} for key in (1, 2, 3, 4)])
    guest = order(customer_key=77, key_kind="guest")
    strangers = [order(customer_key=key) for key in (5, 6, 5)]
    put(lake, "orders", lines(*(order(customer_key=k) for k in (1, 2, 3, 4)), guest, *strangers))
    assert found(lake, "orders", "customers") == Orphans(7, 3)


def test_who_comes_after_the_order_is_no_orphan_any_more(lake: Lake) -> None:
    put(lake, "customers", [{"customer_key": 1}])
    put(lake, "orders", lines(order(customer_key=9)))
    assert found(lake, "orders", "customers") == Orphans(1, 1)
    put(lake, "customers", [{"customer_key": 9, "updated_at": "2026-01-20"}])
    assert found(lake, "orders", "customers") == Orphans(1, 0)
    # At the time, nobody knew.
    earlier = datetime(2026, 1, 15)  # noqa: DTZ001
    assert found(lake, "orders", "customers", as_of=earlier) == Orphans(1, 1)


def test_a_case_may_be_about_an_order_of_another_bucket(lake: Lake) -> None:
    made = lines(order(order_id="o1", customer_key=1), order(order_id="o2", customer_key=2))
    put(lake, "orders", made)
    cases = [{"order_id": name, "customer_key": 7} for name in ("o1", "o2", "o3", None)]
    put(lake, "support", cases)
    assert found(lake, "support", "orders") == Orphans(3, 1, ("o3",))


def test_a_table_that_is_not_there_is_said_once(lake: Lake) -> None:
    put(lake, "orders", lines(order()))
    assert found(lake, "orders", "products") == "no table products"


def test_one_currency_needs_no_rates(lake: Lake) -> None:
    put(lake, "orders", lines(order(), order()))
    put(lake, "fx_rates", [{"currency": "USD", "day": "2026-01-10"}])
    assert found(lake, "orders", "fx_rates") == "only one currency: EUR"


@pytest.mark.parametrize(
    ("day", "failed"),
    [("2026-01-10", 0), ("2026-01-03", 0), ("2026-01-02", 1), ("2026-01-11", 1)],
)
def test_a_rate_counts_for_a_week(lake: Lake, day: str, failed: int) -> None:
    put(lake, "orders", lines(order(), order(currency="USD", ordered_at="2026-01-10 18:00")))
    put(
        lake,
        "fx_rates",
        [{"currency": "EUR", "day": "2026-01-10"}, {"currency": "USD", "day": day}],
    )
    assert found(lake, "orders", "fx_rates") == Orphans(2, failed, ("USD",) * failed)


@pytest.mark.parametrize(
    ("zone", "failed"), [("UTC", 0), ("America/New_York", 0), ("Asia/Tokyo", 1)]
)
def test_in_a_lake_with_a_currency_only_the_others_need_a_rate_on_the_days_of_its_zone(
    tmp_path: Path, backend: Backend, zone: str, failed: int
) -> None:
    lake = Lake.create(tmp_path / "shop", backend=backend, time_zone=zone, currency="EUR")
    put(lake, "orders", lines(order(), order()))
    put(lake, "fx_rates", [{"currency": "USD", "day": "2026-01-03"}])
    assert found(lake, "orders", "fx_rates") == "only one currency: EUR"
    # In Tokyo it is the eleventh by then, eight days after the rate.
    put(lake, "orders", lines(order(currency="USD", ordered_at="2026-01-10 18:00")))
    assert found(lake, "orders", "fx_rates") == Orphans(1, failed, ("USD",) * failed)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30),
    st.sets(st.integers(0, 9), min_size=1),
    st.sets(st.integers(0, 9), min_size=1),
)
def test_orphans_are_those_of_a_loop(
    tmp_path_factory: pytest.TempPathFactory,
    backend: Backend,
    rows: list[tuple[int, int]],
    products: set[int],
    customers: set[int],
) -> None:
    lake = Lake.create(tmp_path_factory.mktemp("lake"), buckets=2, backend=backend)
    put(lake, "products", [{"product_id": str(one)} for one in sorted(products)])
    put(lake, "customers", [{"customer_key": one} for one in sorted(customers)])
    half = len(rows) // 2
    for some in (rows[:half], rows[half:]):
        if some:
            made = lines(*(order(str(product), customer_key=who) for who, product in some))
            put(lake, "orders", [{**row, "order_id": str(i)} for i, row in enumerate(made)])
    by_product, by_customer = (found(lake, "orders", to) for to in ("products", "customers"))
    assert isinstance(by_product, Orphans)
    assert isinstance(by_customer, Orphans)
    assert by_product.failed == sum(product not in products for _, product in rows)
    assert by_customer.failed == sum(who not in customers for who, _ in rows)
