"""Contracts: every table as data, one Open Data Contract Standard file each."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from gpu_pipeline.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa
    from open_data_contract_standard.model import (
        CustomProperty,
        OpenDataContractStandard,
        SchemaProperty,
    )

__all__ = ["Column", "Contract", "Pseudonym", "contract", "contract_names", "sources"]

ColumnType = Literal["string", "int64", "float64", "timestamp", "bool"]
COLUMN_TYPES: tuple[ColumnType, ...] = ("string", "int64", "float64", "timestamp", "bool")
KINDS = ("event", "entity")
STAGES = ("source", "rejected", "derived")
REJECTED_SUFFIX = "_rejected"


@dataclass(frozen=True, kw_only=True)
class Pseudonym:
    """One way to make a customer key: the landing column that names the person, and its kind."""

    of: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table, with what a value must be.

    `pseudonyms` are tried in turn; the first landing column that has a value makes the key.
    `money` names the column with the currency that the minor units are of.
    """

    name: str
    type: ColumnType
    description: str
    required: bool = False
    key_position: int | None = None
    classification: str = "internal"
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    pattern: str | None = None
    allowed: tuple[str, ...] = ()
    default: int | float | str | None = None
    pseudonyms: tuple[Pseudonym, ...] = ()
    redacted: bool = False
    row_number: bool = False
    money: str | None = None


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A table: its columns, key, time, owner and how long it is kept."""

    name: str
    version: str
    kind: Literal["event", "entity"]
    stage: Literal["source", "rejected", "derived"]
    purpose: str
    owner: str
    retention_years: int
    columns: tuple[Column, ...]
    event_time: str | None = None
    bucketed: bool = False
    by_month: bool = False

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        message = f"Table {self.name} has no column {name!r}: it has {', '.join(self.names)}."
        raise ContractError(message)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in order."""
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from another, in order."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda column: column.key_position or 0))

    @property
    def sort_order(self) -> tuple[str, ...]:
        """How rows lie in a file: a customer's together, in order of time, ties by key."""
        first = ("customer_key",) if self.bucketed else ()
        time = (self.event_time,) if self.event_time else ()
        return tuple(dict.fromkeys((*first, *time, *self.key)))

    @property
    def landing_columns(self) -> tuple[str, ...]:
        """What a landing file may bring: the columns that ingest does not make itself."""
        made = {"customer_key", "key_kind", "file_no", "line"}
        named = [p.of for column in self.columns for p in column.pseudonyms]
        return tuple(dict.fromkeys([*named, *(n for n in self.names if n not in made)]))

    def arrow_schema(self) -> "pa.Schema":
        """The types on disk: times in microseconds without zone, strings as strings."""
        import pyarrow as pa

        types: dict[ColumnType, pa.DataType] = {
            "string": pa.string(),
            "int64": pa.int64(),
            "float64": pa.float64(),
            "timestamp": pa.timestamp("us"),
            "bool": pa.bool_(),
        }
        return pa.schema(
            [pa.field(c.name, types[c.type], nullable=not c.required) for c in self.columns]
        )

    def rejected(self) -> Self:
        """The contract of the table that holds the rows this one refused."""
        return cast("Self", replace(contract("rejected"), name=f"{self.name}{REJECTED_SUFFIX}"))


@cache
def contract(name: str) -> Contract:
    """The contract of a table.

    Raises:
        ContractError: there is none of that name, or its file is malformed.
    """
    source = name.removesuffix(REJECTED_SUFFIX)
    if source != name and source in sources():
        return contract(source).rejected()
    file = files(__package__) / f"{name}.odcs.yaml"
    if not file.is_file():
        message = f"No contract for {name!r}: there are {', '.join(contract_names())}."
        raise ContractError(message)
    return parsed(file.read_text(encoding="utf-8"))


