"""What a contract says of a table: its columns, key, time, owner, references and expectations."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self, cast

from gpu_pipeline.contracts.rules import (
    Rule,
    Severity,
    default_file_rules,
    default_rules,
    ruled,
)
from gpu_pipeline.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "COLUMN_TYPES",
    "KINDS",
    "REJECTED_SUFFIX",
    "STAGES",
    "Column",
    "ColumnType",
    "Contract",
    "Pseudonym",
    "Reference",
]

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
    `money` names the column with the currency that the minor units are of. `minimum` and
    `maximum` are of numbers, `earliest` of times, `max_length` of characters.
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
    earliest: datetime | None = None
    pattern: str | None = None
    max_length: int | None = None
    allowed: tuple[str, ...] = ()
    default: int | float | str | None = None
    pseudonyms: tuple[Pseudonym, ...] = ()
    redacted: bool = False
    row_number: bool = False
    money: str | None = None

    @property
    def is_id(self) -> bool:
        """Whether it names a thing: digits in it are no phone number."""
        is_key = self.key_position is not None and not self.pattern
        return self.type == "string" and (is_key or self.name.endswith("_id"))

    @property
    def is_free_text(self) -> bool:
        """Whether anything may stand there: identifiers in it are redacted."""
        is_bound = bool(self.allowed or self.pattern) or self.is_id
        return self.redacted or (self.type == "string" and not is_bound)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Values of `columns` that should stand in the `key` columns of another table.

    Only rows that have all values are asked, and of each column in `where` one of its values.
    With `within_days`, the last pair is of times: the other's may lie that many days before ours.
    A row without its counterpart is never rejected: it may come before it, and is looked at
    again at every run.
    """

    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]
    severity: Severity = "warn"
    threshold: float = 0.0
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    within_days: int | None = None

    @property
    def reason(self) -> str:
        """What is said of a row without its counterpart."""
        within = f" of the {self.within_days} days before" if self.within_days is not None else ""
        return f"{', '.join(self.columns)}: not in {self.table}{within}"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A table: its columns, key, time, owner and how long it is kept.

    `clauses` and `file_clauses` are the rules that its quality sections add to, or have other
    than, what the columns ask. A row whose key is there already is looked for within
    `late_horizon_days` of its time. A feed is stalled when its latest event is more than
    `freshness_hours` old, and thin when a day has less than `volume_share` of its usual rows.
    """

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
    clauses: tuple[Rule, ...] = ()
    file_clauses: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    late_horizon_days: int = 35
    freshness_hours: float | None = None
    volume_share: float | None = None

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

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of a row, in a fixed order: what columns ask first, conditions last."""
        rules = ruled(default_rules(self), self.clauses)
        alone = tuple(rule for rule in rules if rule.check != "compare")
        return (*alone, *(rule for rule in rules if rule.check == "compare"))

    @cached_property
    def file_rules(self) -> tuple[Rule, ...]:
        """Every rule of a file as a whole: unique keys, and the share of rejected rows."""
        return ruled(default_file_rules(self), self.file_clauses)

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
        from gpu_pipeline.contracts.catalogue import contract

        return cast("Self", replace(contract("rejected"), name=f"{self.name}{REJECTED_SUFFIX}"))
