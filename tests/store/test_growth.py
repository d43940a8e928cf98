"""A table grows with its contract, older rows and versions stay readable, and nothing breaks it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from deltalake.schema import PrimitiveType
from frames import assert_frames_equal
from lakes import tree
from order_rows import ORDERS, in_order, order_rows

from gpu_pipeline.contracts import Column, Contract
from gpu_pipeline.errors import ContractError, LakeError
from gpu_pipeline.store import Lake
from gpu_pipeline.store.log import log_entry

OLD, NEW = order_rows(60, seed=1), order_rows(40, seed=2)
ADDED = (
    Column(name="gift_note", type="string", description="What the card says."),
    Column(name="paid_at", type="timestamp", description="When it was paid."),
    Column(name="weight_kg", type="float64", description="Of the parcel.", default=0.5),
    Column(name="wraps", type="int64", description="Boxes.", required=True, default=2),
    Column(name="express", type="bool", description="Hurry.", required=True, default=False),
)
GROWN = replace(ORDERS, version="1.1.0", columns=(*ADDED[:2], *ORDERS.columns, *ADDED[2:]))
VALUES = {
    "gift_note": "für Ute",
    "paid_at": np.datetime64("2026-02-02", "us"),
    "weight_kg": 1.25,
    "wraps": 3,
    "express": True,
}


def changed(**columns: dict[str, Any]) -> Contract:
    made = tuple(replace(c, **columns.get(c.name, {})) for c in ORDERS.columns)
    return replace(ORDERS, version="2.0.0", columns=made)


def without(name: str) -> Contract:
    left = tuple(column for column in ORDERS.columns if column.name != name)
    return replace(ORDERS, version="2.0.0", columns=left)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Contract], None]:
    """Has the lake find another version of the orders' contract."""

    def tell(found: Contract) -> None:
        monkeypatch.setattr("gpu_pipeline.store.lake.contract", lambda _: found)

    return tell


def commit(lake: Lake, frame: pd.DataFrame, found: Contract, **how: Any) -> int:
    with lake.writer() as writer:
        return writer.commit(found, writer.write(frame, found), **how)


@pytest.fixture
def lake_of_old(lake: Lake) -> Lake:
    commit(lake, OLD, ORDERS)
    return lake


def expected() -> pd.DataFrame:
    old = OLD.assign(gift_note=None, paid_at=None, weight_kg=0.5, wraps=2, express=False)
    both = pd.concat([old.astype({"gift_note": "str"}), NEW.assign(**VALUES)])
    return both[list(GROWN.names)].astype({"paid_at": "datetime64[us]"})


