"""What changes between two versions of a contract, and what of it breaks."""

from dataclasses import replace
from typing import Any

import pytest

from gpu_pipeline.contracts import Column, Contract, contract, contract_names
from gpu_pipeline.contracts.evolution import breaking, changes

ORDERS = contract("orders")


def having(*added: Column, without: str = "", **changed: dict[str, Any]) -> Contract:
    """The orders with columns changed, added, or left out."""
    columns = [
        replace(column, **changed.get(column.name, {}))
        for column in ORDERS.columns
        if column.name != without
    ]
    return replace(ORDERS, columns=(*columns, *added))


NOTE = Column(name="gift_note", type="string", description="What the card says.")
WRAPS = Column(name="wraps", type="int64", description="Boxes.", required=True, default=0)


@pytest.mark.parametrize(
    ("new", "clause", "kind", "said"),
    [
        (having(NOTE), "gift_note", "added", "is new"),
        (having(WRAPS), "wraps", "added", "is new"),
        (
            having(replace(WRAPS, default=None)),
            "wraps",
            "broken",
            "is new and required: make it nullable, or give it a default for older rows",
        ),
        (having(without="channel"), "channel", "broken", "is gone (renamed? keep it, and add"),
        (
            having(quantity={"type": "float64"}),
            "quantity.physicalType",
            "widened",
            "was 'int64', is 'float64'",
        ),
        (having(line_no={"type": "float64"}), "line_no.physicalType", "broken", "was 'int64'"),
        (
            having(customer_key={"type": "float64"}),
            "customer_key.physicalType",
            "broken",
            "is 'float64'",
        ),
        (having(quantity={"type": "string"}), "quantity.physicalType", "broken", "is 'string'"),
        (having(shipped_at={"type": "string"}), "shipped_at.physicalType", "broken", "was 'time"),
        (having(currency={"required": False}), "currency.required", "relaxed", "no longer holds"),
        (having(channel={"required": True}), "channel.required", "broken", "holds now, but older"),
        (having(discount={"maximum": 9}), "discount.maximum", "rule", "was None, is 9"),
        (having(channel={"allowed": ("web",)}), "channel.allowed", "rule", "is ('web',)"),
    ],
)
def test_a_changed_column_is_named_with_its_clause(
    new: Contract, clause: str, kind: str, said: str
) -> None:
    (change,) = changes(ORDERS, new)
    assert change.clause == f"schema.properties.{clause}"
    assert change.kind == kind
    assert change.breaks == (kind == "broken")
    assert said in str(change)
    assert change.column == clause.split(".")[0]
    assert breaking(ORDERS, new) == ([change] if change.breaks else [])


@pytest.mark.parametrize(
    ("new", "clause", "breaks"),
    [
        (replace(ORDERS, kind="entity"), "customProperties.kind", True),
        (replace(ORDERS, event_time="shipped_at"), "customProperties.eventTime", True),
        (replace(ORDERS, bucketed=False), "customProperties.bucketBy", True),
        (replace(ORDERS, by_month=False), "customProperties.monthsOf", True),
        (having(line_no={"key_position": None}), "schema.primaryKey", True),
        (having(order_id={"key_position": 2}, line_no={"key_position": 1}), "schema.primary", True),
        (replace(ORDERS, retention_years=1), "retention_years", False),
    ],
)
def test_a_change_of_the_whole_table_is_named_with_its_clause(
    new: Contract, clause: str, breaks: bool
) -> None:
    (change,) = changes(ORDERS, new)
    assert change.clause.startswith(clause)
    assert change.breaks == breaks
    assert change.column is None


def test_words_and_versions_change_nothing() -> None:
    prose = replace(ORDERS, version="9.0.0", purpose="Sales.", owner="finance")
    said = [replace(column, description="-") for column in reversed(ORDERS.columns)]
    assert changes(ORDERS, replace(prose, columns=tuple(said))) == []


def test_every_change_is_told_at_once() -> None:
    new = having(NOTE, without="channel", quantity={"type": "float64"})
    assert {change.kind for change in changes(ORDERS, new)} == {"added", "broken", "widened"}


@pytest.mark.parametrize("name", contract_names())
def test_a_contract_has_not_changed_from_itself(name: str) -> None:
    assert changes(contract(name), contract(name)) == []
