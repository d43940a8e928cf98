"""Verdicts: how a check came out, exact at the boundary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from gpu_pipeline.contracts import Contract, Rule, Severity

__all__ = ["VERDICTS", "Measurement", "Verdict", "file_measurements", "verdict", "worst"]

Verdict = Literal["passed", "warned", "rejected", "stopped", "not checked"]

# From the best to the worst.
VERDICTS: tuple[Verdict, ...] = ("passed", "not checked", "warned", "rejected", "stopped")
_BROKEN: Mapping[Severity, Verdict] = {"warn": "warned", "reject": "rejected", "stop": "stopped"}
_UNREADABLE = Rule("row: not one of its file", (), "readable")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One rule, checked of a file or a table: a row of `quality_results`.

    `measured` and `threshold` are shares of the rows (0 to 1) unless the rule names another unit.
    """

    contract: str
    subject: Literal["file", "table"]
    subject_id: str
    subject_name: str
    rule: str
    run_id: str
    columns: str
    severity: Severity
    threshold: float
    measured: float | None
    rows: int
    failed: int
    verdict: Verdict
    evidence: str | None = None
    checked_as_of: datetime | None = None


def verdict(rule: Rule, rows: int, failed: int) -> Verdict:
    """How the rule came out for `rows` rows of which `failed` broke it.

    It is kept while failed / rows is at most the rule's threshold, computed without rounding,
    and by a file with fewer rows than the rule judges.
    """
    tolerated = Fraction(str(rule.threshold)) * rows
    return "passed" if rows < rule.from_rows or failed <= tolerated else _BROKEN[rule.severity]


def file_measurements(
    contract: Contract,
    *,
    file_id: str,
    name: str,
    rows: int,
    failed: Mapping[str, int],
    rejected: int,
    run_id: str,
    checked_as_of: datetime | None,
) -> list[Measurement]:
    """Every rule of the contract, for a file of `rows` rows of which `rejected` were rejected.

    `failed` counts rows by reason, absent reasons are 0; reasons that are no rule's are of rows
    that no parser could read, and count as one.
    """
    rules = [*contract.rules, *contract.file_rules]
    known = {rule.reason for rule in rules}
    unread = sum(count for reason, count in failed.items() if reason not in known)
    counts = {**failed, _UNREADABLE.reason: unread}
    counts |= {rule.reason: rejected for rule in rules if rule.check == "rejected"}
    return [
        Measurement(
            contract=contract.name,
            subject="file",
            subject_id=file_id,
            subject_name=name,
            rule=rule.reason,
            run_id=run_id,
            columns=", ".join(rule.columns),
            severity=rule.severity,
            threshold=rule.threshold,
            measured=counts.get(rule.reason, 0) / rows if rows else None,
            rows=rows,
            failed=counts.get(rule.reason, 0),
            verdict=verdict(rule, rows, counts.get(rule.reason, 0)),
            checked_as_of=checked_as_of,
        )
        for rule in [_UNREADABLE, *rules]
    ]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; `passed` of none."""
    return max(verdicts, key=VERDICTS.index, default="passed")