def test_added_columns_of_older_rows_are_null_or_have_the_default(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    told(GROWN)
    assert_frames_equal(in_order(lake_of_old.read("orders").compute()), in_order(expected()))
    some = lake_of_old.read("orders", ["wraps", "gift_note"]).compute()
    assert list(some.columns) == ["wraps", "gift_note"]
    assert sorted(some["wraps"]) == [2] * 60 + [3] * 40
    assert lake_of_old.read("orders", ["express"]).compute()["express"].sum() == 40
    heavy = lake_of_old.read("orders", where=[("wraps", ">", 2), ("weight_kg", ">", 1)])
    assert len(heavy) == 40
    assert len(lake_of_old.read("orders", where=[("wraps", "==", 2)])) == 60
    assert len(lake_of_old.read("orders", where=[("gift_note", "!=", "für Ute")])) == 60


def test_a_table_that_has_not_grown_yet_reads_like_one_that_has(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    before = tree(lake_of_old.path)
    told(GROWN)
    old = expected()[:60]
    assert_frames_equal(in_order(lake_of_old.read("orders").compute()), in_order(old))
    assert tree(lake_of_old.path) == before


def test_versions_before_and_after_a_growth_can_be_read(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    before = lake_of_old.version("orders")
    after = commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    told(GROWN)
    old = lake_of_old.read("orders", version=before).compute()
    assert_frames_equal(in_order(old), in_order(expected()[:60]))
    told(ORDERS)
    assert_frames_equal(
        in_order(lake_of_old.read("orders", version=before).compute()), in_order(OLD)
    )
    assert len(lake_of_old.read("orders", version=after)) == 100


def test_delta_knows_the_columns_and_the_contract(lake_of_old: Lake) -> None:
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    table = DeltaTable(lake_of_old.path / "tables" / "orders")
    fields = {field.name: field for field in table.schema().fields}
    assert set(fields) == {*GROWN.names, "bucket", "month"}
    assert fields["wraps"].nullable  # older files lack it
    assert not fields["order_id"].nullable
    said = json.loads(table.metadata().configuration["gpu_pipeline.contract"])
    assert said["version"] == "1.1.0"
    assert said["key"] == ["order_id", "line_no"]
    assert said["required"]["wraps"]


def test_growing_is_told_in_the_history_and_changes_no_rows(lake_of_old: Lake) -> None:
    first = lake_of_old.version("orders")
    commit(lake_of_old, NEW[:0].assign(**VALUES), GROWN, note={"run": "r1"})
    told = [(e["operation"], e["rows"]) for e in lake_of_old.history("orders")]
    assert told == [
        ("append", 60),
        ("evolve", 60),
        ("evolve", 60),
        ("append", 60),
        ("create", None),
    ]
    history = lake_of_old.history("orders")
    pinned = lake_of_old.pinned({"orders": history[1]["version"]})
    assert pinned.data_version("orders") == first
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    assert [e["operation"] for e in lake_of_old.history("orders", limit=2)] == ["append", "append"]


def test_whole_numbers_become_fractions(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    looser = changed(quantity={"type": "float64", "required": False})
    wide = replace(looser, columns=(*looser.columns, ADDED[0]))
    before = lake_of_old.version("orders")
    halves = NEW.assign(quantity=2.5, gift_note="hi").astype({"quantity": "float64"})
    halves.loc[halves.index[0], "quantity"] = np.nan
    commit(lake_of_old, halves, wide)
    told(wide)
    read = lake_of_old.read("orders").compute()
    old = OLD.assign(gift_note=None).astype({"quantity": "float64", "gift_note": "str"})
    assert_frames_equal(in_order(read), in_order(pd.concat([old, halves])))
    assert len(lake_of_old.read("orders", where=[("quantity", "==", 2.5)])) == 39
    then = lake_of_old.read("orders", ["quantity"], version=before, where=[("quantity", ">", 2.5)])
    assert len(then) == (OLD["quantity"] > 2.5).sum()
    table = DeltaTable(lake_of_old.path / "tables" / "orders")
    types = {field.name: field.type for field in table.schema().fields}
    assert types["quantity"] == PrimitiveType("double")


def test_numbers_that_fractions_cant_hold_stay_whole(lake: Lake) -> None:
    commit(lake, OLD.assign(unit_price=2**53 + 1), ORDERS)
    before = tree(lake.path)
    wide = changed(unit_price={"type": "float64", "money": None})
    with pytest.raises(LakeError, match=r"unit_price has 9007199254740993, which float64 can't"):
        commit(lake, NEW, wide)
    assert tree(lake.path) == before


def test_a_column_may_become_nullable(lake_of_old: Lake, told: Callable[[Contract], None]) -> None:
    loose = changed(currency={"required": False})
    commit(lake_of_old, NEW.assign(currency=None).astype({"currency": "str"}), loose)
    told(loose)
    assert lake_of_old.read("orders").compute()["currency"].isna().sum() == 40
    with pytest.raises(
        ContractError, match=r"currency.required holds now, but older rows may lack"
    ):
        commit(lake_of_old, NEW, ORDERS)


@pytest.mark.parametrize(
    ("found", "clause"),
    [
        (without("channel"), "schema.properties.channel is gone (renamed?"),
        (
            changed(quantity={"type": "string"}),
            "schema.properties.quantity.physicalType was 'int64'",
        ),
        (changed(channel={"required": True}), "schema.properties.channel.required holds now"),
        (changed(line_no={"key_position": None}), "schema.primaryKey was 'order_id, line_no'"),
        (replace(ORDERS, by_month=False), "customProperties.monthsOf was True, is False"),
        (replace(ORDERS, bucketed=False), "customProperties.bucketBy was True, is False"),
        (replace(ORDERS, event_time="paid_at"), "customProperties.eventTime was 'ordered_at'"),
        (
            replace(ORDERS, columns=(*ORDERS.columns, replace(ADDED[3], default=None))),
            "schema.properties.wraps is new and required",
        ),
    ],
)
def test_what_would_break_a_table_is_refused_before_anything_is_written(
    lake_of_old: Lake, found: Contract, clause: str
) -> None:
    before = tree(lake_of_old.path)
    with lake_of_old.writer() as writer:
        with pytest.raises(ContractError) as checked:
            writer.check(found)
        with pytest.raises(ContractError) as committed:
            writer.commit(found, [])
    assert str(checked.value) == str(committed.value)
    said = f"Contract orders {found.version} breaks the table, which was written under 1.0.0: "
    assert str(checked.value).startswith(said + clause)
    assert "Undo that, or load into a new lake." in str(checked.value)
    assert tree(lake_of_old.path) == before


def test_a_table_that_grew_refuses_the_contract_from_before(lake_of_old: Lake) -> None:
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    with pytest.raises(
        ContractError, match=r"orders 1\.0\.0 breaks the .* under 1\.1\.0: .*is gone"
    ):
        commit(lake_of_old, NEW, ORDERS)


def test_all_rows_may_be_replaced_under_any_columns_but_not_elsewhere(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    other = changed(quantity={"type": "string"}, line_no={"key_position": None})
    commit(lake_of_old, NEW, other, overwrite=True)
    commit(lake_of_old, OLD, other)
    told(other)
    read = lake_of_old.read("orders").compute()
    assert len(read) == 100
    assert str(read["quantity"].dtype) == "str"
    with pytest.raises(ContractError, match=r"customProperties.monthsOf"):
        commit(lake_of_old, NEW, replace(other, by_month=False), overwrite=True)


def test_a_table_from_before_tables_told_of_contracts_grows_too(
    lake_of_old: Lake, told: Callable[[Contract], None]
) -> None:
    log = log_entry(lake_of_old.path / "tables" / "orders", 0)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        line.get("metaData", {"configuration": {}})["configuration"].pop("gpu_pipeline.contract", 0)
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    told(GROWN)
    assert_frames_equal(in_order(lake_of_old.read("orders").compute()), in_order(expected()))
    with pytest.raises(ContractError, match="written under 1"):
        commit(lake_of_old, NEW, ORDERS)


def test_growing_that_was_stopped_goes_on(
    lake_of_old: Lake, monkeypatch: pytest.MonkeyPatch, told: Callable[[Contract], None]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("gpu_pipeline.store.writer.tell", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    commit(lake_of_old, NEW.assign(**VALUES), GROWN)
    told(GROWN)
    assert_frames_equal(in_order(lake_of_old.read("orders").compute()), in_order(expected()))
    required = replace(ADDED[0], required=True, default=None)
    stricter = replace(GROWN, columns=(required, *GROWN.columns[1:]))
    with pytest.raises(ContractError, match=r"gift_note.required holds now"):
        commit(lake_of_old, NEW.assign(**VALUES), stricter)
