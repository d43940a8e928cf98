"""Rules: everything that a contract asks of a row or a file, as data, in a fixed order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from gpu_pipeline.contracts.model import Column, Contract

__all__ = ["Bound", "Check", "Rule", "Severity", "default_file_rules", "default_rules", "ruled"]

Check = Literal[
    "readable",  # the value can be cast to the column's type
    "required",  # there is a value
    "minimum",
    "maximum",
    "above",
    "allowed",
    "pattern",
    "impersonal",  # an id that is no address or number of a person
    "length",  # at most so many characters
    "identified",  # one of the columns that name the person has a value
    "compare",  # a condition over columns of the row
    "unique",  # of a file: no other row has the key with other values
    "rejected",  # of a file: the share of its rows that were rejected
    "reference",  # of a table: another table has what a row names
]
Severity = Literal["warn", "reject", "stop"]
Bound: TypeAlias = float | str | datetime | tuple[str, ...]

UNIQUE = "key: another row has it with other values"
REJECTED = "rows that were rejected"
_MADE_BY_INGEST = ("key_kind", "file_no", "line")
_READABLE = {
    "int64": "a whole number",
    "float64": "a number",
    "timestamp": "a time",
    "bool": "true or false",
}


@dataclass(frozen=True)
class Rule:
    """One thing that must hold for the `columns` of a row, and what happens where it doesn't.

    A failing row is accepted and counted (`warn`), or rejected with the `reason` (`reject`,
    `stop`). A file keeps to the rule while the share of its rows that fail is at most
    `threshold` (0 to 1); where it is larger, `stop` loads nothing of the contract. A file with
    fewer than `from_rows` rows is not judged. `bound` is what a value is compared with,
    `expression` what a comparison says.
    """

    reason: str
    columns: tuple[str, ...]
    check: Check
    severity: Severity = "reject"
    threshold: float = 0.0
    expression: str | None = None
    bound: Bound | None = None
    from_rows: int = 0


def default_rules(contract: "Contract") -> tuple[Rule, ...]:
    """What the types and options of the columns ask of a row, column by column."""
    return tuple(
        rule
        for column in contract.columns
        if column.name not in _MADE_BY_INGEST
        for rule in _of_column(column)
    )


def default_file_rules(contract: "Contract") -> tuple[Rule, ...]:
    """What a source asks of a file as a whole: one row a key."""
    return (Rule(UNIQUE, contract.key, "unique"),) if contract.stage == "source" else ()


def ruled(defaults: tuple[Rule, ...], clauses: Iterable[Rule]) -> tuple[Rule, ...]:
    """The defaults, each as the clause of the same reason has it; then the clauses that are new."""
    known = {rule.reason: rule for rule in defaults}
    for clause in clauses:
        known[clause.reason] = clause
    return tuple(known.values())


def value_rules(column: "Column") -> tuple[Rule, ...]:
    """What the options of a column ask of a value that is there."""
    name = (column.name,)
    least, most = column.minimum, column.maximum
    rules = [
        None if least is None else Rule(below(column.name, least), name, "minimum", bound=least),
        None if most is None else Rule(above(column.name, most), name, "maximum", bound=most),
    ]
    if column.earliest is not None:
        earliest = column.earliest
        rules.append(Rule(below(column.name, earliest), name, "minimum", bound=earliest))
    if column.above is not None:
        reason = f"{column.name}: not above {shown(column.above)}"
        rules.append(Rule(reason, name, "above", bound=column.above))
    if column.allowed:
        reason = f"{column.name}: not one of {', '.join(column.allowed)}"
        rules.append(Rule(reason, name, "allowed", bound=column.allowed))
    if column.pattern is not None:
        reason = f"{column.name}: not like {column.pattern}"
        rules.append(Rule(reason, name, "pattern", bound=column.pattern))
    if column.is_id:
        reason = f"{column.name}: an address or number of a person"
        rules.append(Rule(reason, name, "impersonal"))
    if column.max_length is not None:
        reason = too_long(column.name, column.max_length)
        rules.append(Rule(reason, name, "length", bound=column.max_length))
    return tuple(rule for rule in rules if rule is not None)


def missing(name: str) -> str:
    """The reason of a row that lacks a value it must have."""
    return f"{name}: missing"


def below(name: str, bound: float | datetime) -> str:
    """The reason of a row with a value under the lowest that may be."""
    is_time = isinstance(bound, datetime)
    return f"{name}: {'before' if is_time else 'below'} {shown(bound)}"


def above(name: str, bound: float | datetime) -> str:
    """The reason of a row with a value over the highest that may be."""
    is_time = isinstance(bound, datetime)
    return f"{name}: {'after' if is_time else 'above'} {shown(bound)}"


def too_long(name: str, characters: int) -> str:
    """The reason of a row with a text of more characters than may be."""
    return f"{name}: longer than {characters} characters"


def shown(bound: float | datetime) -> str:
    """A number or a time as a reason names it: 1000000, 0.5, 1990-01-01."""
    if isinstance(bound, datetime):
        return bound.isoformat(sep=" ").removesuffix(" 00:00:00")
    return f"{bound:.15g}"


def _of_column(column: "Column") -> list[Rule]:
    if column.pseudonyms:
        ways = tuple(way.of for way in column.pseudonyms)
        return [Rule(missing(" or ".join(ways)), ways, "identified")]
    name = (column.name,)
    rules = []
    if column.type in _READABLE:
        expected = _READABLE[column.type]
        if column.money is not None:
            expected = "an amount in the currency's minor units"
        rules.append(Rule(f"{column.name}: not {expected}", name, "readable"))
    if column.required and column.default is None and not column.row_number:
        rules.append(Rule(missing(column.name), name, "required"))
    return [*rules, *value_rules(column)]