@cache
def contract_names() -> tuple[str, ...]:
    """The tables that have a contract, in order of the alphabet."""
    suffix = ".odcs.yaml"
    return tuple(
        sorted(f.name[: -len(suffix)] for f in files(__package__).iterdir() if suffix in f.name)
    )


@cache
def sources() -> tuple[str, ...]:
    """The tables that landing files feed."""
    return tuple(name for name in contract_names() if contract(name).stage == "source")


def parsed(text: str) -> Contract:
    """A contract from the text of an ODCS v3 file.

    Raises:
        ContractError: the reference model of the standard refuses it, or a rule of ours is broken.
    """
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    try:
        # The C loader reads the same YAML ten times faster.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = OpenDataContractStandard(**yaml.load(text, Loader=loader))  # noqa: S506
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        message = f"Not an ODCS v3 contract: {error}"
        raise ContractError(message) from error
    return _checked(_from_odcs(document))


def _from_odcs(document: "OpenDataContractStandard") -> Contract:
    from open_data_contract_standard.model import SchemaObject

    facts = _custom(document.customProperties)
    table = (document.schema_ or [SchemaObject()])[0]
    promised = {p.property: p.value for p in document.slaProperties or ()}
    return Contract(
        name=document.name or "",
        version=document.version or "",
        kind=facts.get("kind", ""),
        stage=facts.get("stage", ""),
        purpose=(document.description.purpose if document.description else None) or "",
        owner=getattr(document.team, "name", None) or "",
        retention_years=int(cast("int", promised.get("retention", 0))),
        columns=tuple(_column(item) for item in table.properties or ()),
        event_time=facts.get("eventTime"),
        bucketed=facts.get("bucketBy") == "customer_key",
        by_month="monthsOf" in facts,
    )


def _column(item: "SchemaProperty") -> Column:
    facts, options = _custom(item.customProperties), item.logicalTypeOptions or {}
    return Column(
        name=item.name or "",
        type=cast("ColumnType", item.physicalType),
        description=item.description or "",
        required=bool(item.required),
        key_position=item.primaryKeyPosition if item.primaryKey else None,
        classification=item.classification or "internal",
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        above=options.get("exclusiveMinimum"),
        pattern=options.get("pattern"),
        allowed=tuple(str(value.value) for value in item.enum or ()),
        default=facts.get("default"),
        pseudonyms=tuple(Pseudonym(**one) for one in facts.get("pseudonym", ())),
        redacted=bool(facts.get("redacted")),
        row_number=bool(facts.get("rowNumber")),
        money=facts.get("money"),
    )


def _custom(properties: "list[CustomProperty] | None") -> dict[str, Any]:
    return {p.property or "": p.value for p in properties or ()}


def _checked(found: Contract) -> Contract:
    faults = [
        f"{column.name} has type {column.type!r}, allowed are {', '.join(COLUMN_TYPES)}"
        for column in found.columns
        if column.type not in COLUMN_TYPES
    ]
    # A null in an integer or boolean column would turn it into floats or objects in pandas.
    faults += [
        f"{column.name} is {column.type} and must be required (a measure that may be missing "
        "is float64)"
        for column in found.columns
        if column.type in ("int64", "bool") and not column.required
    ]
    told = ("purpose", "owner", "kind", "stage", "retention_years")
    faults += [f"{name} is missing" for name in told if not getattr(found, name)]
    choices = (("kind", found.kind, KINDS), ("stage", found.stage, STAGES))
    faults += [
        f"{name} is {value!r}, allowed are {', '.join(allowed)}"
        for name, value, allowed in choices
        if value and value not in allowed
    ]
    if not found.key:
        faults.append("no column is a primary key")
    if found.bucketed and "customer_key" not in found.names:
        faults.append("bucketed by customer_key, which is not a column")
    if found.event_time and found.event_time not in found.names:
        faults.append(f"event time {found.event_time} is not a column")
    if faults:
        message = f"Contract {found.name}: {'; '.join(faults)}."
        raise ContractError(message)
    return found
