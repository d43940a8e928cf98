"""How a check comes out at, below and above what is tolerated."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.contracts import Rule, Severity, contract
from gpu_pipeline.quality.verdicts import Verdict, file_measurements, verdict, worst

ORDERS = contract("orders")


@pytest.mark.parametrize(
    ("severity", "threshold", "from_rows", "rows", "failed", "outcome"),
    [
        ("warn", 0.0, 0, 10, 0, "passed"),
        ("warn", 0.0, 0, 10, 1, "warned"),
        ("reject", 0.0, 0, 10, 1, "rejected"),
        ("stop", 0.0, 0, 10, 1, "stopped"),
        ("stop", 0.5, 0, 100, 50, "passed"),
        ("stop", 0.5, 0, 100, 51, "stopped"),
        ("stop", 0.5, 0, 101, 50, "passed"),
        ("stop", 0.5, 0, 101, 51, "stopped"),
        # In floats 0.29 * 100 is 28.999…: 29 of 100 would be too many.
        ("reject", 0.29, 0, 100, 29, "passed"),
        ("reject", 0.29, 0, 100, 30, "rejected"),
        ("reject", 0.07, 0, 100, 7, "passed"),
        ("warn", 1e-06, 0, 1_000_000, 1, "passed"),
        ("warn", 1e-06, 0, 999_999, 1, "warned"),
        ("stop", 0.5, 100, 99, 99, "passed"),
        ("stop", 0.5, 100, 100, 100, "stopped"),
        ("stop", 1.0, 0, 7, 7, "passed"),
        ("reject", 0.0, 0, 0, 0, "passed"),
    ],
)
def test_a_verdict_is_exact_at_the_boundary(
    severity: Severity, threshold: float, from_rows: int, rows: int, failed: int, outcome: Verdict
) -> None:
    rule = Rule("x: wrong", ("x",), "minimum", severity, threshold, from_rows=from_rows)
    assert verdict(rule, rows, failed) == outcome


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 100))
def test_whole_percents_are_exact(rows: int, failed: int, percent: int) -> None:
    rule = Rule("x: wrong", ("x",), "minimum", "reject", percent / 100)
    kept = min(failed, rows) * 100 <= percent * rows
    assert verdict(rule, rows, min(failed, rows)) == ("passed" if kept else "rejected")


def test_every_rule_of_a_file_is_measured_and_what_nobody_could_read_counts_too() -> None:
    measured = file_measurements(
        ORDERS,
        file_id="f1",
        name="orders.csv",
        rows=200,
        failed={
            "quantity: missing": 3,
            "quantity: above 10000": 1,
            "line: 3 fields where 17 belong": 2,
            "line: 4 fields where 17 belong": 1,
        },
        rejected=6,
        run_id="load-1",
        checked_as_of=datetime(2026, 1, 2),  # noqa: DTZ001
    )
    assert len(measured) == len(ORDERS.rules) + len(ORDERS.file_rules) + 1
    broken = {one.rule: (one.failed, one.verdict) for one in measured if one.failed}
    assert broken == {
        "row: not one of its file": (3, "rejected"),
        "quantity: missing": (3, "rejected"),
        "quantity: above 10000": (1, "warned"),
        "rows that were rejected": (6, "passed"),
    }
    assert {one.rows for one in measured} == {200}
    assert {one.measured for one in measured if one.failed == 3} == {0.015}


def test_a_file_that_is_mostly_wrong_is_stopped() -> None:
    measured = file_measurements(
        ORDERS,
        file_id="f1",
        name="orders.csv",
        rows=100,
        failed={"quantity: missing": 51},
        rejected=51,
        run_id="load-1",
        checked_as_of=None,
    )
    assert [one.rule for one in measured if one.verdict == "stopped"] == ["rows that were rejected"]
    assert worst(one.verdict for one in measured) == "stopped"


def test_the_worst_of_several_verdicts_counts() -> None:
    assert worst([]) == "passed"
    assert worst(["passed", "warned", "not checked"]) == "warned"
