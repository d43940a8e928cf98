"""Contracts from their files: documents of the Open Data Contract Standard, version 3.1.

What the standard has a place for stands there: types and options at a property, `nullValues`,
`invalidValues` and `duplicateValues` in `quality`, keys of other tables in `relationships`,
promises in `slaProperties`. What it lacks is `type: custom` with the engine `gpu-pipeline`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast, get_args

from gpu_pipeline.contracts.expressions import checked, columns_of
from gpu_pipeline.contracts.model import (
    COLUMN_TYPES,
    KINDS,
    STAGES,
    Column,
    ColumnType,
    Contract,
    Pseudonym,
    Reference,
)
from gpu_pipeline.contracts.rules import (
    REJECTED,
    UNIQUE,
    Bound,
    Check,
    Rule,
    Severity,
    above,
    below,
    missing,
    too_long,
)
from gpu_pipeline.errors import ContractError

if TYPE_CHECKING:
    from open_data_contract_standard.model import (
        CustomProperty,
        DataQuality,
        OpenDataContractStandard,
        Relationship,
        SchemaObject,
        SchemaProperty,
    )

__all__ = ["parsed"]

ENGINE = "gpu-pipeline"
_Asked: TypeAlias = tuple[str, Check, Bound | None]  # a rule's reason, check and bound
_SEVERITIES: tuple[str, ...] = get_args(Severity)
# The checks of a table, with what else each may say.
_OF_TABLES: dict[str, tuple[str, ...]] = {
    "expression": (),
    "rejectedPercent": ("fromRows",),
    "duplicateValues": (),
}
# Of a column that must have a value, a row without one can't be stored.
_NEVER_WARN = ("readable", "required", "identified", "impersonal")


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
    name = document.name or ""
    columns = tuple(_column(item) for item in table.properties or ())
    clauses = [rule for item in table.properties or () for rule in _clauses(name, item)]
    of_table = _table_clauses(name, table, {column.name: column.type for column in columns})
    return Contract(
        name=name,
        version=document.version or "",
        kind=facts.get("kind", ""),
        stage=facts.get("stage", ""),
        purpose=(document.description.purpose if document.description else None) or "",
        owner=getattr(document.team, "name", None) or "",
        retention_years=int(cast("int", promised.get("retention", 0))),
        columns=columns,
        event_time=facts.get("eventTime"),
        bucketed=facts.get("bucketBy") == "customer_key",
        by_month="monthsOf" in facts,
        clauses=(*clauses, *(rule for rule in of_table if rule.check == "compare")),
        file_clauses=tuple(rule for rule in of_table if rule.check != "compare"),
        references=_references(table),
        late_horizon_days=int(cast("int", promised.get("lateHorizon", 35))),
        freshness_hours=_number(promised.get("latency")),
        volume_share=_share(promised.get("volume")),
    )


def _column(item: "SchemaProperty") -> Column:
    facts, options = _custom(item.customProperties), item.logicalTypeOptions or {}
    is_time = item.physicalType == "timestamp"
    least = options.get("minimum")
    return Column(
        name=item.name or "",
        type=cast("ColumnType", item.physicalType),
        description=item.description or "",
        required=bool(item.required),
        key_position=item.primaryKeyPosition if item.primaryKey else None,
        classification=item.classification or "internal",
        minimum=None if is_time else least,
        maximum=options.get("maximum"),
        above=options.get("exclusiveMinimum"),
        earliest=_moment(least) if is_time and least is not None else None,
        pattern=options.get("pattern"),
        max_length=options.get("maxLength"),
        allowed=tuple(str(value.value) for value in item.enum or ()),
        default=facts.get("default"),
        pseudonyms=tuple(Pseudonym(**one) for one in facts.get("pseudonym", ())),
        redacted=bool(facts.get("redacted")),
        row_number=bool(facts.get("rowNumber")),
        money=facts.get("money"),
    )


def _custom(properties: "list[CustomProperty] | None") -> dict[str, Any]:
    return {p.property or "": p.value for p in properties or ()}


def _clauses(table: str, item: "SchemaProperty") -> list[Rule]:
    """The rules in the quality section of a property."""
    name = item.name or ""
    return [_clause(table, name, clause) for clause in item.quality or ()]


def _clause(table: str, name: str, clause: "DataQuality") -> Rule:
    asked = _asked(clause)
    known = _only_one(table, name, asked, {check: () for check in _OF_PROPERTIES})
    reason, check, bound = _OF_PROPERTIES[known](name, asked[known])
    severity, threshold = _judged(table, name, clause, asked)
    return Rule(reason, (name,), check, severity, threshold, bound=bound)


def _table_clauses(table: str, schema: "SchemaObject", types: dict[str, str]) -> list[Rule]:
    """The rules in the quality section of the table."""
    rules = []
    for clause in schema.quality or ():
        asked, where = _asked(clause), clause.name or "a clause"
        known = _only_one(table, where, asked, _OF_TABLES)
        severity, threshold = _judged(table, where, clause, asked)
        if known == "expression":
            try:
                expression = checked(str(asked[known]), types)
            except ContractError as error:
                _refuse(table, where, str(error))
            columns = columns_of(expression)
            rule = Rule(where, columns, "compare", severity, threshold, expression=expression)
        elif known == "rejectedPercent":
            share, from_rows = _share(asked[known]) or 0.0, int(asked.get("fromRows", 0))
            rule = Rule(REJECTED, (), "rejected", severity, share, from_rows=from_rows)
        else:
            columns = tuple(asked[known].get("properties", ()))
            rule = Rule(UNIQUE, columns, "unique", severity, threshold)
        rules.append(rule)
    return rules


def _only_one(
    table: str, where: str, asked: dict[str, Any], checks: Mapping[str, tuple[str, ...]]
) -> str:
    """The one check that a clause asks for, of those that there are with what each may say."""
    known = [check for check in checks if check in asked]
    if len(known) == 1 and asked.keys() <= {*known, "toleratedPercent", *checks[known[0]]}:
        return known[0]
    _refuse(table, where, f"asks for {_listed(asked)}, known are {_listed(checks)} (one alone)")


def _asked(clause: "DataQuality") -> dict[str, Any]:
    """What a clause asks for, by the name of the check."""
    if clause.type == "custom":
        is_ours = clause.engine == ENGINE and isinstance(clause.implementation, dict)
        return dict(cast("dict[str, Any]", clause.implementation)) if is_ours else {}
    arguments = clause.arguments or {}
    if clause.metric == "invalidValues":
        return {name: arguments[name] for name in ("validValues", "pattern") if name in arguments}
    return {clause.metric: arguments} if clause.metric else {}


def _judged(
    table: str, where: str, clause: "DataQuality", asked: dict[str, Any]
) -> tuple[Severity, float]:
    severity = clause.severity or "reject"
    if severity not in _SEVERITIES:
        _refuse(table, where, f"severity is {severity!r}, allowed are {', '.join(_SEVERITIES)}")
    if clause.type == "custom":
        return cast("Severity", severity), _share(asked.get("toleratedPercent")) or 0.0
    most = clause.mustBe if clause.mustBe is not None else clause.mustBeLessOrEqualTo
    if most is None or (most != 0 and clause.unit != "percent"):
        _refuse(table, where, "wants mustBe: 0, or mustBeLessOrEqualTo with unit: percent")
    return cast("Severity", severity), _share(most) or 0.0


def _nothing(name: str, _: object) -> _Asked:
    return missing(name), "required", None


def _lowest(name: str, bound: Any) -> _Asked:  # noqa: ANN401
    least = _moment(bound) if isinstance(bound, str) else float(bound)
    return below(name, least), "minimum", least


def _highest(name: str, bound: Any) -> _Asked:  # noqa: ANN401
    most = _moment(bound) if isinstance(bound, str) else float(bound)
    return above(name, most), "maximum", most


def _one_of(name: str, values: Iterable[object]) -> _Asked:
    allowed = tuple(str(value) for value in values)
    return f"{name}: not one of {', '.join(allowed)}", "allowed", allowed


def _like(name: str, pattern: str) -> _Asked:
    return f"{name}: not like {pattern}", "pattern", pattern


def _no_longer(name: str, characters: int) -> _Asked:
    return too_long(name, characters), "length", characters


_OF_PROPERTIES: dict[str, Callable[[str, Any], _Asked]] = {
    "nullValues": _nothing,
    "validValues": _one_of,
    "pattern": _like,
    "minimum": _lowest,
    "maximum": _highest,
    "maxLength": _no_longer,
}


def _references(schema: "SchemaObject") -> tuple[Reference, ...]:
    of_columns = [
        _reference([item.name or ""], one)
        for item in schema.properties or ()
        for one in item.relationships or ()
    ]
    of_table = [
        _reference([_last(name) for name in _several(one.from_)], one)
        for one in schema.relationships or ()
    ]
    return (*of_columns, *of_table)


def _reference(columns: Sequence[str], relationship: "Relationship") -> Reference:
    facts, targets = _custom(relationship.customProperties), _several(relationship.to)
    return Reference(
        columns=tuple(columns),
        table=targets[0].split(".")[0] if targets else "",
        key=tuple(_last(target) for target in targets),
        severity=facts.get("severity", "warn"),
        threshold=_share(facts.get("toleratedPercent")) or 0.0,
        where=tuple((name, tuple(values)) for name, values in facts.get("where", {}).items()),
        within_days=facts.get("withinDays"),
    )


def _several(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _moment(text: str) -> datetime:
    """The time as columns hold it: UTC, without a zone."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _number(value: object) -> float | None:
    return None if value is None else float(cast("float", value))


