"""Evolution: what changed between two versions of a contract, and what of it breaks a table.

A table may grow: new columns that old rows can do without, values that may be missing from now
on, whole numbers that become fractions. Whatever would make old rows mean something else, or
leave them incomplete, breaks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from gpu_pipeline.contracts.model import Column, Contract

__all__ = ["FOLDERS", "Change", "ChangeKind", "breaking", "changes"]

ChangeKind = Literal["added", "widened", "relaxed", "rule", "broken"]
WIDER: dict[str, tuple[str, ...]] = {"int64": ("float64",)}
# What the contract says of a whole table and its files rely on, with ODCS's name for it.
_PLACES = {
    "kind": "customProperties.kind",
    "event_time": "customProperties.eventTime",
    "bucketed": "customProperties.bucketBy",
    "by_month": "customProperties.monthsOf",
}
# The clauses that its folders are named for.
FOLDERS = (_PLACES["bucketed"], _PLACES["by_month"])
_PROSE = ("name", "version", "purpose", "owner", "description", "columns")
_SHAPE = ("type", "required", "key_position")


@dataclass(frozen=True)
class Change:
    """One difference: the clause of the contract, what became of it, and what a table must do.

    `column` is None where the change is the whole table's.
    """

    clause: str
    said: str
    kind: ChangeKind
    column: str | None = None

    @property
    def breaks(self) -> bool:
        """Whether rows that were written before can't be read under the new contract."""
        return self.kind == "broken"

    def __str__(self) -> str:
        return f"{self.clause} {self.said}"


def changes(old: Contract, new: Contract) -> list[Change]:
    """Every difference that rows or their checks can notice; descriptions don't count."""
    return [*_of_table(old, new), *_of_columns(old, new)]


def breaking(old: Contract, new: Contract) -> list[Change]:
    """Those of the changes that break."""
    return [change for change in changes(old, new) if change.breaks]


def _of_table(old: Contract, new: Contract) -> Iterator[Change]:
    for name, clause in _PLACES.items():
        if getattr(old, name) != getattr(new, name):
            yield Change(clause, _turned(getattr(old, name), getattr(new, name)), "broken")
    if old.key != new.key:
        said = _turned(", ".join(old.key), ", ".join(new.key))
        yield Change("schema.primaryKey", said, "broken")
    yield from _of_rules(old, new, "", None, ignored=tuple(_PLACES))


def _of_columns(old: Contract, new: Contract) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    for name in before.keys() - set(new.names):
        said = "is gone (renamed? keep it, and add the new one beside it)"
        yield Change(_clause(name), said, "broken", name)
    for column in new.columns:
        if column.name in before:
            yield from _of_column(before[column.name], column)
        else:
            yield _added(column)


def _added(column: Column) -> Change:
    if column.required and column.default is None:
        said = "is new and required: make it nullable, or give it a default for older rows"
        return Change(_clause(column.name), said, "broken", column.name)
    return Change(_clause(column.name), "is new", "added", column.name)


def _of_column(old: Column, new: Column) -> Iterator[Change]:
    if old.type != new.type:
        # The key is what tells rows apart: 1 and 1.0 are two texts of one number.
        wider = new.type in WIDER.get(old.type, ()) and new.key_position is None
        wider = wider and new.name != "customer_key"
        kind: ChangeKind = "widened" if wider else "broken"
        clause = _clause(new.name, "physicalType")
        yield Change(clause, _turned(old.type, new.type), kind, new.name)
    if old.required and not new.required:
        yield Change(_clause(new.name, "required"), "no longer holds", "relaxed", new.name)
    if new.required and not old.required:
        said = "holds now, but older rows may lack a value"
        yield Change(_clause(new.name, "required"), said, "broken", new.name)
    yield from _of_rules(old, new, _clause(new.name), new.name, ignored=_SHAPE)


def _of_rules(
    old: Any,  # noqa: ANN401
    new: Any,  # noqa: ANN401
    clause: str,
    column: str | None,
    *,
    ignored: tuple[str, ...],
) -> Iterator[Change]:
    """What only rows to come are held to."""
    for field in fields(old):
        was, now = getattr(old, field.name), getattr(new, field.name)
        if field.name not in (*_PROSE, *ignored) and was != now:
            yield Change(f"{clause}.{field.name}".lstrip("."), _turned(was, now), "rule", column)


def _clause(column: str, item: str = "") -> str:
    return ".".join(part for part in ("schema.properties", column, item) if part)


def _turned(old: object, new: object) -> str:
    return f"was {old!r}, is {new!r}"
