"""What a table says of its own form: its schema, and the contract it was written under."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpu_pipeline.contracts import Column, Contract
from gpu_pipeline.contracts.evolution import FOLDERS, Change, changes
from gpu_pipeline.errors import ContractError
from gpu_pipeline.store.parts import partition_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

__all__ = [
    "add_columns",
    "allowed_changes",
    "needs_telling",
    "table_schema",
    "table_settings",
    "tell",
]

_TOLD = "gpu_pipeline.contract"
_SETTINGS = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "10"}
_BY_ARROW = {
    "int64": "int64",
    "double": "float64",
    "timestamp[us]": "timestamp",
    "bool": "bool",
}


def table_schema(contract: Contract) -> Any:  # noqa: ANN401
    """The Delta schema of a contract's table: its columns, then those its folders are named for."""
    import pyarrow as pa
    from deltalake import Schema

    types = {"bucket": pa.int32(), "month": pa.string()}
    fields = [pa.field(name, types[name]) for name in partition_columns(contract)]
    return Schema.from_arrow(pa.schema([*contract.arrow_schema(), *fields]))


def table_settings(contract: Contract) -> dict[str, str]:
    """What the table keeps of the contract beside the schema, and how its log is kept."""
    told = {
        "version": contract.version,
        "kind": contract.kind,
        "event_time": contract.event_time,
        "key": list(contract.key),
        "required": {column.name: column.required for column in contract.columns},
    }
    return {**_SETTINGS, _TOLD: json.dumps(told)}


def needs_telling(table: "DeltaTable", contract: Contract) -> bool:
    """Whether the table was last written under something else than the contract."""
    return table.metadata().configuration.get(_TOLD) != table_settings(contract)[_TOLD]


def allowed_changes(
    table: "DeltaTable", contract: Contract, *, overwrite: bool = False
) -> list[Change]:
    """What the table must change to take rows of the contract.

    Where they `overwrite` all others, only the folders that its files lie in must stay.

    Raises:
        ContractError: rows that the table has can't be read under the contract.
    """
    told = _told(table, contract)
    found = [change for change in changes(told, contract) if change.kind != "rule"]
    if overwrite:
        found = [change for change in found if change.clause in FOLDERS]
    broken = [str(change) for change in found if change.breaks]
    if broken:
        message = (
            f"Contract {contract.name} {contract.version} breaks the table, which was written "
            f"under {told.version}: {'; '.join(broken)}. Undo that, or load into a new lake."
        )
        raise ContractError(message)
    return found


def add_columns(table: "DeltaTable", contract: Contract, properties: "CommitProperties") -> None:
    """Lets the table have the contract's columns, and nulls where the contract does.

    A new column is nullable for Delta even where the contract has a default for older rows.
    """
    from deltalake import Field

    there = {field.name: field for field in table.schema().fields}
    wanted = table_schema(contract).fields
    added = [Field(f.name, f.type, nullable=True) for f in wanted if f.name not in there]
    if added:
        table.alter.add_columns(added, commit_properties=properties)
    for field in wanted:
        if field.nullable and field.name in there and not there[field.name].nullable:
            table.alter.drop_column_not_null(field.name, commit_properties=properties)


def tell(table: "DeltaTable", contract: Contract, properties: "CommitProperties") -> None:
    """Has the table say that it is written under the contract from now on."""
    table.alter.set_table_properties(
        table_settings(contract), raise_if_not_exists=False, commit_properties=properties
    )


def _told(table: "DeltaTable", contract: Contract) -> Contract:
    """The contract as it was when the table was last written, as far as the table tells.

    What a table does not say (its checks, its prose) is taken to be as it is now.
    """
    import pyarrow as pa

    said = json.loads(table.metadata().configuration.get(_TOLD, "{}"))
    places = table.metadata().partition_columns
    on_disk = pa.schema(table.schema().to_arrow())
    return replace(
        contract,
        version=said.get("version", "an earlier version"),
        kind=said.get("kind", contract.kind),
        event_time=said.get("event_time", contract.event_time),
        bucketed="bucket" in places,
        by_month="month" in places,
        columns=tuple(_column(f, said, contract) for f in on_disk if f.name not in places),
    )


def _column(field: "pa.Field", said: dict[str, Any], contract: Contract) -> Column:
    kind: Any = _BY_ARROW.get(str(field.type), "string")
    known = Column(name=field.name, type=kind, description="")
    known = next((c for c in contract.columns if c.name == field.name), known)
    key = said.get("key", contract.key)
    # A column that Delta has and nothing was said of was being added when its writer was killed.
    required = said.get("required", {}).get(field.name, known.required)
    position = key.index(field.name) + 1 if field.name in key else None
    return replace(known, type=kind, required=required, key_position=position)