def _share(percent: object) -> float | None:
    """0.29 of 29 per cent, not 0.28999…: what lies on the boundary is within it."""
    return None if percent is None else float(Decimal(str(percent)) / 100)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _refuse(table: str, where: str, fault: str) -> NoReturn:
    message = f"Contract {table}: {where}: {fault}."
    raise ContractError(message)


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
    faults += [*_rule_faults(found), *_reference_faults(found)]
    if faults:
        message = f"Contract {found.name}: {'; '.join(faults)}."
        raise ContractError(message)
    return found


def _rule_faults(found: Contract) -> list[str]:
    required = {column.name for column in found.columns if column.required}
    faults = [
        f"{rule.reason!r} only warns, but a row without {rule.columns[0]} can't be stored"
        for rule in found.clauses
        if rule.severity == "warn" and rule.check in _NEVER_WARN and rule.columns[0] in required
    ]
    return faults + [
        f"{rule.reason!r} tolerates {rule.threshold:.0%}, allowed are 0 to 100 %"
        for rule in (*found.clauses, *found.file_clauses)
        if not 0 <= rule.threshold <= 1
    ]


def _reference_faults(found: Contract) -> list[str]:
    faults = []
    for reference in found.references:
        used = (*reference.columns, *(name for name, _ in reference.where))
        faults += [f"it refers by {n}, which is not a column" for n in used if n not in found.names]
        if len(reference.columns) != len(reference.key):
            faults.append(f"{reference.reason!r} pairs {reference.columns} with {reference.key}")
        if reference.severity != "warn":
            faults.append(f"{reference.reason!r} is {reference.severity!r}: references only warn")
    return faults
