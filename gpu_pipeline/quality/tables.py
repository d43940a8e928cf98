"""Tables: what contracts promise of whole tables, measured at a moment.

References, freshness and volume only warn: rows may arrive later, and every run looks again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpu_pipeline.contracts import Contract, Reference, Rule, contract, sources
from gpu_pipeline.quality.promises import day_counts, latest_event, usual_volume
from gpu_pipeline.quality.references import Orphans, orphans
from gpu_pipeline.quality.verdicts import Measurement, Verdict, verdict
from gpu_pipeline.store import Lake

__all__ = ["table_measurements"]


def table_measurements(lake: Lake, *, as_of: datetime, run_id: str) -> list[Measurement]:
    """Every reference and promise of every source table in the lake, as of a moment (UTC)."""
    there = [name for name in sources() if lake.version(name) is not None]
    return [
        one for name in there for one in _Table(lake, contract(name), as_of, run_id).measurements()
    ]


@dataclass(frozen=True)
class _Table:
    """A table at a moment, and how what is found of it is written down."""

    lake: Lake
    contract: Contract
    as_of: datetime
    run_id: str

    def measurements(self) -> Iterator[Measurement]:
        references = self.contract.references
        found = orphans(self.lake, self.contract, references, as_of=self.as_of)
        for reference, without in zip(references, found, strict=True):
            yield self._reference(reference, without)
        if self.contract.freshness_hours is not None:
            yield self._freshness(self.contract.freshness_hours)
        if self.contract.volume_share is not None:
            yield self._volume(self.contract.volume_share)

    def _reference(self, reference: Reference, found: Orphans | str) -> Measurement:
        reason, columns, limit = reference.reason, reference.columns, reference.threshold
        if isinstance(found, str):
            return self._not_checked(reason, columns, limit, found)
        rule = Rule(reason, columns, "reference", reference.severity, limit)
        return self._measured(
            reason,
            columns,
            limit,
            measured=found.failed / found.rows if found.rows else None,
            rows=found.rows,
            failed=found.failed,
            verdict=verdict(rule, found.rows, found.failed),
            evidence=", ".join(found.examples) or None,
        )

    def _freshness(self, hours: float) -> Measurement:
        rule, columns = f"latest event: more than {hours:g} hours before", self._time()
        last = latest_event(self.lake, self.contract, as_of=self.as_of)
        if last is None:
            return self._not_checked(rule, columns, hours, "no event by then")
        age = (self.as_of - last) / timedelta(hours=1)
        return self._feed(rule, hours, age, is_broken=age > hours, evidence=f"latest at {last}")

    def _volume(self, share: float) -> Measurement:
        rule = f"rows of the last whole day: under {share:.0%} of the usual"
        span = self.lake.span(self.contract.name)
        first = None if span is None else span[0].date()
        counts = day_counts(self.lake, self.contract, as_of=self.as_of)
        volume = None if first is None else usual_volume(counts, first=first, as_of=self.as_of)
        if volume is None:
            return self._not_checked(rule, self._time(), share, "too few days to compare with")
        evidence = f"{volume.rows:,} rows, usual are {volume.usual:,.0f}"
        return self._feed(
            rule, share, volume.share, is_broken=volume.is_below(share), evidence=evidence
        )

    def _time(self) -> tuple[str, ...]:
        return (self.contract.event_time,) if self.contract.event_time is not None else ()

    def _feed(
        self, rule: str, limit: float, measured: float, *, is_broken: bool, evidence: str
    ) -> Measurement:
        """Of a feed as a whole: no rows are counted."""
        return self._measured(
            rule,
            self._time(),
            limit,
            measured=measured,
            rows=0,
            failed=0,
            verdict="warned" if is_broken else "passed",
            evidence=evidence,
        )

    def _not_checked(
        self, rule: str, columns: tuple[str, ...], limit: float, why: str
    ) -> Measurement:
        return self._measured(
            rule,
            columns,
            limit,
            measured=None,
            rows=0,
            failed=0,
            verdict="not checked",
            evidence=why,
        )

    def _measured(
        self,
        rule: str,
        columns: tuple[str, ...],
        limit: float,
        *,
        measured: float | None,
        rows: int,
        failed: int,
        verdict: Verdict,
        evidence: str | None,
    ) -> Measurement:
        return Measurement(
            contract=self.contract.name,
            subject="table",
            subject_id=f"v{self.lake.version(self.contract.name)}",
            subject_name=self.contract.name,
            rule=rule,
            run_id=self.run_id,
            columns=", ".join(columns),
            severity="warn",
            threshold=limit,
            measured=measured,
            rows=rows,
            failed=failed,
            verdict=verdict,
            evidence=evidence,
            checked_as_of=self.as_of,
        )
